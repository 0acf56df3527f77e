"""`drift` leads back from the last run's facts to those of earlier ones, by what real builds kept."""

from collections import Counter

import pyarrow.parquet as pq
import pytest

from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.report.drift import drift
from kgmill.schemas.errors import UsageError

TEXTS = (
    {"a.txt": "Ada Byron worked for Acme Corp .", "b.txt": "Bob Stone lives in London ."},
    {"a.txt": "Ada Byron worked for Acme Corp .", "c.txt": "Carl May killed Dora Lane in Rome ."},
    {
        "b.txt": "Bob Stone lives in London .",
        "c.txt": "Carl May killed Dora Lane in Rome . Ada Byron worked for Acme Corp .",
    },
)


@pytest.fixture(scope="module")
def history(build_here, tmp_path_factory):
    """A store that three corpora were built into, one after the other, and the facts after each."""
    folder = tmp_path_factory.mktemp("history")
    facts = []
    for day, texts in enumerate(TEXTS, 1):
        source = folder / f"source-{day}"
        source.mkdir()
        for name, text in texts.items():
            (source / name).write_text(text)
        build_here(source, folder / "out", started=f"2026-01-0{day}T00:00:00Z", yes=True)
        rows = pq.read_table(folder / "out" / "tables" / "facts").to_pylist()
        facts.append({row["fact_id"]: row for row in rows})
    return Store(folder / "out"), facts


@pytest.mark.parametrize(("older", "newer"), [(1, 2), (2, 3), (1, 3), (2, 2), (3, 3)])
def test_drift_is_that_of_the_tables(history, older, newer):
    """Numbers, means, added and removed facts between two runs are those of the tables that each of them left."""
    store, facts = history
    before, after = facts[older - 1], facts[newer - 1]
    name = f"2026-01-0{newer}T000000Z" if newer < 3 else "last"
    found = drift(store, name, f"2026-01-0{older}T00:00:00Z")
    for side, rows in ((found.before, before), (found.after, after)):
        of_relation = Counter(row["relation"] for row in rows.values())
        assert {relation: level.n for relation, level in side.items() if level.n} == of_relation
        for relation, n in of_relation.items():
            total = sum(row["confidence"] for row in rows.values() if row["relation"] == relation)
            assert side[relation].mean == pytest.approx(total / n, abs=2e-6)
    assert found.added == Counter(after[fact]["relation"] for fact in after.keys() - before.keys())
    assert found.removed == Counter(before[fact]["relation"] for fact in before.keys() - after.keys())
    assert len(facts[0]) > 0


def test_runs_that_are_not_there_are_refused(history):
    """An unknown run is refused with the names of those there are."""
    with pytest.raises(UsageError, match=r"no finished run yesterday; there are 2026-01-01T000000Z, .*, last"):
        drift(history[0], "yesterday", "last")


def test_changes_that_are_not_kept_are_said(history):
    """Where the changes of a run between are gone, nothing is guessed."""
    store, _ = history
    name = "changes/2026-01-02T000000Z.added.nq.gz"
    kept = store.storage.read(name)
    store.storage.remove(name)
    try:
        with pytest.raises(UsageError, match="what run 2026-01-02T000000Z changed is not in changes"):
            drift(store, "2026-01-01T000000Z", "last")
        assert drift(store, "2026-01-02T000000Z", "last").newer["started"] == "2026-01-03T00:00:00Z"
    finally:
        store.storage.write(name, kept)
