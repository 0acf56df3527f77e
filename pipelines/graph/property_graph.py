"""The graph for NetworkX: GraphML and node-link JSON, gzipped, which load to equal graphs.

    import gzip, json, networkx as nx
    nx.read_graphml("graph.graphml.gz", force_multigraph=True)
    nx.node_link_graph(json.load(gzip.open("graph.json.gz")), edges="edges")

GraphML has no place to say that a graph is a multigraph: without `force_multigraph`, NetworkX makes a DiGraph of a file
in which no two facts join the same entities in the same direction, with the edges' keys as an attribute `id`.

Both files are written a record at a time, nodes first, then edges: no graph is ever in memory. A fact that ends in a
value has a node of its own for it: one node a value would make neighbours of all that happened in one year.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.schemas.literals import XSD
from kgmill.schemas.records import Entity, Evidence, Fact

Node = tuple[str, dict[str, Any]]
Edge = tuple[str, str, str, dict[str, Any]]

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_PIECES_A_WRITE = 1024
# Every graph that read_graphml makes has these two attributes: with them, nx.utils.graphs_equal holds.
_GRAPH_ATTRIBUTES: dict[str, Any] = {"node_default": {}, "edge_default": {}}
_GRAPHML_TYPES = {
    "node": {
        "entity_id": "string",
        "type": "string",
        "name": "string",
        "n_mentions": "long",
        "n_documents": "long",
        "confidence": "double",
    },
    "edge": {
        "fact_id": "string",
        "relation": "string",
        "iri": "string",
        "confidence": "double",
        "n_evidence": "long",
        "n_documents": "long",
        "evidence": "string",
    },
}
_LITERAL_TYPES = {"kind": "string", "datatype": "string"}
_GRAPHML_KEYS = {
    kind: {name: f"{kind[0]}{i}" for i, name in enumerate(types)}
    for kind, types in {**_GRAPHML_TYPES, "node": _GRAPHML_TYPES["node"] | _LITERAL_TYPES}.items()
}
_GRAPHML_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns'
    ' http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">\n'
)


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
    behind = groupby(evidence, attrgetter("fact_id"))
    for fact in facts:
        found: list[Evidence] = []
        if fact.n_evidence:
            name, items = next(behind, ("", ()))
            if name != fact.fact_id:
                raise ValueError(f"evidence of {name or 'nothing'} where that of {fact.fact_id} was wanted")
            found = list(items)
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


def write_graphml(nodes: Iterable[Node], edges: Iterable[Edge], path: Path, *, has_literals: bool = False) -> None:
    """Writes gzipped GraphML: equal bytes for equal nodes and edges in the same order.

    GraphML names the attributes before the first node: `has_literals` adds those that only `literal_nodes` have.
    """
    _write_gzip(path, _graphml(nodes, edges, _LITERAL_TYPES if has_literals else {}))


def write_node_link(nodes: Iterable[Node], edges: Iterable[Edge], path: Path) -> None:
    """Writes gzipped node-link JSON: equal bytes for equal nodes and edges in the same order."""
    _write_gzip(path, _node_link(nodes, edges))


def _graphml(nodes: Iterable[Node], edges: Iterable[Edge], more: dict[str, str]) -> Iterator[str]:
    yield _GRAPHML_HEAD
    for kind, types in {**_GRAPHML_TYPES, "node": _GRAPHML_TYPES["node"] | more}.items():
        for name, type_name in types.items():
            key = _GRAPHML_KEYS[kind][name]
            yield f'<key id="{key}" for="{kind}" attr.name="{name}" attr.type="{type_name}"/>\n'
    yield '<graph edgedefault="directed">\n'
    for node, attributes in nodes:
        yield f'<node id="{_xml(node)}">{_data("node", attributes)}</node>\n'
    for head, tail, key, attributes in edges:
        ends = f'source="{_xml(head)}" target="{_xml(tail)}"'
        yield f'<edge {ends} id="{_xml(key)}">{_data("edge", attributes)}</edge>\n'
    yield "</graph>\n</graphml>\n"


def _data(kind: str, attributes: dict[str, Any]) -> str:
    keys = _GRAPHML_KEYS[kind]
    return "".join(f'<data key="{keys[name]}">{_xml(str(value))}</data>' for name, value in attributes.items())


def _xml(text: str) -> str:
    """Text as XML, in an element or in double quotes; a bare carriage return would be read as a line feed."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("\r", "&#13;")


def _node_link(nodes: Iterable[Node], edges: Iterable[Edge]) -> Iterator[str]:
    """The pieces of `nx.node_link_data` as compact JSON."""
    yield f'{{"directed":true,"multigraph":true,"graph":{_json(_GRAPH_ATTRIBUTES)},"nodes":['
    yield from _items({**attributes, "id": node} for node, attributes in nodes)
    yield '],"edges":['
    yield from _items({**data, "source": head, "target": tail, "key": key} for head, tail, key, data in edges)
    yield "]}"


def _items(values: Iterable[Any]) -> Iterator[str]:
    for index, value in enumerate(values):
        yield f",{_json(value)}" if index else _json(value)


_json: Callable[[Any], str] = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_ascii_json: Callable[[Any], str] = json.JSONEncoder(separators=(",", ":")).encode


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


def _write_gzip(path: Path, pieces: Iterable[str]) -> None:
    """A gzip file whose header holds neither name nor time, so that equal contents are equal bytes."""
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as file:
        batch: list[str] = []
        for piece in pieces:
            batch.append(piece)
            if len(batch) == _PIECES_A_WRITE:
                file.write("".join(batch).encode())
                batch = []
        file.write("".join(batch).encode())
