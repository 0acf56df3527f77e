"""Names: scored candidates to what each document calls its things, without the model; the first half of decoding.

`mentions` has each document's mentions, `sentences` those that hold one, and the runs of sentences that claim something
of mentions in two of them, `claims` what is claimed of two mentions, whatever their types, `names` a row for each name
and type that a unit's documents have, `definitions` the acronyms that they explain. What a name is in the whole corpus
is `stages.resolve`'s to say. What looks like no name (`schemas.junk`, `schemas.heads`) is no mention, and is counted by
rule.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from kgmill.extractor.calibration import Calibration
from kgmill.extractor.decode import DecodedMention, DecodedRelation, decode_claims
from kgmill.extractor.passages import Link
from kgmill.pipelines.engine.request import Receipt, Request
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.resolution.local import LocalName, Spotted, local_names
from kgmill.pipelines.resolution.types import document_votes
from kgmill.pipelines.stages.candidates import read_table, sentence_candidates, sentence_links
from kgmill.pipelines.stages.stage import Parts, Todo, documents_extent, publisher
from kgmill.schemas.heads import head_rule
from kgmill.schemas.identity import entity_key, fingerprint, text_key
from kgmill.schemas.junk import junk_rule
from kgmill.schemas.literals import whole_date
from kgmill.schemas.names import named_part
from kgmill.schemas.ontology import Columns, Ontology, parse_ontology
from kgmill.schemas.records import Document
from kgmill.schemas.stance import pattern_of, stance
from kgmill.schemas.tables import from_table

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

VERSION = 24
VALUE = -1  # the column of a mention that is a value
_LONGEST = 2000  # characters of a sentence that goes with each of its relations; long lists have thousands of these
_DOUBT = -9.0  # the log probability of types that a name can't have


def not_null(**columns: pa.DataType) -> pa.Schema:
    """The schema of columns that hold no null."""
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns.items()])


SENTENCES = not_null(
    doc_id=pa.string(),
    sentence=pa.int64(),
    begin=pa.int64(),
    end=pa.int64(),
    text_key=pa.string(),
    date=pa.string(),  # of the document
    sentence_text=pa.string(),  # where something is said in it, and it isn't too long
)
MENTIONS = not_null(
    row=pa.int64(),  # of the sentence
    begin=pa.int64(),
    end=pa.int64(),
    text=pa.string(),
    type=pa.string(),  # as its sentence has it
    confidence=pa.float64(),
    key=pa.string(),  # of its local name
    rule=pa.string(),  # by which it has that
    column=pa.int64(),  # of the type that its document has it of, or VALUE
)
CLAIMS = not_null(
    row=pa.int64(),  # of the sentence, or run of sentences, that makes the claim
    head=pa.int64(),  # a row of mentions, and so is the tail
    tail=pa.int64(),
    type=pa.string(),
    confidence=pa.float64(),
    stance=pa.string(),
)
NAMES = not_null(
    key=pa.string(),
    column=pa.int64(),
    name=pa.string(),
    n_documents=pa.int64(),
    votes=pa.list_(pa.int64()),
)
DEFINITIONS = not_null(key=pa.string(), name=pa.string(), n_documents=pa.int64())


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides what is a mention, and what may be said of two; part of a part's name.

    Attributes:
        ontology: what the ontology allows (`Ontology.rules`).
        min_confidence: confidence under which a mention or a relation is dropped.
        calibration: the model's calibration, as calibration.json has it.
        columns: the model's types, where the ontology leaves some out; None where it has them all, in their order.
    """

    ontology: Mapping[str, Any]
    min_confidence: float
    calibration: Mapping[str, Any] = field(default_factory=dict)
    columns: Columns | None = None

    @property
    def decisive(self) -> dict[str, Any]:
        """As data for fingerprints."""
        return {name: value for name, value in asdict(self).items() if name != "columns" or value}


@dataclass(frozen=True, slots=True)
class Task:
    """A unit: the fingerprints of its part, and of its documents and candidates."""

    unit: str
    fingerprint: str
    documents: str
    candidates: str


def plan(
    store: Store, ingested: Sequence[Part], extracted: Sequence[Part], settings: Settings
) -> tuple[list[Part], list[Task]]:
    """The parts that are there already, and tasks for the units that are not."""
    documents = {part.unit: part.fingerprint for part in ingested}
    named = settings.decisive
    done, tasks = [], []
    for part in extracted:
        key = fingerprint({"version": VERSION, "settings": named, "candidates": part.fingerprint})
        if found := store.find("names", part.unit, key):
            done.append(found)
        else:
            tasks.append(Task(part.unit, key, documents[part.unit], part.fingerprint))
    return done, tasks


def missing(context: RunContext, store: Store, parts: Parts) -> Todo:
    """What the job has to do."""
    settings = context.decoding
    done, tasks = plan(store, parts["ingest"], parts["extract"], settings)
    extent = documents_extent(parts["ingest"], (task.unit for task in tasks))
    return Todo(done, tasks, settings, extent, publisher(store, "names"))


@contextmanager
def work(request: Request[Task, Settings]) -> Iterator[Callable[[Task], Receipt]]:
    """Reads the names of units and commits their parts."""
    store, reader = request.store, Reader.of(request.settings)

    def read_unit(task: Task) -> Receipt:
        ingested = store.need("ingest", task.unit, task.documents)
        extracted = store.need("extract", task.unit, task.candidates)
        documents = {d.doc_id: d for d in from_table("documents", ingested.read("documents"))}
        tables, junk = reader.read_unit(documents, extracted.read("sentences"), read_table(extracted, "links"))
        store.commit("names", task.unit, task.fingerprint, tables, {"left_out": junk})
        return Receipt(task.unit, task.fingerprint, {"documents": len(documents)})

    yield read_unit


def _meant(document: Document, mention: DecodedMention, is_value: bool) -> tuple[int, int, str]:
    """Where what a mention means begins and ends in its document; and the rule by which it is none, if it is."""
    begin, end = mention.start, mention.end
    if not is_value:
        end = begin + len(named_part(document.text[begin:end]))
        return begin, end, head_rule(document, begin, end) or junk_rule(document.text[begin:end])
    whole = whole_date(document.text, begin, end)
    return (*whole, "") if whole else (begin, end, "fragment")


@dataclass(frozen=True, slots=True)
class Reader:
    """The settings, read once for all units."""

    ontology: Ontology
    min_confidence: float
    calibration: Calibration
    columns: Columns

    @staticmethod
    def of(settings: Settings) -> Reader:
        """What the settings say."""
        ontology = parse_ontology(dict(settings.ontology), "ontology")
        calibration = Calibration.parse(dict(settings.calibration))
        return Reader(ontology, settings.min_confidence, calibration, settings.columns or ontology.columns)

    def read_unit(
        self, documents: Mapping[str, Document], sentences: pa.Table, links: pa.Table
    ) -> tuple[dict[str, pa.Table], dict[str, int]]:
        """A unit's tables, in the order of its documents and sentences; what is left out, by rule."""
        columns = (len(self.columns.entities), len(self.columns.relations))
        rank = {doc_id: i for i, doc_id in enumerate(documents)}
        rows = sorted(sentence_candidates(sentences, columns), key=lambda r: (rank[r[0]["doc_id"]], r[0]["sentence"]))
        joined: dict[str, list[Link]] = defaultdict(list)
        for doc_id, link in sentence_links(links, columns[1]):
            joined[doc_id].append(link)
        unit = _Unit(self.ontology)
        for doc_id, some in groupby(rows, key=lambda r: r[0]["doc_id"]):
            found = list(some)
            of_number = {row["sentence"]: candidates for row, candidates in found}
            across = [
                (link, self._decode(link.between(of_number[link.first], of_number[link.second]))[1])
                for link in sorted(joined[doc_id], key=attrgetter("first", "second"))
            ]
            within = [(row, *self._decode(candidates)) for row, candidates in found]
            unit.add_document(documents[doc_id], within, across)
        return unit.tables(), dict(sorted(unit.junk.items()))

    def _decode(self, candidates: Any) -> tuple[Any, ...]:
        scored = self.calibration.apply(candidates)
        return decode_claims(scored, self.ontology, self.min_confidence, self.calibration.cuts, self.columns)


@dataclass(frozen=True, slots=True)
class _Place:
    """A sentence, or a run of sentences, in its document.

    Attributes:
        last: where its last sentence begins.
        n_mentions: that decoding found in it; `rows` has the rows of those that are kept, by their numbers.
    """

    begin: int
    last: int
    end: int
    n_mentions: int
    rows: Mapping[int, int]

    def with_next(self, other: _Place) -> _Place:
        """From the beginning of this one to the end of a later one; the mentions of both, as decoding numbers them."""
        shifted = {self.n_mentions + number: row for number, row in other.rows.items()}
        return _Place(self.begin, other.last, other.end, self.n_mentions + other.n_mentions, {**self.rows, **shifted})


class _Unit:
    """The rows of a unit's tables, document by document."""

    def __init__(self, ontology: Ontology) -> None:
        self.ontology = ontology
        self.junk: Counter[str] = Counter()
        self.sentences: list[dict[str, Any]] = []
        self.mentions: list[dict[str, Any]] = []
        self.claims: list[dict[str, Any]] = []
        self.definitions: Counter[tuple[str, str]] = Counter()
        self.forms: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        self.votes: dict[tuple[str, int], Any] = defaultdict(int)
        kinds = zip(ontology.entities, ontology.kinds, strict=True)
        self._words = {name: pattern_of(r.words) for name, r in ontology.relations.items() if r.words}
        self._places = frozenset(name for name, kind in kinds if kind == "place")
        self._is_value_E = np.array([bool(kind.literal) for kind in ontology.entities.values()])

    def add_document(
        self,
        document: Document,
        sentences: Iterable[tuple[Any, ...]],
        across: Iterable[tuple[Link, list[DecodedRelation]]] = (),
    ) -> None:
        """Adds a document: (row, mentions, claims, votes) of each sentence, and the claims that join two."""
        spotted: list[Spotted] = []
        first = len(self.mentions)
        places: dict[int, _Place] = {}
        for row, mentions, claims, votes_NE in sentences:
            place: dict[int, int] = {}
            figures: set[tuple[int, int]] = set()  # of dates, where types may overlap
            for i, mention in enumerate(mentions):
                is_value = bool(self.ontology.entities[mention.type].literal)
                begin, end, rule = _meant(document, mention, is_value)
                if is_value and (begin, end) in figures:
                    rule = "fragment"
                if rule:
                    self.junk[f"mentions.{rule}"] += 1
                    continue
                if is_value:
                    figures.add((begin, end))
                text = document.text[begin:end]
                place[i] = len(self.mentions)
                self.mentions.append(
                    {
                        "row": len(self.sentences),
                        "begin": begin,
                        "end": end,
                        "text": text,
                        "type": mention.type,
                        "confidence": round(mention.confidence, 6),
                        "key": "",
                        "rule": "",
                        "column": VALUE,
                    }
                )
                if not is_value:
                    votes_E = np.where(self._is_value_E, _DOUBT, np.maximum(votes_NE[i], _DOUBT))
                    spotted.append(Spotted(begin, end, text, votes_E))
            places[row["sentence"]] = _Place(row["begin"], row["begin"], row["end"], len(mentions), place)
            if place:
                self._add_sentence(document, row["sentence"], places[row["sentence"]], claims, is_kept=True)
        for link, claims in across:
            both = places[link.first].with_next(places[link.second])
            self._add_sentence(document, link.first, both, claims, is_kept=False)
        named = [m for m in self.mentions[first:] if not self.ontology.entities[m["type"]].literal]
        local, definitions = local_names(spotted, document.text, self.ontology.kinds)
        for mention, name in zip(named, local, strict=True):
            mention |= {"key": entity_key(name.name), "rule": name.rule, "column": name.column}
        self._name(spotted, local)
        self.definitions.update({(entity_key(short), long) for short, long in definitions})

    def _add_sentence(
        self, document: Document, number: int, where: _Place, claims: Iterable[DecodedRelation], *, is_kept: bool
    ) -> None:
        """Adds what a sentence, or a run of them, claims of its mentions, and it itself if it does, or `is_kept`."""
        text = document.text[where.begin : where.end]
        told = [c for c in claims if c.head in where.rows and c.tail in where.rows]
        for claim in told:
            ends = {"head": where.rows[claim.head], "tail": where.rows[claim.tail]}
            head, tail = (self.mentions[row] for row in ends.values())
            # What one sentence denies or supposes says nothing of the next: of several, the last one says how.
            begin = where.last if min(head["end"], tail["end"]) <= where.last else where.begin
            of_head, of_tail = ((mention["begin"] - begin, mention["end"] - begin) for mention in (head, tail))
            are_places = self._places.issuperset((head["type"], tail["type"]))
            words = self._words.get(claim.type)
            said_in = document.text[begin : where.end]
            how = stance(said_in, of_head, of_tail, claim.type, are_places=are_places, words=words)
            said = {"type": claim.type, "confidence": round(claim.confidence, 6), "stance": how}
            self.claims.append({"row": len(self.sentences), **ends, **said})
        if told or is_kept:
            found = {"doc_id": document.doc_id, "sentence": number, "begin": where.begin, "end": where.end}
            shown = text if told and len(text) <= _LONGEST else ""
            of_text = {"text_key": text_key(text), "date": document.date, "sentence_text": shown}
            self.sentences.append({**found, **of_text})

    def _name(self, spotted: Sequence[Spotted], local: Sequence[LocalName]) -> None:
        votes: dict[tuple[str, int], list[np.ndarray]] = defaultdict(list)
        forms: dict[tuple[str, int], str] = {}
        for mention, name in zip(spotted, local, strict=True):
            key = (entity_key(name.name), name.column)
            votes[key].append(mention.votes)
            forms[key] = name.name
        for key, found in votes.items():
            self.votes[key] = self.votes[key] + document_votes(found)
            self.forms[key][forms[key]] += 1

    def tables(self) -> dict[str, pa.Table]:
        """The unit's tables."""
        names = [
            {
                "key": key,
                "column": column,
                "name": commonest(self.forms[key, column]),
                "n_documents": self.forms[key, column].total(),
                "votes": self.votes[key, column].tolist(),
            }
            for key, column in sorted(self.forms)
        ]
        definitions = [{"key": k, "name": name, "n_documents": n} for (k, name), n in sorted(self.definitions.items())]
        return {
            "sentences": pa.Table.from_pylist(self.sentences, SENTENCES),
            "mentions": pa.Table.from_pylist(self.mentions, MENTIONS),
            "claims": pa.Table.from_pylist(self.claims, CLAIMS),
            "names": pa.Table.from_pylist(names, NAMES),
            "definitions": pa.Table.from_pylist(definitions, DEFINITIONS),
        }


def commonest(forms: Mapping[str, int]) -> str:
    """The commonest of the forms; of equally common ones, the smallest."""
    return min(forms, key=lambda form: (-forms[form], form))
