"""A store that is in trouble, some of it between a load and the next one."""

import signal
import subprocess
import sys
import time

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


def test_store_that_is_down_is_named_within_seconds(build, free_port):
    """Nobody listens: a few tries, then one line with the way out."""
    url = f"http://127.0.0.1:{free_port()}"
    started = time.monotonic()
    with pytest.raises(StoreError) as error:
        load(build, url)
    assert str(error.value) == f"{url}: no answer (connection refused); is the store running?"
    assert time.monotonic() - started < 6


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


# A load that is killed


@pytest.mark.parametrize("at_write", [1, 3, 5])
@pytest.mark.parametrize("is_changed", [False, True])
def test_killed_load_is_finished_by_the_next(build, proxy, tmp_path, dump, at_write, is_changed):
    """Whenever a load's process ends without a word, the next load ends in the graphs of the file."""
    own = tmp_path / "own.toml"
    own.write_text('profile = "oxigraph"\nn_graphs = 2\n')
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
    load(build, proxy.url, str(own))
    assert dump() == sorted(quads(graphs))
    assert load(build, proxy.url, str(own)).n_unchanged == 6
