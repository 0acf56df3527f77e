"""The ledger's balance: what was rejected and why, and what was left out of documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from kgmill.pipelines.output.parts import Part, Store
from kgmill.schemas.errors import KgmillError
from kgmill.schemas.identity import fingerprint
from kgmill.schemas.tables import SCHEMAS, values


def publish_rejects(store: Store, stages: Sequence[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Publishes what these stages rejected; returns the documents read, kept and rejected, and these by reason.

    Raises:
        KgmillError: documents read are not documents kept and rejected.
    """
    ingested = store.live("ingest")
    parts = [part for stage in stages for part in store.live(stage)]
    n_stored = sum(part.counts["kept"] for part in ingested)
    n_refused = sum(part.counts["rejected"] for part in ingested)
    n_broken = sum(part.counts["rejected"] for part in parts) - n_refused
    documents = {"read": n_stored + n_refused, "kept": n_stored - n_broken, "rejected": n_refused + n_broken}
    n_rejects = sum(part.rows("rejects") for part in parts)
    if documents["rejected"] != n_rejects:
        raise KgmillError(f"{store.where}: {documents} doesn't balance with {n_rejects} rejects")
    key = fingerprint([part.fingerprint for part in parts])
    ledger = store.find("rejects", "all", key)
    if ledger is None:
        rejects = _rejects(parts)
        ledger = store.commit("rejects", "all", key, {"rejects": rejects}, {"reasons": _reasons(rejects)})
    store.publish("rejects", [ledger], ["rejects"])
    reasons = ledger.counts.get("reasons")  # a build of 0.2 left none
    return documents, dict(reasons) if reasons is not None else _reasons(ledger.read("rejects"))


def left_out(store: Store, others: Mapping[str, int]) -> dict[str, int]:
    """What was left out of live documents, or replaced, of mentions too; what was passed over (`others`); by rule."""
    counts = Counter(others)
    for part in (part for job in ("ingest", "names", "decode", "aggregate") for part in store.live(job)):
        counts.update(part.counts.get("left_out", {}))
    for part in store.live("extract"):
        counts.update({f"language.{code}": n for code, n in part.counts.get("languages", {}).items()})
    return dict(sorted(counts.items()))


def heads(store: Store) -> dict[str, int]:
    """How many live documents have a dateline, an agency, a byline in their head."""
    counts: Counter[str] = Counter()
    for part in store.live("ingest"):
        counts.update(part.counts.get("heads", {}))
    return dict(sorted(counts.items()))


def reasons_of(parts: Sequence[Part]) -> dict[str, int]:
    """How many rejects of each reason parts have."""
    return _reasons(_rejects(parts))


def _rejects(parts: Sequence[Part]) -> pa.Table:
    """What parts rejected; most have nothing, and are not read."""
    tables = [part.read("rejects") for part in parts if part.rows("rejects")]
    return pa.concat_tables([SCHEMAS["rejects"].empty_table(), *tables])


def _reasons(rejects: pa.Table) -> dict[str, int]:
    counted = values(pc.value_counts(rejects["reason"].combine_chunks()))
    return {row["values"]: row["counts"] for row in sorted(counted, key=lambda row: row["values"])}
