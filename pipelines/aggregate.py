"""Aggregate: mentions and relations to entities, facts and evidence; each partition of the hash is reduced alone."""

from __future__ import annotations

import math
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.job import Descriptor, Request, exchange, write_receipt
from pipelines.store import Part, Store
from schemas.identity import bucket, fingerprint, unit_name, unit_of
from schemas.records import Entity, Evidence, Fact, Mention, Relation
from schemas.tables import from_table, to_table

VERSION = 1
MAX_BITS = 8  # a partition is a whole number of the graph's 256 buckets
_MENTIONS_A_PARTITION = 100_000

# What crosses the exchange: one row an entity's surface form and unit, and one row a relation.
_SURFACES = pa.schema(
    [
        pa.field("entity_id", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("n_mentions", pa.int64(), nullable=False),
        pa.field("confidence", pa.float64(), nullable=False),
    ]
)
_DOCUMENT_COUNTS = pa.schema(
    [
        pa.field("entity_id", pa.string(), nullable=False),
        pa.field("n_documents", pa.int64(), nullable=False),
    ]
)


def partition_bits(decoded: Sequence[Part]) -> int:
    """How many bits of the hash make partitions of about 100,000 mentions."""
    n_partitions = max(1, -(-sum(part.rows("mentions") for part in decoded) // _MENTIONS_A_PARTITION))
    return min(MAX_BITS, (n_partitions - 1).bit_length())


def partitions(n_bits: int) -> list[str]:
    """The names of the partitions."""
    return [unit_name(n_bits, number) for number in range(1 << n_bits)]


def plan(decoded: Sequence[Part]) -> tuple[str, list[Descriptor]]:
    """The fingerprint of the whole result and the job's tasks, one a unit."""
    key = fingerprint({"version": VERSION, "decoded": sorted((part.unit, part.fingerprint) for part in decoded)})
    return key, [{"unit": part.unit, "decoded": part.fingerprint} for part in decoded]


def scatter(task: Descriptor, root: str, n_bits: int, folder: str) -> Iterator[tuple[str, str]]:
    """Combines a unit's mentions, and spills them and its relations by partition; yields (partition, spill)."""
    part = Store(Path(root)).find("decode", task["unit"], task["decoded"])
    if part is None:
        raise FileNotFoundError(f"decode part {task['unit']} of {root} is gone")
    surfaces, documents = combine_mentions(from_table("mentions", part.read("mentions")))
    kinds: dict[str, tuple[pa.Schema, Iterable[Any]]] = {
        "surfaces": (_SURFACES, surfaces),
        "documents": (_DOCUMENT_COUNTS, documents),
    }
    spilled: dict[int, dict[str, pa.Table]] = defaultdict(dict)
    for name, (schema, rows) in kinds.items():
        for number, mine in _by_partition(rows, lambda row: row[0], n_bits).items():
            spilled[number][name] = _rows(schema, mine)
    relations = from_table("relations", part.read("relations"))
    for number, mine in _by_partition(relations, lambda r: r.fact_id, n_bits).items():
        spilled[number]["relations"] = to_table("relations", mine)
    for number, tables in sorted(spilled.items()):
        path = Path(folder) / uuid.uuid4().hex
        path.mkdir(parents=True)
        for name, table in tables.items():
            pq.write_table(table, path / f"{name}.parquet")
        yield unit_name(n_bits, number), str(path)


def _by_partition(rows: Iterable[Any], key: Callable[[Any], str], n_bits: int) -> dict[int, list[Any]]:
    partitions: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        partitions[unit_of(key(row), n_bits)].append(row)
    return partitions


def _rows(schema: pa.Schema, rows: Iterable[tuple]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def combine_mentions(
    mentions: Iterable[Mention],
) -> tuple[list[tuple[str, str, str, int, float]], list[tuple[str, int]]]:
    """Rows of surface forms (entity, type, text, mentions, best confidence) and of documents an entity is met in."""
    surfaces: dict[tuple[str, str, str], tuple[int, float]] = {}
    documents: dict[str, set[str]] = defaultdict(set)
    for m in mentions:
        key = (m.entity_id, m.type, m.text)
        n, best = surfaces.get(key, (0, 0.0))
        surfaces[key] = (n + 1, max(best, m.confidence))
        documents[m.entity_id].add(m.doc_id)
    return (
        [(*key, *value) for key, value in sorted(surfaces.items())],
        [(key, len(ids)) for key, ids in sorted(documents.items())],
    )


def gather(element: tuple[str, Iterable[str]], root: str, scratch: str, key: str) -> None:
    """Reduces a partition and commits its part."""
    partition, spills = element
    paths = [Path(path) for path in spills if path]
    entities = reduce_entities(_read(paths, "surfaces"), _read(paths, "documents"))
    relations = [Relation(**row) for row in _read(paths, "relations")]
    facts, evidence = reduce_facts(relations)
    tables = {
        "entities": to_table("entities", entities),
        "facts": to_table("facts", facts),
        "evidence": to_table("evidence", evidence),
    }
    part = Store(Path(root)).commit("aggregate", partition, key, tables, {})
    write_receipt(scratch, partition, {"fingerprint": part.fingerprint})


def _read(paths: Sequence[Path], name: str) -> list[dict[str, Any]]:
    files = [path / f"{name}.parquet" for path in paths]
    return [row for file in files if file.is_file() for row in pq.read_table(file).to_pylist()]


def reduce_entities(surfaces: list[dict[str, Any]], documents: list[dict[str, Any]]) -> list[Entity]:
    """Entities from their surface forms, in bucket order. The label is the commonest form, of equals the smallest."""
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    best: dict[str, tuple[str, float]] = {}
    for row in surfaces:
        key = row["entity_id"]
        forms[key][row["text"]] += row["n_mentions"]
        best[key] = (row["type"], max(row["confidence"], best.get(key, ("", 0.0))[1]))
    n_documents: Counter[str] = Counter()
    for row in documents:
        n_documents[row["entity_id"]] += row["n_documents"]
    return [
        Entity(key, best[key][0], _label(forms[key]), forms[key].total(), n_documents[key], best[key][1])
        for key in sorted(forms, key=_bucket_order)
    ]


def _label(forms: Counter[str]) -> str:
    return min(forms, key=lambda text: (-forms[text], text))


def _bucket_order(identifier: str) -> tuple[int, str]:
    return bucket(identifier), identifier


def reduce_facts(relations: Sequence[Relation]) -> tuple[list[Fact], list[Evidence]]:
    """Facts with their evidence, both in bucket order; a fact's evidence by document and offsets.

    Confidence is the noisy-or of the evidence: one minus the product of one minus each confidence, in the evidence's
    order, so that the same evidence gives the same bits.
    """
    support: dict[str, list[Relation]] = defaultdict(list)
    for relation in relations:
        support[relation.fact_id].append(relation)
    facts: list[Fact] = []
    evidence: list[Evidence] = []
    for key in sorted(support, key=_bucket_order):
        found = sorted(support[key], key=lambda r: (r.doc_id, r.head_begin, r.tail_begin, r.statement_id))
        confidence = round(1.0 - math.prod(1.0 - r.confidence for r in found), 6)
        first = found[0]
        n_documents = len({r.doc_id for r in found})
        facts.append(Fact(key, first.head_entity, first.type, first.tail_entity, confidence, len(found), n_documents))
        evidence.extend(
            Evidence(
                key,
                r.statement_id,
                r.doc_id,
                *(r.sentence_begin, r.sentence_end),
                *(r.head_begin, r.head_end, r.tail_begin, r.tail_end),
                r.confidence,
            )
            for r in found
        )
    return facts, evidence


def build(pipeline: beam.Pipeline, request: Request) -> None:
    """The job's graph: combine and spill by partition, then reduce each partition."""
    n_bits = request.settings["n_bits"]
    exchange(
        pipeline,
        request.tasks,
        partitions(n_bits),
        scatter=partial(scatter, root=request.root, n_bits=n_bits, folder=f"{request.scratch}/spills"),
        gather=partial(gather, root=request.root, scratch=request.scratch, key=request.settings["key"]),
    )
