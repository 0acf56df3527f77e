"""Show how the facts of two runs differ, by relation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument

from kgmill.flows.options import Dir, Json
from kgmill.schemas.text import printable

if TYPE_CHECKING:
    from kgmill.pipelines.report.drift import Drift

PANEL = "Graph"
EXAMPLES = ("kgmill diff kg 2026-11-26T03:00:00Z last",)


_Run = Annotated[
    str, Argument(metavar="RUN", help="its start, as files of DIR/runs and DIR/changes are named, or last")
]


def diff(folder: Dir, one: _Run, other: _Run, *, as_json: Json = False) -> None:
    """`kgmill diff`."""
    from kgmill.pipelines.output.parts import Store
    from kgmill.pipelines.report.drift import drift

    found = drift(Store(folder), one, other)
    print(json.dumps(_as_dict(found), indent=1) if as_json else _as_table(found))


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


def _as_table(found: Drift) -> str:
    told = _as_dict(found)
    lines = [f"{'run':22}{'documents':>10}{'entities':>10}{'facts':>10}"]
    for run in (told["older"], told["newer"]):
        lines.append(f"{printable(run['run']):22}{run['documents']:>10,}{run['entities']:>10,}{run['facts']:>10,}")
    names = {name: printable(name) for name in told["relations"]}
    width = max([len("relation"), *map(len, names.values())])
    heads = ("before", "added", "removed", "after")
    lines += ["", f"{'relation':{width}}" + "".join(f"{head:>9}" for head in heads) + "   mean confidence"]
    for name, row in told["relations"].items():
        means = [row[f"mean_confidence_{side}"] for side in ("before", "after")]
        shown = " -> ".join("-" if mean is None else f"{mean:.3f}" for mean in means)
        lines.append(f"{names[name]:{width}}" + "".join(f"{row[head]:>9,}" for head in heads) + f"   {shown}")
    return "\n".join(lines)
