"""One job manager and two task managers of a slot each, with PROCESS workers over a shared folder."""

import base64
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from kgmill.pipelines.output.parts import Store

pytestmark = pytest.mark.flink
HERE = Path(__file__).resolve().parents[2]
CORPUS = HERE / "examples" / "corpus"
GOOD = "Ada Byron worked for Acme Corp in Paris . Bob Stone lives in London ."
SMALL = "unit_bytes = 2048\nmax_reject_ratio = 1\n"


@pytest.fixture(scope="module")
def cluster(flink):
    return flink(2, 1)


@pytest.fixture
def small(tmp_path):
    """A configuration of small units."""
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def graph(out):
    return (Path(out) / "graph" / "graph.nq.gz").read_bytes()


def state_of(cluster, job):
    """The state of the last job of a stage."""
    return [state for name, state in cluster.jobs() if f"-{job}-" in name][-1]


def test_bytes_are_those_of_a_local_build(cluster, kgmill, left_by, tmp_path):
    """The sample corpus; its documents are counted on the way, and on Flink's own page; nothing is left running."""
    assert kgmill("build", CORPUS, "--out", tmp_path / "local").code == 0
    done = kgmill("build", CORPUS, "--out", tmp_path / "far", "--workers", 2, cluster=cluster)
    assert (done.code, graph(tmp_path / "far") == graph(tmp_path / "local")) == (0, True), done
    assert {state for _, state in cluster.jobs()} == {"FINISHED"}
    assert left_by(cluster) == []
    assert list((tmp_path / "far" / ".tmp").iterdir()) == []
    extracted = [line for line in done.progress if line["stage"] == "extract"]
    assert (extracted[-1]["done"], extracted[-1]["total"]) == (66, 66)
    assert counted(cluster, "extract") == {"documents": 66, "rejects": 0, "sentences": 366}
    report = json.loads((tmp_path / "far" / "run.json").read_text())
    assert report["status"] == "done"


def test_ag_news_to_the_bytes_of_a_local_build(cluster, kgmill, ag_news, tmp_path):
    """All of its 3,800 documents."""
    assert kgmill("build", ag_news, "--out", tmp_path / "local").code == 0
    done = kgmill("build", ag_news, "--out", tmp_path / "far", "--workers", 2, cluster=cluster)
    assert (done.code, graph(tmp_path / "far") == graph(tmp_path / "local")) == (0, True), done


def counted(cluster, job):
    """kgmill's counters of the last job of a stage, as Flink has them for its page."""
    jobs = [one for one in cluster.ask("/jobs/overview")["jobs"] if f"-{job}-" in one["name"]]
    last = max(jobs, key=lambda one: one["start-time"])
    [told] = cluster.ask(f"/jobs/{last['jid']}/accumulators")["user-task-accumulators"]
    metrics = json.loads(told["value"])["metrics"]["attempted"]
    own = [one for one in metrics if one["labels"].get("NAMESPACE") == "kgmill"]
    return {one["labels"]["NAME"]: varint(base64.b64decode(one["payload"])) for one in own}


def varint(payload):
    return sum((byte & 0x7F) << 7 * i for i, byte in enumerate(payload))


def test_few_units_on_all_slots(cluster, kgmill, news, tmp_path):
    """Two units are done by two workers, to the local bytes."""
    config = tmp_path / "two.toml"
    config.write_text("unit_bytes = 65536\n")
    assert kgmill("build", news, "--out", tmp_path / "local", "--config", config).code == 0
    assert len(Store(tmp_path / "local").live("extract")) == 2
    before = [log.read_text().count("Beam Fn Control client connected") for log in logs(cluster)]
    done = kgmill("build", news, "--out", tmp_path / "far", "--config", config, "--workers", 2, cluster=cluster)
    assert (done.code, graph(tmp_path / "far") == graph(tmp_path / "local")) == (0, True), done
    after = [log.read_text().count("Beam Fn Control client connected") for log in logs(cluster)]
    assert all(n > m for n, m in zip(after, before, strict=True))


def logs(cluster):
    return [cluster.folder / f"task-manager-{i}.log" for i in range(2)]


@pytest.fixture
def words(tmp_path):
    """Writes 48 documents of known text, one with a word that does something to the model; gives the file."""

    def words(word):
        lines = [{"id": f"d{i}", "text": f"{word if i == 7 else ''} {GOOD} Letter {i} ."} for i in range(48)]
        (tmp_path / "words.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return tmp_path / "words.jsonl"

    return words


def injected():
    """The option by which workers have the faults of tests/faults."""
    folders = [str(HERE / "tests" / "faults" / "injected"), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = str(Path(sys.executable).with_name("kgmill-beam-worker"))
    config = {"command": command, "env": {"PYTHONPATH": os.pathsep.join(folders)}}
    return f"--environment_config={json.dumps(config)}"


@pytest.fixture
def ingested(kgmill, small, tmp_path):
    """Ingests a source into a folder, here."""

    def ingested(source):
        assert kgmill("ingest", source, "--out", tmp_path / "out", "--config", small).code == 0
        return tmp_path / "out"

    return ingested


def test_document_that_kills_its_worker_is_rejected_alone(cluster, kgmill, ingested, words, small):
    """Though another worker is at other documents when it dies."""
    out = ingested(source := words("KILL"))
    done = kgmill(
        "extract", source, "--out", out, "--config", small, "--workers", 2, cluster=cluster, options=[injected()]
    )
    assert done.code == 0, done
    parts = Store(out).live("extract")
    faults = [row for part in parts for row in part.read("rejects").to_pylist()]
    assert len(parts) > 1
    assert [(row["doc_id"], row["reason"]) for row in faults] == [("d7", "model_crashed")]
    assert sum(part.rows("documents") for part in parts) == 48


def test_document_that_hangs_is_rejected_alone(cluster, kgmill, ingested, words, tmp_path):
    """By `document_timeout`; the job is cancelled before it is tried again, so no two run at once."""
    out = ingested(source := words("HANG"))
    config = tmp_path / "timeout.toml"
    config.write_text(f"{SMALL}document_timeout = 8\n")
    done = kgmill(
        "extract", source, "--out", out, "--config", config, "--workers", 2, cluster=cluster, options=[injected()]
    )
    assert done.code == 0, done
    faults = [row for part in Store(out).live("extract") for row in part.read("rejects").to_pylist()]
    assert [(row["doc_id"], row["reason"]) for row in faults] == [("d7", "timeout")]
    assert "CANCELED" in {state for _, state in cluster.jobs()}


@pytest.fixture
def extracting(start, ingested, words, small, cluster):
    """A build that is cut off while its workers are in the model, which hangs; and its folder."""
    out = ingested(words("HANG"))
    source = out.parent / "words.jsonl"
    running = start(
        *("extract", source, "--out", out, "--config", small, "--workers", 2), cluster=cluster, options=[injected()]
    )
    running.wait_for(lambda: any((out / ".tmp").glob("*/calls/*.json")), "call of the model")
    return running, out, source


def check_bytes(kgmill, small, out, source):
    """Builds on, here, with no document that meets the model again, to the bytes of a build that nobody disturbed."""
    assert kgmill("build", source, "--out", out, "--config", small).code == 0
    assert json.loads((out / "run.json").read_text())["model_calls"] == {"sentences": 0}
    assert kgmill("build", source, "--out", out.parent / "local", "--config", small).code == 0
    assert graph(out) == graph(out.parent / "local")


def test_killed_driver_leaves_a_job_that_the_next_run_takes_over(cluster, kgmill, extracting, small, left_by):
    """Its job server is gone with it, its job is not; the next run cancels that and ends with the local bytes."""
    running, out, source = extracting
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait()
    cluster.wait(lambda: not [p for p in left_by(cluster) if "java" in p], "end of the job server")
    assert state_of(cluster, "extract") == "RUNNING"
    again = kgmill("extract", source, "--out", out, "--config", small, cluster=cluster)
    check_bytes(kgmill, small, out, source)
    assert any("the job of a dead build was still running; it is cancelled" in line for line in again.errors)
    assert "CANCELED" in {state for _, state in cluster.jobs()}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_build_cancels_its_job(cluster, extracting, left_by, number, code):
    """And leaves no process."""
    running, _, _ = extracting
    os.kill(running.process.pid, number)
    done = running.end()
    assert (done.code, done.errors[-1]) == (
        code,
        "kgmill: stopped; the next run goes on from the last committed work unit",
    )
    assert state_of(cluster, "extract") == "CANCELED"
    cluster.wait(lambda: left_by(cluster) == [], "end of all processes")


def test_killed_worker_is_started_again(cluster, start, kgmill, processes, ingested, news, small):
    """To the local bytes, with a line that says so."""
    out = ingested(news)
    running = start("extract", news, "--out", out, "--config", small, "--workers", 2, cluster=cluster)
    running.wait_for(lambda: any((out / ".tmp").glob("*/calls/*.json")), "call of the model")
    os.kill(next(iter(processes("kgmill-beam-worker --id"))), signal.SIGKILL)
    done = running.end()
    assert done.code == 0, done
    assert any(line.startswith("extract: a worker is gone (") for line in done.errors), done.errors
    check_bytes(kgmill, small, out, news)


def test_killed_task_manager_is_done_without(cluster, start, kgmill, ingested, news, small):
    """The job goes on where it was, with the slots that are left."""
    out = ingested(news)
    running = start("extract", news, "--out", out, "--config", small, "--workers", 2, cluster=cluster)
    running.wait_for(lambda: any((out / ".tmp").glob("*/calls/*.json")), "call of the model")
    os.killpg(cluster.task_managers[1].pid, signal.SIGKILL)
    done = running.end()
    assert done.code == 0, done
    check_bytes(kgmill, small, out, news)
