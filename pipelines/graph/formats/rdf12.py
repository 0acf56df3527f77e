"""graph.rdf12.nq.gz: the whole dataset as N-Quads of RDF 1.2, whose facts are triple terms that their nodes reify.

    <.../statement/a-HASH> rdf:reifies <<( <.../entity/HEAD> <.../vocab#relation> <.../entity/TAIL> )>> <.../graph/kg> .

stands for the four lines of rdf:Statement in graph.nq.gz; all else is the same, asserted triples too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kgmill.pipelines.graph.formats import Graph, GraphFormat
from kgmill.pipelines.graph.gzipped import write_gzip_bytes
from kgmill.pipelines.graph.lines import iri
from kgmill.pipelines.graph.vocabulary import RDF

_STATEMENT, _SUBJECT, _PREDICATE, _OBJECT, _REIFIES = (
    iri(RDF + name).encode() for name in ("Statement", "subject", "predicate", "object", "reifies")
)


def write(graph: Graph, path: Path) -> dict[str, Any]:
    """Writes all quads."""
    write_gzip_bytes(path, _reified(graph.lines(), f"<{graph.ns.aggregated_statement('')}".encode()))
    return {}


def _reified(lines: Iterator[bytes], fact: bytes) -> Iterator[bytes]:
    """The lines, with one for the triple of each fact; `fact` is what the IRIs of their statements begin with.

    A statement's subject, predicate and object stand in this order, with nothing between them.
    """
    triple: list[bytes] = []
    for line in lines:
        if not line.startswith(fact):
            yield line
            continue
        node, predicate, rest = line.split(b" ", 2)
        value, graph, _ = rest.rsplit(b" ", 2)
        if predicate in (_SUBJECT, _PREDICATE, _OBJECT):
            triple.append(value)
        elif value != _STATEMENT:
            yield line
        if len(triple) == 3:
            yield b"%b %b <<( %b %b %b )>> %b .\n" % (node, _REIFIES, *triple, graph)
            triple = []


FORMAT = GraphFormat("graph.rdf12.nq.gz", write, reads="quads")
