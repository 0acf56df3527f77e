"""The same faults through Prefect: one line in the state of the run, the exit code of the command, no traceback."""

import json
import os
import signal
import subprocess
import sys

import pytest

from kgmill.pipelines.output.parts import Store

from .faults import SPOILT, WRONG, Fault
from .prefect_server import running

pytestmark = pytest.mark.servers

FLOW = """
import json, sys
from kgmill.flows.build import build_knowledge_graph
for given in json.load(sys.stdin):
    state = build_knowledge_graph(**given, return_state=True)
    print(json.dumps(str(state.state_details.flow_run_id)))
"""
DEAD_STORE = Fault(
    "dead store",
    1,
    "http://127.0.0.1:1: no answer (connection refused); is the store running?",
    how={"load_to": {"endpoint": "http://127.0.0.1:1"}, "retries": 1, "retry_delay": 0},
)
NO_KIND = Fault(
    "no kind of store",
    2,
    "unknown profile 'x'; known: oxigraph, fuseki, ",
    how={"load_to": {"endpoint": "http://127.0.0.1:1", "profile": "x"}},
)
NO_LOGIN = Fault(
    "no login",
    2,
    "the Prefect server has no Secret block none; make one with ",
    how={"load_to": {"endpoint": "http://127.0.0.1:1", "credentials": "none"}},
)
WRONG_KEYS = Fault("unknown key", 2, "unknown key 'min_confidense'; known keys: model, ", keys={"min_confidense": 1})
HELD = Fault("held folder", 1, "TMP/out: another build (pid ", how={"retries": 0})
FAULTS = (*WRONG, *SPOILT, DEAD_STORE, NO_KIND, NO_LOGIN, WRONG_KEYS, HELD)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The server of all tests here."""
    with running(tmp_path_factory.mktemp("prefect")) as server:
        yield server


def run_flow(given, server):
    """Runs of the flow, one after another in one process, which prints their ids; no traceback is on standard error."""
    command, how = [sys.executable, "-c", FLOW], {"capture_output": True, "text": True, "timeout": 900}
    done = subprocess.run(command, env=server.environment, input=json.dumps(given), check=False, **how)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    return done


@pytest.fixture(scope="module")
def ended(server, tiny_model, tmp_path_factory):
    """Each fault as a run of the flow, one after another in one process: by name its folder, and the run."""
    folders = {fault.name: tmp_path_factory.mktemp("fault") for fault in FAULTS}
    given = [fault.prepare(folders[fault.name], tiny_model) for fault in FAULTS]
    with Store(folders[HELD.name] / "out").lock():
        done = run_flow(given, server)
    runs = [server.read(json.loads(line)) for line in done.stdout.splitlines() if line.startswith('"')]
    return {name: (folder, run) for (name, folder), run in zip(folders.items(), runs, strict=True)}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_run_says_what_the_command_says(ended, fault):
    """A run's state has the line and nothing else, and no run is tried again that somebody has to mend."""
    folder, run = ended[fault.name]
    message = run["state"]["message"]
    assert run["state_type"] == ("FAILED" if fault.code else "COMPLETED")
    if fault.line:
        assert message.replace(str(folder), "TMP").startswith(fault.line)
    assert not ((folder / "out" / "run.json").exists() and fault.code == 2)
    assert ("\n" in message, run["run_count"], len(message) < 900) == (False, 1, True)


def build(given, environment, *options):
    command = [sys.executable, "-m", "kgmill", *Fault.command(given), *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize("fault", [*WRONG[:1], *SPOILT], ids=lambda fault: fault.name)
def test_command_says_it_once_more(server, tiny_model, tmp_path, fault):
    """`kgmill build` through the flow ends with the line and the exit code that it has without Prefect."""
    done = build(fault.prepare(tmp_path, tiny_model), server.environment)
    assert (done.returncode, "Traceback" in done.stderr) == (fault.code, False)
    lines = [line.replace(str(tmp_path), "TMP") for line in done.stderr.splitlines() if line.startswith("kgmill: ")]
    assert [line[: 8 + len(fault.line)] for line in lines] == ([f"kgmill: {fault.line}"] if fault.line else [])


def test_full_disk_is_one_line_and_tried_again(server, tiny_model, tmp_path, disk):
    """A disk that is full in the midst of a run is no configuration: the run is tried again, and then says the line."""
    out = disk("size=80k") / "out"
    given = SPOILT[-2].prepare(tmp_path, tiny_model) | {"out": str(out)}
    done = run_flow([given | {"retries": 1, "retry_delay": 0}], server)
    found = server.read(json.loads(done.stdout.splitlines()[-1]))
    hint = "No space left on device; free some space and build again: it goes on from the last committed work unit"
    message = found["state"]["message"]
    assert (found["state_type"], found["run_count"]) == ("FAILED", 2)
    assert (message.startswith(str(out)), message.endswith(hint), message.count("\n")) == (True, True, 0)
    by_hand = build(given, server.environment)
    [line] = [line for line in by_hand.stderr.splitlines() if line.startswith("kgmill: ")]
    assert (by_hand.returncode, line.endswith(hint), "Traceback" in by_hand.stderr) == (1, True, False)


def test_standard_error_is_nobody_elses(server, tiny_model, tmp_path):
    """Through the flow too, --quiet says nothing, and a log on standard error has its own lines alone."""
    given = SPOILT[-2].prepare(tmp_path, tiny_model)
    quiet = build(given, server.environment, "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    logged = build(given, server.environment, "--log-format", "json")
    assert [json.loads(line)["dataset"] for line in logged.stderr.splitlines()][-1] == "kg"


def test_dead_server_is_one_line(tiny_model, tmp_path):
    """A Prefect server that doesn't answer is named, with exit code 1, and nothing is built."""
    environment = os.environ | {"PREFECT_API_URL": "http://127.0.0.1:1/api", "PREFECT_HOME": str(tmp_path / "home")}
    done = build(SPOILT[-2].prepare(tmp_path, tiny_model), environment)
    assert (done.returncode, done.stderr.count("\n"), (tmp_path / "out").exists()) == (1, 1, False)
    assert done.stderr.startswith("kgmill: no Prefect server answers at http://127.0.0.1:1/api: ")


def test_server_that_dies_is_one_line(tiny_model, tmp_path):
    """Where the Prefect server goes in the midst of a build, the command says so, and the next one goes on."""
    given = SPOILT[-2].prepare(tmp_path, tiny_model)
    with running(tmp_path) as server:
        command = [sys.executable, "-m", "kgmill", *Fault.command(given)]
        environment = server.environment | {"PREFECT_CLIENT_MAX_RETRIES": "0"}  # Prefect's own patience is minutes
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
            for line in process.stderr:
                if "extract: 0 of" in line:
                    break
            os.killpg(server.process.pid, signal.SIGKILL)
            errors = process.stderr.read().splitlines()
    assert process.returncode == 1
    [line] = [line for line in errors if line.startswith("kgmill: ")]
    assert line.startswith(f"kgmill: Prefect server {server.api}: ")
    assert line.endswith("; the next run goes on from the last committed work unit")
    assert not any(line.startswith("Traceback") for line in errors)
