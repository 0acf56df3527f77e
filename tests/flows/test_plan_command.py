"""`kgmill plan`: what a build would do is what a build then does; nothing is touched."""

import json
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def own_source(source, tmp_path):
    """A copy of the corpus that a test may change."""
    return Path(shutil.copytree(source, tmp_path / "source"))


@pytest.fixture
def plan(kgmill):
    """Makes a plan; returns it."""

    def plan(*arguments):
        done = kgmill("plan", *arguments, "--json")
        assert (done.code, done.errors) == (0, [])
        return json.loads(done.out)

    return plan


def run_json(folder):
    return json.loads((folder / "run.json").read_text())


def tree(folder):
    """Every file of a folder: its time of change and its bytes."""
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def runs(plan):
    return [stage["run"] for stage in plan["stages"].values()]


def test_plan_of_a_first_build(plan, source, tmp_path):
    """Where nothing is, everything is new; the folder isn't made, and the estimate says that it is a guess."""
    made = plan(source, "--out", tmp_path / "none")
    assert made["documents"] == {"new": 16, "changed": 0, "unchanged": 0, "removed": 0, "rejected": 0}
    assert runs(made) == [16, 16, 1, 1, 12]
    assert (made["changed_settings"], made["guessed"]) == (None, ["ingest", "extract", "decode", "aggregate", "export"])
    assert made["seconds"] > 0
    assert not (tmp_path / "none").exists()


def test_plan_of_an_unchanged_build_runs_nothing(plan, source, copy):
    """What is as it was is reused, and no file is touched."""
    before = tree(copy)
    made = plan(source, "--out", copy)
    assert made["documents"] == {"new": 0, "changed": 0, "unchanged": 16, "removed": 0, "rejected": 0}
    assert (runs(made), made["changed_settings"], made["stops"], made["seconds"]) == ([0] * 5, [], "", 0)
    assert [stage["reuse"] for stage in made["stages"].values()] == [16, 16, 1, 1, 12]
    assert tree(copy) == before


def test_plan_keeps_its_word(plan, kgmill, own_source, copy):
    """An edited, a new, a removed and a duplicate document: the build that follows does what the plan said."""
    (own_source / "a.txt").write_text("Ada Byron worked for Acme Corp in Rome .")
    (own_source / "e.txt").write_text("Carl May killed Dora Lane in Oslo .")
    (own_source / "f.txt").write_text("Carl May killed Dora Lane in Oslo .")
    lines = (own_source / "c.jsonl").read_text().splitlines(keepends=True)
    (own_source / "c.jsonl").write_text("".join(lines[:-1]) + "[]\n")
    made = plan(own_source, "--out", copy)
    assert made["documents"] == {"new": 1, "changed": 1, "unchanged": 14, "removed": 1, "rejected": 2}
    assert (made["rejects"], runs(made)) == ({"duplicate": 1, "malformed_json": 1}, [16, 2, 1, 1, 8])
    assert (made["guessed"], made["seconds"] > 0) == ([], True)
    assert kgmill("build", own_source, "--out", copy).code == 3
    report = run_json(copy)
    wanted = {"added": 1, "changed": 1, "removed": 1, "rejected": 2, "reused": 14}
    assert {name: report["documents"][name] for name in wanted} == wanted
    assert [stage["n_done"] for stage in report["stages"].values()] == [1, 1, 1, 1, 8]
    assert runs(plan(own_source, "--out", copy)) == [0] * 5


def test_plan_names_what_changed(plan, source, copy):
    """A new threshold, source settings, or precision: which stages run, and why."""
    made = plan(source, "--out", copy, "--min-confidence", "0.7")
    assert (made["changed_settings"], runs(made)) == (["min_confidence"], [0, 0, 1, 1, 9])
    made = plan(source, "--out", copy, "--mode", "append")
    assert (made["changed_settings"], runs(made)) == (["sources"], [16, 0, 0, 0, 0])
    made = plan(source, "--out", copy, "--precision", "bf16")
    assert (made["changed_settings"], runs(made)) == (["extract"], [0, 16, 1, 1, 9])


@pytest.mark.slow
def test_plan_says_that_the_build_would_stop(kgmill, plan, own_source, copy):
    """The guard against vanishing corpora is foreseen, with the way out."""
    (own_source / "c.jsonl").unlink()
    done = kgmill("plan", own_source, "--out", copy)
    assert done.out.splitlines()[-1] == (
        "a build would stop: 14 of 16 documents would leave the graph, more than 20%; if that is wanted say --yes, "
        "to keep them --mode append"
    )
    assert plan(own_source, "--out", copy, "--yes")["stops"] == ""
    made = plan(own_source, "--out", copy, "--mode", "append")
    assert (made["stops"], made["documents"]["unchanged"], made["documents"]["removed"]) == ("", 16, 0)


@pytest.mark.slow
def test_plan_finds_near_duplicates(plan, own_source, copy, tmp_path):
    """Near-duplicates are foreseen with the same signatures as ingest's."""
    (tmp_path / "near.toml").write_text("near_duplicates = 0.6\n")
    made = plan(own_source, "--out", copy, "--config", tmp_path / "near.toml")
    assert made["rejects"] == {}
    text = " ".join(f"word{n}" for n in range(40))
    (own_source / "y.txt").write_text(text)
    (own_source / "z.txt").write_text(f"{text} more")
    made = plan(own_source, "--out", copy, "--config", tmp_path / "near.toml")
    assert (made["rejects"], made["documents"]["new"]) == ({"near_duplicate": 1}, 1)


@pytest.mark.slow
def test_plan_finds_other_languages(plan, own_source, copy):
    """A document that is in another language than the model's doesn't meet it, unless any language is read."""
    (own_source / "german.txt").write_text(
        "Ada Byron arbeitete bei der Firma Acme in Paris, und ihr Bruder lebte in London, wo er an einer Schule am "
        "Hafen Mathematik lehrte und zwei Bücher über das Segeln schrieb."
    )
    made = plan(own_source, "--out", copy)
    assert (made["rejects"]["language"], made["stages"]["extract"]["run"]) == (1, 0)
    made = plan(own_source, "--out", copy, "--any-language")
    assert ("language" in made["rejects"], made["stages"]["extract"]["run"]) == (False, 1)
    assert "languages" in made["changed_settings"]


def test_plan_prints_a_table(kgmill, source, copy):
    """For people: documents, stages, settings and an estimate."""
    lines = kgmill("plan", source, "--out", copy).out.splitlines()
    assert lines[0].split() == ["new", "changed", "unchanged", "removed", "rejected"]
    assert lines[2].split() == ["0", "0", "16", "0", "0"]
    assert lines[6].split() == ["ingest", "0", "16", "documents"]
    assert lines[-2:] == [
        "settings changed since the last run: none",
        "about 0 s (by the rates of earlier runs)",
    ]


def test_plan_refuses_what_a_build_refuses(kgmill, tmp_path):
    """A missing source is exit code 2, one line, nothing made."""
    done = kgmill("plan", tmp_path / "none", "--out", tmp_path / "out")
    assert (done.code, done.errors) == (2, [f"kgmill: {tmp_path}/none: no such file or folder"])
    assert not (tmp_path / "out").exists()
