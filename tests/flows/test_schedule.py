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
