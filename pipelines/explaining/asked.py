"""A finished build that is asked: what it holds, and which thing in it is meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow.compute as pc

from kgmill.extractor.modelfolder import find_model
from kgmill.pipelines.checks import check_finished, decoding_of
from kgmill.pipelines.explaining.verdicts import Decoding
from kgmill.pipelines.output import layout
from kgmill.pipelines.output.forgotten import read_forgotten
from kgmill.pipelines.output.format import check_readable
from kgmill.pipelines.output.ledger import last_run
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.stages.candidates import sentence_candidates
from kgmill.pipelines.stages.names import Settings
from kgmill.pipelines.stages.stage import NAMES
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.decisions import Decisions
from kgmill.schemas.errors import KgmillError, UsageError
from kgmill.schemas.identity import entity_key, fingerprint
from kgmill.schemas.records import Document
from kgmill.schemas.tables import conform, from_table
from kgmill.schemas.units import Unit

_IRI = re.compile(r"<?[^<>\s]*?(?:/(?P<kind>entity|doc|statement)/(?P<id>[^<>\s#]+)|$)[^<>\s]*>?")


@dataclass(frozen=True, slots=True)
class Thing:
    """What is asked for: its kind (`entity`, `fact` or `document`) and id."""

    kind: str
    id: str


class Finished:
    """A finished build that is asked.

    Raises:
        UsageError: there is none.
    """

    def __init__(self, output: str) -> None:
        self.store = Store(output)
        check_readable(self.store)
        check_finished(self.store, NAMES)
        self.config = BuildConfig.load(None, last_run(self.store).get("config", {}))

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
        iri = _IRI.fullmatch(word) if ":" in word else None
        if iri and iri["kind"]:
            word = unquote(iri["id"], errors="surrogatepass") if iri["kind"] == "doc" else iri["id"]
        for kind, name in self._ids(word, iri["kind"] if iri else None):
            if name:
                return Thing(kind, name)
        found = self._named(word)
        if not found:
            raise UsageError(
                f"{self.store.where}: holds nothing called {word!r}: no id, IRI or name of an entity, no fact, no "
                "document; names are in tables/names, documents in tables/documents"
            )
        return Thing("entity", self._only(word, found))

    def _ids(self, word: str, kind: str | None) -> Iterable[tuple[str, str]]:
        bare = word.removeprefix("e:") if kind is None else word
        if kind in (None, "entity"):
            yield "entity", bare if self.rows("entities", entity_id=bare) else ""
        if kind in (None, "statement"):
            fact = word.removeprefix("a-")
            yield "fact", fact if self.rows("relations", fact_id=fact) else ""
            for row in self.rows("relations", statement_id=word.removeprefix("x-")):
                yield "fact", row["fact_id"]
        if kind in (None, "doc"):
            name = word.removeprefix("d:") if kind is None and word.startswith("d:") else word
            for asked in (word, name):
                is_known = self.rows("documents", ["doc_id"], doc_id=asked) or self.rejects(asked)
                yield "document", asked if is_known or read_forgotten(self.store).has(asked) else ""

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
        raise UsageError(
            f"{self.store.where}: no sentence says {head!r} {relation} {tail!r}; ask for a document to see why"
        )

    # What the build has

    def rows(self, table: str, columns: list[str] | None = None, **wanted: Any) -> list[dict[str, Any]]:
        """The rows of a table in which columns have a value, or one of a list."""
        chosen = None
        for column, value in wanted.items():
            is_it = pc.field(column).isin(value) if isinstance(value, list) else pc.field(column) == value
            chosen = is_it if chosen is None else chosen & is_it
        found = self.store.storage.dataset(f"{layout.TABLES}/{table}").to_table(filter=chosen, columns=columns)
        return (found if columns else conform(table, found)).to_pylist()

    def rejects(self, doc_id: str) -> list[dict[str, Any]]:
        """What is said of a document that was not kept, by its id, or by its file where it had none."""
        return [*self.rows("rejects", doc_id=doc_id), *self.rows("rejects", source=doc_id, doc_id="")]

    @cached_property
    def decoding(self) -> Decoding | None:
        """What decided, where the model's folder still is that of the build."""
        with suppress(KgmillError):
            calibration, ontology = decoding_of(self.config, find_model(self.config.model))
            named = {key: value for key, value in calibration.as_dict().items() if key != "facts"}
            settings = asdict(Settings(ontology.rules(), self.config.min_confidence, named))
            known = last_run(self.store).get("fingerprints", {})
            if all(known.get(name) == fingerprint(value) for name, value in settings.items()):
                return Decoding(ontology, calibration, self.config.min_confidence)
        return None

    @cached_property
    def decisions(self) -> Decisions:
        """What people decided, where the file is still there."""
        with suppress(KgmillError):
            return Decisions.load(Path(self.config.decisions)) if self.config.decisions else Decisions()
        return Decisions()

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
        if self.decoding:
            n_types = len(self.decoding.ontology.entities), len(self.decoding.ontology.relations)
        for part in self.store.live("extract"):
            unit = Unit.parse(part.unit)
            if Unit.of(document.doc_id, unit.bits) != unit:
                continue
            table = part.read("sentences").filter(pc.field("doc_id") == document.doc_id)
            if self.decoding:
                return list(sentence_candidates(table, n_types))
            return [(row, None) for row in table.select(["sentence", "begin", "end"]).to_pylist()]
        return []
