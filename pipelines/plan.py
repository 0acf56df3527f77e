"""Plan: what a build would reuse, run and drop, and about how long, found without touching anything.

The sources are read record by record in this process; ids and hashes are kept, texts are not. The stages' own `plan`
functions say what is there already.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from kgmill.extractor.text.language import foreign_language
from kgmill.pipelines.build import STAGES, Build
from kgmill.pipelines.checks import check_build, check_vanishing, named
from kgmill.pipelines.engine.worker import Worker
from kgmill.pipelines.output.ledger import all_runs
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.sources.claims import Claim, Claims
from kgmill.pipelines.sources.duplicates import (
    KEYS,
    Loser,
    band_keys,
    find_losers,
    key_rows,
    n_bands_and_rows,
    signature,
    worst,
)
from kgmill.pipelines.sources.find import SourceFile, count_others, read_records
from kgmill.pipelines.stages import aggregate, combine, decode, export, extract, ingest
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.errors import VanishError
from kgmill.schemas.identity import fingerprint, unit_name, unit_of
from kgmill.schemas.records import Document, Reject

_ROWS_OF = {"ingest": "documents", "extract": "documents"}  # of the other stages: work units
# Where no earlier run tells: characters a second through the default model, and seconds a document or unit, roughly.
_CHARACTERS_A_SECOND = {"cpu": 5_000, "cuda": 100_000}
_DEFAULT_RATES = {"ingest": 0.001, "decode": 0.5, "aggregate": 0.5, "export": 0.5}


@dataclass(slots=True)
class Scanned:
    """A document as far as a plan knows it.

    Attributes:
        row: hash of all its fields.
        notes: what was left out of it, or replaced.
        is_foreign: it is in none of the model's languages.
    """

    sha256: str
    row: str
    n_characters: int
    notes: str
    is_foreign: bool = False


@dataclass(slots=True)
class Scan:
    """What an ingest of the sources would keep and refuse.

    Attributes:
        rejects: per unit the hashes of its rejects.
        reasons: how many rejects there are of each reason.
    """

    documents: dict[str, Scanned] = field(default_factory=dict)
    rejects: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    reasons: Counter[str] = field(default_factory=Counter)

    def left_out(self) -> Counter[str]:
        """What is left out of the documents, or replaced, by rule."""
        return Counter(ingest.left_out(document.notes for document in self.documents.values()))


def make_plan(
    sources: tuple[str, ...],
    out: Path,
    config: BuildConfig,
    *,
    n_workers: int = 0,
    runner: str = "FnApiRunner",
    beam_options: tuple[str, ...] = (),
    yes: bool = False,
) -> dict[str, Any]:
    """What a build would do, as JSON-like data.

    Raises:
        UsageError: what a build would refuse.
    """
    config = named(config, out)
    checked = check_build(sources, out, config, runner, beam_options, n_workers)
    build = Build(sources, config, Store(out.resolve()), Worker(), *checked)
    found = build.find()
    store, files, live = build.store, found.files, build.store.live("ingest")
    n_bits = ingest.plan(files, live, config)[1]["n_bits"]
    scan = scan_sources(files, live, config, n_bits, build.languages)
    old = {i: h for part in live for i, h in _pairs(part)}
    documents = {
        "new": sum(i not in old for i in scan.documents),
        "changed": sum(i in old and old[i] != d.sha256 for i, d in scan.documents.items()),
        "unchanged": sum(old.get(i) == d.sha256 for i, d in scan.documents.items()),
        "removed": sum(i not in scan.documents for i in old),
        "rejected": scan.reasons.total(),
    }
    is_read = not build.is_ingested(ingest.source_key(files, config))
    stages = _stages(build, scan, _unchanged_units(live, scan, n_bits), n_bits, is_read)
    runs = [run for run in all_runs(store.root) if run.get("status") == "done"]
    return {
        "documents": documents,
        "rejects": dict(sorted(scan.reasons.items())),
        "left_out": dict(sorted((scan.left_out() + Counter(count_others(found, config.source))).items())),
        "stages": stages,
        "changed_settings": _changed_settings(build, store.root),
        "stops": _stop(documents["removed"], len(old), yes),
        **_estimate(stages, runs, build.device),
    }


def scan_sources(
    files: Iterable[SourceFile],
    live: Iterable[Part],
    config: BuildConfig,
    n_bits: int,
    languages: tuple[str, ...] = (),
) -> Scan:
    """Reads the sources and decides as ingest would (`kgmill.pipelines.stages.ingest`), and finds foreign texts."""
    scan, signatures = Scan(), {}

    def reject(record: Reject) -> None:
        unit = unit_of(record.doc_id or record.source, n_bits)
        scan.rejects[unit][fingerprint(list(asdict(record).values()))] += 1
        scan.reasons[record.reason] += 1

    carried = list(live) if config.mode == "append" else []
    claims = Claims({row["doc_id"]: Claim(row["source"], row["sha256"]) for row in _rows(carried)})
    sources: dict[str, str] = {}

    def keep(document: Document) -> None:
        sources[document.doc_id] = document.source
        row = _row(asdict(document))
        is_foreign = bool(languages and foreign_language(document.text, languages))
        scan.documents[document.doc_id] = Scanned(document.sha256, row, len(document.text), document.notes, is_foreign)
        if config.near_duplicates:
            signatures[document.doc_id] = signature(document.text)

    for file in files:
        for record in read_records(file, config.source):
            if isinstance(record, Reject):
                reject(record)
            elif refused := claims.claim(record.doc_id, file.name, Claim(record.source, record.sha256)):
                reject(refused)
            else:
                keep(record)
    for row in _rows(carried):
        if not claims.is_taken(row["doc_id"]):
            keep(Document(**row))
    for doc_id, loser in worst(_losers(scan, signatures, config.near_duplicates)).items():
        del scan.documents[doc_id]
        reject(Reject("ingest", sources[doc_id], doc_id, loser.reason, loser.detail))
    if n_foreign := sum(document.is_foreign for document in scan.documents.values()):
        scan.reasons["language"] = n_foreign  # extract's, and no reject of a unit that ingest makes
    return scan


def _rows(parts: Iterable[Part]) -> Iterator[dict[str, Any]]:
    for part in parts:
        yield from part.read("documents").to_pylist()


def _losers(scan: Scan, signatures: dict[str, bytes], threshold: float) -> Iterator[Loser]:
    ids = list(scan.documents)
    yield from find_losers(key_rows(ids, [scan.documents[i].sha256 for i in ids], (), 0), 0)
    for band in range(n_bands_and_rows(threshold)[0] if threshold else 0):  # one band at a time is in memory
        keys = [band_keys(signatures[i], threshold)[band] for i in ids]
        yield from find_losers(pa.table([keys, ids, [signatures[i] for i in ids]], schema=KEYS), threshold)


def _row(record: dict[str, Any]) -> str:
    return fingerprint([value for name, value in record.items() if name != "text"])[:32]


def _pairs(part: Part) -> Iterator[tuple[str, str]]:
    columns = part.read("documents", ["doc_id", "sha256"]).columns
    return zip(*(column.to_pylist() for column in columns), strict=True)


def _unchanged_units(live: Iterable[Part], scan: Scan, n_bits: int) -> list[Part]:
    """The live parts that ingest would make again just as they are."""
    rows: dict[str, set[str]] = defaultdict(set)
    for doc_id, document in scan.documents.items():
        rows[unit_name(n_bits, unit_of(doc_id, n_bits))].add(document.row)
    refused = {unit_name(n_bits, unit): rejects for unit, rejects in scan.rejects.items()}
    same = []
    for part in live:
        if int(part.unit[:2]) != n_bits:
            continue
        table = part.read("documents")
        old = {_row(row) for row in table.drop_columns("text").to_pylist()}
        rejects = Counter(fingerprint(list(row.values())) for row in part.read("rejects").to_pylist())
        if old == rows[part.unit] and rejects == refused.get(part.unit, Counter()):
            same.append(part)
    return same


def _stages(build: Build, scan: Scan, same: list[Part], n_bits: int, is_read: bool) -> dict[str, dict[str, Any]]:
    """Per stage how many documents or units it would run, and how many it would find done."""
    store, n_units = build.store, 1 << n_bits
    retry_rejects = build.config.retry_rejects
    extracted, _ = extract.plan(store, same, build.extract_key, build.languages, retry_rejects=retry_rejects)
    reusable = _reusable(store, build.extract_key, retry_rejects)
    done_units = {part.unit for part in extracted}
    met = [
        document
        for doc_id, document in scan.documents.items()
        if unit_name(n_bits, unit_of(doc_id, n_bits)) not in done_units
        and (doc_id, document.sha256) not in reusable
        and not document.is_foreign
    ]
    decoded, _ = decode.plan(store, same, extracted, build.decode_settings)
    aggregated: list[Part] = []
    n_partitions = max(1, len(store.live("aggregate")))
    if len(decoded) == n_units:
        bits = combine.partition_bits(decoded)
        combined, missing = combine.plan(store, decoded, bits)
        aggregated = [] if missing else aggregate.plan(store, combined, bits)[0]
        n_partitions = 1 << bits
    members, _, _ = export.plan(store, same, decoded, aggregated, build.export_settings)
    n_documents = len(scan.documents)
    return {
        "ingest": _stage("ingest", n_documents if is_read else 0, 0 if is_read else n_documents),
        "extract": _stage("extract", len(met), n_documents - len(met) - scan.reasons["language"])
        | {"n_characters": sum(document.n_characters for document in met)},
        "decode": _stage("decode", n_units - len(decoded), len(decoded)),
        "aggregate": _stage("aggregate", n_partitions - len(aggregated), len(aggregated)),
        "export": _stage("export", export.n_members(n_units, n_partitions) - len(members), len(members)),
    }


def _stage(name: str, n_run: int, n_reused: int) -> dict[str, Any]:
    return {"run": n_run, "reuse": n_reused, "of": _ROWS_OF.get(name, "units")}


def _reusable(store: Store, key: str, retry_rejects: bool) -> set[tuple[str, str]]:
    """Ids and text hashes of the documents that don't meet the model again."""
    found = set()
    for part in store.live("extract"):
        if part.counts["key"] == key:
            for row in part.read("documents", ["doc_id", "sha256", "fault"]).to_pylist():
                if not (row["fault"] and (retry_rejects or row["fault"].startswith("language: "))):
                    found.add((row["doc_id"], row["sha256"]))
    return found


def _changed_settings(build: Build, root: Path) -> list[str] | None:
    """Which settings are not those of the last run; none where there was none."""
    last = next(iter(all_runs(root)), {}).get("fingerprints")
    if last is None:
        return None
    return sorted(name for name, value in build.fingerprints.items() if name != "run" and last.get(name) != value)


def _stop(n_removed: int, n_live: int, yes: bool) -> str:
    try:
        check_vanishing(n_removed, n_live, yes)
    except VanishError as error:
        return str(error)
    return ""


def _estimate(stages: dict[str, dict[str, Any]], runs: list[dict[str, Any]], device: str) -> dict[str, Any]:
    """Seconds from the latest run in which a stage did something; by rule of thumb where none did."""
    seconds, guessed = 0.0, []
    for name in STAGES:
        stage = stages[name]
        if not stage["run"]:
            continue
        rate = next((rate for run in runs if (rate := _rate(run, name))), None)
        if rate is None:
            guessed.append(name)
            speed = _CHARACTERS_A_SECOND[device.partition(":")[0]]
            seconds += stage["n_characters"] / speed if name == "extract" else stage["run"] * _DEFAULT_RATES[name]
        else:
            seconds += stage["run"] * rate
    return {"seconds": round(seconds, 1), "guessed": guessed}


def _rate(run: dict[str, Any], stage: str) -> float | None:
    """Seconds a document or unit that a stage took in a run; none if it did nothing."""
    report, documents = run["stages"].get(stage), run["documents"]
    if not report or not report["n_done"]:
        return None
    n = {"ingest": documents["kept"], "extract": documents["kept"] - documents["reused"]}.get(stage, report["n_done"])
    return report["seconds"] / n if n > 0 else None
