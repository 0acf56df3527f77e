"""The worker: one supervised child process a build, in which every Beam job of that build runs.

Beam's own multi-process mode hangs for ever when a worker is killed; here the same kill is an exit code, and the stage
may be tried again in a new child. Parent and child speak lines over the child's standard input and output: the parent
sends request files, the child replies in JSON, as it sends what it logs, and an empty line is a beat, sent every second
from a thread of its own, so that a child that was stopped or that holds Python's global lock falls silent. When the
parent dies, the child's input ends and so does the child. Libraries may print: the child's file descriptor 1 is its
standard error.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kgmill.pipelines.engine.failures import describe
from kgmill.pipelines.engine.launcher import end_with_parent
from kgmill.pipelines.engine.runners import LOCAL
from kgmill.schemas import errors
from kgmill.schemas.errors import KgmillError, WorkerError
from kgmill.schemas.leaving import leave
from kgmill.schemas.logged import Relay, take

SILENCE_S = 120.0
GRACE_S = 5.0
_BEAT_S = 1.0
_POLL_S = 0.2


class Worker:
    """The parent's side. The child starts with the first job.

    Attributes:
        memory_mb: resident memory above which the child is killed; 0 for no limit. Only where there is /proc.
        silence_s: seconds without a beat after which the child is killed. Only time in which the parent ran counts, so
            that a stopped or suspended machine kills nobody.
    """

    def __init__(self, *, memory_mb: int = 0, silence_s: float = SILENCE_S) -> None:
        self.memory_mb, self.silence_s = memory_mb, silence_s
        self._child: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._is_busy = False
        self._n_oom_kills = 0

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def run(self, request_file: Path, on_poll: Callable[[float], None] = lambda elapsed_s: None) -> dict[str, Any]:
        """Runs a job; returns what the child says of it.

        `on_poll` is called a few times a second, with the seconds since the last call; what it raises ends the child.

        Raises:
            WorkerError: the child died, fell silent or took too much memory.
            KgmillError: the job raised it in the child.
        """
        child = self._start()
        self._is_busy = True
        try:
            child.stdin.write(f"{request_file}\n")  # type: ignore[union-attr]
            child.stdin.flush()  # type: ignore[union-attr]
        except OSError:
            raise self._death(child) from None
        try:
            reply = self._await_reply(child, on_poll)
        except BaseException:
            self.stop()
            raise
        if reply is None:
            raise self._death(child)
        self._is_busy = False
        if "error" in reply:
            raise getattr(errors, reply["kind"], KgmillError)(reply["error"])
        return reply

    def _await_reply(self, child: subprocess.Popen[str], on_poll: Callable[[float], None]) -> dict[str, Any] | None:
        """The child's reply; None where its output ended without one. What the child logs meanwhile is logged here."""
        silent_s = 0.0
        while True:
            began = time.monotonic()
            with contextlib.suppress(queue.Empty):
                line = self._lines.get(timeout=_POLL_S)
                silent_s = 0.0
                if line is None or not line.endswith("\n"):  # it died, perhaps in the middle of a line
                    on_poll(0.0)
                    return None
                said: dict[str, Any] = json.loads(line) if line.strip() else {}
                if "log" in said:
                    take(said["log"])
                elif said:
                    on_poll(0.0)
                    return said
            elapsed_s = min(time.monotonic() - began, 2 * _POLL_S)
            silent_s += elapsed_s
            if silent_s > self.silence_s:
                raise WorkerError(f"the worker gave no sign of life for {self.silence_s:g} s", "timeout")
            if self.memory_mb and rss_mb(child.pid) > self.memory_mb:
                raise WorkerError(f"the worker had more than {self.memory_mb} MB (worker_memory_mb)", "out_of_memory")
            on_poll(elapsed_s)

    def stop(self) -> None:
        """Ends the child, if it runs: in order where it waits for work, at once where it is in a job."""
        if self._child is None:
            return
        with contextlib.suppress(OSError):
            self._child.stdin.close()  # type: ignore[union-attr]
        if self._is_busy:
            self._child.kill()  # a commit is one rename: nothing can be cut in half
        try:
            self._child.wait(timeout=GRACE_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child, self._is_busy = None, False

    def _start(self) -> subprocess.Popen[str]:
        if self._child is None:
            environment = {"TOKENIZERS_PARALLELISM": "false"} | os.environ | {"PYTHONSAFEPATH": "1"}
            self._n_oom_kills = _oom_kills()
            self._lines = queue.SimpleQueue()
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "kgmill.pipelines.engine.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
                start_new_session=False,
            )
            threading.Thread(target=_read_lines, args=(self._child, self._lines), daemon=True).start()
        return self._child

    def _death(self, child: subprocess.Popen[str]) -> WorkerError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=GRACE_S)
        code = child.poll()
        self.stop()
        if code == -signal.SIGKILL and _oom_kills() > self._n_oom_kills:
            return WorkerError("the worker was killed by the system, which was out of memory", "out_of_memory")
        if code is not None and code < 0:
            return WorkerError(f"the worker was killed by {signal.Signals(-code).name}")
        return WorkerError(f"the worker ended with exit code {code}")


def _read_lines(child: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    """Passes the child's lines on; None when there are no more."""
    with child.stdout as stream:  # type: ignore[union-attr]
        for line in stream:
            lines.put(line)
    lines.put(None)


def _oom_kills() -> int:
    """How many processes the system has killed for want of memory since it started; 0 where it doesn't say."""
    try:
        counters = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in counters if line.startswith("oom_kill ")), 0)


def rss_mb(pid: int) -> float:
    """Resident memory of a process; 0 where it can't be told."""
    try:
        n_pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0.0
    return n_pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def run_job(request_file: Path) -> dict[str, Any]:
    """Runs the job of a request file to its end, in this process; returns its seconds and peak memory."""
    from kgmill.pipelines.engine.beam import PipelineOptions, beam
    from kgmill.pipelines.engine.request import Request, job_module
    from kgmill.pipelines.engine.shapes import build

    request = Request.load(request_file)
    logging.getLogger("kgmill").setLevel(request.log_level)
    started = time.perf_counter()
    _reset_peak()
    if (
        request.is_rehearsal and request.runner == LOCAL
    ):  # no pipeline: what the work opens first is kept for the job to come
        job_module(request.job).rehearse(request)
        return {"seconds": round(time.perf_counter() - started, 3), "peak_rss_mb": _peak_rss_mb()}
    if request.runner == LOCAL:
        from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner

        pipeline = beam.Pipeline(FnApiRunner(), PipelineOptions(list(request.beam_options)))
    else:
        pipeline = beam.Pipeline(options=PipelineOptions([f"--runner={request.runner}", *request.beam_options]))
    build(pipeline, request)
    pipeline.run().wait_until_finish()
    return {"seconds": round(time.perf_counter() - started, 3), "peak_rss_mb": _peak_rss_mb()}


def main() -> None:
    """The child: runs the jobs whose request files it is sent, until its input ends."""
    replies = os.fdopen(os.dup(1), "wb", buffering=0)  # a buffer's lock, held by a thread, would spoil the exit
    os.dup2(2, 1)
    logging.getLogger().addHandler(logging.NullHandler())  # what Beam logs of an error is in the reply
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it ends the child in order
    end_with_parent()
    lock = threading.Lock()

    def send(line: str) -> None:
        with lock:
            replies.write(f"{line}\n".encode())

    def beat() -> None:
        with contextlib.suppress(OSError, ValueError):  # the parent is gone, or this process ends
            while True:
                send("")
                time.sleep(_BEAT_S)

    threading.Thread(target=beat, daemon=True).start()
    logging.getLogger("kgmill").addHandler(Relay(lambda record: send(json.dumps({"log": record}))))
    for line in sys.stdin:
        try:
            reply = run_job(Path(line.strip()))
        except Exception as error:  # whatever it is, the parent must hear of it
            reply = describe(error, Path(line.strip()).parents[2])
        send(json.dumps(reply))
    leave(0)


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_rss_mb() -> float:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        import resource

        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024, 1)


if __name__ == "__main__":
    main()
