"""Decode: scored candidates to mentions and relations, without the model: what a new threshold or ontology redoes.

What looks like no name (`schemas.junk`) is no mention and has no relations, and no entity is related to itself;
both are counted by rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kgmill.extractor.calibration import Calibration
from kgmill.extractor.candidates import Scored
from kgmill.extractor.decode import decode
from kgmill.pipelines.engine.request import Receipt, Request
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.stages.candidates import sentence_candidates
from kgmill.pipelines.stages.stage import Parts, Todo, documents_extent, publisher
from kgmill.schemas.heads import head_rule
from kgmill.schemas.identity import entity_id, fact_id, fingerprint, statement_id
from kgmill.schemas.junk import junk_rule
from kgmill.schemas.literals import literal_value
from kgmill.schemas.ontology import Ontology, parse_ontology
from kgmill.schemas.records import Document, Mention, Relation
from kgmill.schemas.tables import from_table, to_table

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

VERSION = 5


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides how candidates become mentions and relations; part of a part's name.

    Attributes:
        ontology: what the ontology allows (`Ontology.rules`).
        min_confidence: confidence under which a mention or a relation is dropped.
        calibration: the model's calibration, as calibration.json has it.
    """

    ontology: Mapping[str, Any]
    min_confidence: float
    calibration: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """A unit to decode: the fingerprints of its part, and of its documents and candidates."""

    unit: str
    fingerprint: str
    documents: str
    candidates: str


def plan(
    store: Store, ingested: Sequence[Part], extracted: Sequence[Part], settings: Settings
) -> tuple[list[Part], list[Task]]:
    """The parts that are there already, and tasks for the units that are not."""
    documents = {part.unit: part.fingerprint for part in ingested}
    named = asdict(settings)
    done, tasks = [], []
    for part in extracted:
        key = fingerprint({"version": VERSION, "settings": named, "candidates": part.fingerprint})
        if found := store.find("decode", part.unit, key):
            done.append(found)
        else:
            tasks.append(Task(part.unit, key, documents[part.unit], part.fingerprint))
    return done, tasks


def missing(context: RunContext, store: Store, parts: Parts) -> Todo:
    """What decode has to do."""
    settings = context.decoding
    done, tasks = plan(store, parts["ingest"], parts["extract"], settings)
    extent = documents_extent(parts["ingest"], (task.unit for task in tasks))
    return Todo(done, tasks, settings, extent, publisher(store, "decode", ["mentions", "relations"]))


@contextmanager
def work(request: Request[Task, Settings]) -> Iterator[Callable[[Task], Receipt]]:
    """Decodes units and commits their parts."""
    store, decoder = request.store, Decoder.of(request.settings)

    def decode_unit(task: Task) -> Receipt:
        ingested = store.need("ingest", task.unit, task.documents)
        extracted = store.need("extract", task.unit, task.candidates)
        documents = {d.doc_id: d for d in from_table("documents", ingested.read("documents"))}
        tables, junk = decoder.decode_unit(documents, extracted.read("sentences"))
        store.commit("decode", task.unit, task.fingerprint, tables, {"left_out": junk})
        return Receipt(task.unit, task.fingerprint, {"documents": len(documents)})

    yield decode_unit


@dataclass(frozen=True, slots=True)
class Decoder:
    """The settings, read once for all units."""

    ontology: Ontology
    min_confidence: float
    calibration: Calibration

    @staticmethod
    def of(settings: Settings) -> Decoder:
        """What the settings say."""
        ontology = parse_ontology(dict(settings.ontology), "ontology")
        return Decoder(ontology, settings.min_confidence, Calibration.parse(dict(settings.calibration)))

    def decode_unit(
        self, documents: dict[str, Document], sentences: pa.Table
    ) -> tuple[dict[str, pa.Table], dict[str, int]]:
        """A unit's mentions and relations, in the order of its documents and sentences; what is left out, by rule."""
        columns = (len(self.ontology.entities), len(self.ontology.relations))
        rank = {doc_id: i for i, doc_id in enumerate(documents)}
        mentions: list[Mention] = []
        relations: list[Relation] = []
        junk: Counter[str] = Counter()
        rows = sorted(sentence_candidates(sentences, columns), key=lambda r: (rank[r[0]["doc_id"]], r[0]["sentence"]))
        for row, candidates in rows:
            found = decode_sentence(
                documents[row["doc_id"]],
                row,
                self.calibration.apply(candidates),
                self.ontology,
                self.min_confidence,
                self.calibration.cuts,
            )
            mentions.extend(found[0])
            relations.extend(found[1])
            junk.update(found[2])
        tables = {"mentions": to_table("mentions", mentions), "relations": to_table("relations", relations)}
        return tables, dict(sorted(junk.items()))


def decode_sentence(
    document: Document,
    row: dict[str, Any],
    candidates: Scored,
    ontology: Ontology,
    min_confidence: float,
    thresholds: Mapping[str, float] | None = None,
) -> tuple[list[Mention], list[Relation], list[str]]:
    """The mentions and relations of one sentence, with the document's own text; what is a value names no entity.

    And the rules by which mentions were left out, as run.json has them.
    """
    chosen, pairs = decode(candidates, ontology, min_confidence, thresholds)
    mentions: dict[int, Mention] = {}
    junk = []
    for i, m in enumerate(chosen):
        text, is_value = document.text[m.start : m.end], bool(ontology.entities[m.type].literal)
        if not is_value and (rule := head_rule(document, m.start, m.end) or junk_rule(text)):
            junk.append(f"mentions.{rule}")
            continue
        mentions[i] = Mention(
            *(document.doc_id, row["sentence"], m.start, m.end, text, m.type),
            round(m.confidence, 6),
            "" if is_value else entity_id(text, m.type),
        )
    relations = []
    for pair in pairs:
        if pair.head not in mentions or pair.tail not in mentions:
            continue
        head, tail = mentions[pair.head], mentions[pair.tail]
        if head.entity_id and head.entity_id == tail.entity_id:
            junk.append("relations.self")
            continue
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
    return list(mentions.values()), relations, junk
