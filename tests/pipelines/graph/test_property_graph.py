"""The graph for NetworkX, and its two files."""

import gzip
import json
import tracemalloc
import xml.etree.ElementTree as ET
from dataclasses import replace

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgmill.pipelines.graph.formats.graphml import write_graphml
from kgmill.pipelines.graph.formats.json import write_node_link
from kgmill.pipelines.graph.property_graph import edges, literal_nodes, nodes
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.schemas.ontology import parse_ontology
from kgmill.schemas.records import Entity, Evidence, Fact

ONTOLOGY = parse_ontology(
    {
        "entities": {"Peop": {}, "Loc": {}},
        "relations": {
            "Born_In": {"head": ["Peop"], "tail": ["Loc"]},
            "Live_In": {"head": ["Peop"], "tail": ["Loc"], "iri": "https://schema.org/homeLocation"},
        },
    },
    "test",
)
NS = Namespace("https://kg.example.org/", "news", ONTOLOGY)
ADA = Entity("ada-7f3a9c21d04be855", "Peop", "Ada", 12, 3, 1.0)
LONDON = Entity("london-1b6e44f0c2d97a13", "Loc", "London", 2, 1, 0.75)
LIVES = Fact("0123456789012345", ADA.entity_id, "Live_In", LONDON.entity_id, 0.981, 2, 1)
BORN = Fact("00000000000000ff", ADA.entity_id, "Born_In", LONDON.entity_id, 1.0, 0, 0)
EVIDENCE = (
    Evidence(LIVES.fact_id, "91c2f7", "d2", 5, 34, 5, 17, 27, 33, 0.9312),
    Evidence(LIVES.fact_id, "11aa22", "d1", 50, 80, 50, 62, 70, 76, 0.72),
)
ADA_IRI = "https://kg.example.org/news/entity/ada-7f3a9c21d04be855"
LONDON_IRI = "https://kg.example.org/news/entity/london-1b6e44f0c2d97a13"


def network(entities=(ADA, LONDON), facts=(BORN, LIVES), evidence=EVIDENCE):
    """The nodes and edges as lists, as both writers take them."""
    if LIVES not in facts:
        evidence = ()
    return list(nodes(NS, entities)), list(edges(NS, facts, evidence))


def graph_of(records):
    """The graph that both files should load to."""
    graph = nx.MultiDiGraph(node_default={}, edge_default={})
    graph.add_nodes_from(records[0])
    for head, tail, key, attributes in records[1]:
        graph.add_edge(head, tail, key=key, **attributes)
    return graph


def load_graphml(path):
    return nx.read_graphml(path, force_multigraph=True)


def load_node_link(path):
    return nx.node_link_graph(json.loads(gzip.decompress(path.read_bytes())), edges="edges")


def content(graph):
    """All that a graph holds, with the type of each value; the order is the graph's."""
    nodes = [
        (node, [(key, type(value), value) for key, value in sorted(data.items())]) for node, data in graph.nodes.items()
    ]
    edges = [
        (edge, [(key, type(value), value) for key, value in sorted(data.items())]) for edge, data in graph.edges.items()
    ]
    return type(graph), graph.graph, nodes, edges


def write_and_load(records, folder):
    write_graphml(*records, folder / "graph.graphml.gz")
    write_node_link(*records, folder / "graph.json.gz")
    return load_graphml(folder / "graph.graphml.gz"), load_node_link(folder / "graph.json.gz")


def test_node_is_an_entity():
    """A node is the entity's IRI with what the record says, and no attribute `label`."""
    assert graph_of(network()).nodes[ADA_IRI] == {
        "entity_id": "ada-7f3a9c21d04be855",
        "type": "Peop",
        "name": "Ada",
        "n_mentions": 12,
        "n_documents": 3,
        "confidence": 1.0,
    }


def test_edge_is_a_fact_with_its_evidence():
    """An edge's evidence is a JSON list, by document, down to the offsets of both mentions."""
    assert graph_of(network()).edges[ADA_IRI, LONDON_IRI, "a-0123456789012345"] == {
        "fact_id": "0123456789012345",
        "relation": "Live_In",
        "iri": "https://schema.org/homeLocation",
        "confidence": 0.981,
        "n_evidence": 2,
        "n_documents": 1,
        "evidence": '[{"doc_id":"d1","sentence":[50,80],"head":[50,62],"tail":[70,76],"confidence":0.72},'
        '{"doc_id":"d2","sentence":[5,34],"head":[5,17],"tail":[27,33],"confidence":0.9312}]',
    }


def test_facts_of_the_same_entities_are_parallel_edges():
    """Two relations between two entities are two edges, each with its own key."""
    assert list(graph_of(network()).edges(keys=True)) == [
        (ADA_IRI, LONDON_IRI, "a-00000000000000ff"),
        (ADA_IRI, LONDON_IRI, "a-0123456789012345"),
    ]


@pytest.mark.parametrize(
    "evidence", [(), (replace(EVIDENCE[0], fact_id=BORN.fact_id), *EVIDENCE)], ids=["none", "another's"]
)
def test_evidence_that_does_not_fit_is_an_error(evidence):
    """Evidence comes in the order of the facts; none is given to another fact, and none is missing."""
    with pytest.raises(ValueError, match=f"where that of {LIVES.fact_id} was wanted"):
        network(evidence=evidence)


@pytest.mark.parametrize("facts", [(BORN, LIVES), (LIVES,), ()], ids=["parallel edges", "one edge", "no edge"])
def test_both_files_load_to_the_graph(tmp_path, facts):
    """Nodes, edges, keys, attributes and the types of their values come back, parallel edges or not."""
    records = network(facts=facts)

    graphml, node_link = write_and_load(records, tmp_path)

    assert content(graph_of(records)) == content(graphml) == content(node_link)
    assert nx.utils.graphs_equal(graphml, node_link)


def test_empty_graph_comes_back_empty(tmp_path):
    """A graph without entities is a file like any other."""
    graphml, node_link = write_and_load(network([], []), tmp_path)

    assert (nx.MultiDiGraph, 0) == (type(graphml), len(graphml))
    assert (nx.MultiDiGraph, 0) == (type(node_link), len(node_link))


def test_graphml_with_parallel_edges_needs_no_argument(tmp_path):
    """`read_graphml` alone finds the multigraph and its keys, though one fact's id is a number."""
    write_graphml(*network(), tmp_path / "graph.graphml.gz")

    assert content(graph_of(network())) == content(nx.read_graphml(tmp_path / "graph.graphml.gz"))


def test_graphml_without_parallel_edges_loads_as_a_digraph(tmp_path):
    """The one loss that GraphML has no way round: without `force_multigraph` the keys become an attribute."""
    write_graphml(*network(facts=[LIVES]), tmp_path / "graph.graphml.gz")

    graph = nx.read_graphml(tmp_path / "graph.graphml.gz")

    assert type(graph) is nx.DiGraph
    assert graph.edges[ADA_IRI, LONDON_IRI]["id"] == "a-0123456789012345"


def test_white_space_in_a_name_survives(tmp_path):
    """Line breaks of all kinds, tabs and spaces at the edges are part of a name."""
    records = network([replace(ADA, label=" a\r\nb\rc\t\n ")], [])

    graphml, node_link = write_and_load(records, tmp_path)

    assert [graphml.nodes[ADA_IRI]["name"], node_link.nodes[ADA_IRI]["name"]] == [" a\r\nb\rc\t\n "] * 2


def test_what_xml_cannot_carry_is_replaced_in_both_files(tmp_path):
    """Control characters, noncharacters and lone surrogates are U+FFFD in GraphML and in JSON."""
    records = network([replace(ADA, label="a\x00b\x0bc\x1f\ufffe\uffff\ud800d\x7f\x85\u2028😀")], [])

    graphml, node_link = write_and_load(records, tmp_path)

    expected = "a\ufffdb\ufffdc\ufffd\ufffd\ufffd\ufffdd\x7f\x85\u2028😀"
    assert [expected] * 2 == [graphml.nodes[ADA_IRI]["name"], node_link.nodes[ADA_IRI]["name"]]


def test_document_id_that_xml_cannot_carry_is_kept(tmp_path):
    """Evidence is ASCII, so a document's id comes back from both files whatever it holds."""
    records = network(facts=[LIVES], evidence=[replace(EVIDENCE[0], doc_id='d\x00é\ud800"\uffff')])

    for loaded in write_and_load(records, tmp_path):
        (data,) = (data for *_, data in loaded.edges(data=True))
        assert json.loads(data["evidence"])[0]["doc_id"] == 'd\x00é\ud800"\uffff'


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(
        st.text(st.sampled_from("a \x00\t\n\x0b\r\"'<>]&\x7f\x85\u2028\u0301\ufffe\ud800😀") | st.characters()),
        max_size=4,
    ),
    confidence=st.floats(0, 1),
)
def test_hostile_names_load_equal(tmp_path_factory, names, confidence):
    """Whatever names hold and however long a confidence is, both files load to the graph that was written."""
    entities = [Entity(f"e{i}", "Peop", name, i, i, confidence) for i, name in enumerate(names)]
    records = network(entities, [])

    graphml, node_link = write_and_load(records, tmp_path_factory.mktemp("hostile"))

    assert content(graph_of(records)) == content(graphml) == content(node_link)


def test_value_is_a_node_of_its_fact(tmp_path):
    """What XML can't carry is replaced in a value as in a name, and two facts with one value have two nodes."""
    facts = [
        replace(BORN, fact_id=f"{n:016x}", tail="", value="a\x00", datatype="http://www.w3.org/2001/XMLSchema#string")
        for n in (1, 2)
    ]
    records = [*nodes(NS, [ADA]), *literal_nodes(NS, facts)], list(edges(NS, facts, ()))
    write_graphml(*records, tmp_path / "graph.graphml.gz", has_literals=True)
    write_node_link(*records, tmp_path / "graph.json.gz")

    graphml, node_link = load_graphml(tmp_path / "graph.graphml.gz"), load_node_link(tmp_path / "graph.json.gz")

    assert content(graph_of(records)) == content(graphml) == content(node_link)
    first = "https://kg.example.org/news/statement/a-0000000000000001/value"
    assert (len(graphml), graphml.nodes[first]["name"], graphml.has_edge(ADA_IRI, first)) == (3, "a\ufffd", True)


def test_order_of_evidence_does_not_change_an_edge():
    """A fact's evidence is listed by document and offsets, however it came."""
    assert network(evidence=EVIDENCE[::-1]) == network()


@pytest.mark.slow
@pytest.mark.parametrize("writer", [write_graphml, write_node_link])
def test_memory_does_not_grow_with_the_graph(tmp_path, writer):
    """Ten times the nodes and edges take no more memory to write: one record at a time is held."""

    def peak(n):
        entities = (replace(ADA, entity_id=f"e{i}", label=f"Ada {i}") for i in range(n))
        facts = (replace(BORN, fact_id=f"{i:016x}", n_evidence=1) for i in range(n))
        evidence = (replace(EVIDENCE[0], fact_id=f"{i:016x}") for i in range(n))
        tracemalloc.start()
        writer(nodes(NS, entities), edges(NS, facts, evidence), tmp_path / "graph.gz")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(100)
    assert peak(20_000) < 1.2 * peak(2_000)


@pytest.mark.parametrize("writer", [write_graphml, write_node_link])
def test_gzip_header_holds_neither_name_nor_time(tmp_path, writer):
    """The header says gzip, deflate, no flags (so no name), time zero, and an unknown system."""
    writer(*network(), tmp_path / "graph.gz")

    assert (tmp_path / "graph.gz").read_bytes()[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def test_node_link_is_what_networkx_would_write(tmp_path):
    """The streamed file is, byte for byte, compact JSON of `node_link_data`."""
    write_node_link(*network(), tmp_path / "graph.json.gz")

    data = nx.node_link_data(graph_of(network()), edges="edges")
    expected = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    assert expected == gzip.decompress((tmp_path / "graph.json.gz").read_bytes()).decode()


def test_graphml_declares_types(tmp_path):
    """Other readers than NetworkX learn from the file which attributes are numbers."""
    write_graphml(*network(), tmp_path / "graph.graphml.gz")

    root = ET.fromstring(gzip.decompress((tmp_path / "graph.graphml.gz").read_bytes()))  # noqa: S314
    types = {
        (k.get("for"), k.get("attr.name")): k.get("attr.type")
        for k in root.iter("{http://graphml.graphdrawing.org/xmlns}key")
    }
    assert types == {
        ("node", "entity_id"): "string",
        ("node", "type"): "string",
        ("node", "name"): "string",
        ("node", "n_mentions"): "long",
        ("node", "n_documents"): "long",
        ("node", "confidence"): "double",
        ("edge", "fact_id"): "string",
        ("edge", "relation"): "string",
        ("edge", "iri"): "string",
        ("edge", "confidence"): "double",
        ("edge", "n_evidence"): "long",
        ("edge", "n_documents"): "long",
        ("edge", "evidence"): "string",
    }
