"""A build: walks the stages, and ends in the ledger. Runs with or without an orchestrator."""

from __future__ import annotations

import logging
import platform
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from kgmill import __version__
from kgmill.pipelines.checks import check_build, check_finished
from kgmill.pipelines.context import RunContext
from kgmill.pipelines.decided import decided
from kgmill.pipelines.engine.engines import Engine, open_engine
from kgmill.pipelines.engine.local import run_request
from kgmill.pipelines.engine.request import Request
from kgmill.pipelines.engine.supervise import HERE
from kgmill.pipelines.engine.worker import Worker
from kgmill.pipelines.facts import FactConfidence
from kgmill.pipelines.output import format as output_format
from kgmill.pipelines.output.forgotten import finish_forgetting
from kgmill.pipelines.output.ledger import last_run, now, run_name, write_run
from kgmill.pipelines.output.origins import known_others
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.output.rejects import heads, left_out, publish_rejects
from kgmill.pipelines.output.steps import note_step
from kgmill.pipelines.output.upkeep import verify
from kgmill.pipelines.stages.extract import Settings as ExtractSettings
from kgmill.pipelines.stages.graph import live_counts, untold
from kgmill.pipelines.stages.models import lend_model
from kgmill.pipelines.stages.stage import NAMES, Outcome, Stage, Todo, missing, stage_named
from kgmill.pipelines.storage.files import remove
from kgmill.pipelines.storage.scratch import Scratch
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.errors import DISK_HINTS, DiskError, LockError, StorageError, UsageError, WorkerError
from kgmill.schemas.logged import within

MODEL = "model"  # what progress calls the rehearsal in which the model is opened
Progress = Callable[[str, float, int | None], None]
Note = Callable[[str], None]
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told of a run.

    Attributes:
        on_progress: told a job's name, the share of it that is done, and its documents, None until they are known.
        on_note: told a line for each damaged part that was found and removed, and each worker that died.
    """

    on_progress: Progress = lambda job, share, n_documents: None
    on_note: Note = lambda line: None


@dataclass(frozen=True, slots=True)
class StageReport:
    """What a stage did.

    Attributes:
        seconds: wall time.
        model_seconds: time inside prediction, summed over work units.
        peak_rss_mb: highest memory of the worker in this stage; 0 where it had nothing to do.
        n_done, n_reused: work units made now, and found made.
        counts: what the ledger is told besides.
    """

    seconds: float
    model_seconds: float
    peak_rss_mb: float
    n_done: int
    n_reused: int
    counts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def row(self) -> dict[str, Any]:
        """The stage's row of run.json."""
        return {name: value for name, value in asdict(self).items() if name != "counts"}


@dataclass(frozen=True, slots=True)
class Run:
    """A run that holds its output folder: its context, and what it works with.

    Attributes:
        reports: of the stages that this run did, by name.
    """

    context: RunContext
    store: Store
    worker: Worker
    listener: Listener = Listener()
    engine: Engine = HERE
    reports: dict[str, StageReport] = field(default_factory=dict)


def run_stage(run: Run, name: str) -> StageReport:
    """Runs one stage on what the stages before it left, and publishes its results; safe to call again after a failure.

    Raises:
        OutputError: a stage before it never finished here.
    """
    with within(**where_of(run.context), stage=name):
        logger.info("begins")
        report = run.reports[name] = _run_stage(run, name)
        done = (report.n_done, report.n_reused, report.seconds)
        logger.info("done: %d work units made, %d reused, %.1f s", *done)
    return report


def _run_stage(run: Run, name: str) -> StageReport:
    stage, started = stage_named(name), perf_counter()
    check_finished(run.store, stage.needs)
    parts = _made_before(run, stage)
    counts: dict[str, Any] = {}
    n_done = n_reused = 0
    peak_rss_mb = 0.0
    for job in stage.jobs:
        todo = missing(job, run.context, run.store, parts)
        outcome, job_rss_mb = _do(run, job, todo)
        parts[job] = outcome.parts
        counts |= todo.publish(outcome)
        _clear(outcome)
        if job in (stage.counted or (name,)):
            n_done, n_reused = n_done + len(outcome.receipts), n_reused + len(todo.done)
        peak_rss_mb = max(peak_rss_mb, job_rss_mb)
    note_step(run.store, name, [job for need in stage.needs for job in stage_named(need).jobs])
    return StageReport(
        seconds=round(perf_counter() - started, 3),
        model_seconds=round(counts.pop("model_seconds", 0.0), 3),
        peak_rss_mb=peak_rss_mb,
        n_done=n_done,
        n_reused=n_reused,
        counts=counts,
    )


def where_of(context: RunContext) -> dict[str, str]:
    """What log lines of a run say of it: its name, as `kgmill runs` has it, and its dataset."""
    return {"run": run_name(context.started), "dataset": context.config.dataset}


def has_work(run: Run, name: str) -> bool:
    """Whether the first job of a stage has anything to do, on what the stages before it left; touches nothing."""
    stage = stage_named(name)
    return bool(missing(stage.jobs[0], run.context, run.store, _made_before(run, stage)).tasks)


def _made_before(run: Run, stage: Stage) -> dict[str, list[Part]]:
    """The live parts of the jobs whose results a stage takes."""
    return {job: run.store.live(job) for need in stage.needs for job in stage_named(need).jobs}


def _do(run: Run, job: str, todo: Todo) -> tuple[Outcome, float]:
    """Does what a job has to do."""
    if not todo.tasks:
        return Outcome(sorted(todo.done, key=lambda part: part.unit)), 0.0
    context = run.context
    scratch = Scratch(run.store.scratch()) if run.engine.is_local else run.store.shared()
    request: Request[Any, Any] = Request(
        job,
        context.out,
        scratch.place,
        tuple(todo.tasks),
        todo.settings,
        runner=context.runner,
        beam_options=context.beam_options,
        log_level=logger.getEffectiveLevel(),
        memory_mb=context.config.worker_memory_mb,
    )
    if job == "extract" and not run.engine.is_local:
        lend_model(context, scratch)
    tell = partial(run.listener.on_progress, job)
    receipts, peak_rss_mb = run_request(run.worker, request, todo.extent, tell, run.listener.on_note, run.engine)
    made = [run.store.find(job, receipt.unit, receipt.fingerprint) for receipt in receipts.values()]
    parts = sorted([*todo.done, *filter(None, made)], key=lambda part: part.unit)
    return Outcome(parts, receipts, scratch), peak_rss_mb


def _clear(outcome: Outcome) -> None:
    if outcome.scratch:
        outcome.scratch.clear()


def try_model(run: Run) -> None:
    """Loads the model in the worker, which keeps it, unless an earlier run here did; touches nothing.

    What only loading shows (tensors that don't fit, a damaged tokenizer, no compiler) is so found before the first
    byte is written. A worker that dies of it is left to the stage, which tries again.

    Raises:
        UsageError: the model can't be used.
    """
    key = run.context.extract_key
    if any(part.counts["key"] == key for part in run.store.live("extract")):
        return
    run.listener.on_progress(MODEL, 0.0, None)
    try:
        if run.engine.is_local:
            with TemporaryDirectory(prefix="kgmill-") as folder:
                run.worker.run(_rehearsal(run, folder, Scratch(f"{folder}/request")).save())
        else:
            rehearse(run)
    except WorkerError as error:
        run.listener.on_note(f"{MODEL}: {error}; it is started again")
    run.listener.on_progress(MODEL, 1.0, None)


def rehearse(run: Run) -> None:
    """Has each worker of an engine open the model, once: that they come, see the output, and can work.

    Raises:
        KgmillError: one of them can't.
    """
    scratch = run.store.shared()
    request = _rehearsal(run, run.context.out, scratch)
    try:
        lend_model(run.context, scratch)
        with run.engine.job(request) as job:
            run.worker.run(replace(request, beam_options=job.options).save(), job.watch)
    finally:
        scratch.clear()


def try_engine(
    out: str, config: BuildConfig, runner: str, beam_options: Sequence[str], n_workers: int, on_note: Note
) -> str:
    """Looks whether an engine would do for builds into an output; leaves nothing there. Returns what the engine is.

    Raises:
        KgmillError: it wouldn't.
    """
    context = check_build((), out, config, runner=runner, beam_options=beam_options, n_workers=n_workers)
    store = Store(out)
    folder = store.storage.folder()
    is_new = folder is not None and not folder.exists()
    with open_engine(runner, beam_options, n_workers, context.out) as engine, Worker() as worker:
        told = engine.check(on_note)
        try:
            store.create()
            rehearse(Run(context, store, worker, Listener(), engine))
        finally:
            if folder is not None and is_new:
                remove(folder)
    return f"{told}; they see {store.where} and open the model"


def _rehearsal(run: Run, root: str, scratch: Scratch) -> Request[Any, Any]:
    context = run.context
    return Request(
        "extract",
        root,
        scratch.place,
        (),
        ExtractSettings(context.reading, context.extract_key),
        runner=context.runner,
        is_rehearsal=True,
        n_slots=run.engine.n_slots,
        log_level=logger.getEffectiveLevel(),
    )


def finish(run: Run) -> dict[str, Any]:
    """Publishes the rejects and writes run.json; returns its content.

    Raises:
        KgmillError: documents read are not documents kept and rejected.
    """
    documents, reasons = publish_rejects(run.store, ("ingest", "extract"))
    counts = {name: report.counts for name, report in run.reports.items()}
    documents["reused"] = counts.get("extract", {}).get("reused", 0)
    documents |= {name: counts.get("ingest", {}).get(name, 0) for name in ("added", "changed", "removed")}
    report = _report(run, "done", documents, reasons)
    write_run(run.store, report)
    output_format.settle(run.store)
    finish_forgetting(run.store)
    told = documents["kept"], documents["rejected"], report["graph"]["facts"]
    logger.info("done: %d documents kept, %d rejected; %d facts", *told)
    return report


def fail(run: Run, error: BaseException) -> None:
    """Says in run.json that the run failed, and why; `graph` stays true of what is in DIR/graph.

    Where it can't be written, as on a full disk or without the lease, the run.json before stays.
    """
    report = _report(run, "failed", {}, {})
    if "export" not in run.reports:
        report["graph"] = last_run(run.store).get("graph", report["graph"])
        report["graph_before"] = report["graph"]["sha256"]  # this run changed nothing
    report["error"] = str(error) or type(error).__name__
    with suppress(OSError, StorageError, LockError):
        write_run(run.store, report)


def _report(run: Run, status: str, documents: Mapping[str, int], reasons: Mapping[str, int]) -> dict[str, Any]:
    context, store = run.context, run.store
    exported = run.reports["export"].counts if "export" in run.reports else {}
    live = store.live("graph") if exported else []
    graph, formats = live_counts(live), untold(live)
    aggregated = store.live("aggregate") if "aggregate" in run.reports or exported else []
    n_found = sum(part.counts.get("decided", 0) for part in aggregated)
    is_whole = aggregated and status == "done"  # of a run that failed the resolved names may be what is at fault
    missed = decided(context, store.live("resolve")).left_out(n_found) if is_whole else {}
    extracted = run.reports["extract"].counts if "extract" in run.reports else {}
    return {
        "status": status,
        "documents": documents,
        "rejects": reasons,
        "left_out": left_out(store, Counter(known_others(store)) + Counter(missed)) if run.reports else {},
        "heads": heads(store) if run.reports else {},
        "model_calls": {"sentences": extracted.get("sentences", 0)},
        "stages": {stage: report.row for stage, report in run.reports.items()},
        "graph": {
            "entities": sum(part.rows("entities") for part in aggregated),
            "facts": sum(part.rows("facts") for part in aggregated),
            "quads": graph.get("quads", 0),
            "sha256": graph.get("sha256", ""),
            **{name: exported[name] for name in ("added_quads", "removed_quads") if name in exported},
            **({"left_out": formats} if formats else {}),
        },
        "graph_before": exported.get("graph_before", ""),
        "versions": {"kgmill": __version__, "python": platform.python_version()}
        | {name: version(name) for name in ("apache-beam", "pyarrow", "torch", "transformers")},
        "config": context.config.model_dump(mode="json"),
        "fingerprints": context.fingerprints,
        "started": context.started,
        "finished": now(),
    }


_HELD: dict[str, Run] = {}  # the runs that this process holds, by output folder


def held(context: RunContext) -> Run | None:
    """The run of a context, if this process holds it."""
    run = _HELD.get(context.out)
    return run if run and run.context == context else None


def _caution(context: RunContext, stages: Sequence[str]) -> str:
    """What is told before facts are judged; empty: nothing."""
    judge = FactConfidence.parse(context.calibration.get("facts", {}))
    return judge.caution(context.config.wanted_precision) if "aggregate" in stages else ""


@contextmanager
def hold(
    context: RunContext,
    *,
    stages: Sequence[str] = NAMES,
    listener: Listener = Listener(),
) -> Iterator[Run]:
    """Holds the output folder and a worker, and says in run.json if what is done there fails.

    `stages` are those that will be run.

    Raises:
        UsageError: the model can't be used.
        LockError: another build holds the output.
        DiskError: a file of the output could not be written.
    """
    store = Store(context.out)
    with (
        within(**where_of(context)),
        open_engine(context.runner, context.beam_options, context.n_workers, context.out) as engine,
        Worker(memory_mb=context.config.worker_memory_mb) as worker,
    ):
        run = Run(context, store, worker, listener, engine)
        engine.check(listener.on_note)
        if "extract" in stages and engine.is_local:
            try_model(run)
        with store.lock(clear=False):
            engine.take_over(listener.on_note)
            store.clear()
            if "extract" in stages and not engine.is_local:
                try_model(run)  # its workers have to see the output
            _HELD[context.out] = run
            try:
                for line in filter(None, (output_format.begin(store), *verify(store), _caution(context, stages))):
                    listener.on_note(line)
                yield run
            except BaseException as error:
                if isinstance(error, UsageError) and not run.reports:
                    raise  # nothing was touched, so the last run is still what run.json says
                with suppress(OSError):
                    store.clear()  # room for run.json on a full disk
                if isinstance(error, OSError) and error.errno in DISK_HINTS:
                    error = DiskError.of(error, store.where)
                fail(run, error)
                raise error from None
            finally:
                del _HELD[context.out]
