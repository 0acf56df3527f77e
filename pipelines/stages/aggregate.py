"""Aggregate: entities, facts and evidence, a partition of the hash at a time, from the slices that combine cut.

A partition's fingerprint is that of its slices, so one in which nothing changed keeps its part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgmill.pipelines.engine.request import PartName, Receipt, Request
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.stages.combine import KINDS, buckets, partition_bits, slice_name
from kgmill.pipelines.stages.stage import Parts, Todo, partitions_extent, publisher
from kgmill.schemas.identity import fingerprint
from kgmill.schemas.tables import SCHEMAS
from kgmill.schemas.units import Unit

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

VERSION = 4
_OF_ENTITIES: list[tuple[str, pa.DataType]] = [
    ("entity_id", pa.string()),
    ("type", pa.string()),
    ("n_documents", pa.int64()),
    ("confidence", pa.float64()),
]
_OF_SURFACES: list[tuple[str, pa.DataType]] = [
    ("entity_id", pa.string()),
    ("text", pa.string()),
    ("n_mentions", pa.int64()),
]
_COMBINED = {
    "entities": pa.schema(_OF_ENTITIES),
    "surfaces": pa.schema(_OF_SURFACES),
    "relations": SCHEMAS["relations"],
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The parts that combine made."""

    combined: tuple[PartName, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """A partition to reduce: its name and number, and its part's fingerprint."""

    unit: str
    fingerprint: str
    number: int


def plan(store: Store, combined: Sequence[Part], n_bits: int) -> tuple[list[Part], list[Task]]:
    """The partitions that are there already, and tasks for those whose slices changed."""
    done, tasks = [], []
    for number in range(1 << n_bits):
        names = [f"{slice_name(kind, number)}.parquet" for kind in KINDS]
        slices = [
            [(name, part.files[name]["sha256"]) for name in names if name in part.files]
            for part in sorted(combined, key=lambda part: part.unit)
        ]
        unit, key = str(Unit(n_bits, number)), fingerprint({"version": VERSION, "slices": slices})
        if found := store.find("aggregate", unit, key):
            done.append(found)
        else:
            tasks.append(Task(unit, key, number))
    return done, tasks


def missing(context: RunContext, store: Store, parts: Parts) -> Todo:
    """What aggregate has to do."""
    done, tasks = plan(store, parts["combine"], partition_bits(parts["decode"]))
    settings = Settings(tuple((part.unit, part.fingerprint) for part in parts["combine"]))
    extent = partitions_extent(parts["ingest"], (task.unit for task in tasks))
    return Todo(done, tasks, settings, extent, publisher(store, "aggregate", ["entities", "facts", "evidence"]))


@contextmanager
def work(request: Request[Task, Settings]) -> Iterator[Callable[[Task], Receipt]]:
    """Reduces partitions and commits their parts."""
    store = request.store

    def reduce_partition(task: Task) -> Receipt:
        parts = [store.need("combine", unit, key) for unit, key in request.settings.combined]
        entities, surfaces, relations = (_gather(parts, kind, task.number) for kind in KINDS)
        tables = {"entities": reduce_entities(entities, surfaces)}
        tables["facts"], tables["evidence"] = reduce_facts(relations)
        store.commit("aggregate", task.unit, task.fingerprint, tables, {})
        return Receipt(task.unit, task.fingerprint)

    yield reduce_partition


def _gather(parts: Sequence[Part], kind: str, number: int) -> pa.Table:
    name = slice_name(kind, number)
    slices = [part.read(name).cast(_COMBINED[kind]) for part in parts if f"{name}.parquet" in part.files]
    return pa.concat_tables([_COMBINED[kind].empty_table(), *slices])


def reduce_entities(entities: pa.Table, surfaces: pa.Table) -> pa.Table:
    """Entities in bucket order. The label is the commonest surface form, of equally common ones the smallest."""
    merged = entities.group_by("entity_id").aggregate([("type", "min"), ("n_documents", "sum"), ("confidence", "max")])
    merged = merged.sort_by("entity_id")
    forms = surfaces.group_by(["entity_id", "text"]).aggregate([("n_mentions", "sum")])
    forms = forms.sort_by([("entity_id", "ascending"), ("n_mentions_sum", "descending"), ("text", "ascending")])
    first_E = _starts(forms["entity_id"])
    columns = {
        "entity_id": merged["entity_id"],
        "type": merged["type_min"],
        "label": forms["text"].take(pa.array(first_E)),
        "n_mentions": pa.array(_sums(forms["n_mentions_sum"].to_numpy(), first_E), pa.int64()),
        "n_documents": merged["n_documents_sum"],
        "confidence": merged["confidence_max"],
    }
    return _in_bucket_order(_table("entities", columns), "entity_id")


def reduce_facts(relations: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Facts with their evidence, both in bucket order; a fact's evidence by document and offsets.

    Confidence is the mean of the evidence's: one systematic mistake that many texts invite is not many witnesses.
    """
    order = ("fact_id", "doc_id", "head_begin", "tail_begin", "statement_id")
    found = _in_bucket_order(relations.sort_by([(name, "ascending") for name in order]), "fact_id")
    first_F = _starts(found["fact_id"])
    evidence = found["confidence"].to_numpy().tolist()
    bounds = [*first_F.tolist(), len(evidence)]
    confidences = [round(math.fsum(evidence[begin:end]) / (end - begin), 6) for begin, end in pairwise(bounds)]
    is_first_N = np.zeros(len(evidence), np.int64)
    is_first_N[first_F] = is_first_N[_starts(found["doc_id"])] = 1
    heads = found.take(pa.array(first_F))
    facts = {
        "fact_id": heads["fact_id"],
        "head": heads["head_entity"],
        "relation": heads["type"],
        "tail": heads["tail_entity"],
        "confidence": pa.array(confidences, pa.float64()),
        "n_evidence": pa.array(np.diff(bounds), pa.int64()),
        "n_documents": pa.array(_sums(is_first_N, first_F), pa.int64()),
        "value": heads["value"],
        "datatype": heads["datatype"],
    }
    return _table("facts", facts), _table("evidence", {name: found[name] for name in SCHEMAS["evidence"].names})


def _table(name: str, columns: dict[str, Any]) -> pa.Table:
    return pa.Table.from_arrays([columns[f.name] for f in SCHEMAS[name]], schema=SCHEMAS[name]).combine_chunks()


def _in_bucket_order(table: pa.Table, key: str) -> pa.Table:
    return table.take(np.argsort(buckets(table[key]), kind="stable"))


def _starts(column: pa.ChunkedArray[Any]) -> np.ndarray:
    """The rows at which a value differs from the one before."""
    values = column.combine_chunks()
    if not len(values):
        return np.zeros(0, np.int64)
    differs = pc.not_equal(values[1:], values[:-1]).to_numpy(zero_copy_only=False)
    return np.concatenate(([0], np.flatnonzero(differs) + 1))


def _sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The sums of the runs that begin at `starts`."""
    return np.add.reduceat(values, starts) if len(starts) else np.zeros(0, np.int64)
