"""One load: the store's graphs made those of the file, the counts compared, and all of it written down."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from kgmill.pipelines.output import layout
from kgmill.pipelines.triplestores.claim import BETWEEN, Claim, Meta, dataset_counts, meta_graph
from kgmill.pipelines.triplestores.client import GraphStore
from kgmill.pipelines.triplestores.difference import Difference, compare, recorded_changes, recorded_runs
from kgmill.pipelines.triplestores.dump import read_runs, triples_of
from kgmill.pipelines.triplestores.journal import Journal
from kgmill.pipelines.triplestores.sparql_update import update_text
from kgmill.pipelines.triplestores.survey import Survey
from kgmill.pipelines.triplestores.transactions import LOADING, Writer
from kgmill.schemas.errors import StoreError


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load did: `n_graphs == n_replaced + n_changed + n_unchanged`; `n_removed` graphs left the store.

    Attributes:
        n_changed: graphs that got a difference, of `n_inserted` and `n_deleted` triples, instead of being sent whole.
        facts: the graph that holds entities and facts; empty: the store's default graph; None: there are none, or the
            build is one of kgmill 0.1.0, which cut them into many graphs.
        note: what was left alone and might be wanted gone.
    """

    n_graphs: int
    n_quads: int
    n_replaced: int
    n_changed: int
    n_unchanged: int
    n_removed: int
    n_inserted: int
    n_deleted: int
    facts: str | None
    note: str = ""


class _CutShortError(Exception):
    """A store gave fewer triples of a graph than it counts."""


@dataclass
class LoadJob:
    """A load that may begin.

    Attributes:
        folder: the output folder.
        file: its graph, open.
        survey: what the graph holds.
        server: the store.
        journal: what this folder has loaded into it.
        before: what the store says of the last load, with this folder as the owner.
        facts: where the facts are to be, `graph` or `default`.
        on_progress: called with the number of quads that are done and of all quads.
    """

    folder: Path
    file: BinaryIO
    survey: Survey
    server: GraphStore
    journal: Journal
    before: Meta
    facts: str
    on_progress: Callable[[int, int], object]
    _counts: dict[str, int] = field(default_factory=dict)
    _n_distinct: dict[str, int] = field(default_factory=dict)
    _whole: set[str] = field(default_factory=set)
    _changed: set[str] = field(default_factory=set)
    _done: set[str] = field(default_factory=set)
    _n_done: int = 0
    _n_inserted: int = 0
    _n_deleted: int = 0

    def __post_init__(self) -> None:
        self._writer = Writer(self.server, self.survey.prefix, self._have_loaded)
        self._n_quads = sum(graph.n_triples for graph in self.survey.graphs.values())

    def run(self, counts: dict[str, int], n_default: int, claim: Claim) -> LoadReport:
        """Does it.

        Args:
            counts: the triples of the store's graphs under the dataset's prefix.
            n_default: those of its default graph, if the facts are or were there.
            claim: what may be done.
        """
        self._counts = self._with_facts(counts, n_default)
        stale = {iri for iri in self.survey.graphs if not self._is_current(iri)}
        is_moving = self.before.facts != self.facts
        is_described = counts.get(self._meta, 0) == self._meta_body(self.before).count(b"\n")
        self._tell(self.survey.graphs.keys() - stale)
        if stale or claim.leaving or is_moving or not is_described or self.before.state != self.survey.sha256:
            self._begin(stale)
            self._send(stale, [*claim.leaving, *self._old_facts(counts, n_default)])
            self.journal.forget(claim.leaving)
            self._end(claim.leaving)
        left_over = f"{self.survey.prefix}{LOADING}"
        return self._report(sum(not iri.startswith(left_over) for iri in claim.leaving), claim.note)

    # What is there

    @property
    def _meta(self) -> str:
        return meta_graph(self.survey.prefix)

    @property
    def _kg(self) -> str:
        return f"{self.survey.prefix}kg"

    def _meta_body(self, meta: Meta) -> bytes:
        return meta.body(self.survey)

    def _place(self, iri: str) -> str | None:
        """The store's graph that holds a graph of the file."""
        return None if iri == self._kg and self.facts == "default" else iri

    def _with_facts(self, counts: dict[str, int], n_default: int) -> dict[str, int]:
        """The counts, with that of the facts wherever they are to be."""
        return counts | {self._kg: n_default} if self.facts == "default" else counts

    def _old_facts(self, counts: dict[str, int], n_default: int) -> list[str | None]:
        """The graph that the facts were in, if they are to be in another one now."""
        if self.facts == "default" and self._kg in self.survey.graphs:
            return [self._kg] if self._kg in counts else []
        return [None] if n_default else []

    def _n_loaded(self, iri: str) -> int:
        """How many triples the last load left in a big graph."""
        if iri == self._kg:
            return self.before.n_kg if self.before.facts == self.facts else 0
        return self.before.n_links

    def _is_current(self, iri: str) -> bool:
        count = self._counts.get(iri, 0)
        if self.survey.is_big(iri):
            return self.before.state == self.survey.sha256 and count == self._n_loaded(iri) > 0
        if iri == self._meta:
            return True  # it is written whenever anything is
        graph, is_trusted = self.survey.graphs[iri], self.before.state in self.journal.states
        return is_trusted and self.journal.digests.get(iri) == graph.digest and count == graph.n_triples

    # What is done

    def _begin(self, stale: set[str]) -> None:
        """Says in the store whose this is and that it is being changed, before it is; in the journal even earlier."""
        # A number of its own, so that a journal can tell whether its folder was the last to load here.
        state = f"{BETWEEN} {secrets.token_hex(8)}"
        is_trusted = self.before.state in self.journal.states
        # Before the store changes: a load that dies half-way must not leave a digest that an older build could trust.
        self.journal.distrust(stale | {self._meta})
        self.journal.states = [self.before.state, state] if is_trusted else [state]
        self.journal.save()
        # As long as facts may be in the default graph it is said that they are: they have to be found again there.
        facts = "default" if "default" in (self.before.facts, self.facts) else "graph"
        self._describe(replace(self.before, state=state, facts=facts))
        self.journal.states = [state]
        if not self._counts.get(self._meta):
            self._whole |= {self._meta} & self.survey.graphs.keys()

    def _describe(self, meta: Meta) -> None:
        """Writes the metadata graph; whatever breaks on the way, it says whose it is: what is new comes first."""
        name, body = self._meta, self._meta_body(meta)
        if self.server.profile.store is not None:
            self.server.put(name, body)
            return
        old = set(self.server.triples(name)) if self._counts.get(name) else set()
        self.server.update(update_text([], {}, {name: body}))
        if gone := old - set(body.splitlines(keepends=True)):
            # Once more with what came: a store that writes a value in its own way would delete that one too.
            self.server.update(update_text([], {name: b"".join(sorted(gone))}, {name: body}))

    def _send(self, stale: set[str], leaving: list[str | None]) -> None:
        """Sends what is stale, in the file's order, and writes down what the store took even when it stops taking."""
        try:
            for iri, runs in read_runs(self.file, self._path):
                if iri not in stale:
                    continue
                if self.survey.is_big(iri):
                    self._send_big(iri, runs)
                else:
                    self._replace(iri, runs)
            for place in leaving:
                self._writer.drop(place)
            self._writer.flush()
        finally:
            self.journal.save()

    def _have_loaded(self, iris: list[str]) -> None:
        """Graphs that were sent whole have arrived."""
        self._whole.update(iris)
        self.journal.digests |= {iri: self.survey.graphs[iri].digest for iri in iris if not self.survey.is_big(iri)}
        self.journal.save_if_due()
        self._tell(iris)

    def _send_big(self, iri: str, runs: Iterable[list[bytes]]) -> None:
        n_there = self._counts.get(iri, 0)
        if n_there == 0:
            self._replace(iri, runs)
            return
        steps = recorded_runs(self.folder, self.before.state, self.survey.sha256)
        if steps is not None and n_there == self._n_loaded(iri):
            self._apply(iri, recorded_changes(self.folder, steps, iri, n_there))
        else:
            self._compare(iri, n_there, runs)

    def _replace(self, iri: str, runs: Iterable[list[bytes]]) -> None:
        """Sends a graph whole."""
        self._writer.replace(
            iri,
            self._place(iri),
            runs,
            n_triples=self.survey.graphs[iri].n_triples,
            is_there=self._counts.get(iri, 0) > 0,
            is_exact=not self.survey.is_big(iri),
        )

    def _compare(self, iri: str, n_there: int, runs: Iterable[list[bytes]]) -> None:
        """Reads the store's graph and sends the difference; a graph that the store doesn't hand out is sent whole."""
        n_distinct: list[int] = []
        n_lines = max(n_there, self.survey.graphs[iri].n_triples)
        there = _all_of(self.server.triples(self._place(iri)), n_there)
        try:
            self._apply(iri, compare(there, triples_of(iri, runs), n_lines, self._scratch, n_distinct))
            self._n_distinct[iri] = sum(n_distinct)
        except _CutShortError:
            # Of `runs` nothing was read yet: the store's side comes first. The file itself is being read by `_send`.
            self._replace(iri, runs)

    def _apply(self, iri: str, differences: Iterable[Difference]) -> None:
        for difference in differences:
            self._writer.change(self._place(iri), difference.deletes, difference.inserts)
            if difference.deletes or difference.inserts:
                self._changed.add(iri)
            self._n_deleted += len(difference.deletes)
            self._n_inserted += len(difference.inserts)
        self._tell([iri])

    # What is there now

    def _end(self, removed: list[str]) -> None:
        """Compares the counts, and says in the store what it holds.

        Raises:
            StoreError: naming a graph that holds something else than was sent.
        """
        self._counts = self._recount()
        for iri in filter(self.survey.is_big, self.survey.graphs):
            n_there = self._counts.get(iri, 0)
            # Recorded changes may lead elsewhere, and a line of the file may be there twice: then comparing tells.
            if n_there != self._n_wanted(iri) and iri not in self._n_distinct:
                self._compare(iri, n_there, self._runs_of(iri))
                self._writer.flush()
                self._counts = self._recount()
        wanted = {iri: self._n_wanted(iri) for iri in self.survey.graphs if iri != self._meta}
        for iri, n in (dict.fromkeys(removed, 0) | wanted).items():
            if self._counts.get(iri, 0) != n:
                self.journal.distrust({iri} & wanted.keys())
                self.journal.save()
                raise StoreError(
                    f"{self.server.url}: graph <{iri}> holds {self._counts.get(iri, 0)} triples after the load, wanted "
                    f"{n}; if something else writes to it, stop that, and run kgmill load again"
                )
        n_kg, n_links = (self._counts.get(f"{self.survey.prefix}{name}", 0) for name in ("kg", "links"))
        now = Meta(self.before.owner, self.survey.sha256, self.facts, n_kg, n_links)
        self.journal.states.append(now.state)
        self.journal.save()
        self._describe(now)
        self.journal.states = [now.state]
        self.journal.save()

    def _recount(self) -> dict[str, int]:
        n_default = self.server.count(None) if self.facts == "default" else 0
        return self._with_facts(dataset_counts(self.server, self.survey.prefix), n_default)

    def _n_wanted(self, iri: str) -> int:
        return self._n_distinct.get(iri, self.survey.graphs[iri].n_triples)

    def _runs_of(self, iri: str) -> Iterator[list[bytes]]:
        for name, runs in read_runs(self.file, self._path):
            if name == iri:
                yield from runs
                return

    @property
    def _path(self) -> str:
        return str(self.folder / layout.GRAPH / layout.NQUADS)

    @property
    def _scratch(self) -> Path:
        return self.folder / layout.LOAD

    def _tell(self, iris: Iterable[str]) -> None:
        """Says that graphs are done; one that has to be sent again is done once."""
        news = set(iris) - self._done
        self._done |= news
        self._n_done += sum(self.survey.graphs[iri].n_triples for iri in news)
        self.on_progress(self._n_done, self._n_quads)

    def _report(self, n_removed: int, note: str) -> LoadReport:
        n_graphs = len(self.survey.graphs)
        changed = self._changed - self._whole
        return LoadReport(
            n_graphs=n_graphs,
            n_quads=self._n_quads,
            n_replaced=len(self._whole),
            n_changed=len(changed),
            n_unchanged=n_graphs - len(self._whole) - len(changed),
            n_removed=n_removed,
            n_inserted=self._n_inserted,
            n_deleted=self._n_deleted,
            facts=(self._place(self._kg) or "") if self._kg in self.survey.graphs else None,
            note=note,
        )


def _all_of(lines: Iterable[bytes], n_wanted: int) -> Iterator[bytes]:
    """The lines, if they are as many as that.

    Raises:
        _CutShortError: at the end, if they are not.
    """
    n_lines = 0
    for line in lines:
        n_lines += 1
        yield line
    if n_lines != n_wanted:
        raise _CutShortError
