"""The graph's file as a loader reads it: graph after graph, in the file's order, checked before a store is touched.

The graph of a document, and each of the others that are small, is one piece of memory. `kg` and `links` are of the
whole dataset and can be larger than that: their triples are only ever handed on one by one.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kgmill.pipelines.triplestores.http_client import one_line
from kgmill.schemas.errors import CorruptPartError, UsageError

BIG = ("kg", "links")

_QUAD = re.compile(rb'((?:<[^>]*>|_:\S+) <[^>]*> .+) <([^\x00-\x20<>"{}|^`\\]+)> \.\n?')


@dataclass(frozen=True, slots=True)
class Graph:
    """One named graph.

    Attributes:
        digest: sha256 of its sorted triples; empty for a big one.
        n_triples: how many there are; of a big one how many lines, which may hold one triple twice.
    """

    digest: str
    n_triples: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What the file holds.

    Attributes:
        sha256: of its uncompressed bytes.
        prefix: what the IRIs of all its graphs begin with, up to `/graph/`.
        graphs: by IRI, in the file's order.
        description: the triples of its graph `meta`.
    """

    sha256: str
    prefix: str
    graphs: dict[str, Graph]
    description: bytes

    def is_big(self, iri: str) -> bool:
        """Whether a graph may be larger than memory."""
        return iri.removeprefix(self.prefix) in BIG


def survey(file: BinaryIO, path: Path, sha256: str) -> Survey:
    """Reads the file whole, so that a fault shows before a store is touched.

    Raises:
        UsageError: it holds something else than the named graphs of one dataset.
        CorruptPartError: not the bytes of the sha256.
    """
    graphs: dict[str, Graph] = {}
    description = b""
    whole = hashlib.sha256()
    for iri, triples in read_graphs(file, str(path), whole.update):
        if iri in graphs:
            raise UsageError(f"{path}: the lines of graph <{iri}> don't stand together; run kgmill build again")
        if (name := iri.removeprefix(str(prefix_of(iri)))) in BIG:
            graphs[iri] = Graph("", sum(1 for _ in triples))
            continue
        body = in_order(triples)
        graphs[iri] = Graph(hashlib.sha256(body).hexdigest(), body.count(b"\n"))
        if name == "meta":
            description = body
    if whole.hexdigest() != sha256:
        raise CorruptPartError(f"{path}: not the bytes that run.json promises; run kgmill build again")
    if not graphs:
        raise UsageError(f"{path}: holds no quad, so nothing says which dataset to load; run kgmill build again")
    return Survey(sha256, _common_prefix(graphs), graphs, description)


def read_graphs(
    file: BinaryIO, where: str, on_line: Callable[[bytes], object] | None = None
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Each graph's IRI and its triples as N-Triples lines, which have to be read before the next graph is asked for."""
    file.seek(0)
    with refusing_damage(where), gzip.GzipFile(fileobj=file, mode="rb") as lines:
        quads = _read_quads(lines, where, on_line)
        for name, group in itertools.groupby(quads, key=lambda quad: quad[0]):
            yield str(name, "utf-8"), (triple for _, triple in group)


def in_order(triples: Iterator[bytes]) -> bytes:
    """The lines sorted, each once."""
    return b"".join(sorted(set(triples)))


def split_quad(line: bytes) -> tuple[bytes, bytes] | None:
    """The IRI of a line's graph, and its triple as a line; None where it is no quad in a named graph."""
    match = _QUAD.fullmatch(line)
    return (match[2], match[1] + b" .\n") if match else None


def prefix_of(iri: str) -> str | None:
    """A graph's dataset: its IRI up to the last `/graph/`, so that the name of another dataset can't be a part of it.

    >>> prefix_of("https://kg.example.org/kg/graph/doc/d%2F1")
    'https://kg.example.org/kg/graph/'
    """
    head, mark, _ = iri.rpartition("/graph/")
    return head + mark if head else None


@contextmanager
def refusing_damage(where: str) -> Iterator[None]:
    """A damaged gzip file of graphs is one line: that of CorruptPartError."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise CorruptPartError(f"{where}: {one_line(str(error))}; run kgmill build again") from None


def _read_quads(
    lines: gzip.GzipFile, where: str, on_line: Callable[[bytes], object] | None
) -> Iterator[tuple[bytes, bytes]]:
    with refusing_damage(where):
        for number, line in enumerate(lines, start=1):
            if on_line:
                on_line(line)
            quad = split_quad(line)
            if quad is None:
                raise UsageError(f"{where}: line {number}: wanted one quad in a named graph, got {line[:80]!r}")
            yield quad


def _common_prefix(graphs: dict[str, Graph]) -> str:
    """The one prefix of all graphs.

    Raises:
        UsageError: naming a graph that hasn't it; a load that guessed could delete graphs of other datasets.
    """
    first = next(iter(graphs))
    prefix = prefix_of(first)
    for iri in graphs:
        if prefix is None or prefix_of(iri) != prefix:
            raise UsageError(
                f"graph <{iri}> isn't of one dataset with <{first}>: wanted IRIs equal up to their last /graph/"
            )
    return str(prefix)
