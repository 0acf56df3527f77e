"""Serve a build as a scheduled Prefect deployment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Option

from kgmill.flows.options import BuildOptions, Json, LimitOptions, Out, Sources, one_of
from kgmill.flows.prefect_environment import import_prefect, prefect_is_configured
from kgmill.flows.terminal import say, show_json
from kgmill.schemas.errors import ConfigError, UsageError
from kgmill.schemas.extras import require
from kgmill.schemas.text import printable

if TYPE_CHECKING:
    from kgmill.schemas.config import BuildConfig

_FILES = ("model", "ontology", "decisions", "pin", "links")
_MADE = ("log_file", "metrics")

PANEL = "Build"
NEEDS = ("prefect",)
EXAMPLES = (
    "kgmill schedule corpus --out kg --cron '0 3 * * *'",
    "kgmill schedule corpus --out kg --every 3600",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedOptions:
    """When to build, and what comes after a build."""

    cron: Annotated[str | None, Option("--cron", metavar="EXPR", help="such as '0 3 * * *'")] = None
    every: Annotated[
        float | None, Option("--every", metavar="SECONDS", help="from the beginning of a build to that of the next")
    ] = None
    timezone: Annotated[
        str | None, Option("--timezone", metavar="NAME", help="in which --cron is meant, such as Europe/Berlin")
    ] = None
    retries: Annotated[
        int,
        Option("--retries", metavar="N", min=0, help="of a run that died, or met a lock, a full disk or a dead store"),
    ] = 3
    retry_delay: Annotated[int, Option("--retry-delay", metavar="SECONDS", min=0, help="before it is tried again")] = 60
    report: Annotated[bool, Option("--report", help="write DIR/report.html after each build")] = False
    endpoint: Annotated[
        str | None, Option("--endpoint", metavar="URL", help="the store that each build is loaded into")
    ] = None
    profile: Annotated[str | None, Option("--profile", metavar="NAME|FILE.toml|auto", help="the kind of store")] = None
    credentials: Annotated[
        str | None, Option("--credentials", metavar="BLOCK", help="a Prefect Secret block with the store's login")
    ] = None
    ca_file: Annotated[
        str | None, Option("--ca-file", metavar="FILE", help="whose certificates an https store may have, as PEM")
    ] = None
    facts: Annotated[
        Literal["graph", "default"] | None, Option("--facts", help="where entities and facts go in the store")
    ] = None

    def load_to(self) -> dict[str, Any] | None:
        """The store, as the flow takes it; None where there is none."""
        names = ("endpoint", "profile", "credentials", "ca_file", "facts")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        if not given:
            return None
        if self.endpoint is None:
            raise UsageError(f"--{next(iter(given)).replace('_', '-')} is for a store; wanted --endpoint URL too")
        require("schedule --endpoint", "stores")
        from kgmill.flows.loading import LoadTo, check_load

        for name in ("ca_file", "profile"):
            if Path(str(given.get(name, ""))).is_file():
                given[name] = str(Path(given[name]).resolve())
        to = LoadTo.load(None, given)
        check_load(to.model_copy(update={"credentials": ""}))  # the block may be made later
        return to.model_dump(mode="json")


def schedule(
    sources: Sources,
    out: Out,
    options: BuildOptions,
    served: ServedOptions,
    limits: LimitOptions,
    *,
    as_json: Json = False,
) -> None:
    """`kgmill schedule`: serves the build until it is stopped."""
    one_of({"--cron": served.cron, "--every": served.every}, is_needed=True)
    from kgmill.flows.limits import TimeLimit
    from kgmill.pipelines.checks import named
    from kgmill.pipelines.output.parts import Store
    from kgmill.pipelines.sources.find import absolute

    config, load_to = named(options.config(), Store(out)), served.load_to()
    TimeLimit(limits.time_limit)
    options.check(sources, out, config)
    import_prefect()
    from kgmill.flows.deployments import check_schedule, next_time, page, serve

    when = check_schedule(served.cron, served.every, served.timezone)
    if not prefect_is_configured():
        raise ConfigError(
            "a schedule needs a Prefect server: start one with `prefect server start` and set "
            "PREFECT_API_URL=http://127.0.0.1:4200/api"
        )
    parameters = {
        "sources": [absolute(source) for source in sources],
        "out": Store(out).where,
        "config": config.model_dump(mode="json", exclude_defaults=True) | _whole_paths(config),
        **options.how,
        "beam_options": list(options.beam_options),
        "load_to": load_to,
        "report": served.report,
        "when_busy": limits.when_busy or "wait",
        "time_limit": limits.time_limit,
        "retries": served.retries,
        "retry_delay": served.retry_delay,
    }
    times = {"cron": served.cron, "every": served.every, "timezone": served.timezone}

    def tell(name: str) -> None:
        if as_json:
            show_json({"deployment": name, **times, "parameters": parameters})
            return
        often = (
            f"every {served.every:g} s"
            if served.every
            else f"{served.cron!r}, next {next_time(when):%Y-%m-%d %H:%M %Z}"
        )
        say(
            printable(f"serving {config.dataset}: {', '.join(parameters['sources'])} -> {parameters['out']}"),
            f"  {often}; until Ctrl-C, which pauses it",
            f"  a run now: prefect deployment run {name}",
            f"  all runs:  {page()}",
        )

    serve(config.dataset, parameters, when, on_begin=tell)


def _whole_paths(config: BuildConfig) -> dict[str, str]:
    """The files and folders that a configuration names, from the root: a run may start elsewhere."""
    from kgmill.extractor.modelfolder import SHIPPED
    from kgmill.pipelines.decoding import EVERYTHING

    given = {key: value for key in _FILES if (value := getattr(config, key)) and value != EVERYTHING}
    if (SHIPPED / config.model).is_dir():
        del given["model"]
    made = {key: value for key in _MADE if (value := getattr(config, key))}
    found = {key: value for key, value in given.items() if Path(value).exists()}
    return {key: str(Path(value).resolve()) for key, value in (found | made).items()}
