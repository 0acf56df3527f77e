"""The lines of graph.nq.gz in the other syntaxes of RDF: by pyoxigraph, a quad at a time, whatever the graph's size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pyoxigraph as ox

from kgmill.pipelines.graph.formats import Graph
from kgmill.pipelines.graph.gzipped import open_gzip
from kgmill.pipelines.graph.lines import iri
from kgmill.pipelines.graph.vocabulary import (
    DCAT,
    DCTERMS,
    ITSRDF,
    KGMILL,
    NIF,
    OWL,
    PROV,
    RDF,
    RDFS,
    SCHEMA,
    SKOS,
    VOID,
    Namespace,
)
from kgmill.schemas.literals import XSD

_PREFIXES = {
    "dcat": DCAT,
    "dcterms": DCTERMS,
    "itsrdf": ITSRDF,
    "nif": NIF,
    "owl": OWL,
    "prov": PROV,
    "rdf": RDF,
    "rdfs": RDFS,
    "schema": SCHEMA,
    "sh": "http://www.w3.org/ns/shacl#",
    "skos": SKOS,
    "void": VOID,
    "x": KGMILL,
    "xsd": XSD,
}


def quads(graph: Graph) -> Iterator[ox.Quad]:
    """All quads of a graph, in the order of graph.nq.gz."""
    return chain.from_iterable(ox.parse(stream, format=ox.RdfFormat.N_QUADS) for stream in graph.streams())


def write_rdf(path: Path, said: Iterable[ox.Quad] | Iterable[ox.Triple], form: ox.RdfFormat, ns: Namespace) -> None:
    """Writes quads or triples, whichever the syntax is made for, as one gzip member, with the dataset's prefixes."""
    with open_gzip(path) as file:
        ox.serialize(said, file, form, prefixes=prefixes(ns))


def prefixes(ns: Namespace) -> dict[str, str]:
    """The prefixes of a dataset's files: those of `kgmill query`, and those of the vocabularies it uses."""
    own = {"d": f"{ns.dataset_iri}/doc/", "e": ns.entity(""), "g": ns.graph(""), "v": f"{ns.vocabulary}#"}
    return {**_PREFIXES, **own, "s": f"{ns.dataset_iri}/statement/"}


def kg_lines(graph: Graph) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Subject, predicate and object, as terms, of each line of graph/kg."""
    end = f" {iri(graph.ns.graph('kg'))} .\n".encode()
    for line in graph.lines():
        if line.endswith(end):
            subject, predicate, value = line.removesuffix(end).split(b" ", 2)
            yield subject, predicate, value


def ntriples(triples: Iterable[tuple[bytes, bytes, bytes]]) -> Iterator[bytes]:
    """Triples of terms as lines of N-Triples."""
    return (b"%b %b %b .\n" % triple for triple in triples)


def said_of_entities(graph: Graph) -> Iterator[tuple[bytes, bytes, bytes]]:
    """What graph/kg says of entities as plain triples: types, names, what others call them, and asserted facts.

    It is neither the statements of facts nor what is counted of entities.
    """
    entity, counted = f"<{graph.ns.entity('')}".encode(), f"<{KGMILL}".encode()
    for subject, predicate, value in kg_lines(graph):
        if subject.startswith(entity) and not predicate.startswith(counted):
            yield subject, predicate, value


def without_graph(line: bytes) -> bytes:
    """The line of N-Triples that a line of N-Quads is without its graph."""
    return line.rsplit(b" ", 2)[0] + b" .\n"
