"""Forgetting: documents leave a finished build as if they had never been read, without the sources and the model.

The list of what is kept out is written first. Then the documents' rows leave the parts of ingest and extract, the
stages after them make their results anew of what is left, and what earlier results left beside them is erased. Whenever
that is cut, the next `kgmill forget` or `kgmill build` finishes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kgmill.pipelines.building import Run, StageReport, finish, run_stage
from kgmill.pipelines.checks import check_finished
from kgmill.pipelines.context import RunContext
from kgmill.pipelines.output.forgotten import Forgotten, read_forgotten, write_forgotten
from kgmill.pipelines.output.ledger import last_run
from kgmill.pipelines.output.origins import commit_origins, known_origins, known_others, publish_origins
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.output.steps import check_in_step, note_step
from kgmill.pipelines.stages.documents import commit_documents
from kgmill.pipelines.stages.extract import commit_fewer
from kgmill.pipelines.stages.stage import NAMES
from kgmill.schemas.errors import OutputError, UsageError
from kgmill.schemas.tables import values

STAGES = NAMES[2:]  # that are done again
_GONE = "a document that was forgotten"


@dataclass(frozen=True, slots=True)
class Report:
    """What was forgotten.

    Attributes:
        n_documents: that left, and rejects of the same ids.
        before, after: what run.json says of the graph.
        equal: ids of documents that were left out as duplicates of a forgotten one, and come back with a build.
    """

    n_documents: int
    before: dict[str, Any]
    after: dict[str, Any]
    equal: tuple[str, ...]


def check_forget(store: Store, doc_ids: Sequence[str]) -> None:
    """Makes sure that documents can be forgotten; touches nothing.

    Raises:
        UsageError: no such document, a file that others are in, or no finished build.
    """
    check_finished(store, NAMES)
    listed = read_forgotten(store)
    if not listed.is_unfinished:  # a forgetting that was cut off is gone on with
        check_in_step(store)
    known: set[str] = set()
    files: Counter[str] = Counter()
    for part in store.live("ingest"):
        known.update(_ids(part))
        files.update(file for doc_id, file in _places(part) if file != doc_id)
    if full := [i for i in doc_ids if files[i]]:
        raise UsageError(f"{full[0]}: a file with {files[full[0]]} documents; forget them by their own ids")
    if missing := [i for i in doc_ids if i not in known and not listed.has(i)]:
        raise OutputError(
            f"{store.where}: holds no document {missing[0]!r}; the ids are in the column doc_id of tables/documents"
        )


def check_model(context: RunContext, store: Store) -> None:
    """Makes sure that the candidates that are here are those of the model that is to decode them.

    Raises:
        UsageError: the last run had another model.
    """
    model = last_run(store).get("fingerprints", {}).get("model", context.model)
    if model != context.model:
        raise UsageError(
            f"{store.where}: was built with another model ({model[:12]}) than {context.config.model} is now "
            f"({context.model[:12]}); run kgmill build first, or give the --model that it was built with"
        )


def _places(part: Part) -> Iterator[tuple[str, str]]:
    """Each document's id, and the file that it comes from."""
    table = part.read("documents", ["doc_id", "source"])
    for doc_id, source in zip(*(values(table[name]) for name in ("doc_id", "source")), strict=True):
        for file in {source, source.partition("!")[0], source.rpartition(":")[0]} - {""}:
            yield doc_id, file


def _ids(part: Part) -> Iterator[str]:
    yield from values(part.read("documents", ["doc_id"])["doc_id"])
    for column in part.read("rejects", ["doc_id", "source"]).columns:
        yield from filter(None, values(column))


def forget(run: Run, doc_ids: Sequence[str]) -> Report:
    """Takes documents out of the output that a run holds, and keeps them out.

    Raises:
        UsageError: see `check_forget`.
    """
    store = run.store
    check_forget(store, doc_ids)
    before = last_run(store).get("graph", {})
    listed = read_forgotten(store).with_ids(doc_ids)
    write_forgotten(store, listed)
    live = store.live("ingest")
    found = [_without(store, part, listed) for part in live]
    kept = [part for part, _ in found]
    equal = tuple(sorted({doc_id for _, ids in found for doc_id in ids}))
    documents = {part.unit: part for part in kept}
    candidates = [
        commit_fewer(store, part, documents[part.unit], listed.has, run.context.read_languages)
        for part in store.live("extract")
    ]
    origins = {name: origin for name, origin in known_origins(store).items() if not listed.has(name)}
    part = commit_origins(store, kept, origins, known_others(store))
    store.publish("ingest", kept, ["documents"])
    publish_origins(store, part)
    store.publish("extract", candidates, [])
    note_step(store, "extract", ["ingest"])
    n_gone = _n_read(live) - _n_read(kept)
    counts = {"added": 0, "changed": 0, "removed": n_gone}
    run.reports["ingest"] = StageReport(0.0, 0.0, 0.0, 0, len(kept), counts)
    for stage in STAGES:
        run_stage(run, stage)
    after = finish(run)["graph"]
    return Report(n_gone, before, after, equal)


def allow(store: Store, doc_ids: Sequence[str]) -> None:
    """Takes documents off the list, for the next build from a source that has them.

    Raises:
        UsageError: one is not on it.
        LockError: a build runs.
    """
    with store.lock(clear=False):
        listed = read_forgotten(store)
        if missing := [i for i in doc_ids if not listed.has(i)]:
            raise OutputError(f"{store.where}: {missing[0]!r} is not kept out here; kgmill forget keeps documents out")
        write_forgotten(store, listed.without_ids(doc_ids))


def _n_read(parts: Sequence[Part]) -> int:
    return sum(part.counts["kept"] + part.counts["rejected"] for part in parts)


def _without(store: Store, part: Part, listed: Forgotten) -> tuple[Part, list[str]]:
    """A part of ingest without the documents, itself where it has none of them; and rejects that were equal to them."""
    documents, rejects = part.read("documents"), part.read("rejects")
    is_document = _is_out(documents["doc_id"], listed)
    is_reject = pc.or_(_is_out(rejects["doc_id"], listed), _is_out(rejects["source"], listed))
    rows = rejects.to_pylist()
    equal = [row["doc_id"] for row in rows if _other(row, listed) and not listed.has(row["doc_id"])]
    told = [_told(row, listed) for row in rows]
    if not (pc.any(is_document).as_py() or pc.any(is_reject).as_py() or told != rejects["detail"].to_pylist()):
        return part, equal
    column = rejects.schema.get_field_index("detail")
    rejects = rejects.set_column(column, rejects.schema.field("detail"), pa.array(told, pa.string()))
    documents, rejects = documents.filter(pc.invert(is_document)), rejects.filter(pc.invert(is_reject))
    return commit_documents(store, part.unit, documents, rejects), equal


def _is_out(ids: pa.ChunkedArray[Any], listed: Forgotten) -> pa.Array[Any]:
    return pa.array([listed.has(doc_id) for doc_id in values(ids)], pa.bool_())


def _other(row: dict[str, Any], listed: Forgotten) -> str:
    """The forgotten document that a reject is a duplicate of; empty: none."""
    detail = str(row["detail"])
    for begin, end in (("has the text of ", ""), ("is near to ", ", similarity ")):
        if row["reason"] in ("duplicate", "near_duplicate") and detail.startswith(begin):
            other = detail.removeprefix(begin)
            other = other.rpartition(end)[0] if end else other
            return other if listed.has(other) else ""
    return ""


def _told(row: dict[str, Any], listed: Forgotten) -> str:
    """A reject's detail, without the id of a forgotten document."""
    if other := _other(row, listed):
        return str(row["detail"]).replace(other, _GONE, 1)
    return str(row["detail"])
