"""Ingest: sources to document parts, cut into units by the hash of the document's id, so an edit moves nobody else.

In three exchanges one unit, or one partition of the texts' hashes, is in memory at a time: records are spilled by unit;
a unit's records are put in order and staged, and the hashes of its texts spilled by partition; a partition's
duplicates are found and spilled by unit; the unit is committed without them.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kgmill.pipelines.engine.beam import beam
from kgmill.pipelines.engine.job import Descriptor, Request, read_spills, regroup, scattered, spill, write_receipt
from kgmill.pipelines.engine.progress import Extent, Teller
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.sources.claims import Claim, Claims
from kgmill.pipelines.sources.duplicates import (
    KEYS,
    LOSERS,
    Loser,
    find_losers,
    key_rows,
    n_bands_and_rows,
    worst,
)
from kgmill.pipelines.sources.find import SourceFile, group_files, read_records
from kgmill.pipelines.sources.opening import open_file
from kgmill.schemas.config import BuildConfig, SourceConfig
from kgmill.schemas.errors import SourceError
from kgmill.schemas.identity import fingerprint, order_key, unit_name, unit_of, units_overlap
from kgmill.schemas.records import Document, Reject
from kgmill.schemas.tables import SCHEMAS, from_table, to_table

VERSION = 4
MAX_BITS = 12
_SPILL_BYTES = 8 << 20
_REJECT_BYTES = 1 << 10  # about what one takes in memory
_SPILL_KEYS = [("file", pa.int64()), ("record", pa.int64()), ("file_name", pa.string())]
_CARRIED = 1 << 62  # stands for the file's number in documents of earlier runs: behind every file of the sources
# The keys of the configuration that only later stages read; any other one may decide what is ingested.
_LATER_KEYS = {
    *("model", "ontology", "device", "precision", "candidate_floor", "min_confidence"),
    *("base_iri", "compile", "dataset", "formats", "max_reject_ratio"),
}
_Row = tuple[int, int, str, Document | Reject]  # numbers of the file and of the record in it, the file's name
_KEY_BYTES_A_PARTITION = 16 << 20
_ALMOST = 0.999
_READINGS_A_COMMIT = 1.0  # staging and committing units takes about as long as reading the files


def settings_key(config: BuildConfig) -> str:
    """Fingerprint of all that decides which documents come out of given files."""
    return fingerprint({"version": VERSION, **config.model_dump(mode="json", exclude=_LATER_KEYS)})


def source_key(files: Sequence[SourceFile], config: BuildConfig) -> str:
    """Fingerprint of the files' names and bytes, and of all that decides which documents come out of them."""
    return fingerprint({"settings": settings_key(config), "files": [(file.name, _digest(file)) for file in files]})


def _digest(file: SourceFile) -> str:
    try:
        with open_file(file.path) as data:
            return hashlib.file_digest(data, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{file.path}: {error.strerror}") from None


def unit_bits(n_bytes: int, unit_bytes: int, max_bits: int = MAX_BITS) -> int:
    """How many bits of the hash cut `n_bytes` into units of about `unit_bytes`; units are 2 ** bits."""
    n_units = max(1, -(-n_bytes // unit_bytes))
    return min(max_bits, (n_units - 1).bit_length())


def plan(
    files: Sequence[SourceFile], live: Sequence[Part], config: BuildConfig
) -> tuple[list[Descriptor], dict[str, Any]]:
    """The job's tasks and settings. A task is a group of files with the number of its first, or a live part to carry.

    In mode append the documents of live parts count for the number of units too.
    """
    carried = live if config.mode == "append" else []
    n_bytes = sum(file.n_bytes for file in files) + sum(part.counts["bytes"] for part in carried)
    n_rows = n_bands_and_rows(config.near_duplicates)[0] * 2 if config.near_duplicates else 0
    settings = {
        "n_bits": unit_bits(n_bytes, config.unit_bytes),
        "n_key_bits": unit_bits(n_bytes * (1 + n_rows), _KEY_BYTES_A_PARTITION),
        "near_duplicates": config.near_duplicates,
        "source": config.source.model_dump(mode="json"),
        "live": [(part.unit, part.fingerprint) for part in live],
    }
    tasks: list[Descriptor] = []
    first = 0
    for group in group_files(files, 4 * config.unit_bytes):
        n_bytes = sum(file.n_bytes for file in group)
        tasks.append({"first": first, "files": [asdict(file) for file in group], "n_bytes": n_bytes})
        first += len(group)
    for part in carried:
        tasks.append({"part": (part.unit, part.fingerprint), "n_bytes": part.counts["bytes"]})
    return [task | {"step": f"read-{i}"} for i, task in enumerate(tasks)], settings


def extent(tasks: Sequence[Descriptor], settings: Mapping[str, Any]) -> Extent:
    """What the job has to do."""
    steps = {task["step"]: 1.0 + task["n_bytes"] for task in tasks}
    n_units = 1 << settings["n_bits"]
    weight = _READINGS_A_COMMIT * sum(steps.values()) / n_units
    return Extent({unit_name(settings["n_bits"], number): weight for number in range(n_units)}, steps)


def scatter(
    task: Descriptor, root: str, scratch: str, n_bits: int, source: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Reads a task's records and spills them by unit; yields (unit, spill) for each unit of each spill."""
    records: list[_Row] = []
    n_bytes = n_documents = n_read = 0
    folder, teller = f"{scratch}/spills", Teller(scratch, task["step"])

    def count(n: int) -> None:
        nonlocal n_read
        n_read += n

    for row in _records(task, root, SourceConfig.model_validate(source), count):
        records.append(row)
        if isinstance(row[-1], Document):
            n_bytes += len(row[-1].text)
            n_documents += 1
        else:
            n_bytes += _REJECT_BYTES  # a file of nothing but these has to be spilled too
        teller.tell(min(n_read / (1 + task["n_bytes"]), _ALMOST), n_documents)
        if n_bytes > _SPILL_BYTES:
            yield from _spill(records, n_bits, folder)
            records, n_bytes = [], 0
    yield from _spill(records, n_bits, folder)
    teller.tell(1.0, n_documents)


def _records(task: Descriptor, root: str, config: SourceConfig, on_read: Callable[[int], Any]) -> Iterator[_Row]:
    """A task's records with the numbers of their files, their places in these, and the files' names."""
    if "part" in task:
        part = Store(Path(root)).need("ingest", *task["part"])
        for i, document in enumerate(from_table("documents", part.read("documents"))):
            yield _CARRIED, i, "", document
        return
    for number, file in enumerate(task["files"], task["first"]):
        for i, record in enumerate(read_records(SourceFile(**file), config, on_read)):
            yield number, i, file["name"], record


def _spill(records: list[_Row], n_bits: int, folder: str) -> Iterator[tuple[str, str]]:
    for name, kind in (("documents", Document), ("rejects", Reject)):
        chosen = [row for row in records if isinstance(row[-1], kind)]
        table = to_table(name, (row[-1] for row in chosen))
        for i, (key, arrow_type) in enumerate(_SPILL_KEYS):
            table = table.append_column(key, pa.array([row[i] for row in chosen], arrow_type))
        units = [unit_name(n_bits, unit_of(record.doc_id or record.source, n_bits)) for *_, record in chosen]
        yield from spill(table, units, Path(folder) / f"{uuid.uuid4().hex}.{name}")


def stage(
    element: tuple[str, Iterable[str]], scratch: str, n_key_bits: int, near_duplicates: float
) -> Iterator[tuple[str, str]]:
    """Merges a unit's spills, stages its tables, and spills its documents' hashes; yields (partition, spill).

    Documents are sorted by the order key of their ids. Of documents with the same id the first in source order is
    kept; the others are rejects. One of an earlier run gives way to what its own file has now, and to nothing else.
    """
    unit, spills = element[0], list(element[1])
    teller = Teller(scratch, unit)
    documents, duplicates = _unique(_in_source_order("documents", spills))
    rejects = pa.concat_tables([_in_source_order("rejects", spills).select(SCHEMAS["rejects"].names), duplicates])
    folder = Path(scratch) / "staged"
    folder.mkdir(exist_ok=True)
    for name, table in (("documents", documents), ("rejects", rejects)):
        partial_file = folder / uuid.uuid4().hex
        pq.write_table(table, partial_file)
        os.replace(partial_file, folder / f"{unit}.{name}.parquet")
    texts = (text.as_py() for text in documents["text"])
    keys = key_rows(documents["doc_id"].to_pylist(), documents["sha256"].to_pylist(), texts, near_duplicates)
    partitions = [unit_name(n_key_bits, int(key[:4], 16) >> (16 - n_key_bits)) for key in keys["key"].to_pylist()]
    yield from spill(keys, partitions, folder / f"{uuid.uuid4().hex}.keys")
    teller.tell(0.5)


def _in_source_order(name: str, spills: list[str]) -> pa.Table:
    rows = read_spills(pa.schema([*SCHEMAS[name], *_SPILL_KEYS]), spills, f".{name}")
    return rows.sort_by([("file", "ascending"), ("record", "ascending")])


def _unique(documents: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The document that each id belongs to, in the order of units, and rejects for the others; see `claims`."""
    columns = ("doc_id", "source", "sha256", "file", "file_name")
    rows = list(zip(*(documents[name].to_pylist() for name in columns), strict=True))
    carried = {row[0]: i for i, row in enumerate(rows) if row[3] == _CARRIED}
    claims = Claims({doc_id: Claim(*rows[i][1:3]) for doc_id, i in carried.items()})
    kept, duplicates = dict(carried), []
    for i, (doc_id, source, sha256, file, file_name) in enumerate(rows):
        if file == _CARRIED:
            continue
        if reject := claims.claim(doc_id, file_name, Claim(source, sha256)):
            duplicates.append(reject)
        else:
            kept[doc_id] = i
    order = [kept[doc_id] for doc_id in sorted(kept, key=lambda doc_id: (order_key(doc_id), doc_id))]
    chosen = documents.select(SCHEMAS["documents"].names).take(pa.array(order, pa.int64()))
    return chosen, to_table("rejects", duplicates)


def compare(
    element: tuple[str, Iterable[str]], scratch: str, n_bits: int, near_duplicates: float
) -> Iterator[tuple[str, str]]:
    """Finds the duplicates among a partition's hashes and spills them by unit; yields (unit, spill)."""
    rows = [asdict(loser) for loser in find_losers(read_spills(KEYS, element[1]), near_duplicates)]
    units = [unit_name(n_bits, unit_of(row["doc_id"], n_bits)) for row in rows]
    yield from spill(pa.Table.from_pylist(rows, LOSERS), units, Path(scratch) / f"spills/{uuid.uuid4().hex}.losers")


def commit(element: tuple[str, Iterable[str]], root: str, scratch: str, live: Sequence[tuple[str, str]]) -> None:
    """Commits a staged unit without its duplicates, which become rejects."""
    unit, spills = element
    documents, rejects = (
        pq.read_table(Path(scratch) / "staged" / f"{unit}.{name}.parquet", schema=SCHEMAS[name])
        for name in ("documents", "rejects")
    )
    losers = worst(Loser(**row) for row in read_spills(LOSERS, spills).to_pylist())
    if losers:
        is_lost = pc.is_in(documents["doc_id"], pa.array(losers, pa.string()))
        lost = documents.filter(is_lost).select(["source", "doc_id"]).to_pylist()
        found = [Reject("ingest", **row, **_why(losers[row["doc_id"]])) for row in lost]
        documents, rejects = (
            documents.filter(pc.invert(is_lost)),
            pa.concat_tables([rejects, to_table("rejects", found)]),
        )
    rejects = rejects.sort_by([(name, "ascending") for name in ("source", "reason", "doc_id", "detail")])
    rows = {"documents": documents.drop_columns("text").to_pydict(), "rejects": rejects.to_pydict()}
    counts = {
        "kept": documents.num_rows,
        "rejected": rejects.num_rows,
        "bytes": pc.sum(pc.binary_length(documents["text"])).as_py() or 0,
        "left_out": left_out(rows["documents"]["notes"]),
    }
    store = Store(Path(root))
    tables = {"documents": documents, "rejects": rejects}
    part = store.commit("ingest", unit, fingerprint({"version": VERSION, **rows}), tables, counts)
    before = [store.need("ingest", *name) for name in live if units_overlap(name[0], unit)]
    new = dict(zip(rows["documents"]["doc_id"], rows["documents"]["sha256"], strict=True))
    write_receipt(scratch, unit, {"fingerprint": part.fingerprint, **changes(before, unit, new)})


def left_out(notes: Iterable[str]) -> dict[str, int]:
    """What was left out or replaced in documents, summed by rule, from their notes."""
    total: Counter[str] = Counter()
    for note in notes:
        if note:
            total.update(json.loads(note))
    return dict(sorted(total.items()))


def _why(loser: Loser) -> dict[str, str]:
    return {"reason": loser.reason, "detail": loser.detail}


def changes(before: Sequence[Part], unit: str, new: Mapping[str, str]) -> dict[str, int]:
    """How many of a unit's documents, given as ids with their texts' hashes, are new, changed, or gone since before."""
    bits, number = int(unit[:2]), int(unit[3:], 16)
    old: dict[str, str] = {}
    for part in before:
        ids, hashes = (c.to_pylist() for c in part.read("documents", ["doc_id", "sha256"]).columns)
        old.update((i, h) for i, h in zip(ids, hashes, strict=True) if unit_of(i, bits) == number)
    return {
        "added": sum(i not in old for i in new),
        "changed": sum(i in old and old[i] != h for i, h in new.items()),
        "removed": sum(i not in new for i in old),
    }


def build(pipeline: beam.Pipeline, request: Request) -> None:
    """The job's graph: read and spill by unit; stage each unit; compare each partition of hashes; commit each unit."""
    s, scratch = request.settings, request.scratch
    n_bits, n_key_bits, near = s["n_bits"], s["n_key_bits"], s["near_duplicates"]
    units = [unit_name(n_bits, number) for number in range(1 << n_bits)]
    partitions = [unit_name(n_key_bits, number) for number in range(1 << n_key_bits)]
    read = scattered(
        pipeline,
        request.tasks,
        partial(scatter, root=request.root, scratch=scratch, n_bits=n_bits, source=s["source"]),
    )
    staged = regroup("Units", read, units) | "Stage" >> beam.FlatMap(
        stage, scratch=scratch, n_key_bits=n_key_bits, near_duplicates=near
    )
    lost = regroup("Partitions", staged, partitions) | "Compare" >> beam.FlatMap(
        compare, scratch=scratch, n_bits=n_bits, near_duplicates=near
    )
    regroup("Lost", lost, units) | "Commit" >> beam.Map(commit, root=request.root, scratch=scratch, live=s["live"])
