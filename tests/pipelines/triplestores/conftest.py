"""What the tests of loading share: a real Oxigraph server, and a proxy that counts requests and injects faults."""

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
from store_builds import make_build

TLS = ssl.create_default_context()  # unused on loopback


@pytest.fixture(autouse=True)
def one_tls_context(monkeypatch):
    """Each load makes a client, and its TLS context would take most of the time."""
    monkeypatch.setattr("ssl.create_default_context", lambda *_, **__: TLS)


@pytest.fixture
def build(tmp_path):
    """The output folder of a finished build."""
    make_build(tmp_path / "build")
    return tmp_path / "build"


@pytest.fixture(scope="session")
def free_port():
    """Finds a port that nobody listens at."""

    def free_port():
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            return listener.getsockname()[1]

    return free_port


@pytest.fixture(scope="session")
def serving():
    """Starts a server, waits until it answers, and ends it."""

    class Serving:
        def __init__(self, command, url, timeout_s=10, **options):
            self.url, self.timeout_s = url, timeout_s
            self.process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, **options
            )

        def __enter__(self):
            deadline = time.monotonic() + self.timeout_s
            while time.monotonic() < deadline:
                try:
                    httpx.get(self.url, verify=TLS)
                except httpx.TransportError:
                    time.sleep(0.05)
                else:
                    return self.url
            self.__exit__()
            pytest.fail(f"{self.url}: the server didn't start")

        def __exit__(self, *exception):
            self.process.kill()
            self.process.wait()

    return Serving


@pytest.fixture(scope="session")
def server(free_port, serving):
    """The URL of an Oxigraph server as it comes, which keeps its data in memory."""
    address = f"127.0.0.1:{free_port()}"
    command = [Path(sys.executable).with_name("oxigraph"), "serve", "-b", address]
    with serving(command, f"http://{address}") as url:
        yield url


@pytest.fixture
def update(server):
    """Sends an update to the store, past everybody."""

    def update(sparql):
        httpx.post(f"{server}/update", data={"update": sparql}, verify=TLS).raise_for_status()

    return update


@pytest.fixture
def endpoint(server, update):
    """The URL of an empty store."""
    update("DROP ALL")
    return server


@pytest.fixture
def dump(server):
    """All quads of the store, sorted, without what the loader says of itself in the metadata graph."""

    def dump(*, whole=False):
        headers = {"Accept": "application/n-quads"}
        response = httpx.get(f"{server}/store", headers=headers, verify=TLS).raise_for_status()
        lines = sorted(f"{line}\n" for line in response.text.split("\n") if line)
        return [line for line in lines if whole or not is_loaders(line)]

    return dump


def is_loaders(line):
    return " <urn:kgmill:ns:loaded" in line or " <urn:kgmill:ns:owner> " in line


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
        self.logins = []
        self.faults = {"QUERY": [], "UPDATE": [], "POST": [], "PUT": [], "DELETE": [], "GET": []}

    def writes(self):
        """What was asked for but for queries: the method, or UPDATE, and the last word of the graph's name."""
        return [request for request in self.requests if request[0] != "QUERY"]


class Handler(BaseHTTPRequestHandler):
    """One request: its fault if there is one, or what the store answers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = {"/query": "QUERY", "/update": "UPDATE"}.get(self.path, self.command)
        what = self.path.rpartition("graph%2F")[2] if "?" in self.path else ""
        self.server.requests.append((kind, what.replace("/store?", "")))
        self.server.logins.append(self.headers.get("Authorization"))
        faults = self.server.faults[kind]
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

    do_POST = do_PUT = do_DELETE = do_GET = handle_one

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
    monkeypatch.setattr("kgmill.pipelines.triplestores.http_client.time.sleep", waits.append)
    return waits
