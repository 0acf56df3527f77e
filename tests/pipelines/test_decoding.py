"""Bytes to text: marks, UTF-8, and what is guessed."""

import codecs
import io

import pytest

from pipelines.decoding import Lines, StreamError, decode
from schemas.errors import RecordError

GERMAN = "Die Stadt München liegt in Bayern. Über die Brücke führt eine alte Straße.\nGrüße aus Köln.\n"
RUSSIAN = "Москва является столицей России. Лев Толстой родился в Ясной Поляне.\n"
JAPANESE = "東京は日本の首都です。夏目漱石は東京で生まれました。これは日本語の文章です。\n"
CHINESE = "台北是中華民國的首都。魯迅出生於浙江紹興。這是一個中文句子。\n"


def lines(data, max_bytes=1000, encodings=()):
    """Each line with its number and encoding; for a bad one its number and reason."""
    reader = Lines(io.BufferedReader(io.BytesIO(data)), max_bytes, encodings)
    found = []
    while True:
        try:
            line = next(reader, None)
        except StreamError as error:
            return [*found, error.reason]
        except RecordError as error:
            found.append((reader.number, error.reason))
            continue
        if line is None:
            return found
        found.append((reader.number, line, reader.encoding))


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"Ada", "Ada", "utf-8"),
        ("naïve \U0001f600".encode(), "naïve \U0001f600", "utf-8"),
        (codecs.BOM_UTF8 + "né".encode(), "né", "utf-8-sig"),
        ("né".encode("utf-16"), "né", "utf-16"),
        (codecs.BOM_UTF16_BE + "né".encode("utf-16-be"), "né", "utf-16"),
        ("né".encode("utf-32"), "né", "utf-32"),
        (b"", "", "utf-8"),
    ],
)
def test_unicode_is_never_guessed_at(data, text, encoding):
    """Marks and UTF-8 are believed, and the mark is no text."""
    assert decode(data) == (text, encoding)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(GERMAN, "cp1252"), (RUSSIAN, "cp1251"), (RUSSIAN, "koi8_r"), (JAPANESE, "cp932"), (CHINESE, "big5")],
)
def test_other_encodings_are_found(text, encoding):
    """The text comes out whole, whatever it was in, also after pages of plain English."""
    english = "The company said on Monday that it would open an office.\n" * 2000
    assert decode((english + text).encode(encoding))[0] == english + text


def test_likelier_languages_break_no_tie():
    """Where bytes mean the same in two encodings, or little speaks for either, the commoner one is recorded."""
    assert decode("naïve".encode("cp1252")) == ("naïve", "cp1252")


def test_given_encodings_are_tried_in_order():
    """Who knows the encoding names it; what can't be decoded by the first goes to the next."""
    assert decode(b"\xe9t\xe9", ("cp437",)) == ("\u0398t\u0398", "cp437")
    assert decode(b"\x81\xe9", ("cp1252", "latin_1")) == ("\x81\xe9", "latin_1")


@pytest.mark.parametrize(
    ("data", "encodings", "reason"),
    [
        (b"GIF89a\x00\x01", (), "binary"),
        (b"\x81", ("cp1252",), "unknown_encoding"),
        (codecs.BOM_UTF8 + b"\xff", (), "unknown_encoding"),
        (codecs.BOM_UTF16_LE + b"a", (), "unknown_encoding"),
    ],
)
def test_what_is_no_text_is_refused(data, encodings, reason):
    """NUL bytes, bytes that nothing decodes, and a mark that isn't true."""
    with pytest.raises(RecordError) as caught:
        decode(data, encodings)
    assert caught.value.reason == reason


def test_lines_keep_their_ends_and_numbers():
    """A line ends at a line feed and nowhere else, not at U+2028 or a carriage return."""
    data = "a\u2028b\r\nc\rd\n\ne".encode()
    assert lines(data) == [(1, "a\u2028b\r\n", "utf-8"), (2, "c\rd\n", "utf-8"), (3, "\n", "utf-8"), (4, "e", "utf-8")]


def test_a_line_in_another_encoding_costs_no_other():
    """Each line says what it was in; a file may be mixed."""
    data = "é\n".encode() + GERMAN.encode("cp1252") + "é\n".encode()
    assert [encoding for _, _, encoding in lines(data)] == ["utf-8", "cp1252", "cp1252", "utf-8"]


def test_a_short_line_is_read_as_its_file_is():
    """What follows helps to guess: two letters alone could be anything."""
    data = ("имя;место\n" + RUSSIAN * 3).encode("cp1251")
    assert lines(data)[0] == (1, "имя;место\n", "cp1251")


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_long_line_is_skipped_whole(end):
    """A line over the limit is one fault, however long it is, and the next one is read."""
    assert lines(b"a" * 1000 + b"\n" + b"b" * 200_000 + end)[1:] == [(2, "too_large")]
    assert lines(b"b" * 200_000 + b"\nc") == [(1, "too_large"), (2, "c", "utf-8")]


def test_wide_lines():
    """UTF-16 with a mark is read line by line."""
    assert lines("é\nb".encode("utf-16")) == [(1, "é\n", "utf-16"), (2, "b", "utf-16")]


def test_broken_wide_lines_end_the_stream():
    """Where UTF-16 breaks, nobody can say where the next line begins."""
    assert lines(codecs.BOM_UTF16_LE + "a\n".encode("utf-16-le") + b"\x00\xd8\x00") == [
        (1, "a\n", "utf-16"),
        "unknown_encoding",
    ]
