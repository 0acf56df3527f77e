"""DyGIE's JSONL: a document a line, offsets in the document's tokens, ends inclusive. Read and written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from schemas.errors import DataError
from schemas.text import decode_utf8, storable


@dataclass(frozen=True, slots=True)
class DygieSentence:
    """A sentence: words; entities (start, end exclusive, type) and relations (head, tail, type) of the sentence."""

    words: tuple[str, ...]
    entities: tuple[tuple[int, int, str], ...]
    relations: tuple[tuple[int, int, str], ...]


@dataclass(frozen=True, slots=True)
class DygieDocument:
    """A document.

    Attributes:
        n_lost: what sentences can't hold: clusters, events, and entities or relations over a sentence's end.
    """

    key: str
    sentences: tuple[DygieSentence, ...]
    n_lost: dict[str, int]


def read_documents(path: Path) -> list[DygieDocument]:
    """The documents of a file. Sentences without a word are left out.

    Raises:
        DataError: naming the file, the line and the fault.
    """
    try:
        lines = decode_utf8(path.read_bytes(), path, DataError).split("\n")  # splitlines would also cut at U+2028
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    return [_document(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]


def _document(line: str, where: str) -> DygieDocument:
    try:
        record = json.loads(line)
        key = str(record["doc_key"])
        sentences = [tuple(words) for words in record["sentences"]]
        ner = record.get("ner") or [[] for _ in sentences]
        relations = record.get("relations") or [[] for _ in sentences]
        if not all(isinstance(word, str) for words in sentences for word in words):
            raise TypeError("a token is no string")
        if not len(sentences) == len(ner) == len(relations):
            raise ValueError(f"{len(sentences)} sentences, {len(ner)} ner, {len(relations)} relations")
        lost = {name: len(record[name]) for name in ("clusters", "events") if any(record.get(name) or ())}
        lost |= {"entities": 0, "relations": 0}
        starts = accumulate((len(words) for words in sentences), initial=0)
        found = [
            _sentence(words, start, entities, pairs, lost)
            for words, start, entities, pairs in zip(sentences, starts, ner, relations, strict=False)
            if words
        ]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        fault = f"{type(error).__name__}: {error}"
        raise DataError(
            f"{where}: wanted doc_key, sentences, ner and relations as DyGIE writes them ({fault})"
        ) from None
    return DygieDocument(key, tuple(found), {name: n for name, n in lost.items() if n})


def _sentence(
    words: tuple[str, ...], start: int, ner: list[Any], relations: list[Any], lost: dict[str, int]
) -> DygieSentence:
    entities: list[tuple[int, int, str]] = []
    row: dict[tuple[int, int], int] = {}
    for first, last, name, *_ in ner:
        begin, end = int(first) - start, int(last) - start + 1
        if 0 <= begin < end <= len(words):
            row.setdefault((begin, end), len(entities))
            entities.append((begin, end, str(name)))
        else:
            lost["entities"] += 1
    pairs = []
    for a, b, c, d, name, *_ in relations:
        head, tail = row.get((int(a) - start, int(b) - start + 1)), row.get((int(c) - start, int(d) - start + 1))
        if head is None or tail is None or head == tail:
            lost["relations"] += 1
        else:
            pairs.append((head, tail, str(name)))
    return DygieSentence(tuple(map(storable, words)), tuple(entities), tuple(pairs))


def format_document(key: str, sentences: Sequence[DygieSentence]) -> str:
    """A document as a line of JSON, without the line break."""
    starts = list(accumulate((len(sentence.words) for sentence in sentences), initial=0))
    ner: list[list[list[Any]]] = []
    relations: list[list[list[Any]]] = []
    for sentence, start in zip(sentences, starts, strict=False):
        spans = [[start + begin, start + end - 1] for begin, end, _ in sentence.entities]
        names = [name for *_, name in sentence.entities]
        ner.append([[*span, name] for span, name in zip(spans, names, strict=True)])
        relations.append([[*spans[head], *spans[tail], name] for head, tail, name in sentence.relations])
    words = [list(sentence.words) for sentence in sentences]
    record = {"doc_key": key, "sentences": words, "ner": ner, "relations": relations}
    return json.dumps(record, ensure_ascii=False)


def count_lost(documents: Iterable[DygieDocument]) -> dict[str, int]:
    """What the sentences of the documents can't hold, by kind."""
    total: dict[str, int] = {}
    for document in documents:
        for name, n in document.n_lost.items():
            total[name] = total.get(name, 0) + n
    return total
