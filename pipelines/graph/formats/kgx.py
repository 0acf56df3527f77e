"""kgx-nodes.tsv.gz and kgx-edges.tsv.gz: entities and facts as KGX's TSV, with Biolink's columns.

    kgx validate --input-format tsv kgx-nodes.tsv.gz kgx-edges.tsv.gz

A category or predicate is the Biolink term that the ontology names (`https://w3id.org/biolink/vocab/...` in `iri`,
`equivalent` or `broader` of a type or of one above it), else biolink:NamedThing and biolink:related_to; what kgmill
calls it stands beside it. Entities are CURIEs whose prefix is the dataset's name, `DATASET:ID`.

TSV of KGX has no escapes: a tab, a line end, another control or a `|` in a text is a space. Lists are parted by `|`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kgmill.pipelines.graph.formats import Graph, GraphFormat
from kgmill.pipelines.graph.gzipped import write_gzip
from kgmill.pipelines.graph.mapped import Vocabulary, words_of
from kgmill.pipelines.graph.rows import clean, every_fact, every_node, value_columns

_EDGES = "kgx-edges.tsv.gz"
_BIOLINK = "https://w3id.org/biolink/vocab/"
_NOT_TSV = re.compile("[\x00-\x1f\x7f|\x85\u2028\u2029]+")
_NODE = (
    *("id", "category", "name", "provided_by", "synonym", "same_as", "iri", "entity_type"),
    *("n_mentions", "n_documents", "confidence"),
)
_EDGE = (
    *("id", "subject", "predicate", "object", "category", "primary_knowledge_source", "knowledge_level"),
    *("agent_type", "publications", "original_predicate", "relation", "asserted", "has_confidence_score"),
    *("share", "n_evidence", "n_documents", "first", "last"),
)


def _own(name: str) -> str:
    return f"biolink:{name.removeprefix(_BIOLINK)}" if name.startswith(_BIOLINK) else ""


_VOCABULARY = Vocabulary(own=_own, also={}, value=bytes)


def write(graph: Graph, path: Path) -> dict[str, Any]:
    """Writes nodes and edges; returns how many values no property tells, as their facts are not asserted."""
    write_gzip(path, _nodes(graph))
    write_gzip(path.with_name(_EDGES), _edges(graph))
    n_values = sum(bool(fact.datatype) and not fact.asserted for fact in graph.facts())
    return {"left_out": {"value that is not asserted": n_values}} if n_values else {}


def _nodes(graph: Graph) -> Iterator[str]:
    source, columns = _source(graph), value_columns(graph, _NODE)
    classes = words_of(graph.ns.ontology, _VOCABULARY).classes
    yield _row([*_NODE, *columns.values()])
    for node in every_node(graph, with_values=True):
        e = node.entity
        yield _row(
            [
                _curie(graph, e.entity_id),
                list(classes[e.type]) or "biolink:NamedThing",
                e.label,
                source,
                node.names,
                node.same_as,
                node.iri,
                e.type,
                e.n_mentions,
                e.n_documents,
                e.confidence,
                *(node.values.get(relation, []) for relation in columns),
            ]
        )


def _edges(graph: Graph) -> Iterator[str]:
    """A fact has one predicate, the first that holds from head to tail."""
    ns, source = graph.ns, _source(graph)
    predicates = words_of(ns.ontology, _VOCABULARY).forward
    yield _row(_EDGE)
    for fact, evidence in every_fact(graph):
        if not fact.datatype:
            yield _row(
                [
                    ns.aggregated_statement(fact.fact_id),
                    _curie(graph, fact.head),
                    next(iter(predicates[fact.relation]), "biolink:related_to"),
                    _curie(graph, fact.tail),
                    "biolink:Association",
                    source,
                    "not_provided",  # Biolink's word for what was taken from text
                    "text_mining_agent",
                    sorted({ns.document(e.doc_id) for e in evidence}),
                    fact.relation,
                    ns.property_iri(fact.relation),
                    fact.asserted,
                    fact.confidence,
                    fact.share,
                    fact.n_evidence,
                    fact.n_documents,
                    fact.first,
                    fact.last,
                ]
            )


def _source(graph: Graph) -> str:
    return f"infores:{graph.ns.dataset}"


def _curie(graph: Graph, entity_id: str) -> str:
    return f"{graph.ns.dataset}:{entity_id}"


def _row(cells: Iterable[Any]) -> str:
    return "\t".join("|".join(map(_text, cell)) if isinstance(cell, list) else _text(cell) for cell in cells) + "\n"


def _text(value: Any) -> str:
    return _NOT_TSV.sub(" ", clean(value)).strip() if isinstance(value, str) else str(value).lower()


FORMAT = GraphFormat("kgx-nodes.tsv.gz", write, reads="quads", beside=(_EDGES,))
