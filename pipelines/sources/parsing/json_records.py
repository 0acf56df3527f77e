"""The JSON objects of a file, one at a time, whatever shape they are in: an array, one after another, below a key.

Only the bytes of one object are ever held. Where an object begins and ends is seen from its brackets and quotes alone;
what is in it is for the parser to judge, so a bad object costs itself.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kgmill.pipelines.sources.encodings import StreamError
from kgmill.schemas.errors import RecordError

_CHUNK_BYTES = 1 << 16
_STRUCTURE = re.compile(rb'["\[\]{}]')
_IN_STRING = re.compile(rb'["\\\n]')
_SPACE = re.compile(rb"[\s\x1e]*")  # a record separator stands before each value of a JSON text sequence
_ATOM = re.compile(rb"[^\s,:\[\]{}\"]*")
# An array of objects, or an object whose first key stands in its second line.
_SEVERAL_LINES = re.compile(rb'\s*(?:\[\s*(?:\{|\Z)|\{[^\S\n]*\n\s*")')
_MAX_ARRAYS = 20


class Found(NamedTuple):
    """A value as it stands in the file, or what is wrong with it, and the line where it begins."""

    line: int
    data: bytes
    error: RecordError | None = None


def is_one_value(head: bytes, *, is_lines: bool) -> bool:
    """Whether a file is to be read as values that may take many lines, from its first bytes.

    Args:
        head: the first bytes.
        is_lines: the file's name says that each line is an object: only what is plainly none is believed more.
    """
    head = head.removeprefix(b"\xef\xbb\xbf")
    if is_lines:
        return bool(_SEVERAL_LINES.match(head)) or (b"\n" not in head and b"}{" in head)
    first, *others = [line for line in map(bytes.strip, head.split(b"\n")) if line] or [b""]
    is_object = first.startswith(b"{") and first.endswith(b"}")
    # A bracket alone on a line is one of an object over many lines.
    return not (is_object and others and others[0].startswith(b"{") and not {b"{", b"}", b"},"} & set(others))


def find_values(stream: io.BufferedReader, path: Sequence[str], max_bytes: int) -> Iterator[Found]:
    """The values of a stream in order: the elements of its arrays, and what stands beside them; or those below a path.

    Args:
        stream: UTF-8, or another encoding that has ASCII's brackets and quotes.
        path: the keys that lead to the values, through arrays too; empty: the whole file.
        max_bytes: the largest value.
    """
    scanner = _Scanner(stream, max_bytes)
    try:
        n_found = 0
        while first := scanner.peek():
            if first not in b"[{":
                raise _bad(f"wanted an object or an array, got {first.decode('latin-1')!r}")
            for found in _descend(scanner, path):
                n_found += 1
                yield found
            scanner.skip(b",")
        if not n_found:
            where = f" under {'.'.join(path)!r}, where [source] records says that they are" if path else ""
            raise RecordError("empty", f"there are no records{where}")
    except StreamError:
        raise
    except RecordError as error:
        yield Found(scanner.line, b"", error)


def _descend(scanner: _Scanner, path: Sequence[str], depth: int = 0) -> Iterator[Found]:
    first = scanner.peek()
    if first == b"[" and depth < _MAX_ARRAYS:
        yield from _elements(scanner, path, depth)
    elif path and first == b"{":
        yield from _members(scanner, path)
    elif path:
        scanner.value(is_kept=False)
    else:
        yield scanner.value()


def _elements(scanner: _Scanner, path: Sequence[str], depth: int) -> Iterator[Found]:
    scanner.skip(b"[")
    error = None
    while (first := scanner.peek()) != b"]":
        if not first and error:
            return  # the file was cut in the last element, which says so
        if not first:
            raise _bad("the file ends inside of an array")
        if path:
            yield from _descend(scanner, path, depth + 1)
        else:
            yield (found := scanner.value())
            error = found.error
        if not scanner.skip(b",") and scanner.peek() not in (b"]", b"{", b""):
            line, rest = scanner.line, scanner.rest_of_line()
            if not error:  # else it is the rest of what was broken
                yield Found(line, rest, _bad("wanted a comma or the end of the array"))
            scanner.skip(b",")
    scanner.skip(b"]")


def _members(scanner: _Scanner, path: Sequence[str]) -> Iterator[Found]:
    scanner.skip(b"{")
    wanted = b'"' + path[0].encode() + b'"'
    while scanner.peek() == b'"':
        key = scanner.value()
        if key.error or not scanner.skip(b":"):
            raise key.error or _bad("wanted a colon behind a key")
        if key.data == wanted:
            yield from _descend(scanner, path[1:])
        else:
            scanner.value(is_kept=False)
        scanner.skip(b",")
    if not scanner.skip(b"}"):
        raise _bad("wanted a key or the end of the object")


def _bad(detail: str) -> RecordError:
    return RecordError("malformed_json", detail)


class _Scanner:
    """A place in a stream of JSON.

    Attributes:
        line: of the place, from 1.
    """

    def __init__(self, stream: io.BufferedReader, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes
        self._chunk = b""
        self._at = 0
        self._is_cut = False
        self.line = 1
        if self._fill() and self._chunk.startswith(b"\xef\xbb\xbf"):
            self._at = 3

    def peek(self) -> bytes:
        """The next byte that is no space; empty at the end."""
        while self._at < len(self._chunk) or self._fill():
            self._move(_SPACE.match(self._chunk, self._at).end())  # type: ignore[union-attr]
            if self._at < len(self._chunk):
                return self._chunk[self._at : self._at + 1]
        return b""

    def skip(self, wanted: bytes) -> bool:
        """Steps over a byte, if it is the next one."""
        if self.peek() != wanted:
            return False
        self._move(self._at + 1)
        return True

    def rest_of_line(self) -> bytes:
        """Steps over the rest of the line; its first bytes."""
        kept = b""
        while self._at < len(self._chunk) or self._fill():
            end = self._chunk.find(b"\n", self._at)
            kept = kept or self._chunk[self._at : min(end if end >= 0 else len(self._chunk), self._at + 100)]
            self._move(end + 1 if end >= 0 else len(self._chunk))
            if end >= 0:
                break
        return kept

    def value(self, *, is_kept: bool = True) -> Found:
        """The next value; what is not kept may be of any size.

        A string that a line ends in is broken, and the next value begins on the next line; so is what the file ends in.
        """
        first, line = self.peek(), self.line
        kept, n_bytes, error = [], 0, None
        self._is_cut = False
        for piece in self._string() if first == b'"' else self._nested() if first in (b"{", b"[") else self._atom():
            n_bytes += len(piece)
            if is_kept and n_bytes <= self._max_bytes:
                kept.append(piece)
        if self._is_cut:
            error = _bad("a string or an object without its end")
        elif is_kept and n_bytes > self._max_bytes:
            error = RecordError("too_large", f"the object has more than {self._max_bytes} bytes; see [source] records")
        return Found(line, b"" if error else b"".join(kept), error)

    def _nested(self) -> Iterator[bytes]:
        depth = 0
        while self._at < len(self._chunk) or self._fill():
            match = _STRUCTURE.search(self._chunk, self._at)
            if match is None:
                yield self._take(len(self._chunk))
                continue
            if match[0] == b'"':
                yield self._take(match.start())
                yield from self._string()
                if self._is_cut:
                    return
                continue
            yield self._take(match.end())
            depth += 1 if match[0] in b"[{" else -1
            if depth == 0:
                return
        self._is_cut = True

    def _string(self) -> Iterator[bytes]:
        """A string from its quote to its end; it is cut where a line or the file ends in it."""
        yield self._take(self._at + 1)
        is_escaped = False
        while self._at < len(self._chunk) or self._fill():
            if is_escaped:
                is_escaped = False
                yield self._take(self._at + 1)
                continue
            match = _IN_STRING.search(self._chunk, self._at)
            yield self._take(match.end() if match else len(self._chunk))
            if match and match[0] != b"\\":
                self._is_cut = match[0] == b"\n"
                return
            is_escaped = match is not None
        self._is_cut = True

    def _atom(self) -> Iterator[bytes]:
        n_bytes = 0
        while self._at < len(self._chunk) or self._fill():
            end = _ATOM.match(self._chunk, self._at).end()  # type: ignore[union-attr]
            n_bytes += end - self._at
            yield self._take(end)
            if self._at < len(self._chunk):
                break
        if not n_bytes and self._at < len(self._chunk):
            yield self._take(self._at + 1)  # a bracket or comma out of place must not be met again

    def _take(self, end: int) -> bytes:
        piece = self._chunk[self._at : end]
        self._move(end)
        return piece

    def _move(self, end: int) -> None:
        self.line += self._chunk.count(b"\n", self._at, end)
        self._at = end

    def _fill(self) -> bool:
        self._chunk, self._at = self._stream.read1(_CHUNK_BYTES), 0
        return bool(self._chunk)
