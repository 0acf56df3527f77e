"""What each profile says to a store, and profiles of the user's own."""

import threading
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from store_builds import FACTS, FIRST, GRAPHS, NEW_FACTS, NEW_SECOND, SECOND, E, V, make_build, quads

from kgmill.pipelines.triplestores.claim import Wishes
from kgmill.pipelines.triplestores.detect import profile_for
from kgmill.pipelines.triplestores.load import load
from kgmill.pipelines.triplestores.profile_file import read_profile
from kgmill.pipelines.triplestores.profiles import PROFILES, Profile
from kgmill.schemas.errors import ConfigError, StoreError, UsageError


@pytest.mark.parametrize("name", PROFILES)
def test_each_profile_loads(name, build, disguised, dump, aws):
    """A load, nothing new, and changes of all kinds, said as the profile has it; other words would be refused."""
    proxy = disguised(PROFILES[name])
    assert load(build, proxy.url, name).n_replaced == 6
    assert dump() == sorted(quads(GRAPHS))
    proxy.requests.clear()
    assert load(build, proxy.url, name).n_unchanged == 6
    assert {kind for kind, _ in proxy.requests} == {"QUERY"}
    graphs = {iri: lines for iri, lines in GRAPHS.items() if iri != FIRST} | {FACTS: NEW_FACTS, SECOND: NEW_SECOND}
    make_build(build, graphs)
    report = load(build, proxy.url, name, wishes=Wishes(yes=True))
    assert (report.n_replaced, report.n_changed, report.n_removed) == (1, 1, 1)
    assert dump() == sorted(quads(graphs))
    assert None not in {kind for kind, _ in proxy.requests}


@pytest.mark.parametrize("name", PROFILES)
def test_each_profile_swaps_large_graphs_in(name, build, disguised, dump, aws, monkeypatch):
    """Graphs larger than a request, new and changed, arrive whole by every way that a profile has."""
    monkeypatch.setitem(PROFILES, name, replace(PROFILES[name], n_bytes=500, n_triples=3))
    proxy = disguised(PROFILES[name])
    load(build, proxy.url, name)
    long = [f'<{E}m{n}> <{V}anchorOf> "{n:04}" .\n' for n in range(20)]
    make_build(build, GRAPHS | {SECOND: long, FACTS: NEW_FACTS})
    load(build, proxy.url, name)
    assert dump() == sorted(quads(GRAPHS | {SECOND: long, FACTS: NEW_FACTS}))


@pytest.mark.parametrize("name", ["sparql", "qlever"])
def test_replaced_graphs_go_one_by_one_where_a_request_is_seen_half_done(name, build, disguised, dump):
    """A graph is replaced in one request, and of all that one replaces no two are missing at any moment."""
    proxy = disguised(PROFILES[name])
    load(build, proxy.url, name)
    graphs = GRAPHS | {FIRST: [line.replace("Ada", "Eve") for line in GRAPHS[FIRST]], SECOND: NEW_SECOND}
    make_build(build, graphs)
    hand_on, n_replaced, n_missing = proxy.client.request, [], []

    def step_by_step(method, path, content, headers):
        """As a store without transactions, with readers who look between the operations of a request."""
        n_replaced.append(content.count(b"DROP SILENT GRAPH"))
        for operation in content.split(b" ;\n") if path == "/update" else [content]:
            answer = hand_on(method, path, content=operation, headers=headers)
            there = "".join(dump())
            n_missing.append(sum(f"<{iri}>" not in there for iri in (FIRST, SECOND)))
        return answer

    proxy.client.request = step_by_step
    assert load(build, proxy.url, name).n_replaced == 2
    assert dump() == sorted(quads(graphs))
    assert max(n_missing) == 1
    assert [n for n in n_replaced if n] == {"sparql": [2], "qlever": [1, 1]}[name]


@pytest.mark.parametrize("limit", [2_000, 700])
@pytest.mark.parametrize("name", PROFILES)
def test_refused_sizes_are_halved(name, build, disguised, dump, aws, limit):
    """A proxy's limit that nobody told of costs a few refusals, and no setting."""
    proxy = disguised(PROFILES[name])
    proxy.max_bytes = limit
    long = [f'<{E}m{n}> <{V}anchorOf> "{n:04}" .\n' for n in range(60)]
    make_build(build, GRAPHS | {SECOND: long})
    load(build, proxy.url, name)
    assert dump() == sorted(quads(GRAPHS | {SECOND: long}))


# Files


def test_file_is_a_profile(build, proxy, dump, file, monkeypatch):
    """Keys of a file go over those of a kind of store; a header's value comes from the environment."""
    monkeypatch.setenv("STORE_KEY", "k3y-of-the-store")
    name = file('profile = "oxigraph"\nn_graphs = 2\nquads = "/store"\n[headers]\nX-Api-Key = "key ${STORE_KEY}"\n')
    load(build, proxy.url, name)
    assert [kind for kind, _ in proxy.writes()] == ["PUT", "POST", "POST", "POST", "PUT"]
    assert dump() == sorted(quads(GRAPHS))
    assert read_profile_headers(name) == {"X-Api-Key": "key k3y-of-the-store"}
    proxy.faults["QUERY"] = [(403, {}, b"not with key k3y-of-the-store")]
    with pytest.raises(StoreError, match=r"status 403: not with \*\*\*") as error:
        load(build, proxy.url, name)
    assert "k3y" not in str(error.value)


def read_profile_headers(name):
    from pathlib import Path

    return read_profile(Path(name)).headers


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("query = 3", r"own\.toml: query: Input should be a valid string"),
        ('kwery = "/q"', r"own\.toml: unknown key kwery; known: profile, query, update, "),
        ('endpoint = "http://h"', r"own\.toml: unknown key endpoint"),
        ('profile = "jena"', "unknown profile 'jena'"),
        ("profile = 3", r"own\.toml: profile: wanted the name of a kind of store, got 3"),
        ("n_bytes = 0", r"own\.toml: n_bytes: wanted a number above 0, got 0"),
        ("timeout_s = inf", r"own\.toml: timeout_s: wanted a number above 0, got inf"),
        ("n_rows = -1", r"own\.toml: n_rows: wanted a number of rows, or 0 for any number, got -1"),
        ('[headers]\n"X Key" = "a"', r"own\.toml: headers: wanted a header's name, such as X-Api-Key, got 'X Key'"),
        ('[headers]\n"X-Key\\n" = "a"', r"own\.toml: headers: wanted a header's name, .*, got 'X-Key\\n'"),
        ('[headers]\nA = "a "', r"own\.toml: headers\.A: wanted printable ASCII, without white space at its ends"),
        ('secrets = ["a"]', r"own\.toml: unknown key secrets"),
        ('query = "sparql"', r"own\.toml: query: wanted a path below the endpoint, such as /sparql, got 'sparql'"),
        ('auth = "kerberos"', r"own\.toml: auth: Input should be 'basic', 'digest', 'bearer' or 'sigv4'"),
        ('transient = "("', r"own\.toml: transient: not a regular expression"),
        ('[headers]\nA = "${KGMILL_NO_SUCH}"', r"own\.toml: headers\.A: the environment has no KGMILL_NO_SUCH"),
        ("query = ", r"own\.toml: the profile can't be read: Invalid value"),
    ],
)
def test_wrong_file_is_refused(build, proxy, file, text, message):
    """One line names the file and the key; the store isn't asked."""
    with pytest.raises(UsageError, match=message):
        load(build, proxy.url, file(text))
    assert proxy.requests == []


def test_missing_file_is_refused(build, proxy):
    """A name that ends in .toml is that of a file."""
    with pytest.raises(ConfigError, match=r"none\.toml: the profile can't be read: No such file"):
        load(build, proxy.url, "none.toml")


# Telling kinds apart


def test_auto_finds_oxigraph(build, endpoint, dump):
    """A real server is known by its answer, at its base URL or below it."""
    assert profile_for("auto", f"{endpoint}/query") == PROFILES["oxigraph"]
    load(build, endpoint, "auto")
    assert dump() == sorted(quads(GRAPHS))


@pytest.mark.parametrize(
    ("name", "headers", "page"),
    [
        ("fuseki", {"Fuseki-Request-Id": "7"}, b"no"),
        ("graphdb", {"Server": "GraphDB/10.8 RDF4J/4"}, b"12"),
        ("blazegraph", {"Server": "Jetty"}, b'<sd:feature rdf:resource="http://www.bigdata.com/rdf#/features/KB"/>'),
        ("neptune", {}, b'{"status":"healthy","dbEngineVersion":"1.3"}'),
        ("qlever", {}, b'{"git-hash-index":"a1","name-index":"x"}'),
        ("rdf4j", {"Content-Type": "text/plain"}, b"24"),
    ],
)
def test_auto_knows_the_signs_of_others(proxy, name, headers, page):
    """What is documented of the others' answers tells them apart."""
    for path in dict.fromkeys(profile.sign[0] for profile in PROFILES.values() if profile.sign[1]):
        answer = (200, headers, page) if path == PROFILES[name].sign[0] else (404, {"Server": "nginx"}, b"nothing")
        proxy.faults["QUERY" if path == "/query" else "GET"].append(answer)
    assert profile_for("auto", proxy.url) == PROFILES[name]


def test_auto_says_when_nothing_is_known(build, proxy, free_port):
    """A web server is no store; a port where nobody listens is named."""
    proxy.faults["GET"] = [(404, {}, b"<html>")] * 9
    with pytest.raises(StoreError, match="is none of the kinds of stores that can be told by their answers; say which"):
        load(build, proxy.url, "auto")
    with pytest.raises(StoreError, match=r"no answer .connection refused.; is the store running"):
        load(build, f"http://127.0.0.1:{free_port()}", "auto")


def test_statuses_of_a_profile_are_tried_again(build, proxy, waits, file):
    """What passes is a profile's to say: a status, or words on the page of another one."""
    name = file('profile = "oxigraph"\nretried = [409]\ntransient = "ConcurrentModification"\n')
    proxy.faults["UPDATE"] = []
    proxy.faults["PUT"] = [(409, {}, b""), (500, {}, b'{"code":"ConcurrentModificationException"}')]
    assert load(build, proxy.url, name).n_replaced == 6
    assert len(waits) == 2
    proxy.faults["PUT"] = [(503, {}, b"busy")]
    make_build(build, GRAPHS | {SECOND: NEW_SECOND})
    with pytest.raises(StoreError, match="status 503"):
        load(build, proxy.url, name)


def test_break_in_a_large_request_makes_smaller_ones(build, proxy, dump, waits):
    """A connection that closes on a large body twice gets halves of it."""
    long = [f'<{E}m{n}> <{V}anchorOf> "{n:04}" .\n' for n in range(2000)]
    make_build(build, GRAPHS | {SECOND: long})
    proxy.faults["POST"] = ["drop", "drop"]
    load(build, proxy.url)
    assert dump() == sorted(quads(GRAPHS | {SECOND: long}))
    assert [kind for kind, _ in proxy.writes()].count("POST") >= 4


def test_slow_store_is_asked_again(build, proxy, dump, file):
    """A request that takes longer than timeout_s is sent again, and what it did twice is there once."""
    name = file('profile = "oxigraph"\ntimeout_s = 0.5\n')
    is_sent_again = threading.Event()

    def after():
        n_posts = proxy.requests.count(("POST", ""))
        if n_posts == 1:
            is_sent_again.wait(60)
        elif n_posts > 1:
            is_sent_again.set()

    proxy.after = after
    assert load(build, proxy.url, name).n_replaced == 6
    assert is_sent_again.is_set()
    assert dump() == sorted(quads(GRAPHS))


def test_profile_tells_no_secret():
    """Headers are left out wherever a profile is printed."""
    assert "s3cret" not in repr(Profile(endpoint="http://h", headers={"A": "s3cret"}))
    assert urlsplit(PROFILES["neptune"].endpoint).scheme == "https"
