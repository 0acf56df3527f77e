"""Loads into real servers, in all that may happen to them: counts are equal in the end, and nothing is half there."""

import threading
import time
from dataclasses import replace

import pytest
from real_stores import KINDS, OTHERS_ARE_MARKED
from store_builds import FACTS, FIRST, GRAPHS, KG, NEW_FACTS, SECOND, E, V, make_build

from kgmill.pipelines.triplestores.claim import Wishes
from kgmill.pipelines.triplestores.client import open_server
from kgmill.pipelines.triplestores.detect import profile_for
from kgmill.pipelines.triplestores.load import load
from kgmill.pipelines.triplestores.profiles import PROFILES
from kgmill.schemas.errors import StoreError

PRESS = KG.replace("/news/", "/press/")
OWN = 5  # triples of the loader's own in a metadata graph


def documents(n, word="London", n_triples=3):
    """Graphs of documents."""
    return {
        f"{KG}doc/{number:03}": [f'<{E}m{number}-{i}> <{V}anchorOf> "{word} {i}" .\n' for i in range(n_triples)]
        for number in range(n)
    }


MANY = GRAPHS | documents(70)


@pytest.fixture(params=OTHERS_ARE_MARKED)
def store(request, started, logged_in):
    """A real server, without this dataset."""
    store = started(request.param)
    logged_in(store)
    with open_server(store.endpoint, PROFILES[store.profile]) as server:
        for prefix in (KG, PRESS):
            for graph in server.counts(prefix):
                server.update(f"DROP SILENT GRAPH <{graph}>")
    return store


@pytest.fixture
def many_requests(monkeypatch):
    """Makes a load send many requests."""
    for name, profile in PROFILES.items():
        monkeypatch.setitem(PROFILES, name, replace(profile, n_graphs=10))


def counts(store, prefix=KG):
    with open_server(store.endpoint, PROFILES[store.profile]) as server:
        return server.counts(prefix)


def wanted(graphs):
    return {iri: len(lines) + OWN * iri.endswith("/meta") for iri, lines in graphs.items()}


def test_life_of_a_dataset(store, build, passing):
    """A load of more graphs than an answer has rows, nothing new without a write, changes, removals."""
    proxy = passing(store)
    make_build(build, MANY)
    assert load(build, proxy.endpoint, store.profile).n_replaced == 76
    assert counts(store) == wanted(MANY)
    proxy.requests.clear()
    assert load(build, proxy.endpoint, store.profile).n_unchanged == 76
    where = "/kg/query" if store.profile == "fuseki" else PROFILES[store.profile].query
    assert {(method, path) for method, path, _ in proxy.requests} == {("POST", where)}
    assert max(size for *_, size in proxy.requests) < 1000  # Virtuoso's updates go there too, and are longer
    changed = MANY | documents(8, "Paris", 4) | {FACTS: NEW_FACTS}
    del changed[f"{KG}doc/069"], changed[FIRST]
    make_build(build, changed)
    report = load(build, proxy.endpoint, store.profile)
    assert (report.n_replaced, report.n_changed, report.n_removed) == (8, 1, 2)
    assert counts(store) == wanted(changed)
    assert "Paris 3" in store.ask(f"SELECT ?o {{ GRAPH <{KG}doc/000> {{ ?s ?p ?o }} }}")


def test_two_datasets_side_by_side(store, build, tmp_path):
    """Neither load touches the other's graphs."""
    press = {iri.replace("/news/", "/press/"): lines for iri, lines in GRAPHS.items()}
    make_build(build, MANY)
    make_build(tmp_path / "press", press)
    load(build, store.endpoint, store.profile)
    load(tmp_path / "press", store.endpoint, store.profile)
    make_build(build, GRAPHS)
    assert load(build, store.endpoint, store.profile, wishes=Wishes(yes=True)).n_removed == 70
    assert (counts(store), counts(store, PRESS)) == (wanted(GRAPHS), wanted(press))


@pytest.mark.parametrize("at_write", [2, 4, 7])
def test_server_killed_in_the_middle(store, build, passing, waits, many_requests, at_write):
    """Whatever a killed server had taken, the load after its restart ends in the same graphs.

    It dies during a write; the last one, which may be over too soon for that, it doesn't live to see.
    """
    make_build(build, MANY)
    load(build, store.endpoint, store.profile)
    changed = MANY | documents(60, "Rome") | {FACTS: NEW_FACTS, SECOND: documents(1, "Rome", 9)[f"{KG}doc/000"]}
    make_build(build, changed)
    proxy = passing(store)
    writes = []
    death = threading.Timer(0.02, store.kill)

    def before():
        method, path, _ = proxy.requests[-1]
        writes.append(method == "PUT" or not path.endswith("/query"))
        if sum(writes) < at_write:
            return
        if death.ident is None:
            death.start()
            time.sleep(0.01)
        if writes.count(True) > at_write or at_write == 7:
            death.join()

    proxy.before = before
    try:
        with pytest.raises(StoreError, match="no answer"):
            load(build, proxy.endpoint, store.profile)
    finally:
        store.restart()
    load(build, store.endpoint, store.profile)
    assert counts(store) == wanted(changed)
    where = f'GRAPH ?g {{ ?s <{V}anchorOf> "Rome 1" }} FILTER(STRSTARTS(STR(?g), "{KG}doc/0"))'
    assert "60" in store.ask(f"SELECT (COUNT(DISTINCT ?g) AS ?n) {{ {where} }}")


def test_wrong_password_is_named(store, build, logged_in):
    """A login that the store doesn't take is one line, and nothing is there."""
    if store.login is None:
        pytest.skip("Oxigraph has no login")
    logged_in(store, "wrong-word")
    with pytest.raises(StoreError, match=r"status 401.*it doesn't take the login of KGMILL_STORE_USER") as error:
        load(build, store.endpoint, store.profile)
    assert "wrong-word" not in str(error.value)
    logged_in(store)
    assert counts(store) == {}


def test_read_only_store_is_named(store, build, monkeypatch):
    """A store that takes no writes says so, and a way out is named."""
    if store.profile == "virtuoso":  # who doesn't log in may ask only
        monkeypatch.delenv("KGMILL_STORE_USER")
        monkeypatch.delenv("KGMILL_STORE_PASSWORD")
        more, hint = None, "set KGMILL_STORE_USER"
    else:
        more, hint = {"oxigraph": ("serve-read-only", "read-only"), "fuseki": ("", "read-only")}[store.profile]
        store.restart(more)
    try:
        with pytest.raises(StoreError, match=hint):
            load(build, store.endpoint, store.profile)
    finally:
        if more is not None:
            store.restart()
    if store.profile != "virtuoso":
        assert counts(store) == {}


def test_limit_of_a_proxy(store, build, passing):
    """A document of more than the megabyte that a proxy takes is swapped in whole, and readers see no half of it."""
    big = {f"{KG}doc/book": [f'<{E}m{n}> <{V}anchorOf> "{"word " * 30}{n}" .\n' for n in range(6_000)]}
    small = {f"{KG}doc/book": big[f"{KG}doc/book"][:10]}
    make_build(build, GRAPHS | small)
    load(build, store.endpoint, store.profile)
    make_build(build, GRAPHS | big)
    proxy = passing(store)
    proxy.max_bytes = 1 << 20
    sparql = f"SELECT (COUNT(*) AS ?n) {{ GRAPH <{KG}doc/book> {{ ?s ?p ?o }} }}"
    seen, has_begun, is_over = [], threading.Event(), threading.Event()

    def read():
        seen.append(int(store.ask(sparql).split()[1].strip('"')))
        has_begun.set()

    def read_on():
        while not is_over.is_set():
            read()

    reader = threading.Thread(target=read_on)
    reader.start()
    assert has_begun.wait(60)
    try:
        load(build, proxy.endpoint, store.profile)
    finally:
        is_over.set()
        reader.join()
    read()
    assert counts(store) == wanted(GRAPHS | big)
    assert set(seen) == {10, 6_000}
    assert len(seen) > 3  # some of them while the load ran
    assert any(size > 1 << 20 for *_, size in proxy.requests)


def test_slow_server(store, build, passing, monkeypatch, many_requests):
    """A request that isn't answered in time is sent again, and what was done twice is there once."""
    monkeypatch.setitem(PROFILES, store.profile, replace(PROFILES[store.profile], timeout_s=2.0))
    make_build(build, MANY)
    proxy = passing(store)
    are_sent_again = {4: threading.Event(), 6: threading.Event()}

    def after():
        number = len(proxy.requests)
        if number in are_sent_again:
            are_sent_again[number].wait(60)
        elif number - 1 in are_sent_again:
            are_sent_again[number - 1].set()

    proxy.after = after
    load(build, proxy.endpoint, store.profile)
    assert all(event.is_set() for event in are_sent_again.values())
    assert (proxy.requests[3], proxy.requests[5]) == (proxy.requests[4], proxy.requests[6])
    assert counts(store) == wanted(MANY)


def test_auto_finds_it(store):
    """Each of them is known by its answer, without a login."""
    assert profile_for("auto", store.endpoint) == PROFILES[store.profile]
    assert set(KINDS) == {name for name, profile in PROFILES.items() if profile.is_tried}
