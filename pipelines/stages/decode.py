"""Decode: scored candidates to mentions and relations, without the model: what a new threshold or ontology redoes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from kgmill.extractor.calibration import Calibration
from kgmill.extractor.candidates import Scored
from kgmill.extractor.decode import decode
from kgmill.pipelines.engine.beam import beam
from kgmill.pipelines.engine.job import Descriptor, Request, each_task, write_receipt
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.stages.extract import sentence_candidates
from kgmill.schemas.identity import entity_id, fact_id, fingerprint, statement_id
from kgmill.schemas.literals import literal_value
from kgmill.schemas.ontology import Ontology, parse_ontology
from kgmill.schemas.records import Document, Mention, Relation
from kgmill.schemas.tables import from_table, to_table

VERSION = 3


def plan(
    store: Store, ingested: Sequence[Part], extracted: Sequence[Part], settings: dict[str, Any]
) -> tuple[list[Part], list[Descriptor]]:
    """The parts that are there already, and tasks for the units that are not."""
    documents = {part.unit: part.fingerprint for part in ingested}
    done, tasks = [], []
    for part in extracted:
        key = fingerprint({"version": VERSION, "settings": settings, "candidates": part.fingerprint})
        if found := store.find("decode", part.unit, key):
            done.append(found)
        else:
            inputs = {"documents": documents[part.unit], "candidates": part.fingerprint}
            tasks.append({"unit": part.unit, "fingerprint": key, **inputs})
    return done, tasks


class DecodeFn(beam.DoFn):
    """Decodes a unit and commits its part."""

    def __init__(self, root: str, scratch: str, settings: dict[str, Any]) -> None:
        self.root, self.scratch, self.settings = root, scratch, settings

    def process(self, task: Descriptor) -> Iterator[str]:
        """Does one task; yields its unit."""
        store, unit = Store(Path(self.root)), task["unit"]
        ingested = store.find("ingest", unit, task["documents"])
        extracted = store.find("extract", unit, task["candidates"])
        if ingested is None or extracted is None:
            raise FileNotFoundError(f"a part of unit {unit} in {self.root} is gone")
        documents = {d.doc_id: d for d in from_table("documents", ingested.read("documents"))}
        tables = decode_sentences(documents, extracted.read("sentences"), self.settings)
        store.commit("decode", unit, task["fingerprint"], tables, {})
        write_receipt(self.scratch, unit, {"fingerprint": task["fingerprint"]})
        yield unit


def decode_sentences(
    documents: dict[str, Document], sentences: pa.Table, settings: dict[str, Any]
) -> dict[str, pa.Table]:
    """The mentions and relations tables of a unit, in the order of its documents and sentences."""
    ontology = parse_ontology(settings["ontology"], "ontology")
    calibration = Calibration.parse(settings.get("calibration", {}))
    columns = (len(ontology.entities), len(ontology.relations))
    rank = {doc_id: i for i, doc_id in enumerate(documents)}
    mentions: list[Mention] = []
    relations: list[Relation] = []
    rows = sorted(sentence_candidates(sentences, columns), key=lambda r: (rank[r[0]["doc_id"]], r[0]["sentence"]))
    for row, candidates in rows:
        found = decode_sentence(
            documents[row["doc_id"]],
            row,
            calibration.apply(candidates),
            ontology,
            settings["min_confidence"],
            calibration.thresholds,
        )
        mentions.extend(found[0])
        relations.extend(found[1])
    return {"mentions": to_table("mentions", mentions), "relations": to_table("relations", relations)}


def decode_sentence(
    document: Document,
    row: dict[str, Any],
    candidates: Scored,
    ontology: Ontology,
    min_confidence: float,
    thresholds: Mapping[str, float] | None = None,
) -> tuple[list[Mention], list[Relation]]:
    """The mentions and relations of one sentence, with the document's own text; what is a value names no entity."""
    chosen, pairs = decode(candidates, ontology, min_confidence, thresholds)
    mentions = [
        Mention(
            document.doc_id,
            row["sentence"],
            m.start,
            m.end,
            document.text[m.start : m.end],
            m.type,
            round(m.confidence, 6),
            "" if ontology.entities[m.type].literal else entity_id(document.text[m.start : m.end], m.type),
        )
        for m in chosen
    ]
    relations = []
    for pair in pairs:
        head, tail = mentions[pair.head], mentions[pair.tail]
        ends = (head.begin, head.end), (tail.begin, tail.end)
        kind = ontology.entities[tail.type].literal
        value = literal_value(kind, tail.text) if kind else ("", "")
        relations.append(
            Relation(
                statement_id(document.doc_id, *ends, pair.type),
                fact_id(head.entity_id, pair.type, *(value if kind else (tail.entity_id,))),
                document.doc_id,
                row["sentence"],
                row["begin"],
                row["end"],
                pair.type,
                *ends[0],
                head.entity_id,
                *ends[1],
                tail.entity_id,
                round(pair.confidence, 6),
                *value,
            )
        )
    return mentions, relations


def build(pipeline: beam.Pipeline, request: Request) -> None:
    """The job's graph: each unit by itself."""
    each_task(pipeline, request.tasks, DecodeFn(request.root, request.scratch, request.settings))
