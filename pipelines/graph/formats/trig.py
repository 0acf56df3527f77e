"""graph.trig.gz: the whole dataset as TriG, which people can read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyoxigraph as ox

from kgmill.pipelines.graph.formats import Graph, GraphFormat
from kgmill.pipelines.graph.rdf import quads, write_rdf


def write(graph: Graph, path: Path) -> dict[str, Any]:
    """Writes all quads."""
    write_rdf(path, quads(graph), ox.RdfFormat.TRIG, graph.ns)
    return {}


FORMAT = GraphFormat("graph.trig.gz", write, reads="quads")
