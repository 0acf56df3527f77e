"""What each stage was last made of: DIR/steps.json, by which a result of one piece is told from one that was cut off.

Stages publish their results one after another, so a build that dies between two of them leaves documents of now beside
candidates of before. All parts are whole and the last run may have ended well: only this file tells.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable

from kgmill.pipelines.output import layout
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.storage.files import to_json
from kgmill.schemas.errors import OutputError
from kgmill.schemas.identity import fingerprint


def note_step(store: Store, stage: str, jobs: Iterable[str]) -> None:
    """Says that a stage's results are made of what is live of these jobs now."""
    known = _read(store)
    made_of = {job: _live(store, job) for job in jobs}
    if known.get(stage) != made_of:
        store.storage.write(layout.STEPS, to_json({**known, stage: made_of}))


def check_in_step(store: Store, stages: Collection[str] | None = None) -> None:
    """Makes sure that the results of stages (None: of all) are made of what is live; an old folder says nothing of it.

    Raises:
        OutputError: a build was cut off between two stages, or one of them ran alone.
    """
    if found := _out_of_step(store, stages):
        raise OutputError(
            f"{store.where}: {found[0]} was made of another {found[1]} than is here now, as a run was cut off or a "
            "stage ran alone; run kgmill build again"
        )


def is_in_step(store: Store) -> bool:
    """Whether every stage's results are made of what is live, as far as the folder says."""
    return _out_of_step(store, None) is None


def _out_of_step(store: Store, stages: Collection[str] | None) -> tuple[str, str] | None:
    """A stage, and the job that it was made of and that has other results now."""
    known = {stage: made_of for stage, made_of in _read(store).items() if stages is None or stage in stages}
    found = ((stage, job) for stage, made_of in known.items() for job in made_of if _live(store, job) != made_of[job])
    return next(found, None)


def _live(store: Store, job: str) -> str:
    return fingerprint(store.listed(job) or [])


def _read(store: Store) -> dict[str, dict[str, str]]:
    try:
        read = json.loads(store.storage.read(layout.STEPS))
        return {str(stage): {str(job): str(live) for job, live in made_of.items()} for stage, made_of in read.items()}
    except (OSError, ValueError, AttributeError):
        return {}
