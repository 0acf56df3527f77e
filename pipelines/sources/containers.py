"""Compressed files and archives as streams: nothing is written to disk, and what unpacks without end is cut off.

a.jsonl                 one stream
a.jsonl.gz, .zst, .bz2  one stream, unpacked while it is read
a.zip                   a stream for each member of a known kind, in the archive's order, itself perhaps compressed
"""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath
from typing import Any

from kgmill.pipelines.sources.encodings import StreamError
from kgmill.pipelines.sources.formats import suffixes
from kgmill.pipelines.sources.streams import BadStream, Stream
from kgmill.pipelines.sources.unpacking import METHODS, Span, decompress, member
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.errors import RecordError
from kgmill.schemas.text import storable

ARCHIVE = "zip"
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
_SUFFIXES = suffixes() | {".zip": ARCHIVE}
KNOWN = f"{', '.join(_SUFFIXES)}, all but .zip also with {', '.join(_COMPRESSIONS)}"
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError, OverflowError)
_SUFFIX = re.compile(r"(?=.*[a-z])[a-z0-9_-]{1,12}(\.(gz|zst|bz2))?")
_LOCAL_HEADER = struct.Struct("<26x2H")  # of it, the lengths of the name and of what is between that and the content


def kind_of(name: str, as_text: Collection[str] = ()) -> tuple[str, str]:
    """The format and the compression that a file's name promises, whatever its case; both empty where it is unknown.

    Names that end in a suffix of `as_text` are texts; `""` is no suffix, `*` any that is not known.

    >>> kind_of("a/b.TXT"), kind_of("news.jsonl.gz"), kind_of("notes.gz"), kind_of("a.zip.gz")
    (('text', ''), ('jsonl', 'gzip'), ('', ''), ('', ''))
    >>> kind_of("49960", [""]), kind_of("a.log.gz", [".log"]), kind_of("a.md", ["*"]), kind_of("a.md", [".md"])
    (('text', ''), ('text', 'gzip'), ('markdown', ''), ('text', ''))
    """
    path = PurePosixPath(name.lower())
    compression = _COMPRESSIONS.get(path.suffix, "")
    suffix = path.with_suffix("").suffix if compression else path.suffix
    form = "text" if suffix in as_text else _SUFFIXES.get(suffix, "text" if "*" in as_text else "")
    return ("", "") if not form or (compression and form == ARCHIVE) else (form, compression)


def is_hidden(path: str) -> bool:
    """Whether operating systems and editors hide what lies at a path, or left it there beside documents.

    >>> [is_hidden(path) for path in (".git/a.txt", "a/._b.txt", "~$b.txt", "b.txt~", "__MACOSX/b.txt", "./a/../b.txt")]
    [True, True, True, True, True, False]
    """
    parts = [part for part in path.split("/") if part not in (".", "..")]
    return any(part.startswith((".", "~$")) or part.endswith("~") or part == "__MACOSX" for part in parts)


def rule_of(path: str) -> str:
    """The name under which a file that is passed over is counted.

    >>> [rule_of(path) for path in ("a/b.PDF", "b.tar.gz", "49960", "mail.17", ".git/b.txt")]
    ['files.pdf', 'files.tar.gz', 'files.no_suffix', 'files.other', 'files.hidden']
    """
    if is_hidden(path):
        return "files.hidden"
    name = PurePosixPath(path.lower())
    inner = name.with_suffix("").suffix if name.suffix in _COMPRESSIONS else ""
    suffix = (inner + name.suffix).removeprefix(".") or "no_suffix"
    return f"files.{suffix}" if _SUFFIX.fullmatch(suffix) else "files.other"


def unpack(name: str, stream: io.BufferedReader, n_bytes: int, config: SourceConfig) -> Iterator[Stream | BadStream]:
    """What is in a file: itself, or the members of an archive. A stream has to be read before the next is asked for.

    Args:
        name: the file's name, of a known kind.
        stream: the file, which can be sought in.
        n_bytes: the file's size, 0 where nobody knows.
        config: the limits.
    """
    form, compression = kind_of(name, config.as_text)
    budget = _Budget(n_bytes, config)
    if form == ARCHIVE:
        yield from _members(name, stream, budget, config.as_text)
    elif compression:
        unpacked = _Unpacked(decompress(stream, compression), budget)
        yield Stream(name, form, io.BufferedReader(unpacked), False)
    else:
        yield Stream(name, form, stream, True)


def passed_over(stream: Any, as_text: Collection[str]) -> Iterator[str]:
    """The names of an archive's members that are not read; none where it can't be opened."""
    try:
        members = zipfile.ZipFile(stream).infolist()
    except _ZIP_ERRORS:
        return
    yield from (_path(info) for info in members if not info.is_dir() and not _is_read(info, as_text))


def _path(info: zipfile.ZipInfo) -> str:
    return storable(info.filename).replace("\\", "/")


def _is_read(info: zipfile.ZipInfo, as_text: Collection[str]) -> bool:
    path = _path(info)
    return not is_hidden(path) and kind_of(path, as_text) != ("", "")


def _members(name: str, stream: Any, budget: _Budget, as_text: Collection[str]) -> Iterator[Stream | BadStream]:
    try:
        archive = zipfile.ZipFile(stream)
        members = [info for info in archive.infolist() if not info.is_dir() and _is_read(info, as_text)]
    except _ZIP_ERRORS as error:
        yield BadStream(name, RecordError("bad_archive", _line(error)))
        return
    if not members:
        yield BadStream(name, RecordError("empty", "no member of a known kind in the archive"))
    for info in members:
        place = f"{name}!{storable(info.filename)}"
        try:
            path = _safe_path(info)
            place = f"{name}!{path}"
            yield _open_member(archive, info, place, budget, as_text)
        except RecordError as error:
            yield BadStream(place, error)
        if budget.is_spent:
            return


def _safe_path(info: zipfile.ZipInfo) -> str:
    """A member's path, normalised. It is used as a name only, but an id must not look like a path elsewhere."""
    parts = [part for part in _path(info).split("/") if part != "."]
    is_link = stat.S_ISLNK(info.external_attr >> 16)
    if is_link or parts[0] == "" or ".." in parts or parts[0][1:2] == ":":
        raise RecordError("unsafe_path", "a link" if is_link else "wanted a path below the archive")
    return "/".join(part for part in parts if part)


def _open_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, place: str, budget: _Budget, as_text: Collection[str]
) -> Stream:
    form, compression = kind_of(_path(info), as_text)
    if form == ARCHIVE:
        raise RecordError("too_deep", "an archive inside an archive; unpack the outer one")
    if info.flag_bits & 1:
        raise RecordError("bad_archive", "the member is encrypted")
    if info.compress_type not in METHODS:  # some (LZMA, for one) let the archive choose how much memory unpacking takes
        raise RecordError("bad_archive", f"compression method {info.compress_type}; wanted deflate, bzip2 or none")
    pieces = member(_compressed(archive, info), info)
    if compression:
        pieces = decompress(io.BufferedReader(_Unpacked(pieces, budget)), compression)
    return Stream(place, form, io.BufferedReader(_Unpacked(pieces, budget)), False)


def _compressed(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Span:
    """The compressed bytes of a member: zipfile's own reader drops what it read last before it finds an error."""
    file: Any = archive.fp
    try:
        file.seek(info.header_offset)
        header = file.read(_LOCAL_HEADER.size)
    except _ZIP_ERRORS as error:
        raise RecordError("bad_archive", _line(error)) from None
    if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
        raise RecordError("bad_archive", "no member where the archive says that it is")
    n_name, n_extra = _LOCAL_HEADER.unpack(header)
    return Span(file, info.header_offset + _LOCAL_HEADER.size + n_name + n_extra, info.compress_size)


class _Budget:
    """How much a file may still unpack to, over all its members."""

    def __init__(self, n_bytes: int, config: SourceConfig) -> None:
        by_ratio = config.max_record_bytes + config.max_ratio * n_bytes
        self.limit = min(config.max_unpacked_bytes, by_ratio) if n_bytes else config.max_unpacked_bytes
        self._left = self.limit

    @property
    def is_spent(self) -> bool:
        return self._left < 0

    def spend(self, n_bytes: int) -> int:
        """Counts bytes that came out; returns how many of them may be given out."""
        n_allowed = max(0, min(n_bytes, self._left))
        self._left -= n_bytes
        return n_allowed


class _Unpacked(io.RawIOBase):
    """The pieces that an unpacker gives, as a file: counted; the error that ended them is raised at each read."""

    def __init__(self, pieces: Iterator[bytes], budget: _Budget) -> None:
        self._pieces = pieces
        self._budget = budget
        self._rest = b""
        self._error: StreamError | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._rest and self._error is None:
            try:
                piece = next(self._pieces, None)
            except StreamError as error:
                self._error = error
                break
            if piece is None:
                return 0
            self._take(piece)
        if not self._rest and self._error:
            raise self._error
        data, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)

    def _take(self, piece: bytes) -> None:
        self._rest = piece[: self._budget.spend(len(piece))]
        if len(self._rest) < len(piece):
            limit = self._budget.limit
            self._error = StreamError(
                "zip_bomb", f"it unpacks to more than {limit} bytes; see max_ratio and max_unpacked_bytes"
            )


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
