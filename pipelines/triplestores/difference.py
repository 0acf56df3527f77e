"""The exact difference of a graph that is larger than memory: from recorded changes, or from both sides read whole.

Lines are laid out on disk in buckets, those of one subject together, and compared a bucket at a time.
"""

from __future__ import annotations

import gzip
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from kgmill.pipelines.output import layout
from kgmill.pipelines.output.ledger import all_runs, run_name
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.triplestores.dump import refusing_damage, split_quad, subject_of

LINES_A_BUCKET = 200_000
_MAX_BUCKETS = 128  # each is an open file
_ADD, _REMOVE = b"+", b"-"


@dataclass(frozen=True, slots=True)
class Difference:
    """What is to be taken from some subjects of a graph and what is to be put there, sorted and without overlap."""

    deletes: list[bytes]
    inserts: list[bytes]


class Buckets:
    """Lines on disk, in as many unnamed files as it takes for each to fit in memory."""

    def __init__(self, n_lines: int, folder: Path) -> None:
        self.n = min(_MAX_BUCKETS, 1 + n_lines // LINES_A_BUCKET)
        self._folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        files = (tempfile.TemporaryFile(dir=self._folder) for _ in range(self.n))  # noqa: SIM115 - the stack closes it
        self._files: list[IO[bytes]] = [self._stack.enter_context(file) for file in files]
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def add(self, line: bytes, mark: bytes = b"") -> None:
        """Lays a triple's line down, behind a mark."""
        self._files[zlib.crc32(subject_of(line)) % self.n].write(mark + line)

    def read(self, number: int) -> Iterator[bytes]:
        """The lines of a bucket, as they came."""
        self._files[number].seek(0)
        yield from self._files[number]


def compare(
    before: Iterable[bytes], after: Iterable[bytes], n_lines: int, folder: Path, n_after: list[int]
) -> Iterator[Difference]:
    """What makes the triples of `before` those of `after`, both lines in any order.

    Args:
        before: what is there.
        after: what is wanted.
        n_lines: about how many lines the larger side has.
        folder: where the disk has room.
        n_after: gets, for each bucket, how many different triples are wanted.
    """
    with Buckets(n_lines, folder) as old, Buckets(n_lines, folder) as new:
        for buckets, lines in ((old, before), (new, after)):
            for line in lines:
                buckets.add(line)
        for number in range(old.n):
            there, wanted = set(old.read(number)), set(new.read(number))
            n_after.append(len(wanted))
            yield Difference(sorted(there - wanted), sorted(wanted - there))


def recorded_runs(folder: Path, before: str, after: str) -> list[str] | None:
    """The runs that led from one graph to another, by the sha256 of both, in order; None where that isn't known.

    Each run's ledger names the graph that the run found and the one that it left; a run that changed it has to have
    left its changes too, which `kgmill gc` may have removed.
    """
    steps: list[str] = []
    state = after
    for run in all_runs(Store(folder)):
        if state == before:
            break
        found, left = run.get("graph_before"), (run.get("graph") or {}).get("sha256")
        if left != state or not found:
            return None
        if found != state:
            steps.append(run_name(str(run.get("started", ""))))
            state = found
    is_whole = state == before and len(set(steps)) == len(steps)
    return steps[::-1] if is_whole and all(path.is_file() for _, path in _files(folder, steps)) else None


def recorded_changes(folder: Path, runs: Sequence[str], graph: str, n_lines: int) -> Iterator[Difference]:
    """What some runs, one after another, have changed in a graph.

    Raises:
        CorruptPartError: their files are damaged.
    """
    name = graph.encode()
    with Buckets(n_lines, folder / layout.LOAD) as buckets:
        for mark, path in _files(folder, runs):
            with refusing_damage(str(path)), gzip.open(path) as lines:
                for line in lines:
                    quad = split_quad(line)
                    if quad and quad[0] == name:
                        buckets.add(quad[1], mark)
        for number in range(buckets.n):
            # What a run did last with a triple counts: it is there, or it isn't, whatever was before.
            last = {line[1:]: line[:1] for line in buckets.read(number)}
            yield Difference(*(sorted(line for line, mark in last.items() if mark == m) for m in (_REMOVE, _ADD)))


def _files(folder: Path, runs: Iterable[str]) -> Iterator[tuple[bytes, Path]]:
    for run in runs:
        yield _REMOVE, folder / layout.CHANGES / f"{run}.removed.nq.gz"
        yield _ADD, folder / layout.CHANGES / f"{run}.added.nq.gz"
