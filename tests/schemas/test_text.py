"""Text that can be stored."""

import codecs
import doctest
import re

import pytest

from schemas import text
from schemas.errors import ConfigError


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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_no_text(encoding):
    """What Windows tools write in front of a file says what it is, and is not part of it."""
    assert text.decode_utf8("né = 1\n".encode(encoding), "a.toml") == "né = 1\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a = 1\nb = 'caf\xe9'\n", "a.toml:2: byte 0xe9 is not UTF-8; save the file as UTF-8"),
        (codecs.BOM_UTF16_LE + b"a", "a.toml: its byte order mark says UTF-16, which it is not; save it as UTF-8"),
    ],
)
def test_a_file_that_has_to_be_unicode_is_never_guessed_at(data, message):
    """The file, the line and the byte are named, as the error that the caller wants."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        text.decode_utf8(data, "a.toml", ConfigError)
