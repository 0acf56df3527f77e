"""Output folders and models of other versions: rebuilt or refused in one line, never misread.

`tests/data/0.1.0.tar.gz` is what 0.1.0 left of two builds of `source` (a text, and letters of which one was edited in
between and one has no text), and the configuration and calibration of the model as it wrote them.
"""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from kgmill.extractor.calibration import Calibration, Scale, load_calibration
from kgmill.extractor.modelfolder import MODEL_FORMAT, model_fingerprint, phase_one
from kgmill.pipelines.output.format import FORMAT
from kgmill.pipelines.output.layout import FORMAT as FORMAT_FILE

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def kept(tmp_path):
    """What 0.1.0 left: its output folder, its source, and the model with weights and tokenizer."""
    shutil.unpack_archive(ROOT / "tests" / "data" / "0.1.0.tar.gz", tmp_path / "kept")
    for path in (ROOT / "benchmarks" / "tiny_model").iterdir():
        if path.name != "config.json":
            shutil.copy(path, tmp_path / "kept" / "model")
    return tmp_path / "kept"


@pytest.fixture
def build(kgmill, kept):
    """Builds the source with the model of 0.1.0."""

    def build(out, *options):
        return kgmill("build", kept / "source", "--out", out, "--model", kept / "model", *ALL_REJECTS, *options)

    return build


ALL_REJECTS = ("--max-reject-ratio", "1")


def tree(folder):
    """Everything in a folder but the lock's holder, by name."""
    files = (path for path in folder.rglob("*") if path.name != ".lock")
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in files
    }


def visible(folder):
    return {name: digest for name, digest in tree(folder).items() if name.startswith(("graph/", "tables/"))}


def number(folder):
    content = json.loads((folder / FORMAT_FILE).read_text())
    return content["format"], content.get("rebuilt_from")


@pytest.mark.slow
def test_build_over_a_folder_of_0_1_is_a_fresh_build(build, kept, tmp_path):
    """Graph and tables are those of a build from nothing, and what the folder had before is in its ledgers."""
    out = kept / "out"
    done = build(out)
    assert (done.code, done.errors) == (0, [f"{out}: of format 1, is rebuilt in format 3"])
    assert build(tmp_path / "fresh").code == 0
    assert visible(out) == visible(tmp_path / "fresh") != {}
    assert number(out) == number(tmp_path / "fresh") == (3, None)
    report = json.loads((out / "run.json").read_text())
    before = json.loads(max((out / "runs").iterdir()).read_text())
    assert (report["graph_before"], report["graph"]["removed_quads"]) == (before["graph"]["sha256"], 254)


@pytest.mark.slow
def test_append_to_a_folder_of_0_1_keeps_its_documents(build, kept, tmp_path):
    """Documents of 0.1.0 are carried on, those of the same text count once: the graph is that of a fresh build."""
    assert build(kept / "out", "--mode", "append").code == build(tmp_path / "fresh").code == 0
    assert tree(kept / "out" / "graph") == tree(tmp_path / "fresh" / "graph") != {}


def test_second_build_says_nothing_of_formats(build, kept):
    """Once rebuilt, a folder is as any other: nothing meets the model again."""
    build(kept / "out")
    done = build(kept / "out")
    report = json.loads((kept / "out" / "run.json").read_text())
    assert (done.code, done.errors, report["model_calls"]["sentences"]) == (0, [], 0)


def test_plan_of_a_folder_of_0_1(kgmill, kept):
    """A plan compares documents with those of 0.1.0, would redo every stage, and touches nothing."""
    before = tree(kept / "out")
    done = kgmill("plan", kept / "source", "--out", kept / "out", "--model", kept / "model", "--json")
    plan = json.loads(done.out)
    assert plan["documents"] == {"new": 0, "changed": 0, "unchanged": 3, "removed": 0, "rejected": 1}
    assert {name: stage["reuse"] for name, stage in plan["stages"].items()} == dict.fromkeys(plan["stages"], 0)
    assert tree(kept / "out") == before


def test_gc_of_a_folder_of_0_1(kgmill, kept):
    """It removes old runs and their changes where that is asked for, nothing that is live, and gives no number."""
    before = tree(kept / "out")
    assert kgmill("gc", kept / "out").code == 0
    assert tree(kept / "out") == before
    assert kgmill("gc", kept / "out", "--keep-runs", "0").code == 0
    gone = before.keys() - tree(kept / "out").keys()
    assert sorted({name.partition("/")[0] for name in gone}) == ["changes", "runs"]


def needs_build(out):
    return (
        f"kgmill: {out}: holds a graph of format 1, this kgmill reads format 3; "
        f"run kgmill build SOURCE... --out {out}, which rebuilds it"
    )


READERS = {
    "query": lambda kept: ("query", kept / "out", "SELECT * { ?s ?p ?o }"),
    "load": lambda kept: ("load", kept / "out", "--endpoint", "http://127.0.0.1:9"),
    "export": lambda kept: ("export", kept / "out", "--base-iri", "https://kg.example.org/"),
    "ingest": lambda kept: ("ingest", kept / "source", "--out", kept / "out", "--model", kept / "model"),
    "decode": lambda kept: ("decode", kept / "source", "--out", kept / "out", "--model", kept / "model"),
}
WRITERS = {
    "build": lambda kept: ("build", kept / "source", "--out", kept / "out", "--model", kept / "model"),
    "plan": lambda kept: ("plan", kept / "source", "--out", kept / "out", "--model", kept / "model"),
    "gc": lambda kept: ("gc", kept / "out"),
}


@pytest.mark.parametrize("command", READERS)
def test_what_reads_the_graph_refuses_a_folder_of_0_1(kgmill, kept, command):
    """One line with the cure: names are not those of today's queries, candidates not those of today's stages."""
    before = tree(kept / "out")
    done = kgmill(*READERS[command](kept))
    assert (done.code, done.errors) == (2, [needs_build(kept / "out")])
    assert tree(kept / "out") == before


@pytest.mark.slow
def test_rebuild_that_died_is_finished_by_the_next_build(kgmill, build, kept, tmp_path):
    """Until then the graph is the old one, and refused as such."""
    (kept / "source" / "letters.jsonl").rename(kept / "letters.jsonl")
    assert build(kept / "out").code == 2  # more than a fifth of the documents would leave
    (kept / "letters.jsonl").rename(kept / "source" / "letters.jsonl")
    assert number(kept / "out") == (3, 1)
    assert kgmill(*READERS["query"](kept)).errors == [needs_build(kept / "out")]
    assert kgmill(*READERS["decode"](kept)).errors == [needs_build(kept / "out")]
    assert build(kept / "out").code == build(tmp_path / "fresh").code == 0
    assert visible(kept / "out") == visible(tmp_path / "fresh")
    assert number(kept / "out") == (3, None)


@pytest.mark.parametrize("command", READERS | WRITERS)
def test_folder_of_a_later_format_is_refused(kgmill, kept, command):
    """Both numbers, the version that wrote it and the cure; nothing is touched."""
    (kept / "out" / FORMAT_FILE).write_text('{"format": 4, "kgmill": "0.9.0"}')
    before = tree(kept / "out")
    done = kgmill(*(READERS | WRITERS)[command](kept))
    line = f"kgmill: {kept / 'out'}: is of format 4 (kgmill 0.9.0), this kgmill reads formats up to 3; "
    assert (done.code, done.errors) == (2, [line + "use that kgmill or a later one, or another folder"])
    assert tree(kept / "out") == before


def test_folder_of_0_2_is_read(kgmill, copy):
    """Its graph is that of today, so it is asked as it is; its tables have other columns, which a build renews."""
    (copy / FORMAT_FILE).write_text('{"format": 2, "kgmill": "0.2.0"}')
    before = tree(copy)

    assert kgmill("query", copy, "SELECT ?e { GRAPH g:kg { ?e a v:Peop } } LIMIT 1").code == 0
    assert {name for name in tree(copy).keys() - before.keys() if not name.startswith("store")} == set()
    assert number(copy) == (2, None)


@pytest.mark.parametrize("content", ["", "{", "[2]", '{"format": "2"}', '{"format": true}', '{"format": 0}', "{}"])
@pytest.mark.parametrize("command", ["build", "query"])
def test_damaged_number_is_refused(kgmill, kept, command, content):
    """What it should be, and the way out; nothing is touched."""
    path = kept / "out" / FORMAT_FILE
    path.write_text(content)
    before = tree(kept / "out")
    done = kgmill(*(READERS | WRITERS)[command](kept))
    line = f'kgmill: {path}: damaged; wanted {{"format": 3}}, or a smaller number. If no later kgmill wrote here, '
    line += "remove the file and run kgmill build, which rebuilds the folder as one of format 1"
    assert (done.code, done.errors) == (2, [line])
    assert tree(kept / "out") == before


def test_model_of_0_1_is_read_as_it_was(kept):
    """Its fingerprint, what phase one was trained as, and its temperatures, which are the slopes of today."""
    assert MODEL_FORMAT == 2
    assert phase_one(kept / "model") == "softmax"
    assert load_calibration(kept / "model") == Calibration(Scale(0.8), Scale(1.25), Scale(1 / 1.5), Scale(1 / 0.9))
    assert model_fingerprint(kept / "model") == "dc0be83a54934185308e953cd3824775807f4b960a3795a7eb63e46ad54d45c8"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (3, "is of format 3, this kgmill reads formats up to 2; use the kgmill that made it or a later one, or train"),
        ("two", "kgmill_format is 'two'; wanted a number from 1 to 2: train it anew"),
        (True, "kgmill_format is True; wanted a number from 1 to 2: train it anew"),
        (0, "kgmill_format is 0; wanted a number from 1 to 2: train it anew"),
        (2, "phase_one is missing, which a model of format 2 says; train it anew"),
    ],
)
def test_model_of_another_format_is_refused(kgmill, kept, tmp_path, said, message):
    """A number of the future, a damaged one, and one that promises what isn't there; nothing is touched."""
    path = kept / "model" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"kgmill_format": said}))
    done = kgmill("build", kept / "source", "--out", tmp_path / "new", "--model", kept / "model")
    assert (done.code, len(done.errors), (tmp_path / "new").exists()) == (2, 1, False)
    assert done.errors[0].startswith(f"kgmill: {kept / 'model'}/config.json: {message}")


def test_trained_model_has_its_number(tiny_model):
    """config.json of a model that was trained now."""
    assert json.loads((tiny_model / "config.json").read_text())["kgmill_format"] == MODEL_FORMAT


def test_fresh_folder_has_its_number(first):
    """Who made it, too."""
    assert json.loads((first.folder / FORMAT_FILE).read_text())["format"] == FORMAT
