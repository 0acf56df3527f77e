"""The ledgers of runs: run.json is the last one's, DIR/runs has those before."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import Any

from kgmill.pipelines.output.parts import Store, write_json


def write_run(store: Store, report: dict[str, Any]) -> None:
    """Replaces run.json; the one before goes to DIR/runs, under its start and, where that is taken, a number."""
    path, runs = store.root / "run.json", store.root / "runs"
    fresh = store.scratch() / "run.json"
    write_json(fresh, report)
    if path.is_file():
        name = run_name(str(last_run(store.root).get("started", "unknown")).replace("/", ""))
        runs.mkdir(exist_ok=True)
        taken = {kept.name for kept in runs.iterdir()}
        names = chain([f"{name}.json"], (f"{name}-{n}.json" for n in count(2)))
        os.replace(path, runs / next(name for name in names if name not in taken))
    os.replace(fresh, path)
    fresh.parent.rmdir()


def last_run(root: Path) -> dict[str, Any]:
    """What run.json says; nothing where there is none that is whole."""
    try:
        return dict(json.loads((root / "run.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def all_runs(root: Path) -> Iterator[dict[str, Any]]:
    """The ledgers of the last run and of those before, latest first."""
    for path in (root / "run.json", *sorted((root / "runs").glob("*.json"), reverse=True)):
        with suppress(OSError, ValueError):
            yield json.loads(path.read_text(encoding="utf-8"))


def now() -> str:
    """The time in UTC, as run.json has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def run_name(started: str) -> str:
    """The name of the run that started then, in names of files."""
    return started.replace(":", "")
