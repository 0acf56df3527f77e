"""Forgetting: no byte of a document is left, and what is left is what a build without it makes."""

import json
import shutil

import pyarrow.dataset as ds
import pytest

from kgmill.pipelines import forget as forgetting
from kgmill.pipelines.output import forgotten
from kgmill.pipelines.output.forgotten import read_forgotten
from kgmill.pipelines.output.ledger import last_run
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.output.steps import check_in_step
from kgmill.pipelines.report.report import write_report
from kgmill.pipelines.stages.stage import NAMES
from kgmill.pipelines.triplestores.query import format_result, query
from kgmill.schemas.errors import LockError, OutputError, UsageError

GONE = "letters/carl.txt"
TEXTS = {
    "a.txt": "Ada Byron worked for Acme Corp in Paris . The weather in Oslo was cold .",
    "b.txt": "Bob Stone lives in London .\n\nAda Byron worked for Acme Corp in Paris .\n",
    GONE: "Carl May killed Dora Lane in Rome . Bob Stone lives in London .",
    "d.jsonl": "".join(
        json.dumps({"id": f"d{n}", "title": f"Report {n}", "text": f"The weather in Oslo was cold . Report {n} ."})
        + "\n"
        for n in range(6)
    ),
}
# Its id as it is and in IRIs, its texts, its names as they are, as keys and in ids: nothing that another document has.
TRACES = (GONE, "letters%2Fcarl", "carl.txt", "Carl", "carl-may", "carl may", "Dora", "dora-lane", "Rome", "killed D")
TABLES = ("documents", "mentions", "relations", "entities", "names", "facts", "evidence")


class KilledError(BaseException):
    """What no code of ours catches."""


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The corpus; only read."""
    return write(tmp_path_factory.mktemp("source"), TEXTS)


@pytest.fixture(scope="module")
def finished(build_here, source, tmp_path_factory, traces):
    """A folder with two runs, the changes between them, an embedded store and a report; only copied."""
    folder = tmp_path_factory.mktemp("finished")
    before = write(folder / "before", TEXTS | {GONE: "Carl May killed Dora Lane in Rome ."})
    build_here(before, folder / "out")
    build_here(source, folder / "out", started="2026-01-01T00:01:00Z")
    assert "Dora Lane" in format_result(query(folder / "out", "SELECT ?l { ?e rdfs:label ?l }"), "csv")
    write_report(Store(folder / "out"))
    found = [name for name, _ in traces(folder / "out", TRACES)]
    assert {"tables", "graph", "changes", "parts", "store", "report.html"} <= {name.partition("/")[0] for name in found}
    assert any(name.endswith("/slices") for name in found)
    return folder / "out"


@pytest.fixture
def out(finished, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(finished, tmp_path / "out")


def write(folder, texts):
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def rows(out, table):
    found = ds.dataset(out / "tables" / table, format="parquet").to_table().to_pylist()
    return sorted(found, key=lambda row: json.dumps(row, sort_keys=True))


def graph(out):
    return {path.name: path.read_bytes() for path in (out / "graph").iterdir()}


def test_nothing_is_left(out, forget_here, traces):
    """Not in tables, graph, changes, runs, parts or caches; others' text is."""
    report = forget_here(out, GONE)
    assert traces(out, TRACES) == []
    assert traces(out, ["Bob Stone lives in London"]) != []
    assert (report.n_documents, report.equal) == (1, ())
    assert report.before["facts"] - report.after["facts"] == 1
    assert "Dora Lane" not in format_result(query(out, "SELECT ?l { ?e rdfs:label ?l }"), "csv")


def test_rest_is_a_build_without_it(out, build_here, forget_here, source, tmp_path, traces):
    """After a forget, and after a build from the source that has it still: equal tables and graph, no model call."""
    others = write(tmp_path / "others", {name: text for name, text in TEXTS.items() if name != GONE})
    build_here(others, tmp_path / "new")
    forget_here(out, GONE)
    for _ in range(2):
        assert {table: rows(out, table) for table in TABLES} == {t: rows(tmp_path / "new", t) for t in TABLES}
        assert graph(out) == graph(tmp_path / "new")
        again = build_here(source, out, started="2026-01-01T00:20:00Z")
    assert (again["rejects"], again["model_calls"]["sentences"]) == ({"forgotten": 1}, 0)
    assert again["documents"] | {"reused": 0} == {
        "read": 9,
        "kept": 8,
        "rejected": 1,
        "reused": 0,
        "added": 0,
        "changed": 0,
        "removed": 0,
    }
    assert traces(out, TRACES) == []


@pytest.mark.slow
def test_kept_out_costs_nothing(out, build_here, forget_here, source):
    """A build after the one that found it kept out reads no source."""
    forget_here(out, GONE)
    build_here(source, out, started="2026-01-01T00:20:00Z")
    before = {path: path.stat().st_mtime_ns for path in (out / "parts" / "ingest").iterdir() if path.is_dir()}
    build_here(source, out, started="2026-01-01T00:21:00Z")
    assert Store(out).live_key("ingest") != ""
    assert before == {path: path.stat().st_mtime_ns for path in (out / "parts" / "ingest").iterdir() if path.is_dir()}


@pytest.mark.slow
def test_append_keeps_it_out_too(out, build_here, forget_here, source):
    """A file that is read again in mode append brings it back as little."""
    forget_here(out, GONE)
    done = build_here(source, out, mode="append", started="2026-01-01T00:20:00Z")
    assert (done["documents"]["kept"], done["rejects"]) == (8, {"forgotten": 1})


def test_record_of_a_file(out, build_here, forget_here, source, traces):
    """A line of a file is forgotten alone."""
    forget_here(out, "d3")
    assert traces(out, ["Report 3", "/doc/d3"]) == []
    done = build_here(source, out, started="2026-01-01T00:20:00Z")
    assert (done["rejects"], done["documents"]["kept"]) == ({"forgotten": 1}, 8)


@pytest.mark.parametrize("place", ["publish_origins", "decode", "aggregate"])
def test_killed_forget_is_not_taken_for_finished(out, forget_here, monkeypatch, traces, place):
    """What reads tables, or makes a graph of what is there, is refused until a forget or build has gone on."""
    with monkeypatch.context() as patch:
        kill_at(patch, place)
        with pytest.raises(KilledError):
            forget_here(out, GONE)
    store = Store(out)
    before = NAMES[:2] if place == "publish_origins" else NAMES
    with pytest.raises(OutputError, match=r"was made of another \w+ than is here now, .*; run kgmill build again"):
        check_in_step(store, before)
    forgotten.finish_forgetting(store)
    assert read_forgotten(store).is_unfinished


def test_half_written_files_go_too(out, forget_here, traces):
    """What processes that died were writing is beside the files, and is in no list."""
    (out / ".report.html.partial").write_text("Dora Lane")
    (out / "load").mkdir(exist_ok=True)
    (out / "load" / ".survey.partial").write_text("carl.txt")
    (out / "load" / ".tmp-99999999-abc.json").write_text("carl.txt")
    of_0_1_0 = {"https://kg.example.org/kg/graph/doc/letters%2Fcarl.txt": "0"}
    (out / "load" / "abc.json").write_text(json.dumps(of_0_1_0))
    (out / "load" / "def.json").write_text('{"graphs": {"carl.txt')
    forget_here(out, GONE)
    assert traces(out, TRACES) == []


def test_other_builds_can_forget_too(out, forget_here, monkeypatch, traces):
    """Neither another kind of device nor a later version of extract matters: nothing is extracted."""
    monkeypatch.setattr("kgmill.pipelines.stages.extract.VERSION", 99)
    forget_here(out, GONE)
    assert traces(out, TRACES) == []
    assert last_run(Store(out))["model_calls"] == {"sentences": 0}


def test_file_of_records_is_forgotten_by_record(out, forget_here):
    """Its own name is refused: which of its documents were meant?"""
    with pytest.raises(UsageError, match=r"^d\.jsonl: a file with 6 documents; forget them by their own ids"):
        forget_here(out, "d.jsonl")


@pytest.mark.parametrize("ending", ["build", "forget"])
@pytest.mark.parametrize(
    "place", ["publish_origins", pytest.param("aggregate", marks=pytest.mark.slow), "finish_forgetting"]
)
def test_killed_forget_is_finished(out, build_here, forget_here, source, monkeypatch, traces, place, ending):
    """Wherever it ends, the next forget or build finishes it."""
    with monkeypatch.context() as patch:
        kill_at(patch, place)
        with pytest.raises(KilledError):
            forget_here(out, GONE)
    assert read_forgotten(Store(out)).is_unfinished
    if ending == "forget":
        forget_here(out, GONE)
    else:
        build_here(source, out, started="2026-01-01T00:20:00Z")
    assert traces(out, TRACES) == []
    assert not read_forgotten(Store(out)).is_unfinished


def test_early_end_is_no_end(out, forget_here, monkeypatch, traces):
    """A command that ends between the list and the tables doesn't take the document for gone."""
    with monkeypatch.context() as patch:
        kill_at(patch, "commit_origins")
        with pytest.raises(KilledError):
            forget_here(out, GONE)
    forgotten.finish_forgetting(Store(out))
    assert read_forgotten(Store(out)).is_unfinished
    forget_here(out, GONE)
    assert traces(out, TRACES) == []


def kill_at(patch, place):
    def killed(*arguments):
        raise KilledError

    def stage(run, name):
        return killed() if name == place else run_stage(run, name)

    run_stage = forgetting.run_stage
    if place == "finish_forgetting":
        patch.setattr(forgotten, "sweep", killed)
    elif place in forgetting.STAGES:
        patch.setattr(forgetting, "run_stage", stage)
    else:
        patch.setattr(forgetting, place, killed)


@pytest.mark.slow
def test_allowed_again(out, build_here, forget_here, source, finished):
    """What is let in again comes back with the next build, to the same graph."""
    forget_here(out, GONE)
    forgetting.allow(Store(out), [GONE])
    done = build_here(source, out, started="2026-01-01T00:20:00Z")
    assert (done["rejects"], graph(out)) == ({}, graph(finished))
    with pytest.raises(OutputError, match=r"'letters/carl.txt' is not kept out here"):
        forgetting.allow(Store(out), [GONE])


@pytest.mark.slow
def test_duplicates_of_it_are_told(build_here, forget_here, tmp_path, traces):
    """A document with the same text was left out for it: its reject names it no more, and the report says so."""
    text = "Carl May killed Dora Lane in Rome ."
    source = write(
        tmp_path / "source", {"a-gone.txt": text, "b-equal.txt": text, "c.txt": "Bob Stone lives in London ."}
    )
    assert build_here(source, tmp_path / "out")["rejects"] == {"duplicate": 1}
    assert forget_here(tmp_path / "out", "a-gone.txt").equal == ("b-equal.txt",)
    assert traces(tmp_path / "out", ["a-gone"]) == []
    assert build_here(source, tmp_path / "out")["documents"]["kept"] == 2


def test_refusals_touch_nothing(out, forget_here):
    """An unknown id, and a damaged list, are one line each."""
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and path.name != ".lock"}
    with pytest.raises(OutputError, match=r"holds no document 'letters/carol.txt'; the ids are in the column doc_id"):
        forget_here(out, GONE, "letters/carol.txt")
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file() and p.name != ".lock"} == before
    (out / "forgotten.json").write_text("{")
    with pytest.raises(OutputError, match=r"forgotten\.json: damaged, so it can't be told which documents"):
        forget_here(out, GONE)


def test_no_forget_while_a_build_runs(out, forget_here):
    """The folder is held."""
    with Store(out).lock(), pytest.raises(LockError, match="another build"):
        forget_here(out, GONE)


def test_list_has_no_ids(out, forget_here):
    """The ids are salted hashes, and two folders have others for the same id."""
    forget_here(out, GONE)
    listed = read_forgotten(Store(out))
    assert (len(listed.salt), len(listed.hashes), listed.has(GONE), listed.has("a.txt")) == (32, 1, True, False)
