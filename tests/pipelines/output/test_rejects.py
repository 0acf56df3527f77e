"""The ledger's balance of documents read, kept and rejected."""

import pytest

from kgmill.pipelines.output.parts import Part
from kgmill.pipelines.output.rejects import publish_rejects, reasons_of
from kgmill.schemas.errors import KgmillError
from kgmill.schemas.identity import fingerprint
from kgmill.schemas.records import Reject
from kgmill.schemas.tables import to_table

READ = ({"read": 6, "kept": 4, "rejected": 2}, {"duplicate": 1, "empty": 1})


@pytest.fixture
def ingested(store):
    """Three units, live: one rejected two documents, the others none."""
    rejects = [Reject("ingest", f"{reason}.txt", reason, reason, "") for reason in ("empty", "duplicate")]
    parts = []
    for i, kept in enumerate((2, 1, 1)):
        mine = rejects if i == 1 else []
        counts = {"kept": kept, "rejected": len(mine)}
        parts.append(store.commit("ingest", f"02-000{i}", f"{i}" * 64, {"rejects": to_table("rejects", mine)}, counts))
    store.publish("ingest", parts, [])
    return parts


def test_rejects_are_read_once(store, ingested, monkeypatch):
    """Where they are published already, no unit's are read again; and never those of a unit that has none."""
    read = []
    whole = Part.read
    monkeypatch.setattr(Part, "read", lambda part, *asked: read.append(part.unit) or whole(part, *asked))
    assert publish_rejects(store, ("ingest",)) == READ
    assert publish_rejects(store, ("ingest",)) == READ
    assert read == ["02-0001"]
    assert reasons_of(ingested) == READ[1]
    assert reasons_of([]) == {}


def test_ledger_of_an_earlier_version_tells_its_reasons(store, ingested):
    """A published ledger that doesn't say how many there are of each reason is read."""
    table = ingested[1].read("rejects")
    key = fingerprint([part.fingerprint for part in ingested])
    store.commit("rejects", "all", key, {"rejects": table}, {})
    assert publish_rejects(store, ("ingest",)) == READ


def test_ledger_that_does_not_balance_is_refused(store, ingested):
    """Rejects that no unit has counted are a fault of the build."""
    counts = {"kept": 1, "rejected": 1}
    part = store.commit("ingest", "02-0003", "3" * 64, {"rejects": to_table("rejects", [])}, counts)
    store.publish("ingest", [*ingested, part], [])
    with pytest.raises(KgmillError, match="doesn't balance with 2 rejects"):
        publish_rejects(store, ("ingest",))
