"""A SPARQL 1.1 server over HTTP: its graphs counted, replaced, added to, changed, read and deleted."""

from __future__ import annotations

import csv
import io
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pyoxigraph as ox

from kgmill.pipelines.triplestores.http_client import Connection, one_line, reason
from kgmill.pipelines.triplestores.login import BOTH, login_for
from kgmill.pipelines.triplestores.profiles import Profile
from kgmill.schemas.errors import StoreError, UsageError

_CONNECT_S = 5.0
_PLAIN = ("application/n-triples", "text/plain;q=0.5")


@contextmanager
def open_server(endpoint: str, profile: Profile, ca_file: Path | None = None) -> Iterator[GraphStore]:
    """The store at a base URL, or at one of the paths below it; nothing is sent yet.

    Args:
        endpoint: its URL.
        profile: its kind.
        ca_file: certificates, as PEM, of who may vouch for an https server; None: those that the web trusts.

    Raises:
        UsageError: a wrong endpoint, login or file.
    """
    base = base_url(endpoint, profile)
    login = login_for(profile)
    if login.auth is None:
        paths = {name: getattr(profile, name) for name in ("store", "query", "update")}
        profile = replace(profile, **{name: path and path.removesuffix("-auth") for name, path in paths.items()})
    timeout = httpx.Timeout(profile.timeout_s, connect=min(_CONNECT_S, profile.timeout_s))
    trusted = trusting(ca_file)
    with httpx.Client(auth=login.auth, headers=dict(profile.headers), timeout=timeout, verify=trusted) as client:
        yield GraphStore(Connection(client, base, profile, login), profile)


def trusting(ca_file: Path | None) -> ssl.SSLContext | bool:
    """What httpx takes for the certificates to be trusted.

    Raises:
        UsageError: the file holds none.
    """
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(f"--ca-file {ca_file}: wanted certificates as PEM: {error.strerror or error}") from None


@dataclass(frozen=True, slots=True)
class GraphStore:
    """A SPARQL 1.1 server. A graph is named by its IRI; None is the default graph."""

    connection: Connection
    profile: Profile

    @property
    def url(self) -> str:
        """The base URL."""
        return self.connection.url

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine, by its name or address."""
        host = (urlsplit(self.url).hostname or "").rstrip(".")
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    # Asking

    def counts(self, prefix: str) -> dict[str, int]:
        """The number of triples of each named graph whose IRI begins with the prefix."""
        # Chosen among the counts and not among the triples, each of whose graph's name stores would write out and look
        # at. The prefix was checked to be an IRI, so it holds no quote and no backslash.
        counted = "{ SELECT ?g (COUNT(*) AS ?n) WHERE { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g }"
        what = "count of its graphs"
        rows = self.pages("?g ?n", f'{counted} FILTER(STRSTARTS(STR(?g), "{prefix}"))', ("g", "n"), what)
        return {g: self._number(n, what) for g, n in rows}

    def count(self, graph: str | None) -> int:
        """The number of triples of a graph; None: of the default graph."""
        pattern = "?s ?p ?o" if graph is None else f"GRAPH <{graph}> {{ ?s ?p ?o }}"
        what = f"count of {_name(graph)}"
        rows = self.select(f"SELECT (COUNT(*) AS ?n) WHERE {{ {pattern} }}", ("n",), what)
        return self._number(rows[0][0] if len(rows) == 1 else "", what)

    def pages(self, head: str, pattern: str, names: tuple[str, ...], what: str) -> list[tuple[str, ...]]:
        """All rows of a query whose first variable, `?g`, is bound to another IRI in each.

        A store that cuts an answer without a word is asked again from the last row on, until it has nothing more.
        """
        found: list[tuple[str, ...]] = []
        n_rows = self.profile.n_rows
        while True:
            begin = f' FILTER(STR(?g) > "{found[-1][0]}")' if found else ""
            page = f" ORDER BY STR(?g) LIMIT {n_rows}" if n_rows else ""
            rows = self.select(f"SELECT {head} WHERE {{ {pattern}{begin} }}{page}", names, what)
            rows = [row for row in rows if row[0]]
            found += rows
            if not (n_rows and rows):  # an administrator may allow fewer rows than were asked for
                return found

    def select(self, sparql: str, names: tuple[str, ...], what: str) -> list[tuple[str, ...]]:
        """The rows of a query whose variables have these names, as texts; messages call it `what`."""
        url = self.url + self.profile.query
        data = {"query": sparql}
        response = self.connection.request("POST", url, what, headers={"Accept": "text/csv"}, data=data)
        try:
            header, *rows = csv.reader(io.StringIO(response.content.decode(), newline=""))
            if tuple(header) != names or any(len(row) != len(names) for row in rows if row):
                raise ValueError(header)
        except (ValueError, csv.Error):
            raise StoreError(f"{url}: wanted SPARQL results as CSV, got something else; is this a store?") from None
        return [tuple(row) for row in rows if row]

    def _number(self, text: str, what: str) -> int:
        if not text.isdecimal():
            raise StoreError(f"{self.url}: {what}: wanted a number, got {self._told(text)!r}; is this a store?")
        return int(text)

    def triples(self, graph: str | None) -> Iterator[bytes]:
        """The triples of a graph as canonical lines, however the store writes them; none where there is no graph.

        Raises:
            StoreError: no answer, or one that isn't N-Triples to its end.
        """
        what = f"GET of {_name(graph)}"
        headers = {"Accept": ", ".join(_PLAIN)}
        if self.profile.store is None:
            pattern = "?s ?p ?o" if graph is None else f"GRAPH <{graph}> {{ ?s ?p ?o }}"
            data = {"query": f"CONSTRUCT {{ ?s ?p ?o }} WHERE {{ {pattern} }}"}
            url = self.url + self.profile.query
            response = self.connection.request("POST", url, what, is_stream=True, headers=headers, data=data)
        else:
            url = self._graph_url(graph)
            response = self.connection.request("GET", url, what, fine=404, is_stream=True, headers=headers)
        try:
            if response.status_code == 404:
                return
            for triple in ox.parse(_Reader(response.iter_bytes()), ox.RdfFormat.N_TRIPLES):  # type: ignore[arg-type]
                yield f"{triple.triple} .\n".encode()
        except SyntaxError as error:
            raise StoreError(
                f"{self.url}: {what}: not the N-Triples that were wanted: {self._told(str(error))}"
            ) from None
        except httpx.RequestError as error:
            why = self._told(reason(error))
            raise StoreError(f"{self.url}: {what}: broke off ({why}); run kgmill load again") from None
        finally:
            response.close()

    # Writing: the store has to speak the graph store protocol for `put` and `post`, and take quads for `add_quads`

    def put(self, graph: str | None, body: bytes) -> None:
        """Replaces a graph by N-Triples."""
        self._send("PUT", graph, body)

    def post(self, graph: str | None, body: bytes) -> None:
        """Adds N-Triples to a graph."""
        self._send("POST", graph, body)

    def add_quads(self, body: bytes) -> None:
        """Adds N-Quads, of any graphs."""
        headers = {"Content-Type": self.profile.quads_type}
        self.connection.request(
            "POST", f"{self.url}{self.profile.quads}", "POST of quads", headers=headers, content=body
        )

    def update(self, sparql: str) -> None:
        """Does a SPARQL update."""
        url, what, field = self.url + self.profile.update, "update", self.profile.update_field
        if field:
            self.connection.request("POST", url, what, data={field: sparql})
        else:
            headers = {"Content-Type": "application/sparql-update"}
            self.connection.request("POST", url, what, headers=headers, content=sparql.encode())

    def _send(self, method: str, graph: str | None, body: bytes) -> None:
        what, headers = f"{method} of {_name(graph)}", {"Content-Type": self.profile.triples_type}
        self.connection.request(method, self._graph_url(graph), what, headers=headers, content=body)

    def _told(self, text: str) -> str:
        """What somebody else says, for a message."""
        return one_line(self.connection.login.masked(text))

    def _graph_url(self, graph: str | None) -> str:
        # Not httpx's params: those leave an IRI's own %2F as it is, and the store would read it as a slash.
        which = "default" if graph is None else f"{self.profile.graph}={quote(graph, safe='')}"
        return f"{self.url}{self.profile.store}?{which}"


def _name(graph: str | None) -> str:
    return "the default graph" if graph is None else f"graph <{graph}>"


class _Reader:
    """A file to read from, of pieces of any size."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def read(self, size: int = -1) -> bytes:
        while not self._rest:
            try:
                self._rest = next(self._pieces)
            except StopIteration:
                return b""
        data, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return data


def base_url(endpoint: str, profile: Profile | None) -> str:
    """The endpoint without a slash, or one of the profile's paths, at its end.

    Raises:
        UsageError: it isn't an http or https URL, or holds more than one; what may be a secret isn't repeated.
    """
    if any(mark in endpoint for mark in "@?#"):
        raise UsageError(
            "the endpoint must be a plain URL, without user name, password or query: command lines are no place for "
            f"secrets; set {BOTH}"
        )
    try:
        parts = urlsplit(endpoint)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        httpx.URL(endpoint)
    except (ValueError, httpx.InvalidURL):
        is_url = False
    if not is_url:
        raise UsageError(f"{endpoint}: wanted the store's http or https URL, such as http://127.0.0.1:7878")
    url = endpoint.rstrip("/")
    known = [path.rstrip("/") for path in (profile.store, profile.query, profile.update) if path] if profile else []
    for path in (*known, *(path.removesuffix("-auth") for path in known)):
        if url.endswith(path):
            return url.removesuffix(path).rstrip("/")
    return url
