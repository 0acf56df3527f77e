"""How a build's end is said, and the keys of what it leaves in Prefect."""

import doctest
import json

import pytest

from kgmill.flows import outcome as module
from kgmill.flows.outcome import is_nothing_new, outcome
from kgmill.pipelines.report.changes import Changes, Side


def test_doctests():
    """The keys of artifacts in the docstring are as they come out."""
    assert doctest.testmod(module).failed == 0


@pytest.fixture
def report(first):
    """run.json of a first build of 16 documents."""
    return json.loads((first.folder / "run.json").read_text())


def test_first_build_is_all_new(report):
    """Counts of documents, sentences and facts."""
    n = report["graph"]["facts"]
    assert (is_nothing_new(report), n > 0) == (False, True)
    assert outcome(report, None) == (
        f"16 documents (16 added, 0 changed, 0 removed), 31 sentences met the model; {n} facts, all new"
    )


def test_changes_are_counted(report):
    """A later run says how many facts came and went."""
    before, after = Side(facts={"a", "b"}), Side(facts={"b", "c", "d"})
    later = report | {"graph_before": "0123"}
    assert outcome(later, Changes(before, after)).endswith(f"; {report['graph']['facts']} facts (+2 -1)")


def test_nothing_new_is_said(report):
    """A run that made no work unit and saw no other document; one that was cut off before has made some."""
    counts = report["documents"] | {"added": 0}
    stages = {name: row | {"n_done": 0} for name, row in report["stages"].items()}
    n, idle = report["graph"]["facts"], report | {"documents": counts, "stages": stages}
    assert outcome(idle, None) == f"nothing new: 16 documents as before, {n} facts, no sentence met the model"
    assert not is_nothing_new(report | {"documents": counts})
