"""A store that is in trouble, some of it between a load and the next one."""

import signal
import subprocess
import sys

import pytest
from store_builds import FACTS, GRAPHS, META, NEW_SECOND, SECOND, E, V, make_build, quads

from kgmill.pipelines.triplestores.claim import Wishes
from kgmill.pipelines.triplestores.load import load
from kgmill.schemas.errors import StoreError

EXTRA = f"<{E}new> <{V}Live_In> <{E}london> .\n"


def test_interrupted_load_goes_on(build, proxy, dump, profile):
    """What the store took before a refusal isn't sent again."""
    profile(n_graphs=1)
    proxy.faults["POST"] = [None, None, None, (400, {}, b"no")]
    with pytest.raises(StoreError):
        load(build, proxy.url)
    proxy.requests.clear()
    load(build, proxy.url)
    assert proxy.writes() == [
        ("PUT", "meta"),
        ("GET", "kg"),
        ("POST", ""),
        ("POST", ""),
        ("PUT", "meta"),
    ]
    assert dump() == sorted(quads(GRAPHS))


def test_failed_replacement_is_not_trusted_by_an_older_build(build, proxy, dump):
    """The store took a new graph but said no; the old build, back again, must not believe its old entry."""
    load(build, proxy.url)
    make_build(build, GRAPHS | {SECOND: NEW_SECOND})
    proxy.faults["UPDATE"] = [400]
    with pytest.raises(StoreError):
        load(build, proxy.url)
    make_build(build)
    assert load(build, proxy.url).n_replaced == 1
    assert dump() == sorted(quads(GRAPHS))


# A store that is in trouble


def test_store_that_is_down_is_named_within_seconds(build, free_port, waits):
    """Nobody listens: a few tries, then one line with the way out."""
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(StoreError) as error:
        load(build, url)
    assert str(error.value) == f"{url}: no answer (connection refused); is the store running?"
    assert (len(waits), sum(waits) < 5) == (4, True)


@pytest.mark.parametrize("fault", [(503, {}, b"busy"), (429, {}, b"slow down"), "drop"])
def test_transient_fault_is_tried_again(build, proxy, dump, waits, fault):
    """An overloaded store, or a connection that breaks, costs a short wait."""
    proxy.faults["PUT"] = [fault, fault]
    assert load(build, proxy.url).n_replaced == 6
    assert dump() == sorted(quads(GRAPHS))
    assert [0.15 <= waits[0] <= 0.3, 0.3 <= waits[1] <= 0.6, len(waits)] == [True, True, 2]


def test_retry_after_is_obeyed(build, proxy, waits):
    """The store's own waiting time is kept, up to a minute."""
    proxy.faults["PUT"] = [(429, {"Retry-After": "7"}, b""), (503, {"Retry-After": "86400"}, b"")]
    load(build, proxy.url)
    assert waits == [7.0, 60.0]


def test_retry_after_may_be_a_date(build, proxy, waits):
    """A date in the past is no wait but the usual one; one far in the future is cut to a minute."""
    dates = ("Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2099 07:28:00 GMT")
    proxy.faults["PUT"] = [(503, {"Retry-After": date}, b"") for date in dates]
    load(build, proxy.url)
    assert (waits[0] <= 0.3, waits[1]) == (True, 60.0)


def test_store_that_stays_busy_is_given_up(build, proxy, waits):
    """After five tries the load stops with the last answer."""
    proxy.faults["PUT"] = [(503, {}, b"busy")] * 9
    with pytest.raises(StoreError) as error:
        load(build, proxy.url)
    assert str(error.value) == f"{proxy.url}: PUT of graph <{META}>: status 503: busy"
    assert (proxy.writes(), len(waits)) == ([("PUT", "meta")] * 5, 4)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 415])
def test_refusal_is_final(build, proxy, waits, status):
    """A request that can't succeed is sent once; the message has the start of the store's own."""
    proxy.faults["PUT"] = [(status, {}, b"no\n" + b"x" * 300)]
    with pytest.raises(StoreError) as error:
        load(build, proxy.url)
    message, _, hint = str(error.value).partition("; ")
    assert message == f"{proxy.url}: PUT of graph <{META}>: status {status}: no " + "x" * 197
    assert bool(hint) == (status in (401, 403, 404))
    assert (proxy.writes(), waits) == ([("PUT", "meta")], [])


def test_page_that_is_no_result_is_no_store(build, proxy):
    """A web server that answers everything with a page isn't taken for an empty store."""
    proxy.faults["QUERY"] = [(200, {"Content-Type": "text/html"}, b"<html>hello</html>")]
    with pytest.raises(StoreError, match=r"/query: wanted SPARQL results as CSV, got something else"):
        load(build, proxy.url)
    assert proxy.requests == [("QUERY", "")]


@pytest.mark.parametrize("number", ["", "many", "-1"])
def test_count_that_is_none_is_no_store(build, proxy, number):
    """An answer in the right form with something else than a number in it is named with the store's URL."""
    proxy.faults["QUERY"] = [(200, {}, f"g,n\r\n{FACTS},{number}\r\n".encode())]
    with pytest.raises(StoreError, match=f"^{proxy.url}: count of its graphs: wanted a number, got '{number}'"):
        load(build, proxy.url)


def test_metadata_of_a_load_that_is_nonsense_is_named(build, proxy):
    """What the store says of the last load has numbers in it, or is named with a way out."""
    row = f"{META},me,loading 1,graph,many,2\r\n"
    proxy.faults["QUERY"] = [None, (200, {}, f"g,owner,state,facts,kg,links\r\n{row}".encode())]
    with pytest.raises(StoreError, match=f"^{proxy.url}: graph <{META}> says nonsense of its last load: .* got 'many'"):
        load(build, proxy.url)


@pytest.mark.parametrize("rows", ["", "1\r\n2\r\n"])
def test_count_without_a_row_is_no_store(build, proxy, rows):
    """So is the count of one graph that has no row, or two."""
    proxy.faults["QUERY"] = [None, None, (200, {}, f"n\r\n{rows}".encode())]
    with pytest.raises(StoreError, match=f"^{proxy.url}: count of the default graph: wanted a number, got ''"):
        load(build, proxy.url, wishes=Wishes(facts="default"))


def test_counts_are_compared_after_the_load(build, proxy, profile):
    """A store that says yes and does nothing is found out, and the graph is sent again next time."""
    profile(n_graphs=1)
    proxy.faults["POST"] = [None, None, None, "swallow"]
    with pytest.raises(StoreError, match=rf"graph <{SECOND}> holds 0 triples after the load, wanted 3"):
        load(build, proxy.url)
    assert load(build, proxy.url).n_replaced == 1


def test_counts_of_the_facts_are_compared_after_the_load(build, proxy, dump, profile):
    """A store that drops the facts is found out, and gets what it lacks."""
    profile(n_graphs=1)
    proxy.faults["POST"] = [None, "swallow"]
    load(build, proxy.url)
    assert dump() == sorted(quads(GRAPHS))
    make_build(build, {iri: lines for iri, lines in GRAPHS.items() if iri != FACTS})
    assert load(build, proxy.url).n_removed == 1


def test_graph_that_stays_is_found_out(build, proxy):
    """A removal that did nothing is a fault of the load."""
    load(build, proxy.url)
    make_build(build, {iri: lines for iri, lines in GRAPHS.items() if iri != SECOND})
    proxy.faults["UPDATE"] = ["swallow"]
    with pytest.raises(StoreError, match=rf"graph <{SECOND}> holds 3 triples after the load, wanted 0"):
        load(build, proxy.url, wishes=Wishes(yes=True))


@pytest.mark.parametrize("n_before", range(5))
def test_half_done_update_leaves_an_owner(build, proxy, dump, profile, waits, n_before):
    """A store that stops between the operations of an update still says whose it is, and the next load goes on."""
    profile(store=None, quads=None, is_atomic=False, n_graphs=1)
    load(build, proxy.url)
    make_build(build, GRAPHS | {SECOND: NEW_SECOND})
    proxy.faults["UPDATE"] = [*[None] * n_before, *["half"] * 5]
    with pytest.raises(StoreError):
        load(build, proxy.url)
    load(build, proxy.url)
    assert dump() == sorted(quads(GRAPHS | {SECOND: NEW_SECOND}))
    assert sum("loadedState" in line for line in dump(whole=True)) == 1
    assert load(build, proxy.url).n_unchanged == 6


# A load that is killed


@pytest.mark.parametrize(
    ("limit", "is_changed", "at_write"),
    [("n_graphs = 2", False, 3), ("n_graphs = 2", True, 3), ("n_bytes = 500", False, 5), ("n_bytes = 500", True, 5)],
)
def test_killed_load_is_finished_by_the_next(build, proxy, tmp_path, dump, limit, at_write, is_changed):
    """Whenever a load's process ends without a word, the next load ends in the graphs of the file.

    Where a request holds few bytes that is between the pieces of a graph, and when they are copied.
    """
    own = tmp_path / "own.toml"
    own.write_text(f'profile = "oxigraph"\n{limit}\n')
    graphs = GRAPHS
    if is_changed:
        load(build, proxy.url, str(own))
        graphs = {iri: [*lines, EXTRA] for iri, lines in GRAPHS.items()}
        make_build(build, graphs)
    proxy.requests.clear()
    command = [sys.executable, "-m", "kgmill", "load", str(build), "--endpoint", proxy.url, "--profile", str(own)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill():
        if (
            sum(kind in ("PUT", "POST", "UPDATE") for kind, _ in proxy.requests) == at_write - 1
            and process.poll() is None
        ):
            process.kill()

    proxy.before = kill
    assert process.wait() == -signal.SIGKILL
    proxy.before = lambda: None
    assert ("/graph/loading/" in "".join(dump())) == limit.startswith("n_bytes")
    load(build, proxy.url, str(own))
    assert dump() == sorted(quads(graphs))
    assert load(build, proxy.url, str(own)).n_unchanged == 6
