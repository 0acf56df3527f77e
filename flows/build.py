"""The flow `build_knowledge_graph`: a build whose tasks are the stages. The same stages run without Prefect too."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from kgmill.flows.progress import Progress
from kgmill.flows.summary import best_facts, facts_markdown, ledger_rows
from kgmill.pipelines.build import Listener, finish, held, hold
from kgmill.pipelines.build import run_stage as run_stage_of
from kgmill.pipelines.checks import check_build, check_rejects
from kgmill.pipelines.context import RunContext
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.stages.stage import NAMES
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.errors import KgmillError
from kgmill.schemas.text import printable, printable_markdown


class _NoTraceback(logging.Filter):
    """Leaves Prefect's traceback out where the error is one of our own: its one line says all."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], KgmillError):
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

    Nor does it retry: a worker that dies is started again within the stage, and what is wrong stays wrong. `context` is
    a RunContext as JSON. A process that doesn't hold the run's folder takes it for this stage.
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


def _listener() -> Listener:
    """Tells the run's log."""
    logger = get_run_logger()
    return Listener(
        Progress("documents", log=lambda status: logger.info("%s", status)).update,
        lambda line: logger.warning("%s", printable(line)),
    )


@flow(name="build_knowledge_graph", flow_run_name="{out}", validate_parameters=False, persist_result=False)
def build_knowledge_graph(
    sources: list[str],
    out: str,
    config: dict[str, Any] | None = None,
    n_workers: int = 0,
    runner: str = "FnApiRunner",
    beam_options: list[str] | None = None,
    yes: bool = False,
) -> dict[str, Any]:
    """Builds the graph of the sources in the folder `out`; returns what run.json says.

    `config` holds keys of `kgmill.schemas.config.BuildConfig`; with `yes` it goes on though many documents would leave
    the graph. More rejects than `max_reject_ratio` fail the run when all is done. No parameter is a secret.
    """
    leave_tracebacks_out()
    checked = BuildConfig.load(None, config or {})
    context = check_build(
        tuple(sources),
        out,
        checked,
        n_workers=n_workers,
        runner=runner,
        beam_options=tuple(beam_options or ()),
        yes=yes,
    )
    with hold(context, listener=_listener()) as run:
        for stage in NAMES:
            run_stage(context.model_dump(mode="json"), stage)
        report = finish(run)
    _leave_artifacts(Store(out), report)
    check_rejects(report["documents"]["read"], report["rejects"], checked.max_reject_ratio, out)
    return report


def _leave_artifacts(store: Store, report: dict[str, Any]) -> None:
    description = f"Ledger of {printable_markdown(store.where)}"
    create_table_artifact(key="ledger", table=ledger_rows(report), description=description)
    create_markdown_artifact(key="best-facts", markdown=facts_markdown(best_facts(store, 20)), description="Best facts")
