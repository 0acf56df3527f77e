"""Sources: files, folders, globs and URLs, read record by record. A bad record becomes a reject, never an error.

find_files              what there is to read: here
containers.unpack       a file to streams: compressed files and archives
readers.read            a stream to records, by its format
decoding, markup, parquet_rows, fields, cleaning     bytes to text, rows to documents
"""

from __future__ import annotations

import glob
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from pipelines.containers import KNOWN, kind_of, unpack
from pipelines.readers import read
from schemas.config import SourceConfig
from schemas.errors import SourceError
from schemas.records import Document, Reject
from schemas.text import storable

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_BUFFER_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read.

    Attributes:
        path: an absolute path, or a URL.
        name: its path below its source, with forward slashes.
        n_bytes: its size; 0 where the file system doesn't say.
    """

    path: str
    name: str
    n_bytes: int


def find_files(sources: Sequence[str]) -> list[SourceFile]:
    """The files of the sources, each source's in the order of their names.

    A source is a file, a folder (searched whole; links to folders are not followed), a pattern with `*`, `?`, `[]` and
    `**`, or the URL of one of these for any file system that fsspec knows. Folders that kgmill wrote are left out.

    Raises:
        SourceError: a source is missing or of an unknown kind, a folder or file can't be read, a path is not UTF-8, the
            package for a kind of URL is not installed, or there is no file to read in any source.
    """
    files: list[SourceFile] = []
    for source in sources:
        protocol, path = split_url(source)
        found = _find_remote(source) if protocol else _find_local(path)
        files.extend(sorted(found, key=lambda file: (file.name.split("/"), file.path)))
    if not files:
        raise SourceError(f"{', '.join(sources)}: no file of a known kind in here; known: {KNOWN}")
    return files


def split_url(source: str) -> tuple[str, str]:
    """The protocol and the path of a source; the protocol is empty for what is a path here, `file://` URLs too.

    Raises:
        SourceError: a `file://` URL of another machine.
    """
    match = _URL.fullmatch(source)
    if match is None:
        return "", source
    protocol, path = match[1].lower(), match[2]
    if protocol not in ("file", "local"):
        return protocol, path
    path = path.removeprefix("localhost")
    if not path.startswith("/"):
        raise SourceError(f"{source}: wanted file:/// and an absolute path")
    return "", unquote(path)


def absolute(source: str) -> str:
    """The source as any working directory would name it."""
    protocol, path = split_url(source)
    return source if protocol else str(Path(path).resolve())


def read_records(
    file: SourceFile, config: SourceConfig | None = None, on_read: Callable[[int], Any] = lambda n_bytes: None
) -> Iterator[Document | Reject]:
    """The records of a file, in order; `on_read` is told how many of its bytes each read took.

    Raises:
        SourceError: the file vanished or can't be read any more.
    """
    config = config or SourceConfig()
    with open_file(file.path, on_read) as stream:
        for unpacked in unpack(file.name, stream, file.n_bytes, config):
            yield from read(unpacked, config)


# This machine's files


def _find_local(source: str) -> list[SourceFile]:
    path = Path(source)
    if path.is_dir():
        return [_local_file(p, p.relative_to(path).as_posix()) for p in _walk(path)]
    if not path.exists() and glob.has_magic(source):
        root = _fixed_part(source)
        matches = [Path(match) for match in glob.glob(source, recursive=True)]  # noqa: PTH207 - paths may be absolute
        found = {
            p for match in matches for p in (_walk(match) if match.is_dir() else [match] if _is_file(match) else [])
        }
        if not found:
            raise SourceError(f"{source}: no file of a known kind matches; known: {KNOWN}")
        return [_local_file(p, os.path.relpath(p, root)) for p in found]
    if not path.exists():
        raise SourceError(f"{source}: no such file or folder")
    if not _is_file(path):
        raise SourceError(f"{source}: unknown kind of source; known: folders and files of {KNOWN}")
    return [_local_file(path, path.name)]


def _walk(folder: Path) -> Iterator[Path]:
    """The files of a known kind below a folder, without the output folders of builds."""

    def refuse(error: OSError) -> None:
        raise SourceError(f"{error.filename}: {error.strerror}")

    for where, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not _is_output(Path(where, name))]
        yield from (path for name in names if _is_file(path := Path(where, name)))


def _is_output(folder: Path) -> bool:
    return (folder / ".lock").is_file() and (folder / "parts").is_dir()


def _is_file(path: Path) -> bool:
    """Whether it is a regular file of a known kind: pipes and devices might keep a reader waiting for ever."""
    return kind_of(path.name) != ("", "") and path.is_file()


def _fixed_part(pattern: str) -> str:
    """The folder below which all matches of a pattern lie.

    >>> _fixed_part("data/2024/*/news*.jsonl"), _fixed_part("*.txt")
    ('data/2024', '')
    """
    parts = pattern.split("/")
    n_fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:n_fixed]) or ("/" if pattern.startswith("/") else "")


def _local_file(path: Path, name: str) -> SourceFile:
    resolved = str(path.resolve())
    if storable(resolved) != resolved or storable(name) != name:
        raise SourceError(f"{storable(str(path))}: its path is not UTF-8; rename it")
    try:
        with path.open("rb"):
            return SourceFile(resolved, name, path.stat().st_size)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from None


# Other file systems


def _find_remote(url: str) -> list[SourceFile]:
    if "::" in url:
        raise SourceError(f"{url}: chained URLs are not supported; name the file itself")
    fs, root = _file_system(url)
    try:
        entries, is_pattern = _entries(fs, root)
    except FileNotFoundError:
        raise SourceError(f"{url}: no such file or folder") from None
    except Exception as error:  # every file system has errors of its own
        raise SourceError(f"{url}: {_line(error)}") from None
    base = _fixed_part(root) if is_pattern else root
    files = []
    for entry in entries:
        path = str(entry["name"])
        name = (
            PurePosixPath(path).name if path.strip("/") == root.strip("/") else path.strip("/")[len(base.strip("/")) :]
        )
        if kind_of(path) != ("", ""):
            files.append(SourceFile(fs.unstrip_protocol(path), name.lstrip("/"), int(entry.get("size") or 0)))
    if not files and (is_pattern or len(entries) == 1):
        raise SourceError(f"{url}: no file of a known kind; known: {KNOWN}")
    return files


def _entries(fs: Any, root: str) -> tuple[list[dict[str, Any]], bool]:
    """What a file system has at a path, file by file; and whether the path is a pattern."""
    is_pattern = glob.has_magic(root) and not fs.exists(root)
    if is_pattern:
        found = fs.glob(root, detail=True).values()
        nested = [fs.find(entry["name"], detail=True).values() for entry in found if entry["type"] == "directory"]
        entries = [*found, *(entry for folder in nested for entry in folder)]
    elif fs.isdir(root):
        entries = list(fs.find(root, detail=True).values())
    else:
        entries = [fs.info(root)]
    by_name = {entry["name"]: entry for entry in entries if entry["type"] == "file"}
    return list(by_name.values()), is_pattern


def _file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Raises:
        SourceError: fsspec doesn't know the protocol, or its package is not installed.
    """
    from fsspec.core import url_to_fs

    try:
        fs, path = url_to_fs(url)
    except ImportError as error:
        raise SourceError(f"{url}: {error}, beside kgmill") from None
    except Exception as error:  # an unknown protocol, or a complaint of the file system's own
        raise SourceError(f"{url}: {_line(error)}") from None
    return fs, str(path)


def open_file(path: str, on_read: Callable[[int], Any] = lambda n_bytes: None) -> io.BufferedReader:
    """A file of this machine or another, whose every failure is a SourceError that names it."""
    protocol, local = split_url(path)
    opener = partial(_file_system(path)[0].open, path, "rb") if protocol else partial(open, local, "rb", buffering=0)
    try:
        inner = opener()
    except Exception as error:  # every file system has errors of its own
        raise SourceError(f"{path}: {getattr(error, 'strerror', None) or _line(error)}") from None
    return io.BufferedReader(_Guarded(inner, path, on_read), _BUFFER_BYTES)


class _Guarded(io.RawIOBase):
    """A file whose failures are no fault of its content: they stop the run."""

    def __init__(self, inner: Any, path: str, on_read: Callable[[int], Any]) -> None:
        self._inner = inner
        self._path = path
        self._on_read = on_read

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._inner.seekable())

    def readinto(self, buffer: Any) -> int:
        n_bytes = int(self._try(self._inner.readinto, buffer))
        self._on_read(n_bytes)
        return n_bytes

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            offset += self._try(self._inner.seek, 0, whence)
        if offset < 0:
            raise ValueError("negative seek")  # an archive's doing, not the file system's
        return int(self._try(self._inner.seek, offset))

    def tell(self) -> int:
        return int(self._try(self._inner.tell))

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
        super().close()

    def _try(self, call: Any, *args: Any) -> Any:
        try:
            return call(*args)
        except Exception as error:  # as above
            raise SourceError(f"{self._path}: {getattr(error, 'strerror', None) or _line(error)}") from None


def _line(error: Exception) -> str:
    return " ".join(f"{error}".split())[:300] or type(error).__name__


def group_files(files: Iterable[SourceFile], n_bytes: int) -> list[list[SourceFile]]:
    """The files in order, in groups of about `n_bytes`; a larger file is a group alone."""
    groups: list[list[SourceFile]] = []
    size = 0
    for file in files:
        if not groups or size + file.n_bytes > n_bytes:
            groups.append([])
            size = 0
        groups[-1].append(file)
        size += file.n_bytes
    return groups
