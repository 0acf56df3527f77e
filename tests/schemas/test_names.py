"""Names as they are shown."""

import doctest

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kgmill.schemas import names
from kgmill.schemas.identity import entity_key
from kgmill.schemas.names import label_of


def test_doctests():
    """The worked examples of the module hold."""
    result = doctest.testmod(names)

    assert result.failed == 0
    assert result.attempted > 0


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Carla  Moss", "Carla Moss"),
        ("Carla\n   Moss", "Carla Moss"),
        ("Carla\u00a0Moss\u2028", "Carla Moss"),
        ("Malmo\u0308", "Malm\u00f6"),
        ("Mi\u00adcro\u00ad\nsoft", "Microsoft"),
        ("\ufeffAc\u200bme\u2060", "Acme"),
        ("A\x1b[31mcme\x07", "A[31mcme"),
        ("Anne\u2011Marie", "Anne-Marie"),
        ("Anne-\nMarie", "Anne-Marie"),
        ("O\u2019Neill", "O'Neill"),
        ("\u201cMaine\u201d", '"Maine"'),
        ("\u2764\ufe0f", "\u2764"),
        ("AT&T", "AT&T"),
        ("1%", "1%"),
        ("\uff21cme", "\uff21cme"),
    ],
)
def test_labels(text, label):
    """A label has one space between words, composed letters, plain hyphens and quotes, nothing that can't be seen."""
    assert label_of(text) == label


@given(st.text(max_size=30))
@example("\u1fef")
@example("a\u00ad\u0301")
def test_label_of_a_label(text):
    """A label is its own label."""
    assert label_of(label_of(text)) == label_of(text)


@given(st.text(min_size=1).filter(str.strip))
@example("\u200b")
def test_label_is_never_empty(text):
    """Text that is more than spaces has a label."""
    assert label_of(text) != ""


@given(st.text(max_size=30))
@example("\u00b4a")
@example("\u0149")
def test_a_label_names_the_same_entity(text):
    """What an entity is called leads to it again."""
    assert entity_key(label_of(text)) == entity_key(text)
