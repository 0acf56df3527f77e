"""Only the stage export of a build, or new names for a finished one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from kgmill.flows.one_stage import GOES_ON, run_alone
from kgmill.flows.options import BuildOptions, folder
from kgmill.schemas.errors import OutputError, UsageError

if TYPE_CHECKING:
    from kgmill.schemas.config import BuildConfig

__all__ = ["GOES_ON", "export"]


def export(
    sources: Annotated[
        list[str],
        Argument(metavar="SOURCE", help="a file, folder, quoted pattern or URL; without --out: the output folder"),
    ],
    options: BuildOptions,
    *,
    out: Annotated[str | None, Option("--out", metavar="DIR", parser=folder)] = None,
) -> None:
    """`kgmill export SOURCE... --out DIR`, and `kgmill export DIR`, which needs no sources."""
    if out is not None:
        run_alone("export", sources, out, options, options.config())
        return
    if len(sources) != 1:
        raise UsageError("wanted one output folder, or SOURCE... and --out DIR")
    run_alone("export", [], sources[0], options, _config_of(sources[0], options))


def _config_of(out: str, options: BuildOptions) -> BuildConfig:
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
    return options.config({key: value for key, value in before.items() if key not in names})
