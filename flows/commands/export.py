"""Only the stage export of a build, or new names for a finished one."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from kgmill.flows.one_stage import GOES_ON, config_of, run_alone
from kgmill.flows.options import BuildOptions, Json, folder
from kgmill.schemas.errors import UsageError

__all__ = ["GOES_ON", "export"]
PANEL = "Stages of a build"
NEEDS = ("build",)
EXAMPLES = (
    "kgmill export kg --base-iri https://kg.example.org/",
    "kgmill export kg --formats nq,truthy,parquet",
)


def export(
    sources: Annotated[
        list[str],
        Argument(metavar="SOURCE", help="a file, folder, quoted pattern or URL; without --out: the output folder"),
    ],
    options: BuildOptions,
    *,
    out: Annotated[
        str | None, Option("--out", metavar="DIR", parser=folder, help="the output folder, where sources are given")
    ] = None,
    as_json: Json = False,
) -> None:
    """`kgmill export SOURCE... --out DIR`, and `kgmill export DIR`, which needs no sources."""
    if out is not None:
        run_alone("export", sources, out, options, options.config(), as_json=as_json)
        return
    if len(sources) != 1:
        raise UsageError("wanted one output folder, or SOURCE... and --out DIR")
    run_alone("export", [], sources[0], options, config_of(sources[0], options), as_json=as_json)
