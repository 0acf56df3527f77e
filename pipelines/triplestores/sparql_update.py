"""SPARQL updates of bounded size that make a difference in one graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from kgmill.pipelines.graph.difference import for_sparql

TRIPLES_A_REQUEST = 2_000
BYTES_A_REQUEST = 1 << 20


def subject_of(line: bytes) -> bytes:
    """The subject of a triple's line."""
    return line.partition(b" ")[0]


def updates(graph: str | None, deletes: Sequence[bytes], inserts: Sequence[bytes]) -> Iterator[str]:
    """Requests that delete and insert triples; what is said of one subject is in one request, unless that is too long.

    Args:
        graph: the IRI of the graph; None: the default graph.
        deletes: lines of N-Triples, sorted.
        inserts: lines of N-Triples, sorted.

    >>> print(*updates("a:g", [b'<a:s> <a:p> "x" .\\n'], [b'<a:s> <a:p> "y" .\\n']))
    DELETE DATA { GRAPH <a:g> {
    <a:s> <a:p> "x" .
    } } ;
    INSERT DATA { GRAPH <a:g> {
    <a:s> <a:p> "y" .
    } }
    """
    marked = sorted((subject_of(line), verb, line) for verb, lines in enumerate((deletes, inserts)) for line in lines)
    request: tuple[list[bytes], list[bytes]] = ([], [])
    n_triples = n_bytes = 0
    for _, of_subject in groupby(marked, key=lambda item: item[0]):
        lines = list(of_subject)
        n_new, n_new_bytes = len(lines), sum(len(line) for *_, line in lines)
        if n_triples and (n_triples + n_new > TRIPLES_A_REQUEST or n_bytes + n_new_bytes > BYTES_A_REQUEST):
            yield _text(graph, *request)
            request, n_triples, n_bytes = ([], []), 0, 0
        for _, verb, line in lines:
            request[verb].append(line)
            n_triples, n_bytes = n_triples + 1, n_bytes + len(line)
            if n_triples >= TRIPLES_A_REQUEST or n_bytes >= BYTES_A_REQUEST:
                yield _text(graph, *request)
                request, n_triples, n_bytes = ([], []), 0, 0
    if n_triples:
        yield _text(graph, *request)


def _text(graph: str | None, deletes: list[bytes], inserts: list[bytes]) -> str:
    begin, end = (f"GRAPH <{graph}> {{\n", "} }") if graph else ("\n", "}")
    blocks = (
        f"{verb} DATA {{ {begin}{b''.join(map(for_sparql, lines)).decode()}{end}"
        for verb, lines in (("DELETE", deletes), ("INSERT", inserts))
        if lines
    )
    return " ;\n".join(blocks)
