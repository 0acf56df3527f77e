"""The answer to a query as text: rows of a table for people, the W3C's results formats and Turtle for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import pyoxigraph as ox

from kgmill.pipelines.triplestores.embedded import one_line
from kgmill.pipelines.triplestores.prefixes import PREFIXES
from kgmill.schemas.errors import UsageError
from kgmill.schemas.text import printable, printable_lines

Result: TypeAlias = ox.QuerySolutions | ox.QueryBoolean | ox.QueryTriples | list[ox.Triple]

FORMATS = ("table", "json", "csv", "tsv", "turtle")
MAX_CELL = 200  # characters
MAX_ROWS = 1000

_W3C = {
    "json": ox.QueryResultsFormat.JSON,
    "csv": ox.QueryResultsFormat.CSV,
    "tsv": ox.QueryResultsFormat.TSV,
}
_NUMBERS = {
    ox.NamedNode(f"{PREFIXES['xsd']}{name}") for name in ("integer", "decimal", "double", "float", "int", "long")
}
_LOCAL_NAME = re.compile(r"[A-Za-z0-9_-]+")


def format_result(result: Result, format_name: str, *, is_whole: bool = False) -> str:
    """A result as text, without the line break at its end that `print` adds.

    Args:
        result: the answer; it is used up. A graph may be a list of its triples.
        format_name: `json`, `csv` or `tsv` (SPARQL 1.1 results), `turtle`, or `table`: yes or no, Turtle, and of rows
            what a table for people is drawn from, as a JSON object: `columns`, `rows` of texts, the first MAX_ROWS of
            `n_rows`, and `numbers`, the places of columns that hold nothing else.
        is_whole: no IRI is abbreviated, in tables and Turtle too.

    Raises:
        UsageError: an unknown format, or one that can't hold this kind of result.
    """
    if format_name not in FORMATS:
        raise UsageError(f"unknown format {format_name!r}; known: {', '.join(FORMATS)}")
    prefixes = {} if is_whole else PREFIXES
    try:
        if isinstance(result, ox.QueryTriples | list):
            return _graph_text(result, format_name, prefixes)
        if format_name == "turtle":
            raise UsageError(
                "SELECT and ASK give no graph, and Turtle holds nothing else: use --format json, csv or tsv, or a "
                "CONSTRUCT or DESCRIBE query"
            )
        if format_name in _W3C:
            text = (result.serialize(format=_W3C[format_name]) or b"").decode()
            return printable_lines(text) if format_name == "json" else text.removesuffix("\n").removesuffix("\r")
        if isinstance(result, ox.QueryBoolean):
            return "yes" if result else "no"
        return _table(result, prefixes)
    except RuntimeError as error:
        raise UsageError(f"the query can't be answered: {one_line(error)}") from None


def _graph_text(triples: Iterable[ox.Triple], format_name: str, prefixes: Mapping[str, str]) -> str:
    if format_name not in ("table", "turtle"):
        raise UsageError(
            f"CONSTRUCT and DESCRIBE give a graph, which is no {format_name} table: "
            "use --format turtle, or a SELECT query"
        )
    graph = list(dict.fromkeys(triples))  # DESCRIBE gives a triple once for each graph that holds it
    iris = " ".join(str(triple) for triple in graph)
    used = {prefix: iri for prefix, iri in prefixes.items() if iri in iris}
    turtle = (ox.serialize(graph, format=ox.RdfFormat.TURTLE, prefixes=used) or b"").decode()
    return printable_lines(turtle.removesuffix("\n"))


def _table(solutions: ox.QuerySolutions, prefixes: Mapping[str, str]) -> str:
    columns = [variable.value for variable in solutions.variables]
    found = [list(solution) for solution in solutions]
    shown = found[:MAX_ROWS]
    numbers = [i for i in range(len(columns)) if _are_numbers([row[i] for row in shown])]
    rows = [[_cell(term, prefixes) for term in row] for row in shown]
    return json.dumps({"columns": columns, "rows": rows, "n_rows": len(found), "numbers": numbers})


def _are_numbers(terms: list[object]) -> bool:
    bound = [term for term in terms if term is not None]
    return bool(bound) and all(isinstance(term, ox.Literal) and term.datatype in _NUMBERS for term in bound)


def _cell(term: object, prefixes: Mapping[str, str]) -> str:
    """A term's text; a long one is cut behind a word, but for an IRI: a cut one can't be asked for."""
    text = printable(_term_text(term, prefixes))
    if len(text) <= MAX_CELL or isinstance(term, ox.NamedNode):
        return text
    words = text[: MAX_CELL - 1]
    return f"{words.rpartition(' ')[0] or words} …"


def _term_text(term: object, prefixes: Mapping[str, str]) -> str:
    if term is None:
        return ""
    if isinstance(term, ox.Literal):
        return term.value
    if isinstance(term, ox.NamedNode):
        return _short_iri(term.value, prefixes)
    return str(term)


def _short_iri(iri: str, prefixes: Mapping[str, str]) -> str:
    for prefix, namespace in prefixes.items():
        if iri.startswith(namespace) and _LOCAL_NAME.fullmatch(iri, len(namespace)):
            return f"{prefix}:{iri[len(namespace) :]}"
    return f"<{iri}>"
