"""Resolve: the names of all documents to entities, in three regroupings; what each unit needs of it is its part.

The rows of units are spilled by name: all documents together say of what type a name is, and what an acronym means.
Names are spilled by block (`pipelines.resolution.clusters`): a block's entities are found. What became of each name is
spilled by unit, and committed: a unit whose names mean what they meant keeps its part, and so all that is made of it.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kgmill.pipelines.engine.beam import beam
from kgmill.pipelines.engine.progress import Extent, Teller
from kgmill.pipelines.engine.request import Receipt, Request
from kgmill.pipelines.engine.shapes import WorkFn, regroup, scattered
from kgmill.pipelines.engine.spills import read_spills, spill
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.resolution.clusters import CorpusName, Resolved, block, resolve_block
from kgmill.pipelines.resolution.forms import company_words
from kgmill.pipelines.resolution.known import organisation_of
from kgmill.pipelines.resolution.types import Votes, consensus
from kgmill.pipelines.stages.names import DEFINITIONS, NAMES, commonest, not_null
from kgmill.pipelines.stages.stage import Outcome, Parts, Todo
from kgmill.schemas.identity import digest, entity_id, entity_key, fingerprint
from kgmill.schemas.name_rules import ACRONYM, ALIAS, DECISION, EACH_DOCUMENT, HOMONYM, PINNED
from kgmill.schemas.tables import values
from kgmill.schemas.units import Unit

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

VERSION = 8
_MAX_BITS = 16
_NAMES_A_PARTITION = 50_000
_NUMBER = re.compile(r"(?<=[0-9a-f]{16}-)[0-9]+$")  # of an entity's id
_SURE = 2 / 3  # of the documents that explain an acronym: the share that has to say what it stands for

RESOLVED = not_null(
    key=pa.string(),
    column=pa.int64(),  # of the type that documents have the name of
    chosen=pa.int64(),  # of the type that all documents have it of
    entity_id=pa.string(),  # empty where it is another one in each document
    place_id=pa.string(),  # the entity of which facts speak; mostly the same
    rule=pa.string(),
)
_OF_UNIT: pa.Field[Any] = pa.field("unit", pa.string(), nullable=False)
_BY_NAME = pa.schema([*NAMES, _OF_UNIT])
_BY_BLOCK = not_null(
    key=pa.string(),
    column=pa.int64(),
    name=pa.string(),
    n_documents=pa.int64(),
    target=pa.string(),
    rule=pa.string(),
    number=pa.int64(),  # among the types of this name, the commonest first
    pin=pa.string(),  # the id that an earlier build gave what has this name
    pin_weight=pa.int64(),
    units=pa.list_(pa.string()),  # where it is used, each with
    columns=pa.list_(pa.int64()),  # the type that documents there have it of
)
_BY_UNIT = pa.schema([*RESOLVED, _OF_UNIT])


PINS = not_null(
    key=pa.string(),
    entity_id=pa.string(),
    n_mentions=pa.int64(),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What all tasks share.

    Attributes:
        kinds: of each entity type (`Ontology.kinds`).
        units: all units of documents.
        n_bits: partitions of names and of blocks are 2 ** n_bits.
        targets: what people say that names stand for, by key (`schemas.decisions`).
        separate: the keys of names that people say are not one.
    """

    kinds: tuple[str, ...]
    units: tuple[str, ...]
    n_bits: int
    targets: Mapping[str, str] = field(default_factory=dict)
    separate: tuple[tuple[str, ...], ...] = ()

    def is_apart(self, one: str, other: str) -> bool:
        """Whether people say that two names, by their keys, are not one."""
        return any(one in keys and other in keys for keys in self.separate)


@dataclass(frozen=True, slots=True)
class Task:
    """The names of a unit to spill; or, where `pins` names a file, the names of an earlier build.

    Attributes:
        step: the task's name.
        source: the unit of the names. (A task with a `unit` would be taken for done when the unit has its receipt.)
        fingerprint: of their part, or the file's SHA-256.
    """

    step: str
    source: str
    fingerprint: str
    n_names: int
    pins: str = ""


def partition_bits(n_names: int) -> int:
    """How many bits of the hash make partitions of about 50,000 rows of names."""
    n_partitions = max(1, -(-n_names // _NAMES_A_PARTITION))
    return min(_MAX_BITS, (n_partitions - 1).bit_length())


def missing(context: RunContext, store: Store, parts: Parts) -> Todo:
    """What resolve has to do: all, where a name or a decision anywhere is new, or nothing."""
    named, decisions = parts["names"], context.decisions
    names = [(part.unit, part.fingerprint) for part in named]
    decided = {"targets": decisions.targets, "separate": decisions.separate, "pins": [sha for _, sha in context.pins]}
    key = fingerprint({"version": VERSION, "kinds": context.ontology.kinds, "names": names, **decided})
    if store.live_key("resolve") == key and store.is_whole("resolve"):
        return Todo(store.live("resolve"), (), None, Extent({}), partial(_publish, store, key))
    tasks = [Task(f"read-{part.unit}", part.unit, part.fingerprint, part.rows("names")) for part in named]
    n_bits = partition_bits(sum(task.n_names for task in tasks))
    units = tuple(unit for unit, _ in names)
    settings = Settings(context.ontology.kinds, units, n_bits, decisions.targets, decisions.separate)
    tasks += [Task(f"pins-{i}", "", sha, 1, file) for i, (file, sha) in enumerate(context.pins)]
    steps = {task.step: 1.0 + task.n_names for task in tasks}
    extent = Extent(dict.fromkeys(units, 1.0), steps, sum(part.counts["kept"] for part in parts["ingest"]))
    return Todo((), tasks, settings, extent, partial(_publish, store, key))


def _publish(store: Store, key: str, outcome: Outcome) -> Mapping[str, Any]:
    store.publish("resolve", outcome.parts, [], key)
    return {}


def scatter(task: Task, request: Request[Task, Settings]) -> Iterator[tuple[str, str]]:
    """Spills a unit's names and definitions by name; yields (partition, spill)."""
    teller = Teller(request.scratch, task.step)
    for kind, rows in _rows(task, request):
        partitions = [str(Unit.of(key, request.settings.n_bits)) for key in values(rows["key"])]
        yield from spill(rows, partitions, request.shared, f"spills/{uuid.uuid4().hex}.{kind}")
    teller.tell(1.0)


def _rows(task: Task, request: Request[Task, Settings]) -> Iterator[tuple[str, pa.Table]]:
    """What a task spills, by kind."""
    if task.pins:
        yield "pins", _pins(pq.read_table(task.pins))
        return
    part = request.store.need("names", task.source, task.fingerprint)
    names = part.read("names")
    yield "names", names.append_column(_OF_UNIT, pa.array([task.source] * names.num_rows, pa.string()))
    yield "definitions", part.read("definitions")


def _pins(names: pa.Table) -> pa.Table:
    """The names that entities of an earlier build had of their own, not for short in one document."""
    rows = [
        {"key": entity_key(row["name"]), "entity_id": row["entity_id"], "n_mentions": row["n_mentions"]}
        for row in names.to_pylist()
        if row["rule"] in PINNED
    ]
    return pa.Table.from_pylist(rows, PINS)


def agree(element: tuple[str, Iterable[str]], request: Request[Task, Settings]) -> Iterator[tuple[str, str]]:
    """Finds the types of a partition's names, and what they stand for; spills them by block."""
    spills, settings, shared = list(element[1]), request.settings, request.shared
    rows = read_spills(shared, _BY_NAME, spills, ".names").to_pylist()
    rows.sort(key=itemgetter("key", "column", "unit"))
    definitions: dict[str, Counter[str]] = defaultdict(Counter)
    for row in read_spills(shared, DEFINITIONS, spills, ".definitions").to_pylist():
        definitions[row["key"]][row["name"]] += row["n_documents"]
    pins: dict[str, Counter[str]] = defaultdict(Counter)
    for row in read_spills(shared, PINS, spills, ".pins").to_pylist():
        pins[row["key"]][row["entity_id"]] += row["n_mentions"]
    found = [
        row
        for key, group in groupby(rows, itemgetter("key"))
        for row in agree_on(key, list(group), definitions.get(key, {}), settings, pins.get(key, {}))
    ]
    blocks = [block(row["target"] or row["name"], settings.kinds[row["column"]]) for row in found]
    partitions = [str(Unit.of(digest(name), settings.n_bits)) for name in blocks]
    yield from spill(
        pa.Table.from_pylist(found, _BY_BLOCK), partitions, request.shared, f"spills/{uuid.uuid4().hex}.blocks"
    )


def agree_on(
    key: str,
    rows: Sequence[Mapping[str, Any]],
    definitions: Mapping[str, int],
    settings: Settings,
    pins: Mapping[str, int],
) -> Iterator[dict[str, Any]]:
    """The rows of `_BY_BLOCK` of one name, a type each.

    Args:
        key: the name's.
        rows: of `_BY_NAME`.
        definitions: in how many documents it is explained as what.
        settings: of the job.
        pins: the ids that an earlier build gave what has this name, and how often it was meant.
    """
    votes = [Votes(row["column"], row["n_documents"], np.array(row["votes"])) for row in rows]
    chosen, kept = consensus(votes)
    forms: Counter[str] = Counter()
    for row in rows:
        forms[row["name"]] += row["n_documents"]
    name = commonest(forms)
    target, rule = _stands_for(name, definitions)
    if key in settings.targets:
        target, rule = settings.targets[key], DECISION
    if rule == ALIAS:
        chosen, kept = _as_organisation(chosen, kept, votes, settings.kinds)
    pinned = {
        int(found[0]) if (found := _NUMBER.findall(pin)) else 1: pin for pin in sorted(pins, key=lambda p: (pins[p], p))
    }
    for number, column in enumerate(kept, 1):
        mine = [row for row in rows if chosen[row["column"]] == column]
        is_known = bool(target) and (rule == DECISION or settings.kinds[column] != "person")
        yield {
            "key": key,
            "column": column,
            "name": name,
            "n_documents": sum(row["n_documents"] for row in mine),
            "target": target if is_known else "",
            "rule": rule if is_known else "",
            "number": number,
            "pin": pinned.get(number, ""),
            "pin_weight": pins.get(pinned.get(number, ""), 0),
            "units": [row["unit"] for row in mine],
            "columns": [row["column"] for row in mine],
        }


def _as_organisation(
    chosen: Mapping[int, int], kept: Sequence[int], votes: Sequence[Votes], kinds: Sequence[str]
) -> tuple[dict[int, int], list[int]]:
    """A consensus of a name that all the world knows for an organisation's: whatever is no person is that."""
    organisations = [column for column, kind in enumerate(kinds) if kind == "organization"]
    if not organisations:
        return dict(chosen), list(kept)
    total = np.sum([one.votes for one in votes], axis=0)
    best = max(organisations, key=lambda column: (total[column], -column))
    is_one = {column: column if kinds[column] == "person" else best for column in kept}
    return {column: is_one[one] for column, one in chosen.items()}, list(dict.fromkeys(is_one.values()))


def _stands_for(name: str, definitions: Mapping[str, int]) -> tuple[str, str]:
    """What documents say that a name stands for, if they agree, or all the world knows; and the rule."""
    longs: Counter[tuple[str, ...]] = Counter()
    for long, n_documents in definitions.items():
        longs[company_words(long)] += n_documents
    if longs:
        top = max(longs, key=lambda words: (longs[words], words))
        if longs[top] >= _SURE * longs.total():
            return min(long for long in definitions if company_words(long) == top), ACRONYM
    known = organisation_of(name)
    return known, ALIAS if known else ""


def cluster(element: tuple[str, Iterable[str]], request: Request[Task, Settings]) -> Iterator[tuple[str, str]]:
    """Finds the entities of a partition's blocks; spills what became of each name by unit."""
    settings = request.settings
    rows = read_spills(request.shared, _BY_BLOCK, element[1], ".blocks").to_pylist()
    blocks: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        blocks[block(row["target"] or row["name"], settings.kinds[row["column"]])].append(row)
    found = [resolved for name in sorted(blocks) for resolved in _resolve(blocks[name], settings)]
    units = [row["unit"] for row in found]
    rows_of_unit = pa.Table.from_pylist(found, _BY_UNIT)
    yield from spill(rows_of_unit, units, request.shared, f"spills/{uuid.uuid4().hex}.resolved")


def _resolve(rows: Sequence[Mapping[str, Any]], settings: Settings) -> Iterator[dict[str, Any]]:
    fields = ("key", "name", "column", "n_documents", "target", "rule")
    names = [CorpusName(**{name: row[name] for name in fields}) for row in rows]
    resolved = resolve_block(names, settings.kinds, settings.is_apart)
    ids = _ids(rows, resolved)
    for row in rows:
        found = resolved[row["key"], row["column"]]
        is_one = found.rule != EACH_DOCUMENT
        entity = ids[found.entity, row["column"]] if is_one else ""
        place = ids.get((found.place, row["column"]), entity) if is_one else ""
        rule = HOMONYM if is_one and row["number"] > 1 else found.rule
        for unit, column in zip(row["units"], row["columns"], strict=True):
            yield {
                "key": row["key"],
                "column": column,
                "chosen": row["column"],
                "entity_id": entity,
                "place_id": place,
                "rule": rule,
                "unit": unit,
            }


def _ids(rows: Sequence[Mapping[str, Any]], resolved: Mapping[tuple[str, int], Resolved]) -> dict[tuple[str, int], str]:
    """The id of each entity of a block, by the key and type that it is known by.

    An id of an earlier build goes to the entity whose name it was given for most often; what has none gets that of its
    own name.
    """
    numbers = {(row["key"], row["column"]): row["number"] for row in rows}
    wanted: dict[tuple[str, int], tuple[int, str]] = {}
    best: dict[str, tuple[int, str, int]] = {}
    for row in rows:
        if row["pin"]:
            entity = resolved[row["key"], row["column"]].entity
            best[row["pin"]] = max(best.get(row["pin"], (0, "", 0)), (row["pin_weight"], entity, row["column"]))
    for pin, (weight, entity, column) in best.items():
        wanted[entity, column] = max(wanted.get((entity, column), (0, "")), (weight, pin))
    entities = {(found.entity, column) for (_, column), found in resolved.items()}
    return {
        (key, column): wanted.get((key, column), (0, ""))[1] or entity_id(key, numbers[key, column])
        for key, column in sorted(entities)
    }


@contextmanager
def work(request: Request[Task, Settings]) -> Iterator[Callable[[tuple[str, Iterable[str]]], Receipt]]:
    """Commits what became of each unit's names."""
    yield partial(commit, request)


def commit(request: Request[Task, Settings], element: tuple[str, Iterable[str]]) -> Receipt:
    """Commits a unit's part; its name holds the fingerprint of what is in it."""
    unit, spills = element
    found = read_spills(request.shared, _BY_UNIT, spills, ".resolved").select(RESOLVED.names)
    found = found.sort_by([("key", "ascending"), ("column", "ascending")]).combine_chunks()
    key = fingerprint({"version": VERSION, "rows": found.to_pydict()})
    request.store.commit("resolve", unit, key, {"resolved": found}, {})
    return Receipt(unit, key)


def build(pipeline: beam.Pipeline, request: Request[Task, Settings]) -> None:
    """The job's graph: spill by name; agree on types and spill by block; find entities and spill by unit; commit."""
    settings = request.settings
    partitions = [str(unit) for unit in Unit.each(settings.n_bits)]
    shared = replace(request, tasks=())
    read = scattered(pipeline, request, partial(scatter, request=shared))
    agreed = regroup("Names", read, partitions) | "Agree" >> beam.FlatMap(agree, request=shared)
    found = regroup("Blocks", agreed, partitions) | "Cluster" >> beam.FlatMap(cluster, request=shared)
    regroup("Found", found, settings.units) | "Commit" >> beam.ParDo(WorkFn(request))
