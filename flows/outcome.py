"""How a build ended, in a line: what is new, or that nothing is; and the keys under which a flow run says it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from kgmill.pipelines.report.changes import Changes
from kgmill.schemas.text import number_of


def is_nothing_new(report: Mapping[str, Any]) -> bool:
    """Whether a finished run found everything made: run.json's documents, and no stage that made a work unit."""
    counts, stages = report["documents"], report["stages"].values()
    return not any(counts[name] for name in ("added", "changed", "removed")) and not any(s["n_done"] for s in stages)


def outcome(report: Mapping[str, Any], changes: Changes | None) -> str:
    """A finished run in a line; `changes` are those of its facts, None where it kept none."""
    counts, graph = report["documents"], report["graph"]
    documents, facts = number_of(counts["kept"], "document"), number_of(graph["facts"], "fact")
    if is_nothing_new(report):
        return f"nothing new: {documents} as before, {facts}, no sentence met the model"
    came = ", ".join(f"{counts[name]} {name}" for name in ("added", "changed", "removed"))
    if changes is not None:
        facts += f" (+{len(changes.added)} -{len(changes.removed)})"
    elif not report["graph_before"]:
        facts += ", all new"
    met = report["model_calls"]["sentences"]
    return f"{documents} ({came}), {number_of(met, 'sentence')} met the model; {facts}"


def artifact_key(dataset: str, kind: str) -> str:
    """A key that Prefect takes (small letters, digits, dashes), and that no other dataset has.

    >>> artifact_key("news", "ledger"), artifact_key("News_2", "ledger")
    ('kgmill-news-ledger', 'kgmill-news-2-ed2766-ledger')
    """
    plain = re.sub(r"[^a-z0-9]+", "-", dataset.lower()).strip("-")
    if plain != dataset:
        plain += "-" + hashlib.sha256(dataset.encode()).hexdigest()[:6]
    return f"kgmill-{plain}-{kind}"
