"""graph.jsonld.gz: the whole dataset as JSON-LD, in expanded form: whole IRIs, so that no context has to be fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyoxigraph as ox

from kgmill.pipelines.graph.formats import Graph, GraphFormat
from kgmill.pipelines.graph.rdf import quads, write_rdf


def write(graph: Graph, path: Path) -> dict[str, Any]:
    """Writes all quads."""
    write_rdf(path, quads(graph), ox.RdfFormat.JSON_LD, graph.ns)
    return {}


FORMAT = GraphFormat("graph.jsonld.gz", write, reads="quads")
