"""Write report.html, one page that shows what a finished build holds."""

from __future__ import annotations

import webbrowser
from dataclasses import asdict
from typing import Annotated

from typer import Option

from kgmill.flows.options import Dir, Json
from kgmill.flows.terminal import say, show_json
from kgmill.schemas.errors import UsageError
from kgmill.schemas.text import printable

PANEL = "Graph"
EXAMPLES = ("kgmill report kg --open",)


def report(
    folder: Dir,
    *,
    open_: Annotated[bool, Option("--open", help="show it in the browser")] = False,
    as_json: Json = False,
) -> None:
    """`kgmill report`."""
    from kgmill.pipelines.output import layout
    from kgmill.pipelines.output.parts import Store
    from kgmill.pipelines.report.report import write_report

    store = Store(folder)
    near = store.storage.folder()
    if open_ and near is None:
        raise UsageError(f"--open: {folder} is not on this machine; leave it out, and fetch {layout.REPORT} from there")
    written = write_report(store)
    cut = written.cut
    if as_json:
        show_json(asdict(written))
    else:
        say(f"{printable(written.place)}: {written.n_bytes / 1e6:.1f} MB")
        for what, n, of in (
            ("facts", cut.facts, cut.of_facts),
            ("entities", cut.entities, cut.of_entities),
            ("sentences behind these facts", cut.sentences, cut.of_sentences),
        ):
            say(f"  {n:,} of {of:,} {what}")
    if open_ and near is not None:
        webbrowser.open((near / layout.REPORT).resolve().as_uri())
