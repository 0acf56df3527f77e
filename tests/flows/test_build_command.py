"""`kgmill build` and its stages: the ledger, reuse, equal bytes, healing."""

import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from flows.graph_commands import _with_retries
from pipelines.store import Store
from schemas.errors import ConfigError, WorkerError

KGMILL = str(Path(sys.executable).with_name("kgmill"))
GRAPH_FILES = ("graph.nq.gz", "graph.graphml.gz", "graph.json.gz", "ontology.ttl")


def run_json(folder):
    return json.loads((folder / "run.json").read_text())


def rows(folder, table):
    return ds.dataset(folder / "tables" / table, format="parquet").to_table().to_pylist()


def digests(folder):
    """The SHA-256 of each file of the graph."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / "graph").iterdir()}


def facts(folder):
    names = {row["entity_id"]: row["label"] for row in rows(folder, "entities")}
    return {(names[row["head"]], row["relation"], names[row["tail"]]) for row in rows(folder, "facts")}


@pytest.fixture
def own_source(source, tmp_path):
    """A copy of the corpus that a test may change."""
    return Path(shutil.copytree(source, tmp_path / "source"))


# What a build leaves


def test_run_json_has_the_contracts_keys(first):
    """run.json says what was read, met, made and with what."""
    report = run_json(first.folder)
    assert sorted(report) == [
        *("documents", "fingerprints", "finished", "graph", "model_calls"),
        *("rejects", "stages", "started", "status", "versions"),
    ]
    assert (report["status"], report["model_calls"], report["rejects"]) == ("done", {"sentences": 31}, {})
    assert report["documents"] == {
        "read": 16,
        "kept": 16,
        "rejected": 0,
        "reused": 0,
        "added": 16,
        "changed": 0,
        "removed": 0,
    }
    assert list(report["stages"]) == ["ingest", "extract", "decode", "aggregate", "export"]
    assert {"seconds", "model_seconds", "peak_rss_mb"} <= set(report["stages"]["extract"])
    assert sorted(report["graph"]) == ["added_quads", "entities", "facts", "quads", "removed_quads", "sha256"]


def test_run_json_promises_the_bytes_of_the_graph(first):
    """The SHA-256 in run.json is that of the uncompressed graph."""
    lines = gzip.decompress((first.folder / "graph" / "graph.nq.gz").read_bytes())
    graph = run_json(first.folder)["graph"]
    assert (graph["sha256"], graph["quads"]) == (hashlib.sha256(lines).hexdigest(), lines.count(b"\n"))


def test_graph_has_the_corpus_facts(first):
    """The corpus says three things, each of them twice."""
    assert facts(first.folder) == {
        ("Ada Byron", "Work_For", "Acme Corp"),
        ("Bob Stone", "Live_In", "London"),
        ("Carl May", "Kill", "Dora Lane"),
    }
    assert {row["n_documents"] for row in rows(first.folder, "facts")} == {2}


def test_build_prints_ledger_and_facts(first):
    """A person sees the ledger, the sizes of the graph, and facts with their sentences."""
    lines = first.done.out.splitlines()
    assert lines[0] == "16 documents read = 16 kept + 0 rejected; 0 reused"
    assert lines[1].startswith("31 sentences met the model; ingest ")
    assert any("Carl May  --Kill->  Dora Lane" in line for line in lines)


def test_graph_is_free_of_dates(first):
    """Neither today's date nor the output folder is in the graph."""
    lines = gzip.decompress((first.folder / "graph" / "graph.nq.gz").read_bytes()).decode()
    assert [word for word in (run_json(first.folder)["started"][:10], str(first.folder)) if word in lines] == []


# The second run


def test_second_build_calls_no_model_and_changes_no_byte(kgmill, source, copy, first):
    """A build of the same corpus in the same folder finds everything done."""
    assert kgmill("build", source, "--out", copy).code == 0
    report = run_json(copy)
    assert (report["model_calls"]["sentences"], report["documents"]["reused"]) == (0, 16)
    assert digests(copy) == digests(first.folder)
    assert [stage["n_done"] for stage in report["stages"].values()] == [0, 0, 0, 0, 0]
    [before] = (copy / "runs").iterdir()
    assert json.loads(before.read_text()) == run_json(first.folder)


def test_build_elsewhere_has_equal_bytes(kgmill, source, first, tmp_path):
    """Another folder, other work units: the graph's files are the same to the last byte."""
    (tmp_path / "small.toml").write_text("unit_bytes = 1024\n")
    done = kgmill("build", source, "--out", tmp_path / "elsewhere", "--config", tmp_path / "small.toml")
    assert (done.code, run_json(tmp_path / "elsewhere")["stages"]["ingest"]["n_done"]) == (0, 2)
    lines = [
        gzip.decompress((f / "graph" / "graph.nq.gz").read_bytes()) for f in (first.folder, tmp_path / "elsewhere")
    ]
    assert lines[0] == lines[1]
    one, other = digests(first.folder), digests(tmp_path / "elsewhere")
    assert {name: one[name] for name in GRAPH_FILES[1:]} == {name: other[name] for name in GRAPH_FILES[1:]}


def test_same_build_elsewhere_has_equal_bytes(kgmill, source, first, tmp_path):
    """Another folder with equal settings: every file of the graph is the same to the last byte."""
    assert kgmill("build", source, "--out", tmp_path / "elsewhere").code == 0
    assert sorted(digests(first.folder)) == sorted(GRAPH_FILES)
    assert digests(tmp_path / "elsewhere") == digests(first.folder)


def test_facts_of_a_removed_document_leave(kgmill, own_source, copy, tmp_path):
    """A fact whose documents are gone is gone; what is left is what a new build of the rest would make."""
    lines = (own_source / "c.jsonl").read_text().splitlines(keepends=True)
    (own_source / "c.jsonl").write_text("".join(lines[2:]))
    assert kgmill("build", own_source, "--out", copy).code == 0
    report = run_json(copy)
    assert facts(copy) == {("Ada Byron", "Work_For", "Acme Corp"), ("Bob Stone", "Live_In", "London")}
    assert (report["documents"]["removed"], report["model_calls"]["sentences"]) == (2, 0)
    assert "Carl May" not in gzip.decompress((copy / "graph" / "graph.nq.gz").read_bytes()).decode()
    assert kgmill("build", own_source, "--out", tmp_path / "new").code == 0
    assert digests(copy) == digests(tmp_path / "new")


def test_only_a_changed_document_meets_the_model(kgmill, own_source, copy):
    """An edit of one text costs that text's sentences; the others are reused."""
    (own_source / "a.txt").write_text("Ada Byron worked for Acme Corp in Paris . Carl May killed Dora Lane in Rome .")
    assert kgmill("build", own_source, "--out", copy).code == 0
    report = run_json(copy)
    assert (report["documents"]["changed"], report["documents"]["reused"]) == (1, 15)
    assert report["model_calls"] == {"sentences": 2}


def test_threshold_needs_no_model(kgmill, source, copy):
    """Another threshold decodes the same candidates."""
    assert kgmill("build", source, "--out", copy, "--min-confidence", "1").code == 0
    assert (run_json(copy)["model_calls"]["sentences"], facts(copy)) == (0, set())


def test_vanishing_corpus_stops_the_build(kgmill, own_source, copy):
    """When over a fifth of the documents would go, one line says so and how to go on, and nothing is touched."""
    lines = (own_source / "c.jsonl").read_text().splitlines(keepends=True)
    (own_source / "c.jsonl").write_text("".join(lines[:10]))
    before = {path: path.read_bytes() for path in (copy / "run.json", *copy.glob("graph/*"), *copy.glob("tables/*/*"))}
    done = kgmill("build", own_source, "--out", copy)
    line = (
        "kgmill: 4 of 16 documents would leave the graph, more than 20%; if that is wanted say --yes, "
        "to keep them --mode append"
    )
    assert (done.code, done.errors) == (2, [line])
    assert {
        path: path.read_bytes() for path in (copy / "run.json", *copy.glob("graph/*"), *copy.glob("tables/*/*"))
    } == before
    assert kgmill("build", own_source, "--out", copy, "--mode", "append").code == 0
    assert len(rows(copy, "documents")) == 16
    assert kgmill("build", own_source, "--out", copy, "--yes").code == 0
    assert (len(rows(copy, "documents")), run_json(copy)["documents"]["removed"]) == (12, 4)


def test_duplicates_are_no_faults(kgmill, tmp_path):
    """Rejected duplicates are counted and traced, and leave the exit code alone."""
    records = [{"id": f"d{n}", "text": "Hi ."} for n in range(3)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    assert kgmill("build", tmp_path / "a.jsonl", "--out", tmp_path / "out").code == 0
    report = run_json(tmp_path / "out")
    assert (report["rejects"], report["documents"]["kept"]) == ({"duplicate": 2}, 1)
    assert [(r["doc_id"], r["detail"]) for r in rows(tmp_path / "out", "rejects")] == [
        ("d1", "has the text of d0"),
        ("d2", "has the text of d0"),
    ]


def test_formats_are_those_asked_for(kgmill, source, copy):
    """Files of formats that are no longer wanted leave the graph's folder."""
    assert kgmill("build", source, "--out", copy, "--formats", "nq").code == 0
    assert sorted(path.name for path in (copy / "graph").iterdir()) == ["graph.nq.gz", "ontology.ttl"]


# Interruptions


@pytest.fixture(scope="module")
def interrupted(source, tiny_model, tmp_path_factory):
    """A build in small units whose processes were all killed when the first unit was extracted."""
    folder = tmp_path_factory.mktemp("interrupted")
    (folder / "small.toml").write_text("unit_bytes = 1024\n")
    command = [KGMILL, "build", source, "--out", folder / "out", "--model", tiny_model, "--no-prefect"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--config", folder / "small.toml"], stdout=log, stderr=log, start_new_session=True
        )
        end = time.monotonic() + 120
        while not list((folder / "out" / "parts" / "extract").glob("*/manifest.json")):
            assert (process.poll(), time.monotonic() < end) == (None, True), (folder / "log").read_text()
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return folder


def test_interrupted_build_heals(kgmill, source, first, interrupted, tmp_path):
    """The next run goes on from the last committed unit, to the bytes of a run that nobody killed."""
    out = Path(shutil.copytree(interrupted / "out", tmp_path / "out"))
    assert not (out / "run.json").exists()
    committed = [path for path in (out / "parts" / "extract").iterdir() if (path / "manifest.json").is_file()]
    n_met = sum(sum(ds.dataset(path / "documents.parquet").to_table()["n_sentences"].to_pylist()) for path in committed)
    assert kgmill("build", source, "--out", out, "--config", interrupted / "small.toml").code == 0
    assert run_json(out)["model_calls"]["sentences"] == 31 - n_met
    assert run_json(out)["graph"] == run_json(first.folder)["graph"]
    assert list((out / ".tmp").iterdir()) == []


def test_interrupted_build_shows_nothing_half_written(interrupted):
    """What was not finished is no graph and no table; what was, is whole."""
    out = interrupted / "out"
    assert [(out / name).exists() for name in ("graph", "run.json", "tables/facts")] == [False, False, False]
    assert len(rows(out, "documents")) == 16


class DyingRun:
    """A run whose worker dies as often as told."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.n_calls = 0

    def run_stage(self, stage):
        self.n_calls += 1
        if self.errors:
            raise self.errors.pop(0)


def test_stage_of_a_dead_worker_is_tried_again(capsys):
    """A worker may die twice; each time there is a line that says so."""
    run = DyingRun(WorkerError("the worker was killed by SIGKILL"), WorkerError("the worker ended with exit code 1"))
    _with_retries(run, "extract")
    assert run.n_calls == 3
    assert capsys.readouterr().err == (
        "extract: the worker was killed by SIGKILL; trying again (1 of 2)\n"
        "extract: the worker ended with exit code 1; trying again (2 of 2)\n"
    )


def test_third_death_stops_the_run():
    """A worker that always dies is not tried for ever."""
    run = DyingRun(*(WorkerError("the worker was killed by SIGKILL") for _ in range(3)))
    with pytest.raises(WorkerError):
        _with_retries(run, "extract")
    assert run.n_calls == 3


def test_other_errors_are_not_tried_again():
    """What is wrong with the input stays wrong."""
    run = DyingRun(ConfigError("wrong"))
    with pytest.raises(ConfigError):
        _with_retries(run, "extract")
    assert run.n_calls == 1


# Stages alone


def test_stages_one_by_one_are_a_build(kgmill, source, first, tmp_path):
    """The five stages as five commands end in the bytes of one build, and in a run.json that promises them."""
    for stage in ("ingest", "extract", "decode", "aggregate", "export"):
        done = kgmill(stage, source, "--out", tmp_path / "out")
        assert (done.code, done.errors, done.out.startswith(f"{stage}: ")) == (0, [], True)
    assert digests(tmp_path / "out") == digests(first.folder)
    assert run_json(tmp_path / "out")["graph"] == run_json(first.folder)["graph"]


def test_graph_of_a_new_threshold_can_be_queried(kgmill, source, copy):
    """After decode, aggregate and export alone the graph is the one that run.json promises."""
    for stage in ("decode", "aggregate", "export"):
        assert kgmill(stage, source, "--out", copy, "--min-confidence", "1").code == 0
    done = kgmill("query", copy, "SELECT (COUNT(*) AS ?n) { ?s a rdf:Statement }", "--format", "csv")
    assert (done.code, done.out) == (0, "n\r\n0\n")


def test_stage_without_the_one_before_is_refused(kgmill, source, tmp_path):
    """A stage that lacks its input names the command that makes it."""
    done = kgmill("decode", source, "--out", tmp_path / "out")
    assert (done.code, done.errors) == (
        2,
        [f"kgmill: {tmp_path}/out: no finished ingest here; run kgmill ingest first"],
    )


# Faults in the corpus


@pytest.fixture(scope="module")
def faulty(kgmill, tmp_path_factory):
    """A build of two hundred good lines, a bad one, and an empty file."""
    folder = tmp_path_factory.mktemp("faulty")
    lines = [json.dumps({"id": n, "text": f"Hi {n} ."}) for n in range(200)]
    lines.insert(100, '{"id": 100, "text": "cut o')
    (folder / "source").mkdir()
    (folder / "source" / "news.jsonl").write_text("\n".join(lines))
    (folder / "source" / "empty.txt").write_text("")
    return folder / "out", kgmill("build", folder / "source", "--out", folder / "out")


def test_few_bad_records_cost_themselves_alone(faulty):
    """One malformed line and one empty document of 202: rejected, and the build is fine."""
    folder, done = faulty
    assert (done.code, done.errors) == (0, [])
    assert run_json(folder)["rejects"] == {"empty": 1, "malformed_json": 1}
    documents = run_json(folder)["documents"]
    assert (documents["read"], documents["kept"], documents["rejected"]) == (202, 200, 2)
    assert "  rejected: 1 malformed_json" in done.out.splitlines()


def test_rejects_have_a_place(faulty):
    """The rejects table has stage, file and line, reason and detail."""
    assert sorted((row["stage"], row["source"], row["reason"]) for row in rows(faulty[0], "rejects")) == [
        ("ingest", "empty.txt", "empty"),
        ("ingest", "news.jsonl:101", "malformed_json"),
    ]


def test_binary_file_alone_is_too_many_rejects(kgmill, tmp_path):
    """A corpus of one binary file is built, empty, and ends with exit code 3."""
    (tmp_path / "a.txt").write_bytes(b"\x7fELF\x00\x01")
    done = kgmill("build", tmp_path / "a.txt", "--out", tmp_path / "out")
    line = f"1 of 1 documents were rejected, more than --max-reject-ratio 0.01; see {tmp_path}/out/tables/rejects"
    assert (done.code, done.errors) == (3, [f"kgmill: {line}"])
    assert [row["reason"] for row in rows(tmp_path / "out", "rejects")] == ["binary"]
    assert run_json(tmp_path / "out")["status"] == "done"


def test_reject_ratio_decides_the_exit_code(kgmill, tmp_path):
    """One of four rejected: 3 above the ratio, 0 at it."""
    good = "".join(json.dumps({"id": n, "text": f"Hi {n} ."}) + "\n" for n in range(3))
    (tmp_path / "a.jsonl").write_text(good + "[]\n")
    command = ("build", tmp_path / "a.jsonl", "--out", tmp_path / "out", "--max-reject-ratio")
    assert [kgmill(*command, ratio).code for ratio in ("0.24", "0.25")] == [3, 0]


# Held folders and damaged parts


def test_second_build_at_once_is_refused(kgmill, source, copy):
    """A folder that another build holds is refused with the holder's pid, and stays as it is."""
    before = run_json(copy)
    with Store(copy).lock():
        done = kgmill("build", source, "--out", copy)
    assert (done.code, done.errors) == (
        1,
        [f"kgmill: {copy}: another build (pid {os.getpid()}) is running here; wait for it"],
    )
    assert run_json(copy) == before


def test_damaged_part_is_named_and_healed_by_its_deletion(kgmill, source, copy, first):
    """The damaged file is named in one line; when its part is deleted, the next build makes it again."""
    [part] = (copy / "parts" / "ingest").glob("*/")
    (part / "documents.parquet").write_bytes(b"damaged")
    done = kgmill("build", source, "--out", copy)
    assert (done.code, done.errors) == (
        1,
        [f"kgmill: {part}/documents.parquet: not the bytes that were committed; delete {part} and build again"],
    )
    assert run_json(copy)["status"] == "failed"
    assert kgmill("query", copy, "ASK {}").code == 0
    shutil.rmtree(part)
    assert kgmill("build", source, "--out", copy).code == 0
    assert digests(copy) == digests(first.folder)
