"""One stage of a build, on what the stages before it left, and the run of a build in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from kgmill.flows.options import BuildOptions, Json, Out, Sources
from kgmill.schemas.errors import OutputError

if TYPE_CHECKING:
    from kgmill.pipelines.building import Run
    from kgmill.pipelines.context import RunContext
    from kgmill.schemas.config import BuildConfig

NEEDS = ("build",)
GOES_ON = "; the next run goes on from the last committed work unit"


def one_stage(stage: str, sources: Sources, out: Out, options: BuildOptions, *, as_json: Json = False) -> None:
    """`kgmill STAGE`."""
    run_alone(stage, sources, out, options, options.config(), as_json=as_json)


@contextmanager
def opened(config: BuildConfig, out: str, check: Callable[[], RunContext], **how: Any) -> Iterator[Run]:
    """The run that `check` gives, watched as the configuration wants it, with its progress on standard error."""
    from kgmill.flows.terminal import note, progress
    from kgmill.flows.watching import watched
    from kgmill.pipelines.building import Listener, hold

    with ExitStack() as stack:
        watch, shown = stack.enter_context(watched(config, out)), stack.enter_context(progress("documents"))
        run = stack.enter_context(hold(check(), listener=watch.listen(Listener(shown.update, note)), **how))
        watch.holds(run)
        yield run


def run_alone(
    stage: str, sources: list[str], out: str, options: BuildOptions, config: BuildConfig, *, as_json: bool = False
) -> None:
    """Runs a stage and prints what it did."""
    from kgmill.flows.summary import ledger_lines, untold_lines
    from kgmill.flows.terminal import say, show_json
    from kgmill.pipelines.building import finish, run_stage
    from kgmill.pipelines.checks import check_finished, check_rejects
    from kgmill.pipelines.output.format import check_readable
    from kgmill.pipelines.output.parts import Store
    from kgmill.pipelines.output.steps import check_in_step
    from kgmill.pipelines.stages.stage import NAMES

    before = NAMES[: NAMES.index(stage)]
    store = Store(out)

    def check() -> RunContext:
        check_readable(store)
        check_finished(store, before)
        check_in_step(store, before)
        return options.check(sources, out, config)

    with opened(config, out, check, stages=(stage,)) as run:
        report = run_stage(run, stage)
        ledger = _count_rejects(run, (*before, stage))
        # After the last, run.json has to promise the bytes of the new graph.
        untold = untold_lines(finish(run)["graph"]) if stage == NAMES[-1] else []
    if as_json:
        counted = dict(zip(("documents", "rejects", "left_out"), ledger, strict=True)) if ledger else {}
        show_json({"stage": stage, **asdict(report), **counted})
    else:
        say(f"{stage}: {report.n_done} work units made, {report.n_reused} reused, {report.seconds:.1f} s", *untold)
    if ledger:
        documents, rejects, passed_over = ledger
        if not as_json:
            say(*ledger_lines(documents, rejects, passed_over))
        check_rejects(documents["read"], rejects, config.max_reject_ratio, store.where)


def _count_rejects(run: Run, stages: tuple[str, ...]) -> tuple[dict[str, int], dict[str, int], dict[str, int]] | None:
    """Publishes the rejects up to the last of some stages; counts documents, rejects and what was left out.

    None where that one rejects nothing.
    """
    from kgmill.pipelines.output.origins import known_others
    from kgmill.pipelines.output.rejects import left_out, publish_rejects
    from kgmill.pipelines.stages.stage import stage_named

    if not stage_named(stages[-1]).rejects:
        return None
    documents, rejects = publish_rejects(run.store, [name for name in stages if stage_named(name).rejects])
    return documents, rejects, left_out(run.store, known_others(run.store))


def config_of(out: str, options: BuildOptions) -> BuildConfig:
    """The configuration of a folder's last run, with what the flags say on top.

    Raises:
        OutputError: no build of this format finished there.
    """
    from kgmill.pipelines.output.format import check_readable
    from kgmill.pipelines.output.ledger import last_run
    from kgmill.pipelines.output.parts import Store

    store = Store(out)
    check_readable(store)
    before = last_run(store).get("config")
    if before is None:
        raise OutputError(f"{out}: holds no build of this version; run kgmill build first, or say --out DIR")
    names = ("base_iri", "dataset")  # those that aren't given anew are found again, and fit one another
    watching = ("log_format", "log_file", "metrics")  # who watched that run need not watch this one
    return options.config({key: value for key, value in before.items() if key not in (*names, *watching)})
