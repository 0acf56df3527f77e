"""Heads of texts: what news begin with, and what only looks so."""

import doctest
import json
import time

import pytest

from kgmill.pipelines.sources import heads
from kgmill.pipelines.sources.fields import Origin, from_fields
from kgmill.pipelines.sources.heads import agencies_of, find_head
from kgmill.schemas.config import SourceConfig

OWN = agencies_of(("*",))


def parts(text, title="", agencies=OWN):
    """The head that is found, as text, and what it says."""
    head = find_head(text, title, agencies)
    return text[: head.length], *head[1:]


def test_doctests():
    """The examples in the docstrings hold."""
    assert doctest.testmod(heads).failed == 0


@pytest.mark.parametrize(
    ("head", "dateline", "agency", "byline"),
    [
        ("AP - ", "", "AP", ""),
        ("SPACE.com - ", "", "SPACE.com", ""),
        (" WASHINGTON (Reuters) - ", "WASHINGTON", "Reuters", ""),
        ("WASHINGTON (AP) _ ", "WASHINGTON", "AP", ""),
        ("PARIS (AFP) – ", "PARIS", "AFP", ""),
        ("HONG KONG (Dow Jones)--", "HONG KONG", "Dow Jones", ""),
        ("BAGHDAD, Iraq -- ", "BAGHDAD, Iraq", "", ""),
        ("SAN JOSE, Calif. - ", "SAN JOSE, Calif.", "", ""),
        ("BRUSSELS/SAO PAULO (Reuters) - ", "BRUSSELS/SAO PAULO", "Reuters", ""),
        ("PORT-AU-PRINCE, Haiti Oct. 3, 2004 - ", "PORT-AU-PRINCE, Haiti Oct. 3, 2004", "", ""),
        ("MOSCOW. Oct 5 (Interfax) - ", "MOSCOW. Oct 5", "Interfax", ""),
        ("BEIJING, Sept. 17 (Xinhaunet) -- ", "BEIJING, Sept. 17", "Xinhaunet", ""),
        ("AGHDAD, Iraq, Aug. 17  ", "AGHDAD, Iraq, Aug. 17", "", ""),
        ("NEW DELHI, AUG 29: ", "NEW DELHI, AUG 29", "", ""),
        ("NAJAF, Iraq : ", "NAJAF, Iraq", "", ""),
        ("JAKARTA (Agencies): ", "JAKARTA", "Agencies", ""),
        ("ŁÓDŹ (PAP) - ", "ŁÓDŹ", "PAP", ""),
        ("Athens, Greece (Sports Network) - ", "Athens, Greece", "Sports Network", ""),
        ("(CP) - ", "", "CP", ""),
        ("SEPTEMBER 28, 2004 (COMPUTERWORLD) - ", "SEPTEMBER 28, 2004", "COMPUTERWORLD", ""),
        ("NEW YORK, Sept. 3 /PRNewswire/ -- ", "NEW YORK, Sept. 3", "PRNewswire", ""),
        ("NEW YORK--(BUSINESS WIRE)--Sept. 3, 2004--", "NEW YORK", "BUSINESS WIRE", ""),
        ("Canadian Press - VANCOUVER (CP) - ", "VANCOUVER", "Canadian Press", ""),
        ("By MICHAEL LIEDTKE     SAN FRANCISCO (AP) -- ", "SAN FRANCISCO", "AP", "MICHAEL LIEDTKE"),
        ("By JOHN DOE, Associated Press Writer\n", "", "Associated Press", "JOHN DOE"),
        ("By Anne de la Tour and Bob O'Neil\n", "", "", "Anne de la Tour and Bob O'Neil"),
        ("\n\nBy Deborah Cohen\n\nCHICAGO (Reuters) - ", "CHICAGO", "Reuters", "Deborah Cohen"),
        ("By Ed Edelson, HealthDay Reporter    HealthDayNews -- ", "", "HealthDay", "Ed Edelson"),
    ],
)
def test_head_is_found(head, dateline, agency, byline):
    """Place and date, agency and authors, as wires write them, up to the first letter of the first sentence."""
    assert parts(f"{head}Ada Byron left.") == (head, dateline, agency, byline)


@pytest.mark.parametrize(
    "text",
    [
        "IBM (NYSE: IBM) -- again -- sought to have claims dismissed.",
        "IBM - The company",
        "NOTE - The store is closed.",
        "WARNING -- Do not open.",
        "CHAPTER ONE - The Beginning",
        "HOW TO USE THIS BOOK - Read it.",
        "MARK COLVIN: Qantas might have posted another profit.",
        "SMITH, John: I thank the house.",
        "ARSENAL pulled clear at the top.",
        "SAN FRANCISCO - the city - is foggy.",
        "Paris, France - He said so.",
        "COLORADO (7) VS ARIZONA (1) - MID 6TH",
        "By the end of the year it will be over.",
        "By Grand Central Station I sat down.",
        "By Friday Night  The rain had gone.",
        "By The End\n\nThe rain had gone.",
        "At least nine people - seven of them children - have died.",
        "Reuters",
        "AP - ",
        "",
    ],
)
def test_first_sentence_is_no_head(text):
    """Acronyms, headings, speakers and sentences with a dash in them stay text."""
    assert parts(text) == ("", "", "", "")


def test_title_names_an_agency():
    """One that nobody lists is known where the title ends with it in brackets."""
    assert parts("Bay Wire - Piers fell.", "Piers Fall (Bay Wire)") == ("Bay Wire - ", "", "Bay Wire", "")
    assert parts("Bay Wire - Piers fell.", "Piers Fall") == ("", "", "", "")


def test_list_is_added_to_or_replaced():
    """`*` stands for the list that comes along; what is beside it is added, and without it nothing else is known."""
    assert [name in agencies_of(("*", "Bay Wire")) for name in ("AP", "Bay Wire", "BAY WIRE")] == [True, True, True]
    assert agencies_of(("Bay Wire",)) == {"Bay Wire", "BAY WIRE"}
    assert agencies_of(()) == set()


def test_document_has_its_head():
    """The text is not cut; the head's length and what it says are properties, and nothing is counted as left out."""
    row = {"id": 1, "text": "OSLO, Norway (Bay Wire) - Ada &amp; Bob left."}
    config = SourceConfig(agencies=("Bay Wire",))
    document = from_fields(row, Origin("a.jsonl", "a.jsonl:1"), config)
    assert document.text == "OSLO, Norway (Bay Wire) - Ada & Bob left."
    assert (document.head, document.dateline, document.agency, document.byline) == (26, "OSLO, Norway", "Bay Wire", "")
    assert json.loads(document.notes) == {"markup.entities": 1}


@pytest.mark.parametrize("piece", ["A", "A ", "A. ", "AB/", "(A", "A- ", " ", "AA, Bb ", "By Aa Bb and ", "By Aa, Ab-"])
def test_long_text_takes_no_time(piece):
    """What a text goes on with decides nothing."""
    started = time.perf_counter()
    find_head(f"By AA{piece * 100_000}", "", OWN)
    assert time.perf_counter() - started < 1
