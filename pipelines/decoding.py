"""Bytes to text: byte order marks and UTF-8 first; only what is neither is guessed at, and the guess is recorded."""

from __future__ import annotations

import codecs
import io

from schemas.errors import RecordError

# Longest first: UTF-32's little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# The commonest on the web first: between equally likely ones the first is taken.
COMMON_ENCODINGS = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "iso8859_2", "iso8859_15"),
    *("koi8_r", "gb18030", "big5", "cp932", "euc_jp", "cp949"),
)
_SAMPLE_BYTES = 1 << 16


class StreamError(RecordError):
    """A file can't be read on from here: what came before it stays, the rest is one reject."""


def marked_encoding(data: bytes) -> str:
    """The encoding that a byte order mark at the beginning names; empty: there is none."""
    return next((name for mark, name in _MARKS if data.startswith(mark)), "")


def decode(data: bytes, encodings: tuple[str, ...] = (), sample: bytes = b"") -> tuple[str, str]:
    """The text, without a byte order mark, and its encoding.

    Args:
        data: the bytes.
        encodings: what to try, in this order, where it is not Unicode; empty: COMMON_ENCODINGS, the likeliest first.
        sample: more bytes of the same file, to guess from.

    Raises:
        RecordError: `binary` or `unknown_encoding`.
    """
    marked = marked_encoding(data)
    if not marked.startswith(("utf-16", "utf-32")) and b"\0" in data:
        raise RecordError("binary", "wanted text, got a file with NUL bytes")
    for name in [marked] if marked else ["utf-8"]:
        try:
            return data.decode(name), name
        except UnicodeDecodeError as error:
            if marked:
                raise RecordError("unknown_encoding", f"its mark says {name}, byte {error.start} is not") from None
    whole_lines = sample[: sample.rfind(b"\n") + 1]
    for name in encodings or _likely(data + b"\n" + whole_lines):
        try:
            return data.decode(name), name
        except UnicodeError:
            continue
    raise RecordError("unknown_encoding", "neither UTF-8 nor in any encoding that was tried")


def _likely(data: bytes) -> list[str]:
    """The encodings that the lines that are not UTF-8 may be in, the likeliest first."""
    from charset_normalizer import from_bytes

    lines, n_bytes = [], 0
    for line in data.split(b"\n"):
        if not _is_utf8(line):
            lines.append(line)
            n_bytes += len(line)
            if n_bytes >= _SAMPLE_BYTES:
                break
    found = []
    for match in from_bytes(b"\n".join(lines), cp_isolation=list(COMMON_ENCODINGS)):
        name = min(match.could_be_from_charset, key=_rank)  # all of these give the same text
        found.append((round(match.chaos, 2), -round(match.coherence, 2), _rank(name), name))
    return [name for *_, name in sorted(found)]


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _rank(name: str) -> int:
    return COMMON_ENCODINGS.index(name) if name in COMMON_ENCODINGS else len(COMMON_ENCODINGS)


class Lines:
    """The lines of a stream as text, with their ends, and without a mark before the first.

    A bad line raises RecordError, and the next one can be asked for.

    Attributes:
        number: of the last line, from 1.
        encoding: of the last line, by Python's name.
        raw: the bytes of the last line, if it came as bytes.
    """

    def __init__(self, stream: io.BufferedReader, max_bytes: int, encodings: tuple[str, ...]) -> None:
        self.number = 0
        self.encoding = "utf-8"
        self.raw = b""
        self._stream = stream
        self._max_bytes = max_bytes
        self._encodings = encodings
        self._found = ""
        marked = marked_encoding(self._stream.peek(4)[:4])
        self._wide = None
        if marked.startswith(("utf-16", "utf-32")):
            self.encoding = marked
            self._wide = io.TextIOWrapper(self._stream, marked, newline="\n")

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        """The next line.

        Raises:
            StopIteration: there is none.
            RecordError: `too_large`, `binary` or `unknown_encoding`: the line.
            StreamError: the rest of the stream can't be read.
        """
        line = self._read(self._max_bytes + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) > self._max_bytes:
            while line and line[-1:] not in (b"\n", "\n"):
                line = self._read(_SAMPLE_BYTES)
            raise RecordError("too_large", f"the line has more than {self._max_bytes} bytes")
        return line if isinstance(line, str) else self._decode(line)

    def _read(self, n: int) -> str | bytes:
        if self._wide is None:
            return self._stream.readline(n)
        try:
            return self._wide.readline(n)
        except UnicodeDecodeError as error:
            raise StreamError(
                "unknown_encoding", f"its mark says {self.encoding}, which it is not: {error.reason}"
            ) from None

    def _decode(self, line: bytes) -> str:
        self.raw = line
        try:
            text, self.encoding = line.decode(), "utf-8"
        except UnicodeDecodeError:
            pass
        else:
            if self.number > 1 or not text.startswith("\ufeff"):
                return text
            self.encoding = "utf-8-sig"
            return text[1:]
        tried = (self._found,) if self._found else self._encodings
        try:
            text, self.encoding = decode(line, tried, self._stream.peek())
        except RecordError:
            if not self._found:
                raise
            text, self.encoding = decode(line, self._encodings, self._stream.peek())
        self._found = self._found or self.encoding
        return text
