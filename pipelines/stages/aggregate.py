"""Aggregate: entities, their names, facts and evidence, a partition of the hash at a time, from combine's slices.

A partition's fingerprint is that of its slices, so one in which nothing changed keeps its part.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgmill.pipelines.conflicts import Conflict
from kgmill.pipelines.decided import decided
from kgmill.pipelines.engine.request import PartName, Receipt, Request
from kgmill.pipelines.facts import CERTAIN, FactConfidence, Support
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.resolution.known import is_full_country_name
from kgmill.pipelines.stages.combine import buckets, partition_bits
from kgmill.pipelines.stages.names import not_null
from kgmill.pipelines.stages.slices import combined, gather, hashes_of
from kgmill.pipelines.stages.stage import Parts, Todo, partitions_extent, publisher
from kgmill.schemas.identity import BUCKET_BITS, fingerprint
from kgmill.schemas.name_rules import COUNTRY, SAYING_LESS
from kgmill.schemas.tables import SCHEMAS, described, values
from kgmill.schemas.units import Unit

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

VERSION = 9
# The facts that others contradict, as `pipelines.conflicts` has settled it.
RIVALS = not_null(fact_id=pa.string(), conflict_share=pa.float64(), overruled_by=pa.string())
SHOWN = ("names", "evidence")  # the tables that are published as they are; of the others `stages.labels` makes more
_IN_ORDER = re.compile(r"\d{4}")  # dates that begin so are in order as they stand


@dataclass(frozen=True, slots=True)
class Settings:
    """What all tasks share.

    Attributes:
        combined: the parts that combine made.
        facts: how sure facts are (`pipelines.facts.FactConfidence`), as calibration.json has it.
        wanted_precision: of the facts that are asserted.
        rejected, confirmed: the ids of facts that people say are wrong, or right.
        bucket_bits: entities and facts are ordered by 2 ** bucket_bits buckets.
    """

    combined: tuple[PartName, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    wanted_precision: float = 0.8
    rejected: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()
    bucket_bits: int = BUCKET_BITS

    @property
    def judgement(self) -> dict[str, Any]:
        """What decides, beside the slices, what becomes of facts."""
        named = {"rejected": self.rejected, "confirmed": self.confirmed}
        return {"facts": dict(self.facts), "wanted_precision": self.wanted_precision, **named}


@dataclass(frozen=True, slots=True)
class Task:
    """A partition to reduce: its name and number, its part's fingerprint, and that of its rivals; none: it has none."""

    unit: str
    fingerprint: str
    number: int
    rivals: str = ""


def plan(
    store: Store, groups: Sequence[Part], n_bits: int, settings: Settings, rivals: Sequence[Part] = ()
) -> tuple[list[Part], list[Task]]:
    """The partitions that are there already, and tasks for those whose slices, rivals or settings changed."""
    order = {"bucket_bits": settings.bucket_bits} if settings.bucket_bits != BUCKET_BITS else {}
    done, tasks = [], []
    contradicted = {part.unit: part.fingerprint for part in rivals if part.rows("rivals")}
    in_order = sorted(groups, key=lambda part: part.unit)
    for number, slices in enumerate(hashes_of(in_order, n_bits)):
        unit = str(Unit(n_bits, number))
        made_of = {"version": VERSION, "slices": slices, "rivals": contradicted.get(unit, "")}
        key = fingerprint({**made_of, **settings.judgement, **order})
        if found := store.find("aggregate", unit, key):
            done.append(found)
        else:
            tasks.append(Task(unit, key, number, contradicted.get(unit, "")))
    return done, tasks


def settings_of(context: RunContext, parts: Parts) -> Settings:
    """What decides what becomes of the facts of combined parts."""
    combined = tuple((part.unit, part.fingerprint) for part in parts["combine"])
    people = decided(context, parts["resolve"])
    judged = context.calibration.get("facts", {}), context.config.wanted_precision
    return Settings(combined, *judged, people.rejected, people.confirmed, context.config.bucket_bits)


def missing(context: RunContext, store: Store, parts: Parts) -> Todo:
    """What aggregate has to do."""
    settings = settings_of(context, parts)
    n_bits = partition_bits(parts["decode"], settings.bucket_bits)
    done, tasks = plan(store, parts["combine"], n_bits, settings, parts["rivals"])
    extent = partitions_extent(parts["ingest"], (task.unit for task in tasks))
    return Todo(done, tasks, settings, extent, publisher(store, "aggregate", SHOWN))


@contextmanager
def work(request: Request[Task, Settings]) -> Iterator[Callable[[Task], Receipt]]:
    """Reduces partitions and commits their parts."""
    store, settings = request.store, request.settings
    judge = FactConfidence.parse(settings.facts)
    least, confirmed = judge.threshold(settings.wanted_precision), frozenset(settings.confirmed)

    def reduce_partition(task: Task) -> Receipt:
        rows = gather(combined(request.root, settings.combined), task.number)
        tables = {}
        tables["entities"], tables["names"] = reduce_entities(rows["entities"], rows["surfaces"], settings.bucket_bits)
        relations, n_rejected = without_rejected(rows["relations"], settings)
        conflicts = _conflicts(store, task)
        how = (judge, least, confirmed, conflicts, settings.bucket_bits)
        tables["facts"], tables["evidence"] = reduce_facts(relations, rows["pairs"], *how)
        n_confirmed = len(confirmed.intersection(values(relations["fact_id"])))
        n_overruled = sum(bool(conflict.overruled_by) for conflict in conflicts.values())
        left_out = {"facts.rejected": n_rejected, "facts.overruled": n_overruled}
        counts = {"left_out": {rule: n for rule, n in left_out.items() if n}, "decided": n_rejected + n_confirmed}
        for name in SHOWN:
            tables[name] = described(name, tables[name], f"aggregate {VERSION}")
        store.commit("aggregate", task.unit, task.fingerprint, tables, counts)
        return Receipt(task.unit, task.fingerprint)

    yield reduce_partition


def _conflicts(store: Store, task: Task) -> dict[str, Conflict]:
    """What became of the facts of a partition that others contradict."""
    rows = store.need("rivals", task.unit, task.rivals).read("rivals").to_pylist() if task.rivals else []
    return {row["fact_id"]: Conflict(row["conflict_share"], row["overruled_by"]) for row in rows}


def without_rejected(relations: pa.Table, settings: Settings) -> tuple[pa.Table, int]:
    """The relations whose facts people have not rejected; and how many facts they have."""
    is_wrong = pc.is_in(relations["fact_id"], pa.array(settings.rejected, pa.string()))
    return relations.filter(pc.invert(is_wrong)), len(pc.unique(relations["fact_id"].filter(is_wrong)))


def reduce_entities(
    entities: pa.Table, surfaces: pa.Table, bucket_bits: int = BUCKET_BITS
) -> tuple[pa.Table, pa.Table]:
    """Entities and their names, in bucket order; an entity's names the commonest first.

    The label is the commonest name, of equally common ones the smallest; those that are short for others, or in
    capitals alone, come last. Of a country's names the usual full one is, wherever it is said: not America, however
    common.
    """
    merged = entities.group_by("entity_id").aggregate([("type", "min"), ("n_documents", "sum"), ("confidence", "max")])
    merged = merged.sort_by("entity_id")
    forms = surfaces.group_by(["entity_id", "name", "rule"]).aggregate([("n_mentions", "sum")])
    forms = forms.rename_columns([*forms.column_names[:3], "n_mentions"])
    is_short = [
        rule in SAYING_LESS or name.isupper()
        for name, rule in zip(values(forms["name"]), values(forms["rule"]), strict=True)
    ]
    order: list[tuple[str, Literal["ascending", "descending"]]] = [
        ("entity_id", "ascending"),
        ("short", "ascending"),
        ("n_mentions", "descending"),
    ]
    forms = forms.append_column("short", pa.array(is_short, pa.bool_()))
    labels = forms.group_by(["entity_id", "name"]).aggregate([("n_mentions", "sum"), ("short", "min")])
    labels = labels.rename_columns(["entity_id", "name", "n_mentions", "short"])
    labels = labels.append_column("other", pa.array(_is_other(labels, forms), pa.bool_()))
    labels = labels.sort_by([order[0], ("other", "ascending"), *order[1:], ("name", "ascending")])
    first_E = _starts(labels["entity_id"])
    columns = {
        "entity_id": merged["entity_id"],
        "type": merged["type_min"],
        "label": labels["name"].take(pa.array(first_E)),
        "n_mentions": pa.array(_sums(labels["n_mentions"].to_numpy(), first_E), pa.int64()),
        "n_documents": merged["n_documents_sum"],
        "confidence": merged["confidence_max"],
    }
    names = forms.sort_by([*order, ("name", "ascending"), ("rule", "ascending")])
    names = _table("names", {name: names[name] for name in SCHEMAS["names"].names})
    told = _table("entities", columns)
    return _in_bucket_order(told, "entity_id", bucket_bits), _in_bucket_order(names, "entity_id", bucket_bits)


def _is_other(labels: pa.Table, forms: pa.Table) -> list[bool]:
    """For each name of an entity whether it is no country's usual full name; of what is no country all are."""
    countries = set(values(forms.filter(pc.equal(forms["rule"], pa.scalar(COUNTRY)))["entity_id"]))
    return [
        entity not in countries or not is_full_country_name(name)
        for entity, name in zip(values(labels["entity_id"]), values(labels["name"]), strict=True)
    ]


def reduce_facts(
    relations: pa.Table,
    pairs: pa.Table,
    judge: FactConfidence,
    least: float,
    confirmed: frozenset[str] = frozenset(),
    conflicts: Mapping[str, Conflict] = {},
    bucket_bits: int = BUCKET_BITS,
) -> tuple[pa.Table, pa.Table]:
    """Facts with their evidence, both in bucket order; a fact's evidence by document and offsets, one a sentence.

    What people have confirmed is certain; what a stronger fact contradicts (`conflicts`, by fact) is not asserted.
    Where another fact is stated somewhere, only those sentences say how sure it is; where it is only denied or
    supposed, all do, and it is not asserted.
    """
    together: Counter[str] = Counter(values(pairs.group_by(["pair", "text_key"]).aggregate([])["pair"]))
    order = ("fact_id", "doc_id", "head_begin", "tail_begin", "statement_id")
    rows_in_order = relations.sort_by([(name, "ascending") for name in order])
    found = _in_bucket_order(rows_in_order, "fact_id", bucket_bits).to_pylist()
    facts, evidence = [], []
    for _, group in groupby(found, itemgetter("fact_id")):
        rows = _one_a_sentence(group)
        fact = _fact(rows, together, judge, least)
        if fact["fact_id"] in confirmed:
            fact |= {"confidence": CERTAIN, "asserted": True}
        if conflict := conflicts.get(fact["fact_id"]):
            fact |= {"conflict_share": conflict.share, "overruled_by": conflict.overruled_by}
            fact["asserted"] &= not conflict.overruled_by
        facts.append(fact)
        evidence += rows
    kept = [{name: row[name] for name in SCHEMAS["evidence"].names} for row in evidence]
    return pa.Table.from_pylist(facts, SCHEMAS["facts"]), pa.Table.from_pylist(kept, SCHEMAS["evidence"])


def _one_a_sentence(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The surest row of each sentence or run of them, one that states the fact before others; in their order."""
    best: dict[tuple[str, int, int], dict[str, Any]] = {}
    for row in rows:
        key = (row["doc_id"], row["sentence_begin"], row["sentence_end"])
        best[key] = max(best.get(key, row), row, key=lambda r: (not r["stance"], r["confidence"]))
    return list(best.values())


def _fact(
    rows: Sequence[Mapping[str, Any]], together: Mapping[str, int], judge: FactConfidence, least: float
) -> dict[str, Any]:
    head, stated = rows[0], [row for row in rows if not row["stance"]]
    support = Support.of(rows, together.get(head["fact_id"][:8], 0))
    confidence = judge.confidence(head["type"], support)
    dates = sorted(row["date"] for row in stated or rows if _IN_ORDER.match(row["date"]))
    return {
        "fact_id": head["fact_id"],
        "head": head["head_entity"],
        "relation": head["type"],
        "tail": head["tail_entity"],
        "confidence": confidence,
        "n_evidence": len(support.confidences),
        "n_documents": len({row["doc_id"] for row in stated or rows}),
        "value": head["value"],
        "datatype": head["datatype"],
        "share": round(support.share, 6),
        "first": dates[0] if dates else "",
        "last": dates[-1] if dates else "",
        "asserted": bool(stated) and confidence >= least,
        "conflict_share": 1.0,
        "overruled_by": "",
    }


def _table(name: str, columns: dict[str, Any]) -> pa.Table:
    return pa.Table.from_arrays([columns[f.name] for f in SCHEMAS[name]], schema=SCHEMAS[name]).combine_chunks()


def _in_bucket_order(table: pa.Table, key: str, bucket_bits: int) -> pa.Table:
    return table.take(np.argsort(buckets(table[key], key, bucket_bits), kind="stable"))


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
