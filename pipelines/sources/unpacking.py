"""Compressed bytes to bytes, to the very byte at which they break: what came before it is given out first.

Every function here is a generator of pieces. It ends where the data end, and raises StreamError where they are cut,
damaged, or followed by something else. Libraries drop what they made in a call that fails, so little is asked of each
call, or it is made again a byte at a time.
"""

from __future__ import annotations

import bz2
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from typing import Protocol

import zstandard

from kgmill.pipelines.sources.encodings import StreamError

_READ = 1 << 16
_OUT = 1 << 16
# Of a call that fails not more is lost than what this many compressed bytes hold; and none of them is a bomb.
_BZIP2_STEP, _ZSTD_STEP = 64, 256
_GZIP, _RAW = 31, -15  # zlib's names for deflate with gzip's header, and without any

Pieces = Generator[bytes, None, bytes]


class Readable(Protocol):
    """What has bytes to read."""

    def read(self, size: int, /) -> bytes | None:
        """At most so many bytes; none at the end."""


def decompress(source: Readable, compression: str) -> Iterator[bytes]:
    """The content of a `gzip`, `bz2` or `zstd` file: its members, one after another, with zeros between and behind.

    Raises:
        StreamError: `bad_archive`.
    """
    unpack, magic = _CODECS[compression]
    data, n_members = source.read(_READ) or b"", 0
    while True:
        data = data.lstrip(b"\0") if n_members else data
        while len(data) < 4 and (more := source.read(_READ)):
            data = (data + more).lstrip(b"\0") if n_members else data + more
        if n_members and not data:
            return
        if n_members and not magic.match(data):
            raise StreamError("bad_archive", f"bytes behind the end of its data that are no {compression}")
        data = yield from unpack(source, data)
        n_members += 1


def member(source: Readable, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """The content of a zip archive's member, from its compressed bytes.

    Raises:
        StreamError: `bad_archive`.
    """
    pieces = _METHODS[info.compress_type](source)
    checksum = n_bytes = 0
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
        n_bytes += len(piece)
        yield piece
    if (checksum, n_bytes) != (info.CRC, info.file_size):
        raise StreamError("bad_archive", "its content is not what its checksum or size says")


class Span:
    """Some bytes of a file that others read in, too."""

    def __init__(self, file: io.BufferedReader, begin: int, n_bytes: int) -> None:
        self._file = file
        self._next = begin
        self._end = begin + n_bytes

    def read(self, size: int, /) -> bytes:
        """The next ones."""
        self._file.seek(self._next)
        data = self._file.read(max(0, min(size, self._end - self._next)))
        self._next += len(data)
        return data


def _stored(source: Readable) -> Iterator[bytes]:
    while data := source.read(_READ):
        yield data


def _inflated(source: Readable, data: bytes, form: int) -> Pieces:
    decoder = zlib.decompressobj(form)
    while not decoder.eof:
        data = data or source.read(_READ) or b""
        if not data:
            yield decoder.flush()
            raise _cut()
        before = decoder.copy()
        try:
            piece = decoder.decompress(data, _OUT)
        except zlib.error as error:
            yield from _to_the_break(before, data)
            raise _broken(error) from None
        data = decoder.unconsumed_tail
        yield piece
    return decoder.unused_data


def _to_the_break(decoder: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    for i in range(len(data)):
        try:
            piece = decoder.decompress(data[i : i + 1])
        except zlib.error:
            return
        yield piece


def _bunzipped(source: Readable, data: bytes) -> Pieces:
    decoder = bz2.BZ2Decompressor()
    while True:
        for begin in range(0, len(data), _BZIP2_STEP):
            step = data[begin : begin + _BZIP2_STEP]
            while step or not (decoder.needs_input or decoder.eof):
                try:
                    piece = decoder.decompress(step, _OUT)
                except (OSError, ValueError) as error:
                    raise _broken(error) from None
                step = b""
                yield piece
            if decoder.eof:
                return decoder.unused_data + data[begin + _BZIP2_STEP :]
        data = source.read(_READ) or b""
        if not data:
            raise _cut()


def _unzstd(source: Readable, data: bytes) -> Pieces:
    decoder = zstandard.ZstdDecompressor().decompressobj()
    while True:
        for begin in range(0, len(data), _ZSTD_STEP):
            try:
                piece = decoder.decompress(data[begin : begin + _ZSTD_STEP])
            except zstandard.ZstdError as error:
                raise _broken(error) from None
            yield piece
            if decoder.eof:
                return decoder.unused_data + data[begin + _ZSTD_STEP :]
        data = source.read(_READ) or b""
        if not data:
            raise _cut()


def _cut() -> StreamError:
    return StreamError("bad_archive", "cut off: its data end in the middle")


def _broken(error: Exception) -> StreamError:
    return StreamError("bad_archive", " ".join(f"damaged: {error}".split())[:200])


_CODECS: dict[str, tuple[Callable[[Readable, bytes], Pieces], re.Pattern[bytes]]] = {
    "gzip": (lambda source, data: _inflated(source, data, _GZIP), re.compile(rb"\x1f\x8b")),
    "bz2": (_bunzipped, re.compile(rb"BZh")),
    "zstd": (_unzstd, re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")),  # a frame, or one to be skipped
}
_METHODS: dict[int, Callable[[Readable], Iterator[bytes]]] = {
    zipfile.ZIP_STORED: _stored,
    zipfile.ZIP_DEFLATED: lambda source: _inflated(source, b"", _RAW),
    zipfile.ZIP_BZIP2: lambda source: _bunzipped(source, b""),
}
METHODS = frozenset(_METHODS)
