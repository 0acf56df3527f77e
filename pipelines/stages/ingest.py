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
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kgmill.pipelines.engine.beam import beam
from kgmill.pipelines.engine.progress import Extent, Teller
from kgmill.pipelines.engine.request import PartName, Receipt, Request
from kgmill.pipelines.engine.shapes import WorkFn, regroup, scattered
from kgmill.pipelines.engine.spills import read_spills, spill
from kgmill.pipelines.output.origins import Origin, commit_origins, known_origins, publish_origins
from kgmill.pipelines.output.parts import Part, Store, write_json
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
from kgmill.pipelines.sources.find import Found, SourceFile, count_others, find, group_files, read_records
from kgmill.pipelines.sources.opening import open_file
from kgmill.pipelines.stages.stage import Outcome, Parts, Todo
from kgmill.schemas.config import BuildConfig, SourceConfig
from kgmill.schemas.errors import KgmillError, VanishError
from kgmill.schemas.identity import fingerprint, order_key
from kgmill.schemas.records import Document, Reject
from kgmill.schemas.tables import SCHEMAS, from_table, to_table
from kgmill.schemas.units import Unit

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

VERSION = 4
MAX_BITS = 12
MAX_VANISHING = 0.2  # of the live documents, without --yes
_SPILL_BYTES = 8 << 20
_DIGESTS = "digests"
_REJECT_BYTES = 1 << 10  # about what one takes in memory
_SPILL_KEYS = [("file", pa.int64()), ("record", pa.int64()), ("file_name", pa.string())]
_CARRIED = 1 << 62  # stands for the file's number in documents of earlier runs: behind every file of the sources
_Row = tuple[int, int, str, Document | Reject]  # numbers of the file and of the record in it, the file's name
_KEY_BYTES_A_PARTITION = 16 << 20
_ALMOST = 0.999
_READINGS_A_COMMIT = 1.0  # staging and committing units takes about as long as reading the files


@dataclass(frozen=True, slots=True)
class Settings:
    """What all tasks share.

    Attributes:
        n_bits: units are 2 ** n_bits.
        n_key_bits: partitions of the texts' hashes are 2 ** n_key_bits.
        near_duplicates: see `BuildConfig`.
        source: how sources are read.
        live: the parts that will be replaced.
    """

    n_bits: int
    n_key_bits: int
    near_duplicates: float
    source: SourceConfig
    live: tuple[PartName, ...]


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


def settings_key(config: BuildConfig) -> str:
    """Fingerprint of all that decides which documents come out of given files."""
    return fingerprint({"version": VERSION, **config.read_by("ingest")})


def source_key(digests: Mapping[str, str], config: BuildConfig) -> str:
    """Fingerprint of the files, by name and SHA-256, and of all that decides which documents come out of them."""
    return fingerprint({"settings": settings_key(config), "files": sorted(digests.items())})


def known_digests(files: Sequence[SourceFile], origins: Mapping[str, Origin]) -> dict[str, str]:
    """The SHA-256 of each file by name, if all are those that were read before; else nothing.

    A file that has its stamp still is not read; another one is, up to the first whose content is new.
    """
    if not all(file.name in origins for file in files):
        return {}
    digests = {}
    for file in files:
        known = origins[file.name]
        is_same = bool(file.stamp) and file.stamp == known.stamp
        if not is_same and (not known.sha256 or _digest(file) != known.sha256):
            return {}
        digests[file.name] = known.sha256
    return digests


def _digest(file: SourceFile) -> str:
    with open_file(file.path) as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def unit_bits(n_bytes: int, unit_bytes: int, max_bits: int = MAX_BITS) -> int:
    """How many bits of the hash cut `n_bytes` into units of about `unit_bytes`; units are 2 ** bits."""
    n_units = max(1, -(-n_bytes // unit_bytes))
    return min(max_bits, (n_units - 1).bit_length())


def plan(files: Sequence[SourceFile], live: Sequence[Part], config: BuildConfig) -> tuple[list[Task], Settings]:
    """The job's tasks and settings. In mode append the documents of live parts count for the number of units too."""
    carried = live if config.mode == "append" else []
    n_bytes = sum(file.n_bytes for file in files) + sum(part.counts["bytes"] for part in carried)
    n_rows = n_bands_and_rows(config.near_duplicates)[0] * 2 if config.near_duplicates else 0
    settings = Settings(
        n_bits=unit_bits(n_bytes, config.unit_bytes),
        n_key_bits=unit_bits(n_bytes * (1 + n_rows), _KEY_BYTES_A_PARTITION),
        near_duplicates=config.near_duplicates,
        source=config.source,
        live=tuple((part.unit, part.fingerprint) for part in live),
    )
    tasks: list[Task] = []
    first = 0
    for group in group_files(files, 4 * config.unit_bytes):
        n_bytes = sum(file.n_bytes for file in group)
        tasks.append(Task(f"read-{len(tasks)}", n_bytes, first, tuple(group)))
        first += len(group)
    for part in carried:
        name = (part.unit, part.fingerprint)
        tasks.append(Task(f"read-{len(tasks)}", part.counts["bytes"], carried=name))
    return tasks, settings


def extent(tasks: Sequence[Task], settings: Settings) -> Extent:
    """What the job has to do."""
    steps = {task.step: 1.0 + task.n_bytes for task in tasks}
    units = [str(unit) for unit in Unit.each(settings.n_bits)]
    return Extent(dict.fromkeys(units, _READINGS_A_COMMIT * sum(steps.values()) / len(units)), steps)


def missing(context: RunContext, store: Store, parts: Parts) -> Todo:
    """What ingest has to do: nothing, where the sources and what it reads of the configuration are those of the live
    documents.

    Raises:
        KgmillError: documents would be appended to ones that are gone.
    """
    config, origins, kept = context.config, known_origins(store), kept_origins(context, store)
    found = find_sources(context, kept)
    live = store.live("ingest")
    digests = known_digests(found.files, origins) if store.live_key("ingest") else {}
    if digests and store.is_whole("ingest") and source_key(digests, config) == store.live_key("ingest"):
        publish = partial(_publish, context, store, found, kept, digests)
        return Todo(live, (), None, Extent({}), publish)
    if config.mode == "append" and not store.is_whole("ingest"):
        raise KgmillError(f"{store.root}: some documents of earlier runs are gone; build without --mode append")
    tasks, settings = plan(found.files, live, config)
    return Todo((), tasks, settings, extent(tasks, settings), partial(_publish, context, store, found, kept, {}))


def kept_origins(context: RunContext, store: Store) -> dict[str, Origin]:
    """The files of earlier runs whose documents stay, by name."""
    return known_origins(store) if context.config.mode == "append" else {}


def find_sources(context: RunContext, kept: Mapping[str, Origin]) -> Found:
    """What the sources have; a file that was read before keeps the name that is in `kept`."""
    names = {name: origin.path for name, origin in kept.items()}
    return find(context.sources, context.config.source, context.root, names)


def _publish(
    context: RunContext,
    store: Store,
    found: Found,
    kept: Mapping[str, Origin],
    digests: Mapping[str, str],
    outcome: Outcome,
) -> dict[str, Any]:
    """Makes the documents live, if not too many vanish, with where they came from.

    Raises:
        VanishError: they do.
    """
    counts: Counter[str] = Counter({"added": 0, "changed": 0, "removed": 0})
    files = {file.name: file for file in found.files}
    if outcome.scratch is None:
        for part in outcome.parts:
            part.read_bytes("documents.parquet")  # a damaged one must not be taken for done
    else:
        for receipt in outcome.receipts.values():
            counts.update({name: int(receipt.counts[name]) for name in counts})
        n_live = sum(part.counts["kept"] for part in store.live("ingest"))
        check_vanishing(counts["removed"], n_live, context.yes)
        digests = read_digests(outcome.scratch)
        files = {file.name: file for file in find_sources(context, kept).files}
    # Sources that changed while they were read: which version was met is not known.
    is_known = all(file.name in digests and files.get(file.name) == file for file in found.files)
    key = source_key(digests, context.config) if is_known and len(files) == len(found.files) else ""
    stamps = {file.name: file.stamp for file in found.files} if key else {}
    origins = {
        name: Origin(path, stamps.get(name, ""), digests.get(name, "") if key else "")
        for name, path in found.origins.items()
    }
    others = count_others(found, context.config.source)
    part = commit_origins(store, outcome.parts, {**kept, **origins}, others)
    store.publish("ingest", outcome.parts, ["documents"], key)
    publish_origins(store, part)
    return dict(counts)


def check_vanishing(n_removed: int, n_live: int, yes: bool) -> None:
    """Stops a build in which more than a fifth of the live documents would leave, unless that is wanted.

    Raises:
        VanishError: naming how many of how many, and the way out.
    """
    if n_removed > MAX_VANISHING * n_live and not yes:
        raise VanishError(
            f"{n_removed} of {n_live} documents would leave the graph, more than {MAX_VANISHING:.0%}; "
            "if that is wanted say --yes, to keep them --mode append"
        )


def scatter(task: Task, request: Request[Task, Settings]) -> Iterator[tuple[str, str]]:
    """Reads a task's records and spills them by unit; yields (unit, spill) for each unit of each spill."""
    records: list[_Row] = []
    n_bytes = n_documents = n_read = 0
    n_bits, folder, teller = request.settings.n_bits, f"{request.scratch}/spills", Teller(request.scratch, task.step)

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
            yield from _spill(records, n_bits, folder)
            records, n_bytes = [], 0
    yield from _spill(records, n_bits, folder)
    teller.tell(1.0, n_documents)


def _records(task: Task, request: Request[Task, Settings], on_read: Callable[[int], Any]) -> Iterator[_Row]:
    """A task's records with the numbers of their files, their places in these, and the files' names.

    What the files hold is said by hash in a small file of the task's name, see `read_digests`.
    """
    if task.carried:
        part = request.store.need("ingest", *task.carried)
        for i, document in enumerate(from_table("documents", part.read("documents"))):
            yield _CARRIED, i, "", document
        return
    digests: dict[str, str] = {}
    for number, file in enumerate(task.files, task.first):
        on_digest = partial(digests.__setitem__, file.name)
        for i, record in enumerate(read_records(file, request.settings.source, on_read, on_digest)):
            yield number, i, file.name, record
    write_json(Path(request.scratch) / _DIGESTS / f"{task.step}.json", digests)


def read_digests(scratch: Path) -> dict[str, str]:
    """The SHA-256 of the content of each file that the job read, by name."""
    found = (json.loads(path.read_text(encoding="utf-8")) for path in sorted((scratch / _DIGESTS).glob("*.json")))
    return {name: sha256 for digests in found for name, sha256 in digests.items()}


def _spill(records: list[_Row], n_bits: int, folder: str) -> Iterator[tuple[str, str]]:
    for name, kind in (("documents", Document), ("rejects", Reject)):
        chosen = [row for row in records if isinstance(row[-1], kind)]
        table = to_table(name, (row[-1] for row in chosen))
        for i, (key, arrow_type) in enumerate(_SPILL_KEYS):
            table = table.append_column(key, pa.array([row[i] for row in chosen], arrow_type))
        units = [str(Unit.of(record.doc_id or record.source, n_bits)) for *_, record in chosen]
        yield from spill(table, units, Path(folder) / f"{uuid.uuid4().hex}.{name}")


def stage(element: tuple[str, Iterable[str]], request: Request[Task, Settings]) -> Iterator[tuple[str, str]]:
    """Merges a unit's spills, stages its tables, and spills its documents' hashes; yields (partition, spill).

    Documents are sorted by the order key of their ids. Of documents with the same id the first in source order is
    kept; the others are rejects. One of an earlier run gives way to what its own file has now, and to nothing else.
    """
    unit, spills = element[0], list(element[1])
    settings, teller = request.settings, Teller(request.scratch, unit)
    documents, duplicates = _unique(_in_source_order("documents", spills))
    rejects = pa.concat_tables([_in_source_order("rejects", spills).select(SCHEMAS["rejects"].names), duplicates])
    folder = Path(request.scratch) / "staged"
    folder.mkdir(exist_ok=True)
    for name, table in (("documents", documents), ("rejects", rejects)):
        partial_file = folder / uuid.uuid4().hex
        pq.write_table(table, partial_file)
        os.replace(partial_file, folder / f"{unit}.{name}.parquet")
    texts = (text.as_py() for text in documents["text"])
    keys = key_rows(documents["doc_id"].to_pylist(), documents["sha256"].to_pylist(), texts, settings.near_duplicates)
    partitions = [str(Unit.of_key(key, settings.n_key_bits)) for key in keys["key"].to_pylist()]
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


def compare(element: tuple[str, Iterable[str]], request: Request[Task, Settings]) -> Iterator[tuple[str, str]]:
    """Finds the duplicates among a partition's hashes and spills them by unit; yields (unit, spill)."""
    n_bits, folder = request.settings.n_bits, Path(request.scratch) / "spills"
    rows = [asdict(loser) for loser in find_losers(read_spills(KEYS, element[1]), request.settings.near_duplicates)]
    units = [str(Unit.of(row["doc_id"], n_bits)) for row in rows]
    yield from spill(pa.Table.from_pylist(rows, LOSERS), units, folder / f"{uuid.uuid4().hex}.losers")


@contextmanager
def work(request: Request[Task, Settings]) -> Iterator[Callable[[tuple[str, Iterable[str]]], Receipt]]:
    """Commits staged units; an element is a unit's name with the spills of its duplicates."""
    yield partial(commit, request)


def commit(request: Request[Task, Settings], element: tuple[str, Iterable[str]]) -> Receipt:
    """Commits a staged unit without its duplicates, which become rejects."""
    unit, spills = element
    documents, rejects = (
        pq.read_table(Path(request.scratch) / "staged" / f"{unit}.{name}.parquet", schema=SCHEMAS[name])
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
    store = request.store
    tables = {"documents": documents, "rejects": rejects}
    part = store.commit("ingest", unit, fingerprint({"version": VERSION, **rows}), tables, counts)
    mine = Unit.parse(unit)
    before = [store.need("ingest", *name) for name in request.settings.live if mine.overlaps(Unit.parse(name[0]))]
    new = dict(zip(rows["documents"]["doc_id"], rows["documents"]["sha256"], strict=True))
    told = {"documents": documents.num_rows, "rejects": rejects.num_rows}
    return Receipt(unit, part.fingerprint, {**told, **changes(before, mine, new)})


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
        ids, hashes = (c.to_pylist() for c in part.read("documents", ["doc_id", "sha256"]).columns)
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
    read = scattered(pipeline, request.tasks, partial(scatter, request=shared))
    staged = regroup("Units", read, units) | "Stage" >> beam.FlatMap(stage, request=shared)
    lost = regroup("Partitions", staged, partitions) | "Compare" >> beam.FlatMap(compare, request=shared)
    regroup("Lost", lost, units) | "Commit" >> beam.ParDo(WorkFn(request))
