"""Changes: what a run adds to the graph and takes from it, as N-Quads and as a SPARQL Update.

The live graph is compared with the one that will be, member by member (see `stages.export`). A quad lies in
the member of its unit's hashes, so members are compared in groups that share hashes, one group in memory at a time;
members with equal bytes are not read.
"""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgmill.pipelines.engine.request import PartName, Receipt, Request
from kgmill.pipelines.graph.difference import difference, update_blocks
from kgmill.pipelines.output import layout
from kgmill.pipelines.output.ledger import run_name
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.stages.export import MEMBER, in_chain
from kgmill.pipelines.stages.graph import commit_members, live_counts, member_bytes
from kgmill.pipelines.stages.stage import Outcome, Parts, Todo, partitions_extent
from kgmill.schemas.identity import fingerprint
from kgmill.schemas.units import Unit

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

VERSION = 1
UNIT = "all"
ADDED, REMOVED, UPDATE = "added.nq.gz", "removed.nq.gz", "update.ru.gz"

Member = tuple[str, str]


def change_key(run: str, before: Sequence[Member], after: Sequence[Member]) -> str:
    """Fingerprint of what a run changed from one graph to another, each given as its members."""
    return fingerprint({"version": VERSION, "run": run, "before": before, "after": after})


def groups(before: Iterable[Part], after: Iterable[Part]) -> list[tuple[list[Part], list[Part]]]:
    """The members that differ, old and new, in groups of those that can hold the same quad."""
    old, new = ({part.unit: part for part in parts} for parts in (before, after))
    for unit in old.keys() & new.keys():
        if old[unit].files[MEMBER]["sha256"] == new[unit].files[MEMBER]["sha256"]:
            del old[unit], new[unit]
    n_bits: dict[str, int] = {}
    for kind, cut in map(_cut, [*old, *new]):
        n_bits[kind] = min(cut.bits, n_bits.get(kind, cut.bits))
    found: dict[tuple[str, Unit], tuple[list[Part], list[Part]]] = defaultdict(lambda: ([], []))
    for side, parts in enumerate((old, new)):
        for unit, part in parts.items():
            kind, cut = _cut(unit)
            found[kind, cut.within(n_bits[kind])][side].append(part)
    return [found[key] for key in sorted(found)]


def _cut(member: str) -> tuple[str, Unit]:
    """A member's kind and unit; a member without a unit is the only one of its kind."""
    kind, _, unit = member.partition("-")
    return kind, Unit.parse(unit) if unit else Unit(0, 0)


def write_changes(folder: Path, before: Iterable[Part], after: Iterable[Part]) -> dict[str, int]:
    """Writes the three files; returns how many quads were added and removed."""
    counts = {"added_quads": 0, "removed_quads": 0}
    with ExitStack() as stack:
        added, removed, update = (_open(folder / name, stack) for name in (ADDED, REMOVED, UPDATE))
        for old, new in groups(before, after):
            gone, come = difference(
                chain.from_iterable(map(member_bytes, old)), chain.from_iterable(map(member_bytes, new))
            )
            for file, lines in ((removed, gone), (added, come)):
                file.writelines(lines)
            for verb, lines in (("DELETE", gone), ("INSERT", come)):
                update.writelines(block.encode() for block in update_blocks(verb, lines))
            counts["added_quads"] += len(come)
            counts["removed_quads"] += len(gone)
    return counts


def _open(path: Path, stack: ExitStack) -> gzip.GzipFile:
    raw = stack.enter_context(path.open("wb"))
    return stack.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0))


@dataclass(frozen=True, slots=True)
class Settings:
    """The run that makes the change."""

    run: str


@dataclass(frozen=True, slots=True)
class Task:
    """Two graphs to compare, as the members of each, and the fingerprint of what changed."""

    unit: str
    fingerprint: str
    before: tuple[PartName, ...]
    after: tuple[PartName, ...]


def missing(context: RunContext, store: Store, parts: Parts) -> Todo:
    """What there is to compare; then the graph is made live with its members, and what changed is laid beside it.

    The graph's live key names the changes that led to it, so that a run that dies in between loses none: the next one
    finds them. Changes of a run that died earlier lead to no graph and go.
    """
    run, live = run_name(context.started), store.live("graph")
    before = tuple((unit, key) for unit, key in live_counts(live).get("members", []))
    after = tuple((part.unit, part.fingerprint) for part in in_chain(parts["export"]))
    key = change_key(run, before, after) if live and before != after else store.live_key("graph")
    tasks = []
    if live and before != after and before and all(store.find("export", *member) for member in before):
        tasks = [Task(UNIT, key, before, after)]
    is_same = bool(live) and before == after

    def publish(outcome: Outcome) -> dict[str, Any]:
        _release(store, store.live_key("graph"))
        index = commit_members(store, context.names.namespace, parts["export"], parts["graph"])
        graph = [*parts["graph"], index]
        counts = live_counts(graph)
        changed: dict[str, Any] = {"added_quads": None, "removed_quads": None}  # a member was deleted: not to be known
        if not live:
            changed = {"added_quads": counts["quads"], "removed_quads": 0}
        elif is_same:
            changed = {"added_quads": 0, "removed_quads": 0}
        elif outcome.receipts:
            changed = {name: int(outcome.receipts[UNIT].counts[name]) for name in changed}
        store.publish("graph", graph, [], key)
        store.publish_files(layout.GRAPH, graph)
        _release(store, key)
        store.publish("changes", [], [])
        store.publish("export", parts["export"], [])
        return {**changed, "graph_before": live_counts(live).get("sha256", "")}

    extent = partitions_extent(parts["ingest"], (task.unit for task in tasks))
    return Todo((), tasks, Settings(run), extent, publish)


def _release(store: Store, key: str) -> None:
    if change := store.find("changes", UNIT, key):
        store.release(change, layout.CHANGES, change.counts["run"])


@contextmanager
def work(request: Request[Task, Settings]) -> Iterator[Callable[[Task], Receipt]]:
    """Compares two graphs and commits what changed; nothing where no quad did."""
    store = request.store

    def compare(task: Task) -> Receipt:
        before, after = ([store.need("export", *name) for name in members] for members in (task.before, task.after))
        folder = store.scratch()
        counts = write_changes(folder, before, after)
        if any(counts.values()):
            store.commit("changes", UNIT, task.fingerprint, folder, counts | {"run": request.settings.run})
        return Receipt(task.unit, task.fingerprint, counts)

    yield compare
