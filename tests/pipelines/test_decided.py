"""What people's decisions mean in a build: facts by the names of their ends, and names that nothing has."""

from types import SimpleNamespace

import pyarrow as pa
import pytest

from kgmill.pipelines.decided import Decided, decided
from kgmill.pipelines.stages import resolve
from kgmill.schemas.decisions import Decisions
from kgmill.schemas.errors import ConfigError
from kgmill.schemas.identity import entity_id, entity_key, fact_id
from kgmill.schemas.literals import XSD
from kgmill.schemas.ontology import parse_ontology

ONTOLOGY = parse_ontology(
    {
        "entities": {"Peop": {}, "Loc": {}, "Day": {"literal": "date"}},
        "relations": {
            "lives_in": {"head": ["Peop"], "tail": ["Loc"]},
            "born_on": {"head": ["Peop"], "tail": ["Day"]},
            "home_of": {"head": ["Loc"], "tail": ["Peop"], "inverse": "lives_in"},
            "spouse": {"head": ["Peop"], "tail": ["Peop"], "symmetric": True},
        },
    },
    "test",
)
PEOP, LOC = 0, 1
ADA, LONDON, BOB = map(entity_id, ("Ada Byron", "London", "Bob Stone"))


@pytest.fixture
def meant(store):
    """What decisions come to where names became these entities, in two units."""

    def meant(decisions, *units):
        units = units or [[("Ada Byron", PEOP, ADA), ("London", LOC, LONDON)], [("Bob Stone", PEOP, BOB)]]
        parts = []
        for n, unit in enumerate(units):
            rows = [
                {"key": entity_key(name), "column": c, "chosen": c, "entity_id": e, "place_id": e, "rule": ""}
                | dict(*others)
                for name, c, e, *others in unit
            ]
            table = {"resolved": pa.Table.from_pylist(rows, resolve.RESOLVED)}
            parts.append(store.commit("resolve", f"01-000{n}", f"{n}" * 64, table, {}))
        config = SimpleNamespace(decisions="d.toml")
        context = SimpleNamespace(decisions=Decisions.model_validate(decisions), ontology=ONTOLOGY, config=config)
        return decided(context, parts)

    return meant


def by_name(head, relation, tail):
    return {"head": head, "relation": relation, "tail": tail}


def test_facts_are_meant_by_names_or_by_id(meant):
    """The names of the ends and the relation are the fact's id, as the id itself is."""
    found = meant({"reject": [by_name("ada  BYRON", "lives_in", "the London")], "confirm": [{"fact": "0" * 16}]})
    assert found == Decided((fact_id(ADA, "lives_in", LONDON),), ("0" * 16,))


def test_value_is_meant_by_its_words(meant):
    """However the day is worded."""
    found = meant({"reject": [by_name("Ada Byron", "born_on", "10 December 1815")]})
    assert found.rejected == (fact_id(ADA, "born_on", "1815-12-10", f"{XSD}date"),)


def test_relation_without_direction_is_meant_from_both_sides(meant):
    """A symmetric fact has its ends in one order, whichever is said first."""
    ends = "Ada Byron", "Bob Stone"
    found = [meant({"reject": [by_name(one, "spouse", other)]}).rejected for one, other in (ends, ends[::-1])]
    assert found[0] == found[1] == (fact_id(*sorted((ADA, BOB))[:1], "spouse", max(ADA, BOB)),)


def test_fact_is_meant_by_the_inverse_relation(meant):
    """The fact that is told is the first relation's, whichever says it."""
    found = meant({"reject": [by_name("London", "home_of", "Ada Byron")]})
    assert found.rejected == (fact_id(ADA, "lives_in", LONDON),)


def test_title_may_be_there(meant):
    """A label may have a title that documents leave away."""
    found = meant({"reject": [by_name("Countess Ada Byron", "lives_in", "London")]})
    assert found.rejected == (fact_id(ADA, "lives_in", LONDON),)


def test_country_is_meant_where_its_people_are_named(meant):
    """What is said of the name of a people is said of their country, in decisions as in facts."""
    units = [("Ada Byron", PEOP, ADA), ("British", LOC, "british-1", {"place_id": "uk-1"})]
    found = meant({"reject": [by_name("Ada Byron", "lives_in", "British")]}, units)
    assert found.rejected == (fact_id(ADA, "lives_in", "uk-1"),)


def test_unknown_end_is_counted(meant):
    """Nothing is called so, or nothing of a type that the relation may have there."""
    for ends in (("Eve", "London"), ("Ada Byron", "Bob Stone"), ("London", "London")):
        found = meant({"confirm": [by_name(ends[0], "lives_in", ends[1])]})
        assert found == Decided(n_unknown=1)
    assert found.left_out(0) == {"decisions.no_such_fact": 1}


@pytest.mark.parametrize("other", ["ada-2", ""])
def test_ambiguous_end_is_counted_and_nothing_is_decided(meant, other):
    """Two people of a name, or one in each document: which fact is meant is not guessed."""
    units = [[("Ada Byron", PEOP, ADA), ("London", LOC, LONDON)], [("Ada Byron", PEOP, other)]]
    if not other:
        units = [[("Ada Byron", PEOP, ""), ("London", LOC, LONDON)]]
    found = meant({"reject": [by_name("Ada Byron", "lives_in", "London")]}, *units)
    assert found == Decided(n_ambiguous=1)
    assert found.left_out(0) == {"decisions.ambiguous_fact": 1}


def test_two_things_of_a_name_are_told_apart_by_type(meant):
    """A place and a person of one name: the relation says which is meant."""
    units = [("Ada Byron", PEOP, ADA), ("London", LOC, LONDON), ("London", PEOP, "london-2")]
    found = meant({"reject": [by_name("Ada Byron", "lives_in", "London")]}, units)
    assert found.rejected == (fact_id(ADA, "lives_in", LONDON),)


def test_names_that_no_document_has_are_counted(meant):
    """Each name of must-links and cannot-links once, however often it is there."""
    made = {
        "same": [{"names": ["Ada Byron", "Ada King", "Countess of Lovelace"]}],
        "apart": [{"names": ["Bob Stone", "Bobby Stone"]}, {"names": ["the ada king", "London"]}],
    }
    found = meant(made)
    assert found == Decided(n_unused=3)
    assert found.left_out(0) == {"decisions.no_such_name": 3}


def test_facts_that_are_not_there_are_counted():
    """Named facts less those that were found; what is none is no row."""
    assert Decided(("a",), ("b",), n_unknown=1).left_out(2) == {"decisions.no_such_fact": 1}
    assert Decided(("a",), ("b",)).left_out(2) == {}


def test_what_was_decided_is_found_once(meant, store):
    """A build asks three times, of the same parts: they are read once."""
    made = {"reject": [by_name("Ada Byron", "lives_in", "London")]}
    first = meant(made)
    for file in store.storage.root.rglob("resolved.parquet"):
        file.write_bytes(b"")
    assert meant(made) == first


def test_contradiction_by_names_is_an_error(meant):
    """One fact by its id and by its names, rejected and confirmed."""
    made = {
        "reject": [{"fact": fact_id(ADA, "lives_in", LONDON)}],
        "confirm": [by_name("Ada Byron", "lives_in", "London")],
    }
    with pytest.raises(ConfigError, match=r"^d.toml: fact [0-9a-f]{16} is both rejected and confirmed, by its names$"):
        meant(made)
