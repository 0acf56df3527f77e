"""What a job is given and what it gives back: typed records that cross to the worker, and home, as JSON.

A job is a module of `pipelines.stages`. Its tasks are descriptors, records of its `Task` (a unit, names of parts),
never documents: the heavy data moves through Parquet. What all tasks share is its `Settings`. When a task has committed
its part, a receipt is written, a small file by which the driver knows what was done, on any runner.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from kgmill import __version__
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.storage.files import to_json, write_json
from kgmill.pipelines.storage.scratch import Scratch

PartName = tuple[str, str]  # unit and fingerprint
TaskT = TypeVar("TaskT")
SettingsT = TypeVar("SettingsT")


@dataclass(frozen=True, slots=True)
class Request(Generic[TaskT, SettingsT]):
    """A job to run.

    Attributes:
        job: name of the job's module.
        root: the output.
        scratch: place of receipts and spills; removed by the driver.
        tasks: what is to be done.
        settings: what all tasks share.
        suspects: groups of documents that may have killed a worker, each to be tried by itself before all others.
        faults: documents that did, with the reason.
        runner: name of the Beam runner.
        beam_options: options of the runner.
        is_rehearsal: nothing is done but what comes before the first task, as to open the model; on an engine, by each
            of `n_slots` workers.
        log_level: the least level of log lines that the worker sends, as `logging` numbers them.
        one_by_one: the tasks are done by one worker, one after another.
        memory_mb: resident memory above which a worker on another machine ends itself; 0 for no limit.
        version: of the kgmill that asks.
    """

    job: str
    root: str
    scratch: str
    tasks: tuple[TaskT, ...]
    settings: SettingsT
    suspects: tuple[tuple[str, ...], ...] = ()
    faults: Mapping[str, str] = field(default_factory=dict)
    runner: str = "FnApiRunner"
    beam_options: tuple[str, ...] = ()
    is_rehearsal: bool = False
    log_level: int = logging.WARNING
    n_slots: int = 1
    one_by_one: bool = False
    memory_mb: int = 0
    version: str = __version__

    @property
    def store(self) -> Store:
        """The store of the output."""
        return Store(self.root)

    @property
    def shared(self) -> Scratch:
        """What the job's processes leave for one another."""
        return Scratch(self.scratch)

    def save(self) -> Path:
        """Writes the request to a file of this machine, which goes with the work in progress; returns it."""
        shared = self.shared
        path = (Path(self.scratch) if shared.is_near else self.store.scratch()) / "request.json"
        write_json(path, to_jsonable_python(self))
        return path

    @staticmethod
    def load(path: Path) -> Request[Any, Any]:
        """The request in a file."""
        content = json.loads(path.read_text(encoding="utf-8"))
        module = job_module(content["job"])
        tasks = TypeAdapter(tuple[module.Task, ...]).validate_python(content.pop("tasks"))  # type: ignore[name-defined]
        settings = TypeAdapter(module.Settings).validate_python(content.pop("settings"))
        suspects = tuple(map(tuple, content.pop("suspects")))
        options = tuple(content.pop("beam_options"))
        return Request(tasks=tasks, settings=settings, suspects=suspects, beam_options=options, **content)


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a unit is done.

    Attributes:
        fingerprint: of the part that was committed.
        counts: what was counted while it was made; `documents`, `sentences` and `rejects` are Beam metrics too.
    """

    unit: str
    fingerprint: str
    counts: Mapping[str, float] = field(default_factory=dict)


def job_module(job: str) -> ModuleType:
    """The module of a job: its `Task` and `Settings`, its `work`, and its `build` where it is no job a task."""
    return import_module(f"kgmill.pipelines.stages.{job}")


def write_receipt(scratch: str | Path, receipt: Receipt) -> None:
    """Says that a unit is done. A second receipt for the same unit replaces the first: work may run twice."""
    Scratch(scratch).write(f"receipts/{receipt.unit}.json", to_json(asdict(receipt)))


def read_receipts(scratch: str | Path) -> dict[str, Receipt]:
    """The receipts so far, by unit."""
    shared = Scratch(scratch)
    found = (json.loads(shared.read(f"receipts/{name}")) for name in shared.names("receipts"))
    return {receipt["unit"]: Receipt(**receipt) for receipt in found}
