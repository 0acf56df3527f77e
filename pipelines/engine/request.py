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

from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.storage.files import write_json

PartName = tuple[str, str]  # unit and fingerprint
TaskT = TypeVar("TaskT")
SettingsT = TypeVar("SettingsT")


@dataclass(frozen=True, slots=True)
class Request(Generic[TaskT, SettingsT]):
    """A job to run.

    Attributes:
        job: name of the job's module.
        root: the output.
        scratch: folder for receipts and spills; removed by the driver.
        tasks: what is to be done.
        settings: what all tasks share.
        suspects: groups of documents that may have killed a worker, each to be tried by itself before all others.
        faults: documents that did, with the reason.
        runner: name of the Beam runner.
        beam_options: options of the runner.
        is_rehearsal: nothing is done but what comes before the first task, as to open the model.
        log_level: the least level of log lines that the worker sends, as `logging` numbers them.
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

    @property
    def store(self) -> Store:
        """The store of the output."""
        return Store(self.root)

    @property
    def scratch_path(self) -> Path:
        """The scratch folder."""
        return Path(self.scratch)

    def save(self) -> Path:
        """Writes the request into its scratch folder; returns the file."""
        path = self.scratch_path / "request.json"
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


def write_receipt(scratch: str, receipt: Receipt) -> None:
    """Says that a unit is done. A second receipt for the same unit replaces the first: work may run twice."""
    write_json(Path(scratch) / "receipts" / f"{receipt.unit}.json", asdict(receipt))


def read_receipts(scratch: Path) -> dict[str, Receipt]:
    """The receipts so far, by unit."""
    found = (json.loads(path.read_text(encoding="utf-8")) for path in sorted((scratch / "receipts").glob("*.json")))
    return {receipt["unit"]: Receipt(**receipt) for receipt in found}
