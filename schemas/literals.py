"""Values as texts give them: what is no thing of the graph but a date, in the form that RDF gives it.

Nothing is guessed. A wording that says a whole date, a month with its year or a year becomes that, whatever its form;
everything else ("last Tuesday", "March 14", "the 1980s", "3/4/2001", "31 February 1921") stays the string it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

from kgmill.schemas.names import label_of

XSD = "http://www.w3.org/2001/XMLSchema#"
DATATYPES = {"date": tuple(XSD + name for name in ("date", "gYearMonth", "gYear", "string"))}
"""The datatypes of each kind of literal that an ontology may name."""

_YEARS = range(1000, 2101)  # other numbers are seldom years
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTH = {name: n for n, full in enumerate(_MONTHS, 1) for name in (full, full[:3])} | {"sept": 9}
_WEEKDAY = {name: n for n, full in enumerate(_DAYS) for name in (full, full[:3])}
_WEEKDAY |= {"tues": 1, "thur": 3, "thurs": 3}

_DAY = r"(?:the )?(?P<day>[0-9]{1,2})(?:st|nd|rd|th|\.)?"
_NAME = r"(?P<month>[a-z]{3,9})\.?"
_YEAR = r"(?P<year>[0-9]{4})"
_ON = rf"(?:(?P<weekday>{'|'.join(_WEEKDAY)})\.? )?"
_FORMS = [
    re.compile(form)
    for form in (
        rf"{_ON}{_DAY}(?: of)? {_NAME} {_YEAR}",
        rf"{_ON}{_NAME} {_DAY} {_YEAR}",
        rf"(?P<day>[0-9]{{1,2}})-{_NAME}-{_YEAR}",
        rf"{_NAME}(?: of)? {_YEAR}",
        _YEAR,
        rf"{_YEAR}-(?P<month>[0-9]{{2}})-(?P<day>[0-9]{{2}})",
    )
]
_NUMBERS = re.compile(
    rf"(?P<a>[0-9]{{1,2}})(?P<mark>[./-])(?P<b>[0-9]{{1,2}})(?P=mark){_YEAR}"
    r"|(?P<year_first>[0-9]{4})(?P<sign>[./-])(?P<c>[0-9]{1,2})(?P=sign)(?P<d>[0-9]{1,2})"
)


_LENGTH = len("1909-01-05")
_FIGURES = re.compile(r"(?<![0-9-])[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9-])")


def literal_value(kind: str, text: str) -> tuple[str, str]:
    """The value of a mention of a literal type, and the full IRI of its datatype; the string it is, where not sure.

    >>> literal_value("date", "the 14th of March, 1921"), literal_value("date", "last  Tuesday")[0]
    (('1921-03-14', 'http://www.w3.org/2001/XMLSchema#date'), 'last Tuesday')
    """
    label = label_of(text)
    value, name = _READERS[kind](label) or (label, "string")
    return value, XSD + name


def whole_date(text: str, begin: int, end: int) -> tuple[int, int] | None:
    """Where the date in figures lies that a mention has a piece of; the mention's own place if it has none.

    None, where the piece has no year: a model takes 1909-01-05 for three dates, of which the first is one.

    >>> whole_date("(1909-01-05)", 1, 5), whole_date("(1909-01-05)", 6, 8), whole_date("in 1909", 3, 7)
    ((1, 11), None, (3, 7))
    """
    for match in _FIGURES.finditer(text, max(0, begin - _LENGTH), min(len(text), end + _LENGTH)):
        if match.start() <= begin and end <= match.end():
            return match.span() if begin == match.start() and end - begin >= len("1909") else None
    return begin, end


def _read_date(label: str) -> tuple[str, str] | None:
    """A date, month or year in RDF's form, and the datatype's name; None where the words don't say which."""
    words = " ".join(label.casefold().replace(",", " ").split()).strip(".;:()[] ").rstrip("-\u2013 ")
    for form in _FORMS:
        if match := form.fullmatch(words):
            return _value(**match.groupdict())
    match = _NUMBERS.fullmatch(words)
    return _in_the_only_order(match) if match else None


def _value(year: str, month: str = "", day: str = "", weekday: str | None = None) -> tuple[str, str] | None:
    number = _MONTH.get(month, int(month) if month.isdigit() else 0)
    if int(year) not in _YEARS or (month and not number):
        return None
    if not month:
        return year, "gYear"
    if not day:
        return f"{year}-{number:02d}", "gYearMonth"
    try:
        found = date(int(year), number, int(day))
    except ValueError:
        return None
    if weekday and found.weekday() != _WEEKDAY[weekday]:
        return None  # the text contradicts itself
    return found.isoformat(), "date"


def _in_the_only_order(match: re.Match[str]) -> tuple[str, str] | None:
    """The one date that numbers can mean, whether day or month is written first."""
    year, pair = match["year"] or match["year_first"], (match["a"] or match["c"], match["b"] or match["d"])
    meant = {_value(year, month, day) for month, day in (pair, pair[::-1])} - {None}
    return meant.pop() if len(meant) == 1 else None


def day_of(text: str) -> date | None:
    """The day of a date in ISO 8601, whose time is left aside; None where it is none, or not of a whole day.

    >>> day_of("1969-07-20T20:17:40Z"), day_of("1969-07")
    (datetime.date(1969, 7, 20), None)
    """
    if text[4:5] != "-" or text[7:8] != "-" or text[10:11] not in ("", "T", " "):
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


_READERS: dict[str, Callable[[str], tuple[str, str] | None]] = {"date": _read_date}
