"""Remove what dead runs left in an output folder."""

from __future__ import annotations

from typing import Annotated

from typer import BadParameter, Option

from kgmill.flows.options import Dir, Json
from kgmill.flows.terminal import say, show_json

PANEL = "Graph"
EXAMPLES = (
    "kgmill gc kg --dry-run",
    "kgmill gc kg --keep-runs 10",
)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise BadParameter(f"{text!r} is no number of runs")
    return int(text)


def gc(
    folder: Dir,
    *,
    keep_runs: Annotated[
        int | None,
        Option("--keep-runs", metavar="N", parser=_count, help="keep the newest N run.json and changes (all)"),
    ] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="only say what would go")] = False,
    as_json: Json = False,
) -> None:
    """`kgmill gc`."""
    from kgmill.pipelines.output.parts import Store
    from kgmill.pipelines.output.upkeep import collect

    freed = collect(Store(folder), keep_runs, dry_run=dry_run)
    total = [sum(column) for column in zip(*freed.values(), strict=True)]
    if as_json:
        told = {kind: {"number": number, "bytes": n_bytes} for kind, (number, n_bytes) in freed.items()}
        show_json({"dry_run": dry_run, "removed": told, "total": {"number": total[0], "bytes": total[1]}})
        return
    from kgmill.flows.tables import table

    title = "would be removed" if dry_run else "removed"
    rows = [(kind, number, n_bytes) for kind, (number, n_bytes) in freed.items()]
    say(table([title, ">number", ">bytes"], [*rows, ("total", *total)]))
