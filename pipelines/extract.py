"""Extract: documents to scored candidates, the only stage that calls the model. Reused per document.

A part has two tables: `documents`, one row a document that was met, and `sentences`, one row a sentence with its
candidates as flat lists (see extractor.candidates), spans in characters of the stored text.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from extractor.candidates import Candidates
from pipelines.job import Descriptor, Request, each_task, write_receipt
from pipelines.store import Part, Store
from schemas.identity import fingerprint, units_overlap
from schemas.records import Document, Reject
from schemas.tables import from_table, to_table

VERSION = 2
_SENTENCES_A_CALL = 2048
_FLOATS, _INTS = pa.list_(pa.float32()), pa.list_(pa.int32())
SENTENCES = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("sentence", pa.int64(), nullable=False),
        pa.field("begin", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("spans", _INTS, nullable=False),
        pa.field("entity_prob", _FLOATS, nullable=False),
        pa.field("type_prob", _FLOATS, nullable=False),
        pa.field("pairs", _INTS, nullable=False),
        pa.field("pair_prob", _FLOATS, nullable=False),
        pa.field("relation_prob", _FLOATS, nullable=False),
    ]
)
DOCUMENTS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("n_sentences", pa.int64(), nullable=False),
        pa.field("fault", pa.string(), nullable=False),
    ]
)


def extract_key(model: str, device: str, precision: str, floor: float) -> str:
    """Fingerprint of all that decides a document's candidates, but the document; `device` is a kind, cpu or cuda."""
    return fingerprint({"version": VERSION, "model": model, "device": device, "precision": precision, "floor": floor})


def plan(store: Store, ingested: Sequence[Part], key: str) -> tuple[list[Part], list[Descriptor]]:
    """The parts that are there already, and tasks for the units that are not."""
    before = {part.unit: part for part in store.live("extract") if part.counts["key"] == key}
    done, tasks = [], []
    for part in ingested:
        wanted = fingerprint({"key": key, "documents": part.fingerprint})
        if found := store.find("extract", part.unit, wanted):
            done.append(found)
            continue
        # The units of one result don't overlap: where the same unit is among them, no other one does.
        near = [before[part.unit]] if part.unit in before else before.values()
        reusable = [(p.unit, p.fingerprint) for p in near if units_overlap(p.unit, part.unit)]
        tasks.append(
            {"unit": part.unit, "documents": part.fingerprint, "fingerprint": wanted, "key": key, "before": reusable}
        )
    return done, tasks


class ExtractFn(beam.DoFn):
    """Extracts a unit and commits its part."""

    def __init__(self, root: str, scratch: str, settings: dict[str, Any]) -> None:
        self.root, self.scratch, self.settings = root, scratch, settings

    def process(self, task: Descriptor) -> Iterator[str]:
        """Does one task; yields its unit."""
        store = Store(Path(self.root))
        part = store.find("ingest", task["unit"], task["documents"])
        if part is None:
            raise FileNotFoundError(f"ingest part {task['unit']} of {self.root} is gone")
        documents = list(from_table("documents", part.read("documents")))
        tables, kept = reuse(store, task, documents)
        new = [d for d in documents if d.doc_id not in kept]
        started = time.perf_counter()
        n_sentences = 0
        if new:
            found = extract(new, self.settings)
            tables = {name: pa.concat_tables([tables[name], found[name]]) for name in tables}
            n_sentences = pc.sum(found["documents"]["n_sentences"]).as_py()
        seconds = time.perf_counter() - started
        rejects = [
            Reject("extract", "", row["doc_id"], "model_failed", row["fault"])
            for row in tables["documents"].filter(pc.field("fault") != "").to_pylist()
        ]
        tables["rejects"] = to_table("rejects", rejects)
        counts = {"key": task["key"], "rejected": len(rejects)}
        store.commit("extract", task["unit"], task["fingerprint"], tables, counts)
        receipt = {"sentences": n_sentences, "reused": len(kept), "model_seconds": seconds}
        write_receipt(self.scratch, task["unit"], {"fingerprint": task["fingerprint"], **receipt})
        yield task["unit"]


def reuse(store: Store, task: Descriptor, documents: Sequence[Document]) -> tuple[dict[str, pa.Table], frozenset[str]]:
    """Rows of earlier parts, made with the same key, for documents whose text is still the same; and their ids.

    A document that broke the model is tried again.
    """
    tables = {"documents": DOCUMENTS.empty_table(), "sentences": SENTENCES.empty_table()}
    wanted = {d.doc_id: d.sha256 for d in documents}
    kept: set[str] = set()
    for unit, key in task["before"]:
        part = store.find("extract", unit, key)
        if part is None:
            continue
        met = part.read("documents")
        same = [
            wanted.get(row["doc_id"]) == row["sha256"] and not row["fault"] and row["doc_id"] not in kept
            for row in met.to_pylist()
        ]
        chosen = met.filter(pa.array(same, pa.bool_()))
        ids = chosen["doc_id"]
        kept.update(ids.to_pylist())
        sentences = part.read("sentences")
        sentences = sentences.filter(pc.is_in(sentences["doc_id"], ids.combine_chunks()))
        tables["documents"] = pa.concat_tables([tables["documents"], chosen])
        tables["sentences"] = pa.concat_tables([tables["sentences"], sentences])
    return tables, frozenset(kept)


def extract(documents: Sequence[Document], settings: dict[str, Any]) -> dict[str, pa.Table]:
    """The two tables of documents that have no reusable rows."""
    from extractor.text import split_text

    rows: list[dict[str, Any]] = []
    met: list[dict[str, Any]] = []
    batch: list[tuple[str, int, Any]] = []
    for document in documents:
        sentences = split_text(document.text)
        batch.extend((document.doc_id, i, sentence) for i, sentence in enumerate(sentences))
        met.append({"doc_id": document.doc_id, "sha256": document.sha256, "n_sentences": len(sentences), "fault": ""})
        if len(batch) >= _SENTENCES_A_CALL:
            rows.extend(_predict(batch, met, settings))
            batch = []
    rows.extend(_predict(batch, met, settings))
    return {
        "documents": pa.Table.from_pylist(met, DOCUMENTS),
        "sentences": pa.Table.from_pylist(rows, SENTENCES),
    }


def _predict(
    batch: list[tuple[str, int, Any]], met: list[dict[str, Any]], settings: dict[str, Any]
) -> list[dict[str, Any]]:
    """Rows of the batch's sentences. If the model fails, each document is tried alone; those that fail are marked."""
    if not batch:
        return []
    from extractor.api import to_characters

    predictor = load_predictor(**settings["predictor"])
    try:
        found = predictor.predict([sentence.words for _, _, sentence in batch], settings["floor"])
    except (RuntimeError, ValueError, IndexError, MemoryError) as error:
        ids = list(dict.fromkeys(doc_id for doc_id, _, _ in batch))
        if len(ids) == 1:
            row = next(row for row in met if row["doc_id"] == ids[0])
            row["fault"] = f"{type(error).__name__}: {error}"[:300]
            return []
        return [row for i in ids for row in _predict([b for b in batch if b[0] == i], met, settings)]
    return [
        sentence_row(doc_id, number, sentence, to_characters(sentence, candidates))
        for (doc_id, number, sentence), candidates in zip(batch, found, strict=True)
    ]


def sentence_row(doc_id: str, number: int, sentence: Any, candidates: Candidates) -> dict[str, Any]:
    """A row of the sentences table: arrays become flat lists. The candidates' spans are in characters."""
    return {
        "doc_id": doc_id,
        "sentence": number,
        "begin": sentence.begin,
        "end": sentence.end,
        "spans": candidates.spans.ravel(),
        "entity_prob": candidates.entity_prob,
        "type_prob": candidates.type_prob.ravel(),
        "pairs": candidates.pairs.ravel(),
        "pair_prob": candidates.pair_prob,
        "relation_prob": candidates.relation_prob.ravel(),
    }


def sentence_candidates(table: pa.Table, n_types: tuple[int, int]) -> Iterable[tuple[dict[str, Any], Candidates]]:
    """The rows of a sentences table, each with its candidates; `n_types` are the model's entity and relation types."""
    n_entity, n_relation = n_types
    lists = [_lists(table[name]) for name in _LIST_COLUMNS]
    rows = table.drop_columns(_LIST_COLUMNS).to_pylist()
    for row, spans, entity, entity_type, pairs, pair, relation in zip(rows, *lists, strict=True):
        yield (
            row,
            Candidates(
                spans.reshape(-1, 2),
                entity,
                entity_type.reshape(-1, n_entity),
                pairs.reshape(-1, 2),
                pair,
                relation.reshape(-1, n_relation),
            ),
        )


_LIST_COLUMNS = [field.name for field in SENTENCES if pa.types.is_list(field.type)]


def _lists(column: pa.ChunkedArray) -> list[np.ndarray]:
    """The lists of a column as views of one array."""
    lists = column.combine_chunks()
    values, bounds = lists.values.to_numpy(), lists.offsets.to_numpy()
    return [values[begin:end] for begin, end in pairwise(bounds.tolist())]


@lru_cache(maxsize=1)
def load_predictor(folder: str, device: str, precision: str, n_threads: int, is_compiled: bool = False) -> Any:
    """The model of a folder, ready to predict; kept for the life of the worker."""
    from extractor.predict import open_predictor

    return open_predictor(Path(folder), device, precision, n_threads, is_compiled=is_compiled)


def build(pipeline: beam.Pipeline, request: Request) -> None:
    """The job's graph: each unit by itself."""
    each_task(pipeline, request.tasks, ExtractFn(request.root, request.scratch, request.settings))
