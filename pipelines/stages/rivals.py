"""Rivals: the facts of functional relations that contradict one another, and which of them stand.

The facts of one thing lie in many partitions, so they are regrouped twice: by the thing, where it is settled which
stand (`pipelines.conflicts`), and by their own partition, where what became of them is a part, named by its content. An
ontology without such a relation has none.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from kgmill.pipelines.conflicts import Claim, settle
from kgmill.pipelines.engine.beam import beam
from kgmill.pipelines.engine.progress import Extent, Teller
from kgmill.pipelines.engine.request import Receipt, Request
from kgmill.pipelines.engine.shapes import WorkFn, regroup, scattered
from kgmill.pipelines.engine.spills import read_spills, spill
from kgmill.pipelines.facts import FactConfidence
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.stages import aggregate
from kgmill.pipelines.stages.combine import partition_bits
from kgmill.pipelines.stages.names import not_null
from kgmill.pipelines.stages.slices import combined, gather
from kgmill.pipelines.stages.stage import Outcome, Parts, Todo
from kgmill.schemas.identity import fingerprint
from kgmill.schemas.tables import values
from kgmill.schemas.units import Unit

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

VERSION = 1
_CLAIMS = not_null(
    of=pa.string(),  # the thing that can have one value alone
    relation=pa.string(),
    end=pa.string(),  # of the fact, at which the thing is
    fact_id=pa.string(),
    value=pa.string(),
    datatype=pa.string(),
    confidence=pa.float64(),
    n_evidence=pa.int64(),
    n_documents=pa.int64(),
    is_confirmed=pa.bool_(),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What all tasks share.

    Attributes:
        judged: how sure facts are, and what people decided of them.
        functional: relations with the end that has one other end at most (`Ontology.functional`).
        n_bits: partitions are 2 ** n_bits.
    """

    judged: aggregate.Settings
    functional: tuple[tuple[str, str], ...]
    n_bits: int


@dataclass(frozen=True, slots=True)
class Task:
    """A partition whose facts to spill. It has no `unit`, or it would be taken for done when that has its receipt."""

    step: str
    number: int


def missing(context: RunContext, store: Store, parts: Parts) -> Todo:
    """What there is to settle: all, where a relation or a decision is new; or nothing."""
    functional = context.ontology.functional
    if not functional:
        return Todo((), (), None, Extent({}), partial(_publish, store, ""))
    judged = aggregate.settings_of(context, parts)
    made_of = {"version": VERSION, "functional": functional, "combined": judged.combined}
    key = fingerprint({**made_of, **judged.judgement})
    if store.live_key("rivals") == key and store.is_whole("rivals"):
        return Todo(store.live("rivals"), (), None, Extent({}), partial(_publish, store, key))
    n_bits = partition_bits(parts["decode"], context.config.bucket_bits)
    tasks = [Task(f"read-{number:02x}", number) for number in range(1 << n_bits)]
    units = {str(unit): 1.0 for unit in Unit.each(n_bits)}
    n_documents = sum(part.counts["kept"] for part in parts["ingest"])
    extent = Extent(units, {task.step: 1.0 for task in tasks}, n_documents)
    return Todo((), tasks, Settings(judged, functional, n_bits), extent, partial(_publish, store, key))


def _publish(store: Store, key: str, outcome: Outcome) -> Mapping[str, Any]:
    store.publish("rivals", outcome.parts, [], key)
    return {}


def scatter(task: Task, request: Request[Task, Settings]) -> Iterator[tuple[str, str]]:
    """Spills a partition's claims by the thing that they are of; yields (partition, spill)."""
    settings = request.settings
    parts = combined(request.root, settings.judged.combined)
    rows = pa.Table.from_pylist(list(_claims(parts, task.number, settings)), _CLAIMS)
    partitions = [str(Unit.of(thing, settings.n_bits)) for thing in values(rows["of"])]
    yield from spill(rows, partitions, request.shared, f"spills/{uuid.uuid4().hex}.claims")
    Teller(request.scratch, task.step).tell(1.0)


def _claims(parts: Sequence[Part], number: int, settings: Settings) -> Iterator[dict[str, Any]]:
    """The claims of a partition's facts that are stated somewhere and not rejected."""
    wanted = pa.array(sorted({relation for relation, _ in settings.functional}), pa.string())
    rows = gather(parts, number)
    relations = rows["relations"].filter(pc.is_in(rows["relations"]["type"], wanted))
    relations, _ = aggregate.without_rejected(relations, settings.judged)
    if not relations.num_rows:
        return
    judge, confirmed = FactConfidence.parse(settings.judged.facts), frozenset(settings.judged.confirmed)
    least = judge.threshold(settings.judged.wanted_precision)
    facts, _ = aggregate.reduce_facts(relations, rows["pairs"], judge, least, confirmed)
    stated = set(values(relations.filter(pc.equal(relations["stance"], pa.scalar("")))["fact_id"]))
    for fact in facts.to_pylist():
        is_confirmed = fact["fact_id"] in confirmed
        for relation, end in settings.functional:
            if relation == fact["relation"] and fact[end] and (is_confirmed or fact["fact_id"] in stated):
                other = fact["value"] or fact["tail"] if end == "head" else fact["head"]
                kept = {name: fact[name] for name in _CLAIMS.names if name in fact}
                datatype = fact["datatype"] if end == "head" else ""
                yield kept | {
                    "of": fact[end],
                    "end": end,
                    "value": other,
                    "datatype": datatype,
                    "is_confirmed": is_confirmed,
                }


def settle_each(element: tuple[str, Iterable[str]], request: Request[Task, Settings]) -> Iterator[tuple[str, str]]:
    """Settles which of a partition's claims stand; spills those that others contradict by the facts' partitions."""
    rows = read_spills(request.shared, _CLAIMS, element[1], ".claims").to_pylist()
    thing = itemgetter("of", "relation", "end")
    fields = [name for name in _CLAIMS.names if name not in ("of", "relation", "end")]
    found = [
        {"fact_id": fact, "conflict_share": conflict.share, "overruled_by": conflict.overruled_by}
        for _, group in groupby(sorted(rows, key=thing), thing)
        for fact, conflict in sorted(settle(Claim(*(row[name] for name in fields)) for row in group).items())
    ]
    partitions = [str(Unit.of(str(row["fact_id"])[:8], request.settings.n_bits)) for row in found]
    table = pa.Table.from_pylist(found, aggregate.RIVALS)
    yield from spill(table, partitions, request.shared, f"spills/{uuid.uuid4().hex}.settled")


@contextmanager
def work(request: Request[Task, Settings]) -> Iterator[Callable[[tuple[str, Iterable[str]]], Receipt]]:
    """Commits what became of each partition's facts."""
    yield partial(commit, request)


def commit(request: Request[Task, Settings], element: tuple[str, Iterable[str]]) -> Receipt:
    """Commits a partition's part, a row a fact; its name holds the fingerprint of what is in it.

    A fact that is contradicted at both ends has what is worse for it.
    """
    unit, spills = element
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_spills(request.shared, aggregate.RIVALS, spills, ".settled").to_pylist():
        found[row["fact_id"]].append(row)
    rows = [min(found[fact], key=_standing) for fact in sorted(found)]
    key = fingerprint({"version": VERSION, "rows": rows})
    request.store.commit("rivals", unit, key, {"rivals": pa.Table.from_pylist(rows, aggregate.RIVALS)}, {})
    return Receipt(unit, key)


def _standing(row: Mapping[str, Any]) -> tuple[bool, float, str]:
    return not row["overruled_by"], row["conflict_share"], row["overruled_by"]


def build(pipeline: beam.Pipeline, request: Request[Task, Settings]) -> None:
    """The job's graph: spill by thing; settle and spill by partition; commit."""
    partitions = [str(unit) for unit in Unit.each(request.settings.n_bits)]
    shared = replace(request, tasks=())
    read = scattered(pipeline, request, partial(scatter, request=shared))
    settled = regroup("Things", read, partitions) | "Settle" >> beam.FlatMap(settle_each, request=shared)
    regroup("Settled", settled, partitions) | "Commit" >> beam.ParDo(WorkFn(request))
