"""Labels: the tables of entities and facts as people read them, with labels, types, days and IRIs, without a join.

The ends of a fact lie in other partitions than the fact. So they are regrouped twice: the ends that a partition's facts
have, and the labels of its entities, by entity, where the one gets the other; and these, by the partition of the facts.
What a partition is made of is in its part's name: one whose rows and whose labels are what they were keeps its part.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from kgmill.pipelines.engine.beam import beam
from kgmill.pipelines.engine.progress import Extent, Teller
from kgmill.pipelines.engine.request import PartName, Receipt, Request
from kgmill.pipelines.engine.shapes import WorkFn, regroup, scattered
from kgmill.pipelines.engine.spills import read_spills, spill
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.stages.export import Names
from kgmill.pipelines.stages.names import not_null
from kgmill.pipelines.stages.stage import Outcome, Parts, Todo
from kgmill.schemas.identity import fingerprint
from kgmill.schemas.literals import day_of
from kgmill.schemas.ontology import Ontology
from kgmill.schemas.tables import conform, described, values

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

VERSION = 1
TABLES = ("entities", "facts")
_ENDS = not_null(entity_id=pa.string(), unit=pa.string())  # what the facts of a partition are about
_LABELS = not_null(entity_id=pa.string(), label=pa.string(), type=pa.string())
_OF_UNIT = pa.schema([*_LABELS, _ENDS.field("unit")])


@dataclass(frozen=True, slots=True)
class Settings:
    """What all tasks share: what things are called, and the parts of entities and facts."""

    names: Names
    aggregated: tuple[PartName, ...]

    @property
    def made_of(self) -> dict[str, str]:
        """What decides, beside the rows, what is in the tables, and is said in their files."""
        names = self.names
        return {"dataset": names.dataset, "base_iri": names.base_iri, "model": names.model, "run": names.run_key}


@dataclass(frozen=True, slots=True)
class Task:
    """A partition whose ends to spill. It has no `unit`, or it would be taken for done when that has its receipt."""

    step: str
    source: str
    fingerprint: str


def missing(context: RunContext, store: Store, parts: Parts) -> Todo:
    """What labels has to do: all, where a partition or a name is new, or nothing."""
    aggregated = tuple((part.unit, part.fingerprint) for part in parts["aggregate"])
    settings = Settings(context.names, aggregated)
    key = fingerprint({"version": VERSION, "aggregated": aggregated, "names": _naming(settings)})
    publish = partial(_publish, store, key)
    if store.live_key("labels") == key and store.is_whole("labels"):
        return Todo(store.live("labels"), (), None, Extent({}), publish)
    tasks = [Task(f"read-{unit}", unit, key_of_part) for unit, key_of_part in aggregated]
    units = {unit: 1.0 for unit, _ in aggregated}
    n_documents = sum(part.counts["kept"] for part in parts["ingest"])
    return Todo((), tasks, settings, Extent(units, {task.step: 1.0 for task in tasks}, n_documents), publish)


def _naming(settings: Settings) -> dict[str, Any]:
    return settings.names.naming | settings.made_of


def _publish(store: Store, key: str, outcome: Outcome) -> Mapping[str, Any]:
    store.publish("labels", outcome.parts, TABLES, key)
    return {}


def scatter(task: Task, request: Request[Task, Settings]) -> Iterator[tuple[str, str]]:
    """Spills the ends of a partition's facts, and its entities' labels, by entity; yields (partition, spill)."""
    part = request.store.need("aggregate", task.source, task.fingerprint)
    facts = part.read("facts", ["head", "tail"])
    ends = pc.unique(pa.chunked_array([*facts["head"].chunks, *facts["tail"].chunks], pa.string()))
    ends = ends.filter(pc.not_equal(ends, pa.scalar("")))
    wanted = pa.Table.from_arrays([ends, pa.array([task.source] * len(ends), pa.string())], schema=_ENDS)
    labels = part.read("entities", _LABELS.names).cast(_LABELS)
    for kind, rows in (("ends", wanted), ("known", labels)):
        partitions = _partitions(values(rows["entity_id"]), request.settings)
        yield from spill(rows, partitions, request.shared, f"spills/{uuid.uuid4().hex}.{kind}")
    Teller(request.scratch, task.step).tell(1.0)


def _partitions(ids: Iterable[str], settings: Settings) -> list[str]:
    """Where entities meet their labels. Not their own partitions: that hash takes longer than all else here."""
    units = [unit for unit, _ in settings.aggregated]
    return [units[zlib.crc32(entity.encode()) % len(units)] for entity in ids]


def call(element: tuple[str, Iterable[str]], request: Request[Task, Settings]) -> Iterator[tuple[str, str]]:
    """Spills the labels of entities by the facts' partitions that asked for them."""
    spills = list(element[1])
    shared = request.shared
    rows, entities = read_spills(shared, _ENDS, spills, ".ends"), read_spills(shared, _LABELS, spills, ".known")
    found = entities.take(pc.index_in(rows["entity_id"], entities["entity_id"].combine_chunks()))
    found = found.append_column("unit", rows["unit"])
    found = found.filter(pc.is_valid(found["entity_id"])).cast(_OF_UNIT)
    yield from spill(found, values(found["unit"]), shared, f"spills/{uuid.uuid4().hex}.labels")


@contextmanager
def work(request: Request[Task, Settings]) -> Iterator[Callable[[tuple[str, Iterable[str]]], Receipt]]:
    """Commits each partition's tables."""
    yield partial(commit, request)


def commit(request: Request[Task, Settings], element: tuple[str, Iterable[str]]) -> Receipt:
    """Commits a partition's tables, unless they are there with the same rows and labels."""
    unit, spills = element
    settings, store = request.settings, request.store
    part = store.need("aggregate", unit, dict(settings.aggregated)[unit])
    labels = (
        read_spills(request.shared, _OF_UNIT, spills, ".labels")
        .select(_LABELS.names)
        .sort_by("entity_id")
        .combine_chunks()
    )
    made_of = {"aggregated": part.fingerprint, "labels": labels.to_pydict(), "names": _naming(settings)}
    key = fingerprint({"version": VERSION, **made_of})
    if not store.find("labels", unit, key):
        rows = {name: conform(name, part.read(name)) for name in ("entities", "names", "facts")}
        ns = settings.names.namespace
        tables = {
            "entities": tell_entities(rows["entities"], rows["names"], ns),
            "facts": tell_facts(rows["facts"], labels, ns),
        }
        by = f"labels {VERSION}"
        tables = {name: described(name, table, by, **settings.made_of) for name, table in tables.items()}
        store.commit("labels", unit, key, tables, {})
    return Receipt(unit, key)


def tell_entities(entities: pa.Table, names: pa.Table, ns: Namespace) -> pa.Table:
    """Entities, with their other names, in the order of `names`, and their IRIs."""
    rows = zip(values(names["entity_id"]), values(names["name"]), strict=True)
    called = {key: [name for _, name in group] for key, group in groupby(rows, lambda row: row[0])}
    pairs = zip(values(entities["entity_id"]), values(entities["label"]), strict=True)
    aliases = [[name for name in dict.fromkeys(called.get(key, ())) if name != label] for key, label in pairs]
    return _with(
        entities,
        aliases=pa.array(aliases, pa.list_(pa.string())),
        iri=pa.array(map(ns.entity, values(entities["entity_id"])), pa.string()),
    )


def tell_facts(facts: pa.Table, labels: pa.Table, ns: Namespace) -> pa.Table:
    """Facts, with what their ends are called, the relation's IRI, and the days of what are whole days.

    Args:
        facts: in their order.
        labels: of all entities that are ends of them.
        ns: the dataset's names.
    """
    relations, texts, datatypes = (values(facts[name]) for name in ("relation", "value", "datatype"))
    is_value = pc.not_equal(facts["datatype"], pa.scalar(""))
    kinds = {name: _value_type(ns.ontology, name) for name in set(relations)}
    of_value = pa.array([kinds[name] for name in relations], pa.string())
    head, tail = (_called(facts[end], labels) for end in ("head", "tail"))
    iris = {name: ns.property_iri(name) for name in set(relations)}
    return _with(
        facts,
        head_label=head["label"],
        head_type=head["type"],
        tail_label=pc.if_else(is_value, facts["value"], tail["label"]),
        tail_type=pc.if_else(is_value, of_value, tail["type"]),
        relation_iri=pa.array([iris[name] for name in relations], pa.string()),
        value_day=_days(text if kind.endswith("#date") else "" for text, kind in zip(texts, datatypes, strict=True)),
        first_day=_days(values(facts["first"])),
        last_day=_days(values(facts["last"])),
    )


def _value_type(ontology: Ontology, relation: str) -> str:
    """The type of the values that facts of a relation end in; empty where they end in entities."""
    return next((name for name in ontology.relations[relation].tail if ontology.entities[name].literal), "")


def _called(ends: pa.ChunkedArray[Any], labels: pa.Table) -> dict[str, pa.ChunkedArray[Any]]:
    """The label and the type of each end; empty where it is no entity."""
    rows = pc.index_in(ends, labels["entity_id"].combine_chunks())
    empty: Any = pa.scalar("")
    return {name: pc.coalesce(labels[name].take(rows), empty) for name in ("label", "type")}


def _days(texts: Iterable[str]) -> pa.Array[Any]:
    return pa.array(map(day_of, texts), pa.date32())


def _with(table: pa.Table, **columns: Any) -> pa.Table:
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table


def build(pipeline: beam.Pipeline, request: Request[Task, Settings]) -> None:
    """The job's graph: spill ends by entity; label them and spill by fact; commit."""
    units = [unit for unit, _ in request.settings.aggregated]
    shared = replace(request, tasks=())
    read = scattered(pipeline, request, partial(scatter, request=shared))
    called = regroup("Ends", read, units) | "Call" >> beam.FlatMap(call, request=shared)
    regroup("Called", called, units) | "Commit" >> beam.ParDo(WorkFn(request))
