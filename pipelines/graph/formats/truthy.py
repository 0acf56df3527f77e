"""truthy.nt.gz: entities with their types and names, and the facts that are asserted; what most people load first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kgmill.pipelines.graph.formats import Graph, GraphFormat
from kgmill.pipelines.graph.gzipped import write_gzip_bytes
from kgmill.pipelines.graph.rdf import ntriples, said_of_entities


def write(graph: Graph, path: Path) -> dict[str, Any]:
    """Writes plain triples of graph/kg: no statements, no evidence, no counts."""
    write_gzip_bytes(path, ntriples(said_of_entities(graph)))
    return {}


FORMAT = GraphFormat("truthy.nt.gz", write, reads="quads")
