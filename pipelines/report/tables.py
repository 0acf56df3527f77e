"""What a report reads of the tables: the best rows of each, and counts over all of them, in bounded memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgmill.pipelines.output import layout
from kgmill.pipelines.output.parts import Store
from kgmill.schemas.records import Entity, Evidence, Fact, Reject
from kgmill.schemas.tables import conform, from_table, values

N_BINS = 20
_ROWS_A_BATCH = 1 << 16
_DOCUMENTS_A_BATCH = 64  # a text may have megabytes

_Order = Sequence[tuple[str, Literal["ascending", "descending"]]]
_BEST_FACTS: _Order = (
    ("confidence", "descending"),
    ("n_evidence", "descending"),
    ("n_documents", "descending"),
    ("fact_id", "ascending"),
)
_BEST_ENTITIES: _Order = (
    ("n_mentions", "descending"),
    ("confidence", "descending"),
    ("entity_id", "ascending"),
)


@dataclass(slots=True)
class Counts:
    """Counts over all facts.

    Attributes:
        facts, asserted: by relation.
        bins: of N_BINS equal steps of confidence, the facts that are asserted and those that aren't.
    """

    facts: Counter[str] = field(default_factory=Counter)
    asserted: Counter[str] = field(default_factory=Counter)
    bins: list[list[int]] = field(default_factory=lambda: [[0, 0] for _ in range(N_BINS)])


def best_facts(store: Store, n: int) -> tuple[list[Fact], Counts]:
    """The `n` facts that are surest and best supported, best first; and counts over all."""
    counts = Counts()

    def counted() -> Iterator[pa.Table]:
        for table in _tables(store, "facts"):
            _count(counts, table)
            yield table

    return list(from_table("facts", _best(counted(), "facts", _BEST_FACTS, n))), counts


def _count(counts: Counts, table: pa.Table) -> None:
    asserted = table.filter(table["asserted"])
    for counter, rows in ((counts.facts, table), (counts.asserted, asserted)):
        for row in values(pc.value_counts(rows["relation"].combine_chunks())):
            counter[row["values"]] += row["counts"]
    binned = np.minimum((table["confidence"].to_numpy() * N_BINS).astype(int), N_BINS - 1)
    side = np.where(table["asserted"].to_numpy(zero_copy_only=False), 0, 1)
    for i, n in enumerate(np.bincount(binned * 2 + side, minlength=2 * N_BINS).tolist()):
        counts.bins[i // 2][i % 2] += n


def entities_of(store: Store, ids: Collection[str], n_more: int) -> tuple[dict[str, Entity], list[Entity], int]:
    """The entities of these ids; the `n_more` others that are mentioned most, in this order; and how many there are."""
    wanted = pa.array(sorted(ids), pa.string())
    found: dict[str, Entity] = {}
    n_all = 0

    def others() -> Iterator[pa.Table]:
        nonlocal n_all
        for table in _tables(store, "entities"):
            n_all += table.num_rows
            is_wanted = pc.is_in(table["entity_id"], wanted)
            found.update({e.entity_id: e for e in from_table("entities", table.filter(is_wanted))})
            yield table.filter(pc.invert(is_wanted))

    best = _best(others(), "entities", _BEST_ENTITIES, n_more)
    return found, list(from_table("entities", best)), n_all


def aliases_of(store: Store, entities: Collection[Entity], n: int) -> dict[str, list[str]]:
    """The `n` commonest other names of each entity that has some."""
    labels = {e.entity_id: e.label for e in entities}
    wanted = pa.array(sorted(labels), pa.string())
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for table in _tables(store, "names", ["entity_id", "name", "n_mentions"]):
        chosen = table.filter(pc.is_in(table["entity_id"], wanted))
        for row in chosen.to_pylist():
            if row["name"] != labels[row["entity_id"]]:
                found[row["entity_id"]].append((-row["n_mentions"], row["name"]))
    return {name: list(dict.fromkeys(alias for _, alias in sorted(rows)))[:n] for name, rows in found.items()}


def evidence_of(store: Store, facts: Collection[str], n: int) -> tuple[dict[str, list[Evidence]], int]:
    """The `n` surest pieces of evidence of each of these facts, surest first; and how many they have in all."""
    wanted = pa.array(sorted(facts), pa.string())
    found: dict[str, list[Evidence]] = defaultdict(list)
    n_all = 0
    for table in _tables(store, "evidence"):
        for e in from_table("evidence", table.filter(pc.is_in(table["fact_id"], wanted))):
            pieces = found[e.fact_id]
            pieces.append(e)
            n_all += 1
            if len(pieces) > n:
                pieces.remove(min(pieces, key=_how_sure))
    return {name: sorted(pieces, key=_how_sure, reverse=True) for name, pieces in found.items()}, n_all


def _how_sure(evidence: Evidence) -> tuple[float, str]:
    return evidence.confidence, evidence.statement_id


def documents_of(store: Store, ids: Collection[str]) -> Iterator[dict[str, str]]:
    """Id, title, date and text of these documents, in any order; a few at a time are in memory."""
    dataset = store.storage.dataset(f"{layout.TABLES}/documents")
    batches = dataset.to_batches(
        columns=["doc_id", "title", "date", "text"],
        filter=pc.field("doc_id").isin(sorted(ids)),
        batch_size=_DOCUMENTS_A_BATCH,
        batch_readahead=1,
        fragment_readahead=1,
    )
    for batch in batches:
        yield from batch.to_pylist()


def documents_by_relation(store: Store) -> Counter[str]:
    """How many documents state each relation. The rows of a document are neighbours."""
    counts: Counter[str] = Counter()
    rows = (
        row
        for table in _tables(store, "relations", ["doc_id", "type"])
        for row in zip(values(table["doc_id"]), values(table["type"]), strict=True)
    )
    for _, of_document in groupby(rows, lambda row: row[0]):
        counts.update({relation for _, relation in of_document})
    return counts


def reject_samples(store: Store, n: int) -> dict[str, list[Reject]]:
    """The first `n` rejects of each reason, by source."""
    found: dict[str, list[Reject]] = defaultdict(list)
    for table in _tables(store, "rejects"):
        for reject in from_table("rejects", table):
            kept = found[reject.reason]
            kept.append(reject)
            if len(kept) > n:
                kept.remove(max(kept, key=lambda r: (r.source, r.doc_id, r.detail)))
    return {
        reason: sorted(kept, key=lambda r: (r.source, r.doc_id, r.detail)) for reason, kept in sorted(found.items())
    }


def _tables(store: Store, name: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """A table of the output, some rows at a time."""
    dataset = store.storage.dataset(f"{layout.TABLES}/{name}")
    for batch in dataset.to_batches(columns=columns, batch_size=_ROWS_A_BATCH):
        table = pa.Table.from_batches([batch])
        yield table if columns else conform(name, table)


def _best(tables: Iterator[pa.Table], name: str, order: _Order, n: int) -> pa.Table:
    """The first `n` rows in an order, of which never more than about twice `n` are in memory."""
    kept: list[Any] = []
    n_kept = 0
    for table in tables:
        kept.append(table)
        n_kept += table.num_rows
        if n_kept > 2 * n:
            kept = [pa.concat_tables(kept).sort_by(list(order)).slice(0, n).combine_chunks()]
            n_kept = kept[0].num_rows
    if not kept:
        return conform(name, pa.table({}))
    return pa.concat_tables(kept).sort_by(list(order)).slice(0, n)
