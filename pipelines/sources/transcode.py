"""Streams of lines in one form: UTF-16 and UTF-32 as UTF-8, a line feed where lines end in a carriage return."""

from __future__ import annotations

import codecs
import io
import re
from typing import Any

from kgmill.schemas.errors import RecordError
from kgmill.schemas.text import marked_encoding

_HEAD_BYTES = 1 << 16
_READ_BYTES = 1 << 14
_QUOTED = re.compile(rb'"[^"]*(?:"|\Z)')
_BROKEN = "\udcff"  # as UTF-8 with escaped surrogates: a byte 0xff, which no text in UTF-8 has


def unified(stream: io.BufferedReader) -> tuple[io.BufferedReader, str]:
    """The stream with lines that end in a line feed, and the encoding that its byte order mark names, if it has one.

    UTF-16 and UTF-32 with a mark come out as UTF-8 without one, with a byte 0xff in the place of what is broken; UTF-8
    comes out as it is, with its mark.
    """
    marked = marked_encoding(stream.peek(4)[:4])
    if marked.startswith(("utf-16", "utf-32")):
        stream = io.BufferedReader(_Utf8(stream, marked))
    head, stream = look_ahead(stream)
    bare = _QUOTED.sub(b"", head)  # a cell of a table may have line feeds
    if b"\n" not in bare and b"\r" in bare[:-1]:  # the last one may be half of a pair
        stream = io.BufferedReader(_LineFeeds(stream))
    return stream, marked


def look_ahead(stream: io.BufferedReader) -> tuple[bytes, io.BufferedReader]:
    """The first 64 KB of a stream, or what it has before it ends or breaks, and the stream as if nothing was read."""
    pieces, n_left, fault = [], _HEAD_BYTES, None
    try:
        while n_left and (piece := stream.read1(n_left)):
            pieces.append(piece)
            n_left -= len(piece)
    except RecordError as error:
        fault = error
    head = b"".join(pieces)
    return head, io.BufferedReader(_Rejoined(head, stream, fault), _HEAD_BYTES)


class _Rejoined(io.RawIOBase):
    """What was read of a stream, then the rest, or the fault that came."""

    def __init__(self, head: bytes, stream: io.BufferedReader, fault: RecordError | None) -> None:
        self._head = memoryview(head)
        self._stream = stream
        self._fault = fault

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = bytes(self._head[: len(buffer)])
        self._head = self._head[len(data) :]
        if not data and self._fault:
            raise self._fault
        data = data or self._stream.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _LineFeeds(io.RawIOBase):
    """A stream with line feeds for carriage returns."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read1(len(buffer)).replace(b"\r", b"\n")
        buffer[: len(data)] = data
        return len(data)


class _Utf8(io.RawIOBase):
    """A stream of another Unicode encoding as UTF-8."""

    def __init__(self, stream: io.BufferedReader, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("kgmill_broken")
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        is_end = False
        while not self._ready and not is_end:
            piece = self._stream.read1(_READ_BYTES)
            is_end = not piece
            self._ready = self._decoder.decode(piece, is_end).encode("utf-8", "surrogateescape")
        data = self._ready[: len(buffer)]
        self._ready = self._ready[len(data) :]
        buffer[: len(data)] = data
        return len(data)


def _mark_broken(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _BROKEN, error.end


codecs.register_error("kgmill_broken", _mark_broken)
