"""A build: its stages one after another, and the ledger that they end in."""

import gzip
import hashlib
import json
import shutil

import pyarrow.dataset as ds
import pytest

from kgmill.pipelines.building import Listener, Run, finish, hold, run_stage
from kgmill.pipelines.checks import check_build, resolve_device
from kgmill.pipelines.context import RunContext
from kgmill.pipelines.engine.worker import Worker
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.stages.stage import NAMES, missing
from kgmill.pipelines.storage.files import remove
from kgmill.pipelines.storage.kinds.objects import Objects
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.errors import (
    CheckpointError,
    ConfigError,
    KgmillError,
    OntologyError,
    OutputError,
    SourceError,
    StorageError,
    WorkerError,
)
from kgmill.schemas.ontology import Columns

TEXTS = {
    "a.txt": "Ada Byron worked for Acme Corp in Paris .",
    "b.txt": "Bob Stone lives in London . Ada Byron worked for Acme Corp in Paris .",
    "c/d.txt": "Carl May killed Dora Lane in Rome .\n\nThe weather in Oslo was cold .",
    "empty.txt": "",
}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A folder of four text files, one of them empty."""
    folder = tmp_path_factory.mktemp("source")
    for name, text in TEXTS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def finished(source, build_here, tmp_path_factory):
    """A finished build of the source that tests only read, in one work unit."""
    folder = tmp_path_factory.mktemp("build") / "out"
    build_here(source, folder)
    return folder


@pytest.fixture
def settings(tiny_model):
    return {"model": str(tiny_model), "device": "cpu"}


def config(settings, **others):
    return BuildConfig.load(None, settings | others)


def read(folder, table):
    return ds.dataset(folder / "tables" / table, format="parquet").to_table().to_pylist()


def quads(folder):
    return gzip.decompress((folder / "graph" / "graph.nq.gz").read_bytes())


@pytest.mark.parametrize(("stages", "wanted", "n_notes"), [(NAMES, 0.99, 1), (NAMES, 0.8, 0), (("ingest",), 0.99, 0)])
def test_precision_that_the_model_cannot_promise_is_told(tmp_path, stages, wanted, n_notes):
    """Before facts are judged who would get none asserted is told so; where they aren't judged nobody is."""
    (tmp_path / "a.txt").write_text("Ada Stone lived in Paris.")
    context = check_build((str(tmp_path / "a.txt"),), tmp_path / "out", config({"wanted_precision": wanted}))
    notes = []
    with hold(context, stages=stages, listener=Listener(on_note=notes.append)):
        pass
    assert [note.startswith("no fact is asserted") for note in notes] == [True] * n_notes


# What a build leaves


def test_ledger_balances(finished):
    """What was read is what was kept and what was rejected, and the rejects table says why."""
    report = json.loads((finished / "run.json").read_text())
    assert report["documents"] == {
        "read": 4,
        "kept": 3,
        "rejected": 1,
        "reused": 0,
        "added": 3,
        "changed": 0,
        "removed": 0,
    }
    assert report["rejects"] == {"empty": 1}
    assert [(row["source"], row["reason"]) for row in read(finished, "rejects")] == [("empty.txt", "empty")]


def test_facts_are_those_of_the_sentences(finished):
    """The corpus says three things, one of them in two documents."""
    names = {row["entity_id"]: row["label"] for row in read(finished, "entities")}
    assert {(names[f["head"]], f["relation"], names[f["tail"]], f["n_documents"]) for f in read(finished, "facts")} == {
        ("Ada Byron", "Work_For", "Acme Corp", 2),
        ("Bob Stone", "Live_In", "London", 1),
        ("Carl May", "Kill", "Dora Lane", 1),
    }


def test_evidence_leads_to_the_mentions_text(finished):
    """Offsets of every piece of evidence, applied to the stored text, give the texts of both its mentions."""
    texts = {row["doc_id"]: row["text"] for row in read(finished, "documents")}
    mentions = {(m["doc_id"], m["mention_begin"], m["mention_end"]): m["text"] for m in read(finished, "mentions")}
    evidence = read(finished, "evidence")
    found = []
    for e in evidence:
        for begin, end in ((e["head_begin"], e["head_end"]), (e["tail_begin"], e["tail_end"])):
            found.append((texts[e["doc_id"]][begin:end], mentions[e["doc_id"], begin, end]))
    assert [a for a, _ in found] == [b for _, b in found]
    assert {a for a, _ in found} >= {"Ada Byron", "Acme Corp", "Bob Stone", "London", "Carl May", "Dora Lane"}
    sentences = {texts[e["doc_id"]][e["sentence_begin"] : e["sentence_end"]] for e in evidence}
    assert "Bob Stone lives in London ." in sentences


@pytest.mark.slow
def test_size_of_a_unit_changes_no_byte_of_the_graph(source, finished, build_here, tmp_path):
    """The same corpus in smaller work units has the same lines in the same order."""
    (tmp_path / "source").mkdir()
    padding = "The weather in Oslo was cold .\n" * 40
    for n in range(8):
        (tmp_path / "source" / f"{n}.txt").write_text(f"{TEXTS['b.txt']}\n{padding}{n}")
    small = build_here(tmp_path / "source", tmp_path / "small", unit_bytes=1024)
    large = build_here(tmp_path / "source", tmp_path / "large", unit_bytes=262144)
    assert (small["stages"]["ingest"]["n_done"], large["stages"]["ingest"]["n_done"]) == (16, 1)
    assert quads(tmp_path / "small") == quads(tmp_path / "large")
    assert small["graph"] == large["graph"]


def test_run_json_promises_the_graphs_bytes(finished):
    """run.json has the SHA-256 of the uncompressed graph, and its numbers of quads, entities and facts."""
    promised = json.loads((finished / "run.json").read_text())["graph"]
    assert promised == {
        "entities": len(read(finished, "entities")),
        "facts": 3,
        "quads": quads(finished).count(b"\n"),
        "sha256": hashlib.sha256(quads(finished)).hexdigest(),
        "added_quads": quads(finished).count(b"\n"),
        "removed_quads": 0,
    }


def test_new_threshold_needs_no_model(source, build_here, tmp_path):
    """With another threshold documents and candidates are reused; a threshold of 1 leaves no fact."""
    build_here(source, tmp_path / "out")
    report = build_here(source, tmp_path / "out", min_confidence=1.0)
    assert report["model_calls"] == {"sentences": 0}
    assert (report["documents"]["reused"], report["graph"]["facts"]) == (3, 0)


@pytest.mark.slow
def test_other_languages_are_passed_over(tiny_model, build_here, tmp_path):
    """They stay in the documents table, are rejects that the ledger counts by language, and come in when they may."""
    model = shutil.copytree(tiny_model, tmp_path / "model")
    described = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(described | {"languages": ["en"]}))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "en.txt").write_text(TEXTS["a.txt"])
    (tmp_path / "in" / "de.txt").write_text(
        "Ada Byron arbeitete bei der Firma Acme in Paris, und ihr Bruder lebte in London, wo er an einer Schule am "
        "Hafen Mathematik lehrte und zwei Bücher über das Segeln schrieb."
    )
    report = build_here(tmp_path / "in", tmp_path / "out", model=str(model))
    assert (report["documents"]["kept"], report["rejects"], report["left_out"]) == (
        1,
        {"language": 1},
        {"language.de": 1},
    )
    assert {row["doc_id"] for row in read(tmp_path / "out", "documents")} == {"de.txt", "en.txt"}
    assert {row["doc_id"] for row in read(tmp_path / "out", "mentions")} == {"en.txt"}
    report = build_here(tmp_path / "in", tmp_path / "out", model=str(model), any_language=True)
    assert (report["documents"]["kept"], report["documents"]["reused"], report["left_out"]) == (2, 1, {})
    assert report["model_calls"]["sentences"] == 1


def test_unchanged_sources_are_not_read_again(finished, source, build_here, monkeypatch):
    """Where no byte and no setting changed, ingest runs no job; what it left is live, and the ledger balances."""
    monkeypatch.setattr("kgmill.pipelines.stages.documents.scatter", None)
    report = build_here(source, finished)
    assert (report["stages"]["ingest"]["n_done"], report["stages"]["ingest"]["n_reused"]) == (0, 1)
    assert (report["documents"]["read"], report["documents"]["reused"], report["rejects"]) == (4, 3, {"empty": 1})


# Failures


@pytest.mark.slow
def test_append_to_lost_documents_is_refused(build_here, tmp_path):
    """Where a part of the documents is gone an append would lose them in silence."""
    (tmp_path / "a.txt").write_text("Ada Byron worked for Acme Corp in Paris .")
    build_here(tmp_path / "a.txt", tmp_path / "out")
    [part] = (tmp_path / "out" / "parts" / "ingest").glob("*/")
    remove(part)
    (tmp_path / "b.txt").write_text("Bob Stone lives in London .")
    with pytest.raises(KgmillError, match="some documents of earlier runs are gone; build without --mode append"):
        build_here(tmp_path / "b.txt", tmp_path / "out", mode="append")


def test_unbalanced_ledger_stops_the_run(source, settings, build_here, tmp_path):
    """A part that miscounts its rejects is noticed at the end."""
    build_here(source, tmp_path / "out")
    store = Store(tmp_path / "out")
    [part] = store.live("ingest")
    tables = {name: part.read(name) for name in ("documents", "rejects")}
    store.publish("ingest", [store.commit("ingest", part.unit, "f" * 64, tables, part.counts | {"rejected": 2})], [])
    with opened(source, tmp_path, settings) as run, pytest.raises(KgmillError, match="doesn't balance with 1 rejects"):
        finish(run)


def opened(source, tmp_path, settings):
    return hold(check_build((str(source),), tmp_path / "out", config(settings)))


def test_failed_run_says_so_and_keeps_the_graph(source, settings, build_here, tmp_path):
    """After a failure run.json has its message, and still promises the graph that is there; the run before is kept."""
    before = build_here(source, tmp_path / "out")
    with pytest.raises(WorkerError), opened(source, tmp_path, settings):
        raise WorkerError("the worker was killed")
    report = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (report["status"], report["error"]) == ("failed", "the worker was killed")
    assert report["graph"] == before["graph"]
    [kept] = (tmp_path / "out" / "runs").iterdir()
    assert json.loads(kept.read_text()) == before


@pytest.mark.slow
def test_first_failed_run_promises_no_graph(source, settings, tmp_path):
    """Without a graph there is nothing to promise."""
    with pytest.raises(WorkerError), opened(source, tmp_path, settings):
        raise WorkerError("the worker was killed")
    report = json.loads((tmp_path / "out" / "run.json").read_text())
    assert report["graph"] == {"entities": 0, "facts": 0, "quads": 0, "sha256": ""}


def test_storage_that_fails_is_what_is_said(source, settings, monkeypatch):
    """Where run.json can't be written either, the first error is the one that people see."""
    context = check_build((str(source),), "memory://failing/out", config(settings))
    with pytest.raises(StorageError, match=r"^the first$"), hold(context, stages=("ingest",)):
        fail_storage(monkeypatch)


def fail_storage(monkeypatch):
    def write(self, name, data):
        raise StorageError("the second")

    monkeypatch.setattr(Objects, "write", write)
    raise StorageError("the first")


@pytest.mark.slow
def test_stage_needs_the_stage_before(source, settings, tmp_path):
    """A stage alone asks for what the stage before it should have left."""
    wanted = r"no finished ingest here; run kgmill ingest first$"
    with pytest.raises(OutputError, match=wanted), opened(source, tmp_path, settings) as run:
        run_stage(run, "extract")


def test_missing_receipt_stops_the_stage(source, settings, tmp_path):
    """A job that ends without having committed all units is not taken for done."""

    class LazyWorker(Worker):
        def run(self, request_file, on_poll=lambda elapsed_s: None):
            return {"seconds": 0.0, "peak_rss_mb": 1.0}

    chosen = config(settings)
    store = Store(tmp_path / "out")
    store.create()
    run = Run(check_build((str(source),), store.storage.root, chosen), store, LazyWorker())
    with pytest.raises(KgmillError, match=r"^ingest: 0 of 1 work units were committed; build again$"):
        run_stage(run, "ingest")


# Checks before anything is touched


@pytest.fixture
def wrong(tmp_path, tiny_model):
    """What may be wrong with a build, by name: sources and settings."""
    (tmp_path / "a.txt").write_text("Ada")
    (tmp_path / "other.toml").write_text("[entities.Peop]\n[entities.Other]\n")
    (tmp_path / "folder").mkdir()
    good = str(tmp_path / "a.txt")
    return {
        "source": (str(tmp_path / "none"), {}, SourceError),
        "model": (good, {"model": str(tmp_path / "none")}, CheckpointError),
        "empty model": (good, {"model": str(tmp_path / "folder")}, CheckpointError),
        "ontology": (good, {"ontology": str(tmp_path / "other.toml")}, OntologyError),
        "missing ontology": (good, {"ontology": str(tmp_path / "none.toml")}, OntologyError),
    }


@pytest.mark.parametrize("name", ["source", "model", "empty model", "ontology", "missing ontology"])
def test_wrong_build_touches_nothing(wrong, settings, tmp_path, name):
    """A build with a wrong source, model or ontology is refused before its folder is made."""
    source, others, error = wrong[name]
    with pytest.raises(error):
        check_build((source,), tmp_path / "out", config(settings, **others))
    assert not (tmp_path / "out").exists()


def test_refused_runner_touches_nothing(source, settings, tmp_path):
    """A refused runner is a wrong configuration."""
    with pytest.raises(ConfigError, match="runner DaskRunner: refused"):
        check_build((str(source),), tmp_path / "out", config(settings), runner="DaskRunner")


def test_output_that_is_a_file_is_refused(source, settings, tmp_path):
    """An output that is a file is a wrong output."""
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match=r"out: is a file; --out wants a folder$"):
        check_build((str(source),), tmp_path / "out", config(settings))


def test_ontology_with_the_models_types_is_taken(source, settings, tiny_model, tmp_path):
    """An ontology of one's own may rename and restrict."""
    text = (tiny_model / "ontology.toml").read_text().replace("works for", "is employed by")
    (tmp_path / "own.toml").write_text(text)
    chosen = config(settings, ontology=str(tmp_path / "own.toml"))
    ontology = check_build((str(source),), tmp_path / "out", chosen).ontology
    assert ontology.relations["Work_For"].label == "is employed by"


def test_ontology_may_leave_types_out(source, settings, tmp_path):
    """Some of the model's types, in any order, are a mask; decoding knows all of the model's columns."""
    text = '[entities.Loc]\n[entities.Peop]\n[relations.Live_In]\nhead = ["Peop"]\ntail = ["Loc"]\n'
    (tmp_path / "own.toml").write_text(text)
    context = check_build((str(source),), tmp_path / "out", config(settings, ontology=str(tmp_path / "own.toml")))
    assert context.ontology.entity_names == ("Loc", "Peop")
    assert context.decoding.columns == Columns(("Peop", "Org", "Loc"), ("Work_For", "Live_In", "Kill"))
    assert RunContext.model_validate_json(context.model_dump_json()) == context
    assert check_build((str(source),), tmp_path / "out", config(settings)).decoding.columns is None


def test_ontology_with_other_types_is_refused(source, settings, tiny_model, tmp_path):
    """What the model doesn't know is named, with what it knows."""
    (tmp_path / "own.toml").write_text("[entities.Peop]\n[entities.Ship]\n")
    with pytest.raises(OntologyError) as caught:
        check_build((str(source),), tmp_path / "out", config(settings, ontology=str(tmp_path / "own.toml")))
    assert str(caught.value) == (
        f"{tmp_path}/own.toml: the model in {tiny_model} knows no type Ship; it has the types Peop, Org, Loc and the "
        "relations Work_For, Live_In, Kill, of which an ontology may leave some out"
    )


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:1"])
def test_named_device_stays(name):
    """Only `auto` is looked up."""
    assert resolve_device(name) == name


# Which stage reads what


def test_every_key_is_read_by_a_stage_or_decides_how_a_run_goes():
    """No key of the configuration is left out."""
    readers = BuildConfig.readers()
    assert readers.keys() == BuildConfig.model_fields.keys()
    assert {name for stages in readers.values() for name in stages} == set(NAMES)
    assert [name for name, stages in readers.items() if not stages] == [
        "max_reject_ratio",
        "document_timeout",
        "worker_memory_mb",
        "log_format",
        "log_file",
        "metrics",
    ]


OTHERS = {
    "document_timeout": 90.0,
    "worker_memory_mb": 100_000,
    "max_reject_ratio": 0.5,
    "retry_rejects": True,
    "any_language": True,
    "candidate_floor": 0.09,
    "min_confidence": 0.5,
    "wanted_precision": 0.9,
    "buckets": 512,
    "base_iri": "https://kg.example.org/other/",
    "dataset": "other",
    "formats": ("nq",),
    "unit_bytes": 1 << 17,
    "mode": "append",
    "near_duplicates": 0.9,
    "source": {"clean": True},
}


@pytest.mark.parametrize("key", OTHERS)
def test_only_the_stages_that_read_a_key_follow_it(finished, source, settings, key):
    """With another value of a key ingest reads the sources, and extract asks for another key, only if they say so."""
    names = {"base_iri": "https://kg.example.org/", "dataset": "kg"}
    before, now = (
        check_build((str(source),), finished, config(settings, **(names | more))) for more in ({}, {key: OTHERS[key]})
    )
    reads = BuildConfig.readers()[key]
    todo = missing("ingest", now, Store(finished), {})
    assert bool(todo.tasks) == ("ingest" in reads)
    if now.extract_key != before.extract_key or now.read_languages != before.read_languages:
        assert "extract" in reads
    if now.decoding != before.decoding:
        assert "decode" in reads
    if now.config.wanted_precision != before.config.wanted_precision:
        assert reads == ("aggregate",)


@pytest.mark.parametrize("model", [{}, {"model": "default"}])  # which masks relations, and has confidences
def test_context_goes_to_another_process(source, settings, tmp_path, model):
    """A run's context is JSON, and what comes of that is equal to it."""
    context = check_build((str(source),), tmp_path / "out", config(settings | model), yes=True)
    again = RunContext.model_validate(json.loads(json.dumps(context.model_dump(mode="json"))))
    assert (again, again.run_key, again.extract_key) == (context, context.run_key, context.extract_key)
