"""DyGIE's JSONL: a document a line, offsets in the document's tokens, ends inclusive. Read and written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from kgmill.extractor.data.unused import Unused
from kgmill.schemas.errors import DataError
from kgmill.schemas.ontology import check_type_name
from kgmill.schemas.text import storable


@dataclass(frozen=True, slots=True)
class DygieSentence:
    """A sentence: words; entities (start, end exclusive, type) and relations (head, tail, type) of the sentence.

    Attributes:
        unused: what was annotated, and the sentence can't hold.
        place: file, line and number of the sentence in its document.
    """

    words: tuple[str, ...]
    entities: tuple[tuple[int, int, str], ...]
    relations: tuple[tuple[int, int, str], ...]
    unused: tuple[Unused, ...] = ()
    place: str = ""


@dataclass(frozen=True, slots=True)
class DygieDocument:
    """A document; what belongs to no sentence, or to one without words, is among the unused of its first."""

    key: str
    sentences: tuple[DygieSentence, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a sentence lies in its document, in tokens, and its name for people."""

    start: int
    n_words: int
    n_tokens: int
    name: str


def read_documents(path: Path, text: str) -> list[DygieDocument]:
    """The documents of a file's text. Sentences without a word are left out.

    Raises:
        DataError: naming the file, the line and the fault.
    """
    lines = text.split("\n")  # splitlines would also cut at U+2028
    return [_document(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]


def _document(line: str, where: str) -> DygieDocument:
    try:
        record = json.loads(line)
        key = storable(str(record["doc_key"]))
        unused = list(_not_modelled(record, where))
        found = list(_sentences(record, where))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        fault = f"{type(error).__name__}: {error}"
        raise DataError(
            f"{where}: wanted doc_key, sentences, ner and relations as DyGIE writes them ({fault})"
        ) from None
    unused += [one for sentence in found if not sentence.words for one in sentence.unused]
    kept = [sentence for sentence in found if sentence.words]
    if unused and not kept:
        raise DataError(f"{where}: has annotations, but no words")
    if unused:
        kept[0] = replace(kept[0], unused=(*unused, *kept[0].unused))
    return DygieDocument(key, tuple(kept))


def _not_modelled(record: dict[str, Any], where: str) -> Iterator[Unused]:
    """Coreference clusters, a list a document, and events, a list a sentence."""
    for _ in record.get("clusters") or ():
        yield Unused("not_modelled", "cluster", "", where)
    for i, events in enumerate(record.get("events") or (), 1):
        for _ in events:
            yield Unused("not_modelled", "event", "", f"{where}: sentence {i}")


def _sentences(record: dict[str, Any], where: str) -> Iterator[DygieSentence]:
    sentences = [tuple(words) for words in record["sentences"]]
    ner = record.get("ner") or [[] for _ in sentences]
    relations = record.get("relations") or [[] for _ in sentences]
    if not all(isinstance(word, str) for words in sentences for word in words):
        raise TypeError("a token is no string")
    if not len(sentences) == len(ner) == len(relations):
        raise ValueError(f"{len(sentences)} sentences, {len(ner)} ner, {len(relations)} relations")
    starts = list(accumulate((len(words) for words in sentences), initial=0))
    for i, words in enumerate(sentences):
        place = _Place(starts[i], len(words), starts[-1], f"{where}: sentence {i + 1}")
        yield _sentence(words, place, ner[i], relations[i])


def _sentence(words: tuple[str, ...], place: _Place, ner: list[Any], relations: list[Any]) -> DygieSentence:
    entities: list[tuple[int, int, str]] = []
    row: dict[tuple[int, int], int] = {}
    unused: list[Unused] = []
    for first, last, name, *_ in ner:
        span, kind = _span(first, last, place), check_type_name(storable(str(name)))
        if 0 <= span[0] < span[1] <= len(words):
            row.setdefault(span, len(entities))
            entities.append((*span, kind))
        else:
            what = f"{place.name}: entity {first}-{last} {kind!r}"
            unused.append(Unused("outside_sentence", "entity", kind, what))
    pairs = []
    for a, b, c, d, name, *_ in relations:
        head, tail, kind = _span(a, b, place), _span(c, d, place), check_type_name(storable(str(name)))
        if head in row and tail in row and head != tail:
            pairs.append((row[head], row[tail], kind))
        else:
            what = f"{place.name}: relation {a}-{b} to {c}-{d} {kind!r}"
            unused.append(Unused(_fault(head, tail, place), "relation", kind, what))
    return DygieSentence(tuple(map(storable, words)), tuple(entities), tuple(pairs), tuple(unused), place.name)


def _span(first: Any, last: Any, place: _Place) -> tuple[int, int]:
    """A span in words of the sentence, end exclusive."""
    return whole_number(first) - place.start, whole_number(last) - place.start + 1


def whole_number(value: Any) -> int:
    """An offset. A fraction is none, though `int` would cut it."""
    number = int(value)
    if number != float(value):
        raise ValueError(f"{value!r} is no whole number")
    return number


def _fault(head: tuple[int, int], tail: tuple[int, int], place: _Place) -> str:
    """Why a sentence can't hold a relation."""
    is_inside = [0 <= begin < end <= place.n_words for begin, end in (head, tail)]
    last = place.n_tokens - place.start
    is_in_document = all(-place.start <= begin < end <= last for begin, end in (head, tail))
    if all(is_inside):
        return "one_entity" if head == tail else "no_entity"
    return "across_sentences" if any(is_inside) and is_in_document else "outside_sentence"


def format_document(key: str, sentences: Sequence[DygieSentence]) -> dict[str, Any]:
    """A document as the record of a line."""
    starts = list(accumulate((len(sentence.words) for sentence in sentences), initial=0))
    ner: list[list[list[Any]]] = []
    relations: list[list[list[Any]]] = []
    for sentence, start in zip(sentences, starts, strict=False):
        spans = [[start + begin, start + end - 1] for begin, end, _ in sentence.entities]
        names = [name for *_, name in sentence.entities]
        ner.append([[*span, name] for span, name in zip(spans, names, strict=True)])
        relations.append([[*spans[head], *spans[tail], name] for head, tail, name in sentence.relations])
    words = [list(sentence.words) for sentence in sentences]
    return {"doc_key": key, "sentences": words, "ner": ner, "relations": relations}
