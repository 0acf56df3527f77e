"""Whether a sentence states what it names, whatever the relation."""

import doctest
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgmill.schemas import stance as module
from kgmill.schemas.stance import stance

from .marked import WORDS, stance_of

STANCES = (
    *(
        "negated",
        "hedged",
        "opposed",
        "foreign",
        "placed",
        "beside",
        "cited",
        "language",
        "turned",
        "credited",
        "apart",
        "unsaid",
        "reported",
    ),
)


def test_doctests():
    """The worked examples of the module hold."""
    result = doctest.testmod(module)

    assert result.failed == 0
    assert result.attempted >= 2


@pytest.mark.parametrize(
    "text",
    [
        "[Ann Lee] works for [Acme].",
        "[Ann Lee], the head of [Acme], left.",
        "[Acme] hired [Ann Lee], who may leave.",
        "[Ann Lee] of [Acme] did not leave.",
        "It was not raining when [Ann Lee] met [Bob Stone].",
        "Nobody knows why, but [Ann Lee] lives in [Rome].",
        "[Ann Lee] met [Bob Stone] in May.",
        "[Ann Lee] noted the mayor of [Rome].",
        "[Ann Lee] left in May for [Rome].",
        "Will Smith and [Ann Lee] live in [Rome].",
    ],
)
def test_stated(text):
    """Words behind both mentions, and denials before both, say nothing of what joins them."""
    assert stance_of(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "[Ann Lee] does not work for [Acme].",
        "[Ann Lee] doesn't work for [Acme].",
        "[Ann Lee] doesn\u2019t work for [Acme].",
        "[Ann Lee] has never lived in [Rome].",
        "[Ann Lee] no longer works for [Acme].",
        "[Ann Lee] denied killing [Bob Stone].",
        "[Ann Lee], not [Bob Stone], left.",
        "[Ann Lee] falsely told [Acme] so.",
        "[Ann Lee] cannot have killed [Bob Stone].",
    ],
)
def test_denied(text):
    """What is said not to be is negated."""
    assert stance_of(text) == "negated"


@pytest.mark.parametrize(
    "text",
    [
        "[Ann Lee] may join [Acme].",
        "[Ann Lee] would join [Acme].",
        "[Acme] is in talks with [Initech].",
        "[Acme] is expected to buy [Initech].",
        "[Acme], which is planning to buy [Initech], met.",
        "[Ann Lee] plans to sell [Acme].",
        "[Ann Lee] volunteered to join [Acme].",
        "[Ann Lee] had applied to [Acme].",
        "[Ann Lee] is possibly in [Rome].",
        "[Acme] made a bid for [Initech].",
    ],
)
def test_supposed(text):
    """What may be, or is to be, is hedged."""
    assert stance_of(text) == "hedged"


@pytest.mark.parametrize(
    "text",
    [
        "[Ann Lee] allegedly killed [Bob Stone].",
        "[Ann Lee] is accused of killing [Bob Stone].",
        "The alleged chief of [Acme], [Ann Lee], fled.",
        "The suspected killer [Ann Lee] lives in [Rome].",
        "He was, according to [Ann Lee], in [Rome].",
        "According to police, [Ann Lee] killed [Bob Stone].",
        "Reportedly [Ann Lee] lives in [Rome].",
    ],
)
def test_reported(text):
    """What is somebody's claim is reported, whether that is said between the mentions or before them."""
    assert stance_of(text) == "reported"


@pytest.mark.parametrize(
    "text",
    [
        "[Ann Lee] scored against [Acme].",
        "[Ann Lee] scored twice in a win over [Acme].",
        "[Ann Lee] led the team past [Acme].",
        "[Bremen] beat [London] with a goal.",
        "[Ann Lee] scored as they lost to [Acme].",
    ],
)
def test_opposed(text):
    """What joins a player, or a team, and the other team is said of nobody's own."""
    assert stance_of(text) == "opposed"


@pytest.mark.parametrize("text", ["[Ann Lee] took over [Acme].", "[Ann Lee], who is past forty, runs [Acme]."])
def test_not_opposed(text):
    """Who takes a company over, or is past an age, is against nobody."""
    assert stance_of(text) == ""


def test_denial_goes_before_doubt():
    """Of several stances denial is the one, then doubt."""
    assert stance_of("[Ann Lee] may not have killed [Bob Stone].") == "negated"
    assert stance_of("[Ann Lee] allegedly may have killed [Bob Stone].") == "hedged"


def test_words_far_before_govern_nothing():
    """What stands far before the first mention is of something else."""
    far = "The alleged thief, a man of forty who had lived in many towns, "
    assert stance_of(f"{far}met [Ann Lee] in [Rome].") == ""
    assert stance_of("The alleged thief met [Ann Lee] in [Rome].") == "reported"


@pytest.mark.parametrize("word", ["notable", "mayor", "couldron", "knot", "denim", "maybes", "neverland", "claimant"])
def test_words_are_whole(word):
    """A word within another is none."""
    assert stance_of(f"[Ann Lee] {word} [Acme].") == ""


@given(
    st.text(max_size=60),
    st.lists(st.integers(-5, 60), min_size=4, max_size=4).map(sorted),
    st.sampled_from(["", "born_in", "child", "country", "Citizenship", "owned_by", "x"]),
    st.booleans(),
)
def test_any_sentence_has_a_stance(text, ends, relation, are_places):
    """Whatever a sentence and its offsets are, its stance is one that is named."""
    spans = (ends[0], ends[1]), (ends[2], ends[3])
    assert stance(text, *spans, relation, are_places=are_places) in ("", *STANCES)
    assert stance(text, *spans) in ("", "negated", "hedged", "opposed", "cited", "reported")


@pytest.mark.parametrize(
    "text",
    [
        "They rose again. ([Ann Lee], [Poland] 1918-1921, p. 57)",
        "Ann said so <[Ann Lee], Work in Poland, pp. 57-8> of [1918].".replace("<", "(").replace(">", ")"),
        "In [Poland] work was hard (quoted by [Ann Lee], Work, p.5).",
        "[Ann Lee], Poland 1918-[1921], p. 57) It was so.",
    ],
)
def test_references_to_pages_state_nothing(text):
    """What stands in a reference to a page of a work is its writer or in its title, also where it is cut off."""
    assert stance_of(text) == "cited"


@pytest.mark.parametrize(
    "text",
    [
        "[Ann Lee] was born in [1918] (Lee, My Life, p. 57).",
        "Work (Lee, My Life, p. 57) was hard for [Ann Lee], who was born in [1918].",
        "[Ann Lee] (born [1918]) wrote so.",
        "[Ann Lee] left at 5 p.m. for [Rome] (by train).",
    ],
)
def test_what_stands_beside_a_reference_is_stated(text):
    """A reference is only what stands in its brackets; others have no page."""
    assert stance_of(text) == ""


def test_square_references():
    """A reference may stand in square brackets."""
    text = "Work was hard [Ann Lee, Poland 1918-1921, p. 57], as Bob said."
    year, bob = text.index("1918"), text.index("Bob")
    assert stance(text, (15, text.index(",")), (year, year + 4)) == "cited"
    assert stance(text, (0, 4), (bob, bob + 3)) == ""


@pytest.mark.parametrize(
    "filler",
    [" ", "\u2013", "-", "(", "[", "( \u2013", "1 \u2013 ", " - ", "born", "in the ", "son ", "; ", "; A", "A "],
)
def test_long_sentences_take_no_time(filler):
    """Whatever a hostile sentence is full of, time grows with its length and not with its square."""
    sentence = f"Ann Lee {filler * 40_000} (1815, Paris \u2013 1851, Lyon)"
    began = time.process_time()
    for relation in ("born_in", "died_on", "country", "owned_by", "inception", "child"):
        for are_places in (False, True):
            ends = (0, 7), (len(sentence) - 5, len(sentence) - 1)
            stance(sentence, *ends, relation, are_places=are_places, words=WORDS.get(relation))
    assert time.process_time() - began < 20
