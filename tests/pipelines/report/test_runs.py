"""The runs of an output, and what differs between them."""

import pytest

from kgmill.pipelines.output.ledger import write_run
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.report.runs import history
from kgmill.schemas.errors import UsageError


def ledger(minute, facts, threshold, **others):
    documents = {"read": 9, "kept": 8, "rejected": 1, "reused": 0, "added": 3, "changed": 2, "removed": 1}
    return {
        "status": "done",
        "documents": documents,
        "model_calls": {"sentences": 5},
        "graph": {"entities": 4, "facts": facts, "added_quads": 10, "removed_quads": 0},
        "fingerprints": {"min_confidence": threshold, "model": "m", "run": threshold},
        "started": f"2026-01-01T00:{minute:02d}:00Z",
        "finished": f"2026-01-01T00:{minute:02d}:42Z",
        **others,
    }


@pytest.fixture
def store(tmp_path):
    """An output with three runs, of which the second failed."""
    store = Store(tmp_path / "out")
    store.create()
    write_run(store, ledger(1, 7, "a"))
    write_run(store, ledger(2, 7, "a", status="failed", documents={}, error="the disk is full"))
    write_run(store, ledger(3, 5, "b"))
    return store


def test_runs_are_told(store):
    """The latest first, each against the last one that ended well; what a failed run didn't count is not known."""
    rows = history(store)

    assert [(r["run"], r["status"], r["facts"], r["facts_added"], r["seconds"]) for r in rows] == [
        ("2026-01-01T000300Z", "done", 5, -2, 42),
        ("2026-01-01T000200Z", "failed", 7, None, 42),
        ("2026-01-01T000100Z", "done", 7, 7, 42),
    ]
    assert [r["changed_settings"] for r in rows] == [["min_confidence"], [], []]
    assert [(r["documents"]["added"], r["error"]) for r in rows] == [
        *((3, ""), (None, "the disk is full"), (3, "")),
    ]


def test_no_runs(tmp_path):
    """A folder without a run is refused in a line that says what to do."""
    with pytest.raises(UsageError, match="no run ever ended here; run kgmill build"):
        history(Store(tmp_path / "out"))
