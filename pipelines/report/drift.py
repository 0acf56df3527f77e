"""How the facts of one run differ from those of a later one, by relation.

An output keeps the facts of its last run, and of each run what it changed: from the last, runs are undone one by one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kgmill.pipelines.output import layout
from kgmill.pipelines.output.ledger import all_runs, finished_run, run_name
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.report.changes import Changes, Side, changes_of
from kgmill.schemas.errors import UsageError
from kgmill.schemas.identity import fact_id
from kgmill.schemas.tables import values

LAST = "last"


@dataclass(slots=True)
class Level:
    """The facts of a relation: how many, and the sum of their confidences."""

    n: int = 0
    total: float = 0.0

    @property
    def mean(self) -> float | None:
        """Their mean confidence; None where there is none of them."""
        return round(self.total / self.n, 6) if self.n else None


@dataclass(frozen=True, slots=True)
class Drift:
    """Two runs, and what lies between them.

    Attributes:
        older, newer: their ledgers.
        before, after: the facts of each relation then.
        added, removed: by relation the facts that only the newer has, and only the older.
    """

    older: Mapping[str, Any]
    newer: Mapping[str, Any]
    before: Mapping[str, Level]
    after: Mapping[str, Level]
    added: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)

    @property
    def relations(self) -> list[str]:
        """All relations of both, by name."""
        return sorted({name for side in (self.before, self.after) for name, level in side.items() if level.n})


def drift(store: Store, one: str, other: str) -> Drift:
    """What lies between two runs, given in either order by their names in DIR/runs or as `last`.

    Raises:
        UsageError: no finished build, no such run, or a run between them and the last whose changes aren't kept.
    """
    finished_run(store)
    runs = {run_name(run["started"]): run for run in all_runs(store) if run.get("status") == "done"}
    changed = {name.partition(".")[0] for name in store.storage.children(layout.CHANGES)}  # killed runs have no ledger
    steps = sorted({*runs, *changed}, reverse=True)
    newer, older = sorted((_named(store, runs, one), _named(store, runs, other)), reverse=True)
    undone = {name: _changes(store, name, runs.get(name)) for name in steps if name > older}
    named = _relations(store, undone.values())
    levels = _levels(store)
    after: dict[str, Level] | None = None
    added: set[str] = set()
    removed: set[str] = set()
    for name, changes in undone.items():
        if name == newer:
            after = _copy(levels)
        _undo(levels, changes, named)
        if name <= newer:
            came, gone = set(changes.added), set(changes.removed)
            added, removed = (added | (came - removed)) - gone, (removed - came) | (gone - added)
    after = _copy(levels) if after is None else after
    for name, found in ((newer, after), (older, levels)):
        if sum(level.n for level in found.values()) != runs[name]["graph"]["facts"]:
            raise UsageError(
                f"{store.where}: the changes that are kept don't lead back to run {name}; name a later one"
            )
    counts = (Counter(named[fact] for fact in facts) for facts in (added, removed))
    return Drift(runs[older], runs[newer], levels, after, *counts)


def _named(store: Store, runs: Mapping[str, Any], name: str) -> str:
    if name == LAST:
        return max(runs)
    if (wanted := run_name(name)) in runs:
        return wanted
    there = ", ".join([*sorted(runs), LAST])
    raise UsageError(f"{store.where}: no finished run {name}; there are {there}")


def _changes(store: Store, name: str, run: Mapping[str, Any] | None) -> Changes:
    """What a run changed.

    Raises:
        UsageError: that is not kept.
    """
    if found := changes_of(store, name):
        return found
    if run is None or (run["graph"].get("added_quads"), run["graph"].get("removed_quads")) == (0, 0):
        return Changes(Side(), Side())
    raise UsageError(f"{store.where}: what run {name} changed is not in {layout.CHANGES}; name runs from {name} on")


def _levels(store: Store) -> dict[str, Level]:
    """The facts of the last run."""
    levels: dict[str, Level] = defaultdict(Level)
    facts = store.storage.dataset(f"{layout.TABLES}/facts")
    for batch in facts.to_batches(columns=["relation", "confidence"]):
        for row in batch.to_pylist():
            level = levels[row["relation"]]
            level.n += 1
            level.total += row["confidence"]
    return levels


def _copy(levels: Mapping[str, Level]) -> dict[str, Level]:
    return {name: Level(level.n, level.total) for name, level in levels.items()}


def _undo(levels: dict[str, Level], changes: Changes, named: Mapping[str, str]) -> None:
    for sign, side in ((-1, changes.after), (1, changes.before)):
        for fact in side.facts:
            levels[named[fact]].n += sign
        for fact, told in side.told.items():
            levels[named[fact]].total += sign * float(told.get("confidence", 0))


def _relations(store: Store, undone: Collection[Changes]) -> dict[str, str]:
    """The relation of each fact that changes speak of: of the tables, else the one whose name its id was made of."""
    sides = [side for changes in undone for side in (changes.before, changes.after)]
    wanted = {fact for side in sides for fact in (*side.facts, *side.told)}
    facts = store.storage.dataset(f"{layout.TABLES}/facts")
    ids = pa.array(sorted(wanted), pa.string())
    named: dict[str, str] = {}
    known: set[str] = set()
    for batch in facts.to_batches(columns=["fact_id", "relation"]):
        known.update(values(pc.unique(batch["relation"])))
        chosen = batch.filter(pc.is_in(batch["fact_id"], value_set=ids))
        named.update(zip(values(chosen["fact_id"]), values(chosen["relation"]), strict=True))
    for side in sides:
        for fact, told in side.told.items():
            if fact not in named and "relation" in told:
                named[fact] = _name(fact, told, sorted(known))
    return defaultdict(lambda: "?", named)


def _name(fact: str, told: Mapping[str, str], known: Sequence[str]) -> str:
    tail = (told["tail"], told["datatype"]) if "datatype" in told else (told["tail"],)
    return next((name for name in known if fact_id(told["head"], name, *tail) == fact), told["relation"])
