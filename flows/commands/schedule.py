"""Serve a build as a scheduled Prefect deployment."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from kgmill.flows.options import BuildOptions, Out, Sources, one_of
from kgmill.flows.prefect_environment import import_prefect, prefect_is_configured
from kgmill.schemas.errors import ConfigError


def schedule(
    sources: Sources,
    out: Out,
    options: BuildOptions,
    *,
    cron: Annotated[str | None, Option("--cron", metavar="EXPR", help="such as '0 3 * * *'")] = None,
    every: Annotated[float | None, Option("--every", metavar="SECONDS")] = None,
) -> None:
    """`kgmill schedule`: serves the build until it is stopped."""
    one_of({"--cron": cron, "--every": every}, is_needed=True)
    from kgmill.pipelines.checks import named
    from kgmill.pipelines.output.parts import Store
    from kgmill.pipelines.sources.find import absolute

    config = named(options.config(), Store(out))
    options.check(sources, out, config)
    import_prefect()
    from kgmill.flows.deployments import check_schedule, serve

    when = check_schedule(cron, every)
    if not prefect_is_configured():
        raise ConfigError(
            "a schedule needs a Prefect server: start one with `prefect server start` and set "
            "PREFECT_API_URL=http://127.0.0.1:4200/api"
        )
    parameters = {
        "sources": [absolute(source) for source in sources],
        "out": Store(out).where,
        "config": config.model_dump(mode="json"),
        **options.how,
        "beam_options": list(options.beam_options),
    }
    serve(f"kgmill-{config.dataset}", parameters, when)
