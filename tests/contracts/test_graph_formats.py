"""Every graph format: equal bytes for an equal graph, whatever is in it; each is found, chosen and refused by name."""

import gzip
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from kgmill.pipelines.graph.formats import Graph, chosen_formats, graph_formats, known_formats
from kgmill.pipelines.graph.gzipped import write_gzip
from kgmill.pipelines.graph.statements import entity_quads, fact_quads
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.ontology import parse_ontology
from kgmill.schemas.records import Entity, Evidence, Fact

FORMATS = graph_formats()
PAGE = Path(__file__).resolve().parents[2] / "docs" / "builds.md"
HOSTILE = "</data>&\"'\\ \x00\x0b\r\n\t\x7f\x85\u2028\ufffe\ud800😀<urn:x> . "
ONTOLOGY = {
    "entities": {"Peop": {"label": HOSTILE.replace("\ud800", "")}, "When": {"literal": "date"}},
    "relations": {
        "Born": {
            "head": ["Peop"],
            "tail": ["When"],
            "equivalent": ["https://schema.org/birthDate"],
            "close": ["http://www.wikidata.org/prop/direct/P569"],
        },
        "Knows": {"head": ["Peop"], "tail": ["Peop"]},
    },
}
NS = Namespace("https://kg.example.org/", "news", parse_ontology(ONTOLOGY, "test"))
ADA = Entity("ada-0123", "Peop", HOSTILE, 2, 1, 0.5)
KNOWS = Fact("0" * 16, "ada-0123", "Knows", "ada-0123", 0.25, 1, 1)
BORN = replace(
    KNOWS,
    fact_id="1" * 16,
    relation="Born",
    tail="",
    value="1815-12-10",
    datatype="http://www.w3.org/2001/XMLSchema#date",
)
WORDING = replace(BORN, fact_id="2" * 16, value=HOSTILE, datatype="http://www.w3.org/2001/XMLSchema#string")
EVIDENCE = {
    fact.fact_id: Evidence(fact.fact_id, f"s{fact.fact_id}", f"d{HOSTILE}", 0, 9, 0, 3, 5, 9, 0.5)
    for fact in (KNOWS, BORN, WORDING)
}
GRAPHS = {
    "empty": ([], []),
    "entities alone": ([ADA], []),
    "literal values": ([replace(ADA, label="Ada")], [BORN]),
    "hostile characters": ([ADA], [KNOWS, BORN, WORDING]),
}


def written(name, content, folder):
    """The bytes of a format's files, after two runs that have to agree."""
    entities, facts = content
    evidence = [EVIDENCE[fact.fact_id] for fact in facts]
    quads = [line for entity in entities for line in entity_quads(NS, entity, [])]
    quads += [line for fact in facts for line in fact_quads(NS, fact, [EVIDENCE[fact.fact_id]])]
    write_gzip(folder / "member.gz", quads)
    tables = {"entities": entities, "names": [], "facts": facts, "evidence": evidence}
    graph = Graph(NS, lambda table: iter(tables[table]), lambda: iter([(folder / "member.gz").read_bytes()] * 2))
    made = []
    for run in ("first", "second"):
        (folder / run).mkdir()
        counts = FORMATS[name].write(graph, folder / run / FORMATS[name].file)
        assert sorted(path.name for path in (folder / run).iterdir()) == sorted(FORMATS[name].files)
        made.append((counts, {file: (folder / run / file).read_bytes() for file in FORMATS[name].files}))
    assert made[0] == made[1]
    return made[0][1]


def text_of(file, data):
    """The text of a file; raises where a lone surrogate made it no UTF-8."""
    if file.endswith(".parquet"):
        return json.dumps(pq.read_table(io.BytesIO(data)).to_pylist(), ensure_ascii=False)
    if file.endswith(".gz"):
        assert data[3:8] == b"\0\0\0\0\0"  # neither a name nor a time in the header
        data = gzip.decompress(data)
    return data.decode()


@pytest.mark.parametrize("content", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.parametrize("name", FORMATS)
def test_equal_graphs_are_equal_bytes(name, content, tmp_path):
    """Two runs write the same, also an empty graph, values and what XML, JSON and RDF keep for themselves."""
    for file, data in written(name, content, tmp_path).items():
        text_of(file, data)


@pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if form.reads != "ontology"])
def test_what_is_in_the_graph_is_in_the_file(name, tmp_path):
    """The entity and the value of a fact stand in the files of each format that says that it reads them."""
    files = written(name, GRAPHS["literal values"], tmp_path)
    data = "".join(text_of(file, data) for file, data in files.items())
    assert ("ada-0123" in data, "1815-12-10" in data) == (True, True)


@pytest.mark.parametrize("name", FORMATS)
def test_fields_are_whole(name):
    """A name is one that the configuration takes, and the files are no other format's."""
    for file in FORMATS[name].files:
        assert re.fullmatch(r"[a-z0-9][a-z0-9.-]+", file)
        assert [other for other, form in FORMATS.items() if file in form.files] == [name]
    assert BuildConfig.load(None, {"formats": [name]}).formats == (name,)


@pytest.mark.parametrize("name", FORMATS)
def test_handbook_names_the_format(name):
    """The table of graph files in docs/builds.md has each format, with its files."""
    table = PAGE.read_text(encoding="utf-8").partition("| format | file |")[2].partition("\n\n")[0]
    files = " and ".join(f"`{file}`" for file in FORMATS[name].files)
    assert f"| `{name}` | {files}" in table


def test_formats_of_a_build_are_found():
    """A build that names none writes formats that there are; the ontology comes with any of them."""
    default = BuildConfig().formats
    assert set(default) <= set(known_formats())
    assert sorted(chosen_formats(default)) == ["graphml", "json", "nq", "ontology", "shapes"]
    assert {"ontology", "shapes"}.isdisjoint(known_formats())
