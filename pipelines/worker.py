"""The worker: one supervised child process a build, in which every Beam job of that build runs.

Beam's own multi-process mode hangs for ever when a worker is killed; here the same kill is an exit code, and the stage
may be tried again in a new child. Parent and child speak JSON lines over the child's standard input and output; when
the parent dies, the child's input ends and so does the child. Libraries may print: the child's file descriptor 1 is
its standard error.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from schemas import errors
from schemas.errors import KgmillError, WorkerError

_POLL_S = 0.2
_LOCAL_RUNNER = "FnApiRunner"
_REFUSED_RUNNERS = {
    "DirectRunner": "it may try to download a runner; the local runner here is FnApiRunner",
    "DaskRunner": "it loses data silently",
}


class Worker:
    """The parent's side. The child starts with the first job."""

    def __init__(self, n_threads: int = 0) -> None:
        self.n_threads = n_threads
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def run(self, request_file: Path, on_poll: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """Runs a job; returns what the child says of it. `on_poll` is called a few times a second.

        Raises:
            WorkerError: the child died.
            KgmillError: the job raised it in the child.
        """
        child = self._start()
        try:
            child.stdin.write(f"{request_file}\n")  # type: ignore[union-attr]
            child.stdin.flush()  # type: ignore[union-attr]
        except OSError:
            raise self._death(child) from None
        answer = _Line(child.stdout)  # type: ignore[arg-type]
        while not answer.wait(_POLL_S):
            on_poll()
        on_poll()
        if not answer.line:
            raise self._death(child)
        reply = json.loads(answer.line)
        if "error" in reply:
            raise getattr(errors, reply["kind"], KgmillError)(reply["error"])
        return reply

    def stop(self) -> None:
        """Ends the child, if it runs."""
        if self._child is None:
            return
        with contextlib.suppress(OSError):
            self._child.stdin.close()  # type: ignore[union-attr]
        try:
            self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()  # type: ignore[union-attr]
        self._child = None

    def _start(self) -> subprocess.Popen[str]:
        if self._child is None:
            environment = os.environ | {"PYTHONSAFEPATH": "1"}
            if self.n_threads:
                environment["KGMILL_THREADS"] = str(self.n_threads)
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "pipelines.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
                start_new_session=False,
            )
        return self._child

    def _death(self, child: subprocess.Popen[str]) -> WorkerError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=5)
        code = child.poll()
        self.stop()
        if code is not None and code < 0:
            return WorkerError(
                f"the worker was killed by {signal.Signals(-code).name}; out of memory is the usual cause"
            )
        return WorkerError(f"the worker ended with exit code {code}")


class _Line:
    """A line that is read in a thread, so that its reader can do something else meanwhile."""

    def __init__(self, stream: IO[str]) -> None:
        self.line = ""
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[str]) -> None:
        self.line = stream.readline()

    def wait(self, timeout_s: float) -> bool:
        self._thread.join(timeout_s)
        return not self._thread.is_alive()


def check_runner(runner: str) -> None:
    """Refuses runners that are known to lose data or to reach for the network.

    Raises:
        ConfigError: naming the reason.
    """
    if reason := _REFUSED_RUNNERS.get(runner):
        raise errors.ConfigError(f"runner {runner}: refused, because {reason}")


def run_job(request_file: Path) -> dict[str, Any]:
    """Runs the job of a request file to its end, in this process; returns its seconds and peak memory."""
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipelines.job import Request

    request = Request.load(request_file)
    started = time.perf_counter()
    _reset_peak()
    if request.runner == _LOCAL_RUNNER:
        from apache_beam.runners.portability.fn_api_runner import FnApiRunner

        pipeline = beam.Pipeline(FnApiRunner(), PipelineOptions(flags=[]))
    else:
        pipeline = beam.Pipeline(options=PipelineOptions([f"--runner={request.runner}", *request.beam_options]))
    importlib.import_module(f"pipelines.{request.job}").build(pipeline, request)
    pipeline.run().wait_until_finish()
    return {"seconds": round(time.perf_counter() - started, 3), "peak_rss_mb": _peak_rss_mb()}


def main() -> None:
    """The child: runs the jobs whose request files it is sent, until its input ends."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it ends the child in order
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    _end_with_parent()
    for line in sys.stdin:
        try:
            reply = run_job(Path(line.strip()))
        except Exception as error:  # whatever it is, the parent must hear of it
            reply = _describe(error)
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def _describe(error: BaseException) -> dict[str, Any]:
    """An error for the parent: the project's own kinds by name, wherever Beam wrapped them; else one line."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KgmillError):
            return {"error": str(cause).split(" [while running")[0], "kind": type(cause).__name__}
        cause = cause.__cause__ or cause.__context__
    text = " ".join(str(error).split(" [while running")[0].split())
    last = text.rsplit("Traceback (most recent call last)", 1)[-1]
    if isinstance(error, OSError) and error.filename:
        last = f"{error.filename}: {error.strerror}"
    return {"error": last[-400:] or type(error).__name__, "kind": "KgmillError", "type": type(error).__name__}


def _end_with_parent() -> None:
    """Ends this process when its parent is gone, even in the middle of a job."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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
