"""Mentions in the head of a document."""

import doctest

from kgmill.schemas import heads
from kgmill.schemas.heads import head_rule
from kgmill.schemas.records import Document

TEXT = "By Ada Byron, AP Writer\nCAPE TOWN (AP) - AP said"
DOCUMENT = Document("d", "a", "", TEXT, "{}", "", head=41, dateline="CAPE TOWN", agency="AP", byline="Ada Byron")


def test_doctests():
    """The examples in the docstrings hold."""
    assert doctest.testmod(heads).failed == 0


def test_agency_in_the_head_has_a_rule():
    """The author and the place stay, and so does the agency where the text itself tells of it."""
    spans = {"Ada Byron": 3, "AP": 14, "CAPE TOWN": 24, "(AP)": 34}
    assert {name: head_rule(DOCUMENT, at, at + len(name)) for name, at in spans.items()} == {
        "Ada Byron": "",
        "AP": "agency",
        "CAPE TOWN": "",
        "(AP)": "agency",
    }
    assert head_rule(DOCUMENT, 41, 43) == ""


def test_text_without_a_head_has_no_rule():
    """Nothing lies in a head of no length."""
    assert head_rule(Document("d", "a", "", "AP said", "{}", ""), 0, 2) == ""
