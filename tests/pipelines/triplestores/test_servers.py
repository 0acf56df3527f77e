"""One query text has the same rows on every store as it comes: embedded, Oxigraph, Fuseki and Virtuoso.

Fuseki and Virtuoso are marked `servers`, and skipped where they are not there.
"""

import csv
import io

import pytest
from real_stores import OTHERS_ARE_MARKED
from store_builds import FACTS, FIRST, GRAPHS, LINKS, NEW_FACTS, NEW_SECOND, SECOND, E, V, make_build

from kgmill.flows.load_summary import example_query
from kgmill.pipelines.triplestores.claim import Wishes
from kgmill.pipelines.triplestores.load import load
from kgmill.pipelines.triplestores.query import format_result, query
from kgmill.schemas.errors import UsageError

ODD = 'tab\t quote" backslash\\ \\u0041 bell\u0007 \u0085\u2028 Łódź 🙂'
QUESTION = f"""
SELECT ?person ?city WHERE {{ GRAPH ?g {{
  ?p <{V}Live_In> ?c ; <http://www.w3.org/2000/01/rdf-schema#label> ?person .
  ?c <http://www.w3.org/2000/01/rdf-schema#label> ?city
}} }} ORDER BY ?person"""


@pytest.fixture(params=OTHERS_ARE_MARKED)
def store(request, started, logged_in):
    """A real server in its default configuration, but for the login and the rows of an answer."""
    store = started(request.param)
    logged_in(store)
    return store


@pytest.fixture
def put(store, build):
    """Loads a build of these graphs, over whatever the test before left."""

    def put(graphs):
        make_build(build, graphs)
        return load(build, store.endpoint, store.profile, wishes=Wishes(prune=True, yes=True))

    return put


def ask(store, sparql):
    """The rows that anybody gets."""
    return [tuple(row) for row in csv.reader(io.StringIO(store.ask(sparql), newline="")) if row]


def embedded(folder, sparql):
    return [tuple(row) for row in csv.reader(io.StringIO(format_result(query(folder, sparql), "csv"), newline=""))]


@pytest.mark.parametrize("text", [QUESTION, example_query(FACTS)], ids=["question", "example"])
def test_one_text_has_the_same_rows(store, put, build, text):
    """Facts and labels that are asked for in one GRAPH are found without a name or a setting."""
    put(GRAPHS)
    rows = ask(store, text)
    assert len(rows) == 2
    assert rows == embedded(build, text)


def test_difference_reaches_the_same_graph(store, put, build):
    """A load, a changed build compared with what is there, and a load of nothing new."""
    put(GRAPHS)
    report = put(GRAPHS | {FACTS: NEW_FACTS, SECOND: NEW_SECOND})
    assert (report.n_replaced, report.n_changed, report.n_inserted, report.n_deleted) == (1, 1, 4, 1)
    text = "SELECT ?s ?n WHERE { GRAPH ?g { ?s <urn:kgmill:ns:mentionCount> ?n } } ORDER BY ?s"
    assert ask(store, text) == [("s", "n"), (f"{E}ada", "3"), (f"{E}london", "1"), (f"{E}paris", "1")]
    assert load(build, store.endpoint, store.profile).n_unchanged == 6


def test_odd_characters_survive(store, put, build):
    """Quotes, backslashes, control characters and what is outside of ASCII are the same triple on both sides."""
    escaped = ODD.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("\u0007", "\\u0007")
    odd = f'<{E}odd> <http://www.w3.org/2000/01/rdf-schema#label> "{escaped}" .\n'
    put(GRAPHS)
    assert put(GRAPHS | {FACTS: [*GRAPHS[FACTS], odd]}).n_inserted == 1
    text = f"SELECT ?label WHERE {{ GRAPH ?g {{ <{E}odd> <http://www.w3.org/2000/01/rdf-schema#label> ?label }} }}"
    assert ask(store, text) == [("label",), (ODD,)]
    make_build(build, GRAPHS | {FACTS: [odd, *GRAPHS[FACTS]]})
    report = load(build, store.endpoint, store.profile)
    assert (report.n_inserted, report.n_deleted) == (0, 0)


def test_many_graphs_are_all_counted(store, put, build):
    """More graphs than an answer may have rows are counted, so that nothing is sent again."""
    more = {f"{FIRST}-{n}": [f"<{E}m{n}> <{V}begin> <{E}x> .\n"] for n in range(60)}
    put(GRAPHS | more)
    assert load(build, store.endpoint, store.profile).n_unchanged == 66
    assert put(GRAPHS).n_removed == 60


def test_another_folder_is_refused(store, put, tmp_path):
    """The owner that the metadata graph names is found on every store."""
    put(GRAPHS)
    make_build(tmp_path / "other", {LINKS: GRAPHS[LINKS]})
    with pytest.raises(UsageError, match=r"6 graphs under .* were loaded by another output folder"):
        load(tmp_path / "other", store.endpoint, store.profile)


@pytest.mark.servers
def test_facts_in_fusekis_default_graph(started, logged_in, build):
    """Fuseki's default graph is its own too."""
    fuseki = started("fuseki")
    logged_in(fuseki)
    make_build(build, GRAPHS)
    load(build, fuseki.endpoint, "fuseki", wishes=Wishes(prune=True, facts="default"))
    assert ask(fuseki, QUESTION.replace("GRAPH ?g {", "").replace("} }", "}"))[1:] == [("Ada Łovelace", "London")]
    load(build, fuseki.endpoint, "fuseki")
    assert len(ask(fuseki, "SELECT * { ?s ?p ?o }")) == 1
