"""Text that can be stored, and text that can be shown."""

import codecs
import doctest
import json
import re

import pytest

from kgmill.schemas import text
from kgmill.schemas.errors import ConfigError


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
    assert text.decode_utf8("né = 1\n".encode(encoding), "a.toml", ConfigError) == "né = 1\n"


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


@pytest.mark.parametrize(
    "value", ["", "Ada", "Éire, 東京, Ελλάδα, עברית\u200f, فارسی\u200cها", "👩\u200d🚀", "a\\b", "non\xa0breaking"]
)
def test_what_can_be_shown_is_left_alone(value):
    """Text in any script comes back as it is."""
    assert text.printable(value) == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("\x07\x00\x7f", "\\x07\\x00\\x7f"),
        ("a\tb\r\nc", "a\\tb\\r\\nc"),
        ("\x9b2J\x85", "\\x9b2J\\x85"),
        ("\u202egpj.exe\u2066\u2069", "\\u202egpj.exe\\u2066\\u2069"),
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
        ("a\ud800b", "a\\ud800b"),
    ],
)
def test_what_moves_a_terminal_is_shown_as_escapes(value, shown):
    """Escape sequences, bells, 8-bit controls, line breaks of all kinds, bidirectional overrides, lone surrogates."""
    assert text.printable(value) == shown


def test_json_is_shown_without_controls_and_stays_the_same():
    """What json.dumps leaves as it is, 8-bit controls and overrides, becomes an escape that any parser reads."""
    value = {"name": "É\x1b\x9b\u202e\n", "n": [1, 2]}
    shown = text.printable_json(value, indent=1)
    assert shown == '{\n "name": "É\\u001b\\u009b\\u202e\\n",\n "n": [\n  1,\n  2\n ]\n}'
    assert json.loads(shown) == value


def test_markdown_of_a_text_has_no_markup():
    """Neither HTML, nor a link, nor an image, nor a new line."""
    shown = text.printable_markdown("![x](http://a.b)<img src=x onerror=1> a_b\n# c &amp;")
    assert shown == (r"\!\[x\]\(http\://a\.b\)&lt;img src=x onerror=1&gt; a\_b\\n\# c &amp;amp;")
