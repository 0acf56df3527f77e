"""Which facts of one thing contradict one another, and which of them stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgmill.pipelines.conflicts import Claim, Conflict, contradict, settle
from kgmill.schemas.literals import literal_value


def born(fact_id, text, confidence, **others):
    """A claim that somebody was born then."""
    return Claim(fact_id, *literal_value("date", text), confidence, **others)


def lives(fact_id, place, confidence=0.5, **others):
    return Claim(fact_id, place, "", confidence, **others)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("1879", "14 March 1879", False),
        ("March 1879", "14 March 1879", False),
        ("1879", "March 1879", False),
        ("1879", "1880", True),
        ("1879", "14 March 1880", True),
        ("March 1879", "14 April 1879", True),
        ("13 March 1879", "14 March 1879", True),
        ("last Tuesday", "14 March 1879", False),
        ("last Tuesday", "last Friday", False),
    ],
)
def test_dates_contradict_where_none_lies_in_the_other(one, other, expected):
    """A year beside its day is no conflict, another year is; what no date was made of contradicts none."""
    claims = born("a", one, 0.5), born("b", other, 0.5)
    assert [contradict(*claims), contradict(*claims[::-1])] == [expected, expected]


def test_strongest_stands_and_the_others_say_by_whom():
    """Shares are of all that speaks for the thing: 0.6 of 1.2, 0.4 and 0.2."""
    found = settle([lives("a", "paris", 0.4), lives("b", "london", 0.6), lives("c", "rome", 0.2)])
    assert found == {"a": Conflict(0.333333, "b"), "b": Conflict(0.5), "c": Conflict(0.166667, "b")}


def test_what_nothing_contradicts_is_no_conflict():
    """One claim alone, two of one value, and a year with its day: nothing is said of them."""
    assert settle([lives("a", "paris")]) == {}
    assert settle([born("a", "1879", 0.9), born("b", "14 March 1879", 0.3)]) == {}


def test_day_of_a_year_that_stands():
    """The year stands; of its two days the stronger does; another year's day is overruled by the strongest."""
    claims = [
        born("a", "1879", 0.9),
        born("b", "14 March 1879", 0.5),
        born("c", "15 March 1879", 0.3),
        born("d", "14 March 1878", 0.6),
    ]
    found = settle(claims)
    assert {fact: conflict.overruled_by for fact, conflict in found.items()} == {"a": "", "b": "", "c": "b", "d": "a"}
    assert [found[fact].share for fact in "abcd"] == [0.6, 0.357143, 0.214286, 0.26087]


def test_confirmed_fact_wins():
    """What people confirmed stands, whatever the texts say; two that they confirmed both do."""
    found = settle([lives("a", "paris", 0.9), lives("b", "london", 0.1, is_confirmed=True)])
    assert found == {"a": Conflict(0.9, "b"), "b": Conflict(0.1)}
    both = settle([lives(name, name, 1.0, is_confirmed=True) for name in "ab"])
    assert both == {"a": Conflict(0.5), "b": Conflict(0.5)}


@pytest.mark.parametrize(
    ("others", "winner"),
    [({}, "a"), ({"n_evidence": 2}, "b"), ({"n_documents": 2}, "b"), ({"n_evidence": 2, "n_documents": 1}, "b")],
)
def test_ties_are_broken_by_what_speaks_for_a_fact(others, winner):
    """Of equally sure facts the one with more sentences stands, then with more documents, then the smaller id."""
    found = settle([lives("a", "paris"), lives("b", "london", **others)])
    assert [fact for fact, conflict in found.items() if not conflict.overruled_by] == [winner]


CLAIMS = [
    *(born(f"d{i}", text, c) for i, (text, c) in enumerate([("1879", 0.5), ("1880", 0.5), ("14 March 1879", 0.5)])),
    *(born(f"e{i}", text, c) for i, (text, c) in enumerate([("March 1879", 0.7), ("15 March 1879", 0.1)])),
    born("f", "2 May 1880", 0.3, is_confirmed=True),
]


@given(order=st.permutations(CLAIMS))
def test_order_changes_nothing(order):
    """What stands and each share are the same to the last bit in whatever order the claims come."""
    assert list(settle(order).items()) == list(settle(CLAIMS).items())
