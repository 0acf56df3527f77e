"""A sentence with its mentions marked, in colour or brackets: whole, or cut to a width so that they stay in sight."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.style import Style
from rich.text import Text

from kgmill.schemas.text import printable

COLOURS = {"head": "bold green", "tail": "bold cyan"}
MENTION = "bold yellow"
_TOKEN = re.compile(r"\S{1,16}")  # a part of a word too: a URL, or a text without spaces, is cut as well


@dataclass(frozen=True, slots=True)
class Mark:
    """A mention in a sentence: offsets in characters, the end exclusive, and what it is, such as `head`."""

    begin: int
    end: int
    what: str = ""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A run of characters of one token that are in one mention, or in none.

    Attributes:
        mark: the number of the mention; -1: none.
        is_glued: no space comes before it.
    """

    text: str
    mark: int
    is_glued: bool


def excerpt(sentence: str, marks: Sequence[Mark], width: int, *, is_coloured: bool) -> Text:
    """The sentence on one line of at most `width` columns, as much of it around its mentions as fits.

    Where not even the mentions fit, their first words are shown.

    >>> marks = [Mark(0, 9, "head"), Mark(38, 43, "tail")]
    >>> text = "Ada Byron, who wrote the first program, lived in Paris."
    >>> excerpt(text, [Mark(0, 9, "head"), Mark(49, 54, "tail")], 40, is_coloured=False).plain
    '[Ada Byron], who … lived in [Paris].'
    """
    apart = _apart(marks)
    pieces = list(_pieces(sentence, apart))
    kept = set(range(len(pieces)))
    if _width(pieces, kept, is_coloured) > width:
        kept, order = set(), _order(pieces)
        for i in sorted(order, key=lambda n: order[n]):
            if _width(pieces, kept | {i}, is_coloured) <= width:
                kept.add(i)
            elif pieces[i].mark < 0:
                break
    return _drawn(pieces, kept, apart, is_coloured)


def marked(sentence: str, marks: Sequence[Mark], *, is_coloured: bool) -> str:
    """The whole sentence on one line, with single spaces.

    >>> marked("Ada met  Bob.", [Mark(0, 3, "head"), Mark(9, 12, "tail")], is_coloured=False)
    '[Ada] met [Bob].'
    """
    apart = _apart(marks)
    pieces = list(_pieces(sentence, apart))
    runs = _runs(pieces, set(range(len(pieces))), is_coloured)
    return "".join(_coloured(run, apart[mark].what) if mark >= 0 and is_coloured else run for run, mark in runs)


def _coloured(run: str, what: str) -> str:
    return Style.parse(COLOURS.get(what, MENTION)).render(run, color_system=ColorSystem.STANDARD)


def _apart(marks: Sequence[Mark]) -> list[Mark]:
    """The mentions in their order, without those that overlap an earlier one."""
    found: list[Mark] = []
    for mark in sorted(marks, key=lambda m: (m.begin, m.end)):
        if mark.begin < mark.end and (not found or mark.begin >= found[-1].end):
            found.append(mark)
    return found


def _pieces(sentence: str, marks: Sequence[Mark]) -> Iterator[_Piece]:
    edges = sorted({at for mark in marks for at in (mark.begin, mark.end)})
    end_before = 0
    for token in _TOKEN.finditer(sentence):
        begin, end = token.span()
        cuts = [begin, *(at for at in edges if begin < at < end), end]
        for start, stop in pairwise(cuts):
            mark = next((i for i, m in enumerate(marks) if m.begin <= start < m.end), -1)
            yield _Piece(printable(sentence[start:stop]), mark, is_glued=start == end_before)
            end_before = stop


def _order(pieces: Sequence[_Piece]) -> dict[int, tuple[int, float]]:
    """When each piece is kept: mentions first, then what is near to one, between two of them sooner."""
    marked = [i for i, piece in enumerate(pieces) if piece.mark >= 0]
    order: dict[int, tuple[int, float]] = {}
    first: dict[int, int] = {}
    for i, piece in enumerate(pieces):
        if piece.mark >= 0:
            order[i] = 0, i - first.setdefault(piece.mark, i)
            continue
        before = max((m for m in marked if m < i), default=None)
        after = min((m for m in marked if m > i), default=None)
        gaps = [abs(i - m) for m in (before, after) if m is not None] or [i]
        order[i] = 1, min(gaps) / (2 if before is not None and after is not None else 1)
    return order


def _width(pieces: Sequence[_Piece], kept: set[int], is_coloured: bool) -> int:
    return sum(cell_len(text) for text, _ in _runs(pieces, kept, is_coloured))


def _runs(pieces: Sequence[_Piece], kept: set[int], is_coloured: bool) -> Iterator[tuple[str, int]]:
    """What is shown, run by run, each with the number of its mention; what is left out is an ellipsis."""
    opening, closing = ("", "") if is_coloured else ("[", "]")
    mark = -1
    for n, piece in enumerate(_shown(pieces, kept)):
        if mark >= 0 and piece.mark != mark:
            yield closing, -1
        if n and not piece.is_glued:
            yield " ", mark if piece.mark == mark else -1
        if piece.mark >= 0 and piece.mark != mark:
            yield opening, -1
        yield piece.text, piece.mark
        mark = piece.mark
    if mark >= 0:
        yield closing, -1


def _shown(pieces: Sequence[_Piece], kept: set[int]) -> Iterator[_Piece]:
    """The kept pieces, with an ellipsis where others stood; within one mention it is a part of that."""
    before, is_gap = -1, False
    for i, piece in enumerate(pieces):
        if i not in kept:
            is_gap = True
            continue
        if is_gap:
            yield _Piece("…", piece.mark if piece.mark == before else -1, is_glued=False)
        yield replace(piece, is_glued=False) if is_gap else piece
        before, is_gap = piece.mark, False
    if is_gap:
        yield _Piece("…", -1, is_glued=False)


def _drawn(pieces: Sequence[_Piece], kept: set[int], marks: Sequence[Mark], is_coloured: bool) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    for run, mark in _runs(pieces, kept, is_coloured):
        text.append(run, COLOURS.get(marks[mark].what, MENTION) if mark >= 0 and is_coloured else "")
    return text
