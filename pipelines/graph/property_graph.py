"""The graph as nodes and edges with attributes, as NetworkX has them.

They are made a record at a time, nodes first, then edges: no graph is ever in memory. A fact that ends in a value has a
node of its own for it: one node a value would make neighbours of all that happened in one year.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby
from operator import attrgetter
from typing import Any

from kgmill.pipelines.graph.formats import Graph
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.schemas.literals import XSD
from kgmill.schemas.records import Entity, Evidence, Fact

Node = tuple[str, dict[str, Any]]
Edge = tuple[str, str, str, dict[str, Any]]

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ascii_json: Callable[[Any], str] = json.JSONEncoder(separators=(",", ":")).encode


def every_node(graph: Graph) -> Iterator[Node]:
    """The nodes of a graph: its entities, then the values that its facts end in."""
    values = literal_nodes(graph.ns, graph.facts()) if graph.ns.ontology.has_literals else ()
    return chain(nodes(graph.ns, graph.entities()), values)


def every_edge(graph: Graph) -> Iterator[Edge]:
    """The edges of a graph: its facts."""
    return edges(graph.ns, graph.facts(), graph.evidence())


def nodes(ns: Namespace, entities: Iterable[Entity]) -> Iterator[Node]:
    """The entities as nodes, in their order.

    A node is the entity's IRI, with `entity_id`, `type`, `name`, `n_mentions`, `n_documents` and `confidence`. No
    attribute is called `label`: some formats keep that for the node itself. In a name, U+FFFD stands for what XML can't
    carry.
    """
    for entity in entities:
        attributes = {
            "entity_id": entity.entity_id,
            "type": entity.type,
            "name": _NOT_XML.sub("\ufffd", entity.label),
            "n_mentions": entity.n_mentions,
            "n_documents": entity.n_documents,
            "confidence": entity.confidence,
        }
        yield ns.entity(entity.entity_id), attributes


def literal_nodes(ns: Namespace, facts: Iterable[Fact]) -> Iterator[Node]:
    """The values that facts end in as nodes, in their order.

    Such a node has `kind`, always `literal`, by which it is told from an entity, `type` (`xsd:date`), `name` (the
    value) and `datatype` (a full IRI). What is said of the fact is said on its only edge.
    """
    for fact in facts:
        if fact.datatype:
            attributes = {
                "kind": "literal",
                "type": f"xsd:{fact.datatype.removeprefix(XSD)}",
                "name": _NOT_XML.sub("\ufffd", fact.value),
                "datatype": fact.datatype,
            }
            yield ns.fact_value(fact.fact_id), attributes


def edges(ns: Namespace, facts: Iterable[Fact], evidence: Iterable[Evidence]) -> Iterator[Edge]:
    """The facts as edges, in their order: (head, tail, key, attributes). `evidence` goes by fact in the same order.

    An edge's key is `a-` and the fact's id, as in the IRI of its statement: an id may be digits only, and
    `read_graphml` would make a number of it. An edge has `fact_id`, `relation`, `iri` (the property's), `confidence`,
    `n_evidence`, `n_documents` and `evidence`: a JSON list of objects with `doc_id`, the offsets `[begin, end]` of
    `sentence`, `head` and `tail`, and `confidence`.

    Raises:
        ValueError: there is evidence of another fact than the next one.
    """
    for fact, found in with_evidence(facts, evidence):
        attributes = {
            "fact_id": fact.fact_id,
            "relation": fact.relation,
            "iri": ns.property_iri(fact.relation),
            "confidence": fact.confidence,
            "n_evidence": fact.n_evidence,
            "n_documents": fact.n_documents,
            "evidence": _evidence_json(found),
        }
        tail = ns.fact_value(fact.fact_id) if fact.datatype else ns.entity(fact.tail)
        yield ns.entity(fact.head), tail, f"a-{fact.fact_id}", attributes


def with_evidence(facts: Iterable[Fact], evidence: Iterable[Evidence]) -> Iterator[tuple[Fact, list[Evidence]]]:
    """Each fact with its evidence, which goes by fact in the same order.

    Raises:
        ValueError: there is evidence of another fact than the next one.
    """
    behind = groupby(evidence, attrgetter("fact_id"))
    for fact in facts:
        found: list[Evidence] = []
        if fact.n_evidence:
            name, items = next(behind, ("", ()))
            if name != fact.fact_id:
                raise ValueError(f"evidence of {name or 'nothing'} where that of {fact.fact_id} was wanted")
            found = list(items)
        yield fact, found


def _evidence_json(evidence: Sequence[Evidence]) -> str:
    """The evidence by document and offsets, in ASCII, so that XML can carry whatever a document's id holds."""
    items = [
        {
            "doc_id": e.doc_id,
            "sentence": [e.sentence_begin, e.sentence_end],
            "head": [e.head_begin, e.head_end],
            "tail": [e.tail_begin, e.tail_end],
            "confidence": e.confidence,
        }
        for e in sorted(evidence, key=attrgetter("doc_id", "head_begin", "head_end", "tail_begin", "tail_end"))
    ]
    return _ascii_json(items)
