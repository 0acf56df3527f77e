"""Columns in the manner of CoNLL: a word a line, its tag in the last column, an empty line after each sentence.

Tags are IOB1, IOB2 or BIOES (BILOU); relations have no place in them, so all of them are taken to be unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan
from kgmill.extractor.data.partial import Partial
from kgmill.schemas.errors import DataError
from kgmill.schemas.ontology import check_type_name
from kgmill.schemas.text import decode_utf8, storable

_TAG = re.compile(r"(?:([BIESLUM])-(.+)|O)")
_ONE_ALONE = "SU"
_BEGINS = "B"
_ENDS = "EL"


def read_conll(path: Path) -> list[AnnotatedSentence]:
    """The sentences of a file; comments (`#`) and `-DOCSTART-` are no words, and part documents.

    Raises:
        DataError: naming the file, the line and the fault.
    """
    text = decode_utf8(path.read_bytes(), path, DataError)
    sentences: list[AnnotatedSentence] = []
    n_documents = 0
    rows: list[list[str]] = []
    first = 0
    for number, line in enumerate((*text.split("\n"), ""), 1):
        columns = line.split("\t") if "\t" in line else line.split()
        if columns and columns[0] == "-DOCSTART-":
            n_documents += 1
            continue
        if columns and not _is_comment(columns):
            if len(columns) < 2 or not _TAG.fullmatch(columns[-1].strip()):
                raise DataError(
                    f"{path}:{number}: wanted a word and, last, a tag such as O or B-PER, got {line[:60]!r}"
                )
            first = first or number
            rows.append([column.strip() for column in columns])
        elif rows and not columns:
            sentences.append(_sentence(rows, f"{path.name}#{n_documents}" if n_documents else "", f"{path}:{first}"))
            rows, first = [], 0
    return sentences


def _is_comment(columns: Sequence[str]) -> bool:
    return columns[0].startswith("#") and not (len(columns) > 1 and _TAG.fullmatch(columns[-1].strip()))


def _word_column(rows: Sequence[Sequence[str]]) -> int:
    """The words' column: the first, or the second where the first has the words' numbers."""
    first = [row[0] for row in rows]
    numbers = ([str(i + begin) for i in range(len(rows))] for begin in (0, 1))
    return 1 if len(rows) > 1 and first in numbers and min(map(len, rows)) > 2 else 0


def _sentence(rows: Sequence[Sequence[str]], key: str, place: str) -> AnnotatedSentence:
    try:
        runs = [(a, b, check_type_name(storable(name))) for a, b, name in _runs([row[-1] for row in rows])]
    except ValueError as error:
        raise DataError(f"{place}: {error}") from None
    column = _word_column(rows)
    words = tuple(storable(row[column]) for row in rows)
    entities = tuple(EntitySpan(*run) for run in runs)
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
