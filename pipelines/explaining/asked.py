"""A finished build that is asked: what it holds, and which thing in it is meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from kgmill.extractor.passages import Link
from kgmill.pipelines.checks import check_finished
from kgmill.pipelines.decided import meant_facts
from kgmill.pipelines.decoding import remembered
from kgmill.pipelines.output import layout
from kgmill.pipelines.output.forgotten import read_forgotten
from kgmill.pipelines.output.ledger import finished_run
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.stages.candidates import read_table, sentence_candidates, sentence_links
from kgmill.pipelines.stages.decode import End, ends_of
from kgmill.pipelines.stages.stage import NAMES
from kgmill.pipelines.triplestores.prefixes import dataset_prefixes
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.decisions import Decisions, OfFact
from kgmill.schemas.errors import CorruptPartError, KgmillError, UsageError
from kgmill.schemas.identity import entity_key
from kgmill.schemas.ontology import Ontology
from kgmill.schemas.records import Document
from kgmill.schemas.tables import conform, from_table, values
from kgmill.schemas.units import Unit

_NEAR = 0.8  # how alike names are of which one may have been meant
_KINDS = ("entity", "fact", "statement", "document")
_STATEMENTS = {"a-": "fact", "x-": "statement"}  # as IRIs have their ids


@dataclass(frozen=True, slots=True)
class Thing:
    """What is asked for: its kind (`entity`, `fact` or `document`) and id."""

    kind: str
    id: str


class Finished:
    """A finished build that is asked.

    Attributes:
        config: of the run.
        remembered: what decided in it, as far as that is still known.

    Raises:
        UsageError: there is none, or what is here is of two pieces.
    """

    def __init__(self, output: str) -> None:
        self.store = Store(output)
        run = finished_run(self.store)
        check_finished(self.store, NAMES)  # candidates are in no table
        self.config = BuildConfig.load(None, run["config"])
        self.remembered = remembered(run)

    # What is asked for

    def find(self, words: Sequence[str]) -> Thing:
        """The thing that words name: an id, an IRI, a name, or a fact as head, relation and tail.

        Raises:
            UsageError: nothing has that name, or several things have; the message lists them.
        """
        if len(words) == 3:
            return self._fact_of(*words)
        if len(words) != 1:
            raise UsageError('wanted one id, IRI or name, or a fact as "HEAD NAME" relation "TAIL NAME"')
        word = words[0]
        for kind, name in self._readings(word):
            if thing := self._thing(kind, name):
                return thing
        found = self._named(word)
        if not found:
            raise UsageError(
                f"{self.store.where}: holds nothing called {word!r}{self._near(word)}: no id, IRI or name of an "
                "entity, no fact, no document; names are in tables/names, documents in tables/documents"
            )
        return Thing("entity", self._only(word, found))

    def _readings(self, word: str) -> Iterator[tuple[str, str]]:
        """What a word may be, kind and id: an id as it stands, whatever it looks like; else an IRI of this dataset."""
        for kind in _KINDS:
            yield kind, word
        names = self.config.base_iri, self.config.dataset
        prefix, _, rest = word.partition(":")
        iri = dataset_prefixes(*names).get(prefix, f"{prefix}:") + rest  # as answers of a query have it
        iri, base = iri.removeprefix("<").removesuffix(">"), "".join(names) + "/"
        place = iri.removeprefix(base).removeprefix("graph/") if iri.startswith(base) else f"statement/{word}"
        kind, _, name = place.partition("#")[0].partition("/")
        if kind == "entity":
            yield "entity", name
        elif kind == "doc":
            yield "document", unquote(name, errors="surrogatepass")
        elif kind == "statement" and name[:2] in _STATEMENTS:
            yield _STATEMENTS[name[:2]], name[2:].removesuffix("/value")

    def _thing(self, kind: str, name: str) -> Thing | None:
        """The thing of an id, if there is one."""
        if not name:
            return None
        if kind == "statement":
            facts = [row["fact_id"] for row in self.rows("relations", ["fact_id"], statement_id=name)]
            return Thing("fact", facts[0]) if facts else None
        if kind == "document":
            is_known = self.rows("documents", ["doc_id"], doc_id=name) or self.rejects(name)
            return Thing(kind, name) if is_known or read_forgotten(self.store).has(name) else None
        table = {"entity": "entities", "fact": "relations"}[kind]
        return Thing(kind, name) if self.rows(table, [f"{kind}_id"], **{f"{kind}_id": name}) else None

    def _named(self, name: str) -> list[dict[str, Any]]:
        """The entities that have a name of their own, not for short in one document."""
        key = entity_key(name)
        names = [row for row in self.rows("names") if entity_key(row["name"]) == key]
        ids = sorted({row["entity_id"] for row in names})
        return self.rows("entities", entity_id=ids) if ids else []

    def _only(self, name: str, found: Sequence[Mapping[str, Any]]) -> str:
        if len(found) == 1:
            return str(found[0]["entity_id"])
        exact = [row for row in found if row["label"] == name]
        if len(exact) == 1:
            return str(exact[0]["entity_id"])
        ranked = sorted(found, key=lambda row: (-row["n_mentions"], row["entity_id"]))
        listed = "; ".join(f"{r['entity_id']} ({r['label']}, {r['type']}, {r['n_mentions']} mentions)" for r in ranked)
        raise UsageError(f"{len(found)} entities are called {name!r}; say which by its id: {listed}")

    def _fact_of(self, head: str, relation: str, tail: str) -> Thing:
        heads = {row["entity_id"] for row in self._named(head)} | {head}
        tails = {row["entity_id"] for row in self._named(tail)} | {tail}
        rows = [row for row in self.rows("relations", head_entity=sorted(heads)) if row["type"] == relation]
        facts = sorted({r["fact_id"] for r in rows if r["tail_entity"] in tails or r["value"] in tails})
        if len(facts) == 1:
            return Thing("fact", facts[0])
        if facts:
            raise UsageError(f"{len(facts)} facts are called so; say which by its id: {', '.join(facts)}")
        said = [repr(end) + ("" if self._named(end) else self._near(end)) for end in (head, tail)]
        raise UsageError(
            f"{self.store.where}: no sentence says {f' {relation} '.join(said)}; ask for a document to see why"
        )

    def _near(self, name: str) -> str:
        """The names that look most like one that is none; empty if none does."""
        known = [row["name"] for row in self.rows("names", ["name"])]
        known += [row["label"] for row in self.rows("entities", ["label"])]  # last: of two spellings an entity's own
        names = {entity_key(one): one for one in known}
        near = [repr(names[key]) for key in get_close_matches(entity_key(name), names, n=2, cutoff=_NEAR)]
        return f" (did you mean {' or '.join(near)}?)" if near else ""

    # What the build has

    def rows(self, table: str, columns: list[str] | None = None, **wanted: Any) -> list[dict[str, Any]]:
        """The rows of a table in which columns have a value, or one of a list."""
        chosen = None
        for column, value in wanted.items():
            listed = pa.array(value, pa.string()) if isinstance(value, list) else None
            is_it = pc.field(column) == value if listed is None else pc.field(column).isin(listed)
            chosen = is_it if chosen is None else chosen & is_it
        found = self.store.storage.dataset(f"{layout.TABLES}/{table}").to_table(filter=chosen, columns=columns)
        return (found if columns else conform(table, found)).to_pylist()

    def rejects(self, doc_id: str) -> list[dict[str, Any]]:
        """What is said of a document that was not kept, by its id, or by its file where it had none."""
        return [*self.rows("rejects", doc_id=doc_id), *self.rows("rejects", source=doc_id, doc_id="")]

    @cached_property
    def decisions(self) -> Decisions:
        """What people decide now, where the file is still there."""
        with suppress(KgmillError):
            return Decisions.load(Path(self.config.decisions)) if self.config.decisions else Decisions()
        return Decisions()

    def decisions_on(self, fact: str, made: Sequence[OfFact]) -> list[OfFact]:
        """Those of the decisions that mean a fact; by its names only where the ontology is still that of the build."""
        ontology = self.remembered.ontology
        if ontology is None:
            return [one for one in made if one.fact == fact]
        known = [one for one in made if one.fact or one.relation in ontology.relations]
        meant = meant_facts(known, ontology, self.store.live("resolve"))
        return [one for one, facts in zip(known, meant, strict=True) if facts == {fact}]

    def document(self, doc_id: str) -> Document | None:
        """A document that was kept."""
        table = self.store.storage.dataset(f"{layout.TABLES}/documents").to_table(filter=pc.field("doc_id") == doc_id)
        found: Document | None = next(from_table("documents", table), None)
        return found

    def labels(self, ids: Iterable[str]) -> dict[str, str]:
        """The labels of entities."""
        rows = self.rows("entities", ["entity_id", "label"], entity_id=sorted(set(ids)))
        return {row["entity_id"]: row["label"] for row in rows}

    def sentence_places(self, doc_ids: set[str]) -> dict[tuple[str, int], tuple[int, int]]:
        """Where sentences begin and end that hold candidates."""
        found = {}
        for part in self.store.live("extract"):
            unit = Unit.parse(part.unit)
            if any(Unit.of(doc_id, unit.bits) == unit for doc_id in doc_ids):
                table = part.read("sentences", ["doc_id", "sentence", "begin", "end"])
                for row in table.filter(pc.field("doc_id").isin(sorted(doc_ids))).to_pylist():
                    found[row["doc_id"], row["sentence"]] = (row["begin"], row["end"])
        return found

    def candidates(self, document: Document) -> list[tuple[dict[str, Any], Any]]:
        """A document's sentences with their candidates; with None, where it is not known what decided."""
        part = self._part("extract", document)
        table = part.read("sentences").filter(pc.field("doc_id") == document.doc_id)
        if decoding := self.remembered.decoding:
            n_types = len(decoding.columns.entities), len(decoding.columns.relations)
            return list(sentence_candidates(table, n_types))
        return [(row, None) for row in table.select(["sentence", "begin", "end"]).to_pylist()]

    def links(self, document: Document) -> list[Link]:
        """What joins two sentences of a document; none, where it is not known what decided."""
        part, decoding = self._part("extract", document), self.remembered.decoding
        if not decoding:
            return []
        table = read_table(part, "links").filter(pc.field("doc_id") == document.doc_id)
        return [link for _, link in sentence_links(table, len(decoding.columns.relations))]

    def ends(self, document: Document, ontology: Ontology) -> list[End]:
        """A document's mentions with what relations speak of: the thing that all documents' names mean together."""
        named, resolved = self._part("names", document), self._part("resolve", document)
        sentences, mentions = named.read("sentences"), named.read("mentions")
        rows = [row for row, doc_id in enumerate(values(sentences["doc_id"])) if doc_id == document.doc_id]
        mentions = mentions.filter(pc.is_in(mentions["row"], pa.array(rows, pa.int64())))
        return ends_of(ontology, sentences, mentions, resolved.read("resolved"))

    def _part(self, job: str, document: Document) -> Part:
        """The part of a job that a document is in; `check_finished` has seen that none is gone."""
        for part in self.store.live(job):
            unit = Unit.parse(part.unit)
            if Unit.of(document.doc_id, unit.bits) == unit:
                return part
        raise CorruptPartError(f"{self.store.where}: no {job} part has document {document.doc_id!r}; build again")
