"""The line structure of plain text: which line ends end a sentence."""

import time

import pytest

from kgmill.extractor.text.split import split_text


def sentences_of(text):
    """The text of each sentence, its line breaks as they are."""
    return [text[sentence.begin : sentence.end] for sentence in split_text(text)]


WRAPPED = """\
The laboratory was founded by Irene Walker in the old harbour of
Rotterdam, and for thirty years she directed it with her brother Tom
Walker. When the war came the two of them moved to the University of
Leiden, where they stayed. Their pupils went to Philips and to Royal
Dutch Shell.
"""


def test_wrapped_paragraph_is_read_across_its_lines():
    """Lines that are filled up to a margin are one paragraph; only full stops end its sentences."""
    assert sentences_of(WRAPPED) == [
        WRAPPED[: WRAPPED.index(" When")],
        "When the war came the two of them moved to the University of\nLeiden, where they stayed.",
        "Their pupils went to Philips and to Royal\nDutch Shell.",
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028"])
def test_names_may_cross_a_soft_line_break(end):
    """The words on both sides of a soft break are in one sentence, at their offsets in the text as it is stored."""
    text = WRAPPED.replace("\n", end)
    first = split_text(text)[0]
    begins = dict(zip(first.words, first.word_begins, strict=True))
    assert first.words[-3:] == ("Tom", "Walker", ".")
    assert text[begins["Tom"] :].startswith(f"Tom{end}Walker.")


def test_byline_and_dateline_are_lines_of_their_own():
    """Headline, byline and dateline of a wire story."""
    text = "SHIPYARD HIRES ENGINEER\nBy Carla Moss\nBREMEN, Germany -- Otto Brandt was born there."
    assert sentences_of(text) == [
        "SHIPYARD HIRES ENGINEER",
        "By Carla Moss",
        "BREMEN, Germany -- Otto Brandt was born there.",
    ]


def test_headline_above_wrapped_text_stands_alone():
    """A short line before a wrapped paragraph is not filled up to its margin."""
    text = f"FIFTY YEARS OF RESEARCH\nBy Carla Moss\n{WRAPPED}"
    assert sentences_of(text)[:2] == ["FIFTY YEARS OF RESEARCH", "By Carla Moss"]


def test_list_of_names():
    """One name a line, with headings and without a full stop."""
    text = "Guests\nCarla Moss\nOtto Brandt\nIrene Walker\n\nTowns\nBremen\nLeiden\n"
    assert sentences_of(text) == ["Guests", "Carla Moss", "Otto Brandt", "Irene Walker", "Towns", "Bremen", "Leiden"]


@pytest.mark.parametrize("mark", ["- ", "* ", "+ ", "\u2022 ", "\u2022", "\u25aa\t", "\u2013 ", "  - "])
def test_bullets(mark):
    """Each item is a sentence, and its mark is no word of it."""
    text = f"Members:\n{mark}Carla Moss, University of Bremen\n{mark}Otto Brandt, Leiden"
    assert sentences_of(text) == ["Members:", "Carla Moss, University of Bremen", "Otto Brandt, Leiden"]


@pytest.mark.parametrize(
    "marks", [("1. ", "2. "), ("1) ", "2) "), ("(1) ", "(2) "), ("a) ", "b) "), ("10.\t", "11.\t")]
)
def test_numbered_items(marks):
    """The number of an item ends what stands before it."""
    text = f"{marks[0]}Carla Moss works for Krupp in the town of Bremen and in\n{marks[1]}Otto Brandt lives in Leiden"
    found = sentences_of(text)
    assert [sentence[-6:] for sentence in found if len(sentence) > 10] == ["and in", "Leiden"]
    assert not any("\n" in sentence for sentence in found)


def test_wrapped_item_goes_on_below_its_mark():
    """The lines under a bullet belong to it where they are wrapped."""
    text = (
        "* Carla Moss, who had been an engineer at the shipyard of\n"
        "  Bremen and then lived in Leiden\n"
        "* Otto Brandt, her brother, who was a clerk at the harbour\n"
        "  and died in 1950\n"
        "* Irene Walker, founder,\n"
        "  then in Gdansk\n"
    )
    assert sentences_of(text) == [
        "Carla Moss, who had been an engineer at the shipyard of\n  Bremen and then lived in Leiden",
        "Otto Brandt, her brother, who was a clerk at the harbour\n  and died in 1950",
        "Irene Walker, founder,\n  then in Gdansk",
    ]


def test_bullets_within_a_line():
    """A bullet ends a sentence in the middle of a line too."""
    text = "Members: \u2022 Carla Moss, Bremen \u2022 Otto Brandt, Leiden"
    assert sentences_of(text) == ["Members:", "Carla Moss, Bremen", "Otto Brandt, Leiden"]


@pytest.mark.parametrize(
    "text",
    [
        "Carla Moss\tBremen\tGermany\nOtto Brandt\tLeiden\tNetherlands",
        "Carla Moss | Bremen | Germany\nOtto Brandt | Leiden | Netherlands",
        "| Carla Moss | Bremen | Germany |\n|---|---|---|\n| Otto Brandt | Leiden | Netherlands |",
        "|Carla Moss|Bremen|Germany|\n|Otto Brandt|Leiden|Netherlands|",
        "Carla Moss    Bremen  Germany\nOtto Brandt   Leiden  Netherlands",
        "Carla Moss        Bremen        Germany\n\nOtto Brandt        Leiden        Netherlands",
    ],
)
def test_cells_of_a_table(text):
    """Cells are apart, whether tabs, bars or columns of spaces part them."""
    assert sentences_of(text) == ["Carla Moss", "Bremen", "Germany", "Otto Brandt", "Leiden", "Netherlands"]


@pytest.mark.parametrize(
    "text",
    [
        "Workers at Moss   Brandt say they are disappointed.",
        "She left Bremen.  Otto  stayed.".replace("Bremen.  ", "Bremen  "),
        "The chance P(x | y) is small.",
        "The quake     a report says was felt in Bremen.",
    ],
)
def test_odd_spaces_and_bars_are_no_table(text):
    """Three spaces for a lost character, or a bar in a formula, part nothing."""
    assert sentences_of(text) == [text]


def test_address_and_signature():
    """The lines of an address are no sentence."""
    text = "Carla Moss\nDirector, Krupp\n12 Harbour Street\nBremen\nGermany"
    assert sentences_of(text) == text.split("\n")


def test_poem():
    """Verses are not filled up to a margin, and mostly begin with a capital."""
    text = (
        "I met Carla Moss by harbour light,\nAnd Otto Brandt was there,\nThe boats of Bremen sailed at night\nTo Leiden"
    )
    assert sentences_of(text) == text.split("\n")


def test_long_items_are_no_wrapped_text():
    """A list whose lines happen to be of one length: none goes on in the middle of a sentence."""
    text = (
        "Carla Moss, professor of marine engineering, University of Bremen\n"
        "Otto Brandt, professor of naval architecture, University of Leiden\n"
        "Irene Walker, professor of modern languages, University of Utrecht\n"
        "Tom Walker, lecturer in applied mathematics, University of Gdansk"
    )
    assert sentences_of(text) == text.split("\n")


def test_paragraph_a_line():
    """A line far wider than any margin is a paragraph."""
    line = "Carla Moss lived in Bremen and worked for the shipyard there until the day on which it was closed by Krupp"
    text = f"{line} {line}\nOtto Brandt {line}"
    assert [sentence.count("\n") for sentence in sentences_of(text)] == [0, 0]


def test_two_lines_of_a_wrapped_document():
    """A short paragraph of names is joined where the document's other paragraphs show its margin."""
    text = f"{WRAPPED}\n{WRAPPED}\nThe last of all the pupils of that old school by the sea was Carla\nMoss of Bremen."
    assert sentences_of(text)[-1].endswith("Carla\nMoss of Bremen.")


def test_item_of_news_that_is_wrapped():
    """Two lines of prose, of which the second begins with a name and alone ends in a full stop."""
    text = "The shipyard of Bremen sent its engineers and their families to Carla\nMoss in Leiden on Monday."
    assert sentences_of(text) == [text]


def test_headline_as_long_as_its_story():
    """A line that begins with The, where no full stop stands before it, begins a sentence."""
    text = "Krupp makes Carla Moss the new director of the Bremen shipyard\nThe company said so in a letter on Monday."
    assert sentences_of(text) == text.split("\n")


def test_narrow_column():
    """Text that is wrapped at thirty characters, as in a newspaper's column."""
    text = (
        "The old shipyard of Bremen was\nsold to Krupp last night, and\nits director, who was Carla\n"
        "Moss, told the workers that\nthey would keep their places\nuntil the end of the year."
    )
    assert sentences_of(text) == [text]


def test_quoted_mail():
    """Marks of quoting at the beginnings of lines don't hide that a text is wrapped."""
    text = "".join(f"> {line}\n" for line in WRAPPED.splitlines())
    assert len(sentences_of(text)) == 3


def test_markdown_headings_and_rules():
    """A heading ends where its line ends; rules are no words."""
    text = "# History\nthe yard\n\nPeople\n======\nCarla Moss\n---\nOtto Brandt"
    assert [s for s in sentences_of(text) if s != "the yard"] == ["# History", "People", "Carla Moss", "Otto Brandt"]


def test_abbreviation_at_a_line_end():
    """What a sentence's end is, the segmenter says also at a soft break: not after Mr."""
    text = (
        "It was in the year of the great flood of the river Weser that Mr.\n"
        "Brandt met the engineer of the yard, and they walked together in\nthe rain."
    )
    assert sentences_of(text) == [text]


@pytest.mark.parametrize("piece", ["a\n", "- a\n", "a | b ( ", "a  b   c\n", "a\tb", "\n", "| ", "a \u2022 "])
def test_many_lines_take_linear_time(piece):
    """A hundred thousand characters of any structure take seconds, on a busy core too."""
    text = piece * (100_000 // len(piece))
    started = time.process_time()
    split_text(text)
    assert time.process_time() - started < 15
