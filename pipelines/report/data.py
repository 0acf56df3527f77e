"""The data of a report's page: facts, entities and sentences as columns of short values, as many as fit.

Facts are taken best first until there are `Limits.n_facts` of them or their bytes are spent; then every fact gets its
surest sentence, then its second, until the sentences' bytes are spent. `Cut` says what was not taken.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.report import tables
from kgmill.pipelines.report.excerpts import excerpt, shown
from kgmill.pipelines.report.tables import Counts
from kgmill.schemas.records import Entity, Evidence, Fact

_ALIASES, _ALIAS_LENGTH = 8, 80
_FACT_BYTES, _ENTITY_BYTES, _EVIDENCE_BYTES = 60, 24, 48  # what a row takes besides its texts
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_TABLE = str.maketrans(_ESCAPES)

_Piece = tuple[int, Evidence]  # with the fact's number


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a page holds.

    Attributes:
        n_facts: facts at most.
        n_entities: entities at most that none of these facts has.
        n_sentences: sentences of a fact at most.
        graph_bytes: of facts and entities, about.
        all_bytes: of these and of sentences, about.
    """

    n_facts: int = 100_000
    n_entities: int = 20_000
    n_sentences: int = 3
    graph_bytes: int = 14_000_000
    all_bytes: int = 28_500_000


@dataclass(frozen=True, slots=True)
class Cut:
    """What is on a page, and of how many there are."""

    facts: int
    of_facts: int
    entities: int
    of_entities: int
    sentences: int
    of_sentences: int


@dataclass(frozen=True, slots=True)
class PageData:
    """What a page shows of a graph.

    Attributes:
        graph: the columns of facts and entities, without a map.
        sentences: the columns of evidence, sentences and documents.
        facts, entities: the records behind the rows, in their order.
        place: an entity's row, by its id.
        counts: over all facts, also those that aren't here.
    """

    graph: dict[str, Any]
    sentences: dict[str, Any]
    facts: Sequence[Fact]
    entities: Sequence[Entity]
    place: dict[str, int]
    counts: Counts
    cut: Cut


def page_data(store: Store, limits: Limits) -> PageData:
    """The data of the page of a finished build; the same for the same tables."""
    ranked, counts = tables.best_facts(store, limits.n_facts)
    ends = {end for fact in ranked for end in (fact.head, fact.tail) if end}
    found, others, n_entities = tables.entities_of(store, ends, limits.n_entities)
    aliases = tables.aliases_of(store, [*found.values(), *others], _ALIASES)
    rows = _Rows(aliases, limits.graph_bytes)
    facts = rows.take_facts(ranked, found)
    rows.take_entities(others)
    graph = {"entities": rows.entity_columns(), "facts": _fact_columns(facts, rows.place)}
    sentences, n_sentences, of_sentences = _sentences(store, facts, limits, limits.all_bytes - rows.n_bytes)
    cut = Cut(len(facts), counts.facts.total(), len(rows.entities), n_entities, n_sentences, of_sentences)
    return PageData(graph, sentences, facts, rows.entities, rows.place, counts, cut)


def script_json(value: Any) -> str:
    """JSON that can stand in a script element: nothing in it ends the element or a line of JavaScript.

    >>> script_json("</script>")
    '"\\\\u003c/script\\\\u003e"'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_TABLE)


def _n_bytes(text: str) -> int:
    return len(script_json(text).encode()) + 1


@dataclass(slots=True)
class _Rows:
    """The entities of a page, as long as there is room for them."""

    aliases: dict[str, list[str]]
    room: int
    n_bytes: int = 0
    entities: list[Entity] = field(default_factory=list)
    place: dict[str, int] = field(default_factory=dict)

    def take_facts(self, ranked: Iterable[Fact], found: dict[str, Entity]) -> list[Fact]:
        """The first facts that there is room for, with their entities."""
        facts = []
        for fact in ranked:
            new = [found[end] for end in dict.fromkeys((fact.head, fact.tail)) if end and end not in self.place]
            said = (shown(fact.value), shown(fact.first), shown(fact.last))
            cost = _FACT_BYTES + sum(map(_n_bytes, said)) + sum(map(self._cost, new))
            if self.n_bytes + cost > self.room:
                break
            self._add(new, cost)
            facts.append(fact)
        return facts

    def take_entities(self, others: Iterable[Entity]) -> None:
        """The first entities that there is room for."""
        for entity in others:
            if self.n_bytes + (cost := self._cost(entity)) > self.room:
                break
            self._add([entity], cost)

    def _cost(self, entity: Entity) -> int:
        names = (entity.entity_id, shown(entity.label), *self._aliases(entity))
        return _ENTITY_BYTES + sum(map(_n_bytes, names))

    def _add(self, new: Iterable[Entity], cost: int) -> None:
        self.n_bytes += cost
        for entity in new:
            self.place[entity.entity_id] = len(self.entities)
            self.entities.append(entity)

    def _aliases(self, entity: Entity) -> list[str]:
        return [shown(name, _ALIAS_LENGTH) for name in self.aliases.get(entity.entity_id, ())]

    def entity_columns(self) -> dict[str, Any]:
        """The columns of the entities: a type is a number in `types`."""
        types = sorted({e.type for e in self.entities})
        number = {name: i for i, name in enumerate(types)}
        return {
            "types": types,
            "id": [e.entity_id for e in self.entities],
            "label": [shown(e.label) for e in self.entities],
            "type": [number[e.type] for e in self.entities],
            "mentions": [e.n_mentions for e in self.entities],
            "documents": [e.n_documents for e in self.entities],
            "aliases": {i: names for i, e in enumerate(self.entities) if (names := self._aliases(e))},
        }


def _fact_columns(facts: Sequence[Fact], place: dict[str, int]) -> dict[str, Any]:
    """The columns of the facts: a relation is a number in `relations`, an end an entity's row, -1 for a value."""
    relations = sorted({fact.relation for fact in facts})
    number = {name: i for i, name in enumerate(relations)}
    return {
        "relations": relations,
        "id": [f.fact_id for f in facts],
        "head": [place[f.head] for f in facts],
        "relation": [number[f.relation] for f in facts],
        "tail": [place[f.tail] if f.tail else -1 for f in facts],
        "confidence": [int(f.confidence * 1000) for f in facts],  # rounded down: 1 is never claimed
        "asserted": [int(f.asserted) for f in facts],
        "evidence": [f.n_evidence for f in facts],
        "documents": [f.n_documents for f in facts],
        "values": {i: shown(f.value) for i, f in enumerate(facts) if not f.tail},
        "dates": {i: [shown(f.first), shown(f.last)] for i, f in enumerate(facts) if f.first or f.last},
    }


def _sentences(store: Store, facts: Sequence[Fact], limits: Limits, room: int) -> tuple[dict[str, Any], int, int]:
    """The columns of the evidence, each fact's surest first, then each one's second; how many rows, and of how many."""
    evidence, n_all = tables.evidence_of(store, {fact.fact_id for fact in facts}, limits.n_sentences)
    turns: list[list[_Piece]] = [[] for _ in range(limits.n_sentences)]
    for number, fact in enumerate(facts):
        for turn, piece in zip(turns, evidence.get(fact.fact_id, ()), strict=False):
            turn.append((number, piece))
    texts, titles = _texts(store, chain.from_iterable(turns))
    sentence_rows: dict[str, int] = {}
    document_rows: dict[str, int] = {}
    taken: list[tuple[int, list[Any]]] = []
    for number, piece in chain.from_iterable(turns):
        text, marks = texts[_key(piece)]
        title, date = titles[piece.doc_id]
        room -= _EVIDENCE_BYTES + (0 if text in sentence_rows else _n_bytes(text))
        room -= 0 if piece.doc_id in document_rows else sum(map(_n_bytes, (piece.doc_id, title, date)))
        if room < 0:
            break
        sentence = sentence_rows.setdefault(text, len(sentence_rows))
        document = document_rows.setdefault(piece.doc_id, len(document_rows))
        taken.append((number, [sentence, document, *marks, int(piece.confidence * 1000), piece.stance]))
    found: dict[int, list[list[Any]]] = {}
    for number, row in taken:
        found.setdefault(number, []).append(row)
    documents = [[shown(name, 300), *titles[name]] for name in document_rows]
    return {"documents": documents, "texts": list(sentence_rows), "evidence": found}, len(taken), n_all


def _key(piece: Evidence) -> tuple[str, str]:
    return piece.fact_id, piece.statement_id


def _texts(
    store: Store, pieces: Iterable[_Piece]
) -> tuple[dict[tuple[str, str], tuple[str, list[int]]], dict[str, tuple[str, str]]]:
    """The sentence of each piece of evidence with its marks; the title and the date of each document."""
    wanted: dict[str, list[Evidence]] = {}
    for _, piece in pieces:
        wanted.setdefault(piece.doc_id, []).append(piece)
    texts, titles = {}, {}
    for document in tables.documents_of(store, wanted):
        name = document["doc_id"]
        titles[name] = shown(document["title"]), shown(document["date"])
        for e in wanted[name]:
            sentence = document["text"][e.sentence_begin : e.sentence_end]
            ends = (e.head_begin, e.head_end, e.tail_begin, e.tail_end)
            texts[_key(e)] = excerpt(sentence, [end - e.sentence_begin for end in ends])
    return texts, titles
