"""What each stage was made of: a result that a run left in two pieces is told from a whole one."""

import shutil

import pytest

from kgmill.flows.cli import run
from kgmill.pipelines import load_graph
from kgmill.pipelines.output.ledger import finished_run, last_run
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.output.steps import check_in_step, is_in_step
from kgmill.schemas.errors import OutputError

TEXT = "Ada Byron worked for Acme Corp in Paris .\n"


@pytest.fixture(scope="module")
def finished(tmp_path_factory, build_here):
    """A build of two documents; only copied."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "source").mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / "source" / name).write_text(TEXT if name == "a.txt" else "Bob Stone lives in London .")
    build_here(folder / "source", folder / "out")
    return folder


@pytest.fixture
def source(finished, tmp_path):
    """A copy of the documents."""
    return shutil.copytree(finished / "source", tmp_path / "source")


@pytest.fixture
def out(finished, tmp_path):
    """A copy of the build."""
    return shutil.copytree(finished / "out", tmp_path / "out")


@pytest.fixture
def cut(source, out):
    """A finished build, and new documents that a run got no further with."""
    (source / "a.txt").write_text(f"Carl May killed Dora Lane in Rome .\n{TEXT}")
    assert run(["ingest", str(source), "--out", str(out), "--yes"]) == 0
    return out


def test_whole_build_is_in_step(source, out, build_here):
    """After a build all is; a second one with nothing new writes nothing more."""
    written = (out / "steps.json").stat().st_mtime_ns
    build_here(source, out, started="2026-01-01T00:01:00Z")

    assert is_in_step(Store(out))
    assert (out / "steps.json").stat().st_mtime_ns == written


def test_two_pieces_are_no_build(cut, capsys):
    """Though the last run ended well, neither its tables are read nor another graph made; the graph's file is whole."""
    assert last_run(Store(cut))["status"] == "done"
    with pytest.raises(OutputError, match=r"extract was made of another ingest than is here now"):
        finished_run(Store(cut))
    with pytest.raises(OutputError, match=r"run kgmill build again$"):
        load_graph(cut)
    for command in (["resolve"], ["report"], ["explain", "a.txt"]):
        assert run([command[0], str(cut), *command[1:]]) == 2
        assert "was made of another" in capsys.readouterr().err
    assert run(["query", str(cut), "ASK {}"]) == 0


def test_build_brings_them_together(cut, source, build_here):
    """The next build goes on, and all is of one piece."""
    build_here(source, cut, started="2026-01-01T00:02:00Z")

    check_in_step(Store(cut))


@pytest.mark.parametrize("content", [None, "{", "[]", '{"extract": 3}'])
def test_folder_that_does_not_say(out, content):
    """A folder of an earlier version, or a damaged file, says nothing of it."""
    (out / "steps.json").unlink()
    if content:
        (out / "steps.json").write_text(content)

    assert is_in_step(Store(out))
