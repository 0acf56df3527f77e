"""What is to be done to a store's graphs, in requests of bounded size: each is a transaction over many graphs.

Graphs that the store has nothing of go as quads where it takes those, all else as updates that drop, delete and insert.
A graph that no request can hold is put together under another name and then copied whole, so that nobody sees half of
it. Each request can be sent again, and a refused size is halved until it is taken.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from kgmill.pipelines.triplestores.client import GraphStore
from kgmill.pipelines.triplestores.dump import END, subject_of, suffix_of
from kgmill.pipelines.triplestores.http_client import TooLargeError
from kgmill.pipelines.triplestores.sparql_update import Place, copy_text, update_text
from kgmill.schemas.errors import StoreError

TRIPLES_A_COPY = 2_000_000  # more than that a store need not be able to copy in one transaction
LOADING = "loading/"  # what the name of a graph that is being put together begins with, behind the dataset's prefix

_MIN_BYTES = 1 << 10
_MAX_COPIES = 3


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done to one graph at once.

    Attributes:
        graph: its name in the file; empty: none that anybody waits for.
        place: where it is in the store.
        n_triples: how many lines there are.
        is_dropped: all that is there goes first.
        deletes: lines of triples that go.
        inserts: lines of triples that come.
        quads: in their stead all lines that the file has of the graph.
    """

    graph: str
    place: Place
    n_triples: int = 0
    is_dropped: bool = False
    deletes: bytes = b""
    inserts: bytes = b""
    quads: bytes = b""

    @property
    def n_bytes(self) -> int:
        """About its size."""
        return len(self.deletes) + len(self.inserts) + len(self.quads) + len(self.place or "")

    def come(self) -> bytes:
        """The triples that come."""
        return _triples_of(self.graph, self.quads) if self.quads else self.inserts


@dataclass(slots=True)
class _Batch:
    """What one request will do."""

    works: list[Work] = field(default_factory=list)
    n_bytes: int = 0
    n_triples: int = 0

    def add(self, work: Work) -> None:
        self.works.append(work)
        self.n_bytes += work.n_bytes
        self.n_triples += work.n_triples


class Writer:
    """Writes into one dataset's graphs.

    Args:
        server: the store.
        prefix: what the dataset's graphs begin with.
        on_done: called with the names of graphs that the store now has as the file has them.
    """

    def __init__(self, server: GraphStore, prefix: str, on_done: Callable[[list[str]], object]) -> None:
        self._server, self._profile, self._prefix, self._on_done = server, server.profile, prefix, on_done
        self._n_bytes = server.profile.n_bytes
        self._quads, self._updates = _Batch(), _Batch()

    def replace(
        self, graph: str, place: Place, runs: Iterable[list[bytes]], *, n_triples: int, is_there: bool, is_exact: bool
    ) -> None:
        """Makes a graph of the store what the file has.

        It is whole or not there at all, unless it is new and so large that the store might not be able to copy it: then
        it grows where it belongs.

        Args:
            graph: its name in the file.
            place: where it is in the store.
            runs: its lines in the file, quads of its name.
            n_triples: how many triples it has.
            is_there: the store has something there.
            is_exact: False: it may have fewer, as lines may be there twice.
        """
        if n_triples > TRIPLES_A_COPY and not is_there:
            self._append(graph, place, runs)
            return
        n_wanted = n_triples if is_exact else None
        pieces = self._pieces(runs)
        first, second = next(pieces, []), next(pieces, None)
        if second is not None:
            bodies = map(b"".join, itertools.chain((first, second), pieces))
            self._stage(graph, place, (_triples_of(graph, body) for body in bodies), n_wanted)
            return
        work = Work(graph, place, len(first), is_there, quads=b"".join(first))
        profile = self._profile
        if not is_there and profile.quads is not None:
            self._add(self._quads, work)
        elif work.n_triples <= profile.n_triples and (profile.is_atomic or profile.store is None or not is_there):
            self._add(self._updates, work)
        elif profile.store is not None:
            self._do(self._put, [work])
        else:
            self._stage(graph, place, iter((work.come(),)), n_wanted)

    def change(self, place: Place, deletes: Sequence[bytes], inserts: Sequence[bytes]) -> None:
        """Takes sorted lines of triples from a graph, and puts others there; those of one subject stay together."""
        marked = sorted(
            (subject_of(line), verb, line) for verb, lines in enumerate((deletes, inserts)) for line in lines
        )
        for _, of_subject in itertools.groupby(marked, key=lambda item: item[0]):
            lines = list(of_subject)
            for begin in range(0, len(lines), self._profile.n_triples):
                part = lines[begin : begin + self._profile.n_triples]
                gone, come = (b"".join(line for _, verb, line in part if verb == wanted) for wanted in (0, 1))
                self._add(self._updates, Work("", place, len(part), deletes=gone, inserts=come))

    def drop(self, place: Place) -> None:
        """Removes a graph; one that is gone already is as good."""
        self._add(self._updates, Work("", place, is_dropped=True))

    def flush(self) -> None:
        """Sends what is waiting."""
        self._flush(self._quads)
        self._flush(self._updates)

    # Requests

    def _flush(self, batch: _Batch) -> None:
        if works := batch.works:
            batch.works, batch.n_bytes, batch.n_triples = [], 0, 0
            self._do(self._send_quads if batch is self._quads else self._send_update, works)

    def _add(self, batch: _Batch, work: Work) -> None:
        is_full = (
            batch.n_bytes + work.n_bytes > self._n_bytes
            or len(batch.works) >= self._profile.n_graphs
            or (batch is self._updates and batch.n_triples + work.n_triples > self._profile.n_triples)
        )
        if is_full:
            self._flush(batch)
        batch.add(work)

    def _do(self, send: Callable[[list[Work]], None], works: list[Work]) -> None:
        """Sends works, in smaller requests if they are too large for one."""
        try:
            send(works)
        except TooLargeError:
            self._shrink(sum(work.n_bytes for work in works))
            half = len(works) // 2
            if half:
                self._do(send, works[:half])
                self._do(send, works[half:])
            elif works[0].quads:
                lines = works[0].come()
                self._stage(works[0].graph, works[0].place, iter(_halves(lines)), len({*lines.split(b"\n")}) - 1)
            else:
                self._do_in_halves(works[0])
            return
        self._on_done([work.graph for work in works if work.graph])

    def _do_in_halves(self, work: Work) -> None:
        deletes, inserts = _halves(work.deletes), _halves(work.inserts)
        if work.n_triples < 2:
            raise StoreError(f"{self._server.url}: doesn't take a request of one triple: it is too large")
        parts = [Work("", work.place, lines.count(b"\n"), deletes=lines) for lines in deletes if lines]
        parts += [Work("", work.place, lines.count(b"\n"), inserts=lines) for lines in inserts if lines]
        for part in parts:
            self._do(self._send_update, [part])

    def _shrink(self, n_refused: int) -> None:
        self._n_bytes = max(_MIN_BYTES, min(self._n_bytes, n_refused // 2))

    def _send_quads(self, works: list[Work]) -> None:
        here = (work.quads if work.place == work.graph else _quads_of(work.place, work.come()) for work in works)
        self._server.add_quads(b"".join(here))

    def _send_update(self, works: list[Work]) -> None:
        """One request. Where it may be seen half done, a graph that is replaced comes back before the next one goes."""
        groups = [works]
        if not self._profile.is_atomic:
            groups = [[work] for work in works if work.is_dropped]
            groups.append([work for work in works if not work.is_dropped])
        self._server.update(" ;\n".join(map(_update_of, filter(None, groups))))

    def _put(self, works: list[Work]) -> None:
        for work in works:
            self._server.put(work.place, work.come())

    # Graphs that are too large

    def _stage(self, graph: str, place: Place, pieces: Iterator[bytes], n_wanted: int | None) -> None:
        """Puts a graph together beside the others, and then where it belongs, whole.

        Raises:
            StoreError: the store has something else than was sent; the graph is as it was.
        """
        staged = f"{self._prefix}{LOADING}{sha256(graph.encode()).hexdigest()[:16]}"
        drop = update_text([staged], {}, {})
        self._server.update(drop)
        for body in pieces:
            self._piece(staged, body)
        n_there = self._server.count(staged)
        if n_wanted not in (None, n_there):
            raise StoreError(
                f"{self._server.url}: graph <{graph}> was sent in pieces, which came to {n_there} triples, wanted "
                f"{n_wanted}; it was left as it was: run kgmill load again"
            )
        self._copy(graph, staged, place, n_there)
        self._server.update(drop)
        self._on_done([graph])

    def _copy(self, graph: str, staged: str, place: Place, n_wanted: int) -> None:
        """Copies a graph, and once more if that isn't what is there then: what was sent is kept until it is."""
        n_there = -1
        for _ in range(_MAX_COPIES):
            self._server.update(copy_text(staged, place, is_atomic=self._profile.is_atomic))
            n_there = self._server.count(place)
            if n_there == n_wanted:
                return
        raise StoreError(
            f"{self._server.url}: graph <{graph}> holds {n_there} triples after a copy of {n_wanted}; if something "
            "else writes to it, stop that, and run kgmill load again"
        )

    def _append(self, graph: str, place: Place, runs: Iterable[list[bytes]]) -> None:
        """Adds the lines of a graph, piece by piece, to what the store has."""
        for lines in self._pieces(runs):
            self._piece(place, _triples_of(graph, b"".join(lines)))
        self._on_done([graph])

    def _piece(self, place: Place, body: bytes) -> None:
        """Adds triples to a graph that nobody counts on yet."""
        profile = self._profile
        is_update = profile.quads is None and profile.store is None
        try:
            if is_update and body.count(b"\n") > profile.n_triples:
                raise TooLargeError
            if profile.quads is not None:
                self._server.add_quads(_quads_of(place, body))
            elif profile.store is not None:
                self._server.post(place, body)
            else:
                self._server.update(update_text([], {}, {place: body}))
        except TooLargeError as error:
            first, second = _halves(body)
            if not first:
                raise StoreError(f"{error}; and it is a request of one triple") from None
            self._shrink(len(body))
            self._piece(place, first)
            self._piece(place, second)

    def _pieces(self, runs: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
        """Lines in pieces that a request can hold."""
        piece: list[bytes] = []
        n_bytes = 0
        for lines in runs:
            n_more = sum(map(len, lines))
            if n_bytes + n_more <= self._n_bytes:
                piece += lines
                n_bytes += n_more
                continue
            for line in lines:
                if piece and n_bytes + len(line) > self._n_bytes:
                    yield piece
                    piece, n_bytes = [], 0
                piece.append(line)
                n_bytes += len(line)
        if piece:
            yield piece


def _update_of(works: list[Work]) -> str:
    deletes, inserts = defaultdict[Place, list[bytes]](list), defaultdict[Place, list[bytes]](list)
    for work in works:
        for lines, added in ((deletes, work.deletes), (inserts, work.come())):
            if added:
                lines[work.place].append(added)
    bodies = ({place: b"".join(parts) for place, parts in lines.items()} for lines in (deletes, inserts))
    return update_text([work.place for work in works if work.is_dropped], *bodies)


def _triples_of(graph: str, quads: bytes) -> bytes:
    return quads.replace(suffix_of(graph), END)


def _quads_of(place: Place, triples: bytes) -> bytes:
    return triples if place is None else triples.replace(END, suffix_of(place))


def _halves(lines: bytes) -> tuple[bytes, bytes]:
    """The first lines and the others, about as many bytes; the first are none if there is but one."""
    middle = lines.find(b"\n", len(lines) // 2 - 1) + 1
    if middle in (0, len(lines)):
        middle = lines.rfind(b"\n", 0, max(0, len(lines) - 1)) + 1
    return lines[:middle], lines[middle:]
