"""List the runs of an output, the latest first, with what each changed."""

from __future__ import annotations

from typing import Any

from kgmill.flows.options import Dir, Json
from kgmill.flows.terminal import show, show_json
from kgmill.schemas.text import printable

PANEL = "Graph"
EXAMPLES = ("kgmill runs kg", "kgmill runs kg --json")

_COLUMNS = (("documents", 10), ("added", 7), ("changed", 8), ("removed", 8), ("facts", 8), ("+/-", 6), ("seconds", 8))


def runs(folder: Dir, *, as_json: Json = False) -> None:
    """`kgmill runs`."""
    from kgmill.pipelines.output.parts import Store
    from kgmill.pipelines.report.runs import history

    rows = history(Store(folder))
    if as_json:
        show_json(rows)
    else:
        show("\n".join(_lines(rows)))


def _lines(rows: list[dict[str, Any]]) -> list[str]:
    lines = [f"{'run':18} {'status':6}" + "".join(f"{name:>{width}}" for name, width in _COLUMNS)]
    for row in rows:
        documents = row["documents"]
        numbers = [*(documents[name] for name in ("kept", "added", "changed", "removed")), row["facts"]]
        more = "-" if row["facts_added"] is None else f"{row['facts_added']:+,}"
        cells = [*map(_number, numbers), more, _number(row["seconds"])]
        told = "".join(f"{cell:>{width}}" for cell, (_, width) in zip(cells, _COLUMNS, strict=True))
        lines.append(f"{printable(row['run']):18} {printable(row['status']):6}{told}")
        if row["error"]:
            lines.append(f"  {printable(row['error'])}")
        if row["changed_settings"]:
            lines.append(f"  other settings: {printable(', '.join(row['changed_settings']))}")
    if len([row for row in rows if row["status"] == "done"]) > 1:
        lines += ["", "kgmill diff DIR RUN RUN says by relation how the facts of two of them differ"]
    return lines


def _number(n: int | None) -> str:
    return "-" if n is None else f"{n:,}"
