"""The worker: a child process whose errors, death and end the parent hears of."""

import contextlib
import io
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kgmill.pipelines.engine.failures import describe
from kgmill.pipelines.engine.request import Request, read_receipts
from kgmill.pipelines.engine.worker import Worker
from kgmill.pipelines.sources.find import SourceFile
from kgmill.pipelines.stages import ingest, names
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.errors import CorruptPartError, KgmillError, WorkerError
from kgmill.schemas.logged import locate, within
from kgmill.schemas.tables import to_table

PARENT = """
import sys
from pathlib import Path
from kgmill.pipelines.engine.worker import Worker
worker = Worker()
worker.run(Path(sys.argv[1]), lambda elapsed_s: print(worker._child.pid, flush=True))
"""


def ingest_request(store, path):
    """A job that reads one text file."""
    tasks, settings = ingest.plan([SourceFile(str(path), "a.txt", 3)], store.live("ingest"), BuildConfig())
    return Request("ingest", str(store.storage.root), str(store.scratch()), tuple(tasks), settings).save()


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("Ada")
    return path


class Pipe:
    """A named pipe: a job that reads it stands still until it is closed.

    Attributes:
        handle: its writing end, once somebody reads.
    """

    def __init__(self, path):
        os.mkfifo(path)
        self.path = path
        self.handle = None

    def is_read(self):
        """Whether a process has opened it for reading: the job is in its middle."""
        if self.handle is None:
            with contextlib.suppress(OSError):
                self.handle = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        return self.handle is not None


@pytest.fixture
def pipe(tmp_path):
    pipe = Pipe(tmp_path / "pipe.txt")
    yield pipe
    if pipe.handle is not None:
        os.close(pipe.handle)


@pytest.fixture(scope="module")
def worker():
    """A worker that several tests share; they leave it with a living child, or none."""
    with Worker() as worker:
        yield worker


def test_job_runs_in_the_child(worker, store, text):
    """A job's receipts are there, and the child says how long it took and how much memory it had."""
    reply = worker.run(ingest_request(store, text))
    [scratch] = store.tmp.iterdir()
    assert {unit: receipt.counts["added"] for unit, receipt in read_receipts(scratch).items()} == {"00-0000": 1}
    assert sorted(reply) == ["peak_rss_mb", "seconds"]
    assert worker._child.pid != os.getpid()


def test_error_of_a_job_keeps_its_kind(store, text, capfd):
    """A damaged part is a CorruptPartError on both sides; the child lives on and prints nothing."""
    tables = {"documents": to_table("documents", []), "rejects": to_table("rejects", [])}
    part = store.commit("ingest", "00-0000", "aa" * 32, tables, {"kept": 0, "rejected": 0})
    store.publish("ingest", [part], [])
    ((part.storage.root / part.place) / "documents.parquet").write_bytes(b"damaged")
    with Worker() as worker:
        with pytest.raises(CorruptPartError) as caught:
            worker.run(ingest_request(store, text))
        assert worker._child.poll() is None
    path = f"{(part.storage.root / part.place)}/documents.parquet"
    assert str(caught.value) == f"{path}: not the bytes that were committed; build again, and it is made again"
    assert capfd.readouterr() == ("", "")


def test_any_other_error_is_one_line(worker, store):
    """What the project has no kind for arrives as one line that names the fault."""
    tasks = (names.Task("00-0000", "", "", ""),)
    settings = names.Settings({"entities": {"Peop": {}}}, 0.5, {"temper": {"slope": 1.0, "bias": 0.0}})
    request = Request("names", str(store.storage.root), str(store.scratch()), tasks, settings)
    with pytest.raises(KgmillError, match="temper") as caught:
        worker.run(request.save())
    assert (type(caught.value), str(caught.value).count("\n")) == (KgmillError, 0)


def test_what_the_child_logs_is_logged_here(worker, store):
    """With the unit that it is about, and of a fault its line; the stage is said by who runs it."""
    tasks = (names.Task("00-0000", "", "", ""),)
    settings = names.Settings({"entities": {"Peop": {}}}, 0.5, {})  # there are no documents: a fault of the caller
    request = Request("names", str(store.storage.root), str(store.scratch()), tasks, settings)
    handler = logging.StreamHandler(io.StringIO())
    handler.addFilter(locate)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(where)s: %(message)s"))
    logging.getLogger("kgmill").addHandler(handler)
    try:
        with within(stage="decode"), pytest.raises(KgmillError):
            worker.run(request.save())
    finally:
        logging.getLogger("kgmill").removeHandler(handler)
    lines = handler.stream.getvalue().splitlines()
    place = "{'stage': 'decode', 'unit': '00-0000'}"
    assert lines[0] == f"ERROR kgmill.pipelines.engine.shapes {place}: names: failed"
    assert lines[1] == f"CorruptPartError: {store.where}: ingest part 00-0000. is gone; build again"


def test_child_logs_from_the_wanted_level_on(worker, store, text, caplog):
    """Each unit that is done, where debug lines are wanted."""
    caplog.set_level(logging.DEBUG, "kgmill")
    tasks, settings = ingest.plan([SourceFile(str(text), "a.txt", 3)], [], BuildConfig())
    request = Request("ingest", str(store.storage.root), str(store.scratch()), tuple(tasks), settings)
    worker.run(request.save())
    assert caplog.messages == []
    worker.run(replace(request, scratch=str(store.scratch()), log_level=logging.DEBUG).save())
    assert caplog.messages == ["ingest: unit done"]


def test_killed_child_is_a_worker_error_and_is_replaced(worker, store, text, pipe):
    """A child killed in the middle of a job is named with its signal; the next job has a new child."""

    def kill(elapsed_s):
        if pipe.is_read():
            os.kill(worker._child.pid, signal.SIGKILL)

    with pytest.raises(WorkerError, match=r"^the worker was killed by SIGKILL$"):
        worker.run(ingest_request(store, pipe.path), kill)
    assert worker._child is None
    assert worker.run(ingest_request(store, text))["seconds"] > 0


def test_child_that_died_between_jobs_is_a_worker_error(worker, store, text):
    """A child that was killed while it waited for work is noticed with the next job."""
    worker.run(ingest_request(store, text))
    worker._child.kill()
    worker._child.wait()
    with pytest.raises(WorkerError, match="killed by SIGKILL"):
        worker.run(ingest_request(store, text))


def test_child_ends_with_its_parent(store, pipe):
    """When the parent is killed, a child in the middle of a job is gone within ten seconds."""
    command = [sys.executable, "-c", PARENT, str(ingest_request(store, pipe.path))]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        child = int(parent.stdout.readline())
        wait_until(pipe.is_read, 60)
    finally:
        parent.kill()
        parent.communicate()
    try:
        wait_until(lambda: is_gone(child), 10)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def wait_until(is_so, seconds):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_gone(pid):
    """Whether no process has the pid, or one that is dead and was only not yet waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_child_ends_with_its_worker(store, text):
    """`stop` ends the child in order."""
    with Worker() as worker:
        worker.run(ingest_request(store, text))
        child = worker._child
    assert (child.returncode, worker._child) == (0, None)


# Supervision


def test_stopped_child_is_ended(store, pipe):
    """A child that gives no beat for the stated time is killed; its death is a time-out."""
    with Worker(silence_s=2.0) as worker:

        def stop(elapsed_s):
            if pipe.is_read():
                os.kill(worker._child.pid, signal.SIGSTOP)

        with pytest.raises(WorkerError, match=r"^the worker gave no sign of life for 2 s$") as caught:
            worker.run(ingest_request(store, pipe.path), stop)
        assert (caught.value.reason, worker._child) == ("timeout", None)


def test_child_with_too_much_memory_is_ended(store, pipe):
    """A child above its limit is killed; its death is for want of memory."""
    with Worker(memory_mb=30) as worker:
        with pytest.raises(WorkerError, match=r"^the worker had more than 30 MB \(worker_memory_mb\)$") as caught:
            worker.run(ingest_request(store, pipe.path))
        assert (caught.value.reason, worker._child) == ("out_of_memory", None)


@pytest.mark.slow
def test_quiet_job_is_left_alone(store, pipe):
    """A job that takes longer than the silence allowed goes on, as its child gives beats."""
    waited = []

    def wait(elapsed_s):
        if pipe.is_read():
            waited.append(elapsed_s)
        if sum(waited) > 4.0:
            os.close(pipe.handle)
            pipe.handle = None
            waited.clear()

    with Worker(silence_s=3.0) as worker:
        assert worker.run(ingest_request(store, pipe.path), wait)["seconds"] > 4.0


def test_what_a_poll_raises_ends_the_child(worker, store, pipe):
    """Ctrl-C in the middle of a job leaves no child behind."""
    worker._start()
    child = worker._child

    def interrupt(elapsed_s):
        if pipe.is_read():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker.run(ingest_request(store, pipe.path), interrupt)
    assert (child.returncode, worker._child) == (-signal.SIGKILL, None)


def test_full_disk_is_a_disk_error(tmp_path):
    """What the system says of a full disk arrives with a place and the way out, however Arrow and Beam wrapped it."""
    caught = None
    try:
        try:
            raise OSError(28, "[Errno 28] Error writing bytes to file. Detail: [errno 28] No space left on device")
        except OSError as error:
            raise RuntimeError("Beam says so") from error
    except RuntimeError as error:
        caught = error
    hint = "free some space and build again: it goes on from the last committed work unit"
    line = f"{tmp_path}: No space left on device; {hint}"
    assert describe(caught, tmp_path) == {"error": line, "kind": "DiskError"}
