"""Which names are one thing, asked anew of a finished build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kgmill.flows.one_stage import GOES_ON, config_of, opened
from kgmill.flows.options import BuildOptions, Dir, Json

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

__all__ = ["GOES_ON", "resolve"]
PANEL = "Graph"
NEEDS = ("build",)
EXAMPLES = (
    "kgmill resolve kg --decisions decisions.toml",
    "kgmill resolve kg --links wikidata.csv --pin old/tables/names",
)


def resolve(folder: Dir, options: BuildOptions, *, as_json: Json = False) -> None:
    """`kgmill resolve DIR [--pin FILE] [--decisions F.toml] [--links FILE]`: no source is read and no model asked."""
    from kgmill.flows.summary import show_build
    from kgmill.pipelines.building import finish, run_stage
    from kgmill.pipelines.checks import check_finished
    from kgmill.pipelines.output.ledger import last_run
    from kgmill.pipelines.output.parts import Store
    from kgmill.pipelines.output.steps import check_in_step
    from kgmill.pipelines.stages.stage import NAMES

    store, config = Store(folder), config_of(folder, options)
    first = NAMES.index("decode")

    def check() -> RunContext:
        check_finished(store, NAMES[:first])
        check_in_step(store, NAMES[:first])
        return options.check([], folder, config)

    with opened(config, folder, check, stages=NAMES[first:]) as run:
        for stage in NAMES[first:]:
            run_stage(run, stage)
        finish(run)
    show_build(store, last_run(store), as_json=as_json)
