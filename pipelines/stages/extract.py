"""Extract: documents to scored candidates, the only stage that calls the model. Reused per document.

A part has two tables: `documents`, one row a document that was met, and `sentences`, one row a sentence with its
candidates as flat lists (see kgmill.extractor.candidates), spans in characters of the stored text.

A document that the model breaks on is rejected alone. If it raises an error, its call is halved until the document is
alone. If it kills or hangs the worker, the parent knows from a mark, a small file written before each call, which
documents the call had, and has the unit done again with these as suspects, see `engine.supervise`.

A document in none of the model's languages is rejected without having met the model. Which languages are read is no
part of the key, so what was extracted stays good when that changes.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgmill.extractor.candidates import Candidates, Floors
from kgmill.pipelines.engine.progress import Teller
from kgmill.pipelines.engine.request import PartName, Receipt, Request
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.stages.stage import Outcome, Parts, Todo, documents_extent
from kgmill.schemas.identity import fingerprint
from kgmill.schemas.records import Document, Reject
from kgmill.schemas.tables import from_table, to_table
from kgmill.schemas.units import Unit

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

VERSION = 5
_LANGUAGE = "language: "  # how the faults of documents begin that are in another language than the model's
_CHARACTERS_A_CALL = 1 << 18
_CHARACTERS_A_TIMEOUT = 100_000
_FLOATS, _INTS = pa.list_(pa.float32()), pa.list_(pa.int32())
SENTENCES = pa.schema(
    [
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
)
DOCUMENTS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("n_sentences", pa.int64(), nullable=False),
        pa.field("fault", pa.string(), nullable=False),  # why it is rejected, as `reason: detail`; empty if it isn't
    ]
)


def extract_key(model: str, device: str, precision: str, floors: Floors) -> str:
    """Fingerprint of all that decides a document's candidates, but the document; `device` is a kind, cpu or cuda."""
    return fingerprint(
        {"version": VERSION, "model": model, "device": device, "precision": precision, "floors": asdict(floors)}
    )


@dataclass(frozen=True, slots=True)
class PredictorSettings:
    """How the model is opened.

    Attributes:
        folder: the model's folder.
        device: `cpu`, `cuda` or `cuda:N`.
        n_threads: CPU threads that predict; 0 for all.
        is_compiled: the encoder is compiled before the first batch.
    """

    folder: str
    device: str
    precision: str
    n_threads: int = 0
    is_compiled: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """What all units share.

    Attributes:
        floors: margins under which a candidate is forgotten.
        key: see `extract_key`.
        languages: the languages that are read; none: any.
        timeout_s: seconds that a call of the model may take.
        retry_rejects: documents that the model rejected are tried again.
    """

    predictor: PredictorSettings
    floors: Floors
    key: str
    languages: tuple[str, ...] = ()
    timeout_s: float = 300.0
    retry_rejects: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """A unit to extract.

    Attributes:
        documents: fingerprint of its documents' part.
        wanted: fingerprint of its part, if no document is rejected.
        before: earlier parts in which rows of its documents may be.
    """

    unit: str
    documents: str
    wanted: str
    before: tuple[PartName, ...] = ()


def plan(
    store: Store, ingested: Sequence[Part], key: str, languages: Sequence[str] = (), *, retry_rejects: bool = False
) -> tuple[list[Part], list[Task]]:
    """The parts that are there already, and tasks for the units that are not; with no `languages`, any is read.

    With `retry_rejects` a part with rejects of the model counts as not there, and only its good documents are reused.
    """
    before = {part.unit: part for part in store.live("extract") if part.counts["key"] == key}
    made: dict[PartName, Part] = {}
    for part in store.committed("extract"):
        if not (retry_rejects and part.counts["rejected"] > sum(part.counts.get("languages", {}).values())):
            made.setdefault((part.unit, part.counts["wanted"]), part)
    done, tasks = [], []
    for part in ingested:
        wanted = fingerprint({"key": key, "documents": part.fingerprint, "languages": list(languages)})
        if found := made.get((part.unit, wanted)):
            done.append(found)
            continue
        # The units of one result don't overlap: where the same unit is among them, no other one does.
        near = [before[part.unit]] if part.unit in before else before.values()
        unit = Unit.parse(part.unit)
        reusable = tuple((p.unit, p.fingerprint) for p in near if Unit.parse(p.unit).overlaps(unit))
        tasks.append(Task(part.unit, part.fingerprint, wanted, reusable))
    return done, tasks


def missing(context: RunContext, store: Store, parts: Parts) -> Todo:
    """What extract has to do."""
    config, languages = context.config, context.read_languages
    key = context.extract_key
    done, tasks = plan(store, parts["ingest"], key, languages, retry_rejects=config.retry_rejects)
    settings = Settings(
        context.predictor, context.floors, key, languages, config.document_timeout, config.retry_rejects
    )
    n_documents = {part.unit: part.counts["kept"] for part in parts["ingest"]}
    n_reused = sum(n_documents[part.unit] for part in done)

    def publish(outcome: Outcome) -> dict[str, float]:
        store.publish("extract", outcome.parts, [])
        counts = Counter({"reused": n_reused, "sentences": 0})
        for receipt in outcome.receipts.values():
            counts.update({name: receipt.counts[name] for name in ("reused", "sentences", "model_seconds")})
        return dict(counts)

    return Todo(done, tasks, settings, documents_extent(parts["ingest"], (task.unit for task in tasks)), publish)


@contextmanager
def work(request: Request[Task, Settings]) -> Iterator[Callable[[Task], Receipt]]:
    """Extracts units and commits their parts. The model is opened for the first document that meets it, and closed."""
    yield partial(extract_unit, request)
    load_predictor.cache_clear()


def rehearse(request: Request[Task, Settings]) -> None:
    """Opens the model, and keeps it for the work: what only loading shows is found before the first byte is written."""
    load_predictor(request.settings.predictor)


def extract_unit(request: Request[Task, Settings], task: Task) -> Receipt:
    """Extracts a unit and commits its part."""
    store, settings = request.store, request.settings
    documents = list(from_table("documents", store.need("ingest", task.unit, task.documents).read("documents")))
    foreign = find_foreign(documents, settings.languages)
    tables, kept = reuse(store, task, documents, foreign, retry_rejects=settings.retry_rejects)
    new = [d for d in documents if d.doc_id not in kept]
    started = time.perf_counter()
    n_sentences = 0
    if new:
        faults = {**request.faults, **foreign}
        if not all(d.doc_id in faults for d in new):
            load_predictor(settings.predictor)  # before the task's progress begins
        watch = Watch(Path(request.scratch) / "calls" / f"{task.unit}.json", Teller(request.scratch, task.unit).tell)
        found = extract(new, settings, request.suspects, faults, watch)
        tables = {name: pa.concat_tables([tables[name], found[name]]) for name in tables}
        n_sentences = pc.sum(found["documents"]["n_sentences"]).as_py()
    seconds = time.perf_counter() - started
    tables = _in_order(tables, documents)
    rejected = [row for row in tables["documents"].to_pylist() if row["fault"]]
    rejects = [Reject("extract", "", row["doc_id"], *row["fault"].split(": ", 1)) for row in rejected]
    tables["rejects"] = to_table("rejects", rejects)
    languages = Counter(row["fault"].split()[1] for row in rejected if _is_language(row["fault"]))
    counts: dict[str, Any] = {"key": settings.key, "wanted": task.wanted, "rejected": len(rejects)}
    counts["languages"] = dict(sorted(languages.items()))
    key = task.wanted
    if rejected:  # what a retry makes of this unit must have another name
        key = fingerprint({"wanted": key, "faults": [[row["doc_id"], row["fault"]] for row in rejected]})
    store.commit("extract", task.unit, key, tables, counts)
    told = {"documents": len(new), "rejects": len(rejects), "sentences": n_sentences, "reused": len(kept)}
    return Receipt(task.unit, key, {**told, "model_seconds": seconds})


def find_foreign(documents: Iterable[Document], languages: Sequence[str]) -> dict[str, str]:
    """The fault of each document that is in none of the languages, by id; none of any where there are no languages."""
    if not languages:
        return {}
    from kgmill.extractor.text.language import foreign_language

    found = ((d.doc_id, foreign_language(d.text, languages)) for d in documents)
    read = ", ".join(languages)
    return {i: f"{_LANGUAGE}{f.language} ({f.confidence:.2f}); the model reads {read}" for i, f in found if f}


def reuse(
    store: Store,
    task: Task,
    documents: Sequence[Document],
    foreign: Mapping[str, str] = MappingProxyType({}),
    *,
    retry_rejects: bool = False,
) -> tuple[dict[str, pa.Table], frozenset[str]]:
    """Rows of earlier parts, made with the same key, for documents whose text is still the same; and their ids.

    A document that the model rejected stays so, at no cost, unless `retry_rejects`. `foreign` has those that are in no
    language that is read, with their faults: earlier rows of them are good where they have that fault.
    """
    tables = {"documents": DOCUMENTS.empty_table(), "sentences": SENTENCES.empty_table()}
    wanted = {d.doc_id: d.sha256 for d in documents}
    kept: set[str] = set()
    for unit, key in task.before:
        part = store.find("extract", unit, key)
        if part is None:
            continue
        met = part.read("documents")
        same = [
            wanted.get(row["doc_id"]) == row["sha256"]
            and row["doc_id"] not in kept
            and _is_language(row["fault"]) == (row["doc_id"] in foreign)
            and not (retry_rejects and row["fault"] and not _is_language(row["fault"]))
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


def _is_language(fault: str) -> bool:
    return fault.startswith(_LANGUAGE)


def _in_order(tables: dict[str, pa.Table], documents: Sequence[Document]) -> dict[str, pa.Table]:
    """The rows in the documents' order, whichever of them were reused."""
    ids = pa.array([d.doc_id for d in documents], pa.string())
    ordered = {}
    for name, table in tables.items():
        rank = pc.index_in(table["doc_id"], ids).combine_chunks()
        number = table["sentence"].combine_chunks() if name == "sentences" else pa.nulls(len(table), pa.int64())
        keys = pa.table({"rank": rank, "number": number})
        ordered[name] = table.take(pc.sort_indices(keys, [("rank", "ascending"), ("number", "ascending")]))
    return ordered


@dataclass(frozen=True, slots=True)
class Watch:
    """How a unit's calls of the model are watched.

    Attributes:
        mark: the file that names the documents of the call that is under way; none: no such file.
        on_share: told which share of the unit's texts is done.
    """

    mark: Path | None = None
    on_share: Callable[[float], Any] = lambda share: None


def extract(
    documents: Sequence[Document],
    settings: Settings,
    suspects: Sequence[Sequence[str]] = (),
    faults: Mapping[str, str] = MappingProxyType({}),
    watch: Watch = Watch(),
) -> dict[str, pa.Table]:
    """The two tables of documents that have no reusable rows; those with faults don't meet the model."""
    known = {d.doc_id: fault for d in documents if (fault := faults.get(d.doc_id))}
    results: dict[str, _Result] = {doc_id: _Result(0, [], fault) for doc_id, fault in known.items()}
    good = [d for d in documents if d.doc_id not in known]
    predictor = load_predictor(settings.predictor) if good else None
    n_characters, n_met = sum(len(d.text) for d in good), 0
    for n_done, call in enumerate(_calls(good, suspects)):
        if watch.mark:
            _write_mark(watch.mark, call, n_done, settings.timeout_s)
        n = sum(len(d.text) for d in call)
        results |= _predict(call, predictor, settings.floors, partial(_tell, watch.on_share, n_characters, n_met, n))
        n_met += n
        if watch.mark:
            watch.mark.unlink()
    met = [
        {"doc_id": d.doc_id, "sha256": d.sha256, "n_sentences": found.n_sentences, "fault": found.fault}
        for d in documents
        for found in [results[d.doc_id]]
    ]
    rows = [row for d in documents for row in results[d.doc_id].rows]
    return {
        "documents": pa.Table.from_pylist(met, DOCUMENTS),
        "sentences": pa.Table.from_pylist(rows, SENTENCES),
    }


def _tell(on_share: Callable[[float], Any], n_in_all: int, n_before: int, n_in_call: int, share: float) -> None:
    on_share((n_before + share * n_in_call) / n_in_all)


@dataclass(frozen=True, slots=True)
class _Result:
    """What the model made of a document: its rows of the sentences table, or a fault."""

    n_sentences: int
    rows: list[dict[str, Any]]
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


def _write_mark(path: Path, call: Sequence[Document], n_done: int, timeout_s: float) -> None:
    """Names the documents that the model is given now, and the seconds that it may take; whole or not at all."""
    n_characters = sum(len(d.text) for d in call)
    limit_s = timeout_s * max(1.0, n_characters / _CHARACTERS_A_TIMEOUT)
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".partial")
    content = {"documents": [d.doc_id for d in call], "n_done": n_done, "limit_s": limit_s}
    partial.write_text(json.dumps(content), encoding="utf-8")
    os.replace(partial, path)


def _predict(
    call: Sequence[Document], predictor: Any, floors: Floors, on_share: Callable[[float], Any]
) -> dict[str, _Result]:
    """The results of a call's documents. If the model fails, each half is tried alone, down to the document."""
    from kgmill.extractor.api import to_characters
    from kgmill.extractor.text.split import split_text

    try:
        split = [(d.doc_id, split_text(d.text)) for d in call]
        words = [sentence.words for _, sentences in split for sentence in sentences]
        found = iter(predictor.predict(words, floors, on_share) if words else [])
    except (RuntimeError, ValueError, IndexError, MemoryError) as error:
        if len(call) == 1:
            return {call[0].doc_id: _Result(0, [], _fault(error))}
        half = len(call) // 2
        first, second = (_predict(part, predictor, floors, on_share) for part in (call[:half], call[half:]))
        return first | second
    return {
        doc_id: _Result(
            len(sentences),
            [
                sentence_row(doc_id, i, sentence, to_characters(sentence, next(found)))
                for i, sentence in enumerate(sentences)
            ],
            "",
        )
        for doc_id, sentences in split
    }


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
