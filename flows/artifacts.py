"""What a flow run leaves in Prefect's Artifacts, under keys that hold the dataset: KIND is the latest of its kind.

kgmill-DATASET-progress   how far the run is, while it runs
kgmill-DATASET-outcome    how it ended, in a line; of one that failed the line of its error
kgmill-DATASET-ledger     run.json's counts, and the seconds of each stage
kgmill-DATASET-changes    facts added and removed, by name
kgmill-DATASET-facts      the best facts
kgmill-DATASET-report     where report.html is
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger

from kgmill.flows.outcome import artifact_key
from kgmill.flows.progress import Status
from kgmill.flows.summary import best_facts, facts_markdown, ledger_rows
from kgmill.pipelines.output import layout
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.report.changes import Changes, Side
from kgmill.pipelines.report.tables import entities_of
from kgmill.pipelines.stages.stage import STAGES
from kgmill.schemas.text import printable, printable_markdown

_JOBS = tuple(job for stage in STAGES for job in stage.jobs)
_EVERY_S = 5.0
_N_CHANGES, _N_FACTS = 50, 20


class ProgressArtifact:
    """How far a run is, as one artifact that is told at most once in five seconds: that the server doesn't take it
    fails no build."""

    def __init__(self, dataset: str) -> None:
        self._key = artifact_key(dataset, "progress")
        self._id: UUID | None = None
        self._told, self._percent = 0.0, 0.0

    def show(self, status: Status) -> None:
        """Takes in how far a job of the build is."""
        if status.stage in _JOBS:
            share = (_JOBS.index(status.stage) + status.share) / len(_JOBS)
            self._percent = max(self._percent, round(100 * share, 1))
        if time.monotonic() - self._told >= _EVERY_S:
            self._tell(str(status))

    def end(self, line: str, *, is_done: bool = True) -> None:
        """Says how the run ended: all of it is done, or it stopped where it was."""
        if is_done:
            self._percent = 100.0
        self._tell(printable_markdown(line))

    def _tell(self, description: str) -> None:
        self._told = time.monotonic()
        try:
            if self._id is None:
                made = create_progress_artifact(self._percent, key=self._key, description=description)
                self._id = cast("UUID", made)  # without a running event loop it is no coroutine
            else:
                update_progress_artifact(self._id, self._percent, description)
        except (httpx.HTTPError, PrefectException) as error:
            get_run_logger().warning("the progress artifact was not written: %s", printable(str(error)))


def leave_outcome(dataset: str, line: str) -> None:
    """How a run ended, for whoever looks at the dataset's latest."""
    create_markdown_artifact(key=artifact_key(dataset, "outcome"), markdown=printable_markdown(line))


def leave_ledger(dataset: str, where: str, report: dict[str, Any]) -> None:
    """The counts of a run that ended, and the seconds of its stages."""
    rows = ledger_rows(report)
    rows += [{"what": f"seconds of {stage}", "value": row["seconds"]} for stage, row in report["stages"].items()]
    description = f"Ledger of {printable_markdown(where)}, {report['started']}"
    create_table_artifact(key=artifact_key(dataset, "ledger"), table=rows, description=description)


def leave_facts(dataset: str, store: Store, changes: Changes | None) -> None:
    """The best facts; and those that came and went, where the run kept its changes."""
    markdown = facts_markdown(best_facts(store, _N_FACTS))
    create_markdown_artifact(key=artifact_key(dataset, "facts"), markdown=markdown, description="Best facts")
    if changes is None:
        return
    added, removed = len(changes.added), len(changes.removed)
    description = f"{added} facts added, {removed} removed"
    if max(added, removed) > _N_CHANGES:
        description += f"; {_N_CHANGES} of each are shown, {layout.CHANGES} has all"
    rows = list(_changed(store, changes)) or [{"what": "no fact came or went", "fact": "", "confidence": ""}]
    create_table_artifact(key=artifact_key(dataset, "changes"), table=rows, description=description)


def leave_report(dataset: str, store: Store) -> None:
    """A link to report.html, where one was written."""
    if not store.storage.has(layout.REPORT):
        return
    near = store.storage.folder()
    link = (near / layout.REPORT).as_uri() if isinstance(near, Path) else store.storage.place(layout.REPORT)
    create_link_artifact(link, link_text=layout.REPORT, key=artifact_key(dataset, "report"))


def _changed(store: Store, changes: Changes) -> Iterator[dict[str, Any]]:
    sides = (("added", changes.after, changes.added), ("removed", changes.before, changes.removed))
    shown = [(what, side, fact) for what, side, facts in sides for fact in facts[:_N_CHANGES]]
    labels = _labels(store, changes, shown)
    for what, side, fact in shown:
        told = side.told.get(fact, {})
        head, relation, tail = (told.get(name, "?") for name in ("head", "relation", "tail"))
        words = map(printable_markdown, (labels.get(head, head), relation, labels.get(tail, tail)))
        yield {"what": what, "fact": " - ".join(words), "confidence": told.get("confidence", "")}


def _labels(store: Store, changes: Changes, shown: list[tuple[str, Side, str]]) -> Mapping[str, str]:
    """The labels of the ends of facts, also of entities that went."""
    ends = {side.told.get(fact, {}).get(end, "") for _, side, fact in shown for end in ("head", "tail")}
    found, _, _ = entities_of(store, ends, 0)
    return changes.before.labels | {name: entity.label for name, entity in found.items()}
