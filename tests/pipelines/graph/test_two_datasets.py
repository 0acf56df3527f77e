"""Two datasets of one base in one store, whose default graph is the union of all graphs."""

import pyoxigraph as ox
import pytest

from kgmill.pipelines.graph.statements import Holdings, entity_quads, fact_quads, meta_quads
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.schemas.ontology import parse_ontology
from kgmill.schemas.records import Entity, Evidence, Fact

ONTOLOGY = parse_ontology(
    {"entities": {"Peop": {}, "Loc": {}}, "relations": {"Live_In": {"head": ["Peop"], "tail": ["Loc"]}}}, "test"
)
BASE = "https://kg.example.org/"
# Both know an entity of this id, and call it differently: the commonest form of a name is that of a corpus.
USA, ADA, BOB = "usa-0123456789abcdef", "ada-7f3a9c21d04be855", "bob-1b6e44f0c2d97a13"
NAMES = {"news": ("U.S.", 40, 12), "press": ("United States", 7, 3)}
PEOPLE = {"news": (ADA, "Ada"), "press": (BOB, "Bob")}


@pytest.fixture(scope="module")
def store():
    """A store that holds both."""
    store = ox.Store()
    for dataset, (label, n_mentions, n_documents) in NAMES.items():
        ns, (person, name) = Namespace(BASE, dataset, ONTOLOGY), PEOPLE[dataset]
        fact = Fact(f"{dataset:0>16}", person, "Live_In", USA, 0.9, 1, 1)
        lines = [
            *entity_quads(ns, Entity(USA, "Loc", label, n_mentions, n_documents, 0.9), []),
            *entity_quads(ns, Entity(person, "Peop", name, 1, 1, 0.9), []),
            *fact_quads(ns, fact, [Evidence(fact.fact_id, "91c2f7", "d", 5, 34, 5, 17, 27, 33, 0.9)]),
            *meta_quads(ns, Holdings(60, 3, {"Peop": 1, "Loc": 1}, 1, {"Live_In": 1}), "3f9a"),
        ]
        store.load("".join(lines).encode(), format=ox.RdfFormat.N_QUADS)
    return store


def rows(store, pattern, names):
    """What a store answers that was asked without GRAPH."""
    text = f"""
        PREFIX v: <{BASE}vocab#> PREFIX x: <urn:kgmill:ns:> PREFIX void: <http://rdfs.org/ns/void#>
        PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
        SELECT {names} WHERE {{ {pattern} }} ORDER BY {names}"""
    found = store.query(text, use_default_graph_as_union=True)
    return [tuple(term.value for term in row) for row in found]


def test_an_entity_has_one_label_and_one_count(store):
    """Nothing has two, though both datasets have an entity of the same id; each says its own."""
    assert rows(store, "?e rdfs:label ?a, ?b FILTER(?a != ?b)", "?e") == []
    assert rows(store, "?e x:mentionCount ?a, ?b FILTER(?a != ?b)", "?e") == []
    assert rows(
        store, "?e a v:Loc ; rdfs:label ?label ; x:mentionCount ?n ; x:documentCount ?d", "?e ?label ?n ?d"
    ) == [
        (f"{BASE}news/entity/{USA}", "U.S.", "40", "12"),
        (f"{BASE}press/entity/{USA}", "United States", "7", "3"),
    ]


def test_plain_queries_find_the_facts_of_both(store):
    """Classes and properties are shared, so one question is put to all datasets, and names are on the entities."""
    pattern = "?p v:Live_In ?place ; rdfs:label ?person . ?place rdfs:label ?name"
    assert rows(store, pattern, "?person ?name") == [("Ada", "U.S."), ("Bob", "United States")]


def test_an_entity_says_its_dataset(store):
    """void:uriSpace of a dataset is what its entities' IRIs begin with, and no other's."""
    pattern = """?dataset void:uriSpace ?space . ?e rdfs:label ?label FILTER(STRSTARTS(STR(?e), ?space))"""
    assert rows(store, pattern, "?dataset ?label") == [
        (f"{BASE}news", "Ada"),
        (f"{BASE}news", "U.S."),
        (f"{BASE}press", "Bob"),
        (f"{BASE}press", "United States"),
    ]
