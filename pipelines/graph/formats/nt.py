"""graph.nt.gz: the triples of all named graphs as N-Triples, a line a triple, for what knows no named graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kgmill.pipelines.graph.formats import Graph, GraphFormat
from kgmill.pipelines.graph.gzipped import write_gzip_bytes
from kgmill.pipelines.graph.rdf import without_graph


def write(graph: Graph, path: Path) -> dict[str, Any]:
    """Writes all triples, those of two graphs twice."""
    write_gzip_bytes(path, map(without_graph, graph.lines()))
    return {}


FORMAT = GraphFormat("graph.nt.gz", write, reads="quads")
