"""What a load does to a real Oxigraph server."""

import json
from dataclasses import replace

import pytest
from store_builds import FACTS, FIRST, GRAPHS, LINKS, META, NEW_SECOND, SECOND, E, V, make_build, quads

from kgmill.pipelines.triplestores import job as load_job
from kgmill.pipelines.triplestores.claim import Wishes
from kgmill.pipelines.triplestores.load import LoadReport, load
from kgmill.pipelines.triplestores.profiles import PROFILES

FIRST_LOAD = LoadReport(
    6, 24, n_replaced=6, n_changed=0, n_unchanged=0, n_removed=0, n_inserted=0, n_deleted=0, facts=FACTS
)
NOTHING_NEW = replace(FIRST_LOAD, n_replaced=0, n_unchanged=6)


def test_load_makes_the_store_equal(build, endpoint, dump):
    """After a load the store holds exactly the quads of the build."""
    assert load(build, endpoint) == FIRST_LOAD
    assert dump() == sorted(quads(GRAPHS))


def test_store_says_what_it_holds(build, endpoint, dump):
    """The metadata graph has the description of the build, whose it is, and the graph's sha256."""
    load(build, endpoint)
    owner = (build / "load" / "owner").read_text().strip()
    state = json.loads((build / "run.json").read_text())["graph"]["sha256"]
    x, integer = "urn:kgmill:ns:", "<http://www.w3.org/2001/XMLSchema#integer>"
    assert [line for line in dump(whole=True) if line.startswith(f"<{META}>")] == [
        f"<{META}> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://rdfs.org/ns/void#Dataset> <{META}> .\n",
        f'<{META}> <{x}loadedFactTriples> "12"^^{integer} <{META}> .\n',
        f'<{META}> <{x}loadedFacts> "graph" <{META}> .\n',
        f'<{META}> <{x}loadedLinkTriples> "2"^^{integer} <{META}> .\n',
        f'<{META}> <{x}loadedState> "{state}" <{META}> .\n',
        f'<{META}> <{x}owner> "{owner}" <{META}> .\n',
    ]


def test_owner_is_written_first(build, proxy):
    """Whose the graphs are is said before any other graph is sent, and what they are when all are there."""
    load(build, proxy.url)
    assert proxy.writes() == [
        ("PUT", "meta"),
        ("PUT", "provenance%2F3f9a"),
        ("POST", "kg"),
        ("PUT", "doc%2Fletters%252F1.txt"),
        ("PUT", "doc%2Fd2"),
        ("POST", "links"),
        ("PUT", "meta"),
    ]


def test_graph_store_url_is_an_endpoint_too(build, endpoint):
    """A URL that ends in one of the profile's paths, or in a slash, is the same endpoint, with the same journal."""
    load(build, endpoint)
    assert [load(build, f"{endpoint}{end}").n_unchanged for end in ("/store", "/", "/query", "/update")] == [6] * 4


def test_second_load_writes_nothing(build, proxy):
    """A load of what is there already sends two queries."""
    load(build, proxy.url)
    proxy.requests.clear()
    assert load(build, proxy.url) == NOTHING_NEW
    assert [kind for kind, _ in proxy.requests] == ["QUERY", "QUERY"]


def test_changed_document_is_replaced_alone(build, proxy, dump):
    """A graph with other triples, though as many, is put; the others aren't."""
    load(build, proxy.url)
    proxy.requests.clear()
    graphs = GRAPHS | {SECOND: NEW_SECOND}
    make_build(build, graphs)
    assert load(build, proxy.url).n_replaced == 1
    assert [request for request in proxy.writes() if request[0] == "PUT"] == [
        ("PUT", "meta"),
        ("PUT", "doc%2Fd2"),
        ("PUT", "meta"),
    ]
    assert dump() == sorted(quads(graphs))


def test_order_of_lines_is_no_change(build, endpoint, dump):
    """A graph whose lines stand in another order, or twice, is the same graph."""
    load(build, endpoint)
    lines = {iri: [*reversed(GRAPHS[iri]), GRAPHS[iri][0]] for iri in (FIRST, FACTS, LINKS)}
    make_build(build, GRAPHS | lines)
    report = load(build, endpoint)
    assert (report.n_replaced, report.n_changed, report.n_unchanged) == (0, 0, 6)
    assert dump() == sorted(quads(GRAPHS))
    assert load(build, endpoint).n_unchanged == 6


def test_document_that_left_the_build_is_removed(build, endpoint, dump):
    """A graph of the dataset that isn't in the build any more leaves the store."""
    load(build, endpoint)
    graphs = {iri: lines for iri, lines in GRAPHS.items() if iri != FIRST}
    make_build(build, graphs)
    assert load(build, endpoint, wishes=Wishes(yes=True)).n_removed == 1
    assert dump() == sorted(quads(graphs))


def test_graphs_of_the_dataset_leave_with_it(build, endpoint, dump):
    """A build without entities or links leaves none in the store."""
    load(build, endpoint)
    graphs = {iri: lines for iri, lines in GRAPHS.items() if iri not in (FACTS, LINKS)}
    make_build(build, graphs)
    assert load(build, endpoint).n_removed == 2
    assert dump() == sorted(quads(graphs))


def test_graph_that_is_gone_when_it_is_deleted_is_removed(build, proxy):
    """Somebody else's faster DELETE is no fault."""
    load(build, proxy.url)
    make_build(build, {iri: lines for iri, lines in GRAPHS.items() if iri != SECOND})
    proxy.faults["DELETE"] = [404]
    assert load(build, proxy.url, wishes=Wishes(yes=True)).n_removed == 1


@pytest.mark.parametrize(
    "other",
    [
        "https://kg.example.org/news2/graph/d1",
        "https://kg.example.org/news/graph/x/graph/d1",
        "https://kg.example.org/news/d",
    ],
)
def test_other_datasets_are_never_touched(build, endpoint, update, dump, other):
    """A graph of another dataset stays, even one whose name begins like ours."""
    update(f"INSERT DATA {{ GRAPH <{other}> {{ <{E}x> <{V}y> <{E}z> }} }}")
    assert load(build, endpoint).n_removed == 0
    assert f"<{E}x> <{V}y> <{E}z> <{other}> .\n" in dump()


def test_wiped_store_is_loaded_again(build, endpoint, update, dump):
    """The journal says that all is done, but the store is empty: everything is sent."""
    load(build, endpoint)
    update("DROP ALL")
    assert load(build, endpoint).n_replaced == 6
    assert dump() == sorted(quads(GRAPHS))


def test_document_with_foreign_triples_is_replaced(build, endpoint, update, dump):
    """A graph that somebody added to no longer has the expected count."""
    load(build, endpoint)
    update(f"INSERT DATA {{ GRAPH <{SECOND}> {{ <{E}x> <{V}y> <{E}z> }} }}")
    assert load(build, endpoint).n_replaced == 1
    assert dump() == sorted(quads(GRAPHS))


@pytest.mark.parametrize("content", [None, "not json", "[]", '{"graphs": []}'])
def test_journal_is_only_a_reason_to_skip(build, endpoint, dump, content):
    """Without a readable journal all documents are put again, without duplicates."""
    load(build, endpoint)
    (journal,) = (build / "load").glob("*.json")
    journal.unlink()
    if content is not None:
        journal.write_text(content)
    assert load(build, endpoint).n_replaced == 3
    assert dump() == sorted(quads(GRAPHS))


def test_store_of_another_time_is_not_trusted(build, endpoint, server, update, dump):
    """A store that was put back to an older state, whose counts are equal, gets what it lacks."""
    load(build, endpoint)
    old = "".join(dump(whole=True))
    make_build(build, GRAPHS | {SECOND: NEW_SECOND})
    load(build, endpoint)
    update("DROP ALL ; INSERT DATA {" + "".join(f"GRAPH {g} {{ {t} }}" for t, g in map(cut, old.splitlines())) + "}")
    load(build, endpoint)
    assert dump() == sorted(quads(GRAPHS | {SECOND: NEW_SECOND}))


def cut(quad):
    triple, graph, _ = quad.rsplit(" ", 2)
    return triple, graph


def test_progress_counts_quads(build, endpoint):
    """The callback hears of quads that are done, those of unchanged graphs at once."""
    calls = []
    load(build, endpoint, on_progress=lambda done, total: calls.append((done, total)))
    make_build(build, GRAPHS | {SECOND: NEW_SECOND})
    load(build, endpoint, on_progress=lambda done, total: calls.append((done, total)))
    assert [done for done, _ in calls] == [1, 3, 15, 19, 22, 24, 7, 19, 22, 24]
    assert {total for _, total in calls} == {24}


def test_big_graphs_are_sent_in_pieces(build, proxy, dump, monkeypatch):
    """Facts and links go in bodies of a bounded size."""
    monkeypatch.setattr(load_job, "BYTES_A_POST", 300)
    load(build, proxy.url)
    assert proxy.writes().count(("POST", "kg")) == 5
    assert dump() == sorted(quads(GRAPHS))


def test_journal_is_written_on_the_way(build, endpoint, monkeypatch):
    """A load that is killed has written down what it did up to the last few graphs."""
    monkeypatch.setattr(load_job, "_SAVE_EVERY", 2)
    sizes = []

    def look(_done, _total):
        journals = [json.loads(path.read_bytes()) for path in (build / "load").glob("*.json")]
        sizes.append(sum(bool(digest) for journal in journals for digest in journal["graphs"].values()))

    load(build, endpoint, on_progress=look)
    assert sizes == [0, 0, 1, 1, 3, 3]


@pytest.mark.parametrize("n_rows", [1, 4, 5, 100])
def test_counts_are_asked_for_by_pages(build, endpoint, dump, monkeypatch, n_rows):
    """A store that cuts long answers is asked until it has nothing more to say."""
    monkeypatch.setitem(PROFILES, "oxigraph", replace(PROFILES["oxigraph"], n_rows=n_rows))
    load(build, endpoint)
    assert (load(build, endpoint).n_unchanged, dump()) == (6, sorted(quads(GRAPHS)))
