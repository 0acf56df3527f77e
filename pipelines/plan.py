"""Plan: what a build would reuse, run and drop, and about how long, found without touching anything.

The stages are asked what is missing, as a build asks them. Where ingest has something to do, its job does it, into a
folder that is thrown away: so a plan decides as a build does, and has no more in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kgmill.pipelines.building import Listener
from kgmill.pipelines.context import RunContext
from kgmill.pipelines.engine.local import run_request
from kgmill.pipelines.engine.request import Request
from kgmill.pipelines.engine.worker import Worker
from kgmill.pipelines.output.ledger import all_runs
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.output.rejects import reasons_of
from kgmill.pipelines.sources.find import count_others
from kgmill.pipelines.stages import combine, export, extract, ingest
from kgmill.pipelines.stages.stage import NAMES, missing
from kgmill.schemas.errors import VanishError
from kgmill.schemas.records import Document
from kgmill.schemas.tables import from_table

_ROWS_OF = {"ingest": "documents", "extract": "documents"}  # of the other stages: work units
# Where no earlier run tells: characters a second through the default model, and seconds a document or unit, roughly.
_CHARACTERS_A_SECOND = {"cpu": 5_000, "cuda": 100_000}
_DEFAULT_RATES = {"ingest": 0.001, "decode": 0.5, "aggregate": 0.5, "export": 0.5}


@dataclass(frozen=True, slots=True)
class Ingested:
    """What ingest would leave.

    Attributes:
        parts: its parts, in the output folder or in one that is thrown away.
        is_read: whether the sources have to be read.
    """

    parts: Sequence[Part]
    is_read: bool


def make_plan(context: RunContext, listener: Listener = Listener()) -> dict[str, Any]:  # noqa: B008 - frozen
    """What a build would do, as JSON-like data.

    Raises:
        UsageError: what a build would refuse.
    """
    store = Store(context.out)
    with _ingested(context, store, listener) as ingested:
        return _plan(context, store, ingested)


def _plan(context: RunContext, store: Store, ingested: Ingested) -> dict[str, Any]:
    found, live = dict(_hashes(ingested.parts)), dict(_hashes(store.live("ingest")))
    rejects = Counter(reasons_of(ingested.parts))
    stages, n_foreign = _stages(context, store, ingested, len(found))
    rejects += Counter({"language": n_foreign})  # extract's, and no reject of a unit that ingest makes
    documents = {
        "new": sum(i not in live for i in found),
        "changed": sum(i in live and live[i] != h for i, h in found.items()),
        "unchanged": sum(live.get(i) == h for i, h in found.items()),
        "removed": sum(i not in found for i in live),
        "rejected": rejects.total(),
    }
    sources = ingest.find_sources(context, ingest.kept_origins(context, store))
    left_out = Counter(count_others(sources, context.config.source))
    for part in ingested.parts:
        left_out.update(part.counts.get("left_out", {}))
    runs = [run for run in all_runs(store) if run.get("status") == "done"]
    return {
        "documents": documents,
        "rejects": dict(sorted(rejects.items())),
        "left_out": dict(sorted(left_out.items())),
        "stages": stages,
        "changed_settings": _changed_settings(context, store),
        "stops": _stop(documents["removed"], len(live), context.yes),
        **_estimate(stages, runs, context.device),
    }


@contextmanager
def _ingested(context: RunContext, store: Store, listener: Listener) -> Iterator[Ingested]:
    """What ingest would leave, for as long as the block lasts."""
    todo = missing("ingest", context, store, {})
    if not todo.tasks:
        yield Ingested(todo.done, is_read=False)
        return
    with TemporaryDirectory(prefix="kgmill-") as folder, Worker() as worker:
        spare = _spare(store, Path(folder))
        request = Request("ingest", spare.where, str(spare.scratch()), tuple(todo.tasks), todo.settings)
        tell = partial(listener.on_progress, "ingest")
        receipts, _ = run_request(worker, request, todo.extent, tell, listener.on_note)
        parts = [spare.need("ingest", receipt.unit, receipt.fingerprint) for receipt in receipts.values()]
        yield Ingested(sorted(parts, key=lambda part: part.unit), is_read=True)


def _spare(store: Store, folder: Path) -> Store:
    """An output folder to throw away, in which the live documents are to be read: by links, or copied from afar."""
    spare = Store(folder / "out")
    spare.create()
    home = store.storage.folder()
    for part in store.live("ingest"):
        if home is None:
            content = spare.scratch()
            for name in part.files:
                (content / name).write_bytes(part.read_bytes(name))
            spare.commit(part.stage, part.unit, part.fingerprint, content, part.counts)
            continue
        link = folder / "out" / part.place
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(home / part.place, target_is_directory=True)
    return spare


def _hashes(parts: Sequence[Part]) -> Iterator[tuple[str, str]]:
    for part in parts:
        columns = part.read("documents", ["doc_id", "sha256"]).columns
        yield from zip(*(column.to_pylist() for column in columns), strict=True)


def _stages(
    context: RunContext, store: Store, ingested: Ingested, n_documents: int
) -> tuple[dict[str, dict[str, Any]], int]:
    """Per stage how many documents or units it would run and find done; and how many documents are foreign."""
    parts: dict[str, Sequence[Part]] = {"ingest": ingested.parts}
    n_units = len(ingested.parts)
    todo = missing("extract", context, store, parts)
    met, n_foreign = _met(context, store, todo.tasks, ingested.parts)
    n_foreign += sum(sum(part.counts.get("languages", {}).values()) for part in todo.done)
    parts["extract"] = todo.done
    parts["decode"] = _decoded(context, store, parts, n_units)
    parts["aggregate"] = []
    n_partitions = max(1, len(store.live("aggregate")))
    if len(parts["decode"]) == n_units:
        n_partitions = 1 << combine.partition_bits(parts["decode"], context.config.bucket_bits)
        combined = missing("combine", context, store, parts)
        if not combined.tasks:
            parts["combine"] = combined.done
            rivals = missing("rivals", context, store, parts)
            parts["rivals"] = rivals.done
            parts["aggregate"] = () if rivals.tasks else missing("aggregate", context, store, parts).done
    parts["export"] = missing("export", context, store, parts).done
    files = missing("graph", context, store, parts)
    n_exported = len(parts["export"]) + len(files.done)
    n_units_of_export = export.n_members(n_units, n_partitions) + len(files.done) + len(files.tasks)
    n_read = n_documents if ingested.is_read else 0
    return {
        "ingest": _stage("ingest", n_read, n_documents - n_read),
        "extract": _stage("extract", len(met), n_documents - len(met) - n_foreign)
        | {"n_characters": sum(len(document.text) for document in met)},
        "decode": _stage("decode", n_units - len(parts["decode"]), len(parts["decode"])),
        "aggregate": _stage("aggregate", n_partitions - len(parts["aggregate"]), len(parts["aggregate"])),
        "export": _stage("export", n_units_of_export - n_exported, n_exported),
    }, n_foreign


def _decoded(context: RunContext, store: Store, parts: dict[str, Sequence[Part]], n_units: int) -> Sequence[Part]:
    """The units that decode would find done: none, where a name is new, as any may have another meaning then."""
    for job in ("names", "resolve"):
        todo = missing(job, context, store, parts)
        if todo.tasks or len(todo.done) != n_units:
            return ()
        parts[job] = todo.done
    return missing("decode", context, store, parts).done


def _met(
    context: RunContext, store: Store, tasks: Sequence[extract.Task], ingested: Sequence[Part]
) -> tuple[list[Document], int]:
    """The documents of units that would meet the model; and how many of these units' are foreign."""
    by_unit = {part.unit: part for part in ingested}
    met: list[Document] = []
    n_foreign = 0
    for task in tasks:
        documents = list(from_table("documents", by_unit[task.unit].read("documents")))
        foreign = extract.find_foreign(documents, context.read_languages)
        _, kept = extract.reuse(store, task, documents, foreign, retry_rejects=context.config.retry_rejects)
        n_foreign += len(foreign)
        met += [d for d in documents if d.doc_id not in kept and d.doc_id not in foreign]
    return met, n_foreign


def _stage(name: str, n_run: int, n_reused: int) -> dict[str, Any]:
    return {"run": n_run, "reuse": n_reused, "of": _ROWS_OF.get(name, "units")}


def _changed_settings(context: RunContext, store: Store) -> list[str] | None:
    """Which settings are not those of the last run; none where there was none."""
    last = next(iter(all_runs(store)), {}).get("fingerprints")
    if last is None:
        return None
    now = context.fingerprints
    return sorted(name for name in {*now, *last} - {"run"} if now.get(name) != last.get(name))


def _stop(n_removed: int, n_live: int, yes: bool) -> str:
    try:
        ingest.check_vanishing(n_removed, n_live, yes)
    except VanishError as error:
        return str(error)
    return ""


def _estimate(stages: dict[str, dict[str, Any]], runs: list[dict[str, Any]], device: str) -> dict[str, Any]:
    """Seconds from the latest run in which a stage did something; by rule of thumb where none did."""
    seconds, guessed = 0.0, []
    for name in NAMES:
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
