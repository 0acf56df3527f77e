"""graph.graphml.gz: entities and facts for NetworkX, Gephi and others.

    import networkx as nx
    nx.read_graphml("graph.graphml.gz", force_multigraph=True)

GraphML has no place to say that a graph is a multigraph: without `force_multigraph`, NetworkX makes a DiGraph of a file
in which no two facts join the same entities in the same direction, with the edges' keys as an attribute `id`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kgmill.pipelines.graph.formats import Graph, GraphFormat
from kgmill.pipelines.graph.gzipped import write_gzip
from kgmill.pipelines.graph.property_graph import Edge, Node, every_edge, every_node

_TYPES = {
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
_KEYS = {
    kind: {name: f"{kind[0]}{i}" for i, name in enumerate(types)}
    for kind, types in {**_TYPES, "node": _TYPES["node"] | _LITERAL_TYPES}.items()
}
_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns'
    ' http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">\n'
)


def write(graph: Graph, path: Path) -> dict[str, Any]:
    """Writes nodes and edges as GraphML."""
    write_graphml(every_node(graph), every_edge(graph), path, has_literals=graph.ns.ontology.has_literals)
    return {}


def write_graphml(nodes: Iterable[Node], edges: Iterable[Edge], path: Path, *, has_literals: bool = False) -> None:
    """Writes gzipped GraphML: equal bytes for equal nodes and edges in the same order.

    GraphML names the attributes before the first node: `has_literals` adds those that only `literal_nodes` have.
    """
    write_gzip(path, _graphml(nodes, edges, _LITERAL_TYPES if has_literals else {}))


def _graphml(nodes: Iterable[Node], edges: Iterable[Edge], more: dict[str, str]) -> Iterator[str]:
    yield _HEAD
    for kind, types in {**_TYPES, "node": _TYPES["node"] | more}.items():
        for name, type_name in types.items():
            key = _KEYS[kind][name]
            yield f'<key id="{key}" for="{kind}" attr.name="{name}" attr.type="{type_name}"/>\n'
    yield '<graph edgedefault="directed">\n'
    for node, attributes in nodes:
        yield f'<node id="{_xml(node)}">{_data("node", attributes)}</node>\n'
    for head, tail, key, attributes in edges:
        ends = f'source="{_xml(head)}" target="{_xml(tail)}"'
        yield f'<edge {ends} id="{_xml(key)}">{_data("edge", attributes)}</edge>\n'
    yield "</graph>\n</graphml>\n"


def _data(kind: str, attributes: dict[str, Any]) -> str:
    keys = _KEYS[kind]
    return "".join(f'<data key="{keys[name]}">{_xml(str(value))}</data>' for name, value in attributes.items())


def _xml(text: str) -> str:
    """Text as XML, in an element or in double quotes; a bare carriage return would be read as a line feed."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("\r", "&#13;")


FORMAT = GraphFormat("graph.graphml.gz", write, reads="tables")
