"""Entities and facts as rows, for formats that have nodes with properties and edges: an entity or a fact at a time.

A fact that ends in a value is a property of its head there, if it is asserted: a property has no room for a confidence.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter, itemgetter

from kgmill.pipelines.graph.formats import Graph
from kgmill.pipelines.graph.lines import iri
from kgmill.pipelines.graph.property_graph import with_evidence
from kgmill.pipelines.graph.rdf import kg_lines
from kgmill.pipelines.graph.vocabulary import SKOS
from kgmill.schemas.records import Entity, Evidence, Fact

_SAME = iri(SKOS + "exactMatch").encode()
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


@dataclass(frozen=True, slots=True)
class Node:
    """An entity, with all that is said of it alone.

    Attributes:
        iri: its own.
        names: its other names, sorted.
        same_as: the IRIs that others have for it.
        values: the values of its asserted facts by relation, sorted; only for a graph whose values are asked for.
    """

    entity: Entity
    iri: str
    names: list[str]
    same_as: list[str]
    values: dict[str, list[str]]


def every_node(graph: Graph, *, with_values: bool) -> Iterator[Node]:
    """The entities in their order.

    Names and links are in the same order, and so are read side by side. Values go by fact: they wait on disk, in a
    file of SQLite's own that is gone afterwards.
    """
    ns = graph.ns
    names = _Beside((n.entity_id, n.name) for n in graph.names())
    links = _Beside((s, value[1:-1].decode()) for s, verb, value in kg_lines(graph) if verb == _SAME)
    with closing(sqlite3.connect("")) as values:
        values.execute("CREATE TABLE said (head TEXT, relation TEXT, value TEXT)")
        if with_values and ns.ontology.has_literals:
            said = ((f.head, f.relation, clean(f.value)) for f in graph.facts() if f.datatype and f.asserted)
            values.executemany("INSERT INTO said VALUES (?, ?, ?)", said)
            values.execute("CREATE INDEX by_head ON said (head, relation, value)")
        for entity in graph.entities():
            name = ns.entity(entity.entity_id)
            found: dict[str, list[str]] = defaultdict(list)
            for relation, value in values.execute(
                "SELECT DISTINCT relation, value FROM said WHERE head = ? ORDER BY relation, value", (entity.entity_id,)
            ):
                found[relation].append(value)
            others = {clean(n) for n in names.of(entity.entity_id)} - {clean(entity.label)}
            yield Node(entity, name, sorted(others), links.of(iri(name).encode()), dict(found))


def every_fact(graph: Graph) -> Iterator[tuple[Fact, list[Evidence]]]:
    """The facts in their order, each with its evidence by document and offsets."""
    for fact, found in with_evidence(graph.facts(), graph.evidence()):
        yield fact, sorted(found, key=attrgetter("doc_id", "head_begin", "head_end", "tail_begin", "tail_end"))


def value_columns(graph: Graph, taken: Collection[str]) -> dict[str, str]:
    """The relations whose facts end in values, each with the name of its column: none that is taken, or holds a `:`.

    Where an entity has a column of this name, the relation's has `_` behind it.
    """
    ontology = graph.ns.ontology
    found: dict[str, str] = {}
    for name, relation in ontology.relations.items():
        if any(ontology.entities[tail].literal for tail in relation.tail):
            column = name.replace(":", "_")
            while column in taken or column in found.values():
                column += "_"
            found[name] = column
    return found


def documents_of(evidence: Iterable[Evidence]) -> list[str]:
    """The ids of the documents behind a fact, sorted."""
    return sorted({clean(e.doc_id) for e in evidence})


def clean(text: str) -> str:
    """Text without lone surrogates, which no file can hold: U+FFFD stands for each, as in graph.nq.gz."""
    return text if text.isascii() else text.translate(_SURROGATES)


class _Beside:
    """What is said of keys that come in the order of another sequence, in which some have nothing said of them."""

    def __init__(self, said: Iterable[tuple[object, str]]) -> None:
        self._groups = groupby(said, itemgetter(0))
        self._next()

    def of(self, key: object) -> list[str]:
        if key != self._key:
            return []
        found = [value for _, value in self._found]
        self._next()
        return found

    def _next(self) -> None:
        self._key: object
        self._found: Iterable[tuple[object, str]]
        self._key, self._found = next(self._groups, (None, ()))
