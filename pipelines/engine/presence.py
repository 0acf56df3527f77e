"""How a build and its workers on other machines meet: each says that it is there, and goes on saying so.

A worker beats, as the build's own child does: a small file in the scratch, which it writes again and again and takes
away when it leaves in order. The death of a worker is not always seen by an engine, whose job then hangs for ever.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import kgmill
from kgmill.pipelines.engine.request import Request
from kgmill.pipelines.storage.scratch import Scratch
from kgmill.schemas.errors import ConfigError, EngineError, KgmillError, WorkerError

SILENCE_S = 60.0  # without a beat, where looking costs nothing; twice that elsewhere
_BEAT_S, _FAR_BEAT_S = 2.0, 20.0
_HERE, _WORKERS = "here.json", "workers"
_leaving: list[Callable[[], None]] = []
_beats = threading.Event()  # set where somebody sees to it that this process leaves in order


def leave_in_order() -> Callable[[], None]:
    """Makes workers in this process beat; gives what takes their files away, to be called at its end."""
    _beats.set()

    def leave_all() -> None:
        for leave in _leaving:
            leave()

    return leave_all


class Workers:
    """The build's side: who came to a job. Making one forgets those that came before."""

    def __init__(self, shared: Scratch) -> None:
        shared.remove(_WORKERS)
        shared.write(_HERE, b"{}")
        self._shared, self._pause_s = shared, 1.0 if shared.is_near else _FAR_BEAT_S
        self._silence_s = SILENCE_S if shared.is_near else 2 * SILENCE_S
        self._elapsed_s = 0.0
        self._heard: dict[str, tuple[bytes, float]] = {}

    def have_come(self) -> bool:
        """Whether there is one."""
        return bool(self._heard) or bool(self._shared.names(_WORKERS))

    def listen(self, elapsed_s: float) -> None:
        """Counts the seconds since each was heard.

        Raises:
            WorkerError: one is silent, or took too much memory.
        """
        self._elapsed_s += elapsed_s
        if self._elapsed_s < self._pause_s:
            return
        elapsed_s, self._elapsed_s = self._elapsed_s, 0.0
        heard = {}
        for name in self._shared.names(_WORKERS):
            with suppress(FileNotFoundError):
                beat = self._shared.read(f"{_WORKERS}/{name}")
                before, silent_s = self._heard.get(name, (b"", 0.0))
                heard[name] = beat, silent_s + elapsed_s if beat == before else 0.0
                self._check(name.removesuffix(".json"), json.loads(beat), heard[name][1])
        self._heard |= heard
        for name in self._heard.keys() - heard.keys():
            self._heard[name] = b"", 0.0  # it left

    def _check(self, name: str, told: dict[str, Any], silent_s: float) -> None:
        if told["fault"]:
            raise WorkerError(told["fault"], "out_of_memory") if told["beats"] else EngineError(told["fault"])
        if told["beats"] and silent_s > self._silence_s:
            raise WorkerError(f"worker {name} gave no sign of life for {self._silence_s:g} s", "timeout")

    def fault(self) -> KgmillError | None:
        """Why one ended itself, if one did."""
        try:
            self.listen(2 * self._pause_s)
        except KgmillError as error:
            return error
        return None


def tell_fault(scratch: str, fault: str) -> None:
    """Says in a job's scratch, where that is seen here, why this process is no worker of it."""
    with suppress(OSError, KgmillError):
        Scratch(scratch).write(f"{_WORKERS}/{socket.gethostname()}-{os.getpid()}.json", _beat(0, fault))


def meet(request: Request[Any, Any]) -> None:
    """Says that this process is a worker of the job, and goes on saying so.

    Raises:
        ConfigError: it has another kgmill than the build, or doesn't see the output.
    """
    if request.version != kgmill.__version__:
        raise ConfigError(
            f"a worker on {socket.gethostname()} has kgmill {kgmill.__version__}, and the build {request.version}; "
            "install the same version for both"
        )
    _say(request.scratch, request.root, request.memory_mb)


@cache
def _say(scratch: str, root: str, memory_mb: int) -> None:
    shared, name = Scratch(scratch), f"{_WORKERS}/{socket.gethostname()}-{os.getpid()}.json"
    try:
        shared.read(_HERE)
        shared.write(name, _beat(0))
    except (OSError, KgmillError) as error:
        why = getattr(error, "strerror", "") or str(error)
        raise ConfigError(
            f"{root}: a worker on {socket.gethostname()} can't see it, or can't write there ({why}); "
            "--out wants a folder or URL that all workers see under the same name"
        ) from None
    if _beats.is_set():
        _leaving.append(lambda: shared.remove(name))
        threading.Thread(target=_go_on, args=(shared, name, memory_mb), daemon=True).start()


def _beat(number: int, fault: str = "") -> bytes:
    return json.dumps({"beats": _beats.is_set(), "number": number, "fault": fault}).encode()


def _go_on(shared: Scratch, name: str, memory_mb: int) -> None:
    """Beats; ends the process where it has too much memory."""
    from kgmill.pipelines.engine.worker import rss_mb

    pause_s = _BEAT_S if shared.is_near else _FAR_BEAT_S
    number, next_s = 0, 0.0
    while True:
        if memory_mb and rss_mb(os.getpid()) > memory_mb:
            with suppress(OSError, KgmillError):
                shared.write(name, _beat(number, f"a worker had more than {memory_mb} MB (worker_memory_mb)"))
            os._exit(1)
        if time.monotonic() > next_s:
            number, next_s = number + 1, time.monotonic() + pause_s
            try:
                shared.read(_HERE)
                shared.write(name, _beat(number))
            except FileNotFoundError:
                return  # the job is over
            except (OSError, KgmillError):
                pass  # the next one may come through
        time.sleep(0.5)
