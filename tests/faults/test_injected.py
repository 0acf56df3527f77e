"""Documents that crash, hang or exhaust the model, in a real worker: each is found and rejected alone."""

import hashlib
import json
import resource

import pyarrow.dataset as ds
import pytest

from kgmill.extractor.candidates import Floors
from kgmill.pipelines.stages.candidates import PredictorSettings, Reading, find_candidates
from kgmill.schemas.tables import from_table


def rows(folder, table):
    return ds.dataset(folder / "tables" / table, format="parquet").to_table().to_pylist()


def rejects(folder):
    return {row["doc_id"]: (row["reason"], row["detail"]) for row in rows(folder, "rejects")}


def visible(folder):
    files = (path for name in ("graph", "tables") for path in (folder / name).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def met(folder, names):
    """The sentences that the model stage made of these documents, with all scores."""
    table = ds.dataset(sorted((folder / "parts" / "extract").glob("*/sentences.parquet"))).to_table()
    return [row for row in table.to_pylist() if row["doc_id"] in names]


@pytest.mark.slow
def test_document_that_crashes_the_model_is_rejected_alone(corpus, faulty_build, tiny_model, tmp_path):
    """A real segmentation fault costs its document; the others' scores are those of a build without it, bit for bit."""
    out = tmp_path / "out"
    done = faulty_build(corpus({1: "SEGFAULT"}, n=3), out)
    assert done.returncode == 0, done.stderr
    assert rejects(out) == {"d1": ("model_crashed", "the worker was killed by SIGSEGV")}
    notes = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert notes == ["extract: the worker was killed by SIGSEGV; it is started again"] * 2
    settings = PredictorSettings(str(tiny_model), "cpu", "fp32", 1)
    part = ds.dataset(sorted((out / "parts" / "ingest").glob("*/documents.parquet"))).to_table()
    good = [document for document in from_table("documents", part) if document.doc_id != "d1"]
    assert (
        met(out, {"d0", "d1", "d2"})
        == find_candidates(good, Reading(settings, Floors(-5.0, -5.0)))["sentences"].to_pylist()
        != []
    )


@pytest.mark.faults
def test_every_kind_of_fault_is_told_apart(corpus, faulty_build, tmp_path):
    """One document of each kind among good ones; the retry of a model that was mended is a build from nothing."""
    words = {3: "SEGFAULT", 9: "EXIT", 14: "KILL", 20: "HANG", 26: "SEIZE", 31: "HOG", 37: "RAISE", 42: "MEMORY"}
    out, source = tmp_path / "out", corpus(words, n=48)
    config = "document_timeout = 15\nworker_memory_mb = 1500\n"
    done = faulty_build(source, out, config=config)
    assert done.returncode == 0, done.stderr
    assert rejects(out) == {
        "d3": ("model_crashed", "the worker was killed by SIGSEGV"),
        "d9": ("model_crashed", "the worker ended with exit code 7"),
        "d14": ("model_crashed", "the worker was killed by SIGKILL"),
        "d20": ("timeout", "a call of the model took more than 15 s (document_timeout)"),
        "d26": ("timeout", "a call of the model took more than 15 s (document_timeout)"),
        "d31": ("out_of_memory", "the worker had more than 1500 MB (worker_memory_mb)"),
        "d37": ("model_failed", "RuntimeError: index out of range in self"),
        "d42": ("out_of_memory", "MemoryError: no more"),
    }
    good = {f"d{i}" for i in range(48)} - set(rejects(out))
    clean = tmp_path / "clean"
    assert faulty_build(corpus(dict.fromkeys(words, "quiet"), "clean.jsonl", n=48), clean).returncode == 0
    assert met(out, good) == met(clean, good) != []
    before = visible(out)
    again = faulty_build(source, out, config=config)
    assert (again.returncode, visible(out)) == (0, before)
    report = json.loads((out / "run.json").read_text())
    assert (report["model_calls"]["sentences"], report["documents"]["rejected"]) == (0, 8)


@pytest.mark.faults
def test_retry_that_succeeds_is_a_build_from_nothing(corpus, faulty_build, tmp_path):
    """With a mended model the rejected document is kept; graph and tables are those of a fresh build."""
    source, out = corpus({2: "HOG"}, n=4), tmp_path / "out"
    assert faulty_build(source, out, config="worker_memory_mb = 1200\n").returncode == 0
    assert set(rejects(out)) == {"d2"}
    assert faulty_build(source, out, "--retry-rejects", is_mended=True).returncode == 0
    assert rejects(out) == {}
    assert faulty_build(source, tmp_path / "nothing" / "out", is_mended=True).returncode == 0
    assert visible(out) == visible(tmp_path / "nothing" / "out")


@pytest.mark.faults
def test_model_that_always_crashes_stops_the_build(corpus, faulty_build, tmp_path):
    """When every document kills the worker the build ends with one line that says so, and run.json has it."""
    done = faulty_build(corpus(dict.fromkeys(range(8), "EXIT")), tmp_path / "out")
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith(
        "kgmill: extract: the worker ended with exit code 7, with each of 3 documents alone; the fault is hardly"
    )
    assert json.loads((tmp_path / "out" / "run.json").read_text())["error"] == last.removeprefix("kgmill: ")


@pytest.mark.faults
def test_file_that_grows_too_large_is_one_line_and_heals(corpus, faulty_build, tmp_path):
    """Under a limit on the size of files writes fail as on a full disk; without it the next build heals."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    source, out = corpus({}), tmp_path / "out"
    done = faulty_build(source, out, preexec_fn=limit)
    last = done.stderr.splitlines()[-1]
    assert (done.returncode, last.startswith(f"kgmill: {out}")) == (1, True)
    assert "File too large; allow larger files (ulimit -f) and build again" in last
    assert faulty_build(source, out).returncode == 0
    assert faulty_build(source, tmp_path / "clean" / "out").returncode == 0
    assert visible(out) == visible(tmp_path / "clean" / "out")
