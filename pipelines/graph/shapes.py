"""What every graph keeps to, told once from the ontology: `shacl` makes shapes.ttl of it, `checks` SPARQL.

A shape says of which nodes it is and what each property of them has to be. What a relation may join is closed here; in
ontology.ttl, which reasoners read, it is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kgmill.pipelines.graph.vocabulary import DCTERMS, ITSRDF, NIF, PROV, RDF, RDFS, Namespace
from kgmill.schemas.axioms import lineage
from kgmill.schemas.literals import DATATYPES, XSD

_STRING = (f"{XSD}string",)
_INTEGER = (f"{XSD}integer", f"{XSD}nonNegativeInteger")  # stores keep the first; NIF's own files have the second
_DECIMAL = (f"{XSD}decimal",)


@dataclass(frozen=True, slots=True)
class Property:
    """What the values of one property have to be.

    Attributes:
        name: of the shape; unique.
        path: the property's IRI.
        is_needed, is_single: there is one at least, one at most.
        datatypes: IRIs, one of which each value has.
        classes: IRIs, of one of which each value is an instance.
        values: IRIs, one of which each value is.
        low, high: the least and the greatest number that a value may be.
        pattern: a regular expression that each value matches.
    """

    name: str
    path: str
    is_needed: bool = False
    is_single: bool = False
    datatypes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """What nodes have to be.

    Attributes:
        name: unique.
        of: whether `target` is a class, of whose instances the shape is, or a property, of whose subjects.
        classes: IRIs, of one of which each node is an instance; empty: whatever it is.
    """

    name: str
    of: Literal["class", "subjects"]
    target: str
    classes: tuple[str, ...] = ()
    properties: tuple[Property, ...] = ()


def shapes_of(ns: Namespace) -> list[Shape]:
    """A shape for each class of entities, each property, and each kind of node that evidence is made of."""
    return [*_entities(ns), *_heads(ns), _fact(ns), _extraction(ns), _mention(ns), *_texts(ns)]


def below(ns: Namespace) -> dict[str, list[str]]:
    """For each class of the ontology its IRI and those of the classes that are below it."""
    entities = ns.ontology.entities
    found: dict[str, list[str]] = {ns.class_iri(name): [] for name in entities}
    for name in entities:
        for above in lineage(name, entities):
            found[ns.class_iri(above)].append(ns.class_iri(name))
    return found


def _entities(ns: Namespace) -> list[Shape]:
    """Of each class what all entities have, and what each relation that they may head leads to."""
    shared = (
        Property("label", f"{RDFS}label", True, True, _STRING),
        _count(ns, "entity", "mentionCount"),
        _count(ns, "entity", "documentCount"),
        _confidence(ns, "entity"),
    )
    shapes = []
    for name, kind in ns.ontology.entities.items():
        heads = [_tail(ns, relation) for relation, r in ns.ontology.relations.items() if name in r.head]
        if not kind.literal:
            shapes.append(Shape(f"class-{name}", "class", ns.class_iri(name), (), (*shared, *heads)))
    return shapes


def _tail(ns: Namespace, relation: str) -> Property:
    types = ns.ontology.relations[relation].tail
    kinds = {ns.ontology.entities[name].literal for name in types} - {""}
    datatypes = tuple(datatype for kind in sorted(kinds) for datatype in DATATYPES[kind])
    classes = () if datatypes else tuple(map(ns.class_iri, types))
    return Property(f"tail-{relation}", ns.property_iri(relation), datatypes=datatypes, classes=classes)


def _heads(ns: Namespace) -> list[Shape]:
    return [
        Shape(f"head-{name}", "subjects", ns.property_iri(name), tuple(map(ns.class_iri, relation.head)))
        for name, relation in ns.ontology.relations.items()
    ]


def _fact(ns: Namespace) -> Shape:
    return Shape(
        "fact",
        "class",
        ns.term("AggregatedStatement"),
        properties=(
            Property("fact-subject", f"{RDF}subject", True, True, classes=_entity_classes(ns)),
            Property("fact-predicate", f"{RDF}predicate", True, True, values=_properties(ns)),
            Property("fact-object", f"{RDF}object", True, True),
            _confidence(ns, "fact"),
            _count(ns, "fact", "evidenceCount"),
            _count(ns, "fact", "documentCount"),
            Property("fact-conflict", ns.term("conflictShare"), False, True, _DECIMAL, low=0, high=1),
            Property("fact-overruled", ns.term("overruledBy"), False, True, classes=(ns.term("AggregatedStatement"),)),
            Property("fact-evidence", f"{PROV}wasDerivedFrom", True, classes=(ns.term("Extraction"),)),
        ),
    )


def _extraction(ns: Namespace) -> Shape:
    ends = [
        Property(f"extraction-{name}", ns.term(name), True, True, classes=kinds)
        for name, kinds in (
            ("subjectMention", (f"{NIF}Phrase",)),
            ("objectMention", (f"{NIF}Phrase",)),
            ("sentence", (f"{NIF}Sentence", ns.term("Passage"))),
        )
    ]
    return Shape(
        "extraction",
        "class",
        ns.term("Extraction"),
        properties=(
            Property("extraction-property", ns.term("property"), True, True, values=_properties(ns)),
            *ends,
            _confidence(ns, "extraction"),
            Property("extraction-activity", f"{PROV}wasGeneratedBy", True, True, classes=(f"{PROV}Activity",)),
        ),
    )


def _mention(ns: Namespace) -> Shape:
    """A mention may be of two types at once, and then has two confidences; that of a value names no entity."""
    classes = tuple(map(ns.class_iri, ns.ontology.entities))
    return Shape(
        "mention",
        "class",
        f"{NIF}Phrase",
        properties=(
            *_span("mention"),
            Property("mention-text", f"{NIF}anchorOf", True, True, _STRING),
            Property("mention-sentence", f"{NIF}sentence", classes=(f"{NIF}Sentence",)),
            Property("mention-class", f"{ITSRDF}taClassRef", True, values=classes),
            Property("mention-confidence", f"{ITSRDF}taConfidence", True, datatypes=_DECIMAL, low=0, high=1),
            Property("mention-entity", f"{ITSRDF}taIdentRef", classes=_entity_classes(ns)),
        ),
    )


def _texts(ns: Namespace) -> list[Shape]:
    """Sentences, whole texts and documents; how much of their text there is was the build's to choose."""
    document = ns.term("Document")
    sentence = Property("sentence-text", f"{NIF}anchorOf", False, True, _STRING)
    whole = (
        Property("context-document", f"{NIF}sourceUrl", True, True, classes=(document,)),
        Property("context-text", f"{NIF}isString", False, True, _STRING),
    )
    said = (
        Property("document-source", f"{DCTERMS}source", True),
        Property("document-sha256", ns.term("textSha256"), True, True, _STRING, pattern="^[0-9a-f]{64}$"),
    )
    passage = Property("passage-text", f"{NIF}anchorOf", False, True, _STRING)
    return [
        Shape("sentence", "class", f"{NIF}Sentence", properties=(*_span("sentence"), sentence)),
        Shape("passage", "class", ns.term("Passage"), properties=(*_span("passage"), passage)),
        Shape("context", "class", f"{NIF}Context", properties=(*_span("context"), *whole)),
        Shape("document", "class", document, properties=said),
    ]


def _span(of: str) -> list[Property]:
    ends = [Property(f"{of}-{name}", NIF + name, True, True, _INTEGER, low=0) for name in ("beginIndex", "endIndex")]
    return [*ends, Property(f"{of}-context", f"{NIF}referenceContext", True, True, classes=(f"{NIF}Context",))]


def _count(ns: Namespace, of: str, name: str) -> Property:
    return Property(f"{of}-{name}", ns.term(name), True, True, _INTEGER, low=1)


def _confidence(ns: Namespace, of: str) -> Property:
    return Property(f"{of}-confidence", ns.term("confidence"), True, True, _DECIMAL, low=0, high=1)


def _entity_classes(ns: Namespace) -> tuple[str, ...]:
    return tuple(ns.class_iri(name) for name, kind in ns.ontology.entities.items() if not kind.literal)


def _properties(ns: Namespace) -> tuple[str, ...]:
    return tuple(map(ns.property_iri, ns.ontology.relations))
