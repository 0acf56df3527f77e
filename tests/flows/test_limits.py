"""What a run waits for, how long it may take, and which failures are tried again."""

import fcntl
import re
import socket
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from kgmill.flows.limits import TimeLimit, gpu_name, turn_on_host
from kgmill.pipelines.engine.runners import LOCAL
from kgmill.pipelines.output.parts import Store
from kgmill.schemas.errors import TimeLimitError


@pytest.fixture
def lock_dir(tmp_path, monkeypatch):
    """The system's folder for temporary files, of this test alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_busy_folder_is_skipped(kgmill, source, first, tmp_path):
    """With --when-busy skip a folder that another build holds is left alone, in a line and with exit code 0."""
    with Store(tmp_path / "out").lock():
        done = kgmill("build", source, "--out", tmp_path / "out", "--when-busy", "skip")
    assert (done.code, done.errors, done.out.count("\n")) == (0, [], 1)
    assert re.fullmatch(rf"skipped: {tmp_path}/out: another build \(pid .*\) is running here\n", done.out)


def test_waiting_counts_for_the_time_limit(kgmill, source, tmp_path):
    """With --when-busy wait it is waited for, which is said once, and no longer than --time-limit allows."""
    with Store(tmp_path / "out").lock():
        done = kgmill("build", source, "--out", tmp_path / "out", "--when-busy", "wait", "--time-limit", "0.5")
    waiting, stopped = done.errors
    assert (done.code, waiting.endswith(" is running here; waiting")) == (1, True)
    assert stopped.startswith("kgmill: took longer than --time-limit 0.5 s; the next run goes on from ")


def test_time_limit_ends_a_build(kgmill, source, tmp_path):
    """A build that takes too long fails with a line, also in run.json; a negative limit is refused."""
    done = kgmill("build", source, "--out", tmp_path / "out", "--time-limit", "0.01")
    assert (done.code, done.errors[0].startswith("kgmill: took longer than --time-limit 0.01 s; ")) == (1, True)
    done = kgmill("build", source, "--out", tmp_path / "out", "--time-limit", "-1")
    assert (done.code, done.errors) == (
        2,
        ["kgmill: --time-limit -1: wanted a number of seconds, or 0 for no limit"],
    )


@pytest.mark.parametrize(
    ("device", "runner", "visible", "expected"),
    [
        ("cpu", LOCAL, "", ""),
        ("cuda", "FlinkRunner", "", ""),
        ("cuda", LOCAL, "", "kgmill-gpu-HOST-0"),
        ("cuda:1", LOCAL, "", "kgmill-gpu-HOST-1"),
        ("cuda:1", LOCAL, "3,5", "kgmill-gpu-HOST-5"),
    ],
)
def test_gpu_has_a_name(monkeypatch, device, runner, visible, expected):
    """The limit is named for the host and for the GPU that is meant, whatever the process sees of them."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    context = SimpleNamespace(device=device, runner=runner)
    assert gpu_name(context) == expected.replace("HOST", socket.gethostname())


def test_gpu_of_a_host_is_one_run_at_a_time(lock_dir):
    """Without a server the system's lock decides; who waits says so, and takes the GPU when it is free."""
    notes = []
    with turn_on_host("kgmill-gpu-host-0", TimeLimit(), notes.append):
        with pytest.raises(TimeLimitError), turn_on_host("kgmill-gpu-host-0", TimeLimit(0.2), notes.append):
            pass
        assert notes == ["kgmill-gpu-host-0: another build computes there: waiting"]
    with (lock_dir / "kgmill-gpu-host-0.lock").open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert [path.name for path in Path(lock_dir).iterdir()] == ["kgmill-gpu-host-0.lock"]
