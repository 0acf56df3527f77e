"""An output that is no folder of this machine: built, asked and loaded from afar."""

import json
import uuid

import pytest

from kgmill.flows import cli
from kgmill.pipelines.output.parts import Store

TEXTS = {"a.txt": "Ada Byron worked for Acme Corp in Paris .", "b.txt": "Bob Stone lives in London ."}


@pytest.mark.slow
def test_load_keeps_its_journal_in_the_output(build_here, tmp_path, endpoint, capsys):
    """What was loaded where goes back, so that the next load, from another machine's copy, has nothing to send."""
    where = f"memory://{uuid.uuid4().hex}/out"
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text)
    build_here(tmp_path, where)
    command = ["load", where, "--endpoint", endpoint, "--profile", "oxigraph"]
    assert cli.run(command) == 0
    storage = Store(where).storage
    assert storage.has("load/owner")
    assert len(storage.children("load")) == 3
    first = capsys.readouterr().out

    assert cli.run(command) == 0
    second = capsys.readouterr().out
    assert ("0 graphs loaded" in first, "0 graphs loaded" in second) == (False, True)


def test_graph_of_a_far_build_is_that_of_a_local_one(build_here, tmp_path):
    """The same bytes, and a second build finds all that the first one made; gc leaves all of it."""
    where = f"memory://{uuid.uuid4().hex}/out"
    (tmp_path / "in").mkdir()
    for name, text in TEXTS.items():
        (tmp_path / "in" / name).write_text(text)
    far, near = build_here(tmp_path / "in", where), build_here(tmp_path / "in", tmp_path / "out")
    there, here = Store(where).storage, Store(tmp_path / "out").storage
    assert far["graph"] == near["graph"]
    for below in ("graph", "tables"):
        names = [entry.name for entry in here.entries(below)]
        assert names == [entry.name for entry in there.entries(below)]
        assert {name: there.read(name) for name in names} == {name: here.read(name) for name in names}
    again = build_here(tmp_path / "in", where, started="2026-01-02T00:00:00Z")
    assert (again["model_calls"]["sentences"], again["graph"]["sha256"]) == (0, far["graph"]["sha256"])
    assert [json.loads(there.read(f"runs/{name}"))["started"] for name in there.children("runs")] == [
        "2026-01-01T00:00:00Z"
    ]
    before = there.entries("")
    assert cli.run(["gc", where]) == 0
    after = {entry.name for entry in there.entries("")}
    assert {entry.name for entry in before} - after <= {
        entry.name for entry in before if entry.name.startswith(".lock/")
    }
