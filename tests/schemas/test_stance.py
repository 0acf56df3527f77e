"""Whether a sentence states what it names."""

import doctest
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgmill.schemas import stance as module
from kgmill.schemas.stance import stance

STANCES = ("negated", "hedged", "opposed", "foreign", "placed", "beside", "cited", "reported")


def test_doctests():
    """The worked examples of the module hold."""
    result = doctest.testmod(module)

    assert result.failed == 0
    assert result.attempted >= 2


def stance_of(text, country=None):
    """The stance of a sentence whose two mentions stand in brackets, one of them perhaps somebody's `country`."""
    spans, plain = [], ""
    for piece in re.split(r"(\[[^]]*\])", text):
        if piece.startswith("["):
            spans.append((len(plain), len(plain) + len(piece) - 2))
            piece = piece[1:-1]
        plain += piece
    (_, first_end), (second_begin, _) = spans
    return stance(plain, first_end, second_begin, whole=None if country is None else plain.index(country))


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


@given(st.text(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_any_sentence_has_a_stance(text, one, other):
    """Whatever a sentence and its offsets are, its stance is one that is named."""
    assert stance(text, min(one, other), max(one, other)) in {"", *STANCES} - {"foreign", "placed", "beside"}
    assert stance(text, min(one, other), max(one, other), len(text), one) in ("", *STANCES)


def of_places(text, whole=None):
    """The stance of a sentence whose two mentions, in brackets, are places, one perhaps the `whole` of the other."""
    plain = text.replace("[", "").replace("]", "")
    first_end = text.index("]") - 1
    second_begin = text.index("[", first_end) - 2
    whole = None if whole is None else plain.index(whole)
    return stance(plain, first_end, second_begin, text.rindex("]") - 3, whole)


@pytest.mark.parametrize(
    "text",
    [
        "A car bomb exploded near a [U.S.] military patrol in Baiji, north of [Baghdad].",
        "In [Baghdad], [US] troops fought.",
        "[US]-led forces moved into [Fallujah].",
        "[Israeli] settlements in [Gaza] are to go.",
        "[Russia]'s heavy artillery fired at [Grozny].",
        "Two [British] embassy workers were seen in [Teheran].",
        "It happened near [Saratov], [Russian] news agencies reported.",
    ],
)
def test_whose_forces_are_there(text):
    """Whose soldiers, officials or settlers are somewhere says nothing of the country that it lies in."""
    assert of_places(text) == "foreign"


@pytest.mark.parametrize(
    "text",
    [
        "[Kabul], [Afghanistan] - Troops came.",
        "the [French] city of [Lyon]",
        "the [Iraqi] capital, [Baghdad]",
        "[Baghdad] is the capital of [Iraq], and troops are there.",
        "[U.S.] citizens of [New York] vote.",
        "[Lyon] lies in [France].",
        "[Baghdad], [Iraq] after bombings",
        "Shells hit [Grozny] in [Russia] during heavy attacks.",
    ],
)
def test_places_that_lie_there(text):
    """What is no force of a country says where the other one lies."""
    assert of_places(text) == ""


def test_forces_of_no_place():
    """Of mentions that aren't both places nothing is foreign: a U.S. soldier is a citizen."""
    text = "[U.S.] soldier [Ann Lee] left."
    assert stance_of(text) == ""


@pytest.mark.parametrize(
    ("text", "country", "how"),
    [
        ("A year ago in [Poland], [Lech Walesa] declared that he was ready.", "Poland", "placed"),
        ("In the [United States] [Emma Goldman] was a leading thinker.", "United States", "placed"),
        ("[Bobby Fischer], who is wanted in the [United States], fled.", "United States", "placed"),
        ("[Poland]'s [Lech Walesa] spoke in Rome.", "Poland", ""),
        ("[Ann Lee], born in Rome, is a citizen of [Poland].", "Poland", ""),
        ("The [Polish] writer [Ann Lee] spoke in Rome.", "Polish", ""),
        ("[Ann Lee] of [Berlin] spoke.", "Berlin", ""),
        ("In 1980 [Polish] leader [Lech Walesa] spoke.", "Polish", ""),
    ],
)
def test_where_something_happens_is_nobodys_country(text, country, how):
    """A country that is named as the place of what happens does not say whose citizen anybody is."""
    assert stance_of(text, country) == how
    assert stance_of(text) == ""


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
    assert stance(text, text.index(","), text.index("1918")) == "cited"
    assert stance(text, 4, text.index("Bob")) == ""


@pytest.mark.parametrize(
    "text",
    [
        "A patrol in [Baiji], north of [Rome], met.",
        "[Alexeni] is a commune some 65 km north - east of [Rome].",
        "[Alexeni] is 40 miles from [Rome].",
        "[Coolum], northwest of the city of [Rome]",
        "in [Hanau], near [Rome]",
        "The [Vigra] church lies a short distance south-west of the [Rome].",
        "[Alexeni], outside [Rome]",
    ],
)
def test_place_beside_another_is_not_in_it(text):
    """What lies near a place, or so far from it, is not said to be in it; whichever it is that comes first."""
    assert of_places(text, "Rome") == "beside"
    assert of_places(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "[Hillswick] in the north west of [Rome]",
        "[Hillswick], in the south of [Rome], met.",
        "[Hillswick], in northern [Rome]",
        "[Hillswick], [Rome], north of here",
        "the north of [Hillswick] in [Rome]",
    ],
)
def test_part_of_a_place_is_in_it(text):
    """The north of a place is in it."""
    assert of_places(text, "Rome") == ""
