"""Show how the facts of two runs differ, by relation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument

from kgmill.flows.options import Dir, Json
from kgmill.flows.terminal import show, show_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from kgmill.pipelines.report.drift import Drift

PANEL = "Graph"
_HEADS = ("before", "added", "removed", "after")
EXAMPLES = ("kgmill diff kg 2026-11-26T03:00:00Z last",)


_Run = Annotated[
    str, Argument(metavar="RUN", help="its start, as files of DIR/runs and DIR/changes are named, or last")
]


def diff(folder: Dir, one: _Run, other: _Run, *, as_json: Json = False) -> None:
    """`kgmill diff`."""
    from kgmill.pipelines.output.parts import Store
    from kgmill.pipelines.report.drift import drift

    found = drift(Store(folder), one, other)
    told = _as_dict(found)
    if as_json:
        show_json(told)
    else:
        show(*_tables(told))


def _run_row(run: Any) -> dict[str, Any]:
    return {
        "run": run["started"],
        "documents": run["documents"]["kept"],
        "entities": run["graph"]["entities"],
        "facts": run["graph"]["facts"],
    }


def _as_dict(found: Drift) -> dict[str, Any]:
    relations = {}
    for name in found.relations:
        before, after = found.before.get(name), found.after.get(name)
        relations[name] = {
            "before": before.n if before else 0,
            "added": found.added[name],
            "removed": found.removed[name],
            "after": after.n if after else 0,
            "mean_confidence_before": before.mean if before else None,
            "mean_confidence_after": after.mean if after else None,
        }
    return {"older": _run_row(found.older), "newer": _run_row(found.newer), "relations": relations}


def _tables(told: dict[str, Any]) -> Iterator[RenderableType]:
    from kgmill.flows.tables import table

    runs = [list(run.values()) for run in (told["older"], told["newer"])]
    yield table(["run", ">documents", ">entities", ">facts"], runs)
    yield ""
    rows = []
    for name, row in told["relations"].items():
        means = [row[f"mean_confidence_{side}"] for side in ("before", "after")]
        shown = " -> ".join("-" if mean is None else f"{mean:.3f}" for mean in means)
        rows.append([name, *(row[head] for head in _HEADS), shown])
    yield table(["relation", *(f">{head}" for head in _HEADS), "mean confidence"], rows)
