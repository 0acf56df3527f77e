"""shapes.ttl: the shapes in SHACL (https://www.w3.org/TR/shacl/), without blank nodes: its lists have names too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rdflib import OWL, RDF, RDFS, SH, XSD, Graph, Literal, URIRef
from rdflib.term import Node

from kgmill.pipelines.graph.shapes import Property, Shape, shapes_of
from kgmill.pipelines.graph.vocabulary import DCTERMS, ITSRDF, KGMILL, NIF, PROV, Namespace

_HEADER = (
    "What every graph of this ontology keeps to. Validate it together with ontology.ttl: classes are below one another."
)


def shapes_turtle(ns: Namespace) -> str:
    """The text of `shapes.ttl`: equal for equal names and ontologies."""
    return shapes_graph(ns).serialize(format="turtle")


def shapes_graph(ns: Namespace) -> Graph:
    """The shapes of `kgmill.pipelines.graph.shapes` as SHACL."""
    graph = Graph(bind_namespaces="none")
    own = {"v": f"{ns.vocabulary}#", "shape": ns.shape(""), "x": KGMILL}
    others = {"dcterms": DCTERMS, "itsrdf": ITSRDF, "nif": NIF, "owl": OWL, "prov": PROV, "rdf": RDF, "rdfs": RDFS}
    for prefix, namespace in {**own, **others, "sh": SH, "xsd": XSD}.items():
        graph.bind(prefix, str(namespace), override=True, replace=True)
    header = URIRef(ns.shapes)
    graph.add((header, RDF.type, OWL.Ontology))
    graph.add((header, RDFS.label, Literal(f"shapes of {ns.ontology.name}")))
    graph.add((header, RDFS.comment, Literal(_HEADER)))
    for shape in shapes_of(ns):
        _add_shape(graph, ns, shape)
    return graph


def _add_shape(graph: Graph, ns: Namespace, shape: Shape) -> None:
    node = URIRef(ns.shape(shape.name))
    graph.add((node, RDF.type, SH.NodeShape))
    target = SH.targetClass if shape.of == "class" else SH.targetSubjectsOf
    graph.add((node, target, URIRef(shape.target)))
    _add_choice(graph, node, SH["class"], shape.classes)
    for each in shape.properties:
        graph.add((node, SH.property, URIRef(ns.shape(each.name))))
        _add_property(graph, URIRef(ns.shape(each.name)), each)


def _add_property(graph: Graph, node: URIRef, wanted: Property) -> None:
    graph.add((node, RDF.type, SH.PropertyShape))
    graph.add((node, SH.path, URIRef(wanted.path)))
    said = {
        SH.minCount: 1 if wanted.is_needed else None,
        SH.maxCount: 1 if wanted.is_single else None,
        SH.minInclusive: wanted.low,
        SH.maxInclusive: wanted.high,
        SH.pattern: wanted.pattern or None,
    }
    for verb, value in said.items():
        if value is not None:
            graph.add((node, verb, Literal(value)))
    _add_choice(graph, node, SH.datatype, wanted.datatypes)
    _add_choice(graph, node, SH["class"], wanted.classes)
    if wanted.values:
        graph.add((node, SH["in"], _list(graph, f"{node}.in", map(URIRef, wanted.values))))


def _add_choice(graph: Graph, node: URIRef, verb: URIRef, iris: Sequence[str]) -> None:
    """One of the IRIs has to be that of the class, or of the datatype; none: whatever it is."""
    if len(iris) == 1:
        graph.add((node, verb, URIRef(iris[0])))
    elif iris:
        choices = [URIRef(f"{node}.or.{i}") for i in range(len(iris))]
        for choice, name in zip(choices, iris, strict=True):
            graph.add((choice, verb, URIRef(name)))
        graph.add((node, SH["or"], _list(graph, f"{node}.or", choices)))


def _list(graph: Graph, name: str, items: Iterable[Node]) -> URIRef:
    """An RDF list whose nodes have names."""
    rest: URIRef = RDF.nil
    found = list(items)
    for i in range(len(found), 0, -1):
        node = URIRef(f"{name}.list.{i}")
        graph.add((node, RDF.first, found[i - 1]))
        graph.add((node, RDF.rest, rest))
        rest = node
    return rest
