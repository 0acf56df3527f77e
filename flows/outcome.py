"""How a build ended, in a line: what is new, or that nothing is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgmill.pipelines.report.changes import Changes


def is_nothing_new(report: Mapping[str, Any]) -> bool:
    """Whether a finished run found everything made: run.json's documents, and no stage that made a work unit."""
    counts, stages = report["documents"], report["stages"].values()
    return not any(counts[name] for name in ("added", "changed", "removed")) and not any(s["n_done"] for s in stages)


def outcome(report: Mapping[str, Any], changes: Changes | None) -> str:
    """A finished run in a line; `changes` are those of its facts, None where it kept none."""
    counts, graph = report["documents"], report["graph"]
    if is_nothing_new(report):
        return f"nothing new: {counts['kept']} documents as before, {graph['facts']} facts, no sentence met the model"
    came = ", ".join(f"{counts[name]} {name}" for name in ("added", "changed", "removed"))
    facts = f"{graph['facts']} facts"
    if changes is not None:
        facts += f" (+{len(changes.added)} -{len(changes.removed)})"
    elif not report["graph_before"]:
        facts += ", all new"
    met = report["model_calls"]["sentences"]
    return f"{counts['kept']} documents ({came}), {met} sentences met the model; {facts}"
