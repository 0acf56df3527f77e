"""graph.json.gz: entities and facts as node-link JSON, which loads to a graph equal to that of graph.graphml.gz.

import gzip, json, networkx as nx
nx.node_link_graph(json.load(gzip.open("graph.json.gz")), edges="edges")
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from kgmill.pipelines.graph.formats import Graph, GraphFormat
from kgmill.pipelines.graph.gzipped import write_gzip
from kgmill.pipelines.graph.property_graph import Edge, Node, every_edge, every_node

# Every graph that read_graphml makes has these two attributes: with them, nx.utils.graphs_equal holds.
_GRAPH_ATTRIBUTES: dict[str, Any] = {"node_default": {}, "edge_default": {}}
_json: Callable[[Any], str] = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def write(graph: Graph, path: Path) -> dict[str, Any]:
    """Writes nodes and edges as node-link JSON."""
    write_node_link(every_node(graph), every_edge(graph), path)
    return {}


def write_node_link(nodes: Iterable[Node], edges: Iterable[Edge], path: Path) -> None:
    """Writes gzipped node-link JSON: equal bytes for equal nodes and edges in the same order."""
    write_gzip(path, _node_link(nodes, edges))


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


FORMAT = GraphFormat("graph.json.gz", write, reads="tables")
