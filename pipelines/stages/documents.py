"""Documents: the records of sources to units of documents, in three regroupings.

One unit, or one partition of the texts' hashes, is in memory at a time: records are spilled by unit; a unit's records
are put in order and staged, and the hashes of its texts spilled by partition; a partition's duplicates are found and
spilled by unit; the unit is committed without them.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kgmill.pipelines.engine.beam import beam
from kgmill.pipelines.engine.progress import Teller
from kgmill.pipelines.engine.request import PartName, Receipt, Request
from kgmill.pipelines.engine.shapes import WorkFn, regroup, scattered
from kgmill.pipelines.engine.spills import read_spills, spill
from kgmill.pipelines.output.forgotten import DETAIL, REASON, Forgotten
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.sources.claims import Claim, Claims
from kgmill.pipelines.sources.duplicates import (
    KEYS,
    LOSERS,
    Loser,
    find_losers,
    key_rows,
    worst,
)
from kgmill.pipelines.sources.find import SourceFile, read_records
from kgmill.pipelines.storage.files import to_json
from kgmill.pipelines.storage.scratch import Scratch
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.identity import fingerprint, order_key
from kgmill.schemas.literals import day_of
from kgmill.schemas.records import Document, Reject
from kgmill.schemas.tables import SCHEMAS, conform, described, from_table, to_table, values
from kgmill.schemas.units import Unit, cuts_of, overlapping

VERSION = 6
HEADS = ("dateline", "agency", "byline")
_SPILL_BYTES = 8 << 20
_DIGESTS = "digests"
_REJECT_BYTES = 1 << 10  # about what one takes in memory
_SPILL_KEYS = [("file", pa.int64()), ("record", pa.int64()), ("file_name", pa.string())]
_CARRIED = 1 << 62  # stands for the file's number in documents of earlier runs: behind every file of the sources
_Row = tuple[int, int, str, Document | Reject]  # numbers of the file and of the record in it, the file's name
_ALMOST = 0.999


@dataclass(frozen=True, slots=True)
class Settings:
    """What all tasks share.

    Attributes:
        n_bits: units are 2 ** n_bits.
        n_key_bits: partitions of the texts' hashes are 2 ** n_key_bits.
        near_duplicates: see `BuildConfig`.
        source: how sources are read.
        live: the parts that will be replaced.
        forgotten: the documents that are kept out.
    """

    n_bits: int
    n_key_bits: int
    near_duplicates: float
    source: SourceConfig
    live: tuple[PartName, ...]
    forgotten: Forgotten = field(default_factory=Forgotten)


@dataclass(frozen=True, slots=True)
class Task:
    """A group of files, with the number of its first, or a live part to carry.

    Attributes:
        step: the task's name.
        n_bytes: bytes of the files, or of the part's texts.
    """

    step: str
    n_bytes: int
    first: int = 0
    files: tuple[SourceFile, ...] = ()
    carried: PartName | None = None


def scatter(task: Task, request: Request[Task, Settings]) -> Iterator[tuple[str, str]]:
    """Reads a task's records and spills them by unit; yields (unit, spill) for each unit of each spill."""
    records: list[_Row] = []
    n_bytes = n_documents = n_read = 0
    n_bits, shared, teller = request.settings.n_bits, request.shared, Teller(request.scratch, task.step)

    def count(n: int) -> None:
        nonlocal n_read
        n_read += n

    for row in _records(task, request, count):
        records.append(row)
        if isinstance(row[-1], Document):
            n_bytes += len(row[-1].text)
            n_documents += 1
        else:
            n_bytes += _REJECT_BYTES  # a file of nothing but these has to be spilled too
        teller.tell(min(n_read / (1 + task.n_bytes), _ALMOST), n_documents)
        if n_bytes > _SPILL_BYTES:
            yield from _spill(records, n_bits, shared)
            records, n_bytes = [], 0
    yield from _spill(records, n_bits, shared)
    teller.tell(1.0, n_documents)


def _records(task: Task, request: Request[Task, Settings], on_read: Callable[[int], Any]) -> Iterator[_Row]:
    """A task's records with the numbers of their files, their places in these, and the files' names.

    What the files hold is said by hash in a small file of the task's name, see `read_digests`.
    """
    forgotten = request.settings.forgotten
    if task.carried:
        part = request.store.need("ingest", *task.carried)
        for i, document in enumerate(from_table("documents", part.read("documents"))):
            yield _CARRIED, i, "", _allowed(document, forgotten)
        return
    digests: dict[str, str] = {}
    for number, file in enumerate(task.files, task.first):
        on_digest = partial(digests.__setitem__, file.name)
        for i, record in enumerate(read_records(file, request.settings.source, on_read, on_digest)):
            yield number, i, file.name, _allowed(record, forgotten)
    request.shared.write(f"{_DIGESTS}/{task.step}.json", to_json(digests))


def _allowed(record: Document | Reject, forgotten: Forgotten) -> Document | Reject:
    """The record, or a reject that says no more than that it is kept out."""
    is_out = forgotten.has(record.doc_id) or forgotten.has(record.source)
    return Reject("ingest", "", "", REASON, DETAIL) if is_out else record


def read_digests(shared: Scratch) -> dict[str, str]:
    """The SHA-256 of the content of each file that the job read, by name."""
    found = (json.loads(shared.read(f"{_DIGESTS}/{name}")) for name in shared.names(_DIGESTS))
    return {name: sha256 for digests in found for name, sha256 in digests.items()}


def _spill(records: list[_Row], n_bits: int, shared: Scratch) -> Iterator[tuple[str, str]]:
    for name, kind in (("documents", Document), ("rejects", Reject)):
        chosen = [row for row in records if isinstance(row[-1], kind)]
        table = to_table(name, (row[-1] for row in chosen))
        for i, (key, arrow_type) in enumerate(_SPILL_KEYS):
            table = table.append_column(key, pa.array([row[i] for row in chosen], arrow_type))
        units = [str(Unit.of(record.doc_id or record.source, n_bits)) for *_, record in chosen]
        yield from spill(table, units, shared, f"spills/{uuid.uuid4().hex}.{name}")


def stage(element: tuple[str, Iterable[str]], request: Request[Task, Settings]) -> Iterator[tuple[str, str]]:
    """Merges a unit's spills, stages its tables, and spills its documents' hashes; yields (partition, spill).

    Documents are sorted by the order key of their ids. Of documents with the same id the first in source order is
    kept; the others are rejects. One of an earlier run gives way to what its own file has now, and to nothing else.
    """
    unit, spills = element[0], list(element[1])
    settings, shared, teller = request.settings, request.shared, Teller(request.scratch, unit)
    documents, duplicates = _unique(_in_source_order(shared, "documents", spills))
    rejects = pa.concat_tables(
        [_in_source_order(shared, "rejects", spills).select(SCHEMAS["rejects"].names), duplicates]
    )
    for name, table in (("documents", documents), ("rejects", rejects)):
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer)
        shared.write(f"staged/{unit}.{name}.parquet", buffer.getvalue().to_pybytes())
    texts = (text.as_py() for text in documents["text"])
    keys = key_rows(values(documents["doc_id"]), values(documents["sha256"]), texts, settings.near_duplicates)
    partitions = [str(Unit.of_key(key, settings.n_key_bits)) for key in values(keys["key"])]
    yield from spill(keys, partitions, shared, f"spills/{uuid.uuid4().hex}.keys")
    teller.tell(0.5)


def _in_source_order(shared: Scratch, name: str, spills: list[str]) -> pa.Table:
    rows = read_spills(shared, pa.schema([*SCHEMAS[name], *_SPILL_KEYS]), spills, f".{name}")
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


def compare(element: tuple[str, Iterable[str]], request: Request[Task, Settings]) -> Iterator[tuple[str, str]]:
    """Finds the duplicates among a partition's hashes and spills them by unit; yields (unit, spill)."""
    n_bits, shared = request.settings.n_bits, request.shared
    keys = read_spills(shared, KEYS, element[1])
    rows = [asdict(loser) for loser in find_losers(keys, request.settings.near_duplicates)]
    units = [str(Unit.of(row["doc_id"], n_bits)) for row in rows]
    yield from spill(pa.Table.from_pylist(rows, LOSERS), units, shared, f"spills/{uuid.uuid4().hex}.losers")


@contextmanager
def work(request: Request[Task, Settings]) -> Iterator[Callable[[tuple[str, Iterable[str]]], Receipt]]:
    """Commits staged units; an element is a unit's name with the spills of its duplicates."""
    live = dict(request.settings.live)
    yield partial(commit, request, live, cuts_of(live))


def commit(
    request: Request[Task, Settings],
    live: Mapping[str, str],
    cuts: Sequence[int],
    element: tuple[str, Iterable[str]],
) -> Receipt:
    """Commits a staged unit without its duplicates, which become rejects.

    Args:
        live: the parts that will be replaced, unit and fingerprint.
        cuts: into how many bits these cut the documents.
    """
    unit, spills = element
    shared = request.shared
    documents, rejects = (
        pq.read_table(pa.BufferReader(shared.read(f"staged/{unit}.{name}.parquet")), schema=SCHEMAS[name])
        for name in ("documents", "rejects")
    )
    losers = worst(Loser(**row) for row in read_spills(shared, LOSERS, spills).to_pylist())
    if losers:
        is_lost = pc.is_in(documents["doc_id"], pa.array(losers, pa.string()))
        lost = documents.filter(is_lost).select(["source", "doc_id"]).to_pylist()
        found = [Reject("ingest", **row, **_why(losers[row["doc_id"]])) for row in lost]
        documents, rejects = (
            documents.filter(pc.invert(is_lost)),
            pa.concat_tables([rejects, to_table("rejects", found)]),
        )
    store = request.store
    part = commit_documents(store, unit, documents, rejects)
    before = [store.need("ingest", name, live[name]) for name in overlapping(unit, live, cuts)]
    new = dict(zip(values(documents["doc_id"]), values(documents["sha256"]), strict=True))
    told = {"documents": documents.num_rows, "rejects": rejects.num_rows}
    return Receipt(unit, part.fingerprint, {**told, **changes(before, Unit.parse(unit), new)})


def commit_documents(store: Store, unit: str, documents: pa.Table, rejects: pa.Table) -> Part:
    """Commits a unit's documents, which are in order, and its rejects."""
    documents = conform("documents", documents)
    rejects = rejects.sort_by([(name, "ascending") for name in ("source", "reason", "doc_id", "detail")])
    rows = {"documents": documents.drop_columns("text").to_pydict(), "rejects": rejects.to_pydict()}
    counts = {
        "kept": documents.num_rows,
        "rejected": rejects.num_rows,
        "bytes": pc.sum(pc.binary_length(documents["text"])).as_py() or 0,
        "left_out": left_out(rows["documents"]["notes"]),
        "heads": {name: n for name in HEADS if (n := sum(map(bool, rows["documents"][name])))},
    }
    days = pa.array(map(day_of, rows["documents"]["date"]), pa.date32())
    documents = described("documents", documents.append_column("day", days), f"ingest {VERSION}")
    tables = {"documents": documents, "rejects": rejects}
    return store.commit("ingest", unit, fingerprint({"version": VERSION, **rows}), tables, counts)


def left_out(notes: Iterable[str]) -> dict[str, int]:
    """What was left out or replaced in documents, summed by rule, from their notes."""
    total: Counter[str] = Counter()
    for note in notes:
        if note:
            total.update(json.loads(note))
    return dict(sorted(total.items()))


def _why(loser: Loser) -> dict[str, str]:
    return {"reason": loser.reason, "detail": loser.detail}


def changes(before: Sequence[Part], unit: Unit, new: Mapping[str, str]) -> dict[str, int]:
    """How many of a unit's documents, given as ids with their texts' hashes, are new, changed, or gone since before."""
    old: dict[str, str] = {}
    for part in before:
        ids, hashes = (values(c) for c in part.read("documents", ["doc_id", "sha256"]).columns)
        old.update((i, h) for i, h in zip(ids, hashes, strict=True) if Unit.of(i, unit.bits) == unit)
    return {
        "added": sum(i not in old for i in new),
        "changed": sum(i in old and old[i] != h for i, h in new.items()),
        "removed": sum(i not in new for i in old),
    }


def build(pipeline: beam.Pipeline, request: Request[Task, Settings]) -> None:
    """The job's graph: read and spill by unit; stage each unit; compare each partition of hashes; commit each unit."""
    settings = request.settings
    units = [str(unit) for unit in Unit.each(settings.n_bits)]
    partitions = [str(unit) for unit in Unit.each(settings.n_key_bits)]
    shared = replace(request, tasks=())
    read = scattered(pipeline, request, partial(scatter, request=shared))
    staged = regroup("Units", read, units) | "Stage" >> beam.FlatMap(stage, request=shared)
    lost = regroup("Partitions", staged, partitions) | "Compare" >> beam.FlatMap(compare, request=shared)
    regroup("Lost", lost, units) | "Commit" >> beam.ParDo(WorkFn(request))
