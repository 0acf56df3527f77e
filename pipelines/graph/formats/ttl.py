"""graph.ttl.gz: the triples of all named graphs as Turtle, for what knows no named graphs."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import Any

import pyoxigraph as ox

from kgmill.pipelines.graph.formats import Graph, GraphFormat
from kgmill.pipelines.graph.rdf import quads, write_rdf


def write(graph: Graph, path: Path) -> dict[str, Any]:
    """Writes all triples, those of two graphs twice."""
    write_rdf(path, map(attrgetter("triple"), quads(graph)), ox.RdfFormat.TURTLE, graph.ns)
    return {}


FORMAT = GraphFormat("graph.ttl.gz", write, reads="quads")
