"""The ontology of general text that is shipped in examples/."""

from pathlib import Path

import pytest

from kgmill.schemas.ontology import load_ontology

WIKIDATA = "http://www.wikidata.org/prop/direct/"
SAME = {
    "born_in": "P19",
    "died_in": "P20",
    "residence": "P551",
    "citizenship": "P27",
    "spouse": "P26",
    "child": "P40",
    "sibling": "P3373",
    "educated_at": "P69",
    "party": "P102",
    "award": "P166",
    "religion": "P140",
    "language": "P1412",
    "headquarters": "P159",
    "founded_by": "P112",
    "parent_organization": "P749",
    "owned_by": "P127",
    "league": "P118",
    "stock_exchange": "P414",
    "country": "P17",
    "located_in": "P131",
    "location": "P276",
    "capital": "P36",
    "continent": "P30",
    "author": "P50",
    "director": "P57",
    "performer": "P175",
    "composer": "P86",
    "screenwriter": "P58",
    "producer": "P162",
    "cast_member": "P161",
    "publisher": "P123",
    "record_label": "P264",
    "country_of_origin": "P495",
    "present_in_work": "P1441",
    "follows": "P155",
    "part_of": "P361",
    "participant_in": "P1344",
    "killed_by": "P157",
}
DATES = {
    "born_on": "P569",
    "died_on": "P570",
    "inception": "P571",
    "dissolved": "P576",
    "published_on": "P577",
    "point_in_time": "P585",
}
UNIONS = {
    "affiliation": ["P108", "P463", "P54"],
    "chief_executive": ["P169", "P488"],
    "product_of": ["P176", "P178"],
    "head_of_state": ["P35", "P6"],
}


@pytest.fixture(scope="module")
def ontology():
    return load_ontology(Path(__file__).parents[2] / "examples" / "general.ontology.toml")


def properties(iris):
    return [iri.removeprefix(WIKIDATA) for iri in iris if iri.startswith(WIKIDATA)]


def test_types(ontology):
    """Six types of things and one of values; two relations have no direction."""
    assert ontology.entity_names == ("Person", "Organization", "Place", "Work", "Event", "Misc", "Date")
    assert [name for name, kind in ontology.entities.items() if kind.literal] == ["Date"]
    assert (len(ontology.relation_names), ontology.symmetric) == (48, {"spouse", "sibling"})


def test_names_in_the_graph_are_minted(ontology):
    """The graph says v:born_in: no type takes the place of Wikidata's."""
    assert {kind.iri for kind in (*ontology.entities.values(), *ontology.relations.values())} == {""}


def test_properties_of_wikidata_stand_beside_relations(ontology):
    """Each relation is one of Wikidata's, wider than several, or for the form of its dates only close to one."""
    relations = ontology.relations
    assert {name: [p] for name, p in SAME.items()} == {
        name: found for name, r in relations.items() if (found := properties(r.equivalent))
    }
    assert {name: found for name, r in relations.items() if (found := properties(r.narrower))} == UNIONS
    assert {name: [p] for name, p in DATES.items()} | {"affiliation": ["P1416"]} == {
        name: found for name, r in relations.items() if (found := properties(r.close))
    }
    assert {*SAME, *UNIONS, *DATES} == set(ontology.relation_names)


def test_relations_of_dates_have_values(ontology):
    """What has a date as its tail is a datatype property."""
    assert {name for name, r in ontology.relations.items() if r.tail == ("Date",)} == set(DATES)


def test_types_have_labels_in_three_more_languages(ontology):
    """Each of them, in German, French and Spanish."""
    types = (*ontology.entities.values(), *ontology.relations.values())
    assert {tuple(kind.labels) for kind in types} == {("de", "fr", "es")}


def test_axioms_are_few_and_true(ontology):
    """A day of birth or death is one; places lie in places; a party is an affiliation."""
    relations = ontology.relations.items()
    assert [name for name, r in relations if r.functional] == ["born_on", "died_on"]
    assert [name for name, r in relations if r.transitive] == ["located_in", "part_of"]
    assert {name: r.parent for name, r in relations if r.parent} == {"party": "affiliation"}
    assert [name for name, r in relations if r.inverse] == []


def test_words_of_the_shipped_model_may_be_fewer(ontology):
    """A model's ontology is part of its fingerprint: what was added here since decides nothing there."""
    folder = Path(__file__).parents[2] / "extractor" / "models" / "default"
    assert load_ontology(folder / "ontology.toml").rules() == ontology.rules()
