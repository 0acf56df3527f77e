"""The asserted facts in the words of another vocabulary, as far as the ontology says what they are called there.

What follows from a fact is said, and nothing else: a property that is `equivalent` to its relation or `broader`, or to
one of the relation's parents; with the ends turned, that of an `inverse`; both ways where the relation is symmetric.
Nothing follows from `narrower` and `close`. Types go the same way. What has no name there is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from kgmill.pipelines.graph.formats import Graph
from kgmill.pipelines.graph.gzipped import write_gzip_bytes
from kgmill.pipelines.graph.lines import iri
from kgmill.pipelines.graph.rdf import ntriples, said_of_entities
from kgmill.pipelines.graph.vocabulary import RDF, RDFS, SKOS
from kgmill.schemas.axioms import lineage
from kgmill.schemas.ontology import NamedType, Ontology

_TYPE = iri(RDF + "type").encode()
_KEPT = {name: iri(name).encode() for name in (f"{RDFS}label", f"{SKOS}altLabel", f"{SKOS}exactMatch")}

Triple = tuple[bytes, bytes, bytes]
Value = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A vocabulary that facts are told in.

    Attributes:
        own: the IRI as it is used in triples, of one that an ontology names; empty where it is none of this vocabulary.
        also: the vocabulary's own properties that say what rdf:type, rdfs:label, skos:altLabel and skos:exactMatch do;
            they are written beside these.
        value: a literal's term as the vocabulary writes it; empty where it has no form for it.
        tells_close: whether `close` of a relation that ends in values is as good as `equivalent`, because the form of
            the value is all that differs, and `value` sees to that.
    """

    own: Callable[[str], str]
    also: Mapping[str, str]
    value: Value
    tells_close: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """What an ontology's types are called in a vocabulary.

    Attributes:
        forward: by the name of a relation, the properties that hold from head to tail.
        turned: those that hold from tail to head.
        classes: by the name of an entity type, the classes that its entities are in.
    """

    forward: Mapping[str, tuple[str, ...]]
    turned: Mapping[str, tuple[str, ...]]
    classes: Mapping[str, tuple[str, ...]]


def words_of(ontology: Ontology, vocabulary: Vocabulary) -> Words:
    """What the types are called, in the order in which the ontology names them, each once."""
    relations, entities = ontology.relations, ontology.entities
    closely = {
        name
        for name, relation in relations.items()
        if vocabulary.tells_close and any(entities[tail].literal for tail in relation.tail)
    }
    forward = {name: _names(name, relations, vocabulary, closely) for name in relations}
    inverses: dict[str, list[str]] = {name: [] for name in relations}
    for name, relation in relations.items():
        if relation.inverse:
            inverses[name].append(relation.inverse)
            inverses[relation.inverse].append(name)
    turned = {
        name: tuple(
            dict.fromkeys(
                there
                for above in lineage(name, relations)
                for other in ([above] if relations[above].symmetric else inverses[above])
                for there in forward[other]
            )
        )
        for name in relations
    }
    return Words(forward, turned, {name: _names(name, entities, vocabulary, ()) for name in entities})


def _names(
    name: str, types: Mapping[str, NamedType], vocabulary: Vocabulary, closely: Iterable[str]
) -> tuple[str, ...]:
    """What a type is called, and what all types above it are."""
    found = []
    for above in lineage(name, types):
        kind = types[above]
        close = kind.close if above in closely else ()
        found += [vocabulary.own(there) for there in (kind.iri, *kind.equivalent, *kind.broader, *close) if there]
    return tuple(dict.fromkeys(filter(None, found)))


@dataclass
class Telling:
    """A graph as it is told in a vocabulary.

    Attributes:
        left_out: after `triples` ended: facts and types of entities, by what they lack there and their own names.
    """

    graph: Graph
    vocabulary: Vocabulary
    left_out: Counter[str] = field(default_factory=Counter)

    @cached_property
    def _words(self) -> Words:
        return words_of(self.graph.ns.ontology, self.vocabulary)

    def triples(self) -> Iterator[Triple]:
        """What is said of entities, fact by fact, no triple twice: the facts of two ends are together."""
        ns, words = self.graph.ns, self._words
        relations = {iri(ns.property_iri(name)).encode(): name for name in ns.ontology.relations}
        types = {iri(ns.class_iri(name)).encode(): name for name in ns.ontology.entities}
        classes = {term: [_term(kind) for kind in words.classes[name]] for term, name in types.items()}
        verbs = {term: self._verbs(name, term) for name, term in {f"{RDF}type": _TYPE, **_KEPT}.items()}
        ends, said = frozenset[bytes](), set[Triple]()
        for subject, predicate, value in said_of_entities(self.graph):
            if predicate == _TYPE:
                if not classes[value]:
                    self.left_out[f"no class: {types[value]}"] += 1
                yield from ((subject, verb, kind) for verb in verbs[_TYPE] for kind in classes[value])
            elif predicate in relations:
                if ends != (ends := frozenset((subject, value))):
                    said = set()
                found = dict.fromkeys(self._fact(subject, relations[predicate], value))
                yield from (triple for triple in found if triple not in said)
                said.update(found)
            else:
                yield from ((subject, verb, value) for verb in verbs[predicate])

    def _verbs(self, name: str, term: bytes) -> list[bytes]:
        also = self.vocabulary.also.get(name)
        return [term, *([_term(also)] if also else [])]

    def _fact(self, head: bytes, relation: str, value: bytes) -> Iterator[Triple]:
        forward, turned = (names[relation] for names in (self._words.forward, self._words.turned))
        is_literal = value.startswith(b'"')
        tail = self.vocabulary.value(value) if is_literal else value
        if not (forward or turned):
            self.left_out[f"no property: {relation}"] += 1
        elif not tail:
            self.left_out[f"no form of the value: {relation}"] += 1
        else:
            yield from ((head, _term(name), tail) for name in forward)
            yield from ((tail, _term(name), head) for name in turned if not is_literal)


def write_told(graph: Graph, path: Path, vocabulary: Vocabulary) -> dict[str, dict[str, int]]:
    """Writes a graph in a vocabulary as N-Triples; returns what is left out, by what it lacks."""
    told = Telling(graph, vocabulary)
    write_gzip_bytes(path, ntriples(told.triples()))
    return {"left_out": dict(sorted(told.left_out.items()))} if told.left_out else {}


def _term(name: str) -> bytes:
    return iri(name).encode()
