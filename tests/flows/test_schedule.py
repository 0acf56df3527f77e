"""A schedule, served for real: a Prefect server, a served deployment, a run that comes by itself."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

SOME_BAD = "".join(f'{{"id": {n}, "text": "Hi {n} ."}}\n' for n in range(7)) + "no JSON\n" * 50

BIN = Path(sys.executable).parent
WAIT_S = 150


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(is_true, what):
    for _ in range(WAIT_S):
        if is_true():
            return
        time.sleep(1)
    pytest.fail(f"{what}: not within {WAIT_S} s")


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - loopback
            return True
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture
def environment(tmp_path):
    """The environment of a Prefect server on loopback, which runs as long as the test."""
    port = free_port()
    settings = os.environ | {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    command = [BIN / "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=settings, stdout=log, stderr=log)
        try:
            api = f"http://127.0.0.1:{port}/api"
            until(lambda: answers(f"{api}/health"), "server")
            yield settings | {"PREFECT_API_URL": api}
        finally:
            server.terminate()
            server.wait(30)


@pytest.mark.slow
def test_scheduled_build_runs_by_itself(environment, tiny_model, tmp_path):
    """A served schedule builds the graph without being asked, also beside folders of our packages' names."""
    corpus, out, here = tmp_path / "corpus", tmp_path / "graph", tmp_path / "here"
    corpus.mkdir()
    (corpus / "a.txt").write_text("Ada Byron worked for Acme Corp in Paris .", encoding="utf-8")
    for name in ("schemas", "pipelines", "flows"):
        (here / name).mkdir(parents=True)
        (here / name / "__init__.py").write_text("raise SystemExit('the wrong package')")
    command = [BIN / "kgmill", "schedule", corpus, "--out", out, "--model", tiny_model, "--every", "15"]
    with (tmp_path / "schedule.log").open("w") as log:
        served = subprocess.Popen(command, env=environment, cwd=here, stdout=log, stderr=log)
        try:
            until((out / "run.json").is_file, "a scheduled run")
        finally:
            served.terminate()
            served.wait(60)
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["status"] == "done"


def asked(environment, what):
    """What the server has of deployments or flow runs."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{environment['PREFECT_API_URL']}/{what}/filter", b"{}", {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


@pytest.mark.slow
def test_schedules_take_nothing_over(environment, tiny_model, tmp_path):
    """Two corpora of one name: the second is refused; a folder's own is taken over and ends with its last."""
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(f"Hi {name} .")

    def command(corpus, out, dataset):
        rest = ("--model", tiny_model, "--dataset", dataset, "--cron", "0 3 1 1 *")
        return [BIN / "kgmill", "schedule", tmp_path / corpus, "--out", tmp_path / out, *rest]

    def paused():
        return {d["name"]: (d["parameters"]["sources"], d["paused"]) for d in asked(environment, "deployments")}

    started = []

    def serve(*arguments):
        with (tmp_path / "schedule.log").open("a") as log:
            started.append(subprocess.Popen(command(*arguments), env=environment, stdout=log, stderr=log))

    try:
        serve("a", "one", "first")
        until(lambda: paused() == {"kgmill-first": ([str(tmp_path / "a")], False)}, "the first deployment")
        done = subprocess.run(
            command("b", "two", "first"), env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert done.stderr.endswith(
            f"has a deployment build_knowledge_graph/kgmill-first already, which builds {tmp_path}/one; "
            "give this one a name of its own with --dataset NAME\n"
        )
        assert paused() == {"kgmill-first": ([str(tmp_path / "a")], False)}
        serve("b", "two", "second")
        both = {"kgmill-first": ([str(tmp_path / "a")], False), "kgmill-second": ([str(tmp_path / "b")], False)}
        until(lambda: paused() == both, "the second deployment")
        serve("b", "one", "first")  # another corpus for the same folder, by its owner
        both["kgmill-first"] = ([str(tmp_path / "b")], False)
        until(lambda: paused() == both, "the first deployment, taken over")
        started[0].terminate()
        assert (started[0].wait(60), paused()) == (0, both)
        started[2].terminate()
        both["kgmill-first"] = ([str(tmp_path / "b")], True)
        assert (started[2].wait(60), paused()) == (0, both)
    finally:
        for process in started:
            process.terminate()
            process.wait(60)


@pytest.mark.slow
def test_flow_run_fails_on_too_many_rejects(environment, tiny_model, tmp_path):
    """Above max_reject_ratio a flow run ends as Failed with the one line; run.json and the summary are there."""
    (tmp_path / "a.jsonl").write_text(SOME_BAD)
    command = [BIN / "kgmill", "build", tmp_path / "a.jsonl", "--out", tmp_path / "out", "--model", tiny_model]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    line = f"50 of 57 documents were rejected, more than --max-reject-ratio 0.01; see {tmp_path}/out/tables/rejects"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (3, f"kgmill: {line}")
    assert done.stdout.splitlines()[0] == "57 documents read = 7 kept + 50 rejected; 0 reused"
    assert json.loads((tmp_path / "out" / "run.json").read_text())["documents"]["rejected"] == 50
    [run] = asked(environment, "flow_runs")
    assert (run["state_type"], line in run["state"]["message"]) == ("FAILED", True)
    assert "Traceback" not in done.stderr
