"""ontology.ttl: the classes and properties, in Turtle. It is always there: all other files speak of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kgmill.pipelines.graph.formats import Graph, GraphFormat
from kgmill.pipelines.graph.ontology import ontology_turtle


def write(graph: Graph, path: Path) -> dict[str, Any]:
    """Writes the ontology."""
    path.write_text(ontology_turtle(graph.ns, graph.ns.ontology), encoding="utf-8")
    return {}


FORMAT = GraphFormat("ontology.ttl", write, reads="ontology", version=2, is_always=True)
