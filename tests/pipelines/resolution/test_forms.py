"""The shapes of names."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgmill.pipelines.resolution import forms
from kgmill.pipelines.resolution.forms import (
    bracketed,
    company_words,
    fold,
    is_acronym,
    is_spelling_of,
    person_words,
    skeleton,
    stands_for,
    without_title,
    words,
)


def test_doctests():
    """The worked examples of the module hold."""
    result = doctest.testmod(forms)

    assert result.failed == 0
    assert result.attempted >= 10


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("U.S.A.", "usa"),
        ("U.S. Army", "us army"),
        ("J.K. Rowling", "jk rowling"),
        ("J. K. Rowling", "j k rowling"),
        ("São Paulo", "sao paulo"),
        ("Schröder", "schroder"),
        ("O\u2019Neill", "o'neill"),
        ("St. Louis", "st. louis"),
        ("Amazon.com", "amazon.com"),
        ("No. 10.", "no. 10."),
    ],
)
def test_fold(text, folded):
    """Case and marks go; points go behind single letters alone, so that no word loses its end."""
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AT&T", ("at", "and", "t")),
        ("Johnson & Johnson", ("johnson", "and", "johnson")),
        ("O'Neill", ("o'neill",)),
        ("Marie-Louise Moss", ("marie", "louise", "moss")),
        ("Yahoo!", ("yahoo",)),
        ("3M", ("3m",)),
        ("...", ()),
    ],
)
def test_words(text, expected):
    """Hyphens part words and apostrophes don't; punctuation is in no word."""
    assert words(text) == expected


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("President Bush", "Bush"),
        ("Mr. Bush", "Bush"),
        ("MRS. BUSH", "BUSH"),
        ("Secretary of State Powell", "of State Powell"),  # of what, is no title
        ("Vice President Dick Cheney", "Dick Cheney"),
        ("former President Bill Clinton", "Bill Clinton"),
        ("Ex-President Bill Clinton", "Bill Clinton"),
        ("Queen", "Queen"),
        ("Prime Minister", "Prime Minister"),
        ("Judge Judy", "Judy"),
        ("Kingsley Amis", "Kingsley Amis"),
        ("Major-General Stanley", "Major-General Stanley"),
        ("Martin King", "Martin King"),
        ("Don King", "Don King"),
    ],
)
def test_titles_go_before_a_name(name, bare):
    """A title is a word before a name: none within, none behind, and none where nothing else would stay."""
    assert without_title(name) == bare


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Martin Luther King Jr.", ("martin", "luther", "king")),
        ("Dr. Ann Lee, PhD", ("ann", "lee")),
        ("John D. Rockefeller III", ("john", "d", "rockefeller")),
        ("John Paul II", ("john", "paul", "ii")),
        ("George W. Bush", ("george", "w", "bush")),
        ("J.R.R. Tolkien", ("j", "r", "r", "tolkien")),
        ("Jr.", ("jr",)),
        ("President", ("president",)),
        ("...", ()),
    ],
)
def test_person_words(name, expected):
    """What stands behind a name goes, but a numeral stays where it isn't behind a surname; some word always stays."""
    assert person_words(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        "Acme",
        "Acme Inc.",
        "ACME INC",
        "Acme, Inc.",
        "Acme Corp.",
        "Acme Corporation",
        "Acme Ltd.",
        "Acme GmbH",
        "The Acme",
    ],
)
def test_legal_forms_are_no_part_of_a_company(name):
    """A company is the same with any legal form and with none."""
    assert company_words(name) == ("acme",)


def test_group_is_no_part_of_a_company():
    """A company and its group are one, with a legal form or without; a group that is all the name stays."""
    assert {company_words(name) for name in ("Acme Group", "Acme Group, Inc.", "Acme")} == {("acme",)}
    assert (company_words("The Group"), company_words("Group")) == (("group",), ("group",))


@pytest.mark.parametrize("name", ["Acme Bank", "Acme University", "Acme 2"])
def test_other_words_are_part_of_a_company(name):
    """Only a legal form is left out."""
    assert company_words(name) == tuple(name.lower().split())


@pytest.mark.parametrize("text", ["UN", "U.N.", "U.S", "U.S.A.", "NATO", "AT&T", "F16A"])
def test_acronyms(text):
    """Capitals, with digits and `&` behind the first, with a point behind each or none."""
    assert is_acronym(text)


@pytest.mark.parametrize("text", ["Un", "un", "U", "U.", "G8", "3M", "UN General Assembly", "ABCDEFGHIJK", "", "..."])
def test_no_acronyms(text):
    """Small letters, one letter, spaces and more than ten letters are none."""
    assert not is_acronym(text)


@pytest.mark.parametrize(
    ("short", "long", "does"),
    [
        ("UN", "United Nations", True),
        ("U.N.", "United Nations", True),
        ("WHO", "World Health Organization", True),
        ("WHO", "World Hospital Office", True),
        ("DOJ", "Department of Justice", True),
        ("DJ", "Department of Justice", True),
        ("DOD", "Department of Justice", False),
        ("WHO", "World Health Organization Europe", False),
        ("N", "NATO", False),
        ("CERN", "European Organization for Nuclear Research", False),
        ("AMS", "Anne-Marie Smith", True),
    ],
)
def test_initials(short, long, does):
    """All words of a long name give their first letter, but small words may give none; one word has no initials."""
    assert stands_for(short, long) is does


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("World Health Organization (WHO)", ("World Health Organization", "WHO")),
        ("World Health Organization(WHO)", ("World Health Organization", "WHO")),
        ("World Health Organization (Geneva)", None),
        ("World Health Organization (UN)", None),
        ("World Health Organization (WHO) in Geneva", None),
        ("(WHO)", None),
    ],
)
def test_brackets(text, expected):
    """Only an acronym of the name before it is its other name."""
    assert bracketed(text) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("muqtada al sadr", "moqtada al sadr"),
        ("schwarzenegger", "schwarzeneger"),
        ("fallujah", "falluja"),
        ("wal mart stores", "walmart stores"),
        ("goldman sachs", "goldmansachs"),
    ],
)
def test_spellings_of_one(one, other):
    """Vowels, h and doubled letters may differ within names, and so may spaces."""
    assert is_spelling_of(one, other)
    assert is_spelling_of(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("martina", "martino"),  # another end
        ("maria", "mario"),  # too short
        ("iran", "iraq"),
        ("unit 731", "unit 732"),  # other numbers
        ("apollo 11", "apollo 13"),
        ("charles ii", "charles iv"),  # other numerals
        ("charles i", "charles ii"),
        ("super bowl xx", "super bowl xxi"),
        ("north korea", "south korea"),
        ("austria", "australia"),
        ("general motors", "general meters inc"),  # another number of words
        ("bank of america", "bank america"),
        ("osama bin laden", "usama bin laden"),  # another beginning
        ("mohammed ali", "muhammad ali"),  # too many letters
    ],
)
def test_no_spellings_of_one(one, other):
    """Short names, other ends, numbers, numerals and numbers of words are other names."""
    assert not is_spelling_of(one, other)
    assert not is_spelling_of(other, one)


_NAME = st.text("abehiorstvx 12", min_size=1, max_size=12).map(lambda text: " ".join(text.split())).filter(bool)


@given(_NAME, _NAME)
def test_spelling_goes_both_ways(one, other):
    """Whether two are spellings of one does not hang on which is asked."""
    assert is_spelling_of(one, other) == is_spelling_of(other, one)
    assert is_spelling_of(one, one)


@given(_NAME, st.integers(0, 11), st.sampled_from("aeiou"))
def test_spellings_share_their_skeleton(name, place, vowel):
    """What is a spelling of a name is in its block: the skeletons of both, without spaces, are equal."""
    other = name[:place] + vowel + name[place:]
    if is_spelling_of(name, " ".join(other.split())):
        assert skeleton(name.replace(" ", "")) == skeleton(other.replace(" ", ""))


@given(st.text(max_size=30))
def test_any_text_has_a_shape(text):
    """Whatever a model takes for a name, nothing fails."""
    parts = text.split()
    assert without_title(text) in (text, *(" ".join(parts[n:]) for n in range(len(parts))))
    assert all((*words(text), *person_words(text), *company_words(text)))
    assert not is_acronym(text) or text.isupper()
    assert not stands_for("AB", text) or len(parts) > 1 or not text.isalnum()
    assert bracketed(text) is None or text.rstrip()[-1] == ")"
