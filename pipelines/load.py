"""Loads a finished build into a triple store over the SPARQL 1.1 Graph Store protocol; repeatable without duplicates.

The unit is the named graph: a PUT replaces it whole, so a repeated or retried request changes nothing. A graph is left
alone if this folder's journal says that it was loaded with the same content, and the store holds as many triples of it
as expected. Graphs of the same dataset that the build no longer has are deleted; other datasets' are never touched.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import logging
import os
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipelines.graph_store import GraphStore, one_line, open_server
from pipelines.query import finished_graph
from schemas.errors import CorruptPartError, OutputError, StoreError, UsageError

logger = logging.getLogger(__name__)

_SAVE_EVERY = 200
_MAX_SAVES = 50

_QUAD = re.compile(rb'((?:<[^>]*>|_:\S+) <[^>]*> .+) <([^\x00-\x20<>"{}|^`\\]+)> \.\n?')


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
    with path.open("rb") as file, open_server(endpoint, profile) as server:
        graphs = _survey(file, path, sha256)
        journal = _Journal(folder / "load", server.url)
        return _synchronise(file, graphs, server, journal, on_progress or (lambda _done, _total: None))


def _synchronise(
    file: BinaryIO,
    graphs: dict[str, _Graph],
    server: GraphStore,
    journal: _Journal,
    on_progress: Callable[[int, int], object],
) -> LoadReport:
    prefix = _dataset_prefix(graphs)
    counts = server.counts(prefix)
    stale = {iri for iri, graph in graphs.items() if not _is_current(iri, graph, counts, journal)}
    surplus = [iri for iri in sorted(counts) if iri not in graphs and _prefix(iri) == prefix]
    # Before the store changes: a load that dies half-way must not leave an entry that an older build could trust.
    journal.forget(stale.union(surplus))
    on_progress(len(graphs) - len(stale), len(graphs))
    if stale:
        _replace(file, graphs, stale, server, journal, on_progress)
    for iri in surplus:
        server.delete(iri)
    if stale or surplus:
        _check_counts(graphs, surplus, server.counts(prefix), server.url, journal)
    n_quads = sum(graph.n_triples for graph in graphs.values())
    return LoadReport(len(graphs), n_quads, len(stale), len(graphs) - len(stale), len(surplus))


def _replace(
    file: BinaryIO,
    graphs: dict[str, _Graph],
    stale: set[str],
    server: GraphStore,
    journal: _Journal,
    on_progress: Callable[[int, int], object],
) -> None:
    """Sends the stale graphs, and writes down what the store took even when it stops taking."""
    # The journal of very many graphs is long, so it isn't written more than some fifty times.
    save_every = max(_SAVE_EVERY, len(stale) // _MAX_SAVES)
    fresh = (unit for unit in _read_graphs(file, "graph.nq.gz") if unit[0] in stale)
    try:
        for n_sent, (iri, body) in enumerate(fresh, start=1):
            server.put(iri, body)
            journal.entries[iri] = graphs[iri].digest
            if n_sent % save_every == 0:
                journal.save()
            on_progress(len(graphs) - len(stale) + n_sent, len(graphs))
    finally:
        journal.save()


def _is_current(iri: str, graph: _Graph, counts: dict[str, int], journal: _Journal) -> bool:
    return journal.entries.get(iri) == graph.digest and counts.get(iri) == graph.n_triples


def _check_counts(
    graphs: dict[str, _Graph], surplus: list[str], counts: dict[str, int], url: str, journal: _Journal
) -> None:
    for iri in itertools.chain(graphs, surplus):
        wanted = graphs[iri].n_triples if iri in graphs else 0
        found = counts.get(iri, 0)
        if found != wanted:
            journal.forget({iri})
            raise StoreError(
                f"{url}: graph <{iri}> holds {found} triples after the load, wanted {wanted}; "
                "if something else writes to it, stop that, and run kgmill load again"
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
        raise CorruptPartError(f"{where}: {one_line(str(error))}; run kgmill build again") from None


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
                f"graph <{iri}> isn't of one dataset with <{first}>: wanted IRIs equal up to their last /graph/"
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
        """Writes the journal: the old one, or the new one, is whole at any moment."""
        temporary = self._path.with_name(f".tmp-{os.getpid()}-{self._path.name}")
        try:
            self._path.parent.mkdir(exist_ok=True)
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(self.entries, file, ensure_ascii=False, indent=0, sort_keys=True)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise OutputError(f"{self._path}: the journal can't be written: {error.strerror or error}") from None
