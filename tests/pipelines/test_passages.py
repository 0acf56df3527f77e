"""A build that reads two sentences together: its relations, its graph, and what it explains."""

import gzip
import json
import shutil
from itertools import pairwise

import pyarrow.dataset as ds
import pyoxigraph
import pytest

from kgmill.extractor.text.split import split_text
from kgmill.pipelines.explaining.explain import Explainer
from kgmill.pipelines.graph.checks import violations
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.schemas.ontology import load_ontology

TEXTS = {
    "a": "Ada Byron worked for Acme Corp in Paris . Bob Stone lives in London . Carl May killed Dora Lane in Rome .",
    "b": "Grace Wood lives in Oslo .\n\nInitech hired Eve Moss . Frank Hill of Globex lives in Berlin .",
}


@pytest.fixture(scope="module")
def out(build_here, tmp_path_factory):
    """A finished build whose threshold lets doubtful relations through; only read."""
    folder = tmp_path_factory.mktemp("passages")
    lines = (json.dumps({"id": name, "text": text}) for name, text in TEXTS.items())
    (folder / "letters.jsonl").write_text("\n".join(lines))
    build_here(folder / "letters.jsonl", folder / "out", passage=2, min_confidence=0.02, candidate_floor=0.001)
    return folder / "out"


@pytest.fixture(scope="module")
def rows(out):
    return {name: ds.dataset(out / "tables" / name).to_table().to_pylist() for name in ("mentions", "relations")}


def across(relations):
    """The relations whose ends lie in two sentences."""
    bounds = {name: {(s.begin, s.end) for s in split_text(text)} for name, text in TEXTS.items()}
    return [r for r in relations if (r["sentence_begin"], r["sentence_end"]) not in bounds[r["doc_id"]]]


def test_relations_join_neighbours_of_a_paragraph(rows):
    """They lie from the first word of one sentence to the last of the next, whose words they have."""
    found = across(rows["relations"])
    sentences = {name: split_text(text) for name, text in TEXTS.items()}
    neighbours = {
        (name, one.begin, other.end)
        for name, of_text in sentences.items()
        for one, other in pairwise(of_text)
        if one.block == other.block
    }
    places = {(r["doc_id"], r["sentence_begin"], r["sentence_end"]) for r in found}
    assert places <= neighbours
    assert len(places) == 2
    number = {(m["doc_id"], m["mention_begin"]): m["sentence"] for m in rows["mentions"]}
    for r in found:
        assert r["sentence_text"] == TEXTS[r["doc_id"]][r["sentence_begin"] : r["sentence_end"]]
        ends = {number[r["doc_id"], r[f"{end}_begin"]] for end in ("head", "tail")}
        assert ends == {r["sentence"], r["sentence"] + 1}


def test_graph_keeps_to_its_shapes(out, rows, tiny_ontology):
    """Passages are nodes that the shapes know; each extraction across sentences names one."""
    store = pyoxigraph.Store()
    store.bulk_load(gzip.decompress((out / "graph" / "graph.nq.gz").read_bytes()), pyoxigraph.RdfFormat.N_QUADS)
    ns = Namespace("https://kg.example.org/", "kg", load_ontology(tiny_ontology))
    assert list(violations(store, ns)) == []
    asked = "SELECT (COUNT(?x) AS ?n) { GRAPH ?g { ?x <urn:kgmill:ns:sentence> ?p . ?p a <urn:kgmill:ns:Passage> } }"
    [[n]] = store.query(asked)
    assert int(n.value) == len(across(rows["relations"])) > 0


def test_document_is_explained_with_its_passages(out):
    """What joins two sentences is told with their text, scores and verdicts; what one of them says is told once."""
    explainer = Explainer(str(out))
    told = explainer.explain(explainer.find(["a"]))
    passages = [s for s in told["sentences"] if not s["spans"] and s["pairs"]]
    assert [TEXTS["a"].index(s["text"]) for s in passages] == [0, TEXTS["a"].index("Bob")]
    assert any(s["relations"] for s in passages)
    verdicts = {pair["verdict"] for s in passages for pair in s["pairs"]}
    assert "relation" in verdicts
    assert "not told, by no rule that is known here" not in verdicts


def test_masked_ontology_is_explained_with_its_passages(build_here, out, tmp_path):
    """Links have the model's columns, whatever relations an ontology leaves out."""
    lines = ["[entities.Peop]", "[entities.Org]", "[relations.Work_For]", 'head = ["Peop"]', 'tail = ["Org"]']
    (tmp_path / "few.toml").write_text("\n".join(lines))
    shutil.copytree(out, tmp_path / "out")
    settings = {"passage": 2, "min_confidence": 0.02, "candidate_floor": 0.001, "ontology": str(tmp_path / "few.toml")}
    report = build_here(out.parent / "letters.jsonl", tmp_path / "out", **settings)
    assert report["model_calls"]["sentences"] == 0
    explainer = Explainer(str(tmp_path / "out"))
    told = explainer.explain(explainer.find(["a"]))
    assert {r["type"] for s in told["sentences"] for r in s["relations"]} == {"Work_For"}
    verdicts = {p["verdict"] for s in told["sentences"] if not s["spans"] for p in s["pairs"]}
    assert "left out: the ontology has no such type" in verdicts
