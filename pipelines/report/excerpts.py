"""Text of the corpus as a page shows it: one line, harmless, not too long, with offsets as JavaScript counts them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from kgmill.schemas.text import printable

_SPACE = re.compile(r"[\s\x85\u2028\u2029]")
_LONG = 480  # a sentence up to here is shown whole
_AROUND, _MENTION = 160, 120  # of a longer one: before and behind a mention, and of either end of a mention


def shown(text: str, limit: int = 200) -> str:
    r"""A name, cut to so many characters; what would turn the text around it is told by its escape.

    >>> shown("Ada\u202eecalevoL"), shown("Lovelace", 5)
    ('Ada\\u202eecalevoL', 'Lovel…')
    """
    cut = text if len(text) <= limit else f"{text[:limit].rstrip()}…"
    return _harmless(cut)


def excerpt(text: str, offsets: Sequence[int]) -> tuple[str, list[int]]:
    """A sentence, or what of a long one lies around its mentions, and where these begin and end in it.

    Args:
        text: the sentence.
        offsets: begin and end of each mention, in code points.

    Returns:
        The text to show, and the offsets in it in UTF-16 code units.

    >>> excerpt("𝒜da\\nwas born", [0, 3, 8, 12])
    ('𝒜da was born', [0, 4, 9, 13])
    """
    drops = _dropped(len(text), offsets) if len(text) > _LONG else []
    cuts = sorted({0, len(text), *offsets, *(at for drop in drops for at in drop)})
    pieces, at, where = [], 0, {0: 0}
    for begin, end in pairwise(cuts):
        drop = next((drop for drop in drops if drop[0] <= begin < drop[1]), None)
        piece = _harmless(text[begin:end]) if drop is None else "…" if drop[0] == begin else ""
        pieces.append(piece)
        at += len(piece.encode("utf-16-le")) // 2
        where[end] = at
    return "".join(pieces), [where[offset] for offset in offsets]


def _harmless(text: str) -> str:
    return printable(_SPACE.sub(" ", text))


def _dropped(length: int, offsets: Sequence[int]) -> list[tuple[int, int]]:
    """What is left out of a long sentence: far from mentions, and the midst of a very long mention."""
    spans = sorted(zip(offsets[::2], offsets[1::2], strict=True))
    drops, at = [], -_AROUND
    for begin, end in spans:
        drops.append((at + _AROUND, begin - _AROUND))
        drops.append((begin + _MENTION, end - _MENTION))
        at = max(at, end)
    drops.append((at + _AROUND, length))
    return [(begin, end) for begin, end in drops if end - begin > 1]
