"""graph.nq.gz in other syntaxes, and the files that are a part of it: read back, they say what it says."""

import io
import shutil
import subprocess

import pyoxigraph as ox
import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_graph import ADA, NS, XSD, file_of, member, sample
from test_lines import HOSTILE, replace_surrogates

from kgmill.pipelines.graph.formats import Graph
from kgmill.pipelines.graph.lines import iri, literal, quad, tagged

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
E, V = "https://kg.example.org/news/entity/", "https://kg.example.org/vocab#"
SYNTAXES = {
    "trig": (ox.RdfFormat.TRIG, "trig"),
    "ttl": (ox.RdfFormat.TURTLE, "turtle"),
    "nt": (ox.RdfFormat.N_TRIPLES, "nt"),
    "jsonld": (ox.RdfFormat.JSON_LD, "json-ld"),
}
HAS_GRAPHS = ("trig", "jsonld")


def read(data, form):
    return list(ox.parse(data, format=form))


def wanted(name, graph):
    """The quads of graph.nq.gz, or where a syntax has no graphs their triples."""
    quads = read(b"".join(graph.lines()), ox.RdfFormat.N_QUADS)
    return {q if name in HAS_GRAPHS else q.triple for q in quads}


def got(name, data):
    return {q if name in HAS_GRAPHS else q.triple for q in read(data, SYNTAXES[name][0])}


@pytest.mark.parametrize("name", SYNTAXES)
def test_each_syntax_says_the_same(name, tmp_path):
    """pyoxigraph reads the quads of graph.nq.gz from each file, hostile text, values and languages too."""
    expected = wanted(name, sample())
    assert got(name, file_of(name, tmp_path)) == expected
    assert len(expected) > 200


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # rdflib's own parsers call what rdflib deprecates
@pytest.mark.parametrize("name", SYNTAXES)
def test_rdflib_reads_the_same(name, tmp_path):
    """What is not Rust reads the same terms."""

    def terms(data, form):
        dataset = rdflib.Dataset()
        dataset.parse(io.BytesIO(data), format=form)
        return {(s, p, o, str(g) if name in HAS_GRAPHS else "") for s, p, o, g in dataset.quads()}

    assert terms(file_of(name, tmp_path), SYNTAXES[name][1]) == terms(b"".join(sample().lines()), "nquads")


@pytest.mark.parametrize(("name", "syntax"), [("trig", "trig"), ("ttl", "turtle"), ("nt", "ntriples")])
def test_serdi_reads_the_same(name, syntax, tmp_path):
    """What is neither Rust nor Python reads the same quads: serd, in C, where it is there."""
    if not shutil.which("serdi"):
        pytest.skip("serdi is not here: apt-get install serdi")
    path = tmp_path / "file"
    path.write_bytes(file_of(name, tmp_path))
    command = ["serdi", "-i", syntax, "-o", "nquads", path]
    found = subprocess.run(command, check=True, capture_output=True)
    assert found.stderr == b""
    quads = read(found.stdout, ox.RdfFormat.N_QUADS)
    assert {q if name in HAS_GRAPHS else q.triple for q in quads} == wanted(name, sample())


@pytest.mark.parametrize("name", SYNTAXES)
@settings(max_examples=40)
@given(texts=st.lists(HOSTILE, min_size=1, max_size=5))
def test_hostile_text_survives(tmp_path_factory, name, texts):
    """Whatever a text holds, each syntax has it, plain, in a language and as an unknown datatype."""
    lines = [
        quad("<urn:s>", "<urn:p>", term, iri(NS.graph("kg")))
        for text in texts
        for term in (literal(text), tagged(text, "ar-latn"), f"{literal(text)}^^<urn:type>")
    ]
    graph = Graph(NS, lambda table: iter(()), lambda: iter([member(lines)]))
    found = got(name, file_of(name, tmp_path_factory.mktemp("hostile"), graph))
    assert found == wanted(name, graph)
    assert {q.object.value for q in found} == {replace_surrogates(text) for text in texts}


def test_files_have_prefixes(tmp_path):
    """TriG is made to be read: the dataset's own names are short."""
    text = file_of("trig", tmp_path).decode()
    assert "e:ada-01 a v:Person" in text
    assert "g:kg {" in text


def test_reifiers_stand_for_statements(tmp_path):
    """Where each fact's triple term is told in four triples again, the file is graph.nq.gz."""
    lines = file_of("rdf12", tmp_path).decode().removesuffix("\n").split("\n")
    told = []
    for line in lines:
        node, verb, value = line.split(" ", 2)
        if verb != f"<{RDF}reifies>":
            told.append(line)
            continue
        term, graph = value.removeprefix("<<( ").rsplit(" )>> ", 1)
        parts = zip(("subject", "predicate", "object"), term.split(" ", 2), strict=True)
        told.append(f"{node} <{RDF}type> <{RDF}Statement> {graph}")
        told += [f"{node} <{RDF}{name}> {part} {graph}" for name, part in parts]
    assert sorted(told) == sorted(line.decode().removesuffix("\n") for line in sample().lines())
    assert sum("reifies" in line for line in lines) == 11


def test_reifiers_can_be_asked(tmp_path):
    """A SPARQL 1.2 store finds how sure a triple is, asserted or not, by the triple."""
    store = ox.Store()
    store.load(file_of("rdf12", tmp_path), format=ox.RdfFormat.N_QUADS)
    asked = f"""SELECT ?s ?sure WHERE {{
        ?s a <urn:kgmill:ns:AggregatedStatement> ; <{RDF}reifies> <<( ?head <{V}born_in> <{E}paris-03> )>> ;
           <urn:kgmill:ns:confidence> ?sure
    }} ORDER BY ?s"""
    rows = [(r["s"].value[-2:], r["sure"].value) for r in store.query(asked, use_default_graph_as_union=True)]
    assert rows == [("01", "0.75"), ("10", "0.75")]


def test_truthy_has_entities_and_asserted_facts(tmp_path):
    """No statement, no count, and no fact that is not asserted."""
    lines = file_of("truthy", tmp_path).decode().split("\n")
    ada = f"<{E}ada-01>"
    assert [line for line in lines if line.startswith(ada) and "\\" not in line] == [
        f"{ada} <{RDF}type> <{V}Person> .",
        f'{ada} <{RDFS}label> "{ADA.label}" .',
        f'{ada} <http://www.w3.org/2004/02/skos/core#altLabel> "Ada B." .',
        f"{ada} <{V}born_in> <{E}paris-03> .",
        f'{ada} <{V}born_on> "1815-12-10"^^<{XSD}date> .',
        f'{ada} <{V}born_on> "1815-12"^^<{XSD}gYearMonth> .',
        f"{ada} <{V}spouse> <{E}bob-02> .",
        f"{ada} <{V}father> <{E}bob-02> .",
    ]
    read("\n".join(lines).encode(), ox.RdfFormat.N_TRIPLES)
    assert {line.split()[1] for line in lines if line} == {
        f"<{RDF}type>",
        f"<{RDFS}label>",
        *(f"<http://www.w3.org/2004/02/skos/core#{name}>" for name in ("altLabel", "exactMatch")),
        *(f"<{V}{name}>" for name in ("born_in", "born_on", "spouse", "father", "child", "lives_in")),
    }
    assert not [line for line in lines if "bob-02> <" in line and "born_in" in line]
