"""neo4j-nodes.csv.gz and neo4j-edges.csv.gz: entities and facts for Neo4j's bulk import.

    neo4j-admin database import full neo4j --nodes=neo4j-nodes.csv.gz --relationships=neo4j-edges.csv.gz \\
        --array-delimiter=U+001F --multiline-fields=true

Values that asserted facts end in are properties of the node; facts between entities are relationships, asserted or not.
Text is in quotes, a quote in it twice, and may hold line ends. Lists are parted by U+001F, which no keyboard has;
U+FFFD stands for one in a text, and for NUL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kgmill.pipelines.graph.formats import Graph, GraphFormat
from kgmill.pipelines.graph.gzipped import write_gzip
from kgmill.pipelines.graph.rows import clean, documents_of, every_fact, every_node, value_columns

_EDGES = "neo4j-edges.csv.gz"
_PART = "\x1f"
_NO_CELL = str.maketrans({_PART: "\ufffd", "\0": "\ufffd"})
_NODE = (
    *("id:ID", "entity_id", "name", "names:string[]", "same_as:string[]"),
    *("n_mentions:long", "n_documents:long", "confidence:double", ":LABEL"),
)
_EDGE = (
    *(":START_ID", ":END_ID", ":TYPE", "fact_id", "iri", "asserted:boolean", "confidence:double", "share:double"),
    *("n_evidence:long", "n_documents:long", "first", "last", "documents:string[]"),
)
_EVERY = "Entity"  # a label that all nodes have, for an index or a constraint


def write(graph: Graph, path: Path) -> dict[str, Any]:
    """Writes nodes and relationships; returns how many values no property tells, as their facts are not asserted."""
    write_gzip(path, _nodes(graph))
    write_gzip(path.with_name(_EDGES), _edges(graph))
    n_values = sum(bool(fact.datatype) and not fact.asserted for fact in graph.facts())
    return {"left_out": {"value that is not asserted": n_values}} if n_values else {}


def _nodes(graph: Graph) -> Iterator[str]:
    columns = value_columns(graph, {name.partition(":")[0] for name in _NODE})
    yield _head([*_NODE, *(f"{column}:string[]" for column in columns.values())])
    for node in every_node(graph, with_values=True):
        e = node.entity
        own = (node.iri, e.entity_id, e.label, node.names, node.same_as, e.n_mentions, e.n_documents, e.confidence)
        yield _row([*own, [e.type, _EVERY], *(node.values.get(relation, []) for relation in columns)])


def _edges(graph: Graph) -> Iterator[str]:
    ns = graph.ns
    yield _head(_EDGE)
    for fact, evidence in every_fact(graph):
        if not fact.datatype:
            ends = ns.entity(fact.head), ns.entity(fact.tail), fact.relation
            said = fact.fact_id, ns.property_iri(fact.relation), fact.asserted, fact.confidence, fact.share
            found = fact.n_evidence, fact.n_documents, fact.first, fact.last, documents_of(evidence)
            yield _row([*ends, *said, *found])


def _head(cells: Iterable[str]) -> str:
    return ",".join(_cell(cell) if re.search('[,"]', cell) else cell for cell in cells) + "\n"


def _row(cells: Iterable[Any]) -> str:
    return ",".join(map(_cell, cells)) + "\n"


def _cell(value: Any) -> str:
    """A number or a truth value as it is, text and lists in quotes; an empty one is nothing, which is no property."""
    if isinstance(value, list):
        text = _PART.join(clean(item).translate(_NO_CELL) for item in value)
    elif isinstance(value, str):
        text = clean(value).translate(_NO_CELL)
    else:
        return str(value).lower()
    return '"' + text.replace('"', '""') + '"' if text else ""


FORMAT = GraphFormat("neo4j-nodes.csv.gz", write, reads="quads", beside=(_EDGES,))
