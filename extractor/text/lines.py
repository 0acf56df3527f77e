"""The line structure of plain text: the blocks that no sentence leaves.

A line's end, a bullet and a table's cell end a block, but for the line ends of text that is hard-wrapped. A line end is
soft where the next line goes on in the middle of a sentence, and where the line is full, so that the next line's first
word would not have fitted in the margin. There is a margin only where many full lines of a paragraph, or of the whole
document, are followed by one that goes on: names in a list may be equally long, but they begin with a capital.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from kgmill.extractor.text.cells import BULLETS, Cell, column_cells, marked_cells

_NARROW, _NARROWEST, _WIDEST = 40, 24, 132  # columns that text is wrapped at
_SLACK = 8  # how far from the margin a line may end though the next word would have fitted: not all fill lines up
_ALIKE = 20  # and how far the ends of the lines that show the margin may lie from it
_OFTEN = 0.4  # of full lines go on: in text that is full of names fewer do, in lists hardly any
_MOSTLY = 0.6
_PROSE = range(55, 101)  # columns at which a paragraph that ends in a full stop is taken for wrapped without more ado
_BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
_SPACE = rf"[^\S{_BREAKS}]"
_DASHES = "-*+\u00b7\u2013\u2014"  # marks of items where a space follows
_STRUCTURE = re.compile(
    rf"[{_BREAKS}\t|{BULLETS}]|{_SPACE}{{3}}|\A\s*[{_DASHES}]{_SPACE}|{_SPACE}[\u00b7\u2219]{_SPACE}"
)
_MARK = re.compile(rf"(?:[{BULLETS}]+{_SPACE}*|[{_DASHES}]{_SPACE}+)(?=\S)")
_NUMBER = re.compile(rf"(?:\d{{1,3}}[.)]|\((?:\d{{1,3}}|[a-z]|[ivx]{{2,4}})\)|[a-zA-Z]\)){_SPACE}+(?=\S)")
_RULE = re.compile(r"[-=_*~+|:#.\s]{3,}")
_QUOTING = re.compile(r"(?:>[ \t]?)+")
_ENDS = (".", "!", "?", '"', "\u201d", "'", "\u2019", ")")
_SMALL_WORDS = {
    *(
        "a",
        "an",
        "and",
        "as",
        "at",
        "by",
        "for",
        "from",
        "her",
        "his",
        "in",
        "into",
        "its",
        "my",
        "of",
        "on",
        "or",
        "our",
    ),
    *("that", "the", "their", "this", "to", "under", "was", "were", "which", "with", "your"),
}
_BEGINNERS = _SMALL_WORDS | {"but", "he", "it", "no", "she", "there", "these", "they", "those", "we", "you"}


@dataclass(slots=True)
class _Line:
    """A line without the spaces around it and the mark before it.

    Attributes:
        begin, end: in the text.
        width: columns from the left margin to the last character.
        is_item: it begins a block, whatever stands before it.
        cells: where it is a row of a table.
        joins: by their kind, it and the next line could be of one sentence.
        goes_on: moreover, the next line begins in the middle of one.
        width_with_next: what its width would be if the next line's first word stood at its end.
    """

    text: str
    begin: int
    end: int
    width: int
    is_item: bool
    cells: list[Cell]
    joins: bool = False
    goes_on: bool = False
    width_with_next: int = 0


def split_blocks(text: str) -> list[tuple[int, int]]:
    r"""Bounds of the blocks of a text, in its order; between them lie spaces, line breaks, marks, bars and rules.

    >>> text = "Guests:\n- Carla Moss\n- Otto Brandt"
    >>> [text[begin:end] for begin, end in split_blocks(text)]
    ['Guests:', 'Carla Moss', 'Otto Brandt']
    """
    if not _STRUCTURE.search(text):
        return [(0, len(text))] if text else []
    lines = list(_lines(text))
    _find_columns([line for line in lines if line.text])
    paragraphs = [list(some) for is_text, some in groupby(lines, lambda line: bool(line.text)) if is_text]
    for paragraph in paragraphs:
        for line, following in pairwise(paragraph):
            _look_ahead(line, following)
    margin = _document_margin([line for paragraph in paragraphs for line in paragraph if line.joins])
    return [bounds for paragraph in paragraphs for bounds in _blocks(paragraph, margin)]


def _lines(text: str) -> Iterator[_Line]:
    at = 0
    for raw in text.splitlines(keepends=True):
        body = raw.rstrip()
        begin, width = len(body) - len(body.lstrip()), len(body)
        first, is_item = body[begin : begin + 1], False
        if first and not first.isalpha() and _RULE.fullmatch(body, begin):
            begin = width
        elif first and (mark := _MARK.match(body, begin)):
            begin, is_item = mark.end(), True
        number = _NUMBER.match(body, begin) if begin < width else None
        cells = marked_cells(body, begin, number.end() if number else begin)
        is_item = is_item or number is not None or first == "#"
        yield _Line(body[begin:], at + begin, at + width, width, is_item, [(at + a, at + b) for a, b in cells])
        at += len(raw)


def _find_columns(lines: Sequence[_Line]) -> None:
    """Makes rows of the lines whose cells are parted by nothing but spaces."""
    if not any("  " in line.text for line in lines):
        return
    columns = [line.width - len(line.text) for line in lines]
    for line, cells in zip(lines, column_cells([line.text for line in lines], columns), strict=True):
        line.cells = line.cells or [(line.begin + a, line.begin + b) for a, b in cells]


def _look_ahead(line: _Line, following: _Line) -> None:
    word = _first_word(following.text)
    is_apart = line.cells or following.cells or following.is_item or line.text[0] == "#" or _begins_anew(line, word)
    line.joins = not is_apart and _is_shouted(line) == _is_shouted(following)
    if not line.joins:
        return
    line.width_with_next = line.width + 1 + len(word)
    if line.width > _WIDEST:  # no margin, but a line break may have strayed into a paragraph
        line.goes_on = _is_small(word) and line.text[-1] not in ".:!?"
    elif line.width >= _NARROW and line.text[-1] != ":":
        line.goes_on = _is_small(word) or _last_word(line.text) in _SMALL_WORDS
    else:
        line.goes_on = _is_small(word) and line.text[-1] == ","


def _begins_anew(line: _Line, word: str) -> bool:
    """Whether the next line begins with The or He, though no full stop, comma or dash stands before it."""
    is_beginner = word[:1].isupper() and word.casefold() in _BEGINNERS
    return is_beginner and line.text[-1].isalnum() and _last_word(line.text) not in _SMALL_WORDS


def _last_word(text: str) -> str:
    return text.rpartition(" ")[2].casefold()


def _is_shouted(line: _Line) -> bool:
    """Whether a line is in capitals, as headlines are."""
    return line.width >= _NARROWEST and line.text.isupper()


def _first_word(text: str) -> str:
    if text[0] == ">":
        text = _QUOTING.sub("", text, count=1)
    return text.split(maxsplit=1)[0] if text else ""


def _is_small(word: str) -> bool:
    """Whether a line's first word is written small; `a.` may be the mark of an item."""
    word = word.lstrip("\"'(\u2018\u201c")
    return word[:1].islower() and not (len(word) == 2 and word[1] == ".")


def _is_full(line: _Line, margin: int) -> bool:
    """Whether the next line's first word would not have fitted, or hardly."""
    return line.width_with_next > margin - _SLACK and line.width <= margin + 2


def _n_full(lines: Iterable[_Line], margin: int) -> int:
    return sum(_is_full(line, margin) for line in lines)


def _widths(lines: Iterable[_Line]) -> list[int]:
    """The widths of the lines that show a margin."""
    return sorted(line.width for line in lines if line.goes_on and _NARROW <= line.width <= _WIDEST)


def _document_margin(lines: Sequence[_Line]) -> int:
    """The margin that a document is wrapped at; 0 if it isn't plainly so."""
    widths = _widths(lines)
    if len(widths) < 3:
        return 0
    margin = widths[int(0.9 * (len(widths) - 1))]
    n_alike = len(widths) - bisect_left(widths, margin - _ALIKE)
    is_plain = n_alike >= _MOSTLY * len(widths) and len(widths) >= _OFTEN * _n_full(lines, margin)
    return margin if is_plain else 0


def _margin(paragraph: Sequence[_Line], document_margin: int) -> int:
    """The margin that a paragraph is wrapped at; 0 if it isn't plainly wrapped."""
    lines = [line for line in paragraph if line.joins]
    widths = _widths(lines)
    if widths and len(widths) >= _OFTEN * _n_full(lines, widths[-1]):
        return widths[-1]
    if document_margin and (widths or len(lines) <= 2):
        return document_margin
    return _prose_margin(paragraph) or _narrow_margin(paragraph, lines)


def _prose_margin(paragraph: Sequence[_Line]) -> int:
    """The margin of a few lines, each full but the last, which alone ends a sentence; 0 if they aren't so."""
    *lines, last = paragraph
    margin = max(line.width for line in paragraph)
    if margin not in _PROSE or not last.text.endswith(_ENDS) or lines[0].text.endswith(_ENDS):
        return 0
    words = [word for line in paragraph for word in line.text.split()]
    is_prose = sum(word[0].islower() for word in words) >= len(words) / 2
    return margin if is_prose and all(line.joins and _is_full(line, margin) for line in lines) else 0


def _narrow_margin(paragraph: Sequence[_Line], lines: Sequence[_Line]) -> int:
    """The margin of a narrow column, which more lines must show; 0 if there is none."""
    widest = max((line.width for line in lines), default=0)
    if len(lines) < 4 or not _NARROWEST <= widest < _NARROW:
        return 0
    n_small = sum(_is_small(_first_word(following.text)) for line, following in pairwise(paragraph) if line.joins)
    return widest if min(n_small, _n_full(lines, widest)) >= len(lines) / 2 else 0


def _blocks(paragraph: Sequence[_Line], document_margin: int) -> Iterator[tuple[int, int]]:
    """The blocks of lines with no empty line between them."""
    margin = _margin(paragraph, document_margin) if len(paragraph) > 1 else 0
    begin = None
    for line in paragraph:
        begin = line.begin if begin is None else begin
        if line.joins and (line.goes_on or (margin and _is_full(line, margin))):
            continue
        yield from line.cells or [(begin, line.end)]
        begin = None
