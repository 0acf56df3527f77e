"""Queries on the embedded store, and their answers as text."""

import gzip
import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from kgmill.pipelines.triplestores.query import format_result, query
from kgmill.schemas.errors import CorruptPartError, OutputError, UsageError

KG = "https://kg.example.org/kg/graph/"
E = "https://kg.example.org/entity/"
V = "https://kg.example.org/vocab#"
A, B = f"{KG}kg/0a", f"{KG}kg/f3"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
LINES = [
    f'<{E}ada> <{LABEL}> "Ada Lovelace" <{A}> .\n',
    f"<{E}ada> <{RDF}type> <{V}Peop> <{A}> .\n",
    f"<{E}ada> <{V}bornIn> <{E}london> <{A}> .\n",
    f'<{E}london> <{LABEL}> "London" <{B}> .\n',
    f"<{E}london> <{RDF}type> <{V}Loc> <{B}> .\n",
    f'<{E}london> <{V}mentionCount> "2"^^<http://www.w3.org/2001/XMLSchema#integer> <{B}> .\n',
]
LABELS = f"SELECT ?entity ?label WHERE {{ ?entity <{LABEL}> ?label }} ORDER BY ?label"


def make_build(folder, lines=LINES, n_members=1):
    """A finished build whose graph is of as many gzip members; returns the sha256 of its lines."""
    (folder / "graph").mkdir(parents=True, exist_ok=True)
    size = -(-len(lines) // n_members)
    members = [gzip.compress("".join(lines[i : i + size]).encode(), 1, mtime=0) for i in range(0, len(lines), size)]
    (folder / "graph" / "graph.nq.gz").write_bytes(b"".join(members))
    sha256 = hashlib.sha256("".join(lines).encode()).hexdigest()
    (folder / "run.json").write_text(json.dumps({"status": "finished", "graph": {"sha256": sha256}}))
    return sha256


@pytest.fixture
def build(tmp_path):
    """A finished build that a test may change."""
    make_build(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def same_build(tmp_path_factory):
    """A finished build that tests only ask, so that its store is made once."""
    folder = tmp_path_factory.mktemp("build")
    make_build(folder)
    return folder


def answer(folder, sparql, format_name="csv"):
    return format_result(query(folder, sparql), format_name)


def stores(folder):
    return sorted(path.name for path in (folder / "store").iterdir())


# Answers


def cells(folder, sparql):
    """The rows of a table."""
    return json.loads(answer(folder, sparql, "table"))["rows"]


def test_select_is_rows_of_a_table(same_build):
    """IRIs are in angle brackets, literals are bare; whoever draws them is told which columns are numbers."""
    assert json.loads(answer(same_build, f"SELECT ?entity ?label (2.5 AS ?n) {{ {{ {LABELS} }} }}", "table")) == {
        "columns": ["entity", "label", "n"],
        "rows": [
            ["<https://kg.example.org/entity/ada>", "Ada Lovelace", "2.5"],
            ["<https://kg.example.org/entity/london>", "London", "2.5"],
        ],
        "n_rows": 2,
        "numbers": [2],
    }


def test_table_has_the_first_thousand_rows(same_build):
    """Nobody reads more on a terminal; how many there are is said. What is unbound is empty, and no number."""
    digits = " ".join(f"VALUES ?{name} {{ 0 1 2 3 4 5 6 7 8 9 }}" for name in "abcd")
    found = json.loads(answer(same_build, f"SELECT ?a (1/0 AS ?x) {{ {digits} }}", "table"))
    assert (len(found["rows"]), found["n_rows"], found["numbers"]) == (1000, 10000, [0])
    assert {x for _, x in found["rows"]} == {""}


def test_select_is_json(same_build):
    """JSON is that of SPARQL 1.1, with whole IRIs."""
    assert json.loads(answer(same_build, f"{LABELS} LIMIT 1", "json")) == {
        "head": {"vars": ["entity", "label"]},
        "results": {
            "bindings": [
                {
                    "entity": {"type": "uri", "value": "https://kg.example.org/entity/ada"},
                    "label": {"type": "literal", "value": "Ada Lovelace"},
                }
            ]
        },
    }


def test_select_is_csv(same_build):
    """CSV is that of SPARQL 1.1, without the last line break, which print adds."""
    assert answer(same_build, LABELS) == (
        "entity,label\r\nhttps://kg.example.org/entity/ada,Ada Lovelace\r\nhttps://kg.example.org/entity/london,London"
    )


def test_select_is_tsv(same_build):
    """TSV is that of SPARQL 1.1: terms as Turtle writes them."""
    assert answer(same_build, f"{LABELS} LIMIT 1", "tsv") == (
        '?entity\t?label\n<https://kg.example.org/entity/ada>\t"Ada Lovelace"'
    )


def test_unbound_last_row_stays_in_csv(same_build):
    """An empty row at the end is a row."""
    assert answer(same_build, "SELECT (1/0 AS ?x) {}") == "x\r\n"


def test_table_cuts_long_cells(same_build):
    """A cell is at most 200 characters and an ellipsis, and ends with a whole word where it has several."""
    assert cells(same_build, f'SELECT ("{"x" * 201}" AS ?long) {{}}') == [["x" * 199 + " …"]]
    assert cells(same_build, f'SELECT ("{"word " * 50}" AS ?long) {{}}') == [["word " * 39 + "…"]]


def test_table_escapes_control_characters(same_build):
    """A line break doesn't tear the table, and an escape sequence doesn't reach the terminal."""
    assert cells(same_build, 'SELECT ("a\\nb\u001b[31m" AS ?text) {}') == [["a\\nb\\x1b[31m"]]


def test_known_prefixes_work_both_ways(same_build):
    """A W3C prefix needs no declaration in a query, and shortens IRIs in a table."""
    assert cells(same_build, 'SELECT ?p { ?s ?p "London" . ?s rdfs:label ?o }') == [["rdfs:label"]]


@pytest.mark.parametrize(("city", "expected"), [("London", ("yes", "true")), ("Paris", ("no", "false"))])
def test_ask_is_yes_or_no(same_build, city, expected):
    """ASK answers people with yes or no, and programs with a boolean."""
    sparql = f'ASK {{ ?s ?p "{city}" }}'
    assert (answer(same_build, sparql, "table"), answer(same_build, sparql, "csv")) == expected
    assert json.loads(answer(same_build, sparql, "json")) == {"head": {}, "boolean": expected[1] == "true"}


def test_construct_is_turtle(same_build):
    """A graph is written as Turtle, with the prefixes that it needs and no others."""
    sparql = f"CONSTRUCT {{ <{E}ada> rdfs:label ?name }} {{ <{E}ada> rdfs:label ?name }}"
    assert answer(same_build, sparql, "table") == (
        "@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n"
        '<https://kg.example.org/entity/ada> rdfs:label "Ada Lovelace" .'
    )


def test_turtle_is_for_graphs(same_build):
    """A graph is Turtle by that name too; a result set is refused, with a way out."""
    sparql = f"CONSTRUCT {{ <{E}ada> rdfs:label ?name }} {{ <{E}ada> rdfs:label ?name }}"
    assert answer(same_build, sparql, "turtle") == answer(same_build, sparql, "table")
    with pytest.raises(UsageError, match=r"Turtle holds nothing else: use --format json, csv or tsv, or a CONSTRUCT"):
        answer(same_build, LABELS, "turtle")


def test_iris_are_whole_by_choice(same_build):
    """No IRI is abbreviated in a table or in Turtle where that is asked for."""
    found = query(same_build, 'SELECT ?p { ?s ?p "London" }')
    assert json.loads(format_result(found, "table", is_whole=True))["rows"] == [[f"<{LABEL}>"]]
    graph = query(same_build, f"CONSTRUCT {{ <{E}ada> rdfs:label ?name }} {{ <{E}ada> rdfs:label ?name }}")
    assert format_result(graph, "turtle", is_whole=True) == f'<{E}ada> <{LABEL}> "Ada Lovelace" .'


def test_graph_holds_a_triple_once(build):
    """A triple of two named graphs is described once."""
    make_build(build, [f'<{E}ada> <{V}age> "36" <{graph}> .\n' for graph in (A, B)])
    turtle = '<https://kg.example.org/entity/ada> <https://kg.example.org/vocab#age> "36" .'
    assert answer(build, f"DESCRIBE <{E}ada>", "table") == turtle


@pytest.mark.parametrize("format_name", ["json", "csv", "tsv"])
def test_construct_is_no_result_set(same_build, format_name):
    """A graph as JSON or CSV results is refused, with a way out."""
    with pytest.raises(UsageError, match=r"use --format turtle, or a SELECT query"):
        answer(same_build, f"DESCRIBE <{E}ada>", format_name)


def test_unknown_format_is_refused(same_build):
    """The message lists the formats that there are."""
    with pytest.raises(UsageError, match=r"unknown format 'xml'; known: table, json, csv, tsv, turtle"):
        answer(same_build, LABELS, "xml")


# What a query sees


def test_default_graph_is_the_union(same_build):
    """A pattern outside GRAPH matches across named graphs."""
    sparql = f"SELECT ?city {{ <{E}ada> <{V}bornIn>/rdfs:label ?city }}"
    assert answer(same_build, sparql) == "city\r\nLondon"


def test_graph_names_one_graph(same_build):
    """GRAPH sees the named graphs one by one."""
    assert answer(same_build, "SELECT (COUNT(DISTINCT ?g) AS ?n) { GRAPH ?g { ?s ?p ?o } }") == "n\r\n2"


def test_from_replaces_the_union(same_build):
    """A query that chooses its graphs with FROM sees no others."""
    sparql = "SELECT (COUNT(*) AS ?n) FROM <https://kg.example.org/kg/graph/kg/0a> { ?s ?p ?o }"
    assert answer(same_build, sparql) == "n\r\n3"


def test_the_word_from_alone_changes_nothing(same_build):
    """FROM in a string, a comment or a variable isn't the keyword."""
    assert answer(same_build, "SELECT (COUNT(*) AS ?from) { ?s ?p ?o FILTER(?o != 'from') } # from") == "from\r\n6"


def test_all_gzip_members_are_read(tmp_path):
    """A graph file of several gzip members is one graph."""
    make_build(tmp_path, n_members=3)
    assert answer(tmp_path, "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }") == "n\r\n6"


# What is refused


@pytest.mark.parametrize("content", [None, "{}", "not json", '{"graph": {"sha256": "../../etc"}}', '{"graph": null}'])
def test_folder_without_a_finished_build_is_refused(build, content):
    """No run.json, or one without a graph, is no finished build."""
    (build / "run.json").unlink()
    if content is not None:
        (build / "run.json").write_text(content)
    with pytest.raises(UsageError, match=r": no finished build here; run kgmill build SOURCE\.\.\. --out .* first"):
        query(build, "ASK {}")


def test_missing_graph_is_refused(build):
    """A build without graph.nq.gz can't be asked."""
    (build / "graph" / "graph.nq.gz").unlink()
    with pytest.raises(UsageError, match="no finished build here"):
        query(build, "ASK {}")


def test_syntax_error_is_one_line(same_build):
    """The message says where, and stays short though the parser lists all it would have taken."""
    with pytest.raises(UsageError) as error:
        query(same_build, "SELECT * {\n ?s undeclared:x ?o }")
    message = str(error.value)
    assert message.startswith("not a SPARQL 1.1 query: error at 2:")
    assert "\n" not in message
    assert len(message) < 200


def test_unknown_function_is_refused(same_build):
    """A query that parses and can't be answered is the query's fault."""
    with pytest.raises(UsageError, match=r"can't be answered: The custom function <http://e/f> is not supported"):
        answer(same_build, "SELECT (<http://e/f>(1) AS ?x) {}")


@pytest.mark.parametrize(
    ("sparql", "word"),
    [
        ("INSERT DATA { <a:a> <a:b> <a:c> }", "INSERT"),
        ("PREFIX x: <a:>\ndrop ALL", "DROP"),
        ("# note\nCLEAR ALL", "CLEAR"),
    ],
)
def test_updates_are_refused(same_build, sparql, word):
    """An update is named as what it is, and isn't called a syntax error."""
    with pytest.raises(UsageError, match=f"{word} is an update, but the store is read-only"):
        query(same_build, sparql)


@pytest.mark.parametrize(
    "clause",
    [
        "SERVICE <{0}> {{ ?s ?p ?o }}",
        "service silent <{0}> {{ ?s ?p ?o }}",
        "SERVICESILENT<{0}>{{ ?s ?p ?o }}",
        "SERVICE # a comment {{\n <{0}> # another\n {{ ?s ?p ?o }}",
        "BIND(<{0}> AS ?u) SERVICE ?u {{ ?s ?p ?o }}",
        "SERVICE there: {{ ?s ?p ?o }}",
        "BIND(1<'a>' AS ?quote) SERVICE <{0}> {{ ?s ?p ?o }} #'",
    ],
)
def test_no_query_reaches_another_server(same_build, clause):
    """However it is written, a federated call is refused before anything is sent."""
    calls = []

    class Peer(BaseHTTPRequestHandler):
        def handle(self):
            calls.append(self.client_address)

    with HTTPServer(("127.0.0.1", 0), Peer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/"
        try:
            with pytest.raises(UsageError, match="use kgmill load, and ask a triple store"):
                answer(same_build, f"PREFIX there: <{url}> SELECT * {{ {clause.format(url)} }}")
        finally:
            server.shutdown()
            thread.join()
    assert calls == []


def test_service_may_be_a_name(same_build):
    """The word is refused as a call, not as a variable, a local name or a text."""
    sparql = (
        "PREFIX ex: <http://e/> SELECT (COUNT(*) AS ?service) "
        "{ ?s ?p ?o FILTER(?o != 'the service (of) {ex:x}') OPTIONAL { ?s ex:service ?my_service {} } }"
    )
    assert answer(same_build, sparql) == "service\r\n6"


def test_altered_graph_is_refused(build):
    """Bytes that aren't those of run.json's sha256 never become a store."""
    path = build / "graph" / "graph.nq.gz"
    path.write_bytes(gzip.compress("".join(LINES[:-1]).encode()))
    with pytest.raises(CorruptPartError, match=r"graph\.nq\.gz: not the bytes that run\.json promises"):
        query(build, "ASK {}")
    assert stores(build) == []


def test_truncated_graph_is_refused(build):
    """A gzip file that ends too early never becomes a store."""
    path = build / "graph" / "graph.nq.gz"
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(CorruptPartError, match=r"graph\.nq\.gz: .*; run kgmill build again"):
        query(build, "ASK {}")
    assert stores(build) == []


def test_store_that_cant_be_written_is_named(build):
    """A file where the stores' folder should be is the output's fault."""
    (build / "store").write_text("")
    with pytest.raises(OutputError, match=r"store: the embedded store can't be made"):
        query(build, "ASK {}")


# The store


def test_store_is_made_once(build):
    """The second query opens what the first one made."""
    query(build, "ASK {}")
    before = next((build / "store").iterdir()).stat()
    query(build, "ASK {}")
    after = next((build / "store").iterdir()).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_store_is_named_after_the_graph(build):
    """Its name is the first 16 digits of the graph's sha256, and nothing is beside it."""
    query(build, "ASK {}")
    assert stores(build) == [hashlib.sha256("".join(LINES).encode()).hexdigest()[:16]]


def test_new_graph_replaces_the_store(build):
    """After another build, answers are new and the old store is gone."""
    query(build, "ASK {}")
    sha256 = make_build(build, LINES[:4])
    assert answer(build, "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }") == "n\r\n4"
    assert stores(build) == [sha256[:16]]


def test_result_outlives_its_store(build):
    """Rows that weren't read yet can be read after a newer query removed the store's folder."""
    older = query(build, LABELS)
    make_build(build, LINES[:4])
    query(build, "ASK {}")
    assert format_result(older, "csv").count("\r\n") == 2


def test_what_dead_processes_left_is_removed(build):
    """A half-built store is removed if its process is gone, and kept if it lives."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    (build / "store").mkdir()
    for name in (f".tmp-{process.pid}-00ff", f".tmp-{os.getpid()}-00ff", "notes"):
        (build / "store" / name).mkdir()
    query(build, "ASK {}")
    assert stores(build)[:1] + stores(build)[2:] == [f".tmp-{os.getpid()}-00ff", "notes"]


def test_damaged_store_is_made_again(build):
    """A store that can't be opened is only a cache."""
    query(build, "ASK {}")
    (next((build / "store").iterdir()) / "CURRENT").unlink()
    assert answer(build, "ASK { ?s ?p 'London' }", "table") == "yes"


def test_altered_store_is_made_again(build):
    """Each file of a store that has other bytes is noticed before native code reads it, which may never end."""
    query(build, "ASK {}")
    [store] = (build / "store").iterdir()
    names = [path.name for path in sorted(store.iterdir()) if path.suffix == ".sst"]
    assert names
    for name in names:
        data = bytearray((store / name).read_bytes())
        data[len(data) // 3] ^= 0xFF
        (store / name).write_bytes(data)
        assert answer(build, "ASK { ?s ?p 'London' }", "table") == "yes"
        assert (store / name).read_bytes() != bytes(data)


def test_processes_may_ask_at_once(build):
    """Two processes that start without a store both get their answer."""
    code = (
        "import sys, pathlib, kgmill.pipelines.triplestores.query as q;"
        "print(bool(q.query(pathlib.Path(sys.argv[1]), 'ASK {?s ?p ?o}')))"
    )
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", code, str(build)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) for _ in range(2)]
    assert [process.communicate()[0] for process in both] == ["True\n", "True\n"]
    assert len(stores(build)) == 1
