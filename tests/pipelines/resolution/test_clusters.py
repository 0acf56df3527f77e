"""Names of the corpus to entities."""

import doctest
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgmill.pipelines.resolution import clusters
from kgmill.pipelines.resolution.clusters import CorpusName, Resolved, block, resolve_block
from kgmill.pipelines.resolution.forms import is_spelling_of
from kgmill.pipelines.resolution.local import is_short_form
from kgmill.schemas.identity import entity_key
from kgmill.schemas.name_rules import EACH_DOCUMENT

KINDS = ("person", "organization", "place", "other")
PEOP, ORG, LOC, MISC = range(4)


def test_doctests():
    """The worked examples of the module hold."""
    result = doctest.testmod(clusters)

    assert result.failed == 0
    assert result.attempted >= 1


def corpus_name(name, column, n_documents=1, target="", rule=""):
    return CorpusName(entity_key(name), name, column, n_documents, target, rule)


def resolve(names, is_apart=None):
    """What becomes of names, each in its own block, by name; of two types of one name, the later one's."""
    blocks = defaultdict(list)
    for name in names:
        blocks[block(name.target or name.name, KINDS[name.column])].append(name)
    found = {}
    for group in blocks.values():
        found |= resolve_block(group, KINDS, *([is_apart] if is_apart else []))
    assert len(found) == len(names)
    return {name.name: found[name.key, name.column] for name in names}


def of_type(column, **n_documents):
    """Names of one type with the number of their documents; `_` is a space."""
    return resolve([corpus_name(name.replace("_", " "), column, n) for name, n in n_documents.items()])


def joined(names, column, counts=None):
    """For each of some names the name that it is joined to and the rule; itself where it is joined to none."""
    counts = counts or [1] * len(names)
    found = resolve([corpus_name(name, column, n) for name, n in zip(names, counts, strict=True)])
    return {name: (resolved.entity, resolved.rule) for name, resolved in found.items()}


# Blocks


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("person", ["Bush", "George W. Bush", "President Bush", "Laura Bush", "BUSH"]),
        ("person", ["Muqtada al-Sadr", "Moqtada al Sadr", "Sadr"]),
        ("organization", ["Microsoft", "Microsoft Corp.", "The Microsoft Corporation", "Micro Soft"]),
        ("place", ["U.S.", "the United States", "America", "American", "Americans"]),
        ("place", ["Fallujah", "Falluja"]),
        ("other", ["The Times", "Times", "TIMES"]),
    ],
)
def test_names_that_may_meet_are_in_one_block(kind, names):
    """A surname's people, a country's names and its people's, and spellings are each in one block."""
    assert len({block(name, kind) for name in names}) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["...", "The", "Inc.", "Jr.", "\u6771\u4eac", "\U0001f600"])
def test_odd_names_have_a_block(kind, name):
    """Whatever a name is made of, it has a block, and an entity of its own."""
    column = KINDS.index(kind)
    assert resolve([corpus_name(name, column)]) == {name: Resolved(entity_key(name))}


# Things


def test_types_never_meet():
    """One name of two types is two, and each joins its own type's names alone."""
    names = [corpus_name(name, column) for name in ("Acme", "Acme Inc.") for column in (ORG, MISC)]
    found = resolve_block(names, KINDS)
    assert found["acme", ORG].entity == found["acme inc", ORG].entity == "acme inc"
    assert [found[key, MISC].entity for key in ("acme", "acme inc")] == ["acme", "acme inc"]


def test_legal_forms_are_one_company():
    """A company with and without its legal form is one; it is known by its longest name."""
    found = joined(["Microsoft", "Microsoft Corp.", "Microsoft Corporation", "Microsoft, Inc.", "Microsoft Lab"], ORG)
    full = "microsoft corporation"
    assert found.pop("Microsoft Lab") == ("microsoft lab", "")
    assert {entity for entity, _ in found.values()} == {full}
    assert sorted(rule for _, rule in found.values()) == ["", "form", "form", "form"]


def test_commonest_name_is_joined_to_none():
    """The name that the others join is the commonest, though the entity is known by the longest."""
    found = joined(["Microsoft", "Microsoft Corp."], ORG, [5, 2])
    assert found == {"Microsoft": ("microsoft corp", ""), "Microsoft Corp.": ("microsoft corp", "form")}


@pytest.mark.parametrize("column", [LOC, MISC])
def test_legal_forms_are_those_of_companies(column):
    """Of things that aren't organisations each word counts."""
    assert joined(["Acme", "Acme Inc."], column) == {"Acme": ("acme", ""), "Acme Inc.": ("acme inc", "")}


def test_country_is_one_by_all_its_names():
    """All names of a country that the corpus has are one entity, that of the longest."""
    found = joined(["U.S.", "USA", "United States", "America"], LOC, [9, 2, 5, 1])
    assert {entity for entity, _ in found.values()} == {"united states"}
    assert found["U.S."][1] == ""
    assert {rule for name, (_, rule) in found.items() if name != "U.S."} == {"country"}


def test_countries_are_places():
    """The name of a country is another thing where it is no place."""
    assert joined(["America", "U.S."], ORG) == {"America": ("america", ""), "U.S.": ("u.s", "")}


def test_people_of_a_country_stay_its_people():
    """They are an entity of their own, by all their names, of which facts are told as the country's."""
    found = of_type(LOC, British=3, Britons=1, UK=4, United_Kingdom=2, English=1)
    assert found["British"] == Resolved("britons", "", "united kingdom")
    assert found["Britons"] == Resolved("britons", "people", "united kingdom")
    assert found["UK"] == Resolved("united kingdom", "")
    assert found["United Kingdom"] == Resolved("united kingdom", "country")
    assert found["English"] == Resolved("english", "", "")


def test_people_without_their_country():
    """Where the corpus doesn't name the country, facts are told of its people."""
    assert of_type(LOC, Iraqi=3, Iraqis=1) == {
        "Iraqi": Resolved("iraqis", "", ""),
        "Iraqis": Resolved("iraqis", "people", ""),
    }


@pytest.mark.parametrize(
    ("common", "rare", "column", "entity"),
    [
        ("Fallujah", "Falluja", LOC, "fallujah"),
        ("Falluja", "Fallujah", LOC, "fallujah"),
        ("Al-Qaeda", "Al Qaida", ORG, "al-qaeda"),
        ("Walmart Stores", "Wal-Mart Stores, Inc.", ORG, "wal-mart stores, inc"),
        ("Wal-Mart Stores", "Walmart Stores", MISC, "wal-mart stores"),
    ],
)
def test_spellings_are_joined_to_the_commonest(common, rare, column, entity):
    """A rare spelling is the commonest one's; the entity is known by the longer."""
    assert joined([rare, common], column, [2, 9]) == {common: (entity, ""), rare: (entity, "spelling")}


@pytest.mark.parametrize(
    "names",
    [
        ["Apollo 11", "Apollo 13"],
        ["Super Bowl XX", "Super Bowl XXI"],
        ["Unit 731", "Unit 732"],
        ["Iran", "Iraq"],
        ["Austria", "Australia"],
        ["Oman", "Yemen"],
        ["General Motors", "General Motors Europe"],
        ["Sachs", "Sacks"],
    ],
)
@pytest.mark.parametrize("column", [ORG, LOC, MISC])
def test_like_names_that_are_not_one(names, column):
    """Numbers, numerals, words and short names keep names apart."""
    assert {entity for entity, _ in joined(names, column).values()} == {entity_key(name) for name in names}


def test_no_chains():
    """A name that is like one that is like a third, but not like that one, is not joined over it."""
    names = ["alabasta", "alabesta", "alebesta"]
    ends = {(a, b): clusters.is_spelling_of(a, b) for a in names for b in names}
    assert (ends["alabasta", "alabesta"], ends["alabesta", "alebesta"], ends["alabasta", "alebesta"]) == (
        *(True, True, False),
    )
    assert joined(names, MISC, [9, 5, 2]) == {
        "alabasta": ("alabesta", ""),
        "alabesta": ("alabesta", "spelling"),
        "alebesta": ("alebesta", ""),
    }


def test_acronym_is_what_it_is_said_to_be():
    """A name that documents explain is in the block of its long name, and joins it by the rule that was told."""
    names = [
        corpus_name("WHO", ORG, 50, "World Health Organization", "acronym"),
        corpus_name("World Health Organization", ORG, 3),
        corpus_name("The World Health Organizations", ORG, 1),
    ]
    found = resolve(names)
    assert found["WHO"] == Resolved("world health organization", "acronym")
    assert found["World Health Organization"] == Resolved("world health organization", "")
    assert found["The World Health Organizations"].entity == "world health organizations"


def test_acronym_without_its_long_name():
    """Where no document has the long name on its own, the acronym is known by itself."""
    [found] = resolve([corpus_name("WHO", ORG, 50, "World Health Organization", "acronym")]).values()
    assert found == Resolved("who", "")


def test_decision_joins_any_names():
    """What people say is one thing is one, though nothing is alike, and known by the name that they say."""
    names = [corpus_name("Istanbul", LOC, 5), corpus_name("Constantinople", LOC, 9, "Istanbul", "decision")]
    assert resolve(names)["Constantinople"] == Resolved("istanbul", "decision")
    assert resolve(names)["Istanbul"] == Resolved("istanbul", "")


def test_what_people_hold_apart_stays_apart():
    """Names that would be one are two where people say so; a third joins where it may."""
    apart = {"acme", "acme inc"}
    names = [corpus_name("Acme", ORG, 9), corpus_name("Acme Inc.", ORG, 5), corpus_name("Acme Ltd", ORG, 1)]
    found = resolve(names, is_apart=lambda one, other: {one, other} == apart)
    assert found["Acme"].entity != found["Acme Inc."].entity
    assert found["Acme Inc."] == Resolved("acme inc", "")
    assert found["Acme Ltd"] == Resolved("acme ltd", "form")


# People


@pytest.mark.parametrize("short", ["George Bush", "G. W. Bush", "G. Bush", "Mr. George W. Bush", "George W. Bush Jr."])
def test_short_forms_are_the_full_name(short):
    """A shorter form of one full name of the corpus is that person."""
    found = joined(["George Walker Bush", short], PEOP, [9, 3])
    assert found[short][0] == found["George Walker Bush"][0]
    assert found[short][1] == "person"


@pytest.mark.parametrize("other", ["Laura Bush", "George Lee", "L. Bush", "George H. Bush"])
def test_other_people_stay(other):
    """Another first name, surname or initial is another person."""
    assert joined(["George Walker Bush", other], PEOP)[other] == (entity_key(other), "")


@pytest.mark.parametrize(
    ("short", "full", "is_one"),
    [
        ("Albert Einstein", "Hans Albert Einstein", False),
        ("Edgar Hoover", "J. Edgar Hoover", True),
        ("García Márquez", "Gabriel García Márquez", True),
        ("bin Laden", "Osama bin Laden", True),
        ("van Gogh", "Vincent van Gogh", True),
    ],
)
def test_name_that_ends_a_longer_one(short, full, is_one):
    """A surname of two words, or what is behind an initial, is the person; a first name and a surname are another."""
    found = joined([short, full], PEOP, [3, 1])
    assert (found[short][0] == found[full][0]) is is_one


def test_equal_words_are_one_person():
    """Titles, case, hyphens and what stands behind a name make no other person."""
    names = ["Martin Luther King", "Dr. Martin Luther King", "MARTIN LUTHER-KING", "Martin Luther King, Jr."]
    assert len({entity for entity, _ in joined(names, PEOP).values()}) == 1


@pytest.mark.parametrize(("counts", "is_one"), [((90, 10), True), ((9, 1), True), ((89, 11), False), ((5, 5), False)])
def test_short_form_of_several(counts, is_one):
    """A form that two full names have is the one's that nearly all documents mean, else nobody's."""
    found = joined(["George Walker Bush", "George Herbert Bush", "G. Bush"], PEOP, [*counts, 3])
    expected = ("george walker bush", "person") if is_one else ("g. bush", "")
    assert found["G. Bush"] == expected


def test_spellings_of_a_person():
    """Each part of a name may be spelled otherwise, by itself."""
    found = joined(["Muqtada Hussein", "Moqtada Hussein", "Muqtada Hassan"], PEOP, [5, 2, 1])
    assert found["Moqtada Hussein"] == ("muqtada hussein", "spelling")
    assert found["Muqtada Hassan"] == ("muqtada hassan", "")


@pytest.mark.parametrize("other", ["Charles II", "Charles III"])
def test_numerals_tell_people_apart(other):
    """Kings of one name are several people."""
    assert joined(["Charles I", other], PEOP)[other] == (entity_key(other), "")


def test_surname_of_one_person():
    """A surname that all documents with a full name have of one person is this person."""
    found = joined(["George W. Bush", "Bush"], PEOP, [3, 40])
    assert found == {"George W. Bush": ("george w. bush", ""), "Bush": ("george w. bush", "surname")}


@pytest.mark.parametrize(("counts", "rule"), [((9, 1), "surname"), ((18, 2), "surname"), ((17, 2), "document")])
def test_surname_of_several(counts, rule):
    """Nine of ten documents that name one in full have to name the same; else each document has its own."""
    found = joined(["George Bush", "Laura Bush", "Bush"], PEOP, [*counts, 40])
    assert found["Bush"] == (("george bush", rule) if rule == "surname" else ("bush", EACH_DOCUMENT))


def test_surname_of_a_person_who_is_hardly_named():
    """Two documents that name someone in full say too little of all who are called so."""
    assert joined(["George Bush", "Bush"], PEOP, [2, 40])["Bush"] == ("bush", EACH_DOCUMENT)
    assert joined(["George Bush", "Bush"], PEOP, [3, 40])["Bush"] == ("george bush", "surname")


def test_short_forms_count_for_their_full_name():
    """Documents that name a person in a shorter form of the full name name this person."""
    found = joined(["George Walker Bush", "George Bush", "Laura Bush", "Bush"], PEOP, [1, 17, 2, 40])
    assert found["Bush"] == ("george walker bush", "surname")


def test_surname_without_a_full_name():
    """A surname that nobody has in full is one thing in all documents."""
    assert joined(["Bush", "Mr. Bush"], PEOP, [5, 2]) == {"Bush": ("mr. bush", ""), "Mr. Bush": ("mr. bush", "form")}


def test_forms_of_a_surname_go_with_it():
    """What is a surname's other form is one thing in each document too, or the same person's."""
    for n, rules in ((2, {EACH_DOCUMENT}), (3, {"form", "surname"})):
        found = joined(["George Bush", "Bush", "Mr. Bush"], PEOP, [n, 9, 3])
        assert {found[name][1] for name in ("Bush", "Mr. Bush")} == rules
        assert ({found[name][0] for name in ("Bush", "Mr. Bush")} == {"george bush"}) is (n == 3)


def test_people_who_are_held_apart():
    """A surname and a short form that people say are another's stay for themselves."""
    names = [corpus_name(name, PEOP, n) for name, n in (("George Walker Bush", 9), ("George Bush", 5), ("Bush", 40))]
    found = resolve(names, is_apart=lambda one, other: {one, other} == {"george walker bush", "george bush"})
    assert found["George Bush"].entity == "george bush"
    assert found["Bush"].entity == "george walker bush"


# Order

_POOL = {
    PEOP: [
        "Bush",
        "George Bush",
        "George W. Bush",
        "G. Bush",
        "Laura Bush",
        "Mr. Bush",
        "George Walker Bush",
        "Geo. Bush",
    ],
    LOC: ["U.S.", "USA", "America", "American", "Americans", "United States", "the States"],
    ORG: ["Acme", "Acme Inc.", "ACME Corp", "The Acme", "Ac Me", "AcMe Ltd."],
    MISC: ["alabasta", "alabesta", "alebesta", "alabeste", "alabestta", "ala besta"],
}


@st.composite
def _blocks(draw):
    """Some names of one type that are like one another, with numbers of documents; and the same in another order."""
    column = draw(st.sampled_from(sorted(_POOL)))
    chosen = draw(st.lists(st.sampled_from(_POOL[column]), min_size=1, unique_by=entity_key))
    names = [corpus_name(name, column, draw(st.integers(1, 12))) for name in chosen]
    return names, draw(st.permutations(names))


@given(_blocks())
def test_order_changes_nothing(both):
    """What becomes of names hangs on the set of them alone."""
    names, shuffled = both
    assert resolve_block(shuffled, KINDS) == resolve_block(names, KINDS)


@given(_blocks())
def test_joined_names_are_one(both):
    """A name that is joined to another has the entity of a name of its block, which is its own entity."""
    names, _ = both
    found = resolve_block(names, KINDS)
    assert found.keys() == {(name.key, name.column) for name in names}
    for resolved in found.values():
        assert found[resolved.entity, names[0].column].entity == resolved.entity
        assert resolved.place in ("", *(other.entity for other in found.values()))


@given(_blocks(), st.randoms(use_true_random=False))
def test_what_is_apart_is_never_one(both, chance):
    """Whatever else is joined, names that people hold apart have two entities."""
    names, _ = both
    one, other = (chance.choice(names).key for _ in range(2))
    if one != other:
        found = resolve_block(names, KINDS, lambda a, b: {a, b} == {one, other})
        assert found[one, names[0].column].entity != found[other, names[0].column].entity


_FIRST = st.sampled_from(["b", "bill", "billy", "william", "will", "g", "george", "walker"])
_LAST = st.sampled_from(["bush", "clinton", "schwarzenegger", "schwarzeneger"])
_FULL = st.tuples(st.lists(_FIRST, min_size=1, max_size=3), _LAST).map(lambda parts: (*parts[0], parts[1]))


@given(_FULL, st.sets(_FULL, max_size=8))
def test_full_names_are_found_without_asking_each(parts, stay):
    """Those that a name is a short form of, or else those that it spells, are found as if each had been asked."""
    fullest = clusters._Fullest()
    for full in sorted(stay):
        fullest.add(full)

    fits, rule = fullest.fitting(parts)

    short = {full for full in stay if is_short_form(parts, full)}
    spelt = {full for full in stay if len(full) == len(parts) and all(map(is_spelling_of, parts, full))}
    assert (set(fits), rule) == ((short, "person") if short else (spelt, "spelling"))
