"""Remove what dead runs left in an output folder."""

from __future__ import annotations

from typing import Annotated

from typer import BadParameter, Option

from kgmill.flows.options import Dir

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
) -> None:
    """`kgmill gc`."""
    from kgmill.pipelines.output.parts import Store
    from kgmill.pipelines.output.upkeep import collect

    freed = collect(Store(folder), keep_runs, dry_run=dry_run)
    total = [sum(column) for column in zip(*freed.values(), strict=True)]
    title = "would be removed" if dry_run else "removed"
    print(f"{title:<26}{'number':>8}{'bytes':>16}")
    for kind, (number, n_bytes) in [*freed.items(), ("total", total)]:
        print(f"{kind:<26}{number:>8,}{n_bytes:>16,}")
