"""A build as a graph to compute with: what is loaded, what is chosen, and what is refused."""

import gzip
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import networkx as nx
import pytest
from rdflib import RDF, URIRef
from sample_network import FOUND, NS, ONTOLOGY, quads, tables, write_output

from kgmill.pipelines import load_graph
from kgmill.pipelines.graph.vocabulary import KGMILL, NIF, PROV
from kgmill.pipelines.storage import open_storage
from kgmill.schemas.errors import CorruptPartError, OutputError, UsageError
from kgmill.schemas.identity import fact_id
from kgmill.schemas.ontology import parse_ontology
from kgmill.schemas.records import Entity, Fact


def edges(graph):
    return [(head, data["relation"], tail) for head, tail, data in graph.edges(data=True)]


def test_node_is_an_entity_with_its_values(output):
    """A node has the fields of its entity, and by the relation's name the value that a fact ends in."""
    graph = load_graph(output)

    assert graph.nodes["alan-turing"] == {
        "type": "Person",
        "label": "Alan Turing",
        "n_mentions": 2,
        "n_documents": 1,
        "confidence": 0.9,
        "born_on": "1912",
    }
    assert graph.graph == {"base_iri": "https://kg.example.org/", "dataset": "people"}


def test_edge_is_a_fact_with_its_surest_sentence(output):
    """An edge has the fields of its fact, the confidence as its weight, and the sentence that is surest of it."""
    graph = load_graph(output)

    assert graph.edges["alan-turing", "princeton", "educated_at-alan-turing-princeton"] == {
        "relation": "educated_at",
        "confidence": 0.675,
        "weight": 0.675,
        "n_evidence": 2,
        "n_documents": 2,
        "share": 1.0,
        "first": "",
        "last": "",
        "asserted": True,
        "conflict_share": 1.0,
        "overruled_by": "",
        "sentence": "Alan Turing was at Princeton!",
        "doc_id": "rumours",
    }


def test_entities_without_facts_are_left_out_but_for_isolated(output):
    """One that only has a date is joined to nothing; it is there with `isolated`."""
    assert list(load_graph(output)) == [
        *("alan-turing", "bell", "brian-kernighan", "claude-shannon", "grace-hopper", "london", "navy", "princeton")
    ]
    assert load_graph(output, isolated=True).nodes["ada-lovelace"]["born_on"] == "1815"


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"min_confidence": 0.75}, [("alan-turing", "born_in", "london"), ("claude-shannon", "affiliation", "bell")]),
        ({"relations": ["born_in"]}, [("alan-turing", "born_in", "london")]),
        ({"relations": "born_in"}, [("alan-turing", "born_in", "london")]),
        ({"types": ["Person", "Place"]}, [("alan-turing", "born_in", "london")]),
        ({"relations": {"affiliation"}, "largest": True, "min_confidence": 0.45}, [
            ("brian-kernighan", "affiliation", "bell"),
            ("brian-kernighan", "affiliation", "princeton"),
            ("claude-shannon", "affiliation", "bell"),
        ]),
        ({"types": []}, []),
        ({"types": [], "largest": True}, []),
    ],
)  # fmt: skip
def test_choice(output, choice, expected):
    """Each parameter leaves the facts that it says, and no entity beside them."""
    graph = load_graph(output, **choice)

    assert sorted(edges(graph)) == expected
    assert set(graph) == {node for head, _, tail in expected for node in (head, tail)}


def test_choice_is_of_values_too(output):
    """A value that is not sure enough, or of a relation that isn't wanted, is no attribute."""
    assert "born_on" in load_graph(output, min_confidence=0.8).nodes["alan-turing"]
    assert "born_on" not in load_graph(output, min_confidence=0.81).nodes["alan-turing"]
    assert "born_on" not in load_graph(output, relations=["born_in"]).nodes["alan-turing"]


def test_largest_of_equal_components_is_that_of_the_first_node(output):
    """Alan Turing's comes before Claude Shannon's."""
    assert list(load_graph(output, min_confidence=0.75, largest=True)) == ["alan-turing", "london"]


def test_surest_value_stands(tmp_path):
    """Of two values the surer one is the attribute; a relation that is called as a field gets an underscore."""
    rows = tables()
    born = next(f for f in rows["facts"] if f.value == "1912")
    rows["facts"] += [
        replace(born, fact_id="less-sure", value="1911", confidence=0.7),
        replace(born, fact_id="field", relation="label", value="x"),
    ]
    for table in ("evidence", "relations"):
        rows[table] = [r for r in rows[table] if r.fact_id != born.fact_id]
    ontology = {**ONTOLOGY, "relations": {**ONTOLOGY["relations"], "label": ONTOLOGY["relations"]["born_on"]}}
    write_output(tmp_path / "out", rows, ns=replace(NS, ontology=parse_ontology(ontology, "test")))

    node = load_graph(str(tmp_path / "out")).nodes["alan-turing"]

    assert (node["born_on"], node["label"], node["label_"]) == ("1912", "Alan Turing", "x")


def test_same_folder_gives_the_same_graph_in_the_same_order(output, tmp_path):
    """Neither a second time nor another cut of the tables changes anything."""
    again = write_output(tmp_path / "out", {name: rows[::-1] for name, rows in tables().items()})
    one, two = load_graph(output), load_graph(again)

    assert list(one.nodes(data=True)) == list(two.nodes(data=True))
    assert list(one.edges(keys=True, data=True)) == list(two.edges(keys=True, data=True))


def test_output_elsewhere(output):
    """A URL does as well as a folder, in both forms."""
    far = open_storage("memory://networks/out")
    for path in Path(output).rglob("*"):
        if path.is_file():
            far.write(path.relative_to(output).as_posix(), path.read_bytes())

    assert nx.utils.graphs_equal(load_graph("memory://networks/out"), load_graph(output))
    assert len(load_graph("memory://networks/out", as_="rdflib")) == len(load_graph(output, as_="rdflib"))


@pytest.mark.filterwarnings("ignore:Dataset:DeprecationWarning")  # rdflib's Dataset of itself
def test_dataset_leads_from_a_fact_to_its_sentences(output):
    """Label, confidence and sentence of a fact are found without naming a graph."""
    dataset = load_graph(output, as_="rdflib")

    rows = dataset.query(
        f"""
        PREFIX v: <https://kg.example.org/vocab#>
        PREFIX nif: <{NIF}>
        SELECT ?label ?confidence ?text ?doc WHERE {{
            ?f rdf:subject ?turing ; rdf:predicate v:educated_at ; <{KGMILL}confidence> ?confidence ;
               <{PROV}wasDerivedFrom> ?x .
            ?turing rdfs:label ?label ; v:educated_at ?school .
            ?x <{KGMILL}sentence> ?s . ?s nif:anchorOf ?text ; nif:referenceContext/nif:sourceUrl ?doc }}
        """
    )
    document = "https://kg.example.org/people/doc/"
    assert sorted(tuple(map(str, row)) for row in rows) == [
        ("Alan Turing", "0.675", "Alan Turing was at Princeton!", f"{document}rumours"),
        ("Alan Turing", "0.675", "Alan Turing, born in London in 1912, was at Princeton.", f"{document}princeton"),
    ]


@pytest.mark.filterwarnings("ignore:Dataset:DeprecationWarning")
def test_dataset_has_no_more_than_was_chosen(output):
    """Every line is one of the graph's; of what wasn't chosen there is no fact, extraction, mention or document."""
    dataset = load_graph(output, relations=["born_in", "born_on"], as_="rdflib")

    everything = set("".join(quads(tables())).splitlines(keepends=True))
    lines = set(dataset.serialize(format="nquads").splitlines(keepends=True)) - {"\n"}
    assert lines <= everything
    text = "".join(lines)
    assert [word for word in ("educated_at", "affiliation", "x-6>", "Brian", "Ada", "void#") if word in text] == []
    assert '"1912"^^' in text
    assert "x-4>" in text
    assert "Alan Turing, born in London in 1912, was at Princeton." in text
    assert text.count("taIdentRef") == 2


def test_no_finished_build_is_refused(tmp_path, output):
    """A folder that holds none, and one whose last run failed, are one line that says what to run."""
    with pytest.raises(UsageError, match=r"none: no finished build here; run kgmill build SOURCE... --out \S+ first"):
        load_graph(str(tmp_path / "none"))
    failed = write_output(tmp_path / "failed", tables(), status="failed")
    with pytest.raises(UsageError, match="failed: the last build here did not finish; run kgmill build"):
        load_graph(failed)
    (tmp_path / "failed" / "format.json").write_text('{"format": 4}')
    with pytest.raises(OutputError, match="of format 4"):
        load_graph(failed)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"types": ["Person", "Peop"]}, "types: the graph has no Peop; it has Organization, Person, Place"),
        ({"types": "Peop"}, "types: the graph has no Peop; it has Organization, Person, Place"),
        (
            {"relations": ["b", "a"]},
            "relations: the graph has no a, b; it has affiliation, born_in, born_on, educated_at",
        ),
        ({"min_confidence": 70}, "min_confidence: wanted a number from 0 to 1, got 70"),
        ({"as_": "igraph"}, "as_: wanted networkx or rdflib, got 'igraph'"),
    ],
)
def test_wrong_choice_is_refused(output, choice, said):
    """What the graph doesn't have is one line that lists what it has."""
    with pytest.raises(UsageError) as error:
        load_graph(output, **choice)
    assert str(error.value) == said


def test_graph_that_is_not_promised_is_refused(tmp_path):
    """A Dataset is made of the bytes that run.json speaks of."""
    output = write_output(tmp_path / "out", tables())
    path = tmp_path / "out" / "graph" / "graph.nq.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"1912", b"1913")))

    with pytest.raises(CorruptPartError, match="not the bytes that run"):
        load_graph(output, as_="rdflib")


def test_evidence_without_its_document_is_refused(tmp_path):
    """Documents that a later ingest took away are one line."""
    rows = tables()
    rows["documents"] = rows["documents"][:-1]
    output = write_output(tmp_path / "out", rows)

    with pytest.raises(UsageError, match="document ships is evidence and not there; run kgmill build again"):
        load_graph(output)


def test_importing_it_imports_no_beam():
    """The package hands it out, and neither Beam nor torch comes with it."""
    code = "import sys; from kgmill.pipelines import load_graph; print({'apache_beam', 'torch'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


@pytest.mark.filterwarnings("ignore:Dataset:DeprecationWarning")
def test_real_build_gives_the_facts_of_its_json(tmp_path, build_here):
    """What is loaded of a real build has the nodes, edges and confidences of graph.json.gz, but for isolated nodes."""
    (tmp_path / "in").mkdir()
    text = "Ada Byron worked for Acme Corp in Paris .\n\nCarl May killed Dora Lane in Rome .\n"
    (tmp_path / "in" / "a.txt").write_text(text)
    build_here(tmp_path / "in", tmp_path / "out")

    graph = load_graph(tmp_path / "out")
    dataset = load_graph(tmp_path / "out", as_="rdflib")

    with gzip.open(tmp_path / "out" / "graph" / "graph.json.gz") as file:
        whole = nx.node_link_graph(json.load(file), edges="edges")
    facts = {d["fact_id"]: (d["relation"], d["confidence"]) for *_, d in whole.edges(data=True)}
    assert facts
    assert facts == {key: (d["relation"], d["weight"]) for *_, key, d in graph.edges(keys=True, data=True)}
    assert {whole.nodes[n]["entity_id"] for n in whole if whole.degree(n)} == set(graph)
    assert all(d["sentence"] in text for *_, d in graph.edges(data=True))
    statements = dataset.subjects(predicate=RDF.type, object=URIRef(f"{KGMILL}AggregatedStatement"))
    assert {str(s).rpartition("/a-")[2] for s in statements} == set(facts)


def test_inverse_relation_turns_its_edges(output):
    """What is told from head to tail is asked for from tail to head: the same fact, with all that is said of it."""
    told, turned = load_graph(output, relations="educated_at"), load_graph(output, relations=["educated"])
    assert edges(turned) == [("princeton", "educated", "alan-turing")]
    [(*_, key, data)], [(*_, other_key, other)] = (g.edges(keys=True, data=True) for g in (told, turned))
    assert (key, {**data, "relation": "educated"}) == (other_key, other)
    assert edges(load_graph(output, relations=["educated", "educated_at"])) == edges(told)
    assert len(load_graph(output, relations=["educated"], as_="rdflib")) == len(
        load_graph(output, relations=["educated_at"], as_="rdflib")
    )


def test_closure_adds_what_follows(tmp_path):
    """An edge that no sentence says has its chain and the least confidence; without being asked for there is none."""
    rows = tables()
    ids = [fact_id(*ends) for ends in (("bell", "located_in", "town"), ("town", "located_in", "london"))]
    rows["entities"] += [Entity("town", "Place", "Princeton", 1, 1, 0.9)]
    rows["facts"] += [
        Fact(ids[0], "bell", "located_in", "town", 0.9, 0, 1),
        Fact(ids[1], "town", "located_in", "london", 0.7, 0, 1),
    ]
    output = write_output(tmp_path / "out", rows)
    plain, closed = load_graph(output), load_graph(output, closure=True)
    new = fact_id("bell", "located_in", "london")
    assert {key for *_, key in closed.edges(keys=True)} - {key for *_, key in plain.edges(keys=True)} == {new}
    assert closed.edges["bell", "london", new] == {
        "relation": "located_in",
        "confidence": 0.7,
        "weight": 0.7,
        "derived": True,
        "chain": " ".join(ids),
    }
    assert closed.edges["bell", "town", ids[0]] == {
        **plain.edges["bell", "town", ids[0]],
        "derived": False,
    }
    assert new not in {key for *_, key in load_graph(output, closure=True, min_confidence=0.8).edges(keys=True)}
    with pytest.raises(UsageError, match="closure: a Dataset has what graph"):
        load_graph(output, closure=True, as_="rdflib")


def test_derived_edge_has_no_sentence_of_a_fact_that_was_left_out(tmp_path):
    """What follows may be what a doubtful sentence says too: if that fact was not chosen, nor is its sentence."""
    rows = tables((*FOUND, ("bell", 0, "Bell", "located_in", "Bell", 0.3)))
    said = next(f for f in rows["facts"] if f.relation == "located_in")
    doubtful = replace(said, fact_id=fact_id("bell", "located_in", "london"), tail="london")
    rows["facts"] = [f for f in rows["facts"] if f is not said] + [
        doubtful,
        Fact("one", "bell", "located_in", "town", 0.9, 0, 1),
        Fact("two", "town", "located_in", "london", 0.7, 0, 1),
    ]
    rows["evidence"] = [
        replace(e, fact_id=doubtful.fact_id) if e.fact_id == said.fact_id else e for e in rows["evidence"]
    ]
    rows["entities"] += [Entity("town", "Place", "Princeton", 1, 1, 0.9)]
    output = write_output(tmp_path / "out", rows)
    derived = load_graph(output, closure=True, min_confidence=0.5).edges["bell", "london", doubtful.fact_id]
    assert (derived["derived"], derived["chain"], "sentence" in derived) == (True, "one two", False)
    assert load_graph(output, closure=True).edges["bell", "london", doubtful.fact_id]["sentence"]
