"""What libraries know of names."""

import doctest

import pytest

from kgmill.pipelines.resolution import known
from kgmill.pipelines.resolution.known import country_of, country_of_people, is_short_for, organisation_of


def test_doctests():
    """The worked examples of the module hold."""
    result = doctest.testmod(known)

    assert result.failed == 0
    assert result.attempted >= 4


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("US", ["U.S.", "US", "USA", "U.S.A.", "the United States", "United States of America", "America"]),
        ("GB", ["UK", "U.K.", "Britain", "Great Britain", "the United Kingdom"]),
        ("GB-ENG", ["England"]),
        ("DE", ["Germany", "GERMANY", "Federal Republic of Germany"]),
        ("KR", ["South Korea", "Republic of Korea"]),
        ("KP", ["North Korea"]),
        ("CI", ["Ivory Coast", "Côte d'Ivoire"]),
        ("TR", ["Turkey", "Türkiye"]),
        ("IQ", ["Iraq"]),
        ("150", ["Europe"]),
    ],
)
def test_aliases_of_a_country(code, names):
    """A country is known by all its names, with points or marks or none, with an article or none."""
    assert {country_of(name) for name in names} == {code}
    assert {country_of_people(name) for name in names} == {""}


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("US", ["American", "Americans", "AMERICANS", "the Americans"]),
        ("GB", ["British", "Briton", "Britons"]),
        ("GB-SCT", ["Scottish", "Scots"]),
        ("IQ", ["Iraqi", "Iraqis"]),
        ("FR", ["French", "Frenchman"]),
        ("NO", ["Norwegian", "Norwegians"]),
        ("CN", ["Chinese"]),
        ("RU", ["Russian", "Russians"]),
        ("NL", ["Dutch"]),
    ],
)
def test_people_of_a_country(code, names):
    """Its people's names are those of the country's people, and not its own."""
    assert {country_of_people(name) for name in names} == {code}
    assert {country_of(name) for name in names} == {""}


@pytest.mark.parametrize(
    "name",
    ["Georgia", "Georgian", "Mann", "Korea", "Paris", "UN", "us", "New York", "Ann Lee", "", "...", "South", "IN"],
)
def test_names_of_no_country(name):
    """Nor is it one that means another place or a person as often, or one of several, or a code."""
    expected = "US" if name == "us" else ""  # names are asked for that a model took for places
    assert (country_of(name), country_of_people(name)) == (expected, "")


def test_no_name_of_a_country_is_its_peoples():
    """What one table has, the other hasn't: a name is a country's or its people's."""
    countries, people = known._countries()
    assert not {name: code for name, code in countries.items() if name in people}


@pytest.mark.parametrize(
    ("short", "first", "is_short"),
    [
        ("bob", "robert", True),
        ("bill", "william", True),
        ("g", "george", True),
        ("w", "george", False),
        ("george", "g", False),
        ("ann", "laura", False),
        ("chris", "christopher", True),
        ("christopher", "chris", False),
    ],
)
def test_short_forms_of_first_names(short, first, is_short):
    """Nicknames and initials are short for first names, and not the other way round."""
    assert is_short_for(short, first) is is_short


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("UN", "United Nations"),
        ("U.N.", "United Nations"),
        ("Nato", "North Atlantic Treaty Organization"),
        ("the UN", ""),
        ("ABC", ""),
    ],
)
def test_organisations(name, full):
    """Some acronyms are known the world over; that of a name with more words is not asked for."""
    assert organisation_of(name) == full
