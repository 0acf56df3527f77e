"""Decode: what documents call things, and what these are, to mentions and relations; without the model.

The types of a relation's ends are those that all documents find likeliest: what the ontology doesn't allow between them
is no relation, and no entity is related to itself, which is counted. A new threshold or ontology redoes this alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import combinations, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kgmill.extractor.decode import DecodedRelation, choose_relations
from kgmill.pipelines.engine.request import Receipt, Request
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.stages.names import VALUE
from kgmill.pipelines.stages.stage import Parts, Todo, documents_extent, publisher
from kgmill.schemas.identity import entity_id, fact_id, fingerprint, pair_id, statement_id
from kgmill.schemas.literals import literal_value
from kgmill.schemas.ontology import Ontology, parse_ontology
from kgmill.schemas.records import Mention, Relation
from kgmill.schemas.tables import described, to_table, values

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

VERSION = 9
PAIRS = pa.schema([pa.field(name, pa.string(), nullable=False) for name in ("pair", "text_key")])
_MOST_NAMES = 64  # of a sentence, that are counted together: a longer list says little of any two


@dataclass(frozen=True, slots=True)
class Settings:
    """What all tasks share.

    Attributes:
        ontology: what the ontology allows (`Ontology.rules`).
        made_of: what files say of their making; it follows from the parts that they are made of.
    """

    ontology: Mapping[str, Any]
    made_of: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """A unit to decode: the fingerprints of its part, of its names, and of what these are."""

    unit: str
    fingerprint: str
    names: str
    resolved: str


def plan(
    store: Store, named: Sequence[Part], resolved: Sequence[Part], settings: Settings
) -> tuple[list[Part], list[Task]]:
    """The parts that are there already, and tasks for the units that are not."""
    became = {part.unit: part.fingerprint for part in resolved}
    done, tasks = [], []
    for part in named:
        inputs = (part.fingerprint, became[part.unit])
        key = fingerprint({"version": VERSION, "ontology": settings.ontology, "inputs": inputs})
        if found := store.find("decode", part.unit, key):
            done.append(found)
        else:
            tasks.append(Task(part.unit, key, *inputs))
    return done, tasks


def missing(context: RunContext, store: Store, parts: Parts) -> Todo:
    """What decode has to do."""
    settings = Settings(context.ontology.rules(), {"model": context.model, "run": context.run_key})
    done, tasks = plan(store, parts["names"], parts["resolve"], settings)
    extent = documents_extent(parts["ingest"], (task.unit for task in tasks))
    return Todo(done, tasks, settings, extent, publisher(store, "decode", ["mentions", "relations"]))


@contextmanager
def work(request: Request[Task, Settings]) -> Iterator[Callable[[Task], Receipt]]:
    """Decodes units and commits their parts."""
    store = request.store
    ontology = parse_ontology(dict(request.settings.ontology), "ontology")

    def decode_unit(task: Task) -> Receipt:
        named, resolved = store.need("names", task.unit, task.names), store.need("resolve", task.unit, task.resolved)
        inputs = {name: named.read(name) for name in ("sentences", "mentions", "claims")}
        tables, junk = decode(ontology, **inputs, resolved=resolved.read("resolved"))
        for name in ("mentions", "relations"):
            tables[name] = described(name, tables[name], f"decode {VERSION}", **request.settings.made_of)
        store.commit("decode", task.unit, task.fingerprint, tables, {"left_out": junk})
        return Receipt(task.unit, task.fingerprint)

    yield decode_unit


def decode(
    ontology: Ontology, sentences: pa.Table, mentions: pa.Table, claims: pa.Table, resolved: pa.Table
) -> tuple[dict[str, pa.Table], dict[str, int]]:
    """A unit's mentions and relations, in the order of its documents and sentences; what is left out, by rule.

    What a document says in one sentence is not told again by two of its sentences together. And `pairs`: which two ends
    of facts, by their `pair_id`, are named together in which sentences, or are related by which run of sentences.
    """
    ends = ends_of(ontology, sentences, mentions, resolved)
    texts = sentences.to_pylist()
    relations: list[Relation] = []
    left_out: Counter[str] = Counter()
    pairs = _named_together(ends)
    said: set[tuple[str, str]] = set()
    for row, claimed in _claimed(claims):
        told, n_self = _related(ontology, ends, texts[row], claimed)
        left_out["relations.self"] += n_self
        if any(ends[claim.head].text is not ends[claim.tail].text for claim, _ in claimed):
            kept = [relation for relation in told if (relation.doc_id, relation.fact_id) not in said]
            left_out["relations.within"] += len(told) - len(kept)
            told = kept
            pairs.update((relation.fact_id[:8], relation.text_key) for relation in told)
        said.update((relation.doc_id, relation.fact_id) for relation in told if not relation.stance)
        relations += told
    columns = zip(*sorted(pairs), strict=True) if pairs else ((), ())
    tables = {
        "mentions": to_table("mentions", [end.mention for end in ends]),
        "relations": to_table("relations", relations),
        "pairs": pa.table(dict(zip(PAIRS.names, columns, strict=True)), PAIRS),
    }
    return tables, {rule: n for rule, n in sorted(left_out.items()) if n}


def _related(
    ontology: Ontology, ends: Sequence[End], text: Mapping[str, Any], claimed: Sequence[tuple[DecodedRelation, str]]
) -> tuple[list[Relation], int]:
    """The relations that a sentence, or a run of them, tells, and how many of an entity to itself are left out."""
    stances = {(claim.head, claim.tail, claim.type): how for claim, how in claimed}
    told: dict[DecodedRelation, Relation] = {}
    n_self = 0
    types = {row: ends[row].mention.type for claim, _ in claimed for row in (claim.head, claim.tail)}
    for claim in choose_relations([claim for claim, _ in claimed], types, ontology):
        head, tail = ends[claim.head], ends[claim.tail]
        if head.entity and head.entity == tail.entity:
            n_self += 1
            continue
        if ontology.relations[claim.type].symmetric and tail.entity < head.entity:
            head, tail = tail, head
        how = stances.get((claim.head, claim.tail, claim.type)) or stances.get((claim.tail, claim.head, claim.type), "")
        pair = replace(claim, confidence=0.0)
        if turned := ontology.turned.get(claim.type):
            claim, head, tail = replace(claim, type=turned), tail, head
            pair = DecodedRelation(pair.tail, pair.head, turned, 0.0)
        found = _relation(text, claim, head, tail, how)
        told[pair] = max(told.get(pair, found), found, key=_surest)
    return list(told.values()), n_self


def ends_of(ontology: Ontology, sentences: pa.Table, mentions: pa.Table, resolved: pa.Table) -> list[End]:
    """What may be the end of a relation: the mentions of a unit, or some of them, in their order."""
    became = {(row["key"], row["column"]): row for row in resolved.to_pylist()}
    texts = sentences.to_pylist()
    return [_end(ontology, texts[row["row"]], row, became) for row in mentions.to_pylist()]


def _surest(relation: Relation) -> tuple[bool, float]:
    """Of a relation and its inverse, which are one, the one that is stated, then the surer."""
    return not relation.stance, relation.confidence


@dataclass(frozen=True, slots=True)
class End:
    """A mention in its sentence, and what its relations speak of: an entity, or a value and its datatype."""

    mention: Mention
    text: Mapping[str, Any]
    entity: str = ""
    value: tuple[str, str] = ("", "")

    @property
    def name(self) -> tuple[str, ...]:
        """The entity's id, or the value and its datatype."""
        return (self.entity,) if self.entity else self.value


def _end(
    ontology: Ontology,
    text: Mapping[str, Any],
    row: Mapping[str, Any],
    became: Mapping[tuple[str, int], Mapping[str, Any]],
) -> End:
    known = {"mention_begin": row["begin"], "mention_end": row["end"]}
    known |= {name: row[name] for name in ("text", "confidence")} | {n: text[n] for n in ("doc_id", "sentence")}
    if row["column"] == VALUE:
        mention = Mention(**known, type=row["type"], entity_id="")
        return End(mention, text, value=literal_value(ontology.entities[row["type"]].literal, row["text"]))
    is_ = became[row["key"], row["column"]]
    entity = is_["entity_id"] or entity_id(row["key"], doc_id=text["doc_id"])
    kind = ontology.entity_names[is_["chosen"]]
    mention = Mention(**known, type=kind, entity_id=entity, rule=row["rule"] or is_["rule"])
    return End(mention, text, is_["place_id"] or entity)


def _claimed(claims: pa.Table) -> Iterator[tuple[int, list[tuple[DecodedRelation, str]]]]:
    """Each sentence or run of them with its claims, whose ends are rows of the unit's mentions, and stances."""
    columns = (values(claims[name]) for name in ("head", "tail", "type", "confidence"))
    found = zip(map(DecodedRelation, *columns), values(claims["stance"]), strict=True)
    for row, group in groupby(zip(values(claims["row"]), found, strict=True), itemgetter(0)):
        yield row, [claimed for _, claimed in group]


def _relation(text: Mapping[str, Any], claim: DecodedRelation, head: End, tail: End, how: str) -> Relation:
    subject, object_ = ((end.mention.mention_begin, end.mention.mention_end) for end in (head, tail))
    return Relation(
        statement_id(text["doc_id"], subject, object_, claim.type),
        fact_id(head.entity, claim.type, *tail.name),
        text["doc_id"],
        text["sentence"],
        text["begin"],
        text["end"],
        claim.type,
        *subject,
        head.entity,
        *object_,
        tail.entity,
        claim.confidence,
        *tail.value,
        how,
        text["text_key"],
        text["date"],
        text["sentence_text"],
    )


def _named_together(ends: Sequence[End]) -> set[tuple[str, str]]:
    rows: set[tuple[str, str]] = set()
    for _, group in groupby(ends, lambda end: id(end.text)):
        found = list(group)
        names = sorted({end.name[0] for end in found})[:_MOST_NAMES]
        rows.update((pair_id(one, other), found[0].text["text_key"]) for one, other in combinations(names, 2))
    return rows
