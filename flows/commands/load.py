"""Load a finished graph into a triple store; repeatable."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from typer import Option

from kgmill.flows.options import Dir, Json
from kgmill.pipelines.triplestores.profiles import DEFAULT_PROFILE, PROFILES

GOES_ON = "; the next load goes on from what the store holds"
PANEL = "Graph"
NEEDS = ("stores",)
EXAMPLES = (
    "kgmill load kg --endpoint http://127.0.0.1:7878 --profile oxigraph",
    "kgmill load kg --endpoint http://127.0.0.1:3030/news --profile fuseki",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """What a load may do."""

    profile: Annotated[
        str,
        Option(
            "--profile",
            metavar="NAME|FILE.toml|auto",
            help=f"the kind of store: {', '.join(PROFILES)}; a file that describes one; or what answers",
        ),
    ] = DEFAULT_PROFILE
    ca_file: Annotated[
        Path | None, Option("--ca-file", metavar="FILE", help="whose certificates an https store may have, as PEM")
    ] = None
    facts: Annotated[Literal["graph", "default"], Option("--facts", help="where entities and facts go")] = "graph"
    prune: Annotated[bool, Option("--prune", help="remove what others put under this dataset's name")] = False
    adopt: Annotated[bool, Option("--adopt", help="take over what this folder loaded by kgmill 0.1.0")] = False
    yes: Annotated[bool, Option("--yes", help="go on though over 20 % of the documents would leave")] = False


def load(
    folder: Dir,
    options: LoadOptions,
    *,
    endpoint: Annotated[str, Option("--endpoint", metavar="URL", help="the store's base URL")],
    as_json: Json = False,
) -> None:
    """`kgmill load`."""
    from kgmill.flows.load_summary import format_load
    from kgmill.flows.loading import load_folder
    from kgmill.flows.terminal import progress, say, show_json
    from kgmill.pipelines.triplestores.claim import Wishes

    with progress("quads") as shown:
        report = load_folder(
            folder,
            endpoint,
            options.profile,
            wishes=Wishes(options.prune, options.adopt, options.yes, options.facts),
            ca_file=options.ca_file,
            on_progress=lambda done, total: shown.update("load", done / total if total else 1.0, total),
        )
    if as_json:
        show_json(asdict(report))
    else:
        say(format_load(report))
