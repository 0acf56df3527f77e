"""How often a build reads its sources: each byte once, and again only where a byte may be another."""

import os

import pytest

from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.sources import opening
from kgmill.pipelines.stages import ingest


def test_sources_that_change_while_they_are_read_are_read_again(build_here, tmp_path, monkeypatch):
    """If the bytes after the job are not those before it, it isn't known which were read: the next run reads them."""
    path = tmp_path / "a.txt"
    path.write_text("Ada Byron worked for Acme Corp in Paris .")
    plan = ingest.plan

    def plan_and_change(*arguments):
        path.write_text("Bob Stone lives in London .")
        return plan(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(ingest, "plan", plan_and_change)
        build_here(path, tmp_path / "out")
    assert Store(tmp_path / "out").live_key("ingest") == ""
    assert build_here(path, tmp_path / "out")["stages"]["ingest"]["n_done"] == 1
    assert Store(tmp_path / "out").live_key("ingest") != ""


def test_sources_are_read_once(build_here, tmp_path, monkeypatch):
    """A first build takes each byte of a source once, one in which nothing changed none."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("Ada Byron worked for Acme Corp in Paris .")
    (tmp_path / "in" / "b.jsonl").write_text('{"id": 1, "text": "Bob Stone lives in London ."}\n')
    n_read = []
    readinto = opening._Guarded.readinto

    def counted(self, buffer):
        n_read.append(readinto(self, buffer))
        return n_read[-1]

    monkeypatch.setattr(opening._Guarded, "readinto", counted)
    build_here(tmp_path / "in", tmp_path / "out")
    assert sum(n_read) == sum(path.stat().st_size for path in (tmp_path / "in").iterdir())
    n_read.clear()
    assert build_here(tmp_path / "in", tmp_path / "out")["stages"]["ingest"]["n_done"] == 0
    assert sum(n_read) == 0


@pytest.mark.slow
def test_touched_sources_are_known_by_their_content(build_here, tmp_path):
    """A file with a new time and the old bytes is read for its hash, and nothing is done."""
    path = tmp_path / "a.txt"
    path.write_text("Ada Byron worked for Acme Corp in Paris .")
    build_here(path, tmp_path / "out")
    os.utime(path, (1, 1))
    assert build_here(path, tmp_path / "out")["stages"]["ingest"]["n_done"] == 0
    path.write_text("Bob Stone lives in London .")
    assert build_here(path, tmp_path / "out")["stages"]["ingest"]["n_done"] == 1
