"""A real Prefect server on loopback for tests: started in a folder of its own, asked by its API."""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

BIN = Path(sys.executable).parent
INJECTED = Path(__file__).resolve().parents[1] / "faults" / "injected"
WAIT_S = 400


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(found, what):
    """What `found` gives as soon as it is anything."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.3)
    return pytest.fail(f"{what}: not within {WAIT_S} s")


class Server:
    """The server as its API shows it, and what is started for it."""

    def __init__(self, folder):
        self.folder, self.served, port = folder, {}, free_port()
        self.api = f"http://127.0.0.1:{port}/api"
        self.environment = os.environ | {
            "PREFECT_HOME": str(folder / "home"),
            "PREFECT_API_URL": self.api,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PYTHONPATH": os.pathsep.join([str(INJECTED), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        self.client = httpx.Client(base_url=self.api, timeout=60)
        self.process = self.start(
            "prefect", "server", "start", "--host", "127.0.0.1", "--port", port, start_new_session=True
        )

    def start(self, *command, **more):
        with (self.folder / "log").open("a") as log:
            name, *rest = map(str, command)
            return subprocess.Popen([BIN / name, *rest], env=self.environment, stdout=log, stderr=log, **more)

    def is_up(self):
        try:
            return self.client.get("/health").is_success
        except httpx.HTTPError:
            return False

    def post(self, what, content):
        """Asks until the server has time: its SQLite may be busy (503), as Prefect's client knows."""
        answer = until(lambda: (found := self.client.post(what, json=content)).status_code != 503 and (found,), what)[0]
        return answer.raise_for_status()

    def ask(self, what, **filters):
        return self.post(f"/{what}/filter", filters).json()

    def deployment(self, name):
        found = [one for one in self.ask("deployments") if one["name"] == f"kgmill-{name}"]
        return found[0] if found and not found[0]["paused"] else None

    def serve(self, name, model, *options):
        """Serves the corpus NAME.jsonl in its folder; gives the deployment, and how it was left before."""
        source = self.folder / f"{name}.jsonl"
        how = ("--model", model, "--dataset", name, "--retry-delay", "0", *options)
        self.served[name] = self.start("kgmill", "schedule", source, "--out", self.folder / name, *how)
        return until(lambda: self.deployment(name), f"the deployment {name}")

    def stop(self, name):
        served = self.served.pop(name)
        served.terminate()
        return served.wait(60)

    def run(self, deployment, **parameters):
        """A run now; gives its id."""
        return self.post(f"/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters}).json()["id"]

    def read(self, run):
        return self.client.get(f"/flow_runs/{run}").raise_for_status().json()

    def ended(self, run):
        final = ("COMPLETED", "FAILED", "CANCELLED")
        return until(lambda: (found := self.read(run))["state_type"] in final and found, f"the end of {run}")

    def finished(self, deployment):
        """The runs of a deployment that ended, first ones first."""
        of = {"deployments": {"id": {"any_": [deployment["id"]]}}, "sort": "START_TIME_ASC"}
        return [run for run in self.ask("flow_runs", **of) if run["state_type"] in ("COMPLETED", "FAILED")]

    def artifact(self, name, kind):
        return self.client.get(f"/artifacts/kgmill-{name}-{kind}/latest").raise_for_status().json()


@contextmanager
def running(folder):
    """A server that takes a minute to start on a busy machine; it ends with all that was started for it."""
    server = Server(folder)
    try:
        until(server.is_up, "the server")
        yield server
    finally:
        for process in (*server.served.values(), server.process):
            process.terminate()
            process.wait(60)
        server.client.close()
