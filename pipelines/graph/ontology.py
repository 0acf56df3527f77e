"""The ontology as a Turtle file: the types of the ontology file, and kgmill's own terms."""

from __future__ import annotations

from rdflib import OWL, RDF, RDFS, SDO, SKOS, XSD, Graph, Literal, URIRef

from kgmill.pipelines.graph.small import content_hash
from kgmill.pipelines.graph.vocabulary import KGMILL, TERMS, Namespace, Term
from kgmill.schemas.literals import DATATYPES
from kgmill.schemas.ontology import NamedType, Ontology, RelationType

_HEADER = (
    "Classes and properties of a knowledge graph that kgmill extracted from text. All offsets (nif:beginIndex, "
    "nif:endIndex and char= in the IRIs of spans) count Unicode code points of the stored text, from 0, with the end "
    "exclusive. Languages that count UTF-16 units, such as Java and JavaScript, have to convert them where the text "
    "holds characters above U+FFFF."
)
_SUPER = {OWL.Class: RDFS.subClassOf, OWL.ObjectProperty: RDFS.subPropertyOf, OWL.DatatypeProperty: RDFS.subPropertyOf}
_KINDS = {"class": OWL.Class, "object": OWL.ObjectProperty, "datatype": OWL.DatatypeProperty}

_CHARACTERS = {
    "symmetric": OWL.SymmetricProperty,
    "functional": OWL.FunctionalProperty,
    "transitive": OWL.TransitiveProperty,
}


def ontology_turtle(ns: Namespace, ontology: Ontology) -> str:
    """The text of `ontology.ttl`: equal for equal arguments."""
    return ontology_graph(ns, ontology).serialize(format="turtle")


def ontology_graph(ns: Namespace, ontology: Ontology) -> Graph:
    """The ontology's types and kgmill's own terms, without blank nodes.

    The types that a relation may join are schema:domainIncludes and schema:rangeIncludes: several rdfs:domain would
    mean their intersection, and a reasoner would assert it of every subject. A relation whose tails are values is an
    owl:DatatypeProperty; the class of a literal type is that of its mentions.

    What is said of types of this ontology among themselves has the words of RDFS and OWL: rdfs:subClassOf and
    rdfs:subPropertyOf for a parent, owl:inverseOf from either side, owl:FunctionalProperty, owl:TransitiveProperty.

    Terms of others are tied with what RDFS and OWL have for it: owl:equivalentClass or owl:equivalentProperty;
    rdfs:subClassOf or rdfs:subPropertyOf from ours to the broader and from the narrower to ours, so that a reasoner
    finds the triples that say less; skos:closeMatch, from which no triple follows.

    The version IRI is a hash of all other triples: the same content is the same version, whenever it was written.
    """
    graph = Graph(bind_namespaces="none")
    prefixes = {
        "owl": OWL,
        "rdf": RDF,
        "rdfs": RDFS,
        "schema": SDO,
        "skos": SKOS,
        "xsd": XSD,
        "v": f"{ns.vocabulary}#",
        "x": KGMILL,
    }
    for prefix, namespace in prefixes.items():
        graph.bind(prefix, namespace, override=True, replace=True)
    header = URIRef(ns.vocabulary)
    graph.add((header, RDF.type, OWL.Ontology))
    graph.add((header, RDFS.label, Literal(ontology.name)))
    graph.add((header, RDFS.comment, Literal(_HEADER)))
    for name, entity_type in ontology.entities.items():
        node = URIRef(ns.class_iri(name))
        _add_type(graph, node, OWL.Class, name, entity_type)
        if entity_type.parent:
            graph.add((node, RDFS.subClassOf, URIRef(ns.class_iri(entity_type.parent))))
    for name, relation_type in ontology.relations.items():
        _add_relation(graph, ns, name, relation_type)
    for term in TERMS:
        _add_term(graph, ns, term)
    graph.add((header, OWL.versionIRI, URIRef(ns.ontology_version(content_hash(graph)))))
    return graph


def _describe(graph: Graph, node: URIRef, kind: URIRef, label: str, comment: str) -> None:
    graph.add((node, RDF.type, kind))
    graph.add((node, RDFS.label, Literal(label)))
    if comment:
        graph.add((node, RDFS.comment, Literal(comment)))


def _add_type(graph: Graph, node: URIRef, kind: URIRef, name: str, named: NamedType) -> None:
    """A type of the ontology, and what it says of the terms of others that stand beside it."""
    _describe(graph, node, kind, named.label or name, named.comment)
    for language, label in named.labels.items():
        graph.add((node, RDFS.label, Literal(label, lang=language)))
    is_same = OWL.equivalentClass if kind == OWL.Class else OWL.equivalentProperty
    for verb, others in ((is_same, named.equivalent), (_SUPER[kind], named.broader), (SKOS.closeMatch, named.close)):
        for other in others:
            graph.add((node, verb, URIRef(other)))
    for other in named.narrower:
        graph.add((URIRef(other), _SUPER[kind], node))


def _add_relation(graph: Graph, ns: Namespace, name: str, relation_type: RelationType) -> None:
    node = URIRef(ns.property_iri(name))
    literals = {ns.ontology.entities[tail].literal for tail in relation_type.tail} - {""}
    _add_type(graph, node, OWL.DatatypeProperty if literals else OWL.ObjectProperty, name, relation_type)
    for head in relation_type.head:
        graph.add((node, SDO.domainIncludes, URIRef(ns.class_iri(head))))
    ranges = [iri for kind in literals for iri in DATATYPES[kind]] or map(ns.class_iri, relation_type.tail)
    for iri in ranges:
        graph.add((node, SDO.rangeIncludes, URIRef(iri)))
    if relation_type.parent:
        graph.add((node, RDFS.subPropertyOf, URIRef(ns.property_iri(relation_type.parent))))
    if relation_type.inverse:
        other = URIRef(ns.property_iri(relation_type.inverse))
        graph.add((node, OWL.inverseOf, other))
        graph.add((other, OWL.inverseOf, node))
    for key, kind in _CHARACTERS.items():
        if getattr(relation_type, key):
            graph.add((node, RDF.type, kind))


def _add_term(graph: Graph, ns: Namespace, term: Term) -> None:
    node = URIRef(ns.term(term.name))
    _describe(graph, node, _KINDS[term.kind], term.label, term.comment)
    graph.add((node, RDFS.isDefinedBy, URIRef(KGMILL)))
    if term.name == "AggregatedStatement":
        graph.add((node, RDFS.subClassOf, RDF.Statement))
