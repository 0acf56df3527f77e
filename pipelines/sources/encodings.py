"""Bytes to text: marks and UTF-8 first, then what is declared; only the rest is guessed at, and recorded so.

A text that is UTF-8 but for a few bytes is UTF-8: a byte that is wrong there costs one character, which is counted; the
same text read in another encoding would have every letter beyond ASCII wrong.
"""

from __future__ import annotations

import io
from typing import NamedTuple

from kgmill.pipelines.sources.transcode import unified
from kgmill.schemas.errors import RecordError
from kgmill.schemas.text import marked_encoding

# The commonest on the web first: between equally likely ones the first is taken.
COMMON_ENCODINGS = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "iso8859_2", "iso8859_15"),
    *("koi8_r", "gb18030", "big5", "cp932", "euc_jp", "cp949"),
)
_SAMPLE_BYTES = 1 << 16
# By chance a letter of another encoding and the mark behind it are one of UTF-8, in a hundred letters about once.
_DOUBT = 4
_FEW = 10
_VERY_FEW = 1000


class StreamError(RecordError):
    """A file can't be read on from here: what came before it stays, the rest is one reject."""


class Decoded(NamedTuple):
    """A text that was bytes.

    Attributes:
        encoding: by Python's name.
        n_replaced: how many broken bytes, or broken sequences of bytes, became U+FFFD.
    """

    text: str
    encoding: str
    n_replaced: int = 0


def decode(data: bytes, encodings: tuple[str, ...] = (), sample: bytes = b"", declared: str = "") -> Decoded:
    """The text, without a byte order mark, and what it was in.

    Believed are, in this order: a mark; UTF-8 without a fault; UTF-8 with fewer faults than characters of more than a
    byte (a quarter, where another encoding is named); what the text declares, if few bytes contradict; `encodings`;
    what the text looks like.

    Args:
        data: the bytes.
        encodings: what to try, in this order, where it is not Unicode; empty: COMMON_ENCODINGS, the likeliest first.
        sample: more bytes of the same file, to guess from.
        declared: the encoding that the text itself names, by Python's name.

    Raises:
        RecordError: `binary` or `unknown_encoding`.
    """
    marked = marked_encoding(data)
    if not marked.startswith(("utf-16", "utf-32")) and b"\0" in data:
        raise RecordError("binary", "wanted text, got a file with NUL bytes")
    if marked:
        return _as_marked(data, marked)
    try:
        return Decoded(data.decode(), "utf-8")
    except UnicodeDecodeError as error:
        is_cut = error.reason == "unexpected end of data" and len(data) - error.start > 1
    found = _replaced(data, "utf-8")
    n_wide = _n_wide(found)
    if declared == "utf-8":
        if found.n_replaced <= max(n_wide, len(found.text) // _VERY_FEW, 1):
            return found
        declared = ""
    if is_cut or n_wide >= found.n_replaced * (_DOUBT if declared or encodings else 1):
        return found
    if declared and (said := _replaced(data, declared)).n_replaced <= max(1, len(said.text) // _VERY_FEW):
        return said
    whole_lines = sample[: sample.rfind(b"\n") + 1]
    for name in encodings or _likely(data + b"\n" + whole_lines):
        try:
            return Decoded(data.decode(name), name)
        except UnicodeError:
            continue
    raise RecordError("unknown_encoding", "neither UTF-8 nor in any encoding that was tried")


def decode_part(data: bytes, marked: str, encodings: tuple[str, ...] = ()) -> Decoded:
    """The text of a part of a stream that `unified` gave, whose mark said `marked`.

    Raises:
        RecordError: as for `decode`.
    """
    if marked.startswith(("utf-16", "utf-32")):
        return _as_marked(data, "utf-8")._replace(encoding=marked)
    return decode(data, encodings)


def _as_marked(data: bytes, marked: str) -> Decoded:
    found = _replaced(data, marked)
    if found.n_replaced * _FEW > len(found.text):
        detail = f"its mark says {marked}, and {found.n_replaced} of {len(found.text)} characters are not"
        raise RecordError("unknown_encoding", detail)
    return found


def _replaced(data: bytes, name: str) -> Decoded:
    text = data.decode(name, "replace")
    n_given = data.decode(name, "ignore").count("\ufffd")  # the text may have had the character itself
    return Decoded(text, name, text.count("\ufffd") - n_given)


def _n_wide(found: Decoded) -> int:
    """How many characters are whole sequences of more than one byte."""
    n_ascii = len(found.text.encode("ascii", "ignore"))
    return len(found.text) - n_ascii - found.n_replaced


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

    A line ends at a line feed; in a file without any, at a carriage return. A bad line raises RecordError, and the next
    one can be asked for. A stream that `unified` gave comes with what its mark said.

    Attributes:
        number: of the last line, from 1.
        encoding: of the last line, by Python's name.
        n_replaced: how many broken bytes of the last line became U+FFFD.
        raw: the bytes of the last line; of UTF-16 and UTF-32 its UTF-8 form.
    """

    def __init__(
        self, stream: io.BufferedReader, max_bytes: int, encodings: tuple[str, ...], marked: str | None = None
    ) -> None:
        self.number = 0
        self.n_replaced = 0
        self.raw = b""
        self._max_bytes = max_bytes
        self._encodings = encodings
        self._found = ""
        self._stream, self._marked = unified(stream) if marked is None else (stream, marked)
        self.encoding = self._marked or "utf-8"

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        """The next line.

        Raises:
            StopIteration: there is none.
            RecordError: `too_large`, `binary` or `unknown_encoding`: the line.
            StreamError: the rest of the stream can't be read.
        """
        line = self._stream.readline(self._max_bytes + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) > self._max_bytes:
            while line and line[-1:] != b"\n":
                line = self._stream.readline(_SAMPLE_BYTES)
            raise RecordError("too_large", f"the line has more than {self._max_bytes} bytes")
        self.raw = line
        text, self.encoding, self.n_replaced = self._decode(line)
        return text

    def _decode(self, line: bytes) -> Decoded:
        try:
            found = Decoded(line.decode(), "utf-8")
        except UnicodeDecodeError:
            found = self._guess(line)
        if self._marked.startswith(("utf-16", "utf-32")):
            return found._replace(encoding=self._marked)
        if self.number == 1 and found.text.startswith("\ufeff"):
            return found._replace(text=found.text[1:], encoding="utf-8-sig")
        return found

    def _guess(self, line: bytes) -> Decoded:
        if self._marked and (found := _replaced(line, "utf-8")).n_replaced * _FEW <= len(found.text):
            return found
        if self._marked.startswith(("utf-16", "utf-32")):
            return _as_marked(line, "utf-8")
        try:
            found = decode(line, (self._found,) if self._found else self._encodings, self._stream.peek())
        except RecordError:
            if not self._found:
                raise
            found = decode(line, self._encodings, self._stream.peek())
        if found.encoding != "utf-8":
            self._found = self._found or found.encoding
        return found
