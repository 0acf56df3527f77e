"""Annotated sentences, and the readers of SpERT's JSON and, by `dygie`, DyGIE's JSONL; `readers` has all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from kgmill.extractor.data.dygie import read_documents, whole_number
from kgmill.extractor.data.foreign import recognise
from kgmill.extractor.data.partial import Partial, parse_partial
from kgmill.extractor.data.unused import Unused
from kgmill.schemas.errors import DataError, OntologyError
from kgmill.schemas.ontology import Ontology, check_type_name, parse_ontology
from kgmill.schemas.text import decode_utf8, storable


@dataclass(frozen=True, slots=True)
class EntitySpan:
    """A typed span of words; `end` is exclusive.

    Attributes:
        types: the types that it may have, where the data doesn't say which; `type` is then the likeliest.
        by: `completed` where a model marked it; empty for gold.
    """

    start: int
    end: int
    type: str
    types: tuple[str, ...] = ()
    by: str = ""

    @property
    def possible(self) -> tuple[str, ...]:
        """The types that it may have."""
        return self.types or (self.type,)


@dataclass(frozen=True, slots=True)
class RelationPair:
    """A typed pair; `head` and `tail` index the sentence's entities; `by` is as an entity's."""

    head: int
    tail: int
    type: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class AnnotatedSentence:
    """Words with gold entities and relations. A pair of entities may hold several relations.

    Attributes:
        key: name of the sentence; in a document the document's, `#` and a number; empty where the data has none.
        unused: what was annotated, and a sentence can't hold; an evaluation counts it as missed.
        place: where it was read from, for people.
        partial: what is marked completely, where not everything is.
        tags: other keys of its record with a short value, such as its fold.
    """

    words: tuple[str, ...]
    entities: tuple[EntitySpan, ...]
    relations: tuple[RelationPair, ...]
    key: str = ""
    unused: tuple[Unused, ...] = ()
    place: str = field(default="", compare=False, repr=False)
    partial: Partial | None = None
    tags: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)


def document(sentence: AnnotatedSentence) -> str:
    """The name of the document that a sentence says it is a part of: its key up to the last `#`; empty without one."""
    return sentence.key.rpartition("#")[0]


def key_in_document(name: str, number: int) -> str:
    """The key of a document's sentence; empty where the document has no name."""
    return f"{name}#{number}" if name else ""


def read_spert(path: Path) -> list[AnnotatedSentence]:
    """The sentences of a SpERT JSON file: a list of {tokens, entities, relations}, ends exclusive.

    A sentence without `relations` has none.

    Raises:
        DataError: naming the file, the sentence's number and the fault; or what the file looks like instead.
    """
    return _read(path, "spert", _spert_sentences)


def read_dygie(path: Path) -> list[AnnotatedSentence]:
    """The sentences of a DyGIE JSONL file, in order; what a sentence can't hold is its `unused`.

    Raises:
        DataError: naming the file, the line and the fault; or what the file looks like instead.
    """
    return _read(path, "dygie", _dygie_sentences)


def _read(
    path: Path, format_name: str, parse: Callable[[Path, str], list[AnnotatedSentence]]
) -> list[AnnotatedSentence]:
    text = None
    try:
        text = decode_utf8(path.read_bytes(), path, DataError)
        return parse(path, text)
    except OSError as error:
        hint = recognise(path, None, format_name) if path.is_dir() else ""
        raise DataError(f"{path}: {hint or error.strerror or error}") from None
    except DataError:
        if hint := recognise(path, text, format_name):
            raise DataError(f"{path}: {hint}") from None
        raise


def _spert_sentences(path: Path, text: str) -> list[AnnotatedSentence]:
    try:
        records = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON: {error}") from None
    if not isinstance(records, list):
        raise DataError(f"{path}: wanted a JSON list of sentences, got {type(records).__name__}")
    return [_spert_sentence(record, f"{path}: sentence {i}") for i, record in enumerate(records)]


def _dygie_sentences(path: Path, text: str) -> list[AnnotatedSentence]:
    return [
        AnnotatedSentence(
            sentence.words,
            tuple(EntitySpan(*entity) for entity in sentence.entities),
            tuple(RelationPair(*relation) for relation in sentence.relations),
            key_in_document(found.key, number),
            sentence.unused,
            sentence.place,
        )
        for found in read_documents(path, text)
        for number, sentence in enumerate(found.sentences)
    ]


def gold_alone(sentence: AnnotatedSentence) -> AnnotatedSentence:
    """The sentence without what a model marked, or found doubtful."""
    if not sentence.partial and not any(item.by for items in (sentence.entities, sentence.relations) for item in items):
        return sentence
    kept = [i for i, e in enumerate(sentence.entities) if not e.by]
    number = {i: n for n, i in enumerate(kept)}
    relations = (r for r in sentence.relations if not r.by and r.head in number and r.tail in number)
    partial = sentence.partial and replace(sentence.partial, spans=(), pairs=())
    return replace(
        sentence,
        entities=tuple(sentence.entities[i] for i in kept),
        relations=tuple(replace(r, head=number[r.head], tail=number[r.tail]) for r in relations),
        partial=None if partial == Partial() else partial,
    )


def infer_ontology(sentences: Iterable[AnnotatedSentence]) -> Ontology:
    """The ontology that the data shows: its types, sorted, and which entity types each relation was seen to join.

    Entities overlap if any two of them do.

    Raises:
        DataError: the data has no entity, or a type's name is none that an ontology can have.
    """
    entities: set[str] = set()
    ends: dict[str, tuple[set[str], set[str]]] = {}
    is_overlapping = False
    for sentence in sentences:
        spans = sorted((e.start, e.end) for e in sentence.entities)
        is_overlapping |= any(b[0] < a[1] for a, b in pairwise(spans))
        entities.update(name for e in sentence.entities for name in e.possible)
        for r in sentence.relations:
            heads, tails = ends.setdefault(r.type, (set(), set()))
            heads.update(sentence.entities[r.head].possible)
            tails.update(sentence.entities[r.tail].possible)
    try:
        return parse_ontology(
            {
                "overlapping_entities": is_overlapping,
                "entities": {name: {"label": name} for name in sorted(entities)},
                "relations": {
                    name: {"label": name, "head": sorted(heads), "tail": sorted(tails)}
                    for name, (heads, tails) in sorted(ends.items())
                },
            },
            "ontology of the data",
        )
    except OntologyError as error:
        raise DataError(f"{error}; write an ontology file and name it under `ontology`") from None


def check_types(sentences: Iterable[AnnotatedSentence], ontology: Ontology, where: str) -> None:
    """Checks that the ontology knows every type of the data.

    Raises:
        DataError: naming the unknown types, so that a wrong ontology shows before any training.
    """
    entities: set[str] = set()
    relations: set[str] = set()
    for sentence in sentences:
        entities.update(name for e in sentence.entities for name in (e.type, *e.types))
        relations.update(r.type for r in sentence.relations)
        if sentence.partial:
            entities.update(sentence.partial.types or ())
            relations.update(sentence.partial.relations or ())
    unknown = sorted(entities - set(ontology.entities)) + sorted(relations - set(ontology.relations))
    if unknown:
        known = ", ".join((*ontology.entities, *ontology.relations))
        raise DataError(f"{where}: types {', '.join(unknown)} are not in the ontology (known: {known})")


def _spert_sentence(record: Any, where: str) -> AnnotatedSentence:
    try:
        words = tuple(record["tokens"])
        found = [(whole_number(e["start"]), whole_number(e["end"]), e["type"]) for e in record["entities"]]
        pairs = [(whole_number(r["head"]), whole_number(r["tail"]), r["type"]) for r in record.get("relations") or ()]
        possible = [tuple(e.get("types", ())) for e in record["entities"]]
        by = [[str(one.get("by", "")) for one in record.get(key) or ()] for key in ("entities", "relations")]
        partial = parse_partial(record)
    except KeyError as error:
        raise DataError(
            f"{where}: has no key {error}; wanted tokens, entities and relations as SpERT has them"
        ) from None
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        raise DataError(f"{where}: wanted tokens, entities and relations as SpERT writes them ({error!r})") from None
    if not words or not isinstance(record["tokens"], list) or not all(isinstance(word, str) for word in words):
        raise DataError(f"{where}: tokens must be a list of at least one string")
    entities = tuple(
        EntitySpan(start, end, _type_name(name, where), tuple(_type_name(one, where) for one in types), marked_by)
        for (start, end, name), types, marked_by in zip(found, possible, by[0], strict=True)
    )
    relations = tuple(
        RelationPair(head, tail, _type_name(name, where), marked_by)
        for (head, tail, name), marked_by in zip(pairs, by[1], strict=True)
    )
    doubtful = (partial.spans, partial.pairs) if partial else ((), ())
    for start, end in [*((e.start, e.end) for e in entities), *doubtful[0]]:
        if not 0 <= start < end <= len(words):
            raise DataError(f"{where}: entity {start}:{end} lies outside of {len(words)} tokens")
    for head, tail in [*((r.head, r.tail) for r in relations), *doubtful[1]]:
        if not {head, tail} <= set(range(len(entities))) or head == tail:
            raise DataError(f"{where}: relation {head} -> {tail} with {len(entities)} entities")
    key = storable(str(record.get("orig_id", "")))
    return AnnotatedSentence(
        tuple(map(storable, words)), entities, relations, key, place=where, partial=partial, tags=_tags(record)
    )


def _tags(record: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The other keys of a record that name a sentence: texts and whole numbers."""
    rest = ((key, value) for key, value in record.items() if key not in _SPERT_KEYS)
    return tuple((storable(key), storable(str(value))) for key, value in rest if type(value) in (str, int))


def _type_name(name: Any, where: str) -> str:
    if not isinstance(name, str):
        raise DataError(f"{where}: type {name!r} is no string")
    try:
        return check_type_name(storable(name))
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None


_SPERT_KEYS = {"tokens", "entities", "relations", "orig_id", "annotated", "doubtful"}
