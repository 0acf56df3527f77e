"""The flow `build_knowledge_graph`: a build whose tasks are the stages. The same stages run without Prefect too."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import httpx
from prefect import flow, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.client.schemas.objects import State
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from kgmill.flows import artifacts
from kgmill.flows.limits import GpuTurn, Note, SkippedError, TimeLimit, WhenBusy, gpu_of, hold_when_free, turn_on_host
from kgmill.flows.load_summary import format_load
from kgmill.flows.loading import LoadTo, check_load, load_folder, logged_in
from kgmill.flows.outcome import is_nothing_new, outcome
from kgmill.flows.prefect_environment import prefect_is_configured
from kgmill.flows.progress import Progress, Status
from kgmill.flows.retries import (
    PASSING,
    RETRIES,
    RETRY_DELAY_S,
    begin,
    give_up,
    is_passing_store,
    is_tried_again,
    start_again,
)
from kgmill.flows.watching import dataset_of, watched
from kgmill.pipelines.building import Listener, finish, held, hold
from kgmill.pipelines.building import run_stage as run_stage_of
from kgmill.pipelines.checks import check_build, check_rejects
from kgmill.pipelines.context import RunContext
from kgmill.pipelines.output import layout
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.report.changes import Changes, changes_of
from kgmill.pipelines.report.report import write_report
from kgmill.pipelines.stages.stage import NAMES
from kgmill.pipelines.triplestores.claim import Wishes
from kgmill.schemas.config import BuildConfig, dataset_name
from kgmill.schemas.errors import ConfigError, KgmillError, LockError
from kgmill.schemas.text import printable

TAG = "kgmill"
_DEFAULTS = BuildConfig()
_MAX_QUADS = 1_000_000  # of changes that are read to tell facts by name


class _NoTraceback(logging.Filter):
    """Leaves Prefect's traceback out where one line says all: of our own errors, the server's end, and the system's.

    The command line says no more of these.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], (KgmillError, httpx.HTTPError, OSError)):
            record.exc_info, record.exc_text = None, None
        return True


_NO_TRACEBACK = _NoTraceback()


def leave_tracebacks_out() -> None:
    """For as long as this process runs flows: Prefect logs a failure after the flow's function has ended."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_NO_TRACEBACK)


@task(
    task_run_name="{stage}",
    cache_policy=NO_CACHE,
    persist_result=False,
)
def run_stage(context: dict[str, Any], stage: str) -> dict[str, Any]:
    """One stage. Its commit is idempotent and its manifests are the commit log, so Prefect caches and keeps nothing.

    Nor does it retry: a worker that dies is started again within the stage, and what may pass is for the flow to try
    again. `context` is a RunContext as JSON. A process that doesn't hold the run's folder takes it for this stage.
    """
    checked = RunContext.model_validate(context)
    if run := held(checked):
        report = run_stage_of(run, stage)
    else:
        with hold(checked, stages=(stage,), listener=_listener()) as run:
            report = run_stage_of(run, stage)
    get_run_logger().info(
        "%s: %d work units made, %d reused, %.1f s", stage, report.n_done, report.n_reused, report.seconds
    )
    return asdict(report)


@task(
    task_run_name="load",
    cache_policy=NO_CACHE,
    persist_result=False,
    retry_condition_fn=is_passing_store,
)
def load_graph(out: str, to: dict[str, Any], yes: bool) -> str:
    """Loads the graph into a triple store, as `kgmill load` does, and says what that did; tried again for stores alone.

    `to` is a LoadTo as JSON. The login comes from its block or the environment, and goes to the store alone.
    """
    logger, wanted = get_run_logger(), LoadTo.load(None, to)
    progress = Progress("quads", log=lambda status: logger.info("%s", status))
    with logged_in(wanted.credentials):
        report = load_folder(
            out,
            wanted.endpoint,
            wanted.profile,
            wishes=Wishes(yes=yes, facts=wanted.facts),
            ca_file=Path(wanted.ca_file) if wanted.ca_file else None,
            on_progress=lambda done, total: progress.update("load", done / total if total else 1.0, total),
        )
    line = f"loaded into {wanted.endpoint}: {format_load(report).splitlines()[0]}"
    logger.info("%s", printable(line))
    return line


def _listener(*others: Any) -> Listener:
    """Tells the run's log, and what else takes a status."""
    logger = get_run_logger()

    def log(status: Status) -> None:
        logger.info("%s", status)
        for other in others:
            other(status)

    return Listener(Progress("documents", log=log).update, lambda line: logger.warning("%s", printable(line)))


def _run_name() -> str:
    """Dataset and time."""
    parameters, started = runtime.flow_run.parameters, runtime.flow_run.scheduled_start_time
    dataset = _dataset(parameters["out"], parameters.get("config"))
    return f"{dataset} {started:%Y-%m-%dT%H:%M:%SZ}"


def _dataset(out: str, config: BuildConfig | Mapping[str, Any] | None) -> str:
    """The dataset's name, also where something is wrong with its configuration or output."""
    try:
        return dataset_of(out, _checked(config))
    except KgmillError:
        return dataset_name(Path(out).name)


def _checked(config: BuildConfig | Mapping[str, Any] | None) -> BuildConfig:
    """A configuration, from Python or from the server; Prefect's own check would say more lines and fewer words."""
    return config if isinstance(config, BuildConfig) else BuildConfig.load(None, dict(config or {}))


@flow(
    name="build_knowledge_graph",
    flow_run_name=_run_name,
    validate_parameters=False,
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=RETRY_DELAY_S,
    on_crashed=[start_again],
)
def build_knowledge_graph(
    sources: list[str],
    out: str,
    load_to: LoadTo | None = None,
    report: bool = False,
    yes: bool = False,
    when_busy: WhenBusy = "wait",
    time_limit: float = 0.0,
    retries: int = RETRIES,
    retry_delay: int = RETRY_DELAY_S,
    n_workers: int = 0,
    runner: str = "FnApiRunner",
    beam_options: tuple[str, ...] = (),
    config: BuildConfig = _DEFAULTS,
) -> State[dict[str, Any]]:
    """Builds the graph of the sources in the folder `out`, and loads it where that is wanted.

    The result is what run.json says. More rejects than `max_reject_ratio` fail the run when all is done. No parameter
    is a secret. They are in the order of the form that Prefect's page makes of them, the long one last.

    Args:
        sources: files, folders, patterns or URLs.
        out: the output folder, or a URL; one deployment for each.
        load_to: the triple store that the graph is loaded into after each build.
        report: write report.html after each build that changed something.
        yes: go on though over 20 % of the documents would leave the graph, or the store.
        when_busy: where another build holds the folder, wait for it, skip this run, or fail.
        time_limit: seconds that a run may take; 0 for no limit.
        retries: how often a run is tried again whose process died, or that failed of a lock, a disk or a store.
        retry_delay: seconds before it is tried again.
        n_workers: CPU threads that predict; 0 for all.
        runner: a Beam runner.
        beam_options: options of the Beam runner.
        config: everything that decides what comes out. What is left out has its default.
    """
    leave_tracebacks_out()
    dataset = _dataset(out, config)
    begin({TAG, dataset}, retries, retry_delay)
    progress = artifacts.ProgressArtifact(dataset)
    try:
        with watched(_checked(config), out) as watch:
            limit = TimeLimit(time_limit)
            if when_busy not in get_args(WhenBusy):
                raise ConfigError(f"when_busy {when_busy!r}: wanted {', '.join(get_args(WhenBusy))}")
            to = load_to if isinstance(load_to, LoadTo) or load_to is None else LoadTo.load(None, dict(load_to))
            if to:
                check_load(to)
            context = check_build(
                tuple(sources),
                out,
                _checked(config),
                n_workers=n_workers,
                runner=runner,
                beam_options=tuple(beam_options or ()),
                yes=yes,
            )
            with hold_when_free(context, watch.listen(_listener(progress.show)), when_busy, limit) as run:
                watch.holds(run)
                for stage in NAMES:
                    with gpu_of(run, stage, limit, _gpu_turn()):
                        run_stage(context.model_dump(mode="json"), stage)
                ledger = finish(run)
            changes = _leave(dataset, Store(out), ledger, report)
            check_rejects(ledger["documents"]["read"], ledger["rejects"], context.config.max_reject_ratio, out)
            line = outcome(ledger, changes)
            if to:
                loading = load_graph.with_options(retries=retries, retry_delay_seconds=retry_delay)
                line += "; " + loading(Store(out).where, to.model_dump(mode="json"), yes)
    except SkippedError as busy:
        line = f"skipped: {busy}"
        artifacts.leave_outcome(dataset, line)
        return Completed(name="Skipped", message=line)
    except Exception as error:
        line = f"failed: {str(error) or type(error).__name__}"
        progress.end(line, is_done=False)
        artifacts.leave_outcome(dataset, line)
        if isinstance(error, PASSING) and is_tried_again():
            raise  # Prefect begins a run anew that raises, not one that says how it ended
        give_up()
        if not isinstance(error, KgmillError):
            raise
        return Failed(message=printable(str(error)), data=error)
    progress.end(line)
    artifacts.leave_outcome(dataset, line)
    get_run_logger().info("%s", printable(line))
    return Completed(name="NothingNew" if is_nothing_new(ledger) else None, message=printable(line), data=ledger)


def _leave(dataset: str, store: Store, ledger: dict[str, Any], wants_report: bool) -> Changes | None:
    """Leaves the artifacts of a build that is done; gives the changes of its facts."""
    artifacts.leave_ledger(dataset, store.where, ledger)
    changes = None
    if not is_nothing_new(ledger):
        n_quads = sum(ledger["graph"].get(f"{side}_quads") or 0 for side in ("added", "removed"))
        changes = changes_of(store, ledger["started"]) if n_quads <= _MAX_QUADS else None
        artifacts.leave_facts(dataset, store, changes)
    if wants_report and not (is_nothing_new(ledger) and store.storage.has(layout.REPORT)):
        try:
            write_report(store)
        except LockError as busy:  # the next build, which waited, writes one of its own
            get_run_logger().warning("%s: no report of this build", busy)
    artifacts.leave_report(dataset, store)
    return changes


def _gpu_turn() -> GpuTurn:
    """What limits a GPU: the server, where there is one that lasts, else a lock of this machine."""
    return _turn_on_server if prefect_is_configured() else turn_on_host


@contextmanager
def _turn_on_server(name: str, limit: TimeLimit, note: Note) -> Iterator[None]:
    """A slot of a global concurrency limit of Prefect, which is made with one slot where there is none."""
    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(name)
        except ObjectNotFound:
            with suppress(ObjectAlreadyExists):  # by another run, in between
                client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=1))
    note(f"{name}: taking a slot of this limit")
    try:
        with concurrency(name, occupy=1, timeout_seconds=limit.left, strict=True, raise_on_lease_renewal_failure=False):
            yield
    except TimeoutError:
        limit.check()
        raise
