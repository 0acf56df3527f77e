"""Corpus to graph: ingest, extract, decode, aggregate, export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from typer import Option

from kgmill.flows.one_stage import GOES_ON
from kgmill.flows.options import BuildOptions, Json, LimitOptions, Out, Sources, one_of
from kgmill.flows.prefect_environment import import_prefect, prefect_is_configured, silence_prefect, use_temporary_home
from kgmill.flows.terminal import note, say, voice
from kgmill.schemas.errors import TooManyRejectsError
from kgmill.schemas.extras import require

if TYPE_CHECKING:
    from kgmill.schemas.config import BuildConfig

__all__ = ["GOES_ON", "build"]
PANEL = "Build"
NEEDS = ("build",)
EXAMPLES = (
    "kgmill build corpus --out kg",
    "kgmill build 'news/*.jsonl.gz' --out kg --formats nq,parquet --min-confidence 0.6",
    "kgmill build corpus --out kg --config kgmill.toml --prefect",
)


def build(
    sources: Sources,
    out: Out,
    options: BuildOptions,
    limits: LimitOptions,
    *,
    prefect: Annotated[bool, Option("--prefect", rich_help_panel="How it runs", help="run as a Prefect flow")] = False,
    no_prefect: Annotated[
        bool, Option("--no-prefect", rich_help_panel="How it runs", help="run without Prefect")
    ] = False,
    as_json: Json = False,
) -> None:
    """`kgmill build`."""
    one_of({"--prefect": prefect, "--no-prefect": no_prefect})
    from kgmill.flows.limits import SkippedError, TimeLimit
    from kgmill.pipelines.output.parts import Store

    TimeLimit(limits.time_limit)
    config, store = options.config(), Store(out)
    if use_prefect := prefect or (not no_prefect and prefect_is_configured()):
        require("build as a Prefect flow (without: --no-prefect)", "prefect")
    too_many = None
    try:
        (_build_with_prefect if use_prefect else _build_directly)(sources, out, options, config, limits)
    except TooManyRejectsError as error:
        too_many = error  # the build is done all the same, so its summary comes first
    except SkippedError as busy:
        say(f"skipped: {busy}")
        return
    from kgmill.flows.summary import show_build
    from kgmill.pipelines.output.ledger import last_run

    show_build(store, last_run(store), as_json=as_json)
    if too_many:
        raise too_many


def _build_directly(
    sources: list[str], out: str, options: BuildOptions, config: BuildConfig, limits: LimitOptions
) -> None:
    from kgmill.flows.limits import TimeLimit, gpu_of, hold_when_free, turn_on_host
    from kgmill.flows.terminal import progress
    from kgmill.flows.watching import watched
    from kgmill.pipelines.building import Listener, finish, run_stage
    from kgmill.pipelines.checks import check_rejects
    from kgmill.pipelines.stages.stage import NAMES

    limit = TimeLimit(limits.time_limit)
    with watched(config, out) as watch, progress("documents") as shown:
        context = options.check(sources, out, config)
        listener = watch.listen(Listener(shown.update, note))
        with hold_when_free(context, listener, limits.when_busy or "fail", limit) as run:
            watch.holds(run)
            for stage in NAMES:
                with gpu_of(run, stage, limit, turn_on_host):
                    run_stage(run, stage)
            report = finish(run)
        check_rejects(report["documents"]["read"], report["rejects"], config.max_reject_ratio, out)


def _build_with_prefect(
    sources: list[str], out: str, options: BuildOptions, config: BuildConfig, limits: LimitOptions
) -> None:
    from kgmill.flows.limits import SkippedError, check_free

    when_busy = limits.when_busy or "fail"
    options.check(sources, out, config)
    if when_busy == "fail":
        check_free(out)  # refused in a second and one line, before Prefect starts
    logs_alone = bool(config.log_format) and not config.log_file
    if voice().quiet or logs_alone:
        silence_prefect()
    if not prefect_is_configured():
        use_temporary_home()
        if not logs_alone:
            note("starting Prefect's temporary server; this takes 10 to 20 seconds")
    import_prefect()
    from kgmill.flows.build import build_knowledge_graph
    from kgmill.flows.deployments import check_server, gone_server

    if prefect_is_configured():
        check_server()
    how = options.how | {
        "when_busy": when_busy,
        "time_limit": limits.time_limit,
        "retries": 0,
    }  # whoever looks on tries again
    with gone_server(GOES_ON):
        ledger = build_knowledge_graph(sources, out, config=config, **how)
    if ledger is None:
        raise SkippedError("another build is running there")
