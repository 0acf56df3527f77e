"""What the tests of loading share: a real Oxigraph server, and a proxy that counts requests and injects faults."""

import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest
from real_stores import logged_in, started  # noqa: F401 - fixtures
from store_builds import make_build

from kgmill.pipelines.triplestores.profiles import PROFILES

TLS = ssl.create_default_context()  # unused on loopback


@pytest.fixture(autouse=True)
def one_tls_context(monkeypatch):
    """Each load makes a client, and its TLS context would take most of the time; gives the way to a real one."""
    real = ssl.create_default_context
    monkeypatch.setattr("ssl.create_default_context", lambda *_, **__: TLS)
    return lambda: monkeypatch.setattr("ssl.create_default_context", real)


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
def oxigraph(free_port, serving):
    """An Oxigraph server as it comes, which keeps its data in memory; a context whose value is its URL."""

    def oxigraph():
        address = f"127.0.0.1:{free_port()}"
        return serving([Path(sys.executable).with_name("oxigraph"), "serve", "-b", address], f"http://{address}")

    return oxigraph


@pytest.fixture(scope="session")
def server(oxigraph):
    """The URL of the server that most tests share."""
    with oxigraph() as url:
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
    stead, bytes are one that is no HTTP, `drop` closes the connection, `swallow` says 204 without doing anything,
    `half` closes it after the first operation of an update, and a number is said instead of the store's own status,
    though the store did as it was told. `before` is called before each request, `after` when the store has done it and
    nobody was told; a body of more than `max_bytes` is refused.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, store, handler=None):
        super().__init__(("127.0.0.1", 0), handler or Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.client = httpx.Client(base_url=store, verify=TLS, timeout=60)
        self.requests = []
        self.logins = []
        self.before = self.after = lambda: None
        self.max_bytes = 0
        self.faults = {"QUERY": [], "UPDATE": [], "POST": [], "PUT": [], "DELETE": [], "GET": []}

    def handle_error(self, request, client_address):
        """A client that a test made hang up is no fault to be told in another test's output."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

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
        self.server.before()
        self.server.requests.append((kind, what.replace("/store?", "")))
        self.server.logins.append(self.headers.get("Authorization"))
        faults = self.server.faults[kind]
        fault = faults.pop(0) if faults else None
        if 0 < self.server.max_bytes < len(body):
            self.answer(413, {}, b"Request Entity Too Large")
        elif fault == "drop":
            self.close_connection = True
        elif fault == "swallow":
            self.answer(204, {}, b"")
        elif isinstance(fault, bytes):
            self.wfile.write(fault)
            self.close_connection = True
        elif isinstance(fault, tuple):
            self.answer(*fault)
        elif fault == "half":
            self.handed_on(body.partition(b" ;\n")[0])
            self.close_connection = True
        else:
            response = self.handed_on(body)
            self.server.after()
            self.answer(fault or response.status_code, {}, response.content)

    do_POST = do_PUT = do_DELETE = do_GET = handle_one

    def handed_on(self, body):
        kept = {name: self.headers[name] for name in ("Content-Type", "Accept") if name in self.headers}
        return self.server.client.request(self.command, self.path, content=body, headers=kept)

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


@contextmanager
def running(proxy):
    with proxy, proxy.client:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()


@pytest.fixture
def proxy(endpoint):
    with running(Proxy(endpoint)) as proxy:
        yield proxy


class Disguised(Handler):
    """Answers where, and to what, a kind of store would; whatever it wouldn't understand is 404."""

    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.logins.append(self.headers.get("Authorization"))
        kind, target = self.translated(body)
        self.server.requests.append((kind, self.path))
        if kind is None:
            self.answer(404, {}, b"what?")
            return
        method, path, kept, content = target
        kept["Accept"] = self.headers.get("Accept", "*/*")
        response = self.server.client.request(method, path, content=content, headers=kept)
        self.answer(response.status_code, {}, response.content)

    def translated(self, body):
        """What it is, and the same as Oxigraph wants it."""
        profile, (path, _, question) = self.server.profile, self.path.partition("?")
        media_type = self.headers.get("Content-Type", "")
        if media_type == "application/x-www-form-urlencoded":
            fields = dict(parse_qsl(body.decode(), strict_parsing=True))
            sparql = next(iter(fields.values()))
            is_update = sparql.startswith(("DROP", "DELETE", "INSERT", "COPY"))
            path = path.rstrip("/")
            if (path, [*fields]) == (profile.update.removesuffix("-auth"), [profile.update_field]) and is_update:
                return "UPDATE", ("POST", "/update", {"Content-Type": "application/sparql-update"}, sparql.encode())
            if (path, [*fields]) == (profile.query.removesuffix("-auth"), ["query"]) and not is_update:
                return "QUERY", ("POST", "/query", {"Content-Type": "application/sparql-query"}, sparql.encode())
        elif (
            media_type == "application/sparql-update"
            and path.rstrip("/") == profile.update
            and not profile.update_field
        ):
            return "UPDATE", ("POST", "/update", {"Content-Type": media_type}, body)
        elif profile.store is not None and path == profile.store.removesuffix("-auth") and question:
            name, _, graph = question.partition("=")
            if name in (profile.graph, "default") and media_type in (profile.triples_type, ""):
                where = f"/store?graph={graph}" if graph else "/store?default"
                return self.command, (self.command, where, {"Content-Type": "application/n-triples"}, body)
        elif profile.quads is not None and (path, media_type) == (profile.quads, profile.quads_type):
            return "POST", ("POST", "/store", {"Content-Type": "application/n-quads"}, body)
        return None, None

    do_POST = do_PUT = do_DELETE = do_GET = handle_one


class Passing(Handler):
    """Hands everything on to any kind of store: as a proxy that has a limit of its own for bodies."""

    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, self.path, len(body)))
        self.server.before()
        if 0 < self.server.max_bytes < len(body):
            self.answer(413, {}, b"Request Entity Too Large")
            return
        kept = {name: value for name, value in self.headers.items() if name not in ("Host", "Content-Length")}
        try:
            response = self.server.client.request(self.command, self.path, content=body, headers=kept)
        except httpx.TransportError:
            self.close_connection = True
            return
        self.server.after()
        names = ("www-authenticate", "content-type", "server", "fuseki-request-id")
        self.answer(
            response.status_code, {n: response.headers[n] for n in names if n in response.headers}, response.content
        )

    do_POST = do_PUT = do_DELETE = do_GET = handle_one


@pytest.fixture
def passing():
    """A proxy before a real store."""
    with ExitStack() as stack:

        def passing(store):
            where, _, path = store.endpoint.removeprefix("http://").partition("/")
            proxy = stack.enter_context(running(Proxy(f"http://{where}", Passing)))
            proxy.endpoint = f"{proxy.url}/{path}".rstrip("/")
            return proxy

        yield passing


@pytest.fixture
def disguised(endpoint):
    """An empty store that speaks as one of a profile."""
    with ExitStack() as stack:

        def disguised(profile):
            proxy = Proxy(endpoint, Disguised)
            proxy.profile = profile
            return stack.enter_context(running(proxy))

        yield disguised


@pytest.fixture
def profile(monkeypatch):
    """Changes what is known of Oxigraph."""

    def profile(**fields):
        monkeypatch.setitem(PROFILES, "oxigraph", replace(PROFILES["oxigraph"], **fields))

    return profile


@pytest.fixture
def waits(monkeypatch):
    """The seconds that a load would have slept between tries, without sleeping."""
    waits = []
    monkeypatch.setattr("kgmill.pipelines.triplestores.http_client.time.sleep", waits.append)
    return waits


@pytest.fixture
def aws(monkeypatch, tmp_path):
    """Credentials of AWS that are nobody's."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalr-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)


@pytest.fixture
def file(tmp_path):
    """Writes a profile's file."""

    def file(text):
        (tmp_path / "own.toml").write_text(text)
        return str(tmp_path / "own.toml")

    return file
