"""How far a job is: its tasks tell it in small files beside the receipts, the parent sums them. Any runner will do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from kgmill.pipelines.storage.scratch import Scratch
from kgmill.schemas.errors import StorageError

Item = TypeVar("Item")

_TELL_S = 1.0
_BEGUN = 1e-4
_HEAD_START_S = 1.5  # the parent looks once a second, and should see that a task begins before it sees more
_ALMOST = 0.9999
FAR_S = 5.0  # between two looks at an object store, each of which is paid for


@dataclass(frozen=True, slots=True)
class Extent:
    """What a job has to do.

    Attributes:
        units: the work units, each of which ends with a receipt, and about how much work each is.
        steps: the tasks that end without one, likewise.
        n_documents: documents in it; None where only the tasks will know.
    """

    units: Mapping[str, float]
    steps: Mapping[str, float] = field(default_factory=dict)
    n_documents: int | None = None


class Teller:
    """A task's side: tells, at most once a second, which share of the task is done.

    Making one tells that the task begins, by a tiny share: what took time before that, such as the start of a worker or
    the loading of a model, says nothing of how fast the task goes. Whatever goes wrong with the file is left to the
    task's real files to say.
    """

    def __init__(self, scratch: str | Path, name: str) -> None:
        self._shared, self._name = Scratch(scratch), f"progress/{name}.json"
        self._write(_BEGUN, 0)
        self._told = time.monotonic() + _HEAD_START_S - _TELL_S

    def tell(self, share: float, n_documents: int = 0) -> None:
        """Tells a share between 0 and 1, and how many documents it holds where the parent can't know; 1 is the last."""
        now = time.monotonic()
        if share < 1 and now - self._told < _TELL_S:
            return
        self._told = now
        self._write(share, n_documents)

    def _write(self, share: float, n_documents: int) -> None:
        with suppress(OSError, StorageError):
            self._shared.write(self._name, json.dumps([min(share, 1.0), n_documents]).encode())

    def each(self, items: Sequence[Item], begin: float, end: float) -> Iterator[Item]:
        """The items; tells before each how far it is on the way from one share to another."""
        for i, item in enumerate(items):
            self.tell(begin + (end - begin) * i / len(items))
            yield item


class Meter:
    """The parent's side.

    `show` is called with the share of the job that is done, between 0 and 1, and the documents in all, None until that
    is known.
    """

    def __init__(self, scratch: str | Path, extent: Extent, show: Callable[[float, int | None], Any]) -> None:
        self._shared, self._extent, self._show = Scratch(scratch), extent, show
        self._pause_s = _TELL_S if self._shared.is_near else FAR_S
        self._weights = {**extent.steps, **extent.units}
        self._told: dict[str, tuple[float, int]] = {}
        self._shown: float | None = None
        self._looked = 0.0

    def poll(self) -> None:
        """Looks what was told, and shows it, at most once a second; less than before counts for nothing."""
        now = time.monotonic()
        if self._shown is not None and now - self._looked < self._pause_s:
            return
        self._looked = now
        self._look()
        total = sum(self._weights.values())
        share = sum(weight * self._told.get(name, (0.0, 0))[0] for name, weight in self._weights.items()) / total
        self._shown = max(self._shown or 0.0, min(share, _ALMOST))  # what was told in full may fail to be committed
        self._show(self._shown, self._n_documents())

    def finish(self) -> None:
        """Shows that all is done."""
        self._look()
        self._show(1.0, self._n_documents())

    def _look(self) -> None:
        with suppress(StorageError):
            for name in self._names("receipts"):
                if name in self._extent.units:
                    self._told[name] = (1.0, 0)
            for name in self._names("progress"):
                if self._told.get(name, (0.0, 0))[0] < 1:
                    with suppress(OSError, ValueError):
                        share, n = json.loads(self._shared.read(f"progress/{name}.json"))
                        self._told[name] = (share, n)

    def _names(self, below: str) -> list[str]:
        return [name.removesuffix(".json") for name in self._shared.names(below) if name.endswith(".json")]

    def _n_documents(self) -> int | None:
        """The documents in all; estimated, while they are read, from the part of the sources that they were in."""
        if self._extent.n_documents is not None:
            return self._extent.n_documents
        told = [(weight, *self._told.get(name, (0.0, 0))) for name, weight in self._extent.steps.items()]
        told = [(weight, share, n) for weight, share, n in told if n]
        read = sum(weight * share for weight, share, _ in told)
        weights = sum(self._extent.steps.values())
        return round(sum(n for _, _, n in told) * weights / read) if read else None
