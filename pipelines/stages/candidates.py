"""Candidates: documents to what the model makes of their sentences, and the tables that hold it.

`documents` has a row a document that was met, `sentences` a row a sentence with its candidates as flat lists (see
extractor.candidates), spans in characters of the stored text; `links` a row for two sentences that were read together
and candidate pairs of whose spans join them (see extractor.passages).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from kgmill.extractor.candidates import Candidates, Floors
from kgmill.extractor.passages import Link
from kgmill.pipelines.output.parts import Part
from kgmill.pipelines.storage.scratch import Scratch
from kgmill.schemas.records import Document
from kgmill.schemas.tables import values

_CHARACTERS_A_CALL = 1 << 18
_CHARACTERS_A_TIMEOUT = 100_000
_FLOATS, _INTS = pa.list_(pa.float32()), pa.list_(pa.int32())
_OF_SENTENCES: list[pa.Field[Any]] = [
    pa.field("doc_id", pa.string(), nullable=False),
    pa.field("sentence", pa.int64(), nullable=False),
    pa.field("begin", pa.int64(), nullable=False),
    pa.field("end", pa.int64(), nullable=False),
    pa.field("spans", _INTS, nullable=False),
    pa.field("entity_margin", _FLOATS, nullable=False),
    pa.field("type_logits", _FLOATS, nullable=False),
    pa.field("pairs", _INTS, nullable=False),
    pa.field("pair_margin", _FLOATS, nullable=False),
    pa.field("relation_logits", _FLOATS, nullable=False),
]
SENTENCES = pa.schema(_OF_SENTENCES)
_OF_DOCUMENTS: list[pa.Field[Any]] = [
    pa.field("doc_id", pa.string(), nullable=False),
    pa.field("sha256", pa.string(), nullable=False),
    pa.field("head", pa.int64(), nullable=False),  # where a sentence had to end
    pa.field("n_sentences", pa.int64(), nullable=False),
    pa.field("fault", pa.string(), nullable=False),  # why it is rejected, as `reason: detail`; empty if it isn't
]
DOCUMENTS = pa.schema(_OF_DOCUMENTS)
_OF_LINKS: list[pa.Field[Any]] = [
    pa.field("doc_id", pa.string(), nullable=False),
    pa.field("sentence", pa.int64(), nullable=False),
    pa.field("second", pa.int64(), nullable=False),  # the number of the later one
    pa.field("pairs", _INTS, nullable=False),  # rows of the spans of both
    pa.field("pair_margin", _FLOATS, nullable=False),
    pa.field("relation_logits", _FLOATS, nullable=False),
]
LINKS = pa.schema(_OF_LINKS)
TABLES = {"documents": DOCUMENTS, "sentences": SENTENCES, "links": LINKS}


@dataclass(frozen=True, slots=True)
class PredictorSettings:
    """How the model is opened.

    Attributes:
        folder: the model's folder.
        device: `cpu`, `cuda` or `cuda:N`.
        n_threads: CPU threads that predict; 0 for all.
        is_compiled: the encoder is compiled before the first batch.
        name, fingerprint: of the model, by which a worker on another machine finds it.
    """

    folder: str
    device: str
    precision: str
    n_threads: int = 0
    is_compiled: bool = False
    name: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """How documents are read.

    Attributes:
        floors: margins under which a candidate is forgotten.
        passage: how many sentences of a block are read together.
        references: sentences that begin with "he" or "she" are read again with a name.
    """

    predictor: PredictorSettings
    floors: Floors
    passage: int = 1
    references: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """How a unit's calls of the model are watched.

    Attributes:
        shared: where a mark names the documents of the call that is under way, as `calls/UNIT.json`; none: no marks.
        on_share: told which share of the unit's texts is done.
        timeout_s: seconds that a call may take; for calls of more than 100,000 characters, as many for every 100,000.
    """

    shared: Scratch | None = None
    unit: str = ""
    on_share: Callable[[float], Any] = lambda share: None
    timeout_s: float = 300.0


def find_candidates(
    documents: Sequence[Document],
    reading: Reading,
    suspects: Sequence[Sequence[str]] = (),
    faults: Mapping[str, str] = MappingProxyType({}),
    watch: Watch = Watch(),
) -> dict[str, pa.Table]:
    """The tables of documents that have no reusable rows; those with faults don't meet the model."""
    known = {d.doc_id: fault for d in documents if (fault := faults.get(d.doc_id))}
    results: dict[str, _Result] = {doc_id: _Result(0, [], [], fault) for doc_id, fault in known.items()}
    good = [d for d in documents if d.doc_id not in known]
    predictor = load_predictor(reading.predictor) if good else None
    n_characters, n_met = sum(len(d.text) for d in good), 0
    for n_done, call in enumerate(_calls(good, suspects)):
        if watch.shared:
            _write_mark(watch.shared, watch.unit, call, n_done, watch.timeout_s)
        n = sum(len(d.text) for d in call)
        results |= _predict(call, predictor, reading, partial(_tell, watch.on_share, n_characters, n_met, n))
        n_met += n
        if watch.shared:
            watch.shared.remove(mark_of(watch.unit))
    met = [
        {
            "doc_id": d.doc_id,
            "sha256": d.sha256,
            "head": d.head,
            "n_sentences": found.n_sentences,
            "fault": found.fault,
        }
        for d in documents
        for found in [results[d.doc_id]]
    ]
    rows = {
        "documents": met,
        "sentences": [row for d in documents for row in results[d.doc_id].sentences],
        "links": [row for d in documents for row in results[d.doc_id].links],
    }
    return {name: pa.Table.from_pylist(rows[name], schema) for name, schema in TABLES.items()}


def _tell(on_share: Callable[[float], Any], n_in_all: int, n_before: int, n_in_call: int, share: float) -> None:
    on_share((n_before + share * n_in_call) / n_in_all)


@dataclass(frozen=True, slots=True)
class _Result:
    """What the model made of a document: its rows of the tables of sentences and of links, or a fault."""

    n_sentences: int
    sentences: list[dict[str, Any]]
    links: list[dict[str, Any]]
    fault: str


def _calls(documents: Sequence[Document], suspects: Sequence[Sequence[str]]) -> Iterator[list[Document]]:
    """The documents of each call of the model: each group of suspects by itself, then the others in large groups."""
    by_id = {d.doc_id: d for d in documents}
    for group in suspects:
        if call := [by_id.pop(doc_id) for doc_id in group if doc_id in by_id]:
            yield call
    call, n_characters = [], 0
    for document in by_id.values():
        call.append(document)
        n_characters += len(document.text)
        if n_characters >= _CHARACTERS_A_CALL:
            yield call
            call, n_characters = [], 0
    if call:
        yield call


def mark_of(unit: str) -> str:
    """The name of a unit's mark."""
    return f"calls/{unit}.json"


def _write_mark(shared: Scratch, unit: str, call: Sequence[Document], n_done: int, timeout_s: float) -> None:
    """Names the documents that the model is given now, and the seconds that it may take; whole or not at all."""
    n_characters = sum(len(d.text) for d in call)
    limit_s = timeout_s * max(1.0, n_characters / _CHARACTERS_A_TIMEOUT)
    content = {"documents": [d.doc_id for d in call], "n_done": n_done, "limit_s": limit_s}
    shared.write(mark_of(unit), json.dumps(content).encode())


def _predict(
    call: Sequence[Document], predictor: Any, reading: Reading, on_share: Callable[[float], Any]
) -> dict[str, _Result]:
    """The results of a call's documents. If the model fails, each half is tried alone, down to the document."""
    from kgmill.extractor.api import to_characters
    from kgmill.extractor.passages import Passages
    from kgmill.extractor.references import with_references
    from kgmill.extractor.text.split import split_text

    try:
        split = [split_text(d.text, d.head) for d in call]
        passages = Passages.of(split, reading.passage)
        read = predictor.predict(passages.words, reading.floors, on_share) if passages.words else []
        found = list(passages.split(read))
        if reading.references:
            found = list(with_references(split, found, predictor, reading.floors))
    except (RuntimeError, ValueError, IndexError, MemoryError) as error:
        if len(call) == 1:
            return {call[0].doc_id: _Result(0, [], [], _fault(error))}
        half = len(call) // 2
        first, second = (_predict(part, predictor, reading, on_share) for part in (call[:half], call[half:]))
        return first | second
    results = {}
    for document, sentences, of_it in zip(call, split, found, strict=True):
        numbered = enumerate(map(to_characters, sentences, of_it.sentences))
        rows = [sentence_row(document.doc_id, i, sentences[i], candidates) for i, candidates in numbered]
        links = [_link_row(document.doc_id, link) for link in of_it.links]
        results[document.doc_id] = _Result(len(sentences), rows, links, "")
    return results


def _fault(error: Exception) -> str:
    """The reject's reason and detail; torch has a name for want of memory on GPUs, and a sentence on CPUs."""
    text = f"{type(error).__name__}: {error}"
    is_memory = isinstance(error, MemoryError) or "OutOfMemoryError" in text or "can't allocate memory" in text
    return f"{'out_of_memory' if is_memory else 'model_failed'}: {' '.join(text.split())}"[:300]


def sentence_row(doc_id: str, number: int, sentence: Any, candidates: Candidates) -> dict[str, Any]:
    """A row of the sentences table: arrays become flat lists. The candidates' spans are in characters."""
    return {
        "doc_id": doc_id,
        "sentence": number,
        "begin": sentence.begin,
        "end": sentence.end,
        "spans": candidates.spans.ravel(),
        "entity_margin": candidates.entity_margin,
        "type_logits": candidates.type_logits.ravel(),
        "pairs": candidates.pairs.ravel(),
        "pair_margin": candidates.pair_margin,
        "relation_logits": candidates.relation_logits.ravel(),
    }


def read_table(part: Part, name: str) -> pa.Table:
    """A table of an extracted part, with no rows where the part is of a version that had no such table."""
    return part.read(name) if f"{name}.parquet" in part.files else TABLES[name].empty_table()


def _link_row(doc_id: str, link: Link) -> dict[str, Any]:
    return {
        "doc_id": doc_id,
        "sentence": link.first,
        "second": link.second,
        "pairs": link.pairs.ravel(),
        "pair_margin": link.pair_margin,
        "relation_logits": link.relation_logits.ravel(),
    }


def sentence_links(table: pa.Table, n_relations: int) -> Iterable[tuple[str, Link]]:
    """The rows of a links table: documents and links; the model has `n_relations` relation types."""
    doc_ids, firsts, seconds = (values(table[name]) for name in ("doc_id", "sentence", "second"))
    lists = zip(*(_lists(table[name]) for name in ("pairs", "pair_margin", "relation_logits")), strict=True)
    for doc_id, first, second, (pairs, margin, logits) in zip(doc_ids, firsts, seconds, lists, strict=True):
        yield doc_id, Link(first, second, pairs.reshape(-1, 2), margin, logits.reshape(-1, n_relations))


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


def _lists(column: pa.ChunkedArray[Any]) -> list[np.ndarray]:
    """The lists of a column as views of one array."""
    lists: Any = column.combine_chunks()
    numbers, bounds = lists.values.to_numpy(), lists.offsets.to_numpy()
    return [numbers[begin:end] for begin, end in pairwise(bounds.tolist())]


@lru_cache(maxsize=1)
def load_predictor(settings: PredictorSettings) -> Any:
    """The model, ready to predict; kept until the work of a job is over."""
    from kgmill.extractor.predict import open_predictor

    return open_predictor(
        Path(settings.folder),
        settings.device,
        settings.precision,
        settings.n_threads,
        is_compiled=settings.is_compiled,
    )
