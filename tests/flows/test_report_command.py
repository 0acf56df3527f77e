"""`kgmill report` and `kgmill diff`: what they write of a real build, what they print, what they refuse."""

import json
import webbrowser

import pyarrow.parquet as pq


def test_report_of_a_build_is_written_and_opened(kgmill, copy, monkeypatch):
    """The page is there, with all facts and sentences of the build; it says so; the browser is given its address."""
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    done = kgmill("report", copy, "--open")
    n_facts, n_entities, n_pieces = (
        pq.read_table(copy / "tables" / name).num_rows for name in ("facts", "entities", "evidence")
    )
    page = (copy / "report.html").read_text(encoding="utf-8")
    size, *lines = done.out.splitlines()
    assert (done.code, done.errors) == (0, [])
    assert size == f"{copy}/report.html: {len(page.encode()) / 1e6:.1f} MB"
    assert lines[:2] == [f"  {n_facts} of {n_facts} facts", f"  {n_entities} of {n_entities} entities"]
    assert lines[2].endswith(f" of {n_pieces} sentences behind these facts")
    assert opened == [(copy / "report.html").resolve().as_uri()]
    assert "worked for" in page


def test_a_later_build_leaves_the_report_and_its_own_bytes_alone(kgmill, copy, source):
    """The page is no output of a build: the next one finds nothing to do, and writes the page neither anew nor away."""
    graph = (copy / "graph" / "graph.nq.gz").read_bytes()
    assert kgmill("report", copy).code == 0
    page = (copy / "report.html").read_bytes()
    done = kgmill("build", source, "--out", copy)
    assert (done.code, done.errors) == (0, [])
    assert (copy / "report.html").read_bytes() == page
    assert (copy / "graph" / "graph.nq.gz").read_bytes() == graph


def test_report_without_a_build_is_refused(kgmill, tmp_path):
    """One line and exit code 2; for a far folder --open is refused before anything is read."""
    none = kgmill("report", tmp_path / "none")
    far = kgmill("report", "memory://none", "--open")
    assert (none.code, far.code) == (2, 2)
    assert "no finished build here; run kgmill build SOURCE" in none.errors[0]
    assert "is not on this machine" in far.errors[0]


def test_diff_tells_two_runs_apart(kgmill, copy):
    """As a table and as JSON; a run with itself differs in nothing; an unknown run is refused by its name."""
    table, told = kgmill("diff", copy, "last", "last"), kgmill("diff", copy, "last", "last", "--json")
    relations = json.loads(told.out)["relations"]
    assert (table.code, told.code) == (0, 0)
    assert {row["added"] + row["removed"] for row in relations.values()} == {0}
    assert sum(row["after"] for row in relations.values()) == pq.read_table(copy / "tables" / "facts").num_rows
    assert table.out.splitlines()[0].split() == ["run", "documents", "entities", "facts"]
    assert [line.split()[0] for line in table.out.splitlines()[7:]] == list(relations)
    assert kgmill("diff", copy, "monday", "last").code == 2
