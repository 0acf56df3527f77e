"""Scripts that put no space between words: Chinese, Japanese, Thai, Lao, Khmer, Burmese.

A character with its marks is a word there; only Katakana, in which Japanese writes foreign names, goes in runs.
"""

from __future__ import annotations

import re
import sys
import unicodedata


def _ranges(codes: list[int]) -> str:
    """A character class of sorted code points."""
    bounds: list[list[int]] = []
    for code in codes:
        if bounds and code == bounds[-1][1] + 1:
            bounds[-1][1] = code
        else:
            bounds.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in bounds)


# Marks, and two vowel signs that Unicode calls letters.
MARKS = _ranges(sorted([c for c in range(0x300, 0x10000) if unicodedata.category(chr(c))[0] == "M"] + [0xE33, 0xEB3]))
_KATAKANA = "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_HAN_AND_HIRAGANA = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3041-\u309f\u3105-\u312f\u31a0-\u31bf\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    f"\U00020000-{chr(min(0x3FFFF, sys.maxunicode))}"
)
_SOUTH_EAST_ASIAN = "\u0e01-\u0e4f\u0e81-\u0ecf\u0edc-\u0edf\u1000-\u103f\u104c-\u109f\u1780-\u17d3\uaa60-\uaa7f"
_BY_CHARACTER = f"{_HAN_AND_HIRAGANA}{_SOUTH_EAST_ASIAN}"
SPACELESS = f"{_BY_CHARACTER}{_KATAKANA}"
HAS_SPACELESS = re.compile(f"[{SPACELESS}]")
_LONGEST_NAME = 20
_WORD = re.compile(
    f"[{_KATAKANA}]{{1,{_LONGEST_NAME}}}[{MARKS}]*|[{_BY_CHARACTER}][{MARKS}]*|(?:(?![{SPACELESS}])[\\w{MARKS}])+|."
)


def spaceless_bounds(text: str, begin: int, end: int) -> list[tuple[int, int]]:
    """Bounds of the words in what lies between two spaces or marks, as one word where all its characters are of others.

    >>> text = "at 東京タワー"
    >>> [text[a:b] for a, b in spaceless_bounds(text, 3, 8)]
    ['東', '京', 'タワー']
    """
    if not HAS_SPACELESS.search(text, begin, end):
        return [(begin, end)]
    return [match.span() for match in _WORD.finditer(text, begin, end)]
