"""How a sentence is cut so that its mentions stay in sight."""

import pytest

from kgmill.flows.excerpt import Mark, excerpt

TEXT = "Ada Byron, who wrote the first program for an engine that was never built, lived in Paris and London."
MARKS = [Mark(0, 9, "head"), Mark(84, 89, "tail")]


def cut(width, text=TEXT, marks=MARKS, is_coloured=False):
    return excerpt(text, marks, width, is_coloured=is_coloured)


def test_sentence_that_fits_is_whole():
    """With brackets around its mentions."""
    assert cut(105).plain == TEXT.replace("Ada Byron", "[Ada Byron]").replace("Paris", "[Paris]")


@pytest.mark.parametrize("width", range(24, 105))
@pytest.mark.parametrize("is_coloured", [True, False])
def test_both_mentions_are_seen_at_any_width(width, is_coloured):
    """No line is wider, and none lacks a mention."""
    line = cut(width, is_coloured=is_coloured)
    assert line.cell_len <= width
    assert "Ada Byron" in line.plain
    assert "Paris" in line.plain


def test_words_near_a_mention_are_kept():
    """A cut is an ellipsis; of words between the mentions twice as many are kept as of those outside."""
    assert cut(60).plain == "[Ada Byron], who wrote the … built, lived in [Paris] and …"


def test_colours_are_of_mentions_alone():
    """Head and tail have a colour each, and no brackets."""
    line = cut(60, is_coloured=True)
    coloured = {str(span.style): line.plain[span.start : span.end] for span in line.spans}
    assert (coloured["bold cyan"], "[" in line.plain) == ("Paris", False)


def test_text_without_spaces_is_cut_within():
    """Wide characters take two columns; a text without spaces has places to cut too."""
    text = "奥斯卡·尼迈耶出生于里约热内卢，是巴西的一位建筑师，设计了巴西利亚的主要公共建筑，也设计了许多别的建筑"
    begin = text.index("巴西利亚")
    line = cut(44, text, [Mark(0, 7), Mark(begin, begin + 4)])
    assert line.cell_len <= 44
    assert "[奥斯卡·尼迈耶]" in line.plain
    assert "[巴西利亚]" in line.plain


def test_mentions_that_are_too_long_begin():
    """Where not even the mentions fit, each is begun."""
    text = "The Very Long Name of an Institute for the Study of Long Names was founded in 1900."
    begin = text.index("1900")
    assert cut(30, text, [Mark(0, 62), Mark(begin, begin + 4)]).plain == "[The Very Long] … [1900] …"


def test_controls_are_shown():
    """A mention within a word, one that overlaps another, and an escape of the corpus."""
    marks = [Mark(1, 7), Mark(10, 18), Mark(14, 18)]
    assert cut(60, "(Armonk), New York\x1b[2J.", marks).plain == "([Armonk]), [New York]\\x1b[2J."
