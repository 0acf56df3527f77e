"""A SPARQL 1.1 server over HTTP: its graphs counted, replaced, added to, changed, read and deleted."""

from __future__ import annotations

import base64
import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pyoxigraph as ox

from kgmill.pipelines.triplestores.http_client import (
    PASSWORD_VARIABLE,
    TIMEOUT,
    USER_VARIABLE,
    Connection,
    one_line,
    reason,
)
from kgmill.pipelines.triplestores.profiles import Profile, profile_of
from kgmill.schemas.errors import StoreError, UsageError

_N_TRIPLES = "application/n-triples"


@contextmanager
def open_server(endpoint: str, profile: str) -> Iterator[GraphStore]:
    """The store at a base URL, or at one of the paths below it; nothing is sent yet.

    Raises:
        UsageError: a wrong endpoint, profile or login.
    """
    kind = profile_of(profile)
    base = _base_url(endpoint, kind)
    login = _login()
    if login is None:
        kind = replace(
            kind, **{name: getattr(kind, name).removesuffix("-auth") for name in ("store", "query", "update")}
        )
    auth = httpx.DigestAuth(*login) if login and kind.is_digest else login
    with httpx.Client(auth=auth, timeout=TIMEOUT) as client:
        yield GraphStore(Connection(client, base, _secret_texts(login)), kind)


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

    def counts(self, prefix: str) -> dict[str, int]:
        """The number of triples of each named graph whose IRI begins with the prefix."""
        # The prefix was checked to be an IRI, so it holds no quote and no backslash.
        pattern = f'GRAPH ?g {{ ?s ?p ?o }} FILTER(STRSTARTS(STR(?g), "{prefix}"))'
        select, n_rows = "SELECT ?g (COUNT(*) AS ?n) WHERE", self.profile.n_rows
        found: dict[str, int] = {}
        last = ""
        while True:
            begin = f' FILTER(STR(?g) > "{last}")' if last else ""
            page = f" ORDER BY STR(?g) LIMIT {n_rows}" if n_rows else ""
            query = f"{select} {{ {pattern}{begin} }} GROUP BY ?g{page}"
            rows = [row for row in self.select(query, ("g", "n"), "count of its graphs") if row[0]]
            found |= {g: int(n) for g, n in rows}
            if not (n_rows and rows):  # an administrator may allow fewer rows than were asked for
                return found
            last = rows[-1][0]

    def count_default(self) -> int:
        """The number of triples of the default graph."""
        ((n,),) = self.select("SELECT (COUNT(*) AS ?n) WHERE { ?s ?p ?o }", ("n",), "count of its default graph")
        return int(n)

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

    def put(self, iri: str | None, body: bytes) -> None:
        """Replaces a graph by N-Triples."""
        self._send("PUT", iri, content=body, headers={"Content-Type": _N_TRIPLES})

    def post(self, iri: str | None, body: bytes) -> None:
        """Adds N-Triples to a graph."""
        self._send("POST", iri, content=body, headers={"Content-Type": _N_TRIPLES})

    def delete(self, iri: str | None) -> None:
        """Deletes a graph; one that is gone already is as good."""
        self._send("DELETE", iri, fine=404)

    def update(self, sparql: str) -> None:
        """Does a SPARQL update."""
        url, what, field = self.url + self.profile.update, "update", self.profile.update_field
        if field:
            self.connection.request("POST", url, what, data={field: sparql})
        else:
            headers = {"Content-Type": "application/sparql-update"}
            self.connection.request("POST", url, what, headers=headers, content=sparql.encode())

    def triples(self, iri: str | None) -> Iterator[bytes]:
        """The triples of a graph as canonical lines, however the store writes them; none where there is no graph.

        Raises:
            StoreError: no answer, or one that isn't N-Triples to its end.
        """
        url, what = self._graph_url(iri), f"GET of {_name(iri)}"
        headers = {"Accept": _N_TRIPLES}
        response = self.connection.request("GET", url, what, headers=headers, fine=404, is_stream=True)
        try:
            if response.status_code == 404:
                return
            for triple in ox.parse(_Reader(response.iter_bytes()), ox.RdfFormat.N_TRIPLES):  # type: ignore[arg-type]
                yield f"{triple.triple} .\n".encode()
        except SyntaxError as error:
            raise StoreError(
                f"{self.url}: {what}: not the N-Triples that were wanted: {one_line(str(error))}"
            ) from None
        except httpx.RequestError as error:
            raise StoreError(f"{self.url}: {what}: broke off ({reason(error)}); run kgmill load again") from None
        finally:
            response.close()

    def _send(self, method: str, iri: str | None, fine: int = 200, **options: Any) -> None:
        what = f"{method} of {_name(iri)}"
        self.connection.request(method, self._graph_url(iri), what, fine=fine, **options)

    def _graph_url(self, iri: str | None) -> str:
        # Not httpx's params: those leave an IRI's own %2F as it is, and the store would read it as a slash.
        which = "default" if iri is None else f"{self.profile.graph}={quote(iri, safe='')}"
        return f"{self.url}{self.profile.store}?{which}"


def _name(iri: str | None) -> str:
    return "the default graph" if iri is None else f"graph <{iri}>"


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


def _base_url(endpoint: str, profile: Profile) -> str:
    """The endpoint without a slash or one of the profile's paths at its end.

    Raises:
        UsageError: it isn't an http or https URL, or holds more than one; what may be a secret isn't repeated.
    """
    if any(mark in endpoint for mark in "@?#"):
        raise UsageError(
            "the endpoint must be a plain URL, without user name, password or query: command lines are no place for "
            f"secrets; set {USER_VARIABLE} and {PASSWORD_VARIABLE}"
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
    known = [path for path in (profile.store, profile.query, profile.update) if path]
    for path in (*known, *(path.removesuffix("-auth") for path in known)):
        if url.endswith(path):
            return url.removesuffix(path).rstrip("/")
    return url


def _login() -> tuple[str, str] | None:
    user, password = os.environ.get(USER_VARIABLE), os.environ.get(PASSWORD_VARIABLE)
    if not user and not password:
        return None
    if not user or not password:
        raise UsageError(f"wanted both {USER_VARIABLE} and {PASSWORD_VARIABLE}, or neither; one of them is missing")
    return user, password


def _secret_texts(login: tuple[str, str] | None) -> tuple[str, ...]:
    """What a store's error page might echo: the header's token, the password and the user name."""
    return (base64.b64encode(":".join(login).encode()).decode(), login[1], login[0]) if login else ()
