"""What a load does to a real Oxigraph server."""

import json
from dataclasses import replace

import pytest
from store_builds import FACTS, FIRST, GRAPHS, LINKS, META, NEW_FACTS, NEW_SECOND, SECOND, E, V, make_build, quads

from kgmill.pipelines.triplestores import journal, transactions
from kgmill.pipelines.triplestores.claim import Wishes
from kgmill.pipelines.triplestores.load import LoadReport, load
from kgmill.schemas.errors import StoreError

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
        ("POST", ""),
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
    """A graph with other triples, though as many, is replaced in one update; the others aren't."""
    load(build, proxy.url)
    proxy.requests.clear()
    graphs = GRAPHS | {SECOND: NEW_SECOND}
    make_build(build, graphs)
    assert load(build, proxy.url).n_replaced == 1
    assert [kind for kind, _ in proxy.writes()] == ["PUT", "GET", "GET", "UPDATE", "PUT"]
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


def test_request_is_a_transaction_over_many_graphs(build, proxy):
    """What changed, what left and what is different in the facts goes in one update."""
    load(build, proxy.url)
    graphs = {iri: lines for iri, lines in GRAPHS.items() if iri != FIRST}
    make_build(build, graphs | {SECOND: NEW_SECOND, FACTS: NEW_FACTS})
    proxy.requests.clear()
    report = load(build, proxy.url, wishes=Wishes(yes=True))
    assert (report.n_replaced, report.n_changed, report.n_removed) == (1, 1, 1)
    assert [kind for kind, _ in proxy.writes()].count("UPDATE") == 1


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
    assert [done for done, _ in calls] == [1, 24, 7, 19, 21, 24]
    assert {total for _, total in calls} == {24}


def test_graphs_go_in_requests_of_bounded_size(build, proxy, dump, profile):
    """A profile's limit of graphs, and its limit of bytes, make more requests of the same load."""
    profile(n_graphs=2)
    load(build, proxy.url)
    assert [kind for kind, _ in proxy.writes()] == ["PUT", "POST", "POST", "POST", "PUT"]
    assert dump() == sorted(quads(GRAPHS))


@pytest.mark.parametrize("first", [GRAPHS, {SECOND: GRAPHS[SECOND], FACTS: GRAPHS[FACTS][:3]}])
def test_graph_that_no_request_can_hold_is_swapped_in_whole(build, proxy, update, dump, profile, first):
    """A document larger than a request is put together under another name, and is never to be seen by halves."""
    make_build(build, first)
    load(build, proxy.url)
    long = [f'<{E}m{n}> <{V}anchorOf> "{n:04}" .\n' for n in range(40)]
    make_build(build, GRAPHS | {SECOND: long})
    profile(n_bytes=1000)
    seen = []
    proxy.before = lambda: seen.append(sum(SECOND in line for line in dump()))
    load(build, proxy.url)
    assert set(seen) == {3, 40}
    assert dump() == sorted(quads(GRAPHS | {SECOND: long}))


@pytest.mark.parametrize("n_lost", [2, 3])
def test_copy_that_did_not_happen_is_made_again(build, proxy, dump, profile, n_lost):
    """A store that says yes to a copy and doesn't make it is asked again, while what was sent is still there."""
    long = [f'<{E}m{n}> <{V}anchorOf> "{n:04}" .\n' for n in range(40)]
    make_build(build, {SECOND: long})
    profile(n_bytes=1000)
    proxy.faults["UPDATE"] = [None, *["swallow"] * n_lost]
    if n_lost == 2:
        load(build, proxy.url)
    else:
        with pytest.raises(StoreError, match=rf"graph <{SECOND}> holds 0 triples after a copy of 40"):
            load(build, proxy.url)
        load(build, proxy.url)
    assert dump() == sorted(quads({SECOND: long}))


def test_load_that_died_while_putting_together_is_healed(build, proxy, dump, profile):
    """What a load left under another name goes with the next one."""
    profile(n_bytes=200)
    proxy.faults["POST"] = [None, None, None, (400, {}, b"no")]
    with pytest.raises(StoreError):
        load(build, proxy.url)
    assert any("/graph/loading/" in line for line in dump())
    report = load(build, proxy.url)
    assert (report.n_removed, dump()) == (0, sorted(quads(GRAPHS)))


def test_very_large_facts_are_not_copied(build, proxy, dump, profile, monkeypatch):
    """Facts that a store couldn't copy in one transaction are added where it has nothing."""
    monkeypatch.setattr(transactions, "TRIPLES_A_COPY", 5)
    profile(n_bytes=800)
    load(build, proxy.url)
    assert [kind for kind, _ in proxy.writes()].count("UPDATE") == 0
    assert dump() == sorted(quads(GRAPHS))


def test_journal_is_written_on_the_way(build, endpoint, monkeypatch, profile):
    """A load that is killed has written down what it did up to the last few requests."""
    monkeypatch.setattr(journal, "WRITING_PAUSES", 0.0)
    profile(n_graphs=2)
    sizes = []

    def look(_done, _total):
        journals = [json.loads(path.read_bytes()) for path in (build / "load").glob("*.json")]
        sizes.append(sum(bool(digest) for journal in journals for digest in journal["graphs"].values()))

    load(build, endpoint, on_progress=look)
    assert sizes == [0, 1, 3, 3]


@pytest.mark.parametrize("n_rows", [1, 4, 5, 100])
def test_counts_are_asked_for_by_pages(build, endpoint, dump, profile, n_rows):
    """A store that cuts long answers is asked until it has nothing more to say."""
    profile(n_rows=n_rows)
    load(build, endpoint)
    assert (load(build, endpoint).n_unchanged, dump()) == (6, sorted(quads(GRAPHS)))
