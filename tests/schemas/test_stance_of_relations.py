"""Whether a sentence states a relation: where places lie, whose country, life dates, who is above whom, who wrote."""

import pytest

from kgmill.schemas.stance import stance

from .marked import of_places, read_marked, stance_of


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
        ("[Ann Lee] (; \u2013 [March 6, 1982]) wrote.", "born_on"),
        ("[Ann Lee] ( - [1982]) wrote.", "born_on"),
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
    "text",
    [
        "Address: [Menlo Park], California, USA; Cambridge, [UK].",
        "Plants in [Austin], Texas; Bangkok, Thailand; Penang, [Malaysia]; and Singapore",
        "Schools in [Austin], Texas; and Isle of Man, [UK]",
        "Schools in the [US]; the war in Chechnya; [China]",
    ],
)
def test_a_semicolon_parts_the_places_of_a_list(text):
    """What one entry of a list names does not lie in what another names."""
    assert stance_of(text, "located_in", are_places=True) == "apart"
    assert stance_of(text, "country") == "apart"
    assert stance_of(text, "affiliation") == ""


@pytest.mark.parametrize(
    "text",
    [
        "There are three in [Canada]; the others are in [Edmonton], Alberta.",
        "[Pskhu] (; , Ps'hwy) is a village in [Abkhazia].",
        "[Austin], Texas, [USA]; Bangkok, Thailand",
        "It joins a city in [Minnesota]; located along the [Saint Louis River].",
    ],
)
def test_a_semicolon_of_other_kinds_parts_nothing(text):
    """Only what stands before and behind the semicolon of a list is parted."""
    assert stance_of(text, "located_in", are_places=True) == ""


@pytest.mark.parametrize(
    "text",
    [
        "[Ann Lee] held the [Cardinals] hitless.",
        "[Acme City] holds off [Ann Lee]",
        "[Ann Lee] hit a double and Rome topped the [Cardinals].",
        "[Ann Lee] scored 20 as Rome upset [Acme City].",
    ],
)
def test_a_player_is_not_of_the_other_team(text):
    """Words of a match, which elsewhere than of somebody's team say nothing of the kind."""
    assert stance_of(text, "affiliation") == "opposed"
    assert stance_of(text, "party") == ""


def test_who_holds_an_office_is_of_what_it_is_of():
    """To hold a chair or a meeting is no match."""
    assert stance_of("[Ann Lee] held a chair at the [Academy].", "affiliation") == ""
    assert stance_of("[Ann Lee] of a holding company of [Acme]", "affiliation") == ""


def test_an_owner_is_not_said_to_belong_to_a_company():
    """Who owns a club is none of its players or staff; who is its owner and something else may be."""
    assert stance_of("[Acme] owner [Ann Lee] left.", "affiliation") == "unsaid"
    assert stance_of("[Acme] majority owner [Ann Lee] left.", "affiliation") == "unsaid"
    assert stance_of("[Acme] owner [Ann Lee] left.", "owned_by") == ""
    assert stance_of("[Acme] said chairman and majority owner [Ann Lee] left.", "affiliation") == ""


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
    "text",
    [
        "[The Patient Lattice] was published by [Gyldendal] in 1963.",
        "[Mother Earth], edited by [Peter Glassgold]",
        "[A Cry in the Dark], which was produced by [Lambert]",
        "[The Tales], illustrated by Joe Sacco and [Ann Lee]",
        '"[Demons Decoded]" released by the [A & E Television Networks]',
    ],
)
def test_who_has_another_part_in_a_work_is_no_author(text):
    """Who published, edited or illustrated a work, or the like, did not write it."""
    plain, (work, who) = read_marked(text)
    assert stance(plain, work, who, "author") == "credited"
    assert stance(plain, work, who, "publisher") == ""


@pytest.mark.parametrize(
    "text",
    [
        "[Copper], written and illustrated by [Kazu Kibuishi]",
        "[Patriot Games] is a film directed by Phillip Noyce and based on the novel by [Tom Clancy].",
        "[The Tales] was published by Macmillan. [Ann Lee] wrote it.",
        "[The Tales], illustrated by Joe Sacco, written by [Ann Lee]",
        "[The Tales] by [Ann Lee], edited by Joe Sacco",
        "[Ann Lee]'s book, published by Macmillan as [The Tales]",
    ],
)
def test_who_wrote_a_work_that_others_have_a_part_in(text):
    """Only the part that is said of the one who is named counts."""
    plain, ends = read_marked(text)
    assert stance(plain, *ends, "author") == ""
