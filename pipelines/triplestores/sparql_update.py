"""The text of SPARQL updates: graphs dropped, and triples deleted and inserted, in any number of graphs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kgmill.pipelines.graph.difference import for_sparql

Place = str | None
"""A graph by its IRI, or the default graph."""


def update_text(drops: Iterable[Place], deletes: Mapping[Place, bytes], inserts: Mapping[Place, bytes]) -> str:
    r"""One update that drops graphs, then deletes triples, then inserts triples.

    Args:
        drops: the graphs.
        deletes: lines of N-Triples by graph.
        inserts: lines of N-Triples by graph.

    >>> print(update_text(["a:g"], {}, {"a:g": b'<a:s> <a:p> "x" .\n', None: b'<a:s> <a:p> "y" .\n'}))
    DROP SILENT GRAPH <a:g> ;
    INSERT DATA {
    GRAPH <a:g> {
    <a:s> <a:p> "x" .
    }
    <a:s> <a:p> "y" .
    }
    """
    operations = [f"DROP SILENT {_ref(place)}" for place in drops]
    operations += [_data(verb, lines) for verb, lines in (("DELETE", deletes), ("INSERT", inserts)) if lines]
    return " ;\n".join(operations)


def copy_text(source: str, target: Place, *, is_atomic: bool) -> str:
    """An update that makes one graph what another one is.

    Where a whole update is a transaction it is said in two operations: Fuseki 5.6's COPY into a graph that isn't empty
    reads what it is changing, and loses triples.
    """
    if not is_atomic:
        return f"COPY GRAPH <{source}> TO {_ref(target)}"
    triples = "?s ?p ?o" if target is None else f"{_ref(target)} {{ ?s ?p ?o }}"
    return f"DROP SILENT {_ref(target)} ;\nINSERT {{ {triples} }} WHERE {{ GRAPH <{source}> {{ ?s ?p ?o }} }}"


def _ref(place: Place) -> str:
    return "DEFAULT" if place is None else f"GRAPH <{place}>"


def _data(verb: str, lines: Mapping[Place, bytes]) -> str:
    texts = ((place, for_sparql(triples).decode()) for place, triples in lines.items())
    blocks = (text if place is None else f"GRAPH <{place}> {{\n{text}}}\n" for place, text in texts)
    return f"{verb} DATA {{\n{''.join(blocks)}}}"
