"""What looks like a name and what doesn't."""

import doctest

import pytest

from kgmill.schemas import junk
from kgmill.schemas.junk import junk_rule

NAMES = (
    *("May", "April", "August Strindberg", "Sun", "3M", "7-Eleven", "U2", "Boeing 747", "World War II", "Channel 4"),
    *(
        "1984 Summer Olympics",
        "Friday the 13th",
        "Black Friday",
        "Nine Inch Nails",
        "Second Sunday Club",
        "AT&T",
        "M16",
    ),
    *("O'Neill", "D'Arcy", "Apollo 11", "X-Files", "UEFA Euro 2004", "\u738b", "Kellner (Danish Railways)", '"Heat"'),
    *(
        "Three Mile Island",
        "Two Rivers",
        "Hundred Acre Wood",
        "US",
        "Us",
        "It",
        "The Hague",
        "Dozen Ltd",
        "One World Trade Center",
        "I.G.",
    ),
)
JUNK = {
    "number": ("42", "1,200", "$5", "50%", "-", "\u2026", "3/4/2001", "20:15", "(", "'"),
    "letter": ("A", "b.", "\u00d6", "\u0416", '"C"', "X,"),
    "unbalanced": ("Kellner (Danish", "Railways)", '"Heat', "[Otto", "Otto }"),
    "pronoun": ("us", "we", "it", "his"),
    "calendar": ("Monday", "SUNDAY", "Sept.", "december", "Fri."),
    "date": ("March 14, 1921", "Nov. 22, 1963", "the 14th of March 1921", "June 2004", "14-Mar-1921"),
    "quantity": (
        "$5 million",
        "$5m",
        "10 percent",
        "three years",
        "1980s",
        "about 40 miles",
        "US$ 3 bn",
        "two dozen",
        "21st",
    ),
}


def test_doctests():
    """The worked example holds."""
    assert doctest.testmod(junk).failed == 0


@pytest.mark.parametrize("text", NAMES)
def test_names_stay(text):
    """Names with numbers, months and units in them, in any script, are names."""
    assert junk_rule(text) == ""


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in JUNK.items() for text in texts])
def test_junk_has_a_rule(rule, text):
    """Each rule finds its own."""
    assert junk_rule(text) == rule
