"""The Prefect flow: the same bytes, retries for dead workers alone, and when it is used."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kgmill.flows.prefect_environment import prefect_is_configured
from kgmill.pipelines.output.parts import Store

KGMILL = str(Path(sys.executable).with_name("kgmill"))
TASKS = """
import logging
from kgmill.flows.build import build_knowledge_graph, leave_tracebacks_out, load_graph, run_stage
from kgmill.flows.retries import PASSING
from kgmill.schemas import errors
from prefect.states import Failed

leave_tracebacks_out()
print(run_stage.retries, run_stage.persist_result, build_knowledge_graph.retries)
for error in (errors.DiskError("/out: No space left"), ValueError("a fault of ours")):
    record = logging.LogRecord("prefect.task_runs", logging.ERROR, "", 0, "failed", (), (type(error), error, None))
    print(logging.getLogger("prefect.task_runs").filter(record) and record.exc_info is None)
kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.KgmillError)]
print(*sorted(one.__name__ for one in kinds if issubclass(one, PASSING)))
print(*sorted(one.__name__ for one in kinds if load_graph.retry_condition_fn(None, None, Failed(data=one("no")))))
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty Prefect home."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    return tmp_path


def test_nothing_is_configured_by_default(home):
    """Without an address in the environment and without profiles there is no Prefect API."""
    assert prefect_is_configured() is False


def test_environment_configures_prefect(home, monkeypatch):
    """PREFECT_API_URL is enough."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    assert prefect_is_configured() is True


@pytest.mark.parametrize(
    ("profiles", "expected"),
    [
        ('active = "ours"\n[profiles.ours]\nPREFECT_API_URL = "http://127.0.0.1:4200/api"\n', True),
        ('active = "ours"\n[profiles.ours]\n[profiles.other]\nPREFECT_API_URL = "http://a/api"\n', False),
        ('active = "none"\n[profiles.ours]\nPREFECT_API_URL = "http://a/api"\n', False),
        ('[profiles.ours]\nPREFECT_API_URL = "http://a/api"\n', False),
        ("active = \n", False),
    ],
)
def test_active_profile_configures_prefect(home, profiles, expected):
    """Only the active profile counts; a file that is no TOML counts for nothing."""
    (home / "profiles.toml").write_text(profiles)
    assert prefect_is_configured() is expected


def test_environment_chooses_the_profile(home, monkeypatch):
    """PREFECT_PROFILE goes before the file's own choice."""
    (home / "profiles.toml").write_text(
        'active = "ours"\n[profiles.ours]\n[profiles.b]\nPREFECT_API_URL = "http://a"\n'
    )
    monkeypatch.setenv("PREFECT_PROFILE", "b")
    assert prefect_is_configured() is True


def test_only_what_may_pass_is_tried_again():
    """Locks, disks, stores: a run of the first, a load of all; an error of our own is its one line in the log."""
    done = subprocess.run([sys.executable, "-c", TASKS], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "0 False 3",
        "True",
        "False",
        "CorruptPartError DiskError EngineError LockError StorageError",
        "CorruptPartError DiskError EngineError LockError StorageError StoreError",
    ]


@pytest.mark.slow  # the temporary server alone takes ten seconds or more
def test_flow_makes_the_bytes_of_a_plain_build(source, first, tiny_model, tmp_path):
    """A flow run on Prefect's temporary server ends in the same graph, and leaves nothing in Prefect's home."""
    command = [
        KGMILL,
        "build",
        source,
        "--out",
        tmp_path / "out",
        "--model",
        tiny_model,
        "--dataset",
        "kg",
        "--prefect",
    ]
    environment = os.environ | {"PREFECT_HOME": str(tmp_path / "home")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "16 documents read = 16 kept + 0 rejected; 0 reused")
    assert "Traceback" not in done.stderr
    graphs = [folder / "graph" / "graph.nq.gz" for folder in (first.folder, tmp_path / "out")]
    assert graphs[0].read_bytes() == graphs[1].read_bytes()
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "done"
    assert not (tmp_path / "home").exists()


def test_held_folder_is_refused_before_prefect_starts(source, tiny_model, tmp_path):
    """With --prefect, too, a folder that another build holds is one line and exit code 1, at once."""
    command = [KGMILL, "build", source, "--out", tmp_path / "out", "--model", tiny_model, "--prefect"]
    with Store(tmp_path / "out").lock():
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"kgmill: {tmp_path}/out: another build (pid {os.getpid()} on ")


def test_wrong_source_is_refused_before_prefect_starts(tiny_model, tmp_path):
    """With --prefect, too, a wrong source is one line and exit code 2, at once."""
    command = [KGMILL, "build", tmp_path / "none", "--out", tmp_path / "out", "--model", tiny_model, "--prefect"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"kgmill: {tmp_path}/none: no such file or folder\n")
