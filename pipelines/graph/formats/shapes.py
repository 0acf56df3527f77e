"""shapes.ttl: what every graph of the ontology keeps to, in SHACL. It is always there, beside ontology.ttl."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kgmill.pipelines.graph.formats import Graph, GraphFormat
from kgmill.pipelines.graph.shacl import shapes_turtle


def write(graph: Graph, path: Path) -> dict[str, Any]:
    """Writes the shapes."""
    path.write_text(shapes_turtle(graph.ns), encoding="utf-8")
    return {}


FORMAT = GraphFormat("shapes.ttl", write, reads="ontology", is_always=True)
