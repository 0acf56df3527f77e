"""Ingest: sources to document parts, cut into units by the hash of the document's id, so an edit moves nobody else."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.job import Descriptor, Request, exchange, write_receipt
from pipelines.sources import SourceFile, group_files, read_records
from pipelines.store import Part, Store
from schemas.config import SourceConfig
from schemas.identity import fingerprint, order_key, unit_name, unit_of, units_overlap
from schemas.records import Document, Reject
from schemas.tables import SCHEMAS, from_table, to_table

VERSION = 1
MAX_BITS = 12
_SPILL_BYTES = 8 << 20
_SPILL_KEYS = [("file", pa.int64()), ("record", pa.int64())]


def unit_bits(files: Sequence[SourceFile], unit_bytes: int) -> int:
    """How many bits of the hash make the units about `unit_bytes` of source each; units are 2 ** bits."""
    n_units = max(1, -(-sum(file.n_bytes for file in files) // unit_bytes))
    return min(MAX_BITS, (n_units - 1).bit_length())


def plan(files: Sequence[SourceFile], unit_bytes: int) -> list[Descriptor]:
    """The job's tasks: groups of files, each with the number of its first file."""
    tasks, first = [], 0
    for group in group_files(files, 4 * unit_bytes):
        tasks.append({"first": first, "files": [asdict(file) for file in group]})
        first += len(group)
    return tasks


def scatter(task: Descriptor, n_bits: int, folder: str, source: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Reads a task's files and spills their records by unit; yields (unit, spill) for each spill."""
    config = SourceConfig.model_validate(source)
    rows: dict[int, list[tuple[int, int, Document | Reject]]] = defaultdict(list)
    n_bytes = 0
    for number, file in enumerate(task["files"], task["first"]):
        for i, record in enumerate(read_records(SourceFile(**file), config)):
            rows[unit_of(_unit_key(record), n_bits)].append((number, i, record))
            n_bytes += len(record.text) if isinstance(record, Document) else 0
            if n_bytes > _SPILL_BYTES:
                yield from _spill(rows, n_bits, folder)
                rows, n_bytes = defaultdict(list), 0
    yield from _spill(rows, n_bits, folder)


def _unit_key(record: Document | Reject) -> str:
    return record.doc_id or record.source


def _spill(
    rows: dict[int, list[tuple[int, int, Document | Reject]]], n_bits: int, folder: str
) -> Iterator[tuple[str, str]]:
    for unit, records in sorted(rows.items()):
        path = Path(folder) / uuid.uuid4().hex
        path.mkdir(parents=True)
        for name, kind in (("documents", Document), ("rejects", Reject)):
            chosen = [row for row in records if isinstance(row[2], kind)]
            table = to_table(name, (record for _, _, record in chosen))
            for i, (key, arrow_type) in enumerate(_SPILL_KEYS):
                table = table.append_column(key, pa.array([row[i] for row in chosen], arrow_type))
            pq.write_table(table, path / f"{name}.parquet")
        yield unit_name(n_bits, unit), str(path)


def gather(element: tuple[str, Iterable[str]], root: str, scratch: str) -> None:
    """Merges a unit's spills and commits its part.

    Documents are sorted by the order key of their ids. Of documents with the same id the first in source order is
    kept; the others are rejects, reason `duplicate_id`.
    """
    unit, spills = element
    paths = sorted(path for path in spills if path)
    documents, duplicates = _unique(_in_source_order("documents", paths))
    rejects = sorted([*_in_source_order("rejects", paths), *duplicates], key=lambda r: (r.source, r.reason))
    documents.sort(key=lambda d: (order_key(d.doc_id), d.doc_id))
    tables = {"documents": to_table("documents", documents), "rejects": to_table("rejects", rejects)}
    store = Store(Path(root))
    key = fingerprint(
        {"version": VERSION, "documents": [_row(d) for d in documents], "rejects": [_row(r) for r in rejects]}
    )
    counts = {"kept": len(documents), "rejected": len(rejects)}
    part = store.commit("ingest", unit, key, tables, counts)
    write_receipt(scratch, unit, {"fingerprint": part.fingerprint, **changes(store.live("ingest"), unit, documents)})


def _row(record: Document | Reject) -> list[str]:
    values = asdict(record)
    values.pop("text", None)  # its sha256 stands for it
    return list(values.values())


def _in_source_order(name: str, paths: list[str]) -> list[Any]:
    schema = pa.schema([*SCHEMAS[name], *_SPILL_KEYS])
    tables = [pq.read_table(Path(path) / f"{name}.parquet", schema=schema) for path in paths]
    if not tables:
        return []
    return list(from_table(name, pa.concat_tables(tables).sort_by([("file", "ascending"), ("record", "ascending")])))


def _unique(documents: list[Document]) -> tuple[list[Document], list[Reject]]:
    kept: dict[str, Document] = {}
    duplicates = []
    for document in documents:
        first = kept.setdefault(document.doc_id, document)
        if first is not document:
            detail = f"the id was taken by {first.source}"
            duplicates.append(Reject("ingest", document.source, document.doc_id, "duplicate_id", detail))
    return list(kept.values()), duplicates


def changes(before: Sequence[Part], unit: str, documents: Sequence[Document]) -> dict[str, int]:
    """How many of a unit's documents are new, changed, or gone since the live parts."""
    bits, number = int(unit[:2]), int(unit[3:], 16)
    old: dict[str, str] = {}
    for part in before:
        if units_overlap(part.unit, unit):
            ids, hashes = (c.to_pylist() for c in part.read("documents", ["doc_id", "sha256"]).columns)
            old.update((i, h) for i, h in zip(ids, hashes, strict=True) if unit_of(i, bits) == number)
    new = {document.doc_id: document.sha256 for document in documents}
    return {
        "added": sum(i not in old for i in new),
        "changed": sum(i in old and old[i] != h for i, h in new.items()),
        "removed": sum(i not in new for i in old),
    }


def build(pipeline: beam.Pipeline, request: Request) -> None:
    """The job's graph: read and spill by unit, then merge each unit."""
    n_bits = request.settings["n_bits"]
    exchange(
        pipeline,
        request.tasks,
        [unit_name(n_bits, number) for number in range(1 << n_bits)],
        scatter=partial(
            scatter, n_bits=n_bits, folder=f"{request.scratch}/spills", source=request.settings.get("source", {})
        ),
        gather=partial(gather, root=request.root, scratch=request.scratch),
    )
