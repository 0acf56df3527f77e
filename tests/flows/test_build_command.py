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

from kgmill.pipelines import checks as checks_module
from kgmill.pipelines.output.parts import Store

KGMILL = str(Path(sys.executable).with_name("kgmill"))
GRAPH_FILES = ("graph.nq.gz", "graph.graphml.gz", "graph.json.gz", "ontology.ttl", "shapes.ttl", "void.ttl")


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
        *("config", "documents", "fingerprints", "finished", "graph", "graph_before", "heads", "left_out"),
        *("model_calls", "rejects", "stages", "started", "status", "versions"),
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
    assert lines[1].startswith("31 sentences met the model; peak memory ")
    assert any("Carl May --Kill-> Dora Lane" in line for line in lines)


def test_progress_of_a_build(first):
    """The model is tried, then each job begins at nothing and ends with all documents; none of them goes back."""
    by_stage = {}
    for line in first.done.progress:
        by_stage.setdefault(line["stage"], []).append((line["share"], line["done"], line["total"]))
    assert by_stage.pop("model") == [(0, None, None), (1, None, None)]
    assert list(by_stage) == [
        *("ingest", "extract", "names", "resolve", "decode", "combine", "aggregate", "labels", "export", "graph"),
    ]
    assert {(lines[0][0], lines[-1]) for lines in by_stage.values()} == {(0, (1, 16, 16))}
    assert all(lines == sorted(lines, key=lambda line: line[0]) for lines in by_stage.values())


def test_graph_is_free_of_dates(first):
    """Neither today's date nor the output folder is in the graph."""
    lines = gzip.decompress((first.folder / "graph" / "graph.nq.gz").read_bytes()).decode()
    assert [word for word in (run_json(first.folder)["started"][:10], str(first.folder)) if word in lines] == []


def test_smaller_ontology_is_a_mask(kgmill, source, first, copy, tmp_path):
    """Types that it leaves out are in no table and no graph; the rest is what it was, and no model is asked."""
    text = '[entities.Peop]\n[relations.Kill]\nhead = ["Peop"]\ntail = ["Peop"]\n'
    (tmp_path / "own.toml").write_text(text)

    done = kgmill("build", source, "--out", copy, "--ontology", tmp_path / "own.toml")

    assert (done.code, run_json(copy)["model_calls"]) == (0, {"sentences": 0})
    assert facts(copy) == {("Carl May", "Kill", "Dora Lane")}
    ends = ("doc_id", "mention_begin", "mention_end", "type", "confidence")
    found = [[tuple(row[end] for end in ends) for row in rows(folder, "mentions")] for folder in (first.folder, copy)]
    assert sorted(found[1]) == sorted(mention for mention in found[0] if mention[3] == "Peop")
    assert "Org" not in (copy / "graph/ontology.ttl").read_text()


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
    """Another folder, other work units: the graph's files are the same to the last byte.

    graph.nq.gz is cut otherwise, and void.ttl says its size and hash.
    """
    (tmp_path / "small.toml").write_text("unit_bytes = 1024\n")
    done = kgmill("build", source, "--out", tmp_path / "elsewhere", "--config", tmp_path / "small.toml")
    assert (done.code, run_json(tmp_path / "elsewhere")["stages"]["ingest"]["n_done"]) == (0, 2)
    lines = [
        gzip.decompress((f / "graph" / "graph.nq.gz").read_bytes()) for f in (first.folder, tmp_path / "elsewhere")
    ]
    assert lines[0] == lines[1]
    one, other = digests(first.folder), digests(tmp_path / "elsewhere")
    assert {name: one[name] for name in GRAPH_FILES[1:-1]} == {name: other[name] for name in GRAPH_FILES[1:-1]}


@pytest.mark.slow
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
    assert sorted(path.name for path in (copy / "graph").iterdir()) == [
        "graph.nq.gz",
        "ontology.ttl",
        "shapes.ttl",
        "void.ttl",
    ]
    assert run_json(copy)["stages"]["export"]["n_done"] == 0
    made = json.loads(kgmill("plan", source, "--out", copy, "--formats", "nq,json", "--json").out)
    assert made["stages"]["export"] == {"run": 1, "reuse": 10, "of": "units"}


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


@pytest.mark.slow
def test_stopped_build_ends_in_order(source, tiny_model, tmp_path):
    """On SIGTERM in the middle of a stage: one line, exit code 143, a run.json that says so, and nobody left."""
    command = [KGMILL, "build", source, "--out", tmp_path / "out", "--model", tiny_model, "--no-prefect"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    for line in process.stderr:
        if '"stage": "extract"' in line:
            break
    time.sleep(0.3)  # whatever it has come to: reading, or the stage behind
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    errors = [line for line in process.communicate()[1].splitlines() if '"stage"' not in line]
    assert (process.returncode, errors) == (
        143,
        ["kgmill: stopped; the next run goes on from the last committed work unit"],
    )
    assert time.monotonic() - began < 5.0
    report = run_json(tmp_path / "out")
    assert (report["status"], report["error"]) == ("failed", "stopped by SIGTERM")
    with Store(tmp_path / "out").lock():
        assert list((tmp_path / "out" / ".tmp").iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


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
    assert not (tmp_path / "out").exists()


def test_stage_on_a_lost_part_is_refused(kgmill, source, copy):
    """A stage alone doesn't go on from less than the stage before it made."""
    [part] = (copy / "parts" / "extract").glob("*/")
    shutil.rmtree(part)
    done = kgmill("decode", source, "--out", copy)
    assert (done.code, done.errors) == (2, [f"kgmill: {copy}: no finished extract here; run kgmill extract first"])
    assert run_json(copy)["status"] == "done"


# Held folders, leftovers, clocks


def test_second_build_at_once_is_refused(kgmill, source, copy):
    """A folder that another build holds is refused with the holder's name, and stays as it is."""
    before = run_json(copy)
    with Store(copy).lock():
        done = kgmill("build", source, "--out", copy)
    [line] = done.errors
    assert done.code == 1
    assert line.startswith(f"kgmill: {copy}: another build (pid {os.getpid()} on ")
    assert line.endswith("Z) is running here; wait for it")
    assert run_json(copy) == before


def test_leftovers_are_removed_by_gc(kgmill, copy):
    """`kgmill gc` prints a row a kind and a total, or JSON; a dry run removes nothing."""
    (copy / ".tmp" / "half").write_text("1234")
    told = json.loads(kgmill("gc", copy, "--dry-run", "--json").out)
    assert (told["dry_run"], told["total"]) == (True, {"number": 1, "bytes": 4})
    assert told["removed"]["work in progress"] == {"number": 1, "bytes": 4}
    rows = [kgmill("gc", copy, *options).out.splitlines() for options in (["--dry-run"], [], [])]
    assert [(table[0].split()[-3], table[2].split()[-2:], table[-1].split()[1:]) for table in rows] == [
        ("removed", ["1", "4"], ["1", "4"]),
        ("removed", ["1", "4"], ["1", "4"]),
        ("removed", ["0", "0"], ["0", "0"]),
    ]


def test_runs_of_one_second_are_all_kept(kgmill, source, copy, monkeypatch):
    """When the clock stands still or goes back, no earlier run.json is overwritten.

    Runs that did nothing can have equal ledgers, to the millisecond, and equal ones are one file: so a key differs.
    """
    clock = ("2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
    for n, now in enumerate(clock, 1):
        monkeypatch.setattr(checks_module, "now", lambda now=now: now)
        assert kgmill("build", source, "--out", copy, "--max-reject-ratio", n / 10).code == 0
    names = {path.name for path in (copy / "runs").glob("2026-01-0*")}
    assert names >= {"2026-01-01T000000Z.json", "2026-01-02T000000Z.json", "2026-01-02T000000Z-2.json"}
    assert len(list((copy / "runs").iterdir())) == 4


@pytest.mark.slow
def test_masked_relation_comes_back_with_the_whole_ontology(kgmill, source, tiny_model, tmp_path):
    """What the model's calibration masks is in no graph, until all is asked for; that meets the model with nothing."""
    model = shutil.copytree(tiny_model, tmp_path / "model")
    calibration = json.loads((model / "calibration.json").read_text()) if (model / "calibration.json").exists() else {}
    (model / "calibration.json").write_text(json.dumps(calibration | {"masked": ["Live_In"]}))
    command = ("build", source, "--out", tmp_path / "out", "--model", model)

    assert kgmill(*command).code == 0
    masked = facts(tmp_path / "out")
    assert kgmill(*command, "--ontology", "all").code == 0

    assert facts(tmp_path / "out") - masked == {("Bob Stone", "Live_In", "London")}
    assert len(masked) == 2
    assert run_json(tmp_path / "out")["model_calls"]["sentences"] == 0
