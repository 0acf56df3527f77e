"""Loading a build into a real Oxigraph server, some of it through a proxy that counts requests and injects faults."""

import gzip
import hashlib
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from pipelines import load as load_module
from pipelines.load import LoadReport, load
from schemas.errors import CorruptPartError, StoreError, UsageError

TLS = ssl.create_default_context()  # unused on loopback, but making one for each request would take most of the time
KG = "https://kg.example.org/kg/graph/"
E = "https://kg.example.org/entity/"
V = "https://kg.example.org/vocab#"
LABEL = "<http://www.w3.org/2000/01/rdf-schema#label>"
TYPE = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
INTEGER = "<http://www.w3.org/2001/XMLSchema#integer>"
PROVENANCE, BUCKET, FIRST, SECOND = f"{KG}provenance/3f9a", f"{KG}kg/0a", f"{KG}doc/letters%2F1.txt", f"{KG}doc/d2"
GRAPHS = {
    PROVENANCE: [
        f"<{E}run> {TYPE} <http://www.w3.org/ns/prov#Activity> .\n",
        f'<{E}run> {LABEL} "model \\"small\\"" .\n',
    ],
    BUCKET: [
        f"<{E}ada> {TYPE} <{V}Peop> .\n",
        f'<{E}ada> {LABEL} "Ada Lovelace" .\n',
        f"<{E}ada> <{V}bornIn> <{E}london> .\n",
        f"<{E}london> {TYPE} <{V}Loc> .\n",
        f'<{E}london> {LABEL} "London" .\n',
        f'<{E}london> <{V}mentionCount> "2"^^{INTEGER} .\n',
    ],
    FIRST: [
        f'<{E}m1> <{V}anchorOf> "Ada <http://x> ." .\n',
        f'<{E}m1> <{V}begin> "0"^^{INTEGER} .\n',
        f'<{E}m1> <{V}end> "12"^^{INTEGER} .\n',
        f'<{E}m2> <{V}anchorOf> "Łódź\\n" .\n',
    ],
    SECOND: [
        f'<{E}m3> <{V}anchorOf> "London" .\n',
        f'<{E}m3> <{V}begin> "7"^^{INTEGER} .\n',
        f'<{E}m3> <{V}end> "13"^^{INTEGER} .\n',
    ],
}
# As many triples as before, so that counts alone don't tell it from the old one.
NEW_SECOND = [line.replace("London", "Londres") for line in GRAPHS[SECOND]]


def quads(graphs):
    return [line.replace(" .\n", f" <{iri}> .\n") for iri, lines in graphs.items() for line in lines]


def make_build(folder, graphs=GRAPHS, lines=None):
    """A finished build with a graph file of one gzip member a named graph."""
    lines = quads(graphs) if lines is None else lines
    (folder / "graph").mkdir(parents=True, exist_ok=True)
    members = [gzip.compress("".join(lines[i : i + 4]).encode(), 1, mtime=0) for i in range(0, len(lines), 4)]
    (folder / "graph" / "graph.nq.gz").write_bytes(b"".join(members))
    sha256 = hashlib.sha256("".join(lines).encode()).hexdigest()
    (folder / "run.json").write_text(json.dumps({"status": "finished", "graph": {"sha256": sha256}}))


@pytest.fixture
def build(tmp_path):
    make_build(tmp_path)
    return tmp_path


# The server


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The URL of an Oxigraph server that keeps its data in a temporary folder."""
    url = f"http://127.0.0.1:{free_port()}"
    folder = tmp_path_factory.mktemp("oxigraph")
    command = [Path(sys.executable).with_name("oxigraph"), "serve", "-l", folder, "-b", url.removeprefix("http://")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(url)
        yield url
    finally:
        process.kill()
        process.wait()


def wait_for(url):
    for _ in range(200):
        try:
            httpx.get(url, verify=TLS)
        except httpx.ConnectError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"{url}: the server didn't start")


@pytest.fixture
def endpoint(server):
    """The URL of an empty store."""
    update(server, "DROP ALL")
    return server


def update(url, sparql):
    httpx.post(f"{url}/update", data={"update": sparql}, verify=TLS).raise_for_status()


def dump(url):
    """All quads of a store, sorted."""
    response = httpx.get(f"{url}/store", headers={"Accept": "application/n-quads"}, verify=TLS).raise_for_status()
    return sorted(f"{line}\n" for line in response.text.split("\n") if line)


# A proxy


class Proxy(ThreadingHTTPServer):
    """Hands requests on to a store and writes them down.

    A fault of a method's list is used up by one request: a tuple is an answer (status, headers, body) in the store's
    stead, `drop` closes the connection, `swallow` says 204 without doing anything, and a number is said instead of the
    store's own status, though the store did as it was told.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, store):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.client = httpx.Client(base_url=store, verify=TLS)
        self.requests = []
        self.faults = {"POST": [], "PUT": [], "DELETE": []}

    def methods(self):
        return [method for method, _ in self.requests]


class Handler(BaseHTTPRequestHandler):
    """One request: its fault if there is one, or what the store answers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, self.headers.get("Authorization")))
        faults = self.server.faults[self.command]
        fault = faults.pop(0) if faults else None
        if fault == "drop":
            self.close_connection = True
        elif fault == "swallow":
            self.answer(204, {}, b"")
        elif isinstance(fault, tuple):
            self.answer(*fault)
        else:
            kept = {name: self.headers[name] for name in ("Content-Type", "Accept") if name in self.headers}
            response = self.server.client.request(self.command, self.path, content=body, headers=kept)
            self.answer(fault or response.status_code, {}, response.content)

    do_POST = do_PUT = do_DELETE = handle_one

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def proxy(endpoint):
    with Proxy(endpoint) as proxy, proxy.client:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()


@pytest.fixture
def waits(monkeypatch):
    """The seconds that a load would have slept between tries, without sleeping."""
    waits = []
    monkeypatch.setattr("pipelines.graph_store.time.sleep", waits.append)
    return waits


# What a load does


def test_load_makes_the_store_equal(build, endpoint):
    """After a load the store holds exactly the quads of the build."""
    assert load(build, endpoint) == LoadReport(n_graphs=4, n_quads=15, n_replaced=4, n_unchanged=0, n_removed=0)
    assert dump(endpoint) == sorted(quads(GRAPHS))


def test_graph_store_url_is_an_endpoint_too(build, endpoint):
    """A URL that ends in the profile's store path, or in a slash, is the same endpoint, with the same journal."""
    load(build, endpoint)
    assert load(build, f"{endpoint}/store").n_unchanged == 4
    assert load(build, f"{endpoint}/").n_unchanged == 4


def test_second_load_writes_nothing(build, proxy):
    """A load of what is there already sends one query."""
    load(build, proxy.url)
    proxy.requests.clear()
    assert load(build, proxy.url) == LoadReport(n_graphs=4, n_quads=15, n_replaced=0, n_unchanged=4, n_removed=0)
    assert proxy.methods() == ["POST"]


def test_changed_graph_is_replaced_alone(build, proxy, endpoint):
    """A graph with other triples, though as many, is put; the others aren't."""
    load(build, proxy.url)
    proxy.requests.clear()
    graphs = GRAPHS | {SECOND: NEW_SECOND}
    make_build(build, graphs)
    assert load(build, proxy.url) == LoadReport(n_graphs=4, n_quads=15, n_replaced=1, n_unchanged=3, n_removed=0)
    assert proxy.methods() == ["POST", "PUT", "POST"]
    assert dump(endpoint) == sorted(quads(graphs))


def test_order_of_lines_is_no_change(build, endpoint):
    """A graph whose lines stand in another order, or twice, is the same graph."""
    load(build, endpoint)
    make_build(build, GRAPHS | {BUCKET: [*reversed(GRAPHS[BUCKET]), GRAPHS[BUCKET][0]]})
    assert load(build, endpoint) == LoadReport(n_graphs=4, n_quads=15, n_replaced=0, n_unchanged=4, n_removed=0)


def test_graph_that_left_the_build_is_removed(build, endpoint):
    """A graph of the dataset that isn't in the build any more leaves the store."""
    load(build, endpoint)
    graphs = {iri: lines for iri, lines in GRAPHS.items() if iri != FIRST}
    make_build(build, graphs)
    assert load(build, endpoint) == LoadReport(n_graphs=3, n_quads=11, n_replaced=0, n_unchanged=3, n_removed=1)
    assert dump(endpoint) == sorted(quads(graphs))


def test_graph_that_is_gone_when_it_is_deleted_is_removed(build, proxy):
    """Somebody else's faster DELETE is no fault."""
    load(build, proxy.url)
    make_build(build, {iri: lines for iri, lines in GRAPHS.items() if iri != SECOND})
    proxy.faults["DELETE"] = [404]
    assert load(build, proxy.url).n_removed == 1


@pytest.mark.parametrize(
    "other",
    [
        "https://kg.example.org/kg2/graph/d1",
        "https://kg.example.org/kg/graph/x/graph/d1",
        "https://kg.example.org/kg/d",
    ],
)
def test_other_datasets_are_never_touched(build, endpoint, other):
    """A graph of another dataset stays, even one whose name begins like ours."""
    update(endpoint, f"INSERT DATA {{ GRAPH <{other}> {{ <{E}x> <{V}y> <{E}z> }} }}")
    assert load(build, endpoint).n_removed == 0
    assert f"<{E}x> <{V}y> <{E}z> <{other}> .\n" in dump(endpoint)


def test_wiped_store_is_loaded_again(build, endpoint):
    """The journal says that all is done, but the store is empty: everything is put."""
    load(build, endpoint)
    update(endpoint, "DROP ALL")
    assert load(build, endpoint).n_replaced == 4
    assert dump(endpoint) == sorted(quads(GRAPHS))


def test_graph_with_foreign_triples_is_replaced(build, endpoint):
    """A graph that somebody added to no longer has the expected count."""
    load(build, endpoint)
    update(endpoint, f"INSERT DATA {{ GRAPH <{SECOND}> {{ <{E}x> <{V}y> <{E}z> }} }}")
    assert load(build, endpoint).n_replaced == 1
    assert dump(endpoint) == sorted(quads(GRAPHS))


@pytest.mark.parametrize("content", [None, "not json", "[]"])
def test_journal_is_only_a_reason_to_skip(build, endpoint, content):
    """Without a readable journal all graphs are put again, without duplicates."""
    load(build, endpoint)
    (journal,) = (build / "load").iterdir()
    journal.unlink()
    if content is not None:
        journal.write_text(content)
    assert load(build, endpoint).n_replaced == 4
    assert dump(endpoint) == sorted(quads(GRAPHS))


def test_progress_counts_graphs(build, endpoint):
    """The callback hears of graphs that are done, the unchanged ones at once."""
    calls = []
    load(build, endpoint, on_progress=lambda done, total: calls.append((done, total)))
    make_build(build, GRAPHS | {SECOND: NEW_SECOND})
    load(build, endpoint, on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4), (3, 4), (4, 4)]


# Interrupted loads


def test_interrupted_load_goes_on(build, proxy, endpoint):
    """What the store took before a refusal isn't sent again."""
    proxy.faults["PUT"] = [None, None, (400, {}, b"no")]
    with pytest.raises(StoreError):
        load(build, proxy.url)
    assert load(build, proxy.url) == LoadReport(n_graphs=4, n_quads=15, n_replaced=2, n_unchanged=2, n_removed=0)
    assert dump(endpoint) == sorted(quads(GRAPHS))


def test_journal_is_written_on_the_way(build, endpoint, monkeypatch):
    """A load that is killed has written down what it did up to the last few graphs."""
    monkeypatch.setattr(load_module, "_SAVE_EVERY", 2)
    sizes = []

    def look(done, _total):
        sizes.append((done, sum(len(json.loads(path.read_bytes())) for path in (build / "load").glob("*.json"))))

    load(build, endpoint, on_progress=look)
    assert sizes == [(0, 0), (1, 0), (2, 2), (3, 2), (4, 4)]


def test_failed_replacement_is_not_trusted_by_an_older_build(build, proxy, endpoint):
    """The store took a new graph but said no; the old build, back again, must not believe its old entry."""
    load(build, proxy.url)
    make_build(build, GRAPHS | {SECOND: NEW_SECOND})
    proxy.faults["PUT"] = [400]
    with pytest.raises(StoreError):
        load(build, proxy.url)
    make_build(build)
    assert load(build, proxy.url).n_replaced == 1
    assert dump(endpoint) == sorted(quads(GRAPHS))


# A store that is in trouble


def test_store_that_is_down_is_named_within_seconds(build):
    """Nobody listens: a few tries, then one line with the way out."""
    url = f"http://127.0.0.1:{free_port()}"
    started = time.monotonic()
    with pytest.raises(StoreError) as error:
        load(build, url)
    assert str(error.value) == f"{url}: no answer (connection refused); is the store running?"
    assert time.monotonic() - started < 6


@pytest.mark.parametrize("fault", [(503, {}, b"busy"), (429, {}, b"slow down"), "drop"])
def test_transient_fault_is_tried_again(build, proxy, endpoint, waits, fault):
    """An overloaded store, or a connection that breaks, costs a short wait."""
    proxy.faults["PUT"] = [fault, fault]
    assert load(build, proxy.url).n_replaced == 4
    assert dump(endpoint) == sorted(quads(GRAPHS))
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
    assert str(error.value) == f"{proxy.url}: PUT of graph <{PROVENANCE}>: status 503: busy"
    assert (proxy.methods(), len(waits)) == (["POST"] + ["PUT"] * 5, 4)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 415])
def test_refusal_is_final(build, proxy, waits, status):
    """A request that can't succeed is sent once; the message has the start of the store's own."""
    proxy.faults["PUT"] = [(status, {}, b"no\n" + b"x" * 300)]
    with pytest.raises(StoreError) as error:
        load(build, proxy.url)
    message, _, hint = str(error.value).partition("; ")
    assert message == f"{proxy.url}: PUT of graph <{PROVENANCE}>: status {status}: no " + "x" * 197
    assert bool(hint) == (status in (401, 403, 404))
    assert (proxy.methods(), waits) == (["POST", "PUT"], [])


def test_page_that_is_no_result_is_no_store(build, proxy):
    """A web server that answers everything with a page isn't taken for an empty store."""
    proxy.faults["POST"] = [(200, {"Content-Type": "text/html"}, b"<html>hello</html>")]
    with pytest.raises(StoreError, match=r"/query: wanted SPARQL results as CSV, got something else"):
        load(build, proxy.url)
    assert proxy.methods() == ["POST"]


def test_counts_are_compared_after_the_load(build, proxy):
    """A store that says yes and does nothing is found out, and the graph is sent again next time."""
    proxy.faults["PUT"] = [None, "swallow"]
    with pytest.raises(StoreError, match=rf"graph <{BUCKET}> holds 0 triples after the load, wanted 6"):
        load(build, proxy.url)
    assert load(build, proxy.url).n_replaced == 1


def test_graph_that_stays_is_found_out(build, proxy):
    """A DELETE that did nothing is a fault of the load."""
    load(build, proxy.url)
    make_build(build, {iri: lines for iri, lines in GRAPHS.items() if iri != SECOND})
    proxy.faults["DELETE"] = ["swallow"]
    with pytest.raises(StoreError, match=rf"graph <{SECOND}> holds 3 triples after the load, wanted 0"):
        load(build, proxy.url)


# Secrets


@pytest.fixture
def login(monkeypatch):
    monkeypatch.setenv("KGMILL_STORE_USER", "loader")
    monkeypatch.setenv("KGMILL_STORE_PASSWORD", "s3cret-word")


def test_login_comes_from_the_environment(build, proxy, login):
    """User name and password go out as Basic authentication, with every request."""
    load(build, proxy.url)
    assert {header for _, header in proxy.requests} == {"Basic bG9hZGVyOnMzY3JldC13b3Jk"}


def test_login_is_never_told(build, proxy, login, caplog):
    """Not even a store that echoes them gets name, password or token into a message, a log or the journal."""
    echo = b"loader may not, with s3cret-word or bG9hZGVyOnMzY3JldC13b3Jk"
    caplog.set_level("DEBUG")
    proxy.faults["PUT"] = [None, (503, {"Retry-After": "0"}, echo), (403, {}, echo)]
    with pytest.raises(StoreError) as error:
        load(build, proxy.url)
    journal = "".join(path.read_text() for path in (build / "load").iterdir())
    told = str(error.value) + caplog.text + journal
    assert "status 403: *** may not, with *** or ***" in told
    assert [secret for secret in ("loader", "s3cret-word", "bG9hZGVy") if secret in told] == []


def test_half_a_login_is_refused(build, endpoint, login, monkeypatch):
    """A user without a password is a mistake, not a wish."""
    monkeypatch.delenv("KGMILL_STORE_PASSWORD")
    with pytest.raises(UsageError, match="wanted both KGMILL_STORE_USER and KGMILL_STORE_PASSWORD, or neither"):
        load(build, endpoint)


@pytest.mark.parametrize(
    "url",
    ["http://loader:s3cret@127.0.0.1:7878", "loader:s3cret@host", "http://host/?key=s3cret", "ftp://u:s3cret@host"],
)
def test_secrets_in_the_endpoint_are_refused(build, url):
    """A password doesn't belong on a command line, and isn't repeated."""
    with pytest.raises(UsageError, match="set KGMILL_STORE_USER and KGMILL_STORE_PASSWORD") as error:
        load(build, url)
    assert "s3cret" not in str(error.value)


# What is wrong before a store is asked


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1", "127.0.0.1:7878", "file:///tmp/x", "http://", "http://host:port", ""]
)
def test_endpoint_must_be_an_http_url(build, url):
    """Other schemes, or none, are refused with an example."""
    with pytest.raises(UsageError, match=r"wanted the store's http or https URL, such as http://127\.0\.0\.1:7878"):
        load(build, url)


def test_unknown_profile_is_refused(build):
    """The message lists the profiles that there are."""
    with pytest.raises(UsageError, match="unknown profile 'fuseki'; known: oxigraph"):
        load(build, "http://127.0.0.1:7878", "fuseki")


def test_folder_without_a_build_is_refused(tmp_path):
    """Nothing to load is a usage error."""
    with pytest.raises(UsageError, match="no finished build here; run kgmill build"):
        load(tmp_path, "http://127.0.0.1:7878")


BAD_FILES = {
    "scattered": (quads(GRAPHS)[1:] + quads(GRAPHS)[:1], rf"lines of graph <{PROVENANCE}> don't stand together"),
    "two datasets": (
        [*quads(GRAPHS), "<a:a> <a:b> <a:c> <https://kg.example.org/kg2/graph/d1> .\n"],
        r"graph <https://kg.example.org/kg2/graph/d1> isn't of one dataset with <https://kg.example.org/kg/graph/prov",
    ),
    "no dataset": (["<a:a> <a:b> <a:c> <a:g> .\n"], r"graph <a:g> isn't of one dataset"),
    "no graph": (
        [*quads(GRAPHS), "<a:a> <a:b> <a:c> .\n"],
        r"line 16: wanted one quad in a named graph, got b'<a:a> <a",
    ),
    "empty": ([], r"holds no quad"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_graph_file_is_refused_before_the_store_is_touched(build, proxy, name):
    """A file that can't be loaded whole, as one dataset, isn't loaded at all."""
    lines, message = BAD_FILES[name]
    make_build(build, lines=lines)
    with pytest.raises(UsageError, match=message):
        load(build, proxy.url)
    assert proxy.requests == []


def test_altered_graph_file_is_refused(build, proxy):
    """Bytes that aren't those of run.json's sha256 never reach a store."""
    (build / "graph" / "graph.nq.gz").write_bytes(gzip.compress("".join(quads(GRAPHS)[:-1]).encode()))
    with pytest.raises(CorruptPartError, match=r"graph\.nq\.gz: not the bytes that run\.json promises"):
        load(build, proxy.url)
    assert proxy.requests == []


def test_truncated_graph_file_is_refused(build, proxy):
    """A gzip file that ends too early never reaches a store."""
    path = build / "graph" / "graph.nq.gz"
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(CorruptPartError, match=r"graph\.nq\.gz: .*; run kgmill build again"):
        load(build, proxy.url)
    assert proxy.requests == []
