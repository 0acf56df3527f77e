"""Bytes to text: marks, UTF-8, and what is guessed."""

import codecs
import io

import pytest

from kgmill.pipelines.sources.encodings import Lines, StreamError, decode
from kgmill.schemas.errors import RecordError

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
    assert decode(data) == (text, encoding, 0)


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
    assert decode("naïve".encode("cp1252")) == ("naïve", "cp1252", 0)


def test_given_encodings_are_tried_in_order():
    """Who knows the encoding names it; what can't be decoded by the first goes to the next."""
    assert decode(b"\xe9t\xe9", ("cp437",)) == ("\u0398t\u0398", "cp437", 0)
    assert decode(b"\x81\xe9", ("cp1252", "latin_1")) == ("\x81\xe9", "latin_1", 0)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Zürich, Genève".encode() + b" \xff Bern", "Zürich, Genève \ufffd Bern"),
        ("Zürich ".encode() + "Genève".encode("cp1252"), "Zürich Gen\ufffdve"),
        ("Zürich, Genève".encode()[:-1] + b"\xe2\x80", "Zürich, Genèv\ufffd"),
        (b"It is cut at a dash \xe2\x80", "It is cut at a dash \ufffd"),
        ("\ufffd Zürich".encode() + b"\x9d", "\ufffd Zürich\ufffd"),
        (b"a" * 300_000 + "ü".encode() * 50 + b"\xff", "a" * 300_000 + "ü" * 50 + "\ufffd"),
    ],
    ids=["stray", "pasted", "cut", "cut in ASCII", "had one", "far behind"],
)
def test_mostly_valid_utf8_stays_utf8(data, text):
    """A broken byte or sequence costs one character, which is counted; all others are what they are."""
    assert decode(data) == (text, "utf-8", 1)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("un caf\xe9".encode("cp1252"), "un caf\xe9"),
        (("Stra\xdfe nach M\xfcnchen. " * 40 + "L\u2019\xc9t\xe9 \xab\xc0\xbb").encode("cp1252"), None),
        (GERMAN.encode("cp1252"), GERMAN),
    ],
)
def test_few_accents_of_another_encoding_are_still_guessed_at(data, text):
    """Bytes of which none, or next to none, make a character of UTF-8 are in another encoding."""
    assert decode(data) == (text or data.decode("cp1252"), "cp1252", 0)


@pytest.mark.parametrize(
    ("data", "declared", "expected"),
    [
        (b"only \xff here", "utf-8", ("only \ufffd here", "utf-8", 1)),
        (GERMAN.encode("cp1252"), "utf-8", (GERMAN, "cp1252", 0)),
        (RUSSIAN.encode("koi8_r"), "koi8-r", (RUSSIAN, "koi8-r", 0)),
        (b"caf\xe9 \x81", "cp1252", ("caf\xe9 \ufffd", "cp1252", 1)),
        ("Zürich, Genève, Köln, Bern".encode() + b"\xff", "cp1252", None),
        ("Zürich, Genève, Köln, Malmö".encode() + b"\xff", "koi8-r", ("Zürich, Genève, Köln, Malmö\ufffd", "utf-8", 1)),
        ("é".encode(), "cp1252", ("é", "utf-8", 0)),
    ],
)
def test_what_is_declared_is_believed_before_a_guess(data, declared, expected):
    """Unless many bytes contradict it; what is UTF-8 nearly throughout is no guess."""
    assert decode(data, declared=declared) == (expected or (data.decode("cp1252"), "cp1252", 0))


def test_named_encodings_stand_before_doubtful_utf8():
    """Who names an encoding is believed where the bytes are UTF-8 by half; where they are by four fifths, nobody is."""
    half = "\xc9\u201d ".encode("cp1252") + b"\xe9"
    assert decode(half, ("cp1252",)) == ("\xc9\u201d \xe9", "cp1252", 0)
    assert decode("éééé".encode() + b"\xff", ("cp1252",)) == ("éééé\ufffd", "utf-8", 1)


@pytest.mark.parametrize(
    ("data", "encodings", "reason"),
    [
        (b"GIF89a\x00\x01", (), "binary"),
        (b"\x81", ("cp1252",), "unknown_encoding"),
        (codecs.BOM_UTF8 + b"\xe9\xe9 Ada", (), "unknown_encoding"),
        (codecs.BOM_UTF16_LE + b"a", (), "unknown_encoding"),
    ],
)
def test_what_is_no_text_is_refused(data, encodings, reason):
    """NUL bytes, bytes that nothing decodes, and a mark that isn't true."""
    with pytest.raises(RecordError) as caught:
        decode(data, encodings)
    assert caught.value.reason == reason


def test_a_mark_is_believed_though_a_byte_is_broken():
    """One broken character in ten and fewer does not make a mark untrue."""
    assert decode(codecs.BOM_UTF8 + b"Ada Lovelace\xff") == ("Ada Lovelace\ufffd", "utf-8-sig", 1)
    assert decode("Ada Lovelace".encode("utf-16") + b"\0") == ("Ada Lovelace\ufffd", "utf-16", 1)


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


def test_broken_wide_lines():
    """A character of UTF-16 that is broken costs itself; a line that is full of them is no text."""
    data = "a\n".encode("utf-16") + b"\x00\xd8" + "Ada Byron\n".encode("utf-16-le") + b"\x00\xd8\x00"
    assert lines(data) == [(1, "a\n", "utf-16"), (2, "\ufffdAda Byron\n", "utf-16"), (3, "unknown_encoding")]


def test_a_broken_byte_costs_no_other_line_and_no_other_letter():
    """Each line of a file of lines is judged alone: valid letters of a line with a broken byte stay."""
    reader = Lines(io.BufferedReader(io.BytesIO("Zürich\nGenève ".encode() + b"\xff\n" + "Köln".encode())), 100, ())
    assert [(line, reader.encoding, reader.n_replaced) for line in reader] == [
        ("Zürich\n", "utf-8", 0),
        ("Genève \ufffd\n", "utf-8", 1),
        ("Köln", "utf-8", 0),
    ]


def test_lines_of_a_marked_file_are_utf8():
    """Under a mark a line needs no other letters to be believed, also behind the first one."""
    assert lines(codecs.BOM_UTF8 + b"a\nAda Lovelace\xe9\n") == [
        (1, "a\n", "utf-8-sig"),
        (2, "Ada Lovelace\ufffd\n", "utf-8"),
    ]


def test_lone_carriage_returns_end_lines_where_nothing_else_does():
    """Old Macs end lines so; a line feed inside of quotes is none of a line's end."""
    assert [line for _, line, _ in lines(b'a\rb "c\nd"\re')] == ["a\n", 'b "c\n', 'd"\n', "e"]


def test_what_came_before_a_break_is_read():
    """A stream that breaks in its first bytes gives the lines before, then its fault."""

    class Broken(io.RawIOBase):
        def __init__(self):
            self.pieces = [b"a\nb\n"]

        def readable(self):
            return True

        def readinto(self, buffer):
            if not self.pieces:
                raise StreamError("bad_archive", "cut")
            piece = self.pieces.pop()
            buffer[: len(piece)] = piece
            return len(piece)

    reader = Lines(io.BufferedReader(Broken()), 100, ())
    assert [next(reader), next(reader)] == ["a\n", "b\n"]
    with pytest.raises(StreamError, match="cut"):
        next(reader)
