"""How the facts and links, which are of the whole dataset, are brought up to date."""

import gzip
from hashlib import shake_128

import pytest
from store_builds import FACTS, GRAPHS, LINKS, NEW_FACTS, NEW_SECOND, SECOND, E, V, build_again, make_build, quads

from kgmill.pipelines.triplestores import difference as graph_difference
from kgmill.pipelines.triplestores.load import load
from kgmill.schemas.errors import StoreError

NEW = GRAPHS | {FACTS: NEW_FACTS, SECOND: NEW_SECOND}
NEWER = NEW | {FACTS: [*NEW_FACTS[:-3], f"<{E}ada> <{V}Live_In> <{E}paris> .\n"], LINKS: GRAPHS[LINKS][:1]}


def of_big(proxy):
    """What was asked of the facts and the links, but for queries."""
    return [request for request in proxy.writes() if request[0] == "UPDATE" or request[1] in ("kg", "links")]


def test_recorded_changes_are_sent(build, proxy, dump):
    """What the run changed is sent, in one request, and nothing is read."""
    load(build, proxy.url)
    build_again(build, NEW, 1)
    proxy.requests.clear()
    report = load(build, proxy.url)
    assert (report.n_replaced, report.n_changed, report.n_inserted, report.n_deleted) == (1, 1, 4, 1)
    assert of_big(proxy) == [("UPDATE", "")]
    assert dump() == sorted(quads(NEW))


def test_changes_of_two_runs_are_one_difference(build, proxy, dump):
    """What one run added and the next one took is neither there nor missed."""
    load(build, proxy.url)
    build_again(build, NEW, 1)
    build_again(build, NEWER, 2)
    proxy.requests.clear()
    report = load(build, proxy.url)
    assert (report.n_changed, report.n_inserted) == (2, 2)
    assert of_big(proxy) == [("UPDATE", "")]
    assert dump() == sorted(quads(NEWER))


def test_run_without_a_change_is_no_gap(build, proxy, dump):
    """A build that found nothing new leaves no changes, and is passed over."""
    load(build, proxy.url)
    build_again(build, GRAPHS, 1)
    build_again(build, NEW, 2)
    for path in (build / "changes").glob("*T000100Z*"):
        path.unlink()
    proxy.requests.clear()
    load(build, proxy.url)
    assert (of_big(proxy), dump()) == ([("UPDATE", "")], sorted(quads(NEW)))


def test_graph_that_comes_back_is_the_old_one(build, endpoint, dump):
    """Runs that lead there and back leave nothing."""
    load(build, endpoint)
    build_again(build, NEW, 1)
    build_again(build, GRAPHS, 2)
    load(build, endpoint)
    assert dump() == sorted(quads(GRAPHS))


@pytest.mark.parametrize("lost", ["changes", "runs"])
def test_lost_history_is_compared(build, proxy, dump, lost):
    """Where gc took a run or its changes, the store's graph is read, and the exact difference is sent."""
    load(build, proxy.url)
    build_again(build, NEW, 1)
    build_again(build, NEWER, 2)
    for path in (build / lost).glob("*"):
        path.unlink()
    proxy.requests.clear()
    report = load(build, proxy.url)
    assert of_big(proxy) == [("GET", "kg"), ("GET", "links"), ("UPDATE", "")]
    assert (report.n_inserted, report.n_deleted, dump()) == (2, 2, sorted(quads(NEWER)))


def test_facts_that_somebody_changed_are_compared(build, proxy, update, dump):
    """A count that isn't what the last load left is found out, and the foreign triple goes."""
    load(build, proxy.url)
    update(f"INSERT DATA {{ GRAPH <{FACTS}> {{ <{E}x> <{V}y> <{E}z> }} }}")
    proxy.requests.clear()
    report = load(build, proxy.url)
    assert of_big(proxy) == [("GET", "kg"), ("UPDATE", "")]
    assert (report.n_changed, report.n_deleted, dump()) == (1, 1, sorted(quads(GRAPHS)))


def test_changes_that_lead_elsewhere_are_mended(build, proxy, dump):
    """Changes that aren't what the run changed show in the counts, and the graph is compared."""
    load(build, proxy.url)
    build_again(build, NEW, 1)
    for path in (build / "changes").glob("*.added.nq.gz"):
        path.write_bytes(gzip.compress(b""))
    proxy.requests.clear()
    load(build, proxy.url)
    assert of_big(proxy) == [("UPDATE", ""), ("GET", "kg"), ("UPDATE", "")]
    assert dump() == sorted(quads(NEW))


def test_load_that_died_is_healed(build, proxy, dump):
    """After a load that broke in the middle of the facts the next one compares, and the store is right."""
    load(build, proxy.url)
    build_again(build, NEW, 1)
    proxy.faults["UPDATE"] = [500]
    with pytest.raises(StoreError, match="update: status 500"):
        load(build, proxy.url)
    proxy.requests.clear()
    load(build, proxy.url)
    assert ("GET", "kg") in proxy.writes()
    assert dump() == sorted(quads(NEW))


def test_first_load_that_died_is_healed(build, proxy, dump):
    """What a broken first load had sent of the facts is found and kept."""
    proxy.faults["POST"] = [500]
    with pytest.raises(StoreError, match="POST of quads: status 500"):
        load(build, proxy.url)
    load(build, proxy.url)
    assert dump() == sorted(quads(GRAPHS))


def test_graph_that_cannot_be_read_is_sent_whole(build, proxy, dump):
    """A store that hands out less than it counts gets the graph anew."""
    load(build, proxy.url)
    make_build(build, NEW)
    proxy.faults["GET"] = [(200, {"Content-Type": "application/n-triples"}, GRAPHS[FACTS][0].encode())]
    assert load(build, proxy.url).n_replaced == 2
    assert of_big(proxy) == [("GET", "kg"), ("GET", "links"), ("UPDATE", "")]
    assert dump() == sorted(quads(NEW))


def test_graph_that_is_sent_whole_leaves_the_file_where_it_was(build, proxy, dump):
    """What stands in the file behind facts of megabytes, which the store handed out by halves, is loaded too."""
    facts = [f'<{E}m{n}> <{V}note> "{shake_128(b"%d" % n).hexdigest(4_000)}" .\n' for n in range(300)]
    make_build(build, GRAPHS | {FACTS: facts})
    load(build, proxy.url)
    make_build(build, NEW | {FACTS: [*facts, *NEW_FACTS], LINKS: GRAPHS[LINKS][:1]})
    proxy.faults["GET"] = [(200, {"Content-Type": "application/n-triples"}, facts[0].encode())]
    shares = []
    report = load(build, proxy.url, on_progress=lambda done, total: shares.append(done / total))
    assert (report.n_replaced, report.n_changed) == (2, 1)
    assert dump() == sorted(quads(NEW | {FACTS: [*facts, *NEW_FACTS], LINKS: GRAPHS[LINKS][:1]}))
    assert (shares == sorted(shares), shares[-1]) == (True, 1.0)


def test_page_instead_of_a_graph_is_refused(build, proxy):
    """Something that isn't N-Triples is not taken for an empty graph."""
    load(build, proxy.url)
    make_build(build, NEW)
    proxy.faults["GET"] = [(200, {"Content-Type": "text/html"}, b"<html>hello</html>")]
    with pytest.raises(StoreError, match=f"GET of graph <{FACTS}>: not the N-Triples that were wanted"):
        load(build, proxy.url)


def test_buckets_are_compared_one_by_one(build, proxy, dump, monkeypatch):
    """A graph that is larger than a bucket is compared in several, with the same result."""
    monkeypatch.setattr(graph_difference, "LINES_A_BUCKET", 2)
    load(build, proxy.url)
    make_build(build, NEW)
    report = load(build, proxy.url)
    assert (report.n_inserted, report.n_deleted) == (4, 1)
    assert dump() == sorted(quads(NEW))


def test_triple_that_two_facts_give_is_one(build, endpoint, dump):
    """A line that stands twice in the file is one triple, and stays when one of its lines leaves."""
    twice = GRAPHS | {FACTS: [*GRAPHS[FACTS], GRAPHS[FACTS][0], f"<{E}a> <{V}b> <{E}c> .\n"]}
    make_build(build, twice)
    load(build, endpoint)
    assert load(build, endpoint).n_unchanged == 6
    build_again(build, GRAPHS, 1)
    (removed,) = (build / "changes").glob("*.removed.nq.gz")
    lines = [GRAPHS[FACTS][0], f"<{E}a> <{V}b> <{E}c> .\n"]
    removed.write_bytes(gzip.compress("".join(quads({FACTS: lines})).encode()))
    load(build, endpoint)
    assert dump() == sorted(quads(GRAPHS))
