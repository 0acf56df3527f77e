"""Text that can be stored."""

import doctest

import pytest

from schemas import text


def test_doctests():
    """The examples in the docstrings hold."""
    assert doctest.testmod(text).failed == 0


@pytest.mark.parametrize("value", ["", "Ada", "\U0001f600 \0 \u2028"])
def test_what_can_be_stored_is_left_alone(value):
    """Text without lone surrogates comes back as it is."""
    assert text.storable(value) == value


def test_every_lone_surrogate_becomes_one_character():
    """The length stays, and the result has a UTF-8 form."""
    assert text.storable("\ud800a\udfff\udc00").encode().decode() == "\ufffda\ufffd\ufffd"
