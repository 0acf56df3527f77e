"""The commands around a graph: build and its stages, schedule, query, load."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgmill.flows.prefect_environment import import_prefect, prefect_is_configured
from kgmill.flows.terminal import note, progress
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.errors import ConfigError, OutputError, SourceError, TooManyRejectsError, UsageError
from kgmill.schemas.paths import local_path
from kgmill.schemas.text import decode_utf8, printable_lines

if TYPE_CHECKING:
    from kgmill.pipelines.build import Run
    from kgmill.pipelines.context import RunContext

_OPTIONS = (
    *("model", "ontology", "device", "precision", "min_confidence", "base_iri", "dataset", "formats"),
    *("max_reject_ratio", "mode", "retry_rejects", "any_language"),
)


def build(options: Namespace) -> None:
    """`kgmill build`."""
    config, out = _config(options), local_path(options.out)
    use_prefect = prefect_is_configured() if options.prefect is None else options.prefect
    too_many = None
    try:
        (_build_with_prefect if use_prefect else _build_directly)(options, config)
    except TooManyRejectsError as error:
        too_many = error  # the build is done all the same, so its summary comes first
    from kgmill.flows.summary import format_summary
    from kgmill.pipelines.output.ledger import last_run

    print(format_summary(out, last_run(out)))
    if too_many:
        raise too_many


def _build_directly(options: Namespace, config: BuildConfig) -> None:
    from kgmill.pipelines.build import finish, run_stage
    from kgmill.pipelines.checks import check_rejects
    from kgmill.pipelines.stages.stage import NAMES

    with _opened(options, config) as run:
        for stage in NAMES:
            run_stage(run, stage)
        report = finish(run)
    check_rejects(report["documents"]["read"], report["rejects"], config.max_reject_ratio, Path(options.out))


@contextmanager
def _opened(options: Namespace, config: BuildConfig, **how: Any) -> Iterator[Run]:
    """The run that the options ask for, with its progress on standard error."""
    from kgmill.pipelines.build import Listener, hold

    context = _check(options, config)
    with progress("documents") as shown, hold(context, listener=Listener(shown.update, note), **how) as run:
        yield run


def _build_with_prefect(options: Namespace, config: BuildConfig) -> None:
    from kgmill.pipelines.output.parts import Store

    _check(options, config)
    with Store(Path(options.out).resolve()).lock():
        pass  # a folder that is held is refused in a second and one line, before Prefect starts
    import_prefect()
    if not prefect_is_configured():
        print("starting Prefect's temporary server; this takes 10 to 20 seconds", file=sys.stderr)
    from kgmill.flows.build import build_knowledge_graph
    from kgmill.flows.deployments import check_server

    if prefect_is_configured():
        check_server()

    how = _how(options) | {"beam_options": list(options.beam_options)}
    build_knowledge_graph(list(options.sources), options.out, config.model_dump(mode="json"), **how)


def _check(options: Namespace, config: BuildConfig) -> RunContext:
    """All that can be wrong with a build, asked before anything is touched and before Prefect starts."""
    from kgmill.pipelines.checks import check_build

    return check_build(tuple(options.sources), local_path(options.out), config, **_how(options))


def plan(options: Namespace) -> None:
    """`kgmill plan`: what a build would reuse, run and drop, and about how long."""
    from kgmill.pipelines.build import Listener
    from kgmill.pipelines.plan import make_plan

    context = _check(options, _config(options))
    with progress("documents") as shown:
        made = make_plan(context, Listener(shown.update, note))
    from kgmill.flows.summary import format_plan

    print(json.dumps(made, indent=1) if options.json else format_plan(made))


def stage(options: Namespace) -> None:
    """`kgmill ingest|extract|decode|aggregate|export`: one stage, on what the stages before it left."""
    from kgmill.pipelines.build import finish, run_stage
    from kgmill.pipelines.checks import check_finished, check_rejects
    from kgmill.pipelines.output.origins import known_others
    from kgmill.pipelines.output.parts import Store
    from kgmill.pipelines.output.rejects import left_out, publish_rejects
    from kgmill.pipelines.stages.stage import NAMES, STAGES

    config = _config(options) if options.out is not None else _export_of(options)
    counted = None
    before = NAMES[: NAMES.index(options.stage)]
    check_finished(Store(local_path(options.out).resolve()), before)
    with _opened(options, config, stages=(options.stage,)) as run:
        report = run_stage(run, options.stage)
        rejecting = [stage.name for stage in STAGES if stage.rejects and stage.name in (*before, options.stage)]
        if options.stage in rejecting:
            counted = publish_rejects(run.store, rejecting)
        if options.stage == NAMES[-1]:
            finish(run)  # run.json has to promise the bytes of the new graph
        passed_over = left_out(run.store, known_others(run.store))
    print(f"{options.stage}: {report.n_done} work units made, {report.n_reused} reused, {report.seconds:.1f} s")
    if counted:
        from kgmill.flows.summary import ledger_lines

        print("\n".join(ledger_lines(*counted, passed_over)))
        check_rejects(counted[0]["read"], counted[1], config.max_reject_ratio, Path(options.out))


def _export_of(options: Namespace) -> BuildConfig:
    """The configuration of `kgmill export DIR`: that of the folder's last run, with what the flags say on top.

    The folder takes the place of the sources in the options.

    Raises:
        UsageError: several folders, or one that no build of this version finished.
    """
    from kgmill.pipelines.output.ledger import last_run

    if len(options.sources) != 1:
        raise UsageError("wanted one output folder, or SOURCE... and --out DIR")
    options.out, options.sources = options.sources[0], []
    before = last_run(local_path(options.out)).get("config")
    if before is None:
        raise OutputError(f"{options.out}: holds no build of this version; run kgmill build first, or say --out DIR")
    names = ("base_iri", "dataset")  # those that aren't given anew are found again, and fit one another
    return _config(options, {key: value for key, value in before.items() if key not in names})


def schedule(options: Namespace) -> None:
    """`kgmill schedule`: serves the build until it is stopped."""
    from kgmill.pipelines.checks import named
    from kgmill.pipelines.sources.find import absolute

    config = named(_config(options), local_path(options.out))
    _check(options, config)
    import_prefect()
    from kgmill.flows.deployments import check_schedule, serve

    when = check_schedule(options.cron, options.every)
    if not prefect_is_configured():
        raise ConfigError(
            "a schedule needs a Prefect server: start one with `prefect server start` and set "
            "PREFECT_API_URL=http://127.0.0.1:4200/api"
        )
    parameters = {
        "sources": [absolute(source) for source in options.sources],
        "out": str(Path(options.out).resolve()),
        "config": config.model_dump(mode="json"),
        "n_workers": options.workers,
        "runner": options.runner,
        "beam_options": list(options.beam_options),
        "yes": options.yes,
    }
    serve(f"kgmill-{config.dataset}", parameters, when)


def gc(options: Namespace) -> None:
    """`kgmill gc`."""
    from kgmill.pipelines.output.parts import Store
    from kgmill.pipelines.output.upkeep import collect

    freed = collect(Store(local_path(options.dir).resolve()), options.keep_runs, dry_run=options.dry_run)
    total = [sum(column) for column in zip(*freed.values(), strict=True)]
    title = "would be removed" if options.dry_run else "removed"
    print(f"{title:<26}{'number':>8}{'bytes':>16}")
    for kind, (number, n_bytes) in [*freed.items(), ("total", total)]:
        print(f"{kind:<26}{number:>8,}{n_bytes:>16,}")


def query(options: Namespace) -> None:
    """`kgmill query`."""
    from kgmill.pipelines.triplestores.answer import answer

    sparql = options.sparql
    if sparql.startswith("@"):
        try:
            sparql = decode_utf8(Path(sparql[1:]).read_bytes(), sparql[1:], SourceError)
        except OSError as error:
            raise SourceError(f"{options.sparql[1:]}: {error.strerror or error}") from None
    text = answer(local_path(options.dir), sparql, options.format, options.timeout)
    if sys.stdout.isatty():  # CSV has no escapes: programs get the values as they are, terminals don't
        text = printable_lines(text.replace("\r\n", "\n"))
    print(text)


def load(options: Namespace) -> None:
    """`kgmill load`."""
    from kgmill.flows.load_summary import format_load
    from kgmill.pipelines.triplestores.load import Wishes
    from kgmill.pipelines.triplestores.load import load as load_store

    with progress("quads") as shown:
        report = load_store(
            local_path(options.dir),
            options.endpoint,
            options.profile,
            wishes=Wishes(options.prune, options.adopt, options.yes, options.facts),
            on_progress=lambda done, total: shown.update("load", done / total if total else 1.0, total),
        )
    print(format_load(report))


def _config(options: Namespace, before: dict[str, Any] | None = None) -> BuildConfig:
    """The configuration that the options say; `before` stands under a file and flags."""
    flags = {name: getattr(options, name) for name in _OPTIONS}
    given = {name: value for name, value in flags.items() if value is not None}
    return BuildConfig.load(Path(options.config) if options.config else None, given, before)


def _how(options: Namespace) -> dict[str, Any]:
    return {
        "n_workers": options.workers,
        "runner": options.runner,
        "beam_options": tuple(options.beam_options),
        "yes": options.yes,
    }
