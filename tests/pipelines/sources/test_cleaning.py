"""Cleaning: entities, backslashes, white space."""

import doctest
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgmill.pipelines.sources import cleaning
from kgmill.pipelines.sources.cleaning import clean

PIECES = st.sampled_from(
    ["#39;", " quot;", "&amp;", "&lt;", "#36;", "\\", "\\\\", " ", "\t", "\r\n", "\n\n\n", "Ada", "&", "#", ";"]
)


def test_doctests():
    """The examples in the docstrings hold."""
    assert doctest.testmod(cleaning).failed == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("they #39;re", "they're"),
        ("they &#39;are&#39;", "they 'are'"),
        ("#36;46 or ( #36;47)  #36;48", "$46 or ($47) $48"),
        (" quot;That #39;s all. quot;", '"That\'s all."'),
        ("AT&amp;T and AT&amp;amp;T", "AT&T and AT&T"),
        ("&lt;b&gt;", "<b>"),
        ("one  #151; two", "one \u2014 two"),
        ("&#x27;", "'"),
        ("caf&eacute;", "caf\u00e9"),
        ("is\\responsible", "is responsible"),
        ('\\\\"Sven', '"Sven'),
        ("a \t\u00a0 b", "a b"),
        ("a  \r\n  b\rc", "a\nb\nc"),
        ("a\n\n\n\n\nb", "a\n\nb"),
    ],
)
def test_damage_is_undone(text, expected):
    """What wire copies do to a text is undone."""
    assert clean(text) == expected


@pytest.mark.parametrize("text", ["AT&T; R&D;", "issue #7; next", "&notit;", "C# and F#", "a#39;b", "100 % & more"])
def test_what_is_no_entity_stays(text):
    """An ampersand, a number sign and an unknown name are themselves; a#39; could be anything."""
    assert clean(text) == text


@given(st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join))
def test_white_space_is_predictable(text):
    """No edge, no run and no kind of white space but one space, one line break or one empty line is left."""
    cleaned = clean(text)
    lines = cleaned.split("\n")
    assert cleaned == cleaned.strip()
    assert all(line == " ".join(line.split()) for line in lines)
    assert "\n\n\n" not in cleaned


def test_hostile_nesting_takes_no_time_without_end():
    """Entities inside entities are undone a few times, not once a character."""
    started = time.perf_counter()
    clean("&am" * 100_000 + "&amp;" + "p;" * 100_000)
    assert time.perf_counter() - started < 5
