"""The cells of a table in plain text: parted by tabs, bars, bullets, or columns of spaces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

Cell = tuple[int, int]
BULLETS = "\u2022\u2023\u25e6\u25aa\u25cf\u25cb\u25a0\u25a1\u25ab\u25b6\u25ba\u2043\u27a2\u27a4\u2713\u2714"
_GAP = re.compile(r"(?<=\S)\s{2,}(?=\S)")
_WIDE, _VERY_WIDE = 3, 5  # spaces of a gap that lies above another one, and of a gap alone
_BORDER = re.compile(rf"\t+|(?<=\s)\|+(?=\s)|[{BULLETS}]|(?<=\s)[\u00b7\u2219](?=\s)")
_HAS_BORDER = re.compile(rf"[\t|{BULLETS}\u00b7\u2219]")
_BAR = re.compile(r"\|")


def marked_cells(line: str, begin: int, borders_begin: int) -> list[Cell]:
    """The cells of a line from `begin` on, if from `borders_begin` on there is a tab, bar or bullet; else none.

    >>> [line[a:b] for line in ["Moss | Bremen", "P(x | y)"] for a, b in marked_cells(line, 0, 0)]
    ['Moss', 'Bremen']
    """
    if not _HAS_BORDER.search(line, borders_begin):
        return []
    is_bounded = line[begin] == "|" or (line[-1] == "|" and line.count("|") > 1)
    found = (_BAR if is_bounded else _BORDER).finditer(line, borders_begin)
    return _between(line, begin, list(_outside_brackets(line, (match.span() for match in found))))


def _outside_brackets(line: str, borders: Iterator[Cell]) -> Iterator[Cell]:
    """The borders without the bars between brackets, which are of formulas."""
    depth, at = 0, 0
    for begin, end in borders:
        opened, closed = (sum(line.count(c, at, begin) for c in brackets) for brackets in ("([{", ")]}"))
        depth, at = max(0, depth + opened - closed), begin
        if not depth or line[begin] != "|":
            yield begin, end


def column_cells(lines: Sequence[str], shifts: Sequence[int]) -> list[list[Cell]]:
    """The cells of each line that is a row of columns parted by spaces, none of the others.

    It is one where it has a gap that ends in the same column as a gap of the next line, or of the one before, and one
    of the two is wide: text that is set to a width has gaps of two spaces everywhere. And where a gap is very wide.
    `shifts` are the columns that the lines begin in.
    """
    gaps = [[match.span() for match in _GAP.finditer(line)] if "  " in line else [] for line in lines]
    in_table = [False] * len(lines)
    for i, (above, below) in enumerate(pairwise(gaps)):
        widths = {end + shifts[i]: end - begin for begin, end in above} if above and below else {}
        if any(max(widths.get(end + shifts[i + 1], 0), end - begin) >= _WIDE and end + shifts[i + 1] in widths
               for begin, end in below):  # fmt: skip
            in_table[i] = in_table[i + 1] = True
    return [
        _between(line, 0, found if is_row else [gap for gap in found if _is_border(line, *gap)])
        for line, found, is_row in zip(lines, gaps, in_table, strict=True)
    ]


def _is_border(line: str, begin: int, end: int) -> bool:
    """Whether a gap parts cells though no other line has one there: not in the middle of a sentence."""
    return end - begin >= _VERY_WIDE and not line[end].islower()


def _between(line: str, begin: int, borders: Sequence[Cell]) -> list[Cell]:
    """What lies between the borders, without the spaces around it; none if there is no border."""
    if not borders:
        return []
    cells = []
    for a, b in zip((begin, *(end for _, end in borders)), (*(start for start, _ in borders), len(line)), strict=True):
        cell = line[a:b]
        if stripped := cell.strip():
            a += len(cell) - len(cell.lstrip())
            cells.append((a, a + len(stripped)))
    return cells
