"""A build with every format: each file is there, hashed, kept alone, and says what the graph says."""

import gzip
import hashlib
import json

import pyarrow.parquet as pq
import pyoxigraph as ox
import pytest

from kgmill.pipelines.graph.formats import graph_formats, known_formats
from kgmill.pipelines.output.parts import Store

TEXTS = {
    "a": "Ada Byron worked for Acme Corp in Paris . Bob Stone lives in London .",
    "b": "Carl May killed Bob Stone .",
}
FIRST = [name for name in known_formats() if name != "trig"]


@pytest.fixture(scope="module")
def built(build_here, tmp_path_factory):
    """The output folder of a build in every format but TriG, what it says, and what its parts of formats are."""
    folder = tmp_path_factory.mktemp("texts")
    for name, text in TEXTS.items():
        (folder / f"{name}.txt").write_text(text)
    out = tmp_path_factory.mktemp("out") / "kg"
    report = build_here(folder, out, formats=FIRST)
    return folder, out, report, parts(out)


def parts(out):
    return {part.unit: part.fingerprint for part in Store(out).live("graph")}


def test_every_format_is_written(built):
    """The files of all formats lie side by side, and void.ttl has the hash of each."""
    graph = built[1] / "graph"
    wanted = {file for name in (*FIRST, "ontology", "shapes") for file in graph_formats()[name].files}
    assert {path.name for path in graph.iterdir()} == wanted | {"void.ttl"}
    described = (graph / "void.ttl").read_text()
    for name in wanted:
        assert hashlib.sha256((graph / name).read_bytes()).hexdigest() in described


def test_files_say_what_the_graph_says(built):
    """Quads, entities and facts are those of graph.nq.gz and of run.json."""
    graph, counted = built[1] / "graph", built[2]["graph"]
    quads = set(ox.parse(gzip.decompress((graph / "graph.nq.gz").read_bytes()), format=ox.RdfFormat.N_QUADS))
    assert (
        set(ox.parse(gzip.decompress((graph / "graph.jsonld.gz").read_bytes()), format=ox.RdfFormat.JSON_LD)) == quads
    )
    assert len(quads) == counted["quads"]
    assert pq.read_metadata(graph / "nodes.parquet").num_rows == counted["entities"] > 0
    assert pq.read_metadata(graph / "edges.parquet").num_rows == counted["facts"] > 0
    for name in ("neo4j-nodes.csv.gz", "kgx-nodes.tsv.gz"):
        assert gzip.decompress((graph / name).read_bytes()).count(b"\n") == counted["entities"] + 1


def test_what_has_no_name_elsewhere_is_said(built):
    """The tiny ontology names no term of others: every entity's class and every asserted fact is counted."""
    said = json.loads((built[1] / "run.json").read_text())["graph"]["left_out"]
    assert sorted(said) == ["schemaorg", "wikidata"]
    n_entities = sum(n for what, n in said["wikidata"].items() if what.startswith("no class: "))
    assert n_entities == built[2]["graph"]["entities"]
    assert any(what.startswith("no property: ") for what in said["wikidata"])


def test_one_more_format_writes_no_other(build_here, built):
    """TriG comes to what is there; all other parts stay, and their counts are still said."""
    folder, out, _, before = built
    report = build_here(folder, out, started="2026-01-02T00:00:00Z", formats=[*FIRST, "trig"])
    after = parts(out)
    assert {unit for unit in after if before.get(unit) != after[unit]} == {"format-trig", "members"}
    assert report["stages"]["export"]["n_done"] == 1
    assert sorted(report["graph"]["left_out"]) == ["schemaorg", "wikidata"]
    assert (report["graph"]["added_quads"], report["graph"]["removed_quads"]) == (0, 0)
