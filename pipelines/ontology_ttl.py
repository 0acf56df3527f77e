"""The ontology as a Turtle file: the types of the ontology file, and kgmill's own terms."""

from __future__ import annotations

from rdflib import OWL, RDF, RDFS, SDO, Graph, Literal, URIRef

from pipelines.vocabulary import KGMILL, TERMS, Namespace, Term
from schemas.ontology import Ontology, RelationType

_HEADER = (
    "Classes and properties of a knowledge graph that kgmill extracted from text. All offsets (nif:beginIndex, "
    "nif:endIndex and char= in the IRIs of spans) count Unicode code points of the stored text, from 0, with the end "
    "exclusive. Languages that count UTF-16 units, such as Java and JavaScript, have to convert them where the text "
    "holds characters above U+FFFF."
)
_KINDS = {"class": OWL.Class, "object": OWL.ObjectProperty, "datatype": OWL.DatatypeProperty}


def ontology_turtle(ns: Namespace, ontology: Ontology) -> str:
    """The text of `ontology.ttl`: equal for equal arguments."""
    return ontology_graph(ns, ontology).serialize(format="turtle")


def ontology_graph(ns: Namespace, ontology: Ontology) -> Graph:
    """The ontology's types and kgmill's own terms, without blank nodes.

    The types that a relation may join are schema:domainIncludes and schema:rangeIncludes: several rdfs:domain would
    mean their intersection, and a reasoner would assert it of every subject.
    """
    graph = Graph(bind_namespaces="none")
    prefixes = {"owl": OWL, "rdf": RDF, "rdfs": RDFS, "schema": SDO, "v": f"{ns.vocabulary}#", "x": KGMILL}
    for prefix, namespace in prefixes.items():
        graph.bind(prefix, namespace, override=True, replace=True)
    header = URIRef(ns.vocabulary)
    graph.add((header, RDF.type, OWL.Ontology))
    graph.add((header, RDFS.label, Literal(ontology.name)))
    graph.add((header, RDFS.comment, Literal(_HEADER)))
    for name, entity_type in ontology.entities.items():
        _describe(graph, URIRef(ns.class_iri(name)), OWL.Class, entity_type.label or name, entity_type.comment)
    for name, relation_type in ontology.relations.items():
        _add_relation(graph, ns, name, relation_type)
    for term in TERMS:
        _add_term(graph, ns, term)
    return graph


def _describe(graph: Graph, node: URIRef, kind: URIRef, label: str, comment: str) -> None:
    graph.add((node, RDF.type, kind))
    graph.add((node, RDFS.label, Literal(label)))
    if comment:
        graph.add((node, RDFS.comment, Literal(comment)))


def _add_relation(graph: Graph, ns: Namespace, name: str, relation_type: RelationType) -> None:
    node = URIRef(ns.property_iri(name))
    _describe(graph, node, OWL.ObjectProperty, relation_type.label or name, relation_type.comment)
    for head in relation_type.head:
        graph.add((node, SDO.domainIncludes, URIRef(ns.class_iri(head))))
    for tail in relation_type.tail:
        graph.add((node, SDO.rangeIncludes, URIRef(ns.class_iri(tail))))
    if relation_type.symmetric:
        graph.add((node, RDF.type, OWL.SymmetricProperty))


def _add_term(graph: Graph, ns: Namespace, term: Term) -> None:
    node = URIRef(ns.term(term.name))
    _describe(graph, node, _KINDS[term.kind], term.label, term.comment)
    graph.add((node, RDFS.isDefinedBy, URIRef(KGMILL)))
    if term.name == "AggregatedStatement":
        graph.add((node, RDFS.subClassOf, RDF.Statement))
