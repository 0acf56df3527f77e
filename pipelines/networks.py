"""The graph for NetworkX: GraphML and node-link JSON, gzipped, which load to equal graphs.

    import gzip, json, networkx as nx
    nx.read_graphml("graph.graphml.gz", force_multigraph=True)
    nx.node_link_graph(json.load(gzip.open("graph.json.gz")), edges="edges")

GraphML has no place to say that a graph is a multigraph: without `force_multigraph`, NetworkX makes a DiGraph of a file
in which no two facts join the same entities in the same direction, with the edges' keys as an attribute `id`.
"""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any

import networkx as nx

from pipelines.vocabulary import Namespace
from schemas.records import Entity, Evidence, Fact

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def build_network(
    ns: Namespace, entities: Iterable[Entity], facts: Iterable[Fact], evidence_by_fact: Mapping[str, Sequence[Evidence]]
) -> nx.MultiDiGraph:
    """The entities as nodes and the facts as edges; the same graph, in the same order, for records in any order.

    A node is the entity's IRI, with `entity_id`, `type`, `name`, `n_mentions`, `n_documents` and `confidence`. No
    attribute is called `label`: some formats keep that for the node itself. In a name, U+FFFD stands for what XML can't
    carry.

    An edge's key is `a-` and the fact's id, as in the IRI of its statement: an id may be digits only, and
    `read_graphml` would make a number of it. An edge has `fact_id`, `relation`, `iri` (the property's), `confidence`,
    `n_evidence`, `n_documents` and `evidence`: a JSON list of objects with `doc_id`, the offsets `[begin, end]` of
    `sentence`, `head` and `tail`, and `confidence`.

    Raises:
        KeyError: a fact of an entity that is not among `entities`.
    """
    # Every graph that read_graphml makes has these two attributes: with them, nx.utils.graphs_equal holds.
    graph = nx.MultiDiGraph(node_default={}, edge_default={})
    # One string object for each IRI and type name, however many rows repeat it: that is half of a large graph's memory.
    types = {name: name for name in ns.ontology.entity_names}
    relations = {name: (name, ns.property_iri(name)) for name in ns.ontology.relation_names}
    nodes: dict[str, str] = {}
    for entity in sorted(entities, key=attrgetter("entity_id")):
        nodes[entity.entity_id] = ns.entity(entity.entity_id)
        graph.add_node(nodes[entity.entity_id], **_node_attributes(entity, types[entity.type]))
    for fact in sorted(facts, key=attrgetter("fact_id")):
        attributes = _edge_attributes(fact, *relations[fact.relation], evidence_by_fact.get(fact.fact_id, ()))
        graph.add_edge(nodes[fact.head], nodes[fact.tail], key=f"a-{fact.fact_id}", **attributes)
    return graph


def write_graphml(graph: nx.MultiDiGraph, path: Path) -> None:
    """Writes gzipped GraphML: equal bytes for graphs that are equal and in the same order."""
    with _gzip(path) as file:
        nx.write_graphml_lxml(graph, file)


def write_node_link(graph: nx.MultiDiGraph, path: Path) -> None:
    """Writes gzipped node-link JSON, an edge at a time: equal bytes for graphs that are equal and in the same order."""
    with _gzip(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
        text.writelines(_node_link(graph))
        text.detach()


def _node_link(graph: nx.MultiDiGraph) -> Iterator[str]:
    """The pieces of `nx.node_link_data`, which would hold the graph a second time."""
    yield '{"directed":true,"edges":['
    edges = graph.edges(keys=True, data=True)
    yield from _items({**data, "source": u, "target": v, "key": key} for u, v, key, data in edges)
    yield f'],"graph":{_json(graph.graph)},"multigraph":true,"nodes":['
    yield from _items({**data, "id": node} for node, data in graph.nodes(data=True))
    yield "]}"


def _items(values: Iterable[Any]) -> Iterator[str]:
    for index, value in enumerate(values):
        yield f",{_json(value)}" if index else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _node_attributes(entity: Entity, type_name: str) -> dict[str, Any]:
    return {
        "entity_id": entity.entity_id,
        "type": type_name,
        "name": _NOT_XML.sub("\ufffd", entity.label),
        "n_mentions": entity.n_mentions,
        "n_documents": entity.n_documents,
        "confidence": entity.confidence,
    }


def _edge_attributes(fact: Fact, relation: str, iri: str, evidence: Sequence[Evidence]) -> dict[str, Any]:
    return {
        "fact_id": fact.fact_id,
        "relation": relation,
        "iri": iri,
        "confidence": fact.confidence,
        "n_evidence": fact.n_evidence,
        "n_documents": fact.n_documents,
        "evidence": _evidence_json(evidence),
    }


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
    return json.dumps(items, separators=(",", ":"))


@contextmanager
def _gzip(path: Path) -> Iterator[gzip.GzipFile]:
    """A gzip file whose header holds neither name nor time, so that equal contents are equal bytes."""
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as file:
        yield file
