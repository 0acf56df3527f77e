"""Columns in the manner of CoNLL: a word a line, its tag in the last column, an empty line after each sentence.

Tags are IOB1, IOB2 or BIOES (BILOU); relations have no place in them, so all of them are taken to be unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, key_in_document
from kgmill.extractor.data.partial import Partial
from kgmill.schemas.errors import DataError
from kgmill.schemas.ontology import check_type_name
from kgmill.schemas.text import decode_utf8, storable

_TAG = re.compile(r"(?:([BIESLUM])-(.+)|O)")
_ONE_ALONE = "SU"
_BEGINS = "B"
_ENDS = "EL"


def read_conll(path: Path) -> list[AnnotatedSentence]:
    """The sentences of a file; comments (`#`) and `-DOCSTART-` are no words, and the latter parts documents.

    Raises:
        DataError: naming the file, the line and the fault.
    """
    found = list(_blocks(path, decode_utf8(path.read_bytes(), path, DataError)))
    column = _word_column([block.rows for block in found])
    return [_sentence(path, block, column, number) for number, block in enumerate(found)]


@dataclass(frozen=True, slots=True)
class _Block:
    """The rows of a sentence, each with its line's number, and the number of its document; 0: the file has none."""

    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    document: int


def _blocks(path: Path, text: str) -> Iterator[_Block]:
    lines = [tuple(c.strip() for c in (x.split("\t") if "\t" in x else x.split())) for x in text.split("\n")]
    widths = {len(columns) for columns in lines if any(columns) and columns[0][:1] not in ("#", "-")}
    n_documents = 0
    rows: list[tuple[int, tuple[str, ...]]] = []
    for number, columns in enumerate((*lines, ()), 1):
        is_border = columns[:1] == ("-DOCSTART-",)
        if rows and (is_border or not any(columns)):
            yield _Block(tuple(row for _, row in rows), tuple(n for n, _ in rows), n_documents)
            rows = []
        n_documents += is_border
        if is_border or not any(columns) or _is_comment(columns, widths):
            continue
        if not _is_tagged(columns):
            line = "\t".join(columns)[:60]
            raise DataError(f"{path}:{number}: wanted a word and, last, a tag such as O or B-PER, got {line!r}")
        rows.append((number, columns))


def _is_tagged(columns: Sequence[str]) -> bool:
    return len(columns) > 1 and _TAG.fullmatch(columns[-1]) is not None


def _is_comment(columns: Sequence[str], widths: Set[int]) -> bool:
    """Whether a line with `#` is none of a word: it has no tag, or not as many columns as the other lines."""
    return columns[0].startswith("#") and not (_is_tagged(columns) and (len(columns) in widths or not widths))


def _word_column(sentences: Sequence[Sequence[Sequence[str]]]) -> int:
    """The words' column: the first, or the second where the first numbers the words of each sentence.

    Of sentences of one word alone that can't be told.
    """
    is_numbered = all(
        [row[0] for row in rows] in ([str(i + begin) for i in range(len(rows))] for begin in (0, 1))
        and min(map(len, rows)) > 2
        for rows in sentences
    )
    return 1 if is_numbered and any(len(rows) > 1 for rows in sentences) else 0


def _sentence(path: Path, block: _Block, column: int, number: int) -> AnnotatedSentence:
    place = f"{path}:{block.lines[0]}"
    try:
        runs = [(a, b, check_type_name(storable(name))) for a, b, name in _runs([row[-1] for row in block.rows])]
    except ValueError as error:
        raise DataError(f"{place}: {error}") from None
    words = tuple(storable(row[column]) for row in block.rows)
    if "" in words:
        raise DataError(f"{path}:{block.lines[words.index('')]}: the word is empty")
    entities = tuple(EntitySpan(*run) for run in runs)
    key = key_in_document(storable(f"{path.name}:{block.document}"), number) if block.document else ""
    return AnnotatedSentence(words, entities, (), key, place=place, partial=Partial(relations=()))


def _runs(tags: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """The entities of a sentence's tags: first word, the one after the last, type."""
    begin, kind = 0, ""
    for i, tag in enumerate((*tags, "O")):
        sign, name = tag[:1] if tag != "O" else "O", tag[2:]
        if kind and (sign in ("O", _BEGINS, *_ONE_ALONE) or name != kind):
            yield begin, i, kind
            kind = ""
        if sign != "O" and not kind:
            begin, kind = i, name
        if kind and sign in (*_ENDS, *_ONE_ALONE):
            yield begin, i + 1, kind
            kind = ""
