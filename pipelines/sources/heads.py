"""The head of a text: the dateline, agency and byline that news begin with. It is described, never cut off.

Found at the beginning alone, and only by clear signs: an agency that is listed or that the title ends with, a place in
capitals and a dash, a line that begins with `By` and a name. What may be the first sentence stays text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_LIST = Path(__file__).with_name("agencies.txt")
OWN = "*"  # in a configuration: the names of the list that comes with kgmill

_UPPER = "".join(chr(code) for code in range(0x250) if chr(code).isupper())
_LOWER = "".join(chr(code) for code in range(0x250) if chr(code).islower())
_DASH = r"(?:\s+(?:-{1,2}|[\u2012-\u2015_])\s*|-{2,}\s*|[\u2013-\u2015]\s*)(?=\S)"
_CAPITALS = rf"[{_UPPER}](?:[{_UPPER}.'’]|-(?=[{_UPPER}]))+"
_PLACE = rf"{_CAPITALS}(?:(?: | ?/ ?){_CAPITALS}){{0,5}}"
_WORD = rf"[{_UPPER}](?:[{_UPPER}{_LOWER}.'’]|-(?=[{_UPPER}{_LOWER}]))*"
_NAME = rf"{_WORD}(?: (?:of |and |the )?{_WORD}){{0,3}}"
_MONTH = (
    "(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|"
    r"Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_DAY = rf"(?i:{_MONTH} \d{{1,2}}|\d{{1,2}} {_MONTH})"
_DATE = rf"\(?{_DAY}(?:,? \d{{4}})?\)?"
_AGENCY = r"(?:\s*-*\s*\((?P<brackets>[^()\n]{2,40})\)|\s*/(?P<slashes>[^/\n]{2,40})/)"
_DATELINE = re.compile(
    rf"(?P<dateline>(?P<place>{_PLACE}|(?P<small>{_NAME}))(?P<region>\s?, {_NAME})?"
    rf"(?P<date>(?:\s?[,.])? {_DATE})?|(?P<day>{_DATE})){_AGENCY}?(?P<end>{_DASH}|\s?: |\s{{2,}})"
)
_BRACKETED = re.compile(rf"\((?P<agency>[^()\n]{{2,40}})\){_DASH}|/(?P<wire>[^/\n]{{2,40}})/{_DASH}")
_LEADING = re.compile(r"(?P<agency>[^\n]{2,40}?)(?P<end>\s+--?\s+|\s*--+\s*|\s*[\u2013\u2014]\s*)(?=\S)")
_PARTICLE = "(?:de|da|di|du|del|della|la|le|van|von|der|den|ter|al|el|bin|ben|ibn|y) "
_PERSON = rf"{_WORD}(?: (?:{_PARTICLE}){{0,2}}{_WORD}){{1,3}}"
_BYLINE = re.compile(
    rf"(?:By|BY) (?!(?:The|An?|My|Our|This|All|Now|Then) )(?P<byline>{_PERSON}(?:(?:, | and ){_PERSON}){{0,3}}?)"
    rf"(?P<role>, {_WORD}(?: [\w.'’-]+){{0,5}})?"
    rf"(?P<end>\s*\n\s*|\s{{2,}})(?=[^\s{_LOWER}])"
)
_TITLE_AGENCY = re.compile(r"\(([^()]{2,40})\)\s*$")
_FIRST = re.compile(rf"[{_UPPER}\d\"'“‘«($€£]")
_LONGEST = 400  # characters that are looked at
_MIN_LETTERS, _MAX_WORDS = 5, 3  # of a place that nothing but its capitals tells from an acronym or a heading
# Words in capitals that open notes, abstracts and headings.
_NO_PLACES = re.compile(
    "abstract|aim|aims|analysis|appendix|attention|background|breaking|caution|chapter|conclusion|"
    "conclusions|contents|correction|danger|example|exclusive|figure|how|important|introduction|method|"
    "methods|notice|objective|objectives|opinion|overview|part|purpose|question|result|results|review|"
    "section|spoiler|step|summary|table|the|update|warning|what|when|where|who|why"
)


class Head(NamedTuple):
    """What a text begins with.

    Attributes:
        length: code points of the text that are its head.
        dateline: place and date, as they stand there.
        agency: the first that is named.
        byline: the authors' names.
    """

    length: int = 0
    dateline: str = ""
    agency: str = ""
    byline: str = ""


def find_head(text: str, title: str, agencies: Collection[str]) -> Head:
    """The head of a text; none where there are no clear signs of one.

    >>> find_head("BEIJING, Aug. 17 (Xinhuanet) -- China is", "", {"Xinhuanet"})
    Head(length=32, dateline='BEIJING, Aug. 17', agency='Xinhuanet', byline='')
    >>> find_head("IBM (NYSE: IBM) -- has", "", {"AP"})
    Head(length=0, dateline='', agency='', byline='')
    """
    begin, known = len(text) - len(text.lstrip()), _known(title, agencies)
    opening = text[: begin + _LONGEST]
    head = _after_names(Head(begin), opening, known)
    if not (match := _BYLINE.match(opening, begin)):
        return head if head.length > begin else Head()
    signed = Head(match.end(), "", _agency_of(match["role"] or "", known), match["byline"])
    head = _after_names(signed, opening, known)
    return head if head != signed or match["role"] or "\n" in match["end"] else Head()


def _after_names(head: Head, text: str, known: Collection[str]) -> Head:
    """The head with the agency and the dateline that follow."""
    at, dateline, agency, byline = head
    if match := _led(_LEADING.match(text, at), known) or _led(_BRACKETED.match(text, at), known):
        agency, at = agency or _named(match), match.end()
    if match := _dated(_DATELINE.match(text, at), text, known):
        dateline, at = match["dateline"], match.end()
        agency = agency or match["brackets"] or match["slashes"] or ""
        if (later := _dated(_DATELINE.match(text, at), text, known)) and later["day"]:  # --Sept. 3, 2004--
            agency, at = agency or later["brackets"] or later["slashes"] or "", later.end()
    return Head(at, dateline, agency, byline)


@lru_cache
def agencies_of(listed: tuple[str, ...]) -> frozenset[str]:
    """The agencies that a configuration names, as texts may write them; `*`: the list that comes with kgmill."""
    names: set[str] = set()
    for name in listed:
        names.update(_shipped() if name == OWN else [name])
    return frozenset(names | {name.upper() for name in names})


def _shipped() -> Iterable[str]:
    lines = (line.strip() for line in _LIST.read_text(encoding="utf-8").splitlines())
    return (line for line in lines if line and not line.startswith("#"))


def _known(title: str, agencies: Collection[str]) -> Collection[str]:
    """The agencies, with what a title ends with in brackets: `Dollar Falls (AP)`."""
    match = _TITLE_AGENCY.search(title)
    return {*agencies, match[1]} if match else agencies


def _named(match: re.Match[str]) -> str:
    return next(name for name in match.groupdict().values() if name and name.strip())


def _led(match: re.Match[str] | None, known: Collection[str]) -> re.Match[str] | None:
    """The match, if it is an agency."""
    return match if match and _named(match) in known else None


def _agency_of(role: str, known: Collection[str]) -> str:
    """The agency that an author writes for: `, Associated Press Writer`."""
    words = role.removeprefix(", ").split(" ")
    names = (" ".join(words[:n]) for n in range(len(words), 0, -1))
    return next((name for name in names if name in known), "")


def _dated(match: re.Match[str] | None, text: str, known: Collection[str]) -> re.Match[str] | None:
    """The match, if it is a dateline: with an agency that is known or a date, or by its place and what follows."""
    if not match:
        return None
    if agency := match["brackets"] or match["slashes"]:
        return match if (agency in known or match["date"]) and match["end"].strip() else None
    if not _FIRST.match(text, match.end()):
        return None
    if match["day"]:
        return match if re.search(r"\d{4}", match["day"]) and match["end"].strip() not in ("", ":") else None
    if match["date"]:
        return match if match["end"].strip() or not match["small"] else None
    if match["small"]:
        return None
    if match["region"]:
        return match if match["end"].strip() and match["end"] != ": " else None
    return match if match["end"].strip() not in ("", ":") and _may_be_place(match["place"]) else None


def _may_be_place(words: str) -> bool:
    """Whether words in capitals may name a place: they are several, or long, and open no note."""
    n_letters, parts = sum(c.isalpha() for c in words), words.lower().split()
    return (
        n_letters >= _MIN_LETTERS
        and len(parts) <= _MAX_WORDS
        and not _NO_PLACES.fullmatch(parts[0])
        and parts[-1] != "note"
    )
