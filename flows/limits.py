"""How long a run may take, and what it waits for: its output folder, and the GPU of this machine."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from kgmill.pipelines.building import Listener, Run, has_work, hold
from kgmill.pipelines.context import RunContext
from kgmill.pipelines.engine.runners import LOCAL
from kgmill.pipelines.output.parts import Store
from kgmill.schemas.errors import ConfigError, LockError, TimeLimitError

WhenBusy = Literal["wait", "skip", "fail"]
_FIRST_LOOK_S, _LOOK_S = 0.1, 5.0

Note = Callable[[str], None]
GpuTurn = Callable[[str, "TimeLimit", Note], AbstractContextManager[None]]


class SkippedError(Exception):
    """Another run holds the output folder, and this one was told to leave it alone; nothing was touched."""


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """The seconds that a run may take, from now on; 0: no limit. What it waits counts too."""

    seconds: float = 0.0
    _begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        if not self.seconds >= 0:
            raise ConfigError(f"--time-limit {self.seconds:g}: wanted a number of seconds, or 0 for no limit")

    @property
    def left(self) -> float | None:
        """The seconds that are left; None where there is no limit."""
        return max(0.0, self._begun + self.seconds - time.monotonic()) if self.seconds else None

    def check(self) -> None:
        """Makes sure that there is time left.

        Raises:
            TimeLimitError: there is none.
        """
        if self.left == 0:
            raise TimeLimitError(
                f"took longer than --time-limit {self.seconds:g} s; the next run goes on from the last committed work "
                "unit"
            )

    def watch(self, listener: Listener) -> Listener:
        """The listener, which also looks at the time whenever it is told of progress: once a second, in each job."""

        def on_progress(job: str, share: float, n_documents: int | None) -> None:
            self.check()
            listener.on_progress(job, share, n_documents)

        return replace(listener, on_progress=on_progress)

    def pauses(self) -> Iterator[None]:
        """Endless pauses between two looks at what is waited for, from a tenth of a second to five seconds."""
        pause_s = _FIRST_LOOK_S
        while True:
            self.check()
            time.sleep(pause_s if self.left is None else min(pause_s, self.left))
            pause_s = min(2 * pause_s, _LOOK_S)
            yield


# The output folder


def check_free(out: str) -> None:
    """Asks whether the output is free, before a model is loaded for it; makes nothing where there is no output yet.

    Raises:
        LockError: another process holds it.
    """
    store = Store(out)
    if store.storage.was_held():
        with store.lock(clear=False):
            pass


@contextmanager
def hold_when_free(context: RunContext, listener: Listener, when_busy: WhenBusy, limit: TimeLimit) -> Iterator[Run]:
    """Holds the output folder as `pipelines.building.hold` does, or does what it was told where another one does.

    Raises:
        SkippedError: it is held, and `when_busy` is `skip`.
        LockError: it is held, and `when_busy` is `fail`.
        TimeLimitError: it was held for as long as the run may take.
    """
    told = ""
    with ExitStack() as stack:
        for _ in _tries(limit):
            try:
                check_free(context.out)
                run = stack.enter_context(hold(context, listener=limit.watch(listener)))
                break
            except LockError as busy:
                if when_busy == "fail":
                    raise
                holder = str(busy).removesuffix("; wait for it")
                if when_busy == "skip":
                    raise SkippedError(holder) from None
                if told != holder:
                    listener.on_note(f"{holder}; waiting")
                    told = holder
        yield run


def _tries(limit: TimeLimit) -> Iterator[None]:
    yield
    yield from limit.pauses()


# The GPU


def gpu_name(context: RunContext) -> str:
    """The name of the limit of the GPU of this machine on which a run computes; empty where it computes on none."""
    kind, _, number = context.device.partition(":")
    if kind != "cuda" or context.runner != LOCAL:
        return ""
    shown = [one.strip() for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one.strip()]
    index = int(number or 0)
    return f"kgmill-gpu-{socket.gethostname()}-{shown[index] if index < len(shown) else index}"


@contextmanager
def gpu_of(run: Run, stage: str, limit: TimeLimit, turn: GpuTurn) -> Iterator[None]:
    """Holds the GPU while a stage computes on it: extract, where it has anything to do."""
    name = gpu_name(run.context)
    if stage != "extract" or not name or not has_work(run, stage):
        yield
        return
    with turn(name, limit, run.listener.on_note):
        yield


@contextmanager
def turn_on_host(name: str, limit: TimeLimit, note: Note) -> Iterator[None]:
    """One run at a time, of whatever user of this machine: a lock of the system, which ends with who holds it.

    Raises:
        TimeLimitError: others held it for as long as the run may take.
    """
    path = Path(tempfile.gettempdir()) / f"{name}.lock"
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        handle = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        for i, _ in enumerate(_tries(limit)):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if i == 0:
                    note(f"{name}: another build computes there: waiting")
        yield
    finally:
        os.close(handle)
