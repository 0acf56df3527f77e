"""Prefect as people run it: one real server on loopback, served deployments, runs that come by themselves."""

import json
import os
import signal
import subprocess
from pathlib import Path

import httpx
import pytest
from real_stores import Oxigraph

from benchmarks.report import CHROMIUM
from kgmill.schemas.text import printable_markdown

from .prefect_server import BIN, running, until

pytestmark = pytest.mark.servers

ROOT = Path(__file__).resolve().parents[2]
SECRET = "s3cret-word"  # of the store's login; it may be in nothing that the server shows
ADA = "Ada Byron worked for Acme Corp in Paris ."
BOB = "Bob Stone lives in London ."
CARL = "Carl May killed Dora Lane in Rome ."
HUNG = f"HANG {ADA}"  # the injected fault: the model sleeps for an hour
CORPORA = {
    "alpha": {"ada": ADA, "bob": BOB, **{f"w{n}": f"The weather in Oslo was cold . Report {n} ." for n in range(4)}},
    "beta": {"carl": CARL},
    "gamma": {"ada": HUNG, "bob": BOB},
}
EDITED = {i: text for i, text in CORPORA["alpha"].items() if i != "bob"} | {"carl": CARL, "ada": f"{ADA} Report 9 ."}
NO_SCHEDULE = ("--cron", "0 3 1 1 *", "--timezone", "Europe/Berlin")


def write(path, documents):
    """A corpus as one file, which is the old one or the new one."""
    partial = path.with_suffix(".partial")
    partial.write_text("".join(json.dumps({"id": i, "text": text}) + "\n" for i, text in documents.items()))
    os.replace(partial, path)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The server of all tests here, and the first corpora."""
    folder = tmp_path_factory.mktemp("prefect")
    for name, documents in CORPORA.items():
        write(folder / f"{name}.jsonl", documents)
    with running(folder) as server:
        yield server


@pytest.fixture(scope="module")
def gamma(server, tiny_model):
    """A deployment that runs when a test says so; its first corpus hangs in the model."""
    return server.serve("gamma", tiny_model, *NO_SCHEDULE)


def parents():
    """The parent of each process that is alive, by its pid."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has just ended
            continue
        if state != "Z":
            found[int(path.parent.name)] = int(parent)
    return found


def in_the_model(server, name):
    """Waits until a run's worker hangs in the model; gives the run's process, and the worker's."""
    until(lambda: list((server.folder / name).glob(".tmp/*/calls/*.json")), "a call of the model")
    above = parents()
    runs = [pid for pid, parent in above.items() if parent == server.served[name].pid]
    [found] = [(parent, pid) for pid, parent in above.items() if parent in runs]
    return found


def test_three_runs_by_themselves(server, tiny_model, tmp_path):
    """All is new, then nothing is and no model is called, then a difference; it is loaded, and beta is left alone."""
    keep_login(server)
    store = Oxigraph(tmp_path).start()
    try:
        to = ("--endpoint", store.endpoint, "--credentials", "stores")
        beta = server.serve("beta", tiny_model, *NO_SCHEDULE, *to)
        assert server.ended(server.run(beta))["state_type"] == "COMPLETED"
        held_of_beta = graphs(store, "beta")
        alpha = server.serve("alpha", tiny_model, "--every", "30", "--report", *to)
        until(lambda: len(server.finished(alpha)) >= 2, "two runs")
        before = graphs(store, "alpha")
        write(server.folder / "alpha.jsonl", EDITED)
        until(lambda: any("1 removed" in run["state"]["message"] for run in server.finished(alpha)), "the third")
        assert server.stop("alpha") == 0
        runs = server.finished(alpha)
        [third] = [run for run in runs if "1 removed" in run["state"]["message"]]
        told = [run["state"]["message"] for run in (*runs[:2], third)]
        assert told[0].startswith("6 documents (6 added, 0 changed, 0 removed), 10 sentences met the model; ")
        assert told[1].startswith("nothing new: 6 documents as before, ")
        assert told[2].startswith(
            "6 documents (1 added, 1 changed, 1 removed), 3 sentences met the model; 2 facts (+1 -1); loaded into "
        )
        assert all(f"loaded into {store.endpoint}: " in line for line in told)
        others = [run for run in runs[1:] if run != third]
        assert {(run["state_type"], run["state_name"]) for run in others} == {("COMPLETED", "NothingNew")}
        ledgers = sorted((server.folder / "alpha" / "runs").glob("*.json"))
        assert json.loads(ledgers[1].read_text())["model_calls"] == {"sentences": 0}
        assert (before != graphs(store, "alpha"), graphs(store, "beta")) == (True, held_of_beta)
        labels = store.ask("SELECT DISTINCT ?l { GRAPH ?g { ?e <http://www.w3.org/2000/01/rdf-schema#label> ?l } }")
        assert ("Ada Byron" in labels, "Carl May" in labels, "Bob Stone" in labels) == (True, True, False)
    finally:
        store.kill()
    assert {run["name"].split()[0] for run in runs} == {"alpha"}
    assert all({"alpha", "kgmill"} <= set(run["tags"]) for run in runs)


def keep_login(server):
    """Makes the Secret block `stores`."""
    kind = server.client.get("/block_types/slug/secret").raise_for_status().json()["id"]
    [schema, *_] = server.ask("block_schemas", block_schemas={"block_type_id": {"any_": [kind]}})
    login = {"value": json.dumps({"user": "loader", "password": SECRET})}
    block = {"name": "stores", "data": login, "block_type_id": kind, "block_schema_id": schema["id"]}
    server.post("/block_documents/", block)


def graphs(store, dataset):
    """How many triples each graph of a dataset has in a store."""
    rows = store.ask("SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g").splitlines()
    return sorted(row for row in rows if f":{dataset}:" in row)


def test_artifacts_tell_the_third_run(server):
    """After the runs above: a ledger with seconds, facts that came and went, a link to the report, all of alpha."""
    ledger = {row["what"]: row["value"] for row in json.loads(server.artifact("alpha", "ledger")["data"])}
    assert (ledger["documents kept"], ledger["seconds of extract"] >= 0) == (6, True)
    changes = server.artifact("alpha", "changes")
    rows = {(row["what"], row["fact"]) for row in json.loads(changes["data"])}
    assert rows == {("removed", "Bob Stone - Live\\_In - London"), ("added", "Carl May - Kill - Dora Lane")}
    report = (server.folder / "alpha" / "report.html").as_uri()
    assert server.artifact("alpha", "report")["data"] == f"[report.html]({report})"
    assert server.artifact("alpha", "progress")["data"] == 100.0
    assert server.artifact("alpha", "outcome")["data"].startswith(("nothing new: ", "6 documents "))
    assert "Kill" in server.artifact("beta", "facts")["data"]
    keys = {one["key"] for one in server.ask("artifacts") if one["key"]}
    assert {key.split("-")[1] for key in keys} == {"alpha", "beta"}


def test_no_secret_is_shown(server):
    """The store's password is in no parameter, log, artifact or event of the runs above."""
    logs = []
    while page := server.ask("logs", offset=len(logs), limit=200):
        logs += page
    shown = [server.ask(what) for what in ("deployments", "flow_runs", "task_runs", "artifacts", "block_documents")]
    assert "loaded into" in json.dumps(logs)
    assert SECRET not in json.dumps([shown, logs]) + (server.folder / "log").read_text()


def test_cancelled_run_leaves_no_process(server, gamma):
    """A run that is cancelled in the midst of the model is gone, worker and all, and its folder is free."""
    run = server.run(gamma)
    processes = in_the_model(server, "gamma")
    state = {"state": {"type": "CANCELLING"}, "force": True}
    server.post(f"/flow_runs/{run}/set_state", state)
    assert server.ended(run)["state_type"] == "CANCELLED"
    until(lambda: parents().keys().isdisjoint(processes), "the end of its processes")
    assert json.loads((server.folder / "gamma" / "run.json").read_text())["status"] == "failed"


def test_killed_run_is_tried_again_and_ends_well(server, gamma):
    """A run whose process is killed is scheduled again, goes on, and completes; its id is the same."""
    run = server.run(gamma)
    os.kill(in_the_model(server, "gamma")[0], signal.SIGKILL)
    write(server.folder / "gamma.jsonl", CORPORA["gamma"] | {"ada": ADA})
    found = server.ended(run)
    assert (found["state_type"], found["run_count"]) == ("COMPLETED", 2)
    states = server.client.get("/flow_run_states/", params={"flow_run_id": run}).json()
    names = [state["name"] for state in sorted(states, key=lambda state: state["timestamp"])]
    assert names.index("Crashed") < names.index("AwaitingRetry") < names.index("Completed")
    assert json.loads((server.folder / "gamma" / "run.json").read_text())["status"] == "done"


def test_only_what_may_pass_is_tried_again(server, gamma, tiny_model):
    """Where its folder is held a run is skipped, or fails and is tried again; a wrong source fails for good."""
    from kgmill.pipelines.output.parts import Store

    with Store(server.folder / "gamma").lock(clear=False):
        skipped = server.ended(server.run(gamma, when_busy="skip"))
        wrong = server.ended(server.run(gamma, sources=["/no/such"], when_busy="fail"))
        held = server.run(gamma, when_busy="fail", retries=1, retry_delay=5)
        until(lambda: server.read(held)["state_name"] == "AwaitingRetry", "a run that is tried again")
    assert (skipped["state_name"], skipped["state_type"]) == ("Skipped", "COMPLETED")
    assert skipped["state"]["message"].startswith(f"skipped: {server.folder}/gamma: another build (pid {os.getpid()} ")
    assert (wrong["state_type"], wrong["run_count"]) == ("FAILED", 1)
    assert wrong["state"]["message"] == "/no/such: no such file or folder"
    tried = server.ended(held)
    assert (tried["state_name"], tried["run_count"]) == ("NothingNew", 2)
    told = [one["data"] for one in server.ask("artifacts", sort="CREATED_DESC") if one["key"] == "kgmill-gamma-outcome"]
    assert "failed\\: /no/such\\: no such file or folder" in told


def test_wrong_parameters_are_refused(server, gamma):
    """The server knows the keys of the configuration, and takes no run with another."""
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        server.run(gamma, config={"min_confidense": 1})
    config = gamma["parameter_openapi_schema"]["definitions"]["BuildConfig"]
    assert config["properties"]["min_confidence"]["description"] == (
        "confidence under which decode drops a mention or a relation."
    )
    words = [printable_markdown(f"{server.folder}/{name}") for name in ("gamma.jsonl", "gamma")]
    assert gamma["description"] == "The graph of {} in {}.".format(*words)
    assert gamma["schedules"][0]["schedule"] == {"cron": "0 3 1 1 *", "timezone": "Europe/Berlin", "day_or": True}


def test_form_of_the_parameters(server, gamma):
    """Prefect's form has each key by its name, the configuration last; what is changed there reaches the build."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(program := os.environ.get("CHROMIUM", CHROMIUM)).is_file():
        pytest.skip(f"no Chromium at {program}")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--disable-gpu"])
        page = browser.new_page(viewport={"width": 420, "height": 900})
        page.set_default_timeout(240_000)
        page.goto(f"{server.api.removesuffix('/api')}/deployments/deployment/{gamma['id']}/run")
        page.get_by_text("Validate parameters").wait_for()
        labels = page.locator(".schema-form-property__label").all_inner_texts()
        shown = page.locator(".app-router-view").inner_text()
        label = page.get_by_text("min_confidence (Optional)", exact=True)
        field = page.locator(".schema-form-property", has=label).last.locator("input")
        before = field.input_value()
        field.fill("0.42")
        with page.expect_response("**/create_flow_run") as made:
            page.get_by_role("button", name="Submit").click()
        run = made.value.json()["id"]
        browser.close()
    kinds = gamma["parameter_openapi_schema"]["definitions"]
    build, source, fields = (list(kinds[name]["properties"]) for name in ("BuildConfig", "SourceConfig", "FieldMap"))
    last = ["config", *build, source[0], *fields, *source[1:]]
    found = [label.removesuffix(" (Optional)") for label in labels if label]
    assert (found[:4], found[-len(last) :]) == (["sources", "out", "load_to", "report"], last)
    assert (before, "cannot be changed" in shown) == ("0.4", False)
    ended = server.ended(run)
    assert (ended["state_type"], ended["parameters"]["config"]["min_confidence"]) == ("COMPLETED", 0.42)


def test_schedules_take_nothing_over(server, gamma, tiny_model):
    """Two corpora of one name: the second is refused; a folder's own is taken over and ends with its last."""
    command = [BIN / "kgmill", "schedule", server.folder / "beta.jsonl", "--out", server.folder / "other"]
    command += ["--model", tiny_model, "--dataset", "gamma", *NO_SCHEDULE]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.endswith(
        f"has a deployment build_knowledge_graph/kgmill-gamma already, which builds {server.folder}/gamma; "
        "give this one a name of its own with --dataset NAME\n"
    )
    older, version = server.served["gamma"], gamma["version"]
    server.serve("gamma", tiny_model, *NO_SCHEDULE)
    until(lambda: server.deployment("gamma")["version"] != version, "the deployment, taken over")
    older.terminate()
    assert (older.wait(60), server.deployment("gamma") is None) == (0, False)


def test_too_many_rejects_fail_a_run(server, tiny_model, tmp_path):
    """Above max_reject_ratio a flow run ends as Failed with the one line; run.json and the summary are there."""
    (tmp_path / "a.jsonl").write_text("".join(f'{{"id": {n}, "text": "Hi {n} ."}}\n' for n in range(7)) + "no\n" * 50)
    command = [BIN / "kgmill", "build", tmp_path / "a.jsonl", "--out", tmp_path / "out", "--model", tiny_model]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, check=False)
    line = f"50 of 57 documents were rejected, more than --max-reject-ratio 0.01; see {tmp_path}/out/tables/rejects"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (3, f"kgmill: {line}")
    assert done.stdout.splitlines()[0] == "57 documents read = 7 kept + 50 rejected; 0 reused"
    [run] = [run for run in server.ask("flow_runs") if run["name"].startswith("out ")]
    assert (run["state_type"], line in run["state"]["message"]) == ("FAILED", True)
    assert "Traceback" not in done.stderr


def test_gpu_is_one_run_at_a_time(server):
    """The limit of a host's GPU is made on the server, and who comes second waits for as long as it may."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from kgmill.flows.build import _turn_on_server
    from kgmill.flows.limits import TimeLimit
    from kgmill.schemas.errors import TimeLimitError

    gpu = "kgmill-gpu-host-0"
    with (
        temporary_settings({PREFECT_API_URL: server.api}),
        _turn_on_server(gpu, TimeLimit(), print),
        pytest.raises(TimeLimitError),
        _turn_on_server(gpu, TimeLimit(1), print),
    ):
        pass
    [limit] = [one for one in server.ask("v2/concurrency_limits") if one["name"] == gpu]
    assert (limit["limit"], limit["active"]) == (1, True)


def test_example_is_deployed(server, tiny_model):
    """examples/prefect.yaml makes two deployments for pools of both kinds, in their time zone; a worker runs one."""
    for kind in ("process", "docker"):
        server.post("/work_pools/", {"name": f"kgmill-{kind}", "type": kind})
    command = [BIN / "prefect", "--no-prompt", "deploy", "--prefect-file", "examples/prefect.yaml", "--all"]
    done = subprocess.run(command, env=server.environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    made = {one["name"]: one for one in server.ask("deployments") if one["work_pool_name"]}
    assert {name: (one["work_pool_name"], sorted(one["tags"])) for name, one in made.items()} == {
        "kgmill-news": ("kgmill-process", ["kgmill", "news"]),
        "kgmill-letters": ("kgmill-docker", ["kgmill", "letters"]),
    }
    assert {one["schedules"][0]["schedule"]["timezone"] for one in made.values()} == {"Europe/Berlin"}
    strategies = {name: one["concurrency_options"]["collision_strategy"] for name, one in made.items()}
    assert strategies == {"kgmill-news": "ENQUEUE", "kgmill-letters": "CANCEL_NEW"}
    beta = {"sources": [str(server.folder / "beta.jsonl")], "out": str(server.folder / "beta"), "load_to": None}
    run = server.run(made["kgmill-news"], config={"dataset": "beta", "model": str(tiny_model)}, **beta)
    worker = server.start("prefect", "worker", "start", "--pool", "kgmill-process", "--run-once")
    found = server.ended(run)
    assert (worker.wait(120), found["state_name"], found["name"].split()[0]) == (0, "NothingNew", "beta")


def test_stopped_service_leaves_no_process(server, gamma):
    """Who stops `kgmill schedule` in the midst of a run stops the run too, which whoever serves next takes up."""
    write(server.folder / "gamma.jsonl", CORPORA["gamma"])
    run = server.run(gamma)
    processes = in_the_model(server, "gamma")
    assert server.stop("gamma") == 0
    until(lambda: parents().keys().isdisjoint(processes), "the end of its processes")
    assert server.read(run)["state_name"] == "AwaitingRetry"
    assert server.deployment("gamma") is None  # paused
