"""Nodes and edges as Parquet, for Neo4j and for KGX: read back, they are the entities and facts, hostile text too."""

import io
import re
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from neo4j_import import read_import
from sample_graph import ADA, ENTITIES, EVIDENCE, FACTS, HOSTILE, NAMES, NS, WD, XSD, files_of, sample

from kgmill.pipelines.graph.rows import every_node
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.schemas.ontology import parse_ontology

E = "https://kg.example.org/news/entity/"
TEXT = HOSTILE.replace("\ud800", "\ufffd")
BETWEEN = [f for f in FACTS if not f.datatype]


def kgx_rows(data):
    """A file as KGX reads it: lines end at a line feed, cells at a tab, and no quote means anything."""
    head, *rows = [line.split("\t") for line in data.decode().removesuffix("\n").split("\n")]
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_parquet_has_every_entity_and_every_fact(tmp_path):
    """Names, links and texts are those of the records; a value is no node."""
    files, counts = files_of("parquet", tmp_path)
    nodes, edges = (pq.read_table(io.BytesIO(files[f"{name}.parquet"])).to_pylist() for name in ("nodes", "edges"))
    assert [(n["entity_id"], n["type"], n["n_mentions"], n["confidence"]) for n in nodes] == [
        (e.entity_id, e.type, e.n_mentions, e.confidence) for e in ENTITIES
    ]
    ada, bob, paris, lamp = nodes
    assert (ada["id"], bob["label"]) == (f"{E}ada-01", TEXT)
    assert (ada["names"], paris["names"], lamp["names"]) == ([f"A {TEXT}", "Ada B."], [], [])
    assert (ada["same_as"], bob["same_as"], paris["same_as"]) == ([], [f"{WD}Q2", "urn:other:bob"], [f"{WD}Q90"])
    assert [(e["fact_id"], e["relation"], e["asserted"]) for e in edges] == [
        (f.fact_id, f.relation, f.asserted) for f in FACTS
    ]
    assert [(e["tail"], e["value"], e["datatype"]) for e in edges[:4]] == [
        (f"{E}paris-03", None, None),
        (None, "1815-12-10", f"{XSD}date"),
        (None, "1815-12", f"{XSD}gYearMonth"),
        (None, f"day {TEXT}", f"{XSD}string"),
    ]
    assert (edges[0]["first"], edges[0]["last"], edges[1]["first"]) == ("2004", "2004-05-03", None)
    assert edges[0]["evidence"] == [
        {
            "doc_id": f"d {TEXT}",
            "sentence_begin": 0,
            "sentence_end": 9,
            "head_begin": 0,
            "head_end": 3,
            "tail_begin": 5,
            "tail_end": 9,
            "confidence": 0.5,
            "stance": "",
        }
    ]
    assert counts == {}


def test_neo4j_columns_are_typed(tmp_path):
    """The heads are those of Neo4j's bulk import; a relation that ends in values is a property of nodes."""
    files, _ = files_of("neo4j", tmp_path)
    heads = [files[f"neo4j-{name}.csv.gz"].decode().partition("\n")[0] for name in ("nodes", "edges")]
    assert [head.split(",") for head in heads] == [
        [
            *(
                "id:ID",
                "entity_id",
                "name",
                "names:string[]",
                "same_as:string[]",
                "n_mentions:long",
                "n_documents:long",
            ),
            *("confidence:double", ":LABEL", "born_on:string[]"),
        ],
        [
            *(":START_ID", ":END_ID", ":TYPE", "fact_id", "iri", "asserted:boolean", "confidence:double"),
            *("share:double", "n_evidence:long", "n_documents:long", "first", "last", "documents:string[]"),
        ],
    ]


def test_neo4j_reads_back(tmp_path):
    """Every text comes back, but for the character that parts lists and NUL, which U+FFFD stands for."""
    files, counts = files_of("neo4j", tmp_path)
    nodes, edges = read_import(files["neo4j-nodes.csv.gz"], files["neo4j-edges.csv.gz"])
    text = TEXT.translate(str.maketrans("\x00\x1f", "\ufffd\ufffd"))
    assert [*nodes] == [NS.entity(e.entity_id) for e in ENTITIES]
    (_, ada), (_, bob), _, (labels, lamp) = nodes.values()
    assert (bob["name"], ada["names"]) == (text, [f"A {text}", "Ada B."])
    assert bob["same_as"] == [f"{WD}Q2", "urn:other:bob"]
    assert labels == ["Thing", "Entity"]
    assert (lamp["confidence"], lamp["n_mentions"]) == (0.5, 1)
    assert ada["born_on"] == ["1815-12", "1815-12-10", f"day {text}"]
    assert bob["born_on"] == ["1810"]
    assert not {"born_on", "names", "same_as"} & lamp.keys()
    assert [(start, kind, end, said["asserted"]) for start, kind, end, said in edges] == [
        (NS.entity(f.head), f.relation, NS.entity(f.tail), f.asserted) for f in BETWEEN
    ]
    assert {tuple(said["documents"]) for *_, said in edges} == {(f"d {text}",)}
    assert counts == {"left_out": {"value that is not asserted": 1}}


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("nodes", "id:ID", "id:id", "wanted"),
        ("nodes", "n_mentions:long", "n_mentions:number", "no type of a field"),
        ("nodes", "n_documents:long", "n_mentions:long", "a name twice"),
        ("nodes", "names:string[]", ":string[]", "a property without a name"),
        ("nodes", ",3,2,0.9,", ",3.0,2,0.9,", "row 2: no long: '3.0'"),
        ("nodes", ",3,2,0.9,", ",3,2,nan,", "row 2: no double: 'nan'"),
        ("nodes", ",3,2,0.9,", ",3,2,", "row 2: 9 cells for 10 fields"),
        ("nodes", '"Person\x1fEntity"', '""', "row 2: a node without a label"),
        ("nodes", '"Ada",', '"A"da",', "no end of a cell"),
        ("nodes", f"{E}bob-02", f"{E}ada-01", "row 3: no id, or that of another node"),
        ("edges", f"{E}paris-03", f"{E}rome-05", "row 2: no such node"),
        ("edges", '"born_in"', "", "row 2: a relationship without a type"),
        ("edges", ",true,", ",True,", "no boolean: 'True'"),
    ],
)
def test_reader_of_neo4j_s_import_is_strict(tmp_path, file, old, new, message):
    """What reads the files back refuses what breaks a rule of the import, so that reading them shows something."""
    files = files_of("neo4j", tmp_path)[0]
    name = f"neo4j-{file}.csv.gz"
    assert old.encode() in files[name]
    files[name] = files[name].replace(old.encode(), new.encode(), 1)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_import(files["neo4j-nodes.csv.gz"], files["neo4j-edges.csv.gz"])


def test_empty_cells_are_no_properties(tmp_path):
    """What is not said is nothing between two commas: an empty string would be a property."""
    files = files_of("neo4j", tmp_path, sample(ENTITIES[:1], [], [], [], {}))[0]
    line = files["neo4j-nodes.csv.gz"].decode().split("\n")[1]
    assert line == f'"{E}ada-01","ada-01","Ada",,,3,2,0.9,"Person\x1fEntity",'


def test_kgx_reads_back(tmp_path):
    """Every text is one cell, without what KGX's TSV can't hold; identifiers are CURIEs, terms Biolink's."""
    files, counts = files_of("kgx", tmp_path)
    nodes, edges = (kgx_rows(files[f"kgx-{name}.tsv.gz"]) for name in ("nodes", "edges"))
    text = " ".join(re.sub("[\x00-\x1f\x7f|\x85\u2028]+", " ", TEXT).split(" ")).strip()
    assert [(node["id"], node["category"], node["entity_type"]) for node in nodes] == [
        ("news:ada-01", "biolink:Agent", "Person"),
        ("news:bob-02", "biolink:Agent", "Person"),
        ("news:paris-03", "biolink:NamedThing", "Place"),
        ("news:lamp-04", "biolink:NamedThing", "Thing"),
    ]
    ada, bob, _, _ = nodes
    assert (bob["name"], ada["synonym"].split("|")) == (text, [f"A {text}", "Ada B."])
    assert bob["same_as"].split("|") == [f"{WD}Q2", "urn:other:bob"]
    assert ada["born_on"].split("|") == ["1815-12", "1815-12-10", f"day {text}"]
    assert [(e["subject"], e["predicate"], e["object"], e["original_predicate"]) for e in edges] == [
        (f"news:{f.head}", "biolink:related_to", f"news:{f.tail}", f.relation) for f in BETWEEN
    ]
    said = ("category", "knowledge_level", "agent_type", "primary_knowledge_source", "has_confidence_score")
    assert {tuple(e[name] for name in said) for e in edges} == {
        ("biolink:Association", "not_provided", "text_mining_agent", "infores:news", "0.75")
    }
    assert counts == {"left_out": {"value that is not asserted": 1}}


@pytest.mark.parametrize("name", ["parquet", "neo4j", "kgx"])
def test_counts_are_those_of_the_graph(name, tmp_path):
    """As many nodes as entities, as many edges as facts; those that end in values are rows in Parquet alone."""
    files, _ = files_of(name, tmp_path)
    edges, nodes = (data for _, data in sorted(files.items()))
    counted = {
        "parquet": lambda: (pq.read_metadata(io.BytesIO(data)).num_rows for data in (nodes, edges)),
        "neo4j": lambda: map(len, read_import(nodes, edges)),
        "kgx": lambda: (len(kgx_rows(data)) for data in (nodes, edges)),
    }
    n_nodes, n_edges = counted[name]()
    assert (n_nodes, n_edges) == (len(ENTITIES), len(FACTS) if name == "parquet" else len(BETWEEN))


def test_column_of_a_relation_is_no_other(tmp_path):
    """A relation that is called as a column of all nodes has one of its own, and no name can end a head too early."""
    ontology = {
        "entities": {"Person": {}, "Date": {"literal": "date"}},
        "relations": {name: {"head": ["Person"], "tail": ["Date"]} for name in ("name", "name_", "a:b,c")},
    }
    ns = Namespace(NS.base_iri, NS.dataset, parse_ontology(ontology, "test"))
    said = [replace(FACTS[1], fact_id="a" * 16, relation="a:b,c")]
    evidence = [replace(EVIDENCE[1], fact_id="a" * 16)]
    graph = sample([ADA], [], said, evidence, {}, ns)
    files = files_of("neo4j", tmp_path, graph)[0]
    head = files["neo4j-nodes.csv.gz"].decode().partition("\n")[0]
    assert head.endswith(',name_:string[],name__:string[],"a_b,c:string[]"')
    [(_, node)] = read_import(files["neo4j-nodes.csv.gz"], files["neo4j-edges.csv.gz"])[0].values()
    assert (node["name"], node["a_b,c"]) == ("Ada", ["1815-12-10"])


def test_values_wait_on_disk():
    """However many values there are, a node has its own, each once and sorted."""
    heads = ("ada-01", "bob-02")
    many = [replace(FACTS[1], fact_id=f"{n:016x}", head=heads[n % 2], value=f"{n % 700:04}") for n in range(3000)]
    found = {n.entity.entity_id: n.values for n in every_node(sample(ENTITIES, NAMES, many, []), with_values=True)}
    assert found["ada-01"] == {"born_on": [f"{n:04}" for n in range(0, 700, 2)]}
    assert found["paris-03"] == {}
