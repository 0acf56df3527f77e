"""Text that people write: what bytes say it is, and what of it can be stored."""

from __future__ import annotations

import codecs
import re

from schemas.errors import UsageError

_SURROGATE = re.compile("[\ud800-\udfff]")
# Longest first: UTF-32's little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def storable(text: str) -> str:
    r"""The text with lone surrogates, which no encoding can carry, replaced; the length stays, so offsets do.

    >>> storable("a\ud83db")
    'a\ufffdb'
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


def marked_encoding(data: bytes) -> str:
    r"""The encoding that a byte order mark at the beginning names; empty: there is none.

    >>> marked_encoding(b"\xef\xbb\xbfAda"), marked_encoding(b"Ada")
    ('utf-8-sig', '')
    """
    return next((name for mark, name in _MARKS if data.startswith(mark)), "")


def decode_utf8(data: bytes, where: object, error: type[Exception] = UsageError) -> str:
    r"""The text of a file that has to be Unicode: configuration, ontology, query, annotated data.

    UTF-8, with a byte order mark or without; UTF-16 and UTF-32 with one. The mark is no text. Nothing is guessed or
    replaced here: a name in a query that is read wrong finds nothing.

    Args:
        data: the bytes.
        where: the file, for the message.
        error: what is raised.

    Raises:
        error: one line that names the file, the line and the byte.

    >>> decode_utf8(b"\xef\xbb\xbfcaf\xc3\xa9", "a.toml")
    'café'
    """
    name = marked_encoding(data) or "utf-8"
    try:
        return data.decode(name)
    except UnicodeDecodeError as fault:
        kind = name.removesuffix("-sig").upper()
        if kind != "UTF-8":
            raise error(f"{where}: its byte order mark says {kind}, which it is not; save it as UTF-8") from None
        line = data.count(b"\n", 0, fault.start) + 1
        byte = fault.object[fault.start]
        raise error(f"{where}:{line}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8") from None
