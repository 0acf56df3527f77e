"""What a run changed of the facts, from what it left in DIR/changes."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, Any, cast
from urllib.parse import unquote

from pyoxigraph import Literal, NamedNode, RdfFormat, parse

from kgmill.pipelines.graph.vocabulary import KGMILL, RDF, RDFS
from kgmill.pipelines.output import layout
from kgmill.pipelines.output.ledger import run_name
from kgmill.pipelines.output.parts import Store

ADDED, REMOVED = "added", "removed"
_STATEMENT = "/statement/a-"
_TYPE, _LABEL = RDF + "type", RDFS + "label"
_KINDS = {
    RDF + "subject": "head",
    RDF + "predicate": "relation",
    RDF + "object": "tail",
    KGMILL + "confidence": "confidence",
}


@dataclass(slots=True)
class Side:
    """What came or went: the statements that are wholly new or gone, what was said of others, and labels.

    Attributes:
        facts: ids of facts whose statement came or went; it may only have got another name.
        told: by fact id the head, relation, tail and confidence, as far as these quads say them: ends and relations by
            what their IRIs end in, values by their text, with a datatype.
        labels: of entities, by id.
    """

    facts: set[str] = field(default_factory=set)
    told: dict[str, dict[str, str]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changes:
    """What one run changed.

    Attributes:
        before, after: what went and what came; a fact in the `facts` of both was neither removed nor added.
    """

    before: Side
    after: Side

    @property
    def added(self) -> list[str]:
        """Ids of the facts that are new, sorted."""
        return sorted(self.after.facts - self.before.facts)

    @property
    def removed(self) -> list[str]:
        """Ids of the facts that are gone, sorted."""
        return sorted(self.before.facts - self.after.facts)


def changes_of(store: Store, run: str) -> Changes | None:
    """What the run of this start, or of this name, changed of the facts; None where it kept no changes.

    A first build keeps none, as all of it is new, nor does a run that changed no quad.
    """
    sides = []
    for side in (REMOVED, ADDED):
        name = f"{layout.CHANGES}/{run_name(run)}.{side}.nq.gz"
        if not store.storage.has(name):
            return None
        sides.append(_side(_quads(store.storage.read(name))))
    return Changes(*sides)


def _quads(data: bytes) -> Iterator[Any]:
    yield from parse(cast("IO[bytes]", gzip.GzipFile(fileobj=BytesIO(data))), format=RdfFormat.N_QUADS)


def _side(quads: Iterator[Any]) -> Side:
    side = Side()
    for quad in quads:
        if not isinstance(quad.subject, NamedNode):
            continue
        subject, predicate = quad.subject.value, quad.predicate.value
        _, is_statement, fact = subject.rpartition(_STATEMENT)
        if is_statement:
            if predicate == _TYPE and quad.object.value == KGMILL + "AggregatedStatement":
                side.facts.add(fact)
            elif kind := _KINDS.get(predicate):
                told = side.told.setdefault(fact, {})
                told[kind] = _last(quad.object)
                if kind == "tail" and isinstance(quad.object, Literal):
                    told["datatype"] = quad.object.datatype.value
        elif predicate == _LABEL and "/entity/" in subject:
            side.labels[_last(quad.subject)] = quad.object.value
    return side


def _last(term: NamedNode | Literal) -> str:
    """What an IRI ends in, behind the last `#`, `/` or `:`; a literal's text."""
    if isinstance(term, Literal):
        return term.value
    return unquote(min((term.value.rpartition(mark)[2] for mark in "#/:"), key=len))
