"""What libraries know of names: countries and their people (countryinfo), short forms of first names (nicknames)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from countryinfo import all_countries
from nicknames import NickNamer

from kgmill.pipelines.resolution.forms import words

# What countryinfo lacks or says of several, and means one place all but always; codes of ISO 3166 and UN M49.
_NAMES = {
    "US": "us, usa, america, the states",
    "GB": "uk, britain",
    "GB-ENG": "england",
    "GB-SCT": "scotland",
    "GB-WLS": "wales",
    "KR": "south korea, republic of korea",
    "KP": "north korea, dprk",
    "AE": "uae",
    "CD": "democratic republic of congo, dr congo",
    "CN": "prc",
    "CZ": "czech republic, czechia",
    "MM": "myanmar, burma",
    "TR": "turkiye",
    "VA": "vatican, vatican city, holy see",
    "VN": "viet nam",
    "002": "africa",
    "142": "asia",
    "150": "europe",
}
_PEOPLE = {
    "US": "american, americans",
    "GB": "briton, britons",
    "GB-ENG": "english, englishman",
    "GB-SCT": "scottish, scots",
    "GB-WLS": "welsh",
    "KR": "south korean, south koreans",
    "KP": "north korean, north koreans",
    "AE": "emirati",
    "AF": "afghan, afghans",
    "AR": "argentine, argentinian, argentinians",
    "CI": "ivorian",
    "CN": "chinese",
    "CZ": "czech, czechs",
    "DK": "danes, dane",
    "ES": "spaniard, spaniards",
    "FR": "french, frenchman, frenchmen",
    "BA": "bosnian, bosnians",
    "EC": "ecuadorian, ecuadorians",
    "IS": "icelandic, icelanders",
    "KZ": "kazakh, kazakhs",
    "NO": "norwegian, norwegians",
    "SI": "slovenian, slovenians",
    "UZ": "uzbek, uzbeks",
    "IL": "israelis",
    "IN": "indian, indians",
    "IQ": "iraqis",
    "MM": "burmese",
    "NZ": "new zealander, new zealanders",
    "PH": "filipino, filipinos, philippine",
    "PL": "poles",
    "PS": "palestinian, palestinians",
    "RU": "russian, russians",
    "SA": "saudi, saudis",
    "SE": "swedes, swede",
    "TR": "turks, turk",
    "002": "african, africans",
    "142": "asian, asians",
    "150": "european, europeans",
}
_OTHERS = frozenset({"georgia", "georgian", "mann"})  # mean another place or a person as often
_Codes = dict[tuple[str, ...], str]


@cache
def _countries() -> tuple[_Codes, _Codes]:
    """The code of the country that each name means, by its words; and the same of the names of its people."""
    names: dict[tuple[str, ...], set[str]] = {}
    people: dict[tuple[str, ...], set[str]] = {}
    for country in all_countries():
        if not (code := (country.iso() or {}).get("alpha2", "")):
            continue
        for name in (country.name(), *(name for name in country.alt_spellings() or () if len(name) > 3)):
            names.setdefault(_bare(name), set()).add(code)
        demonym = country.demonym() or ""
        for name in (demonym, f"{demonym}s") if demonym.endswith("n") else (demonym,):
            people.setdefault(_bare(name), set()).add(code)
    own = {_bare(country.name()) for country in all_countries()}
    countries, peoples = _sure(names) | _listed(_NAMES), _sure(people) | _listed(_PEOPLE)
    return (
        {name: code for name, code in countries.items() if name in own or name not in peoples},
        {name: code for name, code in peoples.items() if name not in own},
    )


def _bare(name: str) -> tuple[str, ...]:
    found = words(name)
    return found[1:] if len(found) > 1 and found[0] == "the" else found


def _sure(named: Mapping[tuple[str, ...], set[str]]) -> _Codes:
    return {name: min(codes) for name, codes in named.items() if name and len(codes) == 1 and name[0] not in _OTHERS}


def _listed(named: Mapping[str, str]) -> _Codes:
    return {words(name): code for code, names in named.items() for name in names.split(", ")}


def country_of(name: str) -> str:
    """The code of the country that a place's name means; empty where it means none.

    >>> country_of("U.S."), country_of("the United States"), country_of("Iraqis"), country_of("Paris")
    ('US', 'US', '', '')
    """
    return _countries()[0].get(_bare(name), "")


@cache
def _full_names() -> frozenset[tuple[str, ...]]:
    return frozenset(_bare(country.name()) for country in all_countries())


def is_full_country_name(name: str) -> bool:
    """Whether a name that means a country is the one that it is usually called in full.

    >>> [is_full_country_name(name) for name in ("the United States", "America", "U.S.", "UK", "Paris")]
    [True, False, False, False, False]
    """
    return bool(country_of(name)) and _bare(name) in _full_names()


def country_of_people(name: str) -> str:
    """The code of the country whose people, or what is theirs, a name means; empty where it means none.

    >>> country_of_people("Iraqis"), country_of_people("American"), country_of_people("Iraq")
    ('IQ', 'US', '')
    """
    return _countries()[1].get(_bare(name), "")


@cache
def _nicknames() -> NickNamer:
    return NickNamer()


@cache
def is_short_for(short: str, first: str) -> bool:
    """Whether one first name is a short form of another, or an initial of it.

    >>> is_short_for("bill", "william"), is_short_for("w", "william"), is_short_for("bill", "george")
    (True, True, False)
    """
    if len(short) == 1:
        return first.startswith(short)
    return first in long_for(short)


@cache
def has_short_form(first: str) -> bool:
    """Whether a word is a first name that is known to have a short form.

    >>> has_short_form("albert"), has_short_form("van"), has_short_form("garcia")
    (True, False, False)
    """
    return bool(_nicknames().nicknames_of(first))


@cache
def long_for(short: str) -> frozenset[str]:
    """The first names that one is a short form of, other than as an initial.

    >>> "william" in long_for("bill"), "george" in long_for("bill")
    (True, False)
    """
    return frozenset(_nicknames().canonicals_of(short))


# Acronyms that mean one organisation wherever they are not explained.
_ORGANISATIONS = {
    "un": "United Nations",
    "eu": "European Union",
    "nato": "North Atlantic Treaty Organization",
    "who": "World Health Organization",
    "imf": "International Monetary Fund",
    "wto": "World Trade Organization",
    "opec": "Organization of the Petroleum Exporting Countries",
    "iaea": "International Atomic Energy Agency",
    "nasa": "National Aeronautics and Space Administration",
    "fbi": "Federal Bureau of Investigation",
    "cia": "Central Intelligence Agency",
    "sec": "Securities and Exchange Commission",
    "fda": "Food and Drug Administration",
    "ioc": "International Olympic Committee",
    "fifa": "Fédération Internationale de Football Association",
    "uefa": "Union of European Football Associations",
    "icc": "International Criminal Court",
    "ibm": "International Business Machines",
    "bbc": "British Broadcasting Corporation",
    "hp": "Hewlett-Packard",
    "gm": "General Motors",
    "ge": "General Electric",
    "mit": "Massachusetts Institute of Technology",
    "unicef": "United Nations Children's Fund",
    "unesco": "United Nations Educational, Scientific and Cultural Organization",
}


def organisation_of(name: str) -> str:
    """The full name of an organisation whose acronym all the world knows; empty for other names.

    >>> organisation_of("U.N."), organisation_of("IRA")
    ('United Nations', '')
    """
    return _ORGANISATIONS.get("".join(words(name)), "")
