"""The names of one document."""

import doctest
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgmill.pipelines.resolution import local
from kgmill.pipelines.resolution.local import Spotted, is_short_form, local_names

KINDS = ("person", "organization", "place", "other")
COLUMNS = {"Peop": 0, "Org": 1, "Loc": 2, "Misc": 3}


def test_doctests():
    """The worked examples of the module hold."""
    result = doctest.testmod(local)

    assert result.failed == 0
    assert result.attempted >= 2


def votes(column, p=0.0):
    """The log probabilities of a mention that is most likely of one type; of no two types are they the same."""
    p = p or 0.97 - column / 100
    return np.log(np.where(np.arange(4) == column, p, (1 - p) / 3))


def spotted(text):
    """The mentions of a text in which they stand as [Type Name]; and the text without these marks."""
    plain, mentions = "", []
    for piece in re.split(r"(\[\w+ [^]]*\])", text):
        if piece.startswith("["):
            kind, _, name = piece[1:-1].partition(" ")
            mentions.append(Spotted(len(plain), len(plain) + len(name), name, votes(COLUMNS[kind])))
            plain += name
        else:
            plain += piece
    return mentions, plain


def named(text):
    """What a text calls its mentions: the name and the rule of each; and its definitions."""
    found, definitions = local_names(*spotted(text), KINDS)
    return [(name.name, name.rule) for name in found], definitions


def called(text):
    return named(text)[0]


def test_name_is_its_own():
    """A name that stands for no other is called as it is, without spaces and quotes that say nothing."""
    assert called("[Peop Ann  Lee] of [Org Acme] in\n[Loc New\nYork].") == [
        ("Ann Lee", ""),
        ("Acme", ""),
        ("New York", ""),
    ]


@pytest.mark.parametrize("short", ["Bush", "George Bush", "G. W. Bush", "G.W. Bush", "George", "W. Bush", "BUSH"])
def test_short_form_is_the_full_name(short):
    """A surname, a first name and initials are the full name that the document has for them."""
    assert called(f"[Peop George W. Bush] spoke. [Peop {short}] left.")[1] == ("George W. Bush", "short")


@pytest.mark.parametrize("other", ["Laura Bush", "Bushnell", "L. Bush", "Georgia Bush", "W. George Bush", "G"])
def test_other_names_stay(other):
    """Another first name, another order, or a single letter is nobody's short form."""
    assert called(f"[Peop George W. Bush] spoke. [Peop {other}] left.")[1] == (other, "")


def test_surname_before_the_full_name():
    """A headline may have the surname before the text has the full name."""
    assert called("[Peop Bush] WINS. [Peop George Bush] won.") == [("George Bush", "short"), ("George Bush", "")]


def test_surname_of_several_is_the_first():
    """Where several have the surname, it is the one whom the document names first; each full name stays."""
    text = "[Peop Hillary Clinton] met [Peop Bill Clinton]. [Peop Clinton] left. [Peop Bill] stayed."
    assert called(text) == [
        ("Hillary Clinton", ""),
        ("Bill Clinton", ""),
        ("Hillary Clinton", "short"),
        ("Bill Clinton", "short"),
    ]


def test_whole_name_is_not_short_for_a_relative():
    """Who is named first, and by surname alone too, was named in full: a son of that name is another."""
    text = (
        "[Peop Albert Einstein] spoke. [Peop Einstein] left. [Peop Hermann Einstein] met [Peop Hans Albert Einstein]."
    )
    assert called(f"{text} [Peop Einstein] won.") == [
        ("Albert Einstein", ""),
        ("Albert Einstein", "short"),
        ("Hermann Einstein", ""),
        ("Hans Albert Einstein", ""),
        ("Albert Einstein", "short"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[Peop García Márquez] died. [Peop Gabriel García Márquez] wrote.",  # nobody calls him Márquez
        "[Peop Gabriel García Márquez] wrote. [Peop García Márquez] died. [Peop Márquez] rests.",
    ],
)
def test_surname_of_two_words_is_short_for_the_name(text):
    """Before the full name, and behind it."""
    assert {name for name, _ in called(text)} == {"Gabriel García Márquez"}


def test_short_form_is_the_fullest():
    """Of longer and longer forms of one name the longest is that of all."""
    text = "[Peop Bush] is [Peop George Bush], or [Peop George Walker Bush], as [Peop George W. Bush]."
    assert {name for name, _ in called(text)} == {"George Walker Bush"}


def test_nicknames():
    """A first name's short form is the first name."""
    assert called("[Peop William Clinton] spoke. [Peop Bill Clinton] left.")[1] == ("William Clinton", "short")
    assert called("[Peop William Clinton] spoke. [Peop George Clinton] left.")[1] == ("George Clinton", "")


@pytest.mark.parametrize("title", ["President", "Mr.", "Prime Minister", "former President", "Sen.", "Lt. Gen."])
def test_titles_are_no_part_of_a_name(title):
    """A person is called without a title; one that is called by title and surname is called by the full name."""
    assert called(f"[Peop {title} Ann Lee] spoke.") == [("Ann Lee", "title")]
    assert called(f"[Peop Ann Lee] spoke. [Peop {title} Lee] left.")[1] == ("Ann Lee", "short")


def test_titles_are_those_of_people():
    """What isn't a person has no title."""
    assert called("[Loc St. Louis] and [Org General Motors] and [Loc Prince George]") == [
        ("St. Louis", ""),
        ("General Motors", ""),
        ("Prince George", ""),
    ]


def test_ends_of_other_names_are_other_names():
    """The end of a place's or a company's name is mostly another name."""
    text = "[Loc New York] and [Loc York]; [Org Bank of America] and [Org America]; [Org Ford Motor] and [Peop Ford]"
    assert [rule for _, rule in called(text)] == [""] * 6


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("Org Court", "Org Supreme Court"),
        ("Org Committee", "Org Committee against the White Terror"),
        ("Misc Agreement", "Misc Good Friday Agreement"),
        ("Org Navy", "Org U.S. Navy"),
        ("Org Labour Party", "Org British Labour Party"),
        ("Org House of Commons", "Org House of Commons of Canada"),
        ("Org Interscope", "Org Interscope Records"),
        ("Org Villanova", "Org Villanova Preparatory School"),
        ("Org Royals", "Org Kansas City Royals"),
        ("Org White Sox", "Org Chicago White Sox"),
        ("Loc Karelia", "Loc Republic of Karelia"),
    ],
)
def test_what_a_text_calls_a_thing_for_short(short, full):
    """A general word, a body without its country or kind, a team without its town: the one that the document names."""
    name = full.partition(" ")[2]
    assert called(f"The [{full}] met. The [{short}] is old.") == [(name, ""), (name, "short")]
    assert called(f"The [{short}] is old. [{short}] met.") == [(short.partition(" ")[2], "")] * 2


@pytest.mark.parametrize(
    "text",
    [
        "The [Org Supreme Court] and the [Org District Court] met. The [Org Court] is old.",  # either
        "The [Loc Supreme Court] met. The [Org Court] is old.",  # a building
        "[Org Siberian Branch of the Academy of Sciences] met. The [Org Academy of Sciences] is old.",
        "[Org Nintendo of America] grew. [Org Nintendo] did too.",
        "[Org Samsung Electronics] grew. [Org Samsung] did too.",
        "[Org Johns Hopkins University Hospital] grew. [Org Hospital University] is old.",
        "[Loc Albany County] is large. [Loc Albany] is old.",
        "[Loc Grand Duchy of Finland] is gone. [Loc Finland] is old.",
        "[Peop Ann Court] met. [Org Court] is old.",
    ],
)
def test_what_is_not_said_for_short(text):
    """Where two would do, or it is of another kind, or a part of something else: a name of its own."""
    assert called(text)[-1][1] == ""


def test_short_for_a_name_that_is_short_itself():
    """Of longer names that are short for one another the fullest is meant."""
    full = "United States Supreme Court"
    text = f"The [Org {full}] met. The [Org Supreme Court] is old. The [Org Court] left."
    assert [name for name, _ in called(text)] == [full] * 3


@pytest.mark.parametrize(
    "text",
    [
        "The [Org World Health Organization] ([Org WHO]) met. [Org WHO] left.",
        "The [Org World Health Organization] ( [Org WHO] ) met. [Org WHO] left.",
        "[Org WHO] ([Org World Health Organization]) met. [Org WHO] left.",
        "[Org World Health Organization (WHO)] met. [Org WHO] left.",
    ],
)
def test_acronym_in_brackets_is_its_long_name(text):
    """An acronym that the text explains is its long name throughout, and a definition."""
    found, definitions = named(text)
    assert {name for name, _ in found} == {"World Health Organization"}
    assert definitions == [("WHO", "World Health Organization")]
    assert found[-1][1] == "acronym"


def test_two_letters_in_brackets():
    """A bracket explains an acronym of two letters too."""
    found, definitions = named("The [Org United Nations] ([Org UN]) met.")
    assert (found[1], definitions) == (("United Nations", "acronym"), [("UN", "United Nations")])


@pytest.mark.parametrize(
    "text",
    [
        "The [Org World Health Organization] ([Loc Geneva]) met.",
        "The [Org World Health Organization] ([Org UN]) met.",
        "The [Org World Food Programme] ([Org WHO]) met.",
        "The [Org World Health Organization], [Org HHO], met.",
    ],
)
def test_brackets_without_an_acronym(text):
    """A bracket with another name, or an acronym of other words, explains nothing."""
    found, definitions = named(text)
    assert (found[1][1], definitions) == ("", [])


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("PRR", "Pennsylvania Railroad"),
        ("ASEAN", "Association of Southeast Asian Nations"),
        ("NSB", "Norges Statsbaner"),
        ("FLAMA", "Frente de Libertação do Arquipélago da Madeira"),
    ],
)
def test_acronym_in_brackets_may_have_letters_from_within_words(short, long):
    """What stands in brackets beside a name is of its letters, the first of them first; elsewhere that says nothing."""
    found, definitions = named(f"The [Org {long}] ([Org {short}]) left. [Org {short}] is gone.")
    assert (found, definitions) == ([(long, ""), (long, "acronym"), (long, "acronym")], [(short, long)])
    assert called(f"The [Org {long}] left. [Org {short}] is gone.")[1] == (short, "")


def test_word_from_the_middle_of_a_name():
    """A surname that isn't the last word is the one person's who has it there."""
    full = "Guillermo David Endara Galimany"
    assert called(f"[Peop {full}] won. [Peop Endara] spoke.")[1] == (full, "middle")


@pytest.mark.parametrize(
    "text",
    [
        "[Peop Ann Endara Lee] met [Peop Bob Endara Moss]. [Peop Endara] spoke.",  # two people's
        "[Peop Ann Li Moss] won. [Peop Li] spoke.",  # two letters
        "[Loc San Juan Capistrano] lies there. [Loc Juan] too.",  # a place's
    ],
)
def test_middle_of_a_name_that_says_too_little(text):
    """Where it could be two people's, is an initial or the like, or is no person's, it stays."""
    assert called(text)[-1][1] == ""


def test_last_word_goes_before_the_middle():
    """A surname in the usual place is that person's, whoever has it in the middle."""
    text = "[Peop Ann Endara Lee] met [Peop Bob Endara]. [Peop Endara] spoke."
    assert called(text)[-1] == ("Bob Endara", "short")


@pytest.mark.parametrize(
    "between",
    [
        ", also known as ",
        " (also known as ",
        ", formerly called the ",
        " (formerly ",
        " (now ",
        " (or ",
        ", better known as \u201c",
        " is also called ",
        ", alias ",
        " (a.k.a. ",
        ", and later known simply as ",
    ],
)
def test_what_a_thing_is_called_too(between):
    """What the text says to be another name of a thing is that thing, throughout."""
    found = called(f"[Loc Klamath Falls]{between}[Loc Linkville]) grew. [Loc Linkville] burnt.")
    assert found == [("Klamath Falls", ""), ("Klamath Falls", "called"), ("Klamath Falls", "called")]


def test_name_in_another_script():
    """A bracket by itself says so where the name in it is written in letters that aren't Latin."""
    assert called("[Misc Zou Sifang] (\u201c[Misc \u8d70\u56db\u65b9]\u201d) is old.")[1] == ("Zou Sifang", "called")


@pytest.mark.parametrize(
    "text",
    [
        "[Loc Klamath Falls] or [Loc Linkville] grew.",
        "[Loc Klamath Falls] ([Loc Oregon]) grew.",
        "[Loc Klamath Falls], also in [Loc Oregon], grew.",
        "[Loc Klamath Falls], also known as a town of [Loc Oregon], grew.",
        "[Loc Klamath Falls], formerly known as [Peop Ann Lee]'s, grew.",
        "[Loc Klamath Falls] grew. Also known: [Loc Linkville].",
        "[Loc Klamath Falls]; [Loc \u5317\u4eac] grew.",
        "[Loc \u5317\u4eac] ([Loc \u91d1\u9685]) grew.",
        "[Misc World Cup] ([Misc 2014]) grew.",
    ],
)
def test_what_is_no_other_name(text):
    """Choices, places that a place lies in, and things of another kind are no names of it."""
    assert [rule for _, rule in called(text)] == ["", ""]


@pytest.mark.parametrize(
    "text",
    [
        "[Loc Burma], now known as [Loc Myanmar], lies there. [Loc Myanmar] (formerly [Loc Burma]) is poor.",
        "[Peop Madonna], also known as [Peop Madonna Louise Ciccone], sang. [Peop Madonna] left.",
        "The [Org FBI], also known as [Org Federal Bureau of Investigation], came. The [Org FBI] left.",
        "[Org Acme], also known as [Org Apex], and [Org Apex], also known as [Org Acme], are gone.",
    ],
)
def test_names_that_lead_to_one_another_are_one(text):
    """However the document says so, and where another rule has one lead to the other too: they don't change places."""
    assert len({name for name, _ in called(text)}) == 1


def test_acronym_by_initials():
    """Without brackets an acronym of three letters is the one name of the document that has these initials."""
    found, definitions = named("[Org WHO] met. The [Org World Health Organization] has left.")
    assert found == [("World Health Organization", "acronym"), ("World Health Organization", "")]
    assert definitions == []


@pytest.mark.parametrize(
    "text",
    [
        "[Org UN] met. The [Org United Nations] left.",  # two letters
        "[Org WHO] met. The [Org World Health Organization] left [Org World Hospital Office].",  # two names
        "[Org APC] met. [Peop Ann P. Cole] left.",  # a person's
        "[Org Who] met. The [Org World Health Organization] left.",  # no acronym
    ],
)
def test_initials_that_say_too_little(text):
    """Two letters, two names, and people's names are left alone."""
    assert called(text)[0][1] == ""


def test_name_is_the_commonest_form():
    """Forms of one key are called alike, by the commonest of them; of equally common ones the smallest."""
    assert {name for name, _ in called("[Org ACME] [Org Acme] [Org acme] [Org acme]")} == {"acme"}
    assert {name for name, _ in called("[Org ACME] [Org Acme]")} == {"ACME"}


def columns(text):
    return [name.column for name in local_names(*spotted(text), KINDS)[0]]


def test_type_is_that_of_all_mentions():
    """All mentions of a name have the type that most of them are of, short forms and all."""
    assert columns("[Loc Washington], [Peop Washington], [Loc Washington]") == [2, 2, 2]
    assert columns("[Peop Ann Lee], [Peop Lee], [Peop Ann Lee], [Loc Oslo]") == [0, 0, 0, 2]
    assert columns("[Org WHO] [Org WHO] ([Loc World Health Organization])") == [1, 1, 1]


def test_surer_mentions_count_more():
    """One mention that is sure outvotes two that are not."""
    weak = [Spotted(n, n + 4, "Oslo", votes(0, 0.3)) for n in (0, 5)]
    sure = [Spotted(10, 14, "Oslo", votes(2, 0.999))]
    assert [name.column for name in local_names([*weak, *sure], "Oslo Oslo Oslo", KINDS)[0]] == [2, 2, 2]
    assert [name.column for name in local_names(weak, "Oslo Oslo", KINDS)[0]] == [0, 0]


def test_no_mentions():
    """A document without mentions has no names."""
    assert local_names([], "It rains.", KINDS) == ([], [])


_NAMES = st.sampled_from(
    [
        "Bush",
        "George Bush",
        "George W. Bush",
        "G. Bush",
        "President Bush",
        "WHO",
        "World Health Organization",
        "W. H. O.",
    ]
)
_MENTIONS = st.lists(st.tuples(st.sampled_from(sorted(COLUMNS)), _NAMES), min_size=1, max_size=8)


@given(_MENTIONS)
def test_names_are_names_of_the_document(mentions):
    """A local name is some mention's own, nothing is short for what is itself short, and copies change nothing."""
    text = " ".join(f"[{kind} {name}]" for kind, name in mentions)
    found, _ = local_names(*spotted(text), KINDS)
    assert {name.name for name in found} <= {local.without_title(name) for _, name in mentions} | {
        n for _, n in mentions
    }
    of_key = {}
    for name in found:
        assert of_key.setdefault(name.name, name.column) == name.column
    twice, _ = local_names(*spotted(f"{text} {text}"), KINDS)
    assert twice == [*found, *found]


_WORDS = st.lists(st.sampled_from(["george", "g", "w", "walker", "bill", "william", "bush", "lee"]), max_size=4).map(
    tuple
)


@given(_WORDS, _WORDS)
def test_short_form_goes_one_way(one, other):
    """Nothing is short for itself, and of two names of unlike length only the shorter may be short for the other."""
    assert not is_short_form(one, one)
    assert not is_short_form(one, other) or len(one) <= len(other)
