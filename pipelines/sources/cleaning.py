"""Cleaning a text before it is stored: HTML entities, stray backslashes, white space. Offsets index what comes out."""

from __future__ import annotations

import html
import re
from html.entities import html5

# Some wire copies have a space in the place of every ampersand: `company #39;s` for `company's`, `( #36;5` for `($5`.
_ENTITY = re.compile(
    r"&#(?P<number>[0-9]{1,7}|[xX][0-9a-fA-F]{1,6});"
    r"|&(?P<name>[A-Za-z][A-Za-z0-9]{1,31};)"
    r"|(?: |(?<![\w&;]))(?:#(?P<bare>[0-9]{2,7})|(?P<word>quot|amp|apos|lt|gt|nbsp));"
)
_BACKSLASHES = re.compile(r"\\+")
_SPACES = re.compile(r"[^\S\n]+")
_AROUND_BREAK = re.compile(r" ?\n ?")
_BLANK_LINES = re.compile(r"\n{3,}")
_MAX_PASSES = 8


def clean(text: str) -> str:
    r"""The text as a reader would see it.

    Entities become their characters, also twice escaped ones and common ones without an ampersand; a run of
    backslashes becomes a space; a run of white space becomes one space, one line break or one empty line; the ends are
    stripped.

    >>> clean("Turner &amp;amp; Newall #39;s fees,  #36;5\\\\per  share\r\n")
    "Turner & Newall's fees, $5 per share"
    """
    for _ in range(_MAX_PASSES):  # a bound, as hostile text could ask for a pass a character
        decoded = _ENTITY.sub(_character, text)
        if decoded == text:
            break
        text = decoded
    text = _BACKSLASHES.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _AROUND_BREAK.sub("\n", _SPACES.sub(" ", text))
    return _BLANK_LINES.sub("\n\n", text).strip()


def _character(match: re.Match[str]) -> str:
    if name := match["name"] or (match["word"] and f"{match['word']};"):
        return html5.get(name, match[0])
    return html.unescape(f"&#{match['number'] or match['bare']};")
