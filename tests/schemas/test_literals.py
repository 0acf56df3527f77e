"""Dates as texts give them."""

import doctest

import pytest

import kgmill.schemas.literals
from kgmill.schemas.literals import day_of, literal_value, whole_date

XSD = "http://www.w3.org/2001/XMLSchema#"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "14 March 1921",
            "March 14, 1921",
            "1921-03-14",
            "14.03.1921",
            "14th of March, 1921",
            "the 14th of March 1921",
        ),
        *(
            "14 Mar. 1921",
            "Mar 14 , 1921",
            "14-Mar-1921",
            "MARCH 14TH, 1921",
            "14/3/1921",
            "03/14/1921",
            "14. March 1921",
        ),
        *(
            "Monday, 14 March 1921",
            "Mon., March 14, 1921",
            "March\n14,\u00a01921.",
            "1921/03/14",
            "1921\u201103\u201114",
        ),
    ],
)
def test_wordings_of_one_day_are_one_value(text):
    """A whole date is xsd:date, however it is worded."""
    assert literal_value("date", text) == ("1921-03-14", f"{XSD}date")


@pytest.mark.parametrize("text", ["March 1921", "Mar. 1921", "March, 1921", "March of 1921"])
def test_month_with_its_year(text):
    """A month of a year is xsd:gYearMonth."""
    assert literal_value("date", text) == ("1921-03", f"{XSD}gYearMonth")


@pytest.mark.parametrize("year", ["1000", "1921", "2100"])
def test_year(year):
    """Four digits alone, in brackets, or before a dash that has no other end, are a year."""
    assert literal_value("date", f"({year})") == literal_value("date", year)
    assert literal_value("date", f"({year}-)") == literal_value("date", f"{year} \u2013") == literal_value("date", year)
    assert literal_value("date", year) == (year, f"{XSD}gYear")


@pytest.mark.parametrize(
    "text",
    [
        *("last Tuesday", "the 1980s", "March 14", "3/4/2001", "31 February 1921", "29 February 1900", "c. 1921"),
        *("0999", "2101", "-1921", "1921 BC", "44 BC", "921", "14 March 921", "14 March 21", "14.03.21", "1921-22"),
        *("1914-1918", "1921-03", "2004-05", "32/13/2001", "14/03-1921", "Tuesday, 14 March 1921", "spring 1921", ""),
        *(
            "14 Marble 1921",
            "14-15 March 1921",
            "March 14-15, 1921",
            "1921-3-4",
            "14 March 1921 BC",
            "\u0661\u0669\u0662\u0661",
        ),
    ],
)
def test_what_is_not_said_stays_a_string(text):
    """Words that name no date, or more than one, or one that no calendar has, are no more than words."""
    assert literal_value("date", text) == (text, f"{XSD}string")


def test_day_and_month_that_are_equal_have_one_reading():
    """Where both orders are one date, it does not matter which was meant."""
    assert literal_value("date", "3/3/2001") == ("2001-03-03", f"{XSD}date")


def test_leap_day():
    """The 29th of February is a date in the years that have one."""
    assert literal_value("date", "29 February 2000") == ("2000-02-29", f"{XSD}date")


def test_doctests():
    """The worked examples of the module hold."""
    result = doctest.testmod(kgmill.schemas.literals)
    assert (result.failed, result.attempted) == (0, 3)


@pytest.mark.parametrize(
    "text", ["", "1969", "1969-07", "1969-02-30", "1969-07-2", "20 July 1969", "1969-07-200", "x969-07-20"]
)
def test_no_day(text):
    """What is no whole day of the calendar is none."""
    assert day_of(text) is None


@pytest.mark.parametrize(
    ("text", "piece", "expected"),
    [
        ("on 1909-01-05.", "1909", "1909-01-05"),
        ("on 1909-01-05.", "1909-01", "1909-01-05"),
        ("on 1909-01-05.", "1909-01-05", "1909-01-05"),
        ("on 1909-01-05.", "01", None),
        ("on 1909-01-05.", "05", None),
        ("on 1909-01-05 and 1950", "1950", "1950"),
        ("from 1909-01-05 - 1994", "1909-01-05 - 1994", "1909-01-05 - 1994"),
        ("no. 1909-01-05-7", "1909", "1909"),
        ("in 1909-10", "1909", "1909"),
        ("1909-01-05", "19", None),
    ],
)
def test_date_in_figures_is_whole(text, piece, expected):
    """The piece with the year is all of the date in figures, other pieces are none, and all else is what it is."""
    begin = text.index(piece)
    found = whole_date(text, begin, begin + len(piece))
    assert (found and text[slice(*found)]) == expected
