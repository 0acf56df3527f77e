"""Canonical N-Quads as plain strings (W3C RDF 1.2 N-Quads, section 4): equal quads are equal lines, byte for byte.

Literals take the forms that triple stores keep as they are: Oxigraph, Virtuoso and others turn `05` into `5` and `1.0`
into `1`, and a dump that comes back from a store has to be the dump that went in.

A file of these lines is cut at `\\n` and nowhere else: text may hold U+0085 or U+2028, at which `str.splitlines` cuts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from kgmill.schemas.literals import XSD

# None of these is printable, so a text that is has none of them; many that are not printable need no escape.
_SPECIAL = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = {chr(code): f"\\u{code:04X}" for code in (*range(0x20), 0x7F, 0xFFFE, 0xFFFF)}
_ESCAPES |= {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}

_POINT_IN_TIME = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?P<time>T\d\d:\d\d:\d\d.*)?)?)?")
_DATE_TYPES = {4: "gYear", 7: "gYearMonth", 10: "date"}
_INTEGER = f'"^^<{XSD}integer>'
_DECIMAL = f'"^^<{XSD}decimal>'


Pair = tuple[str, str]  # a predicate and an object, as terms


def iri(value: str) -> str:
    """An IRI as a term. It is not checked here: see `kgmill.pipelines.graph.vocabulary`."""
    return f"<{value}>"


def literal(text: str) -> str:
    r"""A string as a term; lone surrogates become U+FFFD.

    >>> print(literal('5" disk\n'))
    "5\" disk\n"
    """
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text if text.isprintable() else _SPECIAL.sub(_escaped, text)}"'


def _escaped(special: re.Match[str]) -> str:
    # A lone surrogate is no character: it has no UTF-8 form, and no parser would take it back.
    return _ESCAPES.get(special[0], "\ufffd")


def typed(value: str, datatype: str) -> str:
    """A value as a term; `datatype` is the full IRI of its XSD type, and a string has none to be seen.

    >>> print(typed("1921-03", f"{XSD}gYearMonth"), typed("last Tuesday", f"{XSD}string"))
    "1921-03"^^<http://www.w3.org/2001/XMLSchema#gYearMonth> "last Tuesday"
    """
    return literal(value) if datatype == f"{XSD}string" else f"{literal(value)}^^<{datatype}>"


def tagged(text: str, language: str) -> str:
    """A string in a language as a term; `language` is a tag in small letters.

    >>> print(tagged("Ort", "de"))
    "Ort"@de
    """
    return f"{literal(text)}@{language}"


def triple_term(s: str, p: str, o: str) -> str:
    """A triple as a term of RDF 1.2, from terms that are already written."""
    return f"<<( {s} {p} {o} )>>"


def integer(value: int) -> str:
    """A whole number as a term of type xsd:integer."""
    return f'"{value}{_INTEGER}'


def decimal(value: float) -> str:
    """A finite number as a term of type xsd:decimal: at most six places, no exponent, no trailing zeros.

    A whole number has no point, `1` and not `1.0`: Oxigraph would rewrite the second to the first.

    >>> [decimal(value).split("^")[0] for value in (0.9312, 1.0, 5e-5, 0.0)]
    ['"0.9312"', '"1"', '"0.00005"', '"0"']
    """
    digits = f"{value:.6f}".rstrip("0").rstrip(".")
    return f'"{digits}{_DECIMAL}'


def point_in_time(value: str) -> str:
    """A date in ISO 8601's form as a term of type xsd:date, dateTime, gYearMonth or gYear; empty for everything else.

    A time with an offset is given in UTC, and no fractions of a second: stores rewrite what has another form.

    >>> print(point_in_time("2004-05-03T10:00:00.5+02:00"))
    "2004-05-03T08:00:00Z"^^<http://www.w3.org/2001/XMLSchema#dateTime>
    """
    match = _POINT_IN_TIME.fullmatch(value)
    if match is None or not value.isascii():
        return ""
    try:
        moment = datetime.fromisoformat(f"{value}-01-01"[:10] if len(value) <= 7 else value)
        if match["time"] is None:
            return f'"{value}"^^<{XSD}{_DATE_TYPES[len(value)]}>'
        is_utc = moment.tzinfo is not None
        moment = (moment.astimezone(UTC) if is_utc else moment).replace(microsecond=0, tzinfo=None)
    except (ValueError, OverflowError):
        return ""
    return f'"{moment.isoformat()}{"Z" if is_utc else ""}"^^<{XSD}dateTime>'


def quad(s: str, p: str, o: str, g: str) -> str:
    """The line of a quad whose four terms are already written, with its line break."""
    return f"{s} {p} {o} {g} .\n"


def lines_of(subject: str, pairs: Iterable[Pair], graph: str) -> list[str]:
    """The lines of a subject, given as a term, with its predicates and objects, in a graph."""
    # As `quad` has them, without a call for each line.
    return [f"{subject} {predicate} {value} {graph} .\n" for predicate, value in pairs]
