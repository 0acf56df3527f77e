"""One query text has the same rows on every store as it comes: embedded, Oxigraph, Fuseki and Virtuoso.

Fuseki and Virtuoso are marked `servers`, and skipped where they are not: the jar is KGMILL_FUSEKI_JAR or in
../shared/engines, Virtuoso's binary is virtuoso-t (Debian's virtuoso-opensource-7-bin).
"""

import csv
import io
import os
import shutil
import sys
from pathlib import Path

import httpx
import pytest
from store_builds import FACTS, FIRST, GRAPHS, LINKS, NEW_FACTS, NEW_SECOND, SECOND, E, V, make_build

from kgmill.flows.load_summary import example_query
from kgmill.pipelines.triplestores.claim import Wishes
from kgmill.pipelines.triplestores.load import load
from kgmill.pipelines.triplestores.query import format_result, query
from kgmill.schemas.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]
ODD = 'tab\t quote" backslash\\ \\u0041 bell\u0007 \u0085\u2028 Łódź 🙂'
QUESTION = f"""
SELECT ?person ?city WHERE {{ GRAPH ?g {{
  ?p <{V}Live_In> ?c ; <http://www.w3.org/2000/01/rdf-schema#label> ?person .
  ?c <http://www.w3.org/2000/01/rdf-schema#label> ?city
}} }} ORDER BY ?person"""
VIRTUOSO_INI = """
[Database]
DatabaseFile = {folder}/virtuoso.db
ErrorLogFile = {folder}/virtuoso.log
LockFile = {folder}/virtuoso.lck
TransactionFile = {folder}/virtuoso.trx
xa_persistent_file = {folder}/virtuoso.pxa
[TempDatabase]
DatabaseFile = {folder}/virtuoso-temp.db
TransactionFile = {folder}/virtuoso-temp.trx
[Parameters]
ServerPort = 127.0.0.1:{sql_port}
DisableUnixSocket = 1
NumberOfBuffers = 10000
MaxDirtyBuffers = 6000
[HTTPServer]
ServerPort = 127.0.0.1:{port}
ServerThreads = 10
[SPARQL]
ResultSetMaxRows = 10000
MaxQueryCostEstimationTime = 400
MaxQueryExecutionTime = 60
"""


@pytest.fixture(scope="module")
def oxigraph(tmp_path_factory, free_port, serving):
    address = f"127.0.0.1:{free_port()}"
    folder = tmp_path_factory.mktemp("oxigraph")
    command = [Path(sys.executable).with_name("oxigraph"), "serve", "-l", folder, "-b", address]
    with serving(command, f"http://{address}") as url:
        yield url, f"{url}/query"


@pytest.fixture(scope="module")
def fuseki(tmp_path_factory, free_port, serving):
    jars = [
        os.environ.get("KGMILL_FUSEKI_JAR", ""),
        *map(str, ROOT.parent.glob("shared/engines/jena-fuseki-server-*.jar")),
    ]
    jars += map(str, ROOT.parents[1].glob("shared/engines/jena-fuseki-server-*.jar"))
    jar = next((jar for jar in jars if jar and Path(jar).is_file()), None)
    if jar is None or shutil.which("java") is None:
        pytest.skip("no Fuseki: java, or the jar that KGMILL_FUSEKI_JAR names, isn't there")
    port, folder = free_port(), tmp_path_factory.mktemp("fuseki")
    (folder / "db").mkdir()
    options = ["--localhost", "--port", str(port), "--loc", folder / "db", "--tdb2", "--update", "/kg"]
    with serving(["java", "-Xmx600m", "-jar", jar, *options], f"http://127.0.0.1:{port}/", 60, cwd=folder) as url:
        yield f"{url}kg", f"{url}kg/query"


@pytest.fixture(scope="module")
def virtuoso(tmp_path_factory, free_port, serving):
    if shutil.which("virtuoso-t") is None:
        pytest.skip("no Virtuoso: virtuoso-t isn't there; on Debian it is in virtuoso-opensource-7-bin")
    port, folder = free_port(), tmp_path_factory.mktemp("virtuoso")
    (folder / "virtuoso.ini").write_text(VIRTUOSO_INI.format(folder=folder, port=port, sql_port=free_port()))
    command = ["virtuoso-t", "+foreground", "+configfile", folder / "virtuoso.ini"]
    with (
        serving(command, f"http://127.0.0.1:{port}/sparql", 120, cwd=folder) as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("KGMILL_STORE_USER", "dba")
        patch.setenv("KGMILL_STORE_PASSWORD", "dba")
        yield url.removesuffix("/sparql"), url


@pytest.fixture(
    params=[
        "oxigraph",
        pytest.param("fuseki", marks=pytest.mark.servers),
        pytest.param("virtuoso", marks=pytest.mark.servers),
    ]
)
def store(request):
    """The profile of a real server in its default configuration, its endpoint, and where anybody may ask."""
    return request.param, *request.getfixturevalue(request.param)


@pytest.fixture
def put(store, build):
    """Loads a build of these graphs, over whatever the test before left."""

    def put(graphs):
        make_build(build, graphs)
        return load(build, store[1], store[0], wishes=Wishes(prune=True, yes=True))

    return put


def ask(url, sparql):
    """The rows that anybody gets."""
    answer = httpx.post(url, data={"query": sparql}, headers={"Accept": "text/csv"}).raise_for_status()
    return [tuple(row) for row in csv.reader(io.StringIO(answer.content.decode(), newline="")) if row]


def embedded(folder, sparql):
    return [tuple(row) for row in csv.reader(io.StringIO(format_result(query(folder, sparql), "csv"), newline=""))]


@pytest.mark.parametrize("text", [QUESTION, example_query(FACTS)], ids=["question", "example"])
def test_one_text_has_the_same_rows(store, put, build, text):
    """Facts and labels that are asked for in one GRAPH are found without a name or a setting."""
    put(GRAPHS)
    rows = ask(store[2], text)
    assert len(rows) == 2
    assert rows == embedded(build, text)


def test_difference_reaches_the_same_graph(store, put, build):
    """A load, a changed build compared with what is there, and a load of nothing new."""
    put(GRAPHS)
    report = put(GRAPHS | {FACTS: NEW_FACTS, SECOND: NEW_SECOND})
    assert (report.n_replaced, report.n_changed, report.n_inserted, report.n_deleted) == (1, 1, 4, 1)
    text = "SELECT ?s ?n WHERE { GRAPH ?g { ?s <urn:kgmill:ns:mentionCount> ?n } } ORDER BY ?s"
    assert ask(store[2], text) == [("s", "n"), (f"{E}ada", "3"), (f"{E}london", "1"), (f"{E}paris", "1")]
    assert load(build, store[1], store[0]).n_unchanged == 6


def test_odd_characters_survive(store, put, build):
    """Quotes, backslashes, control characters and what is outside of ASCII are the same triple on both sides."""
    escaped = ODD.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("\u0007", "\\u0007")
    odd = f'<{E}odd> <http://www.w3.org/2000/01/rdf-schema#label> "{escaped}" .\n'
    put(GRAPHS)
    assert put(GRAPHS | {FACTS: [*GRAPHS[FACTS], odd]}).n_inserted == 1
    text = f"SELECT ?label WHERE {{ GRAPH ?g {{ <{E}odd> <http://www.w3.org/2000/01/rdf-schema#label> ?label }} }}"
    assert ask(store[2], text) == [("label",), (ODD,)]
    make_build(build, GRAPHS | {FACTS: [odd, *GRAPHS[FACTS]]})
    report = load(build, store[1], store[0])
    assert (report.n_inserted, report.n_deleted) == (0, 0)


def test_many_graphs_are_all_counted(store, put, build):
    """More graphs than an answer may have rows are counted, so that nothing is sent again."""
    more = {f"{FIRST}-{n}": [f"<{E}m{n}> <{V}begin> <{E}x> .\n"] for n in range(60)}
    put(GRAPHS | more)
    assert load(build, store[1], store[0]).n_unchanged == 66
    assert put(GRAPHS).n_removed == 60


def test_another_folder_is_refused(store, put, tmp_path):
    """The owner that the metadata graph names is found on every store."""
    put(GRAPHS)
    make_build(tmp_path / "other", {LINKS: GRAPHS[LINKS]})
    with pytest.raises(UsageError, match=r"6 graphs under .* were loaded by another output folder"):
        load(tmp_path / "other", store[1], store[0])


@pytest.mark.servers
def test_facts_in_fusekis_default_graph(fuseki, build):
    """Fuseki's default graph is its own too."""
    endpoint, url = fuseki
    make_build(build, GRAPHS)
    load(build, endpoint, "fuseki", wishes=Wishes(prune=True, facts="default"))
    assert ask(url, QUESTION.replace("GRAPH ?g {", "").replace("} }", "}"))[1:] == [("Ada Łovelace", "London")]
    load(build, endpoint, "fuseki")
    assert len(ask(url, "SELECT * { ?s ?p ?o }")) == 1
