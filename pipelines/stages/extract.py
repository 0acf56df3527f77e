"""Extract: documents to scored candidates, the only stage that calls the model. Reused per document.

A part has the tables of `stages.candidates`, which speaks to the model, and the rejects.

A document that the model breaks on is rejected alone. If it raises an error, its call is halved until the document is
alone. If it kills or hangs the worker, the parent knows from a mark, a small file written before each call, which
documents the call had, and has the unit done again with these as suspects, see `engine.supervise`.

A document in none of the model's languages is rejected without having met the model. Which languages are read is no
part of the key, so what was extracted stays good when that changes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from kgmill.extractor import references
from kgmill.pipelines.engine.progress import Teller
from kgmill.pipelines.engine.request import PartName, Receipt, Request
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.stages import candidates
from kgmill.pipelines.stages.models import predictor_here
from kgmill.pipelines.stages.stage import Outcome, Parts, Todo, documents_extent
from kgmill.schemas.identity import fingerprint
from kgmill.schemas.records import Document, Reject
from kgmill.schemas.tables import from_table, to_table, values
from kgmill.schemas.units import cuts_of, overlapping

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

VERSION = 9
_LANGUAGE = "language: "  # how the faults of documents begin that are in another language than the model's


def extract_key(model: str, device: str, precision: str, reading: candidates.Reading) -> str:
    """Fingerprint of all that decides a document's candidates, but the document; `device` is a kind, cpu or cuda."""
    read: dict[str, Any] = {"model": model, "device": device, "precision": precision, "passage": reading.passage}
    if reading.references:
        read["references"] = references.VERSION
    return fingerprint({"version": VERSION, **read, "floors": asdict(reading.floors)})


@dataclass(frozen=True, slots=True)
class Settings:
    """What all units share.

    Attributes:
        reading: how the model reads documents.
        key: see `extract_key`.
        languages: the languages that are read; none: any.
        timeout_s: seconds that a call of the model may take.
        retry_rejects: documents that the model rejected are tried again.
    """

    reading: candidates.Reading
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
    cuts = cuts_of(before)
    done, tasks = [], []
    for part in ingested:
        wanted = _wanted(key, part, languages)
        if found := made.get((part.unit, wanted)):
            done.append(found)
            continue
        reusable = tuple((name, before[name].fingerprint) for name in overlapping(part.unit, before, cuts))
        tasks.append(Task(part.unit, part.fingerprint, wanted, reusable))
    return done, tasks


def _wanted(key: str, ingested: Part, languages: Sequence[str]) -> str:
    """The fingerprint of a unit's part, if no document is rejected."""
    return fingerprint({"key": key, "documents": ingested.fingerprint, "languages": list(languages)})


def commit_fewer(
    store: Store, part: Part, ingested: Part, is_out: Callable[[str], bool], languages: Sequence[str] = ()
) -> Part:
    """Commits what a part has of a unit with fewer documents, whatever it was made with: the model is not asked.

    A part that has none of those that are out is left as it is.
    """
    if not any(map(is_out, values(part.read("documents", ["doc_id"])["doc_id"]))):
        return part
    tables = {}
    for name in candidates.TABLES:
        table = candidates.read_table(part, name)
        tables[name] = table.filter(pa.array([not is_out(doc_id) for doc_id in values(table["doc_id"])], pa.bool_()))
    return _commit(store, part.unit, tables, part.counts["key"], _wanted(part.counts["key"], ingested, languages))


def missing(context: RunContext, store: Store, parts: Parts) -> Todo:
    """What extract has to do."""
    config, languages = context.config, context.read_languages
    key = context.extract_key
    done, tasks = plan(store, parts["ingest"], key, languages, retry_rejects=config.retry_rejects)
    settings = Settings(context.reading, key, languages, config.document_timeout, config.retry_rejects)
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
    predictor = cache(partial(predictor_here, request))
    yield lambda task: extract_unit(request, task, predictor)
    candidates.load_predictor.cache_clear()


def rehearse(request: Request[Task, Settings]) -> None:
    """Opens the model, and keeps it for the work: what only loading shows is found before the first byte is written."""
    candidates.load_predictor(predictor_here(request))


def extract_unit(
    request: Request[Task, Settings], task: Task, predictor: Callable[[], candidates.PredictorSettings]
) -> Receipt:
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
            candidates.load_predictor(predictor())  # before the task's progress begins
        reading = replace(settings.reading, predictor=predictor())
        tell = Teller(request.scratch, task.unit).tell
        watch = candidates.Watch(request.shared, task.unit, tell, settings.timeout_s)
        found = candidates.find_candidates(new, reading, request.suspects, faults, watch)
        tables = {name: pa.concat_tables([tables[name], found[name]]) for name in tables}
        n_sentences = pc.sum(found["documents"]["n_sentences"]).as_py()
    seconds = time.perf_counter() - started
    tables = _in_order(tables, documents)
    part = _commit(store, task.unit, tables, settings.key, task.wanted)
    n_rejects = part.counts["rejected"]
    told = {"documents": len(new), "rejects": n_rejects, "sentences": n_sentences, "reused": len(kept)}
    return Receipt(task.unit, part.fingerprint, {**told, "model_seconds": seconds})


def _commit(store: Store, unit: str, tables: dict[str, pa.Table], key: str, wanted: str) -> Part:
    """Commits a unit's part; its rejects are the documents with a fault."""
    rejected = [row for row in tables["documents"].to_pylist() if row["fault"]]
    rejects = [Reject("extract", "", row["doc_id"], *row["fault"].split(": ", 1)) for row in rejected]
    languages = Counter(row["fault"].split()[1] for row in rejected if _is_language(row["fault"]))
    counts: dict[str, Any] = {"key": key, "wanted": wanted, "rejected": len(rejects)}
    counts["languages"] = dict(sorted(languages.items()))
    name = wanted
    if rejected:  # what a retry makes of this unit must have another name
        name = fingerprint({"wanted": wanted, "faults": [[row["doc_id"], row["fault"]] for row in rejected]})
    return store.commit("extract", unit, name, tables | {"rejects": to_table("rejects", rejects)}, counts)


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
    """Rows of earlier parts, made with the same key, for documents with the same text and head still; and their ids.

    A document that the model rejected stays so, at no cost, unless `retry_rejects`. `foreign` has those that are in no
    language that is read, with their faults: earlier rows of them are good where they have that fault.
    """
    tables = {name: schema.empty_table() for name, schema in candidates.TABLES.items()}
    wanted = {d.doc_id: (d.sha256, d.head) for d in documents}
    kept: set[str] = set()
    for unit, key in task.before:
        part = store.find("extract", unit, key)
        if part is None:
            continue
        met = part.read("documents")
        same = [
            wanted.get(row["doc_id"]) == (row["sha256"], row["head"])
            and row["doc_id"] not in kept
            and _is_language(row["fault"]) == (row["doc_id"] in foreign)
            and not (retry_rejects and row["fault"] and not _is_language(row["fault"]))
            for row in met.to_pylist()
        ]
        chosen = met.filter(pa.array(same, pa.bool_()))
        ids = chosen["doc_id"]
        kept.update(values(ids))
        tables["documents"] = pa.concat_tables([tables["documents"], chosen])
        for name in ("sentences", "links"):
            rows = part.read(name)
            rows = rows.filter(pc.is_in(rows["doc_id"], ids.combine_chunks()))
            tables[name] = pa.concat_tables([tables[name], rows])
    return tables, frozenset(kept)


def _is_language(fault: str) -> bool:
    return fault.startswith(_LANGUAGE)


def _in_order(tables: dict[str, pa.Table], documents: Sequence[Document]) -> dict[str, pa.Table]:
    """The rows in the documents' order, whichever of them were reused."""
    ids = pa.array([d.doc_id for d in documents], pa.string())
    ordered = {}
    for name, table in tables.items():
        ranks: Any = pc.index_in(table["doc_id"], ids)  # of chunks, as the column is
        rank = ranks.combine_chunks()
        numbers: dict[str, Any] = {n: table[n] for n in ("sentence", "second") if n in table.column_names}
        keys = pa.table({"rank": rank, **numbers})
        ordered[name] = table.take(pc.sort_indices(keys, [(key, "ascending") for key in keys.column_names]))
    return ordered
