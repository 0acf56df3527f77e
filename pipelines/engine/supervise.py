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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from kgmill.pipelines.engine.engines import Engine
from kgmill.pipelines.engine.progress import FAR_S
from kgmill.pipelines.engine.request import Request, read_receipts
from kgmill.pipelines.engine.worker import Worker
from kgmill.pipelines.storage.scratch import Scratch
from kgmill.schemas.errors import WorkerError

HERE = Engine()

WAYS = 8
MAX_DEATHS = 2  # in a row, without a work unit or a suspect gained
MAX_FAULTY = 3  # documents in a row, without a call of the model that went well


def supervise(
    worker: Worker,
    request: Request[Any, Any],
    on_poll: Callable[[], None],
    on_note: Callable[[str], None],
    engine: Engine = HERE,
) -> dict[str, Any]:
    """Runs a job to its end, in as many workers as it takes; returns the last one's reply.

    `on_poll` is called a few times a second, `on_note` with a line for each worker that died.

    Raises:
        WorkerError: workers die whatever is tried.
        EngineError: the engine doesn't run it, or doesn't end it.
    """
    shared, tasks = request.shared, request.tasks
    suspects = Suspects(shared)
    n_done = n_deaths = 0
    on_poll()
    while True:
        n_before = n_done
        held = () if engine.is_local else suspects.held(tasks)
        chosen = held or tasks
        groups = tuple(map(tuple, suspects.groups))
        attempt = replace(request, tasks=chosen, suspects=groups, faults=suspects.faults, one_by_one=bool(held))
        try:
            with engine.job(attempt) as job:
                watches = (lambda elapsed_s: on_poll(), suspects.watch, job.watch)
                reply = worker.run(replace(attempt, beam_options=job.options).save(), partial(_each, watches))
            if len(chosen) == len(tasks):
                return reply
            suspects.acquit()
        except WorkerError as error:
            n_done = len(read_receipts(shared.place))
            is_further = suspects.accuse(error) or n_done > n_before
            n_deaths = 0 if is_further else n_deaths + 1
            if n_deaths > MAX_DEATHS:
                raise WorkerError(f"{request.job}: {error}, {n_deaths} times in a row at the same place") from None
            on_note(f"{request.job}: {error}; it is started again")
        done = read_receipts(shared.place)
        shared.remove("spills")
        tasks = tuple(task for task in request.tasks if getattr(task, "unit", None) not in done)


def _each(watches: Sequence[Callable[[float], None]], elapsed_s: float) -> None:
    for watch in watches:
        watch(elapsed_s)


class Suspects:
    """What is known of the documents that workers died on.

    Attributes:
        groups: ids of documents, each group to be tried in a call of its own, before all others.
        faults: why a document is rejected, as `reason: detail`, by its id.
    """

    def __init__(self, shared: Scratch) -> None:
        self.groups: list[list[str]] = []
        self.faults: dict[str, str] = {}
        self._shared, self._pause_s = shared, 0.0 if shared.is_near else FAR_S
        self._units: set[str] = set()
        self._n_in_a_row = 0
        self._elapsed_s = 0.0
        self._watched: dict[str, tuple[bytes, float, float]] = {}

    def held(self, tasks: Sequence[Any]) -> tuple[Any, ...]:
        """The tasks that have suspects.

        Where many workers run at once, the death of one ends all, and which of their marks is the dead one's can't be
        told. So these tasks are done before all others, by one worker, one after another.
        """
        return tuple(task for task in tasks if getattr(task, "unit", None) in self._units) if self.groups else ()

    def acquit(self) -> None:
        """Nobody is a suspect any more."""
        self.groups, self._units = [], set()

    def watch(self, elapsed_s: float) -> None:
        """Counts the seconds of the calls that are under way.

        Raises:
            WorkerError: one takes longer than its mark allows.
        """
        self._elapsed_s += elapsed_s
        if self._elapsed_s < self._pause_s:
            return
        elapsed_s, self._elapsed_s = self._elapsed_s, 0.0
        for unit, mark in self._marks():
            known, seconds, limit_s = self._watched.get(unit, (b"", 0.0, 0.0))
            if known == mark:
                seconds += elapsed_s
            else:
                seconds, limit_s = 0.0, json.loads(mark)["limit_s"]
            self._watched[unit] = (mark, seconds, limit_s)
            if seconds > limit_s:
                raise WorkerError(f"a call of the model took more than {limit_s:g} s (document_timeout)", "timeout")

    def _marks(self) -> Iterator[tuple[str, bytes]]:
        """The marks that there are, with their units."""
        for name in self._shared.names("calls"):
            if name.endswith(".json"):
                with contextlib.suppress(FileNotFoundError):  # the call has just ended
                    yield name.removesuffix(".json"), self._shared.read(f"calls/{name}")

    def accuse(self, error: WorkerError) -> bool:
        """Takes in that a worker died; returns whether documents are under suspicion for it.

        Raises:
            WorkerError: no document is to blame, as workers die on one after another.
        """
        marks = [(unit, json.loads(mark)) for unit, mark in self._marks()]
        for unit, mark in marks:
            self._shared.remove(f"calls/{unit}.json")
            self._units.add(unit)
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
