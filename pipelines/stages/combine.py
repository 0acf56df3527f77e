"""Combine: the mentions and relations of a group of units to small rows, cut by the partition that they belong to.

There are about as many groups as partitions, so that the number of slices stays small beside the rows in them, but no
more than 1,024, so that the hashes of all slices fit into one process.
"""

from __future__ import annotations

from collections import defaultdict
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
from kgmill.pipelines.stages.slices import write_slices
from kgmill.pipelines.stages.stage import Parts, Todo, partitions_extent, publisher
from kgmill.schemas.identity import BUCKET_BITS, bucket, fact_bucket, fingerprint
from kgmill.schemas.names import label_of
from kgmill.schemas.tables import conform, values
from kgmill.schemas.units import Unit

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

VERSION = 6
_KEYS = {"entities": "entity_id", "surfaces": "entity_id", "relations": "fact_id", "pairs": "pair"}
_GROUP_BITS = 10  # at most so many bits of the hash make groups
_MENTIONS_A_PARTITION = 100_000
_MENTION_COLUMNS = ["entity_id", "type", "text", "rule", "confidence", "doc_id"]


def partition_bits(decoded: Sequence[Part], bucket_bits: int = BUCKET_BITS) -> int:
    """How many bits of the hash make partitions of about 100,000 mentions, each a whole number of buckets."""
    n_partitions = max(1, -(-sum(part.rows("mentions") for part in decoded) // _MENTIONS_A_PARTITION))
    return min(bucket_bits, (n_partitions - 1).bit_length())


@dataclass(frozen=True, slots=True)
class Settings:
    """How many bits of the hash make partitions."""

    n_bits: int


@dataclass(frozen=True, slots=True)
class Task:
    """A group of units to combine: its name, its part's fingerprint, and the decoded parts in it."""

    unit: str
    fingerprint: str
    decoded: tuple[PartName, ...]


def plan(store: Store, decoded: Sequence[Part], n_bits: int) -> tuple[list[Part], list[Task]]:
    """The parts that are there already, and tasks for the groups that have none."""
    groups: dict[str, list[Part]] = defaultdict(list)
    for part in sorted(decoded, key=lambda part: part.unit):
        groups[str(Unit.parse(part.unit).within(min(n_bits, _GROUP_BITS)))].append(part)
    done, tasks = [], []
    for unit, parts in groups.items():
        inputs = tuple((part.unit, part.fingerprint) for part in parts)
        key = fingerprint({"version": VERSION, "n_bits": n_bits, "decoded": inputs})
        if found := store.find("combine", unit, key):
            done.append(found)
        else:
            tasks.append(Task(unit, key, inputs))
    return done, tasks


def missing(context: RunContext, store: Store, parts: Parts) -> Todo:
    """What combine has to do."""
    n_bits = partition_bits(parts["decode"], context.config.bucket_bits)
    done, tasks = plan(store, parts["decode"], n_bits)
    extent = partitions_extent(parts["ingest"], (task.unit for task in tasks))
    return Todo(done, tasks, Settings(n_bits), extent, publisher(store, "combine"))


@contextmanager
def work(request: Request[Task, Settings]) -> Iterator[Callable[[Task], Receipt]]:
    """Combines groups of units and commits their parts."""
    store, n_bits = request.store, request.settings.n_bits

    def combine_group(task: Task) -> Receipt:
        parts = [store.need("decode", unit, key) for unit, key in task.decoded]
        mentions = pa.concat_tables(part.read("mentions", _MENTION_COLUMNS) for part in parts)
        relations = pa.concat_tables(conform("relations", part.read("relations")) for part in parts)
        pairs = pa.concat_tables(part.read("pairs") for part in parts)
        pairs = (
            pairs.group_by(["pair", "text_key"])
            .aggregate([])
            .sort_by([("pair", "ascending"), ("text_key", "ascending")])
        )
        slices: dict[int, dict[str, pa.Table]] = defaultdict(dict)
        tables = zip(_KEYS.items(), (*combine_mentions(mentions), relations, pairs), strict=True)
        for (kind, key), table in tables:
            for number, rows in cut(table, key, n_bits):
                slices[number][kind] = rows
        folder = store.scratch()
        store.commit("combine", task.unit, task.fingerprint, folder, write_slices(folder, slices))
        return Receipt(task.unit, task.fingerprint)

    yield combine_group


def combine_mentions(mentions: pa.Table) -> tuple[pa.Table, pa.Table]:
    """One row an entity (type, documents, best confidence), and one a name of it and rule (mentions), by id.

    Names are folded as labels are, so that those that look alike are counted together, and have no article. Mentions of
    values name no entity.
    """
    mentions = mentions.filter(pc.not_equal(mentions["entity_id"], pa.scalar("")))
    entities = mentions.group_by("entity_id").aggregate(
        [("type", "min"), ("doc_id", "count_distinct"), ("confidence", "max")]
    )
    forms = mentions.group_by(["entity_id", "text", "rule"]).aggregate([("doc_id", "count")])
    labels = pa.array([_without_article(label_of(text)) for text in values(forms["text"])], pa.string())
    forms = forms.set_column(forms.schema.get_field_index("text"), "text", labels)
    surfaces = forms.group_by(["entity_id", "text", "rule"]).aggregate([("doc_id_count", "sum")])
    return (
        entities.rename_columns(["entity_id", "type", "n_documents", "confidence"]).sort_by("entity_id"),
        surfaces.rename_columns(["entity_id", "name", "rule", "n_mentions"]).sort_by(
            [("entity_id", "ascending"), ("name", "ascending"), ("rule", "ascending")]
        ),
    )


def _without_article(label: str) -> str:
    return label.removeprefix("the ") or label


def cut(table: pa.Table, key: str, n_bits: int) -> Iterator[tuple[int, pa.Table]]:
    """The rows of each partition that has any, in their order."""
    number_N = buckets(table[key], key, n_bits)
    order_N = np.argsort(number_N, kind="stable")
    table = table.combine_chunks()
    numbers, begins = np.unique(number_N[order_N], return_index=True)
    bounds = pairwise([*begins.tolist(), len(order_N)])
    for number, (begin, end) in zip(numbers, bounds, strict=True):
        yield int(number), table.take(order_N[begin:end])


def buckets(identifiers: pa.ChunkedArray[Any], key: str, n_bits: int) -> np.ndarray:
    """Which of 2 ** n_bits buckets each identifier is in, `key` says of what; one that is repeated is hashed once."""
    encoded: Any = identifiers.combine_chunks().dictionary_encode()
    bucket_of = fact_bucket if key == "fact_id" else bucket
    known = np.array([bucket_of(identifier, n_bits) for identifier in values(encoded.dictionary)], np.int64)
    found: np.ndarray = known[encoded.indices.to_numpy()]
    return found
