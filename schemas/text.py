"""Text: what bytes say it is, what of it can be stored, and what of it can be shown."""

from __future__ import annotations

import codecs
import html
import json
import re
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")
# Longest first: UTF-32's little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# C0 and C1 controls (with ESC and BEL), line separators, and what turns the direction of the text around it.
_UNSHOWN = "\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_UNPRINTABLE = re.compile(f"[{_UNSHOWN}]")
_UNPRINTABLE_IN_LINES = re.compile(f"(?![\t\n])[{_UNSHOWN}]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+.!|~:@-])")


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


def decode_utf8(data: bytes, where: object, error: type[Exception]) -> str:
    r"""The text of a file that has to be Unicode: configuration, ontology, query, annotated data.

    UTF-8, with a byte order mark or without; UTF-16 and UTF-32 with one. The mark is no text. Nothing is guessed or
    replaced here: a name in a query that is read wrong finds nothing.

    Args:
        data: the bytes.
        where: the file, for the message.
        error: what is raised.

    Raises:
        error: one line that names the file, the line and the byte.

    >>> decode_utf8(b"\xef\xbb\xbfcaf\xc3\xa9", "a.toml", ValueError)
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


def printable(text: str) -> str:
    r"""The text on one line, with escapes for what would tear the line or reach the terminal as a command.

    Everything that people read to learn what is in a corpus or a file goes through here or through its kin below.

    >>> print(printable("Ham\x1b]0;owned\x07burg\nÉire"))
    Ham\x1b]0;owned\x07burg\nÉire
    """
    return _UNPRINTABLE.sub(lambda match: repr(match[0])[1:-1], text)


def printable_lines(text: str) -> str:
    r"""The same of text that is several lines; the escapes are those of JSON and Turtle, which keep their meaning.

    >>> print(printable_lines('["a",\n "b\x9b2J"]'))
    ["a",
     "b\u009b2J"]
    """
    return _UNPRINTABLE_IN_LINES.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def printable_json(value: Any, indent: int | None = None) -> str:
    """The value as JSON that can be read by people and is safe to show; equal JSON to any parser."""
    return printable_lines(json.dumps(value, ensure_ascii=False, indent=indent))


def number_of(number: int, one: str, several: str = "") -> str:
    """A number and what there are so many of.

    >>> number_of(1, "entity", "entities"), number_of(0, "fact")
    ('1 entity', '0 facts')
    """
    return f"{number} {one if number == 1 else several or f'{one}s'}"


def printable_markdown(text: str) -> str:
    r"""The text on one line as Markdown in which nothing is markup, HTML or a link.

    >>> print(printable_markdown("<b>*Ada*\x1b</b>"))
    &lt;b&gt;\*Ada\*\\x1b&lt;/b&gt;
    """
    return _MARKDOWN.sub(r"\\\1", html.escape(printable(text), quote=False))
