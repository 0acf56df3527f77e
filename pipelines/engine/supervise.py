"""A job that survives its worker: it is started again where it was, and documents that kill it are found and rejected.

Before each call of the model, extract writes a mark: the documents of that call, and the seconds it may take. When the
worker dies or is ended, the documents of the mark become suspects. The next worker takes them first and in eighths (as
every death costs the start of a worker, or a time limit, halves would be slow), each in a call of its own, and so on
until a document kills its worker all alone; one that never had company gets a second chance. It is marked as faulty and
not tried again in this run.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kgmill.pipelines.engine.request import Request, read_receipts
from kgmill.pipelines.engine.worker import Worker
from kgmill.pipelines.storage.files import remove
from kgmill.schemas.errors import WorkerError

WAYS = 8
MAX_DEATHS = 2  # in a row, without a work unit or a suspect gained
MAX_FAULTY = 3  # documents in a row, without a call of the model that went well


def supervise(
    worker: Worker, request: Request[Any, Any], on_poll: Callable[[], None], on_note: Callable[[str], None]
) -> dict[str, Any]:
    """Runs a job to its end, in as many workers as it takes; returns the last one's reply.

    `on_poll` is called a few times a second, `on_note` with a line for each worker that died.

    Raises:
        WorkerError: workers die whatever is tried.
    """
    scratch, tasks = Path(request.scratch), request.tasks
    suspects = Suspects(scratch / "calls")
    n_done = n_deaths = 0

    def poll(elapsed_s: float) -> None:
        on_poll()
        suspects.watch(elapsed_s)

    on_poll()
    while True:
        n_before = n_done
        groups = tuple(map(tuple, suspects.groups))
        try:
            return worker.run(replace(request, tasks=tasks, suspects=groups, faults=suspects.faults).save(), poll)
        except WorkerError as error:
            done = read_receipts(scratch)
            n_done = len(done)
            is_further = suspects.accuse(error) or n_done > n_before
            n_deaths = 0 if is_further else n_deaths + 1
            if n_deaths > MAX_DEATHS:
                raise WorkerError(f"{request.job}: {error}, {n_deaths} times in a row at the same place") from None
            on_note(f"{request.job}: {error}; it is started again")
        remove(scratch / "spills")
        tasks = tuple(task for task in request.tasks if getattr(task, "unit", None) not in done)


class Suspects:
    """What is known of the documents that workers died on.

    Attributes:
        groups: ids of documents, each group to be tried in a call of its own, before all others.
        faults: why a document is rejected, as `reason: detail`, by its id.
    """

    def __init__(self, folder: Path) -> None:
        self.groups: list[list[str]] = []
        self.faults: dict[str, str] = {}
        self._folder = folder
        self._n_in_a_row = 0
        self._watched: dict[Path, tuple[tuple[int, int], float, float]] = {}

    def watch(self, elapsed_s: float) -> None:
        """Counts the seconds of the calls that are under way.

        Raises:
            WorkerError: one takes longer than its mark allows.
        """
        for path in self._folder.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):  # the call has just ended
                status = path.stat()
                version = (status.st_ino, status.st_mtime_ns)
                known, seconds, limit_s = self._watched.get(path, ((0, 0), 0.0, 0.0))
                if known == version:
                    seconds += elapsed_s
                else:
                    seconds, limit_s = 0.0, _read(path)["limit_s"]
                self._watched[path] = (version, seconds, limit_s)
                if seconds > limit_s:
                    raise WorkerError(f"a call of the model took more than {limit_s:g} s (document_timeout)", "timeout")

    def accuse(self, error: WorkerError) -> bool:
        """Takes in that a worker died; returns whether documents are under suspicion for it.

        Raises:
            WorkerError: no document is to blame, as workers die on one after another.
        """
        marks = [(path, _read(path)) for path in sorted(self._folder.glob("*.json"))]
        for path, mark in marks:
            path.unlink()
            call = mark["documents"]
            if mark["n_done"]:
                self._n_in_a_row = 0
            is_suspect = call in self.groups
            self.groups = [group for group in self.groups if group != call]
            if len(call) > 1:
                self.groups = [*_cut(call), *self.groups]
            elif not is_suspect:
                self.groups = [call, *self.groups]
            else:
                self.faults[call[0]] = f"{error.reason}: {error}"
                self._n_in_a_row += 1
        if self._n_in_a_row >= MAX_FAULTY:
            raise WorkerError(
                f"extract: {error}, with each of {MAX_FAULTY} documents alone; the fault is hardly theirs: "
                "see to the model, the device, document_timeout and worker_memory_mb, then build again"
            )
        return bool(marks)


def _cut(call: list[str]) -> list[list[str]]:
    """The documents in order, in up to `WAYS` groups of about the same number."""
    n = min(WAYS, len(call))
    return [call[i * len(call) // n : (i + 1) * len(call) // n] for i in range(n)]


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))
