"""Small graphs that rdflib holds: the ontology, the shapes. They have no blank nodes: equal text is equal RDF."""

from __future__ import annotations

from hashlib import sha256

import rdflib

from kgmill.pipelines.graph.lines import iri, quad, tagged, typed
from kgmill.schemas.literals import XSD


def small_quads(triples: rdflib.Graph, graph: str) -> list[str]:
    """The lines of a small graph under the IRI of a named graph, sorted."""
    return sorted(quad(_term(s), _term(p), _term(o), iri(graph)) for s, p, o in triples)


def content_hash(triples: rdflib.Graph) -> str:
    """The first 16 hex digits of the SHA-256 of a graph's triples: the same wherever and whenever it was made."""
    return sha256("".join(small_quads(triples, "")).encode()).hexdigest()[:16]


def _term(term: rdflib.term.Node) -> str:
    if not isinstance(term, rdflib.Literal):
        return iri(str(term))
    return tagged(term, term.language) if term.language else typed(term, term.datatype or f"{XSD}string")
