"""Whatever the history of edits: the build in the old folder equals, byte for byte, a build from nothing."""

import gzip
import json
import random
import shutil

import pyarrow.dataset as ds
import pyoxigraph
import pytest

from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.stages.changes import ADDED, REMOVED, UPDATE
from kgmill.pipelines.storage.files import remove

SENTENCES = (
    "Ada Byron worked for Acme Corp in Paris .",
    "Bob Stone lives in London .",
    "Carl May killed Dora Lane in Rome .",
    "Initech hired Eve Moss .",
    "The weather in Oslo was cold .",
    "Grace Wood was shot by Henry Cole .",
)
N_EDITS = 4
TABLES = ("documents", "mentions", "relations", "entities", "names", "facts", "evidence", "rejects")


class History:
    """A source that is edited at random, by a seed."""

    def __init__(self, folder, seed):
        self.folder, self.random = folder, random.Random(seed)  # noqa: S311 - a repeatable choice of edits
        self.settings = {"unit_bytes": 1024}
        self.gone = {}
        self.folder.mkdir()
        for n in range(14):
            self.write(n)

    def write(self, n):
        chosen = self.random.sample(SENTENCES, 2)
        chosen.append(f"Report {self.random.randrange(10**6)} says so .")
        (self.folder / f"{n}.txt").write_text(" ".join(chosen))

    def edit(self):
        """Some edits of every kind: a new one, a changed one, a removed one, one that comes back, copies, settings."""
        names = sorted(path.name for path in self.folder.iterdir())
        gone, changed, copied, near = self.random.sample(names, 4)
        self.write(self.random.randrange(100, 1000))
        if self.gone:
            name, text = self.gone.popitem()
            (self.folder / name).write_text(text)
        self.gone[gone] = (self.folder / gone).read_text()
        (self.folder / gone).unlink()
        (self.folder / changed).write_text(f"{self.random.choice(SENTENCES)} It was report {changed} .")
        text = (self.folder / copied).read_text()
        (self.folder / f"{self.random.choice('05x')}-copy.txt").write_text(text)
        (self.folder / f"{self.random.choice('05x')}-near.txt").write_text(f"{(self.folder / near).read_text()} Indeed")
        self.settings["min_confidence"] = self.random.choice([0.4, 0.4, 0.95])
        self.settings["near_duplicates"] = self.random.choice([0.0, 0.7])


def quads(folder):
    lines = gzip.decompress((folder / "graph" / "graph.nq.gz").read_bytes()).split(b"\n")
    return {line for line in lines if line}


def graph_files(folder):
    return {path.name: path.read_bytes() for path in (folder / "graph").iterdir()}


def rows(folder):
    found = {}
    for name in TABLES:
        table = ds.dataset(folder / "tables" / name, format="parquet").to_table().to_pylist()
        found[name] = sorted(json.dumps(row, sort_keys=True) for row in table)
    return found


def changed(folder, run):
    """The lines of a run's two files and the text of its update; nothing where it left none."""
    texts = []
    for name in (ADDED, REMOVED, UPDATE):
        path = folder / "changes" / f"{run}.{name}"
        texts.append(gzip.decompress(path.read_bytes()) if path.exists() else b"")
    added, removed = ({line for line in text.split(b"\n") if line} for text in texts[:2])
    return added, removed, texts[2].decode()


def as_quads(lines):
    return set(pyoxigraph.parse(b"\n".join(lines), pyoxigraph.RdfFormat.N_QUADS))


@pytest.mark.parametrize(
    ("seed", "n_edits"), [(1, 1), *(pytest.param(seed, N_EDITS, marks=pytest.mark.slow) for seed in (1, 2))]
)
def test_any_history_equals_a_build_from_nothing(build_here, tmp_path, seed, n_edits):
    """After each of some random edits: graph files and tables as of a new build; changes lead from the old graph."""
    history = History(tmp_path / "source", seed)
    out, new = tmp_path / "out", tmp_path / "new"
    build_here(history.folder, out, **history.settings)
    seen_reasons = set()
    for n in range(1, n_edits + 1):
        before = quads(out)
        history.edit()
        report = build_here(history.folder, out, f"2026-01-0{n}T12:00:00Z", yes=True, **history.settings)
        fresh = build_here(history.folder, new, **history.settings)
        assert (graph_files(out), rows(out)) == (graph_files(new), rows(new))
        assert (report["rejects"], fresh["graph"]["quads"]) == (fresh["rejects"], report["graph"]["quads"])
        added, removed, update = changed(out, f"2026-01-0{n}T120000Z")
        assert (before - removed) | added == quads(out)
        assert (removed <= before, added & before) == (True, set())
        counted = report["graph"]["added_quads"], report["graph"]["removed_quads"]
        assert counted == (len(added), len(removed))
        store = pyoxigraph.Store()
        store.extend(as_quads(before))
        store.update(update)
        assert set(store) == as_quads(quads(out))
        seen_reasons |= set(report["rejects"])
        remove(new)
    assert seen_reasons >= {"duplicate"}


@pytest.fixture(scope="module")
def finished(build_here, tmp_path_factory):
    """A build of one document; only copied."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "source").mkdir()
    (folder / "source" / "a.txt").write_text(SENTENCES[0])
    build_here(folder / "source", folder / "out")
    return folder


@pytest.fixture
def grown(finished, tmp_path):
    """A copy, and a second document that was not built yet: the source, the folder, the quads."""
    source, out = (shutil.copytree(finished / name, tmp_path / name) for name in ("source", "out"))
    (source / "b.txt").write_text(SENTENCES[1])
    return source, out, quads(out)


def run_names(out):
    return {path.name[:17] for path in (out / "changes").glob("*")}


def quads_of_parts(out):
    """The quads of the graph that is live, though DIR/graph may not show it yet."""
    [part] = [part for part in Store(out).live("graph") if part.unit == "format-nq"]
    return {line for line in gzip.decompress(part.read_bytes("graph.nq.gz")).split(b"\n") if line}


@pytest.mark.parametrize("edit", [pytest.param(False, marks=pytest.mark.slow), True])
def test_changes_of_a_run_that_died_late_are_not_lost(build_here, grown, monkeypatch, edit):
    """A run that dies just after its graph went live leaves its changes to the next run, whatever that one builds."""
    source, out, before = grown

    def die(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "publish_files", die)
        with pytest.raises(KeyboardInterrupt):
            build_here(source, out, "2026-01-02T00:00:00Z")
    assert run_names(out) == set()
    died_with = quads_of_parts(out)
    if edit:
        (source / "c.txt").write_text(SENTENCES[2])
    build_here(source, out, "2026-01-03T00:00:00Z")
    added, removed, _ = changed(out, "2026-01-02T000000Z")
    assert (before - removed) | added == died_with
    more_added, more_removed, _ = changed(out, "2026-01-03T000000Z")
    assert ((died_with - more_removed) | more_added, bool(more_added)) == (quads(out), edit)
    assert list((out / "parts" / "changes").glob("*/")) == []


@pytest.mark.slow
def test_changes_of_a_run_that_died_early_go(build_here, grown, monkeypatch):
    """A run that dies before its graph is live changed nothing; the next one compares with the graph that is there."""
    source, out, before = grown
    publish = Store.publish

    def die_before_the_graph(store, stage, *arguments):
        if stage == "graph":
            raise KeyboardInterrupt
        publish(store, stage, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "publish", die_before_the_graph)
        with pytest.raises(KeyboardInterrupt):
            build_here(source, out, "2026-01-02T00:00:00Z")
    assert quads(out) == before
    assert list((out / "parts" / "changes").glob("*/")) != []
    (source / "b.txt").unlink()
    graph = build_here(source, out, "2026-01-03T00:00:00Z", yes=True)["graph"]
    assert (graph["added_quads"], graph["removed_quads"], quads(out)) == (0, 0, before)
    assert (run_names(out), list((out / "parts" / "changes").glob("*/"))) == (set(), [])


@pytest.mark.slow
def test_deleted_member_costs_the_changes_alone(build_here, grown):
    """Where a part of the old graph is gone its changes can't be known; the new graph is made all the same."""
    source, out, _ = grown
    [member] = (out / "parts" / "export").glob("doc-*")
    remove(member)
    graph = build_here(source, out, "2026-01-02T00:00:00Z")["graph"]
    assert (graph["added_quads"], graph["removed_quads"], run_names(out)) == (None, None, set())
    assert graph["quads"] == len(quads(out))


def test_graph_that_was_one_part_is_taken_over(build_here, grown):
    """In a folder of version 0.1 the graph was one part: its changes are found, and its members are kept."""
    source, out, before = grown
    store = Store(out)
    graph, members = store.live("graph"), {part.name for part in store.live("export")}
    counts = {name: value for part in graph for name, value in part.counts.items()}
    folder = store.scratch()
    for part in graph:
        for name in part.files:
            (folder / name).write_bytes(part.read_bytes(name))
    old = store.commit("graph", "all", "d" * 64, folder, counts)
    store.publish("graph", [old], [], "")
    assert [path.name for path in (out / "parts" / "graph").glob("*/")] == ["all.dddddddddddddddd"]
    report = build_here(source, out, "2026-01-02T00:00:00Z")
    added, removed, _ = changed(out, "2026-01-02T000000Z")
    assert ((before - removed) | added, report["graph"]["added_quads"]) == (quads(out), len(added))
    assert sorted({part.unit for part in store.live("graph")}) == [
        *("format-graphml", "format-json", "format-nq", "format-ontology", "format-shapes", "members"),
    ]
    assert {part.unit for part in store.live("export") if part.name in members} == {"ontology", "provenance"}
