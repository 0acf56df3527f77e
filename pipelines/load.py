"""Loads a finished build into a triple store over the SPARQL 1.1 Graph Store protocol; repeatable without duplicates.

The unit is the named graph: a PUT replaces it whole, so a repeated or retried request changes nothing. A graph is left
alone if this folder's journal says that it was loaded with the same content, and the store holds as many triples of it
as expected. Graphs of the same dataset that the build no longer has are deleted; other datasets' are never touched.
"""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import itertools
import json
import logging
import os
import random
import re
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self
from urllib.parse import quote, urlsplit

import httpx

from pipelines.query import finished_graph
from schemas.errors import CorruptPartError, OutputError, StoreError, UsageError

logger = logging.getLogger(__name__)

USER_VARIABLE = "KGMILL_STORE_USER"
PASSWORD_VARIABLE = "KGMILL_STORE_PASSWORD"  # noqa: S105 - the name of a variable
MAX_TRIES = 5

_TRANSIENT = frozenset({408, 429, 502, 503, 504})
_HINTS = {
    401: f"; set {USER_VARIABLE} and {PASSWORD_VARIABLE}",
    403: f"; set {USER_VARIABLE} and {PASSWORD_VARIABLE}",
    404: "; is this the store's base URL?",
}
_FIRST_DELAY_S = 0.3
_MAX_RETRY_AFTER_S = 60.0
_MAX_CONNECTING_S = 5.0
_TIMEOUT = httpx.Timeout(120.0, connect=_MAX_CONNECTING_S)
_SAVE_EVERY = 200
_MAX_SAVES = 50

_QUAD = re.compile(rb'((?:<[^>]*>|_:\S+) <[^>]*> .+) <([^\x00-\x20<>"{}|^`\\]+)> \.\n?')


@dataclass(frozen=True, slots=True)
class Profile:
    """Where a kind of store answers, below its base URL."""

    store: str
    query: str
    update: str


PROFILES = {"oxigraph": Profile(store="/store", query="/query", update="/update")}


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load did: `n_graphs == n_replaced + n_unchanged`; `n_removed` graphs left the store."""

    n_graphs: int
    n_quads: int
    n_replaced: int
    n_unchanged: int
    n_removed: int


@dataclass(frozen=True, slots=True)
class _Graph:
    """One named graph: the sha256 of its sorted triples, and how many there are."""

    digest: str
    n_triples: int


def load(
    folder: Path,
    endpoint: str,
    profile: str = "oxigraph",
    *,
    on_progress: Callable[[int, int], object] | None = None,
) -> LoadReport:
    """Makes a triple store hold exactly the named graphs of a finished build, and checks that it does.

    A user name and password, if the store wants them, come from KGMILL_STORE_USER and KGMILL_STORE_PASSWORD.

    Args:
        folder: the output folder of a build.
        endpoint: the store's base URL, such as http://127.0.0.1:7878, or its graph store URL, such as .../store.
        profile: the kind of store, a key of `PROFILES`.
        on_progress: called with the number of graphs that are done and of all graphs.

    Raises:
        UsageError: no finished build, a graph file that isn't of one dataset, a wrong endpoint, profile or login.
        CorruptPartError: the graph isn't the one that run.json promises.
        StoreError: the store doesn't answer, refuses a request, or holds something else after the load.
        OutputError: the journal can't be written.
    """
    path, sha256 = finished_graph(folder)
    if profile not in PROFILES:
        raise UsageError(f"unknown profile {profile!r}; known: {', '.join(PROFILES)}")
    base = _base_url(endpoint, PROFILES[profile])
    with path.open("rb") as file, _Server(base, PROFILES[profile]) as server:
        graphs = _survey(file, path, sha256)
        journal = _Journal(folder / "load", base)
        return _synchronise(file, graphs, server, journal, on_progress or (lambda _done, _total: None))


def _synchronise(
    file: BinaryIO,
    graphs: dict[str, _Graph],
    server: _Server,
    journal: _Journal,
    on_progress: Callable[[int, int], object],
) -> LoadReport:
    prefix = _dataset_prefix(graphs)
    counts = server.counts(prefix)
    stale = {iri for iri, graph in graphs.items() if not _is_current(iri, graph, counts, journal)}
    surplus = [iri for iri in sorted(counts) if iri not in graphs and _prefix(iri) == prefix]
    # Before the store changes: a load that dies half-way must not leave an entry that an older build could trust.
    journal.forget(stale.union(surplus))
    try:
        _replace(file, graphs, stale, server, journal, on_progress)
        for iri in surplus:
            server.delete(iri)
    finally:
        journal.save()
    if stale or surplus:
        counts = server.counts(prefix)
    _check_counts(graphs, counts, server.url, journal)
    n_quads = sum(graph.n_triples for graph in graphs.values())
    return LoadReport(len(graphs), n_quads, len(stale), len(graphs) - len(stale), len(surplus))


def _replace(
    file: BinaryIO,
    graphs: dict[str, _Graph],
    stale: set[str],
    server: _Server,
    journal: _Journal,
    on_progress: Callable[[int, int], object],
) -> None:
    done = len(graphs) - len(stale)
    on_progress(done, len(graphs))
    if not stale:
        return
    # A journal of very many graphs is long, so it isn't rewritten more than some fifty times.
    save_every = max(_SAVE_EVERY, len(stale) // _MAX_SAVES)
    for iri, body in _read_graphs(file, "graph.nq.gz"):
        if iri not in stale:
            continue
        server.put(iri, body)
        journal.entries[iri] = graphs[iri].digest
        done += 1
        if done % save_every == 0:
            journal.save()
        on_progress(done, len(graphs))


def _is_current(iri: str, graph: _Graph, counts: dict[str, int], journal: _Journal) -> bool:
    return journal.entries.get(iri) == graph.digest and counts.get(iri) == graph.n_triples


def _check_counts(graphs: dict[str, _Graph], counts: dict[str, int], url: str, journal: _Journal) -> None:
    for iri, graph in graphs.items():
        found = counts.get(iri, 0)
        if found != graph.n_triples:
            journal.forget({iri})
            raise StoreError(
                f"{url}: graph <{iri}> holds {found} triples after the load, wanted {graph.n_triples}; "
                "is something else writing to it? Run kgmill load again"
            )


# The graph's file


def _survey(file: BinaryIO, path: Path, sha256: str) -> dict[str, _Graph]:
    """Every named graph of the file, in order; reads it whole, so that a fault shows before the store is touched."""
    graphs: dict[str, _Graph] = {}
    whole = hashlib.sha256()
    for iri, body in _read_graphs(file, str(path), whole.update):
        if iri in graphs:
            raise UsageError(f"{path}: the lines of graph <{iri}> don't stand together; run kgmill build again")
        graphs[iri] = _Graph(hashlib.sha256(body).hexdigest(), body.count(b"\n"))
    if whole.hexdigest() != sha256:
        raise CorruptPartError(f"{path}: not the bytes that run.json promises; run kgmill build again")
    if not graphs:
        raise UsageError(f"{path}: holds no quad, so nothing says which dataset to load; run kgmill build again")
    _dataset_prefix(graphs)
    return graphs


def _read_graphs(
    file: BinaryIO, where: str, on_line: Callable[[bytes], object] | None = None
) -> Iterator[tuple[str, bytes]]:
    """Each graph's IRI and its triples as N-Triples: sorted lines, each once. Holds one graph in memory."""
    file.seek(0)
    try:
        with gzip.GzipFile(fileobj=file, mode="rb") as lines:
            quads = _read_quads(lines, where, on_line)
            for name, group in itertools.groupby(quads, key=lambda quad: quad[0]):
                yield str(name, "utf-8"), b"".join(sorted({triple for _, triple in group}))
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise CorruptPartError(f"{where}: {_one_line(str(error))}; run kgmill build again") from None


def _read_quads(
    lines: gzip.GzipFile, where: str, on_line: Callable[[bytes], object] | None
) -> Iterator[tuple[bytes, bytes]]:
    for number, line in enumerate(lines, start=1):
        if on_line:
            on_line(line)
        match = _QUAD.fullmatch(line)
        if match is None:
            raise UsageError(f"{where}: line {number}: wanted one quad in a named graph, got {line[:80]!r}")
        yield match[2], match[1] + b" .\n"


def _prefix(iri: str) -> str | None:
    """A graph's dataset: its IRI up to the last `/graph/`, so that the name of another dataset can't be a part of it.

    >>> _prefix("https://kg.example.org/kg/graph/doc/d%2F1")
    'https://kg.example.org/kg/graph/'
    """
    head, mark, _ = iri.rpartition("/graph/")
    return head + mark if head else None


def _dataset_prefix(graphs: dict[str, _Graph]) -> str:
    """The one prefix of all graphs.

    Raises:
        UsageError: naming a graph that hasn't it; a load that guessed could delete graphs of other datasets.
    """
    first = next(iter(graphs))
    prefix = _prefix(first)
    for iri in graphs:
        if prefix is None or _prefix(iri) != prefix:
            raise UsageError(
                f"graph <{iri}> isn't of one dataset with <{first}>: wanted IRIs that are equal up to their last /graph/"
            )
    return str(prefix)


# The journal


class _Journal:
    """What this folder has loaded into one store: {graph IRI: sha256 of its sorted triples}.

    It is only a reason to skip work: a lost or unreadable journal costs one full load.
    """

    def __init__(self, folder: Path, base: str) -> None:
        self._path = folder / f"{hashlib.sha256(base.encode()).hexdigest()[:16]}.json"
        self.entries: dict[str, str] = {}
        try:
            entries = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            logger.warning("%s: unreadable, so every graph is loaded again: %s", self._path, error)
            return
        if isinstance(entries, dict):
            self.entries = entries

    def forget(self, iris: set[str]) -> None:
        """Drops the entries, on disk too."""
        known = iris.intersection(self.entries)
        for iri in known:
            del self.entries[iri]
        if known:
            self.save()

    def save(self) -> None:
        temporary = self._path.with_name(f".tmp-{os.getpid()}-{self._path.name}")
        try:
            self._path.parent.mkdir(exist_ok=True)
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(self.entries, file, ensure_ascii=False, indent=0, sort_keys=True)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._path)
        except OSError as error:
            raise OutputError(f"{self._path}: the journal can't be written: {error.strerror or error}") from None


# The store


class _Server:
    """A SPARQL 1.1 server: counts, replaces and deletes named graphs over one connection that is kept open."""

    def __init__(self, url: str, profile: Profile) -> None:
        self.url = url
        self._profile = profile
        auth = _login()
        self._secrets = _secret_texts(auth)
        self._client = httpx.Client(auth=auth, timeout=_TIMEOUT, headers={"User-Agent": "kgmill"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._client.close()

    def counts(self, prefix: str) -> dict[str, int]:
        """The number of triples of each named graph whose IRI begins so."""
        sparql = (
            "SELECT ?g (COUNT(*) AS ?n) WHERE { GRAPH ?g { ?s ?p ?o } "
            f'FILTER(STRSTARTS(STR(?g), "{prefix}")) }} GROUP BY ?g'
        )
        url = self.url + self._profile.query
        response = self._request("POST", url, "the count of its graphs", data={"query": sparql}, accept="text/csv")
        try:
            header, *rows = csv.reader(io.StringIO(response.text, newline=""))
            if header != ["g", "n"]:
                raise ValueError(header)
            return {row[0]: int(row[1]) for row in rows if row and row[0]}
        except (ValueError, IndexError, csv.Error):
            kind = response.headers.get("content-type", "no content type")
            raise StoreError(f"{url}: answered {kind}, wanted SPARQL results; is this a triple store?") from None

    def put(self, iri: str, body: bytes) -> None:
        self._request("PUT", self._graph_url(iri), f"PUT of graph <{iri}>", content=body, kind="application/n-triples")

    def delete(self, iri: str) -> None:
        self._request("DELETE", self._graph_url(iri), f"DELETE of graph <{iri}>", is_absent_fine=True)

    def _graph_url(self, iri: str) -> str:
        # Not httpx's params: those leave an IRI's own %2F as it is, and the store would read it as a slash.
        return f"{self.url}{self._profile.store}?graph={quote(iri, safe='')}"

    def _request(
        self,
        method: str,
        url: str,
        what: str,
        *,
        accept: str = "*/*",
        kind: str | None = None,
        is_absent_fine: bool = False,
        **body: Any,
    ) -> httpx.Response:
        headers = {"Accept": accept} | ({"Content-Type": kind} if kind else {})
        started = time.monotonic()
        for n_tries in itertools.count(1):
            response, fault, delay_s = self._try(method, url, n_tries, headers=headers, **body)
            if response is not None and (response.is_success or (is_absent_fine and response.status_code == 404)):
                return response
            is_late = response is None and time.monotonic() - started + delay_s > _MAX_CONNECTING_S * 1
            if response is not None and response.status_code not in _TRANSIENT:
                raise StoreError(self._safe(f"{self.url}: {what}: {fault}"))
            if n_tries == MAX_TRIES or is_late:
                raise StoreError(self._safe(fault))
            time.sleep(delay_s)
        raise AssertionError
