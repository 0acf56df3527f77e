"""What the graph's file holds, found out before a store is touched, and remembered as long as the file is the same."""

from __future__ import annotations

import hashlib
import itertools
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kgmill.pipelines.output import layout
from kgmill.pipelines.storage.files import hash_file, write_whole
from kgmill.pipelines.triplestores.dump import END, prefix_of, read_runs, suffix_of
from kgmill.schemas.errors import CorruptPartError, UsageError

BIG = ("kg", "links")

_FORMAT = 2


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


def survey(folder: Path, file: BinaryIO, path: Path, sha256: str) -> Survey:
    """What the file holds: read whole, so that a fault shows before a store is touched, or known from the last time.

    Args:
        folder: the output folder, which remembers it in DIR/load.
        file: graph.nq.gz, open.
        path: where it is.
        sha256: what its uncompressed bytes should have.

    Raises:
        UsageError: it holds something else than the named graphs of one dataset.
        CorruptPartError: not the bytes of the sha256.
    """
    key: list[object] = [_FORMAT, sha256, hash_file(path)]
    memory = folder / layout.SURVEY
    if known := _remembered(memory, key, sha256):
        return known
    found = _read(file, path, sha256)
    with suppress(OSError):  # it only saves time
        graphs = {iri: (graph.digest, graph.n_triples) for iri, graph in found.graphs.items()}
        value = {"key": key, "prefix": found.prefix, "graphs": graphs, "description": found.description.decode()}
        write_whole(memory, json.dumps(value, ensure_ascii=False).encode())
    return found


def _remembered(memory: Path, key: list[object], sha256: str) -> Survey | None:
    try:
        value = json.loads(memory.read_bytes())
        if value["key"] != key:
            return None
        graphs = {iri: Graph(*graph) for iri, graph in value["graphs"].items()}
        return Survey(sha256, value["prefix"], graphs, value["description"].encode())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _read(file: BinaryIO, path: Path, sha256: str) -> Survey:
    graphs: dict[str, Graph] = {}
    description = b""
    whole = hashlib.sha256()
    for iri, runs in read_runs(file, str(path), whole.update):
        if iri in graphs:
            raise UsageError(f"{path}: the lines of graph <{iri}> don't stand together; run kgmill build again")
        if (name := iri.removeprefix(str(prefix_of(iri)))) in BIG:
            graphs[iri] = Graph("", sum(map(len, runs)))
            continue
        quads = set(itertools.chain.from_iterable(runs))
        body = b"".join(sorted(quads)).replace(suffix_of(iri), END)  # in the order of the triples too
        graphs[iri] = Graph(hashlib.sha256(body).hexdigest(), len(quads))
        if name == "meta":
            description = body
    if whole.hexdigest() != sha256:
        raise CorruptPartError(f"{path}: not the bytes that run.json promises; run kgmill build again")
    if not graphs:
        raise UsageError(f"{path}: holds no quad, so nothing says which dataset to load; run kgmill build again")
    return Survey(sha256, _common_prefix(graphs), graphs, description)


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
