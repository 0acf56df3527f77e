"""Queries that are sent to a server, on a real Oxigraph, with one between that answers wrongly."""

import json
import time

import pytest
from store_builds import GRAPHS, KG, E, make_build

from kgmill.pipelines.triplestores.answer import How, answer
from kgmill.pipelines.triplestores.endpoint import ask
from kgmill.pipelines.triplestores.load import load
from kgmill.pipelines.triplestores.prefixes import PREFIXES, declared
from kgmill.pipelines.triplestores.query import format_result, prefixes_of, prefixes_of_name
from kgmill.schemas.errors import StoreError, TimeLimitError, UsageError

LABELS = "SELECT ?label { GRAPH g:kg { ?entity rdfs:label ?label } } ORDER BY ?label"


@pytest.fixture
def loaded(endpoint, build):
    """A store that holds a build."""
    load(build, endpoint)
    return endpoint


def text(url, sparql, prefixes, form="csv", **how):
    return format_result(ask(url, sparql, prefixes, **how), form)


def test_server_answers_as_the_embedded_store_does(loaded, build):
    """The same rows in each format, with the dataset's prefixes of the folder, by the base URL and by the whole one."""
    prefixes = prefixes_of(build)
    for form in ("table", "json", "csv", "tsv"):
        assert text(loaded, LABELS, prefixes, form) == answer(build, LABELS, form)
    for url, how in ((f"{loaded}/query", {}), (loaded, {"profile": "oxigraph"})):
        assert text(url, LABELS, prefixes, **how) == "label\r\nAda Łovelace\r\nLondon"


@pytest.mark.parametrize("dataset", ["https://kg.example.org/news", "news"])
def test_dataset_is_given_by_iri_or_name(loaded, dataset):
    """The prefixes are those of that dataset; a name is one under the default base."""
    base = "https://kg.example.org/" if ":" in dataset else "urn:kgmill:dataset:news:"
    found = text(loaded, "SELECT (e:ada AS ?e) (v:Peop AS ?v) (x:owner AS ?x) {}", prefixes_of_name(dataset))
    assert found == f"e,v,x\r\n{base}news/entity/ada,{base}vocab#Peop,urn:kgmill:ns:owner"


def test_name_that_is_none_is_refused():
    """A dataset's name can't have a blank."""
    with pytest.raises(UsageError, match=r"--dataset my news: wanted a dataset's name, or its IRI"):
        prefixes_of_name("my news")


def test_boolean_and_graph(loaded, build):
    """ASK is yes or no, CONSTRUCT is Turtle."""
    prefixes = prefixes_of(build)
    assert text(loaded, "ASK { GRAPH g:kg { ?s rdfs:label 'London' } }", prefixes, "table") == "yes"
    sparql = "CONSTRUCT { ?s rdfs:label ?l } { GRAPH g:kg { ?s rdfs:label ?l FILTER(?l = 'London') } }"
    assert text(loaded, sparql, prefixes, "turtle").endswith(f'<{E}london> rdfs:label "London" .')


def test_declarations_are_the_querys_own(loaded, build):
    """A prefix that the query declares is not declared again, and means what it says."""
    asked = "BASE <urn:b:> PREFIX g: <urn:other:> SELECT (g:kg AS ?g) {}"
    assert declared(asked, prefixes_of(build)) == asked
    assert text(loaded, asked, prefixes_of(build)) == "g\r\nurn:other:kg"


@pytest.mark.parametrize("sparql", ["DROP ALL", "PREFIX a: <a:> INSERT DATA { a:a a:b a:c }", "nonsense"])
def test_no_update_is_sent(proxy, sparql):
    """What is no query never leaves."""
    with pytest.raises(UsageError):
        ask(proxy.url, sparql, PREFIXES)
    assert proxy.requests == []


def test_refusal_is_one_line(loaded):
    """What the server says of the query is told, with its URL."""
    with pytest.raises(StoreError, match=r"^http://127\.0\.0\.1:\d+: query: status 400: ") as error:
        ask(loaded, "SELECT * { ?s undeclared:x ?o }", PREFIXES)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("sparql", "wanted"), [("ASK {}", "SPARQL results as JSON"), ("DESCRIBE <a:b>", "RDF")])
def test_page_is_no_answer(proxy, sparql, wanted):
    """A web page at a wrong URL is told from an answer."""
    proxy.faults["QUERY"] = [(200, {"Content-Type": "text/html"}, b"<html>Welcome!</html>")]
    with pytest.raises(StoreError, match=f"/query: wanted {wanted}, got something else; does this URL answer queries"):
        ask(f"{proxy.url}/query", sparql, PREFIXES)


def rows(n):
    """The answer to a SELECT, with a row after which a fault can stand."""
    bindings = [{"s": {"type": "uri", "value": f"urn:e:{i}"}} for i in range(n)]
    return json.dumps({"head": {"vars": ["s"]}, "results": {"bindings": bindings}}).encode()


@pytest.mark.parametrize("end", [b"", b', {"s": {"type": "nonsense"}}]}}', b"\xff"])
def test_answer_that_breaks_off_is_told(proxy, end):
    """What is wrong behind the first rows is one line too, before any row is shown."""
    proxy.faults["QUERY"] = [(200, {}, rows(3).removesuffix(b"]}}") + end)]
    with pytest.raises(StoreError, match="/query: wanted SPARQL results as JSON, got something else"):
        ask(proxy.url, "SELECT ?s { ?s ?p ?o }", PREFIXES)


def test_cut_answer_is_told(proxy, capsys, caplog):
    """Virtuoso's word that it gave fewer rows than there are is logged, and nothing else is written."""
    proxy.faults["QUERY"] = [(200, {"X-SPARQL-MaxRows": "5000"}, rows(0))]
    ask(proxy.url, "SELECT * { ?s ?p ?o }", PREFIXES)
    (record,) = caplog.records
    assert (
        record.getMessage()
        == f"{proxy.url}/query: has cut its answer at 5000 rows; ask by pages, with LIMIT and OFFSET"
    )
    assert capsys.readouterr().err == ""


def test_cut_answer_reaches_people(proxy, capfd):
    """The command's child says it on standard error, in the command's form."""
    proxy.faults["QUERY"] = [(200, {"X-SPARQL-MaxRows": "5000"}, rows(1))]
    assert answer(None, "SELECT * { ?s ?p ?o }", "csv", how=How(endpoint=proxy.url)) == "s\r\nurn:e:0"
    assert capfd.readouterr().err.startswith(f"kgmill: {proxy.url}/query: has cut its answer at 5000 rows; ")


def test_login_is_that_of_a_load(proxy, monkeypatch):
    """It comes from the environment."""
    monkeypatch.setenv("KGMILL_STORE_USER", "ada")
    monkeypatch.setenv("KGMILL_STORE_PASSWORD", "lovelace")
    ask(proxy.url, "ASK {}", PREFIXES)
    assert proxy.logins == ["Basic YWRhOmxvdmVsYWNl"]


@pytest.fixture
def own_server(oxigraph):
    """A server that is killed with the test: a query that its asker has left goes on there for hours."""
    with oxigraph() as url:
        yield url


def test_child_asks_within_the_time(own_server, tmp_path):
    """The command's way, in a child: an answer, and the end of one that takes too long, whatever the server does."""
    graphs = {f"{KG}doc/{n}": [f"<{E}m{n}> <{E}p{n % 7}> <{E}x{n}> .\n"] for n in range(300)}
    make_build(tmp_path, GRAPHS | graphs)
    load(tmp_path, own_server)
    how = How(endpoint=own_server)
    assert answer(tmp_path, "ASK { GRAPH g:kg { ?s ?p ?o } }", "table", how=how) == "yes"
    endless = " ".join(f"GRAPH ?g{n} {{ ?a{n} ?p{n} ?b{n} }}" for n in range(6))
    started = time.monotonic()
    with pytest.raises(TimeLimitError, match=r"no answer within 0\.5 s"):
        answer(None, f"SELECT (COUNT(*) AS ?n) {{ {endless} FILTER(STR(?a0) > STR(?b5)) }}", "table", 0.5, how)
    assert time.monotonic() - started < 30
