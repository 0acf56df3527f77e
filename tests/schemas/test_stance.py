"""Whether a sentence states what it names."""

import doctest
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgmill.extractor.modelfolder import find_model
from kgmill.schemas import stance as module
from kgmill.schemas.ontology import load_ontology
from kgmill.schemas.stance import pattern_of, stance

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


ONTOLOGY = load_ontology(find_model("default") / "ontology.toml")
WORDS = {name: pattern_of(relation.words) for name, relation in ONTOLOGY.relations.items() if relation.words}


def read_marked(text):
    """A sentence, and where its two mentions, in brackets there, lie in it."""
    spans, plain = [], ""
    for piece in re.split(r"(\[[^]]*\])", text):
        if piece.startswith("["):
            spans.append((len(plain), len(plain) + len(piece) - 2))
            piece = piece[1:-1]
        plain += piece
    return plain, spans


def stance_of(text, relation="", tail=None, are_places=False):
    """The stance of a sentence whose two mentions stand in brackets; the second one is the tail, or the one named."""
    plain, spans = read_marked(text)
    if tail is not None and plain[slice(*spans[0])] == tail:
        spans.reverse()
    return stance(plain, *spans, relation, are_places=are_places, words=WORDS.get(relation))


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
    st.sampled_from(["", "born_in", "country", "Citizenship", "owned_by", "x"]),
    st.booleans(),
)
def test_any_sentence_has_a_stance(text, ends, relation, are_places):
    """Whatever a sentence and its offsets are, its stance is one that is named."""
    spans = (ends[0], ends[1]), (ends[2], ends[3])
    assert stance(text, *spans, relation, are_places=are_places) in ("", *STANCES)
    assert stance(text, *spans) in ("", "negated", "hedged", "opposed", "cited", "reported")


def of_places(text, tail=None):
    """The stance of a sentence whose two mentions, in brackets, are places, one perhaps what the other lies in."""
    return stance_of(text, "" if tail is None else "located_in", tail, are_places=True)


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
        "He worked at the [Israeli] consulate in [Miami].",
        "Talks with the [Sudanese] government are held in [Abuja].",
        "[South African] President Thabo Mbeki left [Bouake].",
        "In [Brussels], the [US] Defence Secretary has told allies.",
        "The [US] mission will stay focused in [Tora Bora].",
        "The party of [Iraqi] Prime Minister Iyad Allawi sits in [Basra].",
        "[Islamabad], Nov 9 : [US] Deputy Secretary of State Richard Armitage met leaders.",
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
        "[TBILISI], [Georgia] Georgian President Mikhail Saakashvili appealed to leaders.",
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
    assert stance_of(text, "citizenship", country) == how
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
    year, bob = text.index("1918"), text.index("Bob")
    assert stance(text, (15, text.index(",")), (year, year + 4)) == "cited"
    assert stance(text, (0, 4), (bob, bob + 3)) == ""


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


@pytest.mark.parametrize(
    ("text", "tail"),
    [
        ("[Vilnius] ([Polish]: Wilno) is a city.", "Polish"),
        ("[Jovan] ([Serbian] Cyrillic: Joban) was a geographer.", "Serbian"),
        ("[Tartu] (English: Tartu, [South Estonian]: Tarto)", "South Estonian"),
    ],
)
@pytest.mark.parametrize(("relation", "are_places"), [("country", True), ("citizenship", False)])
def test_a_language_is_no_country(text, tail, relation, are_places):
    """What something is called in a language says nothing of where it lies, or whose citizen anybody is."""
    assert stance_of(text, relation, tail, are_places) == "language"


@pytest.mark.parametrize(
    "text",
    [
        "[Ann Lee] ([Polish], at 12:30) spoke.",
        "[Ann Lee] of [Poland]: a life",
        "[Vilnius] (of [Poland]) was a city: it is one.",
    ],
)
def test_what_is_no_language(text):
    """Only in brackets, and before something written, is the name of a language one."""
    assert stance_of(text, "citizenship") == ""


@pytest.mark.parametrize(
    ("text", "relation"),
    [
        ("[Ann Lee] (5 April 1815 in Paris - 21 March 1851, [Lyon]) was a composer.", "born_in"),
        ("[Ann Lee] (Leipzig, 2 June 1863 \u2014 [Voorburg], May 1919) wrote.", "born_in"),
        ("[Ann Lee] (1815\u2013[1851]) wrote.", "born_on"),
        ("[Ann Lee] (born [1815], died \u2013 1851) wrote.", "died_on"),
        ("[Ann Lee], 1903-10-04 - [1995-06-15].", "born_on"),
        ("[Ann Lee]; [8 May 1753] \u2013 May 30, 1811) wrote.", "died_on"),
        ("[Ann Lee] (May 22, 1913 in [Saint-Denis] \u2013 April 4, 2004 in Moscow) wrote.", "died_in"),
    ],
)
def test_a_death_is_no_birth(text, relation):
    """Before the dash of life dates stands a birth, behind it a death."""
    assert stance_of(text, relation) == "apart"
    other = {"born_in": "died_in", "died_in": "born_in", "born_on": "died_on", "died_on": "born_on"}[relation]
    assert stance_of(text, other) == ""
    assert stance_of(text, "affiliation") == ""


def test_places_on_two_sides_of_a_life():
    """A town at one end of somebody's life does not lie in the country at the other; on one side it may."""
    life = "Ann Lee (1782, {}, {} \u2013 15 August 1836, {}) was a soldier."
    assert of_places(life.format("Havana", "[Cuba]", "[Madrid]"), "Cuba") == "apart"
    assert of_places(life.format("[Havana]", "[Cuba]", "Madrid"), "Cuba") == ""
    assert of_places("The war (1914, [Liege], at first \u2013 1918, [Belgium] - all of it) ended.", "Belgium") == ""


@pytest.mark.parametrize(
    ("text", "relation"),
    [
        ("In [1829] he married [Ann Lee].", "born_on"),
        ("[Utah] defensive coordinator [Ann Lee] was hired.", "born_in"),
        ("[Ann Lee] suffered a heart attack in [1978].", "died_on"),
        ("[Ann Lee] and [Bob Stone] were as close as brothers.", "spouse"),
        ("[Ann Lee] founded a company in [Rome].", "residence"),
        ("[Nextel Cup] driver [Ann Lee] held on.", "award"),
        ("[Acme] announced software that [Initech] uses.", "owned_by"),
        ("[British] philosopher [Ann Lee] signed it.", "head_of_state"),
        ("[Acme] was the fifth-largest maker in [1995].", "inception"),
    ],
)
def test_what_no_word_says_is_unsaid(text, relation):
    """Some relations want a word that says them, where the ontology lists them; elsewhere any sentence may."""
    plain, spans = read_marked(text)
    assert stance_of(text, relation) == "unsaid"
    assert stance(plain, *spans, relation) == ""
    assert stance_of(text, "affiliation") == ""


@pytest.mark.parametrize(
    ("text", "relation"),
    [
        ("[Ann Lee] was born in [1829].", "born_on"),
        ("[Ann Lee] ([1829]-1851) wrote.", "born_on"),
        ("([Ann Lee], 1829 - [1851-01-30]) wrote.", "died_on"),
        ("[Rome]-born [Ann Lee] wrote.", "born_in"),
        ("A native of [Rome], [Ann Lee] wrote.", "born_in"),
        ("[Ann Lee] lived on until [1978].", "died_on"),
        ("[Ann Lee] and her husband [Bob Stone] left.", "spouse"),
        ("[Ann Lee] lives in [Rome].", "residence"),
        ("[Ann Lee], 83, of [Rome], left.", "residence"),
        ("[Ann Lee] won the [Nextel Cup].", "award"),
        ("[Initech] took over [Acme].", "owned_by"),
        ("[Initech]'s [Acme] grew.", "owned_by"),
        ("[British] Prime Minister [Ann Lee] signed it.", "head_of_state"),
        ("[Rome], the capital of [Italy]", "capital"),
        ("[Acme], founded in [1995], grew.", "inception"),
        ("[Acme] ([1995]) grew.", "inception"),
    ],
)
def test_what_a_word_says_is_stated(text, relation):
    """With such a word it is stated, as far as words tell."""
    assert stance_of(text, relation) == ""


@pytest.mark.parametrize(
    ("upper", "text", "relation"),
    [
        (0, "[Ann Lee]'s son [Bob Lee] expanded the business.", "child"),
        (0, "[Pharasmanes]' eldest son [Rhadamistus] left.", "child"),
        (0, "[Peter Dewar], whose son [Bradley] was there, spoke.", "child"),
        (0, "[Ann Lee] and her daughter, [Bea], left.", "child"),
        (0, "[Jeronis] (father of Sir [Charles]) came.", "child"),
        (0, "[Ann Lee] was the mother of [Bob Lee].", "child"),
        (0, "[Acme]'s subsidiary [Acme China] takes care of it.", "owned_by"),
        (0, "[Acme] and its Chinese unit [Sino] merged.", "parent_organization"),
        (0, "[Acme], the parent company of [Sino], grew.", "parent_organization"),
        (0, "[Acme] is the owner of [Sino].", "owned_by"),
        (1, "[Bob Lee], the second son of King [Adam], left.", "child"),
        (1, "[Bob Lee] is a son of [Adam Lee].", "child"),
        (1, "[Bob Lee]'s father, [Adam Lee], left.", "child"),
        (1, "[Bob Lee] and his mother [Ann Lee] left.", "child"),
        (1, "[Sino], a subsidiary of [Acme], grew.", "parent_organization"),
        (1, "[Sino] is now a unit of [Acme].", "owned_by"),
        (1, "[Sino] and its owner [Acme] grew.", "owned_by"),
    ],
)
def test_who_is_above_is_told_by_words(upper, text, relation):
    """A child is no parent, and a subsidiary no owner, whichever is named first; the other way round it is stated."""
    plain, ends = read_marked(text)
    first = upper if relation == "child" else 1 - upper  # whom the relation has as its head
    head, tail = ends[first], ends[1 - first]

    assert stance(plain, head, tail, relation) == ""
    assert stance(plain, tail, head, relation) == "turned"
    assert stance(plain, tail, head, "affiliation") == ""


@pytest.mark.parametrize(
    "text",
    [
        "[Ann Lee] and [Bob Lee], her son, left.",
        "[Ann Lee] met the son of Carl and [Bob Lee].",
        "[Ann Lee] said her friend's son and [Bob Lee] left.",
        "[Ann Lee], who left her son at home with an uncle and an aunt for many years, wrote to [Bob Lee].",
        "[Ann Lee] of the family of [Bob Lee] left.",
        "[Ann Lee] brought up her sons to [Bob Lee]'s liking.",
    ],
)
def test_where_words_tell_no_rank(text):
    """Without a word for it right between the two nothing is turned."""
    plain, ends = read_marked(text)
    for head, tail in (ends, ends[::-1]):
        assert stance(plain, head, tail, "child") == ""


@pytest.mark.parametrize(
    "filler", [" ", "\u2013", "-", "(", "[", "( \u2013", "1 \u2013 ", " - ", "born", "in the ", "son "]
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
