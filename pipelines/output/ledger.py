"""The ledgers of runs: run.json is the last one's, DIR/runs has those before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain, count
from typing import Any

from kgmill.pipelines.output import layout
from kgmill.pipelines.output.format import check_readable
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.output.steps import check_in_step
from kgmill.pipelines.storage.files import to_json
from kgmill.schemas.errors import UsageError


def write_run(store: Store, report: dict[str, Any]) -> None:
    """Replaces run.json; the one before goes to DIR/runs, under its start and, where that is taken, a number."""
    storage = store.storage
    if storage.has(layout.RUN):
        before = storage.read(layout.RUN)
        name = run_name(str(last_run(store).get("started", "unknown")).replace("/", ""))
        taken = set(storage.children(layout.RUNS))
        names = chain([f"{name}.json"], (f"{name}-{n}.json" for n in count(2)))
        target = next(n for n in names if n not in taken or storage.read(f"{layout.RUNS}/{n}") == before)
        if target not in taken:  # a run that died between both steps has put it there
            storage.write(f"{layout.RUNS}/{target}", before)
    storage.write(layout.RUN, to_json(report))


def last_run(store: Store) -> dict[str, Any]:
    """What run.json says; nothing where there is none that is whole."""
    try:
        return dict(json.loads(store.storage.read(layout.RUN)))
    except (OSError, ValueError, TypeError):
        return {}


def finished_run(store: Store) -> dict[str, Any]:
    """What run.json says of a build that ended well, whose tables and graph are of one piece.

    Raises:
        UsageError: the last one isn't finished, or there was none.
        OutputError: the folder is of another format, or a run was cut off since.
    """
    check_readable(store)
    run = last_run(store)
    again = f"run kgmill build SOURCE... --out {store.where}"
    if not run:
        raise UsageError(f"{store.where}: no finished build here; {again} first")
    if run["status"] != "done":
        raise UsageError(f"{store.where}: the last build here did not finish; {again} again")
    check_in_step(store)
    return run


def all_runs(store: Store) -> Iterator[dict[str, Any]]:
    """The ledgers of the last run and of those before, latest first."""
    for name in all_run_files(store):
        with suppress(OSError, ValueError):
            yield json.loads(store.storage.read(name))


def all_run_files(store: Store) -> list[str]:
    """Their files, latest first."""
    before = sorted((name for name in store.storage.children(layout.RUNS) if name.endswith(".json")), reverse=True)
    return [layout.RUN, *(f"{layout.RUNS}/{name}" for name in before)]


def now() -> str:
    """The time in UTC, as run.json has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def run_name(started: str) -> str:
    """The name of the run that started then, in names of files."""
    return started.replace(":", "")
