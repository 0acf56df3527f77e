"""schemaorg.nt.gz: entities and asserted facts in the words of schema.org, as far as the ontology names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kgmill.pipelines.graph.formats import Graph, GraphFormat
from kgmill.pipelines.graph.mapped import Vocabulary, write_told
from kgmill.pipelines.graph.vocabulary import RDFS, SCHEMA, SKOS

_BEGINS = (SCHEMA, "http://schema.org/")  # many still write the second; both mean the first


def _own(name: str) -> str:
    return next((SCHEMA + name.removeprefix(begin) for begin in _BEGINS if name.startswith(begin)), "")


_VOCABULARY = Vocabulary(
    own=_own,
    also={
        f"{RDFS}label": f"{SCHEMA}name",
        f"{SKOS}altLabel": f"{SCHEMA}alternateName",
        f"{SKOS}exactMatch": f"{SCHEMA}sameAs",
    },
    value=bytes,  # schema.org takes dates of any form, and text
)


def write(graph: Graph, path: Path) -> dict[str, Any]:
    """Writes types, names, links and facts; returns what is left out."""
    return write_told(graph, path, _VOCABULARY)


FORMAT = GraphFormat("schemaorg.nt.gz", write, reads="quads")
