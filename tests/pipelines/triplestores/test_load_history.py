"""Real builds, one after another, and what a store that follows them ends up with."""

import json
import shutil

import pytest

from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.output.upkeep import collect
from kgmill.pipelines.triplestores.claim import Wishes
from kgmill.pipelines.triplestores.difference import recorded_runs
from kgmill.pipelines.triplestores.load import load

TEXTS = {
    "a.txt": "Ada Byron worked for Acme Corp in Paris . The weather in Oslo was cold .",
    "b.txt": "Bob Stone lives in London .\n\nAda Byron worked for Acme Corp in Paris .",
    "c.txt": "Carl May killed Dora Lane in Rome .",
    **{f"d{n}.txt": f"The weather in Oslo was cold . Report {n} says so ." for n in range(5)},
}


@pytest.fixture(scope="module")
def builds(tmp_path_factory, build_here):
    """An output folder after the first of three builds of a corpus that changes, and after the last. Only read."""
    root = tmp_path_factory.mktemp("history")
    source, out = root / "source", root / "out"
    source.mkdir()
    for name, text in TEXTS.items():
        (source / name).write_text(text)
    build_here(source, out, started="2026-01-01T00:00:00Z")
    shutil.copytree(out, root / "first")
    (source / "c.txt").write_text("Bob Stone killed Dora Lane in Rome . Dora Lane lives in Rome .")
    build_here(source, out, started="2026-01-02T00:00:00Z")
    (source / "b.txt").unlink()
    (source / "e.txt").write_text("Carl May lives in Oslo .")
    build_here(source, out, started="2026-01-03T00:00:00Z")
    return root / "first", out


@pytest.fixture
def folder(builds, tmp_path, proxy):
    """The output folder after the last build, of which only the first was loaded."""
    first = shutil.copytree(builds[0], tmp_path / "first")
    load(first, proxy.url)
    last = shutil.copytree(builds[1], tmp_path / "last")
    shutil.copytree(first / "load", last / "load")
    proxy.requests.clear()
    return last


def sha256(folder):
    return json.loads((folder / "run.json").read_text())["graph"]["sha256"]


@pytest.mark.parametrize("is_collected", [False, True])
def test_store_follows_the_builds(builds, folder, proxy, update, dump, is_collected):
    """Build, load, build twice, perhaps gc, load: the store ends as an empty one does that is loaded once."""
    if is_collected:
        collect(Store(folder), 1)
    runs = recorded_runs(folder, sha256(builds[0]), sha256(folder))
    assert runs == (None if is_collected else ["2026-01-02T000000Z", "2026-01-03T000000Z"])
    report = load(folder, proxy.url)
    assert (report.n_changed, ("GET", "kg") in proxy.writes()) == (2, is_collected)
    followed = dump(whole=True)
    update("DROP ALL")
    load(folder, proxy.url)
    assert dump(whole=True) == followed


@pytest.mark.slow
def test_new_base_leaves_the_old_one(folder, tmp_path, proxy, build_here):
    """After a build under another base the old names stay, with a word, and go with --adopt."""
    for name, text in TEXTS.items():
        (tmp_path / "source" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "source" / name).write_text(text)
    build_here(tmp_path / "source", folder, started="2026-01-04T00:00:00Z", base_iri="https://data.example.org/")
    assert "stay in the store: --adopt removes them" in load(folder, proxy.url).note
    assert load(folder, proxy.url, wishes=Wishes(adopt=True)).note == ""
