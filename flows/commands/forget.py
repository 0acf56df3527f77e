"""Take documents out of a finished graph, and keep them out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from kgmill.flows.options import BuildOptions, Dir, Json, WatchOptions
from kgmill.flows.terminal import say, show_json
from kgmill.schemas.text import number_of

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

GOES_ON = "; the next forget or build goes on"
PANEL = "Graph"
NEEDS = ("build",)
EXAMPLES = (
    "kgmill forget kg letters/b.txt",
    "kgmill forget --allow kg letters/b.txt",
)


def forget(
    folder: Dir,
    documents: Annotated[list[str], Argument(metavar="DOC", help="a document's id, as tables/documents has it")],
    watch: WatchOptions,
    *,
    allow: Annotated[
        bool, Option("--allow", help="let them in again: the next build reads them, if a source has them")
    ] = False,
    as_json: Json = False,
) -> None:
    """`kgmill forget DIR DOC...` and `kgmill forget --allow DIR DOC...`: no source is read and no model asked."""
    from kgmill.flows.one_stage import config_of, opened
    from kgmill.pipelines import forget as forgetting
    from kgmill.pipelines.output.parts import Store

    store = Store(folder)
    options = BuildOptions(**asdict(watch))
    config = config_of(folder, options)
    if allow:
        forgetting.allow(store, documents)
        if as_json:
            show_json({"allowed": documents})
        else:
            say(
                f"{number_of(len(documents), 'document')} may come back: the next build reads what a source has of them"
            )
        return

    def check() -> RunContext:
        context = options.check([], folder, config)
        forgetting.check_model(context, store)
        forgetting.check_forget(store, documents)
        return context

    with opened(config, folder, check, stages=forgetting.STAGES) as run:
        report = forgetting.forget(run, documents)
    if as_json:
        show_json(asdict(report))
        return
    gone = [f"{report.before.get(name, 0) - report.after[name]} {name}" for name in ("entities", "facts", "quads")]
    say(f"{number_of(report.n_documents, 'document')} forgotten, and with them {', '.join(gone)}")
    if report.equal:
        say(
            f"left out as duplicates until now, and read by the next build: {', '.join(report.equal)}; forget them too?"
        )
    say(
        "What the sources hold stays there, and is kept out of later builds of this folder. Stores have it until the "
        "next kgmill load;\ndumps, copies and backups are yours to look after (docs/forgetting.md)."
    )
