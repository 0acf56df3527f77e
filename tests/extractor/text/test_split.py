"""Raw text to sentences and words with exact offsets."""

import doctest
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kgmill.extractor.text import split as text_module
from kgmill.extractor.text.split import split_text

HOSTILE = (
    *("a", "Ada", "Mr. X", "Dr.", "U.S.", "J.", "J. K.", "p.", "3.14", "1,200", "it's", "can't", "a-b", "x@y.z"),
    *(" ", "  ", "\n", "\n\n", "\t", "\r\n", "\r", "\x0b", "\x1c", "\x00", "\u00a0", "\u0085", "\u2028", "\u3000"),
    *(".", "!", "?", "...", "…", "。", "(", ")", "[1]", "“", "”", "‘", "’", '"', "'", "«", "»", "--", "—", ",", ";"),
    *(
        "\u200b",
        "\ufeff",
        "\u0301",
        "e\u0301",
        "é",
        "ﬁ",
        "İ",
        "ß",
        "日本",
        "हिन्दी",
        "😀",
        "👩\u200d👧",
        "🇫🇷",
        "❤\ufe0f",
    ),
    "http://a.b/c?d=e.",
)


STRUCTURE = set("-*+|=_~#\u2022\u2013\u2014.:")  # bullets, bars and rules, which are no words


def is_structure(text):
    """Whether a text has no characters but spaces, and those that show a line's place in a list or a table."""
    return set("".join(text.split())) <= STRUCTURE


def check_offsets(text):
    """Sentences are ordered and disjoint, words too, each is the text at its offsets; only spaces lie between.

    Between sentences marks of items and bars of tables may lie too.
    """
    covered = 0
    for sentence in split_text(text):
        assert sentence.begin == sentence.word_begins[0]
        assert sentence.end == sentence.word_ends[-1]
        for word, begin, end in zip(sentence.words, sentence.word_begins, sentence.word_ends, strict=True):
            assert text[begin:end] == word != ""
            between = text[covered:begin]
            assert is_structure(between) if begin == sentence.begin else between.strip() == ""
            assert covered <= begin
            covered = end
    assert is_structure(text[covered:])


def words_of(text):
    """The words of each sentence."""
    return [list(sentence.words) for sentence in split_text(text)]


def test_doctests():
    """The worked examples of the module hold."""
    result = doctest.testmod(text_module)

    assert result.failed == 0
    assert result.attempted > 0


def test_sentences_and_words():
    """Sentences end at full stops that end sentences; words are split as in treebanks."""
    text = "Mr. Smith didn't go to the U.S. embassy. He stayed in Saint-Denis."

    assert words_of(text) == [
        ["Mr.", "Smith", "did", "n't", "go", "to", "the", "U.S.", "embassy", "."],
        ["He", "stayed", "in", "Saint-Denis", "."],
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Two  spaces.   Then three.",
        "A line\nbroken. Another\n\nparagraph\r\nhere.",
        "Emoji 😀 inside 👩\u200d👧 words. And 🇫🇷 more.",
        "Cafe\u0301 Zu\u0308rich. E\u0301dith.",
        "No\u00a0break\u00a0space. Mr.\u00a0X.",
        "“Curly quotes,” she said. ‘Yes.’",
        "\ufeffA byte-order mark. \u200bZero width.",
        "   Spaces around.   ",
    ],
)
def test_offsets_of_messy_text(text):
    """Every word is the text at its offsets, and no character but a space is lost."""
    check_offsets(text)


@given(st.lists(st.sampled_from(HOSTILE), max_size=14).map("".join))
@example("Dr.Mr. X\u3000.")
def test_offsets_of_hostile_text(text):
    """The same holds for whatever may come together; U+3000 after an initial once made the segmenter panic."""
    check_offsets(text)


@given(st.text(max_size=60))
def test_offsets_of_any_text(text):
    """The same holds for any text."""
    check_offsets(text)


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\u00a0\u2003"])
def test_text_without_words(text):
    """Text without words has no sentences."""
    assert split_text(text) == []


@pytest.mark.parametrize("character", ["a", ".", "(", "\u2014", "😀", "中", "ア", "\u0e01"])
def test_long_run_is_cut_into_short_words(character):
    """Two million characters without a space are words of at most a hundred characters, found in linear time."""
    text = character * 2_000_000
    split_text("warm")
    started = time.process_time()

    sentences = split_text(text)

    assert time.process_time() - started < 20
    assert max(len(word) for sentence in sentences for word in sentence.words) <= 100
    assert sum(len(word) for sentence in sentences for word in sentence.words) == 2_000_000


def test_long_run_is_cut_at_its_punctuation():
    """Names without a space between them, as in a file that a machine wrote, are words of their own."""
    run = '{"city":"Bremen"},' * 20

    [words] = words_of(f"See {run} there.")
    assert words[:10] == ["See", "{", '"', "city", '"', ":", '"', "Bremen", '"', "}"]
    assert words[-3:] == [",", "there", "."]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Krupp\u2014based in Bremen\u2014hired", ["Krupp", "\u2014", "based", "in", "Bremen", "\u2014", "hired"]),
        ("Carla Moss--who left--came", ["Carla", "Moss", "--", "who", "left", "--", "came"]),
        ("--Otto Brandt--", ["--", "Otto", "Brandt", "--"]),
        ("Bremen---Leiden", ["Bremen", "---", "Leiden"]),
        ("Bremen\u2015Leiden", ["Bremen", "\u2015", "Leiden"]),
        ("from 1914\u20131918", ["from", "1914", "\u2013", "1918"]),
        ("pages 3\u201212", ["pages", "3", "\u2012", "12"]),
        ("the Paris\u2013Brest race", ["the", "Paris", "\u2013", "Brest", "race"]),
        ("U.S.\u2014based", ["U.S.", "\u2014", "based"]),
        ("Otto\u2013the clerk", ["Otto", "\u2013", "the", "clerk"]),
        ("Anne-Marie in Saint-Denis", ["Anne-Marie", "in", "Saint-Denis"]),
        ("Anne\u2010Marie Anne\u2011Marie", ["Anne\u2010Marie", "Anne\u2011Marie"]),
        ("Anne\u2013Marie Moss", ["Anne\u2013Marie", "Moss"]),
        ("see http://a.com/c--d now", ["see", "http://a.com/c--d", "now"]),
    ],
)
def test_dashes_part_words(text, words):
    """Dashes do, hyphens don't; an en dash within a double given name is a hyphen that was set wrong."""
    assert words_of(text) == [words]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("東京大学", ["東", "京", "大", "学"]),
        ("Sony株式会社は", ["Sony", "株", "式", "会", "社", "は"]),
        ("マリー・キュリー夫人", ["マリー", "・", "キュリー", "夫", "人"]),
        ("กำ", ["กำ"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("서울에서 왔다", ["서울에서", "왔다"]),
    ],
)
def test_scripts_without_spaces(text, words):
    """A character with its marks is a word where a script has no spaces; Katakana, in which names are, goes in runs."""
    assert words_of(text) == [words]


def test_sentences_of_a_large_text():
    """A megabyte of plain sentences is split at each of them."""
    text = "Ada lived in London. " * 5_000

    sentences = split_text(text)

    assert len(sentences) == 5_000
    assert text[sentences[-1].begin : sentences[-1].end] == "Ada lived in London."


def test_quotes_far_apart_bind_no_text_together():
    """A quote that is closed a page later leaves the sentences between apart."""
    text = 'He said "no. ' + "Then it rained all day. " * 60 + 'They called it "the flood.'
    assert max(len(sentence.words) for sentence in split_text(text)) < 20


def test_text_that_the_segmenter_panics_on_is_one_sentence(monkeypatch):
    """A panic of the Rust library costs the cut, not the document; other faults are not hidden."""

    class PanicException(BaseException):
        pass

    def panic(language, text):
        raise PanicException

    monkeypatch.setattr("kgmill.extractor.text.split.sentencex.segment", panic)
    assert [s.words for s in split_text("He left. She stayed.")] == [("He", "left", ".", "She", "stayed", ".")]


def test_words_are_forgotten(monkeypatch):
    """The tokeniser keeps no more words than it may, and cuts as before."""
    texts = [f"Name{i} Surname{i} isn't in Town{i}." for i in range(300)]
    expected = [split_text(text) for text in texts]
    base = len(text_module._tokenizer().vocab)
    monkeypatch.setattr(text_module, "KNOWN_WORDS", 1000)

    assert [split_text(text) for text in texts] == expected
    assert len(text_module._tokenizer().vocab) <= 1000 < base


def test_no_sentence_goes_over_the_border_of_a_head():
    """A sentence that would is two; all others stay as they are."""
    text = "OSLO (AP) - Ada left. Bob stayed."
    assert [text[s.begin : s.end] for s in split_text(text)] == ["OSLO (AP) - Ada left.", "Bob stayed."]
    assert [text[s.begin : s.end] for s in split_text(text, 12)] == ["OSLO (AP) -", "Ada left.", "Bob stayed."]
