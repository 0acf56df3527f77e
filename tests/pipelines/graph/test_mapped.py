"""The graph in the words of Wikidata and schema.org: what follows from a fact is said, all else is counted."""

from dataclasses import replace

import pyoxigraph as ox
import pytest
from sample_graph import ADA, EVIDENCE, NS, SCHEMA, WD, WDT, XSD, fact, files_of, sample
from sample_others import BIRTHDAYS, BORN, COUNTRIES, PHONES, SCHEMA_SLICE, WIKIDATA_SLICE

from kgmill.pipelines.graph.formats.schemaorg import _VOCABULARY as SCHEMAORG
from kgmill.pipelines.graph.formats.wikidata import _VOCABULARY as WIKIDATA
from kgmill.pipelines.graph.mapped import words_of
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.schemas.ontology import parse_ontology

E = "https://kg.example.org/news/entity/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
SHORT = {"e": E, "wdt": WDT, "wd": WD, "schema": SCHEMA, "rdf": RDF, "rdfs": RDFS, "skos": SKOS, "xsd": XSD}


def short(data):
    """Lines without hostile text, with prefixes in the place of namespaces."""
    text = data.decode()
    for prefix, namespace in SHORT.items():
        text = text.replace(f"<{namespace}", f"<{prefix}:")
    return [line.replace("<", "").replace(">", "") for line in text.split("\n") if line and "\\" not in line]


def words(vocabulary, relations, **entities):
    types = {"A": {}, **entities}
    made = {name: {"head": ["A"], "tail": ["A"], **said} for name, said in relations.items()}
    return words_of(parse_ontology({"entities": types, "relations": made}, "test"), vocabulary)


def test_wikidata_has_its_properties_and_dates(tmp_path):
    """Equal properties, an inverse turned, a symmetric one both ways, dates as xsd:dateTime; the rest is counted."""
    files, counts = files_of("wikidata", tmp_path)
    lines = short(files["wikidata.nt.gz"])
    assert lines == [
        'e:ada-01 rdfs:label "Ada" .',
        'e:ada-01 skos:altLabel "Ada B." .',
        "e:bob-02 skos:exactMatch wd:Q2 .",
        "e:bob-02 skos:exactMatch urn:other:bob .",
        "e:paris-03 rdf:type wd:Q17334923 .",
        "e:paris-03 wdt:P31 wd:Q17334923 .",
        'e:paris-03 rdfs:label "Paris" .',
        "e:paris-03 skos:exactMatch wd:Q90 .",
        'e:lamp-04 rdfs:label "a lamp" .',
        "e:ada-01 wdt:P19 e:paris-03 .",
        'e:ada-01 wdt:P569 "1815-12-10T00:00:00Z"^^xsd:dateTime .',
        'e:ada-01 wdt:P569 "1815-12-01T00:00:00Z"^^xsd:dateTime .',
        'e:bob-02 wdt:P569 "1810-01-01T00:00:00Z"^^xsd:dateTime .',
        "e:ada-01 wdt:P26 e:bob-02 .",
        "e:bob-02 wdt:P26 e:ada-01 .",
        "e:ada-01 wdt:P22 e:bob-02 .",
        "e:bob-02 wdt:P40 e:ada-01 .",
    ]
    assert counts == {
        "left_out": {
            "no class: Person": 2,
            "no class: Thing": 1,
            "no form of the value: born_on": 1,
            "no property: lives_in": 1,
        }
    }


def test_father_is_a_child_turned_once(tmp_path):
    """A father is a parent, whose inverse is a child; where the text says both, the triple is there once."""
    files, _ = files_of("wikidata", tmp_path)
    assert files["wikidata.nt.gz"].count(f"<{E}bob-02> <{WDT}P40> <{E}ada-01> .\n".encode()) == 1


def test_schemaorg_has_its_properties_and_values(tmp_path):
    """One form of its IRIs, names as schema.org has them too, values as they are."""
    files, counts = files_of("schemaorg", tmp_path)
    lines = short(files["schemaorg.nt.gz"])
    assert [line for line in lines if line.startswith("e:ada-01")] == [
        "e:ada-01 rdf:type schema:Person .",
        'e:ada-01 rdfs:label "Ada" .',
        'e:ada-01 schema:name "Ada" .',
        'e:ada-01 skos:altLabel "Ada B." .',
        'e:ada-01 schema:alternateName "Ada B." .',
        "e:ada-01 schema:birthPlace e:paris-03 .",
        'e:ada-01 schema:birthDate "1815-12-10"^^xsd:date .',
        'e:ada-01 schema:birthDate "1815-12"^^xsd:gYearMonth .',
    ]
    assert "e:paris-03 schema:sameAs wd:Q90 ." in lines
    assert files["schemaorg.nt.gz"].count(f"<{SCHEMA}birthDate>".encode()) == 4
    assert counts["left_out"] == {
        "no class: Thing": 1,
        **{f"no property: {name}": 1 for name in ("spouse", "father", "child", "lives_in")},
    }


@pytest.mark.parametrize(
    ("said", "forward", "turned"),
    [
        ({"r": {"equivalent": [f"{WDT}P1"]}}, (f"{WDT}P1",), ()),
        ({"r": {"broader": [f"{WDT}P1"]}}, (f"{WDT}P1",), ()),
        ({"r": {"iri": f"{WDT}P1", "broader": [f"{WDT}P1", f"{WDT}P2"]}}, (f"{WDT}P1", f"{WDT}P2"), ()),
        ({"r": {"narrower": [f"{WDT}P1"], "close": [f"{WDT}P2"]}}, (), ()),
        ({"r": {"parent": "s", "narrower": [f"{WDT}P3"]}, "s": {"equivalent": [f"{WDT}P1"]}}, (f"{WDT}P1",), ()),
        ({"r": {}, "s": {"parent": "r", "equivalent": [f"{WDT}P1"]}}, (), ()),
        ({"r": {"inverse": "s"}, "s": {"broader": [f"{WDT}P1"]}}, (), (f"{WDT}P1",)),
        ({"r": {}, "s": {"inverse": "r", "equivalent": [f"{WDT}P1"]}}, (), (f"{WDT}P1",)),
        ({"r": {"symmetric": True, "equivalent": [f"{WDT}P1"]}}, (f"{WDT}P1",), (f"{WDT}P1",)),
        ({"r": {"equivalent": [f"{WD}P1", "http://www.wikidata.org/prop/P2", f"{WDT}P1x"]}}, (f"{WDT}P1",), ()),
    ],
)
def test_only_what_follows_is_said(said, forward, turned):
    """Nothing follows from a narrower or a close property, nor from one of a relation below."""
    found = words(WIKIDATA, said)
    assert (found.forward["r"], found.turned["r"]) == (forward, turned)


def test_close_is_as_good_only_for_dates_of_wikidata():
    """schema.org takes dates in any form, so what is close there differs in more than that."""
    said = {
        "r": {"tail": ["Date"], "close": [f"{WDT}P569", f"{SCHEMA}birthDate"]},
        "s": {"close": [f"{WDT}P1", f"{SCHEMA}knows"]},
    }
    date = {"Date": {"literal": "date"}}
    assert dict(words(WIKIDATA, said, **date).forward) == {"r": (f"{WDT}P569",), "s": ()}
    assert dict(words(SCHEMAORG, said, **date).forward) == {"r": (), "s": ()}


def test_two_relations_of_one_property_are_one_triple(tmp_path):
    """Nothing is written twice that two facts of the same ends say."""
    ontology = {
        "entities": {"Person": {}},
        "relations": {
            name: {"head": ["Person"], "tail": ["Person"], "equivalent": [f"{SCHEMA}knows"]} for name in ("a", "b")
        },
    }
    ns = Namespace(NS.base_iri, NS.dataset, parse_ontology(ontology, "test"))
    facts = [fact(1, "ada-01", "a", "bob-02"), fact(2, "ada-01", "b", "bob-02"), fact(3, "ada-01", "b", "eve-05")]
    evidence = [replace(EVIDENCE[0], fact_id=f.fact_id) for f in facts]
    files, _ = files_of("schemaorg", tmp_path, sample([ADA], [], facts, evidence, {}, ns))
    assert [line for line in short(files["schemaorg.nt.gz"]) if "knows" in line] == [
        "e:ada-01 schema:knows e:bob-02 .",
        "e:ada-01 schema:knows e:eve-05 .",
    ]


FILES = {"wikidata": WIKIDATA_SLICE, "schemaorg": SCHEMA_SLICE}


@pytest.fixture
def ask(tmp_path):
    """Asks a store that holds a slice of others' data, our export, or both."""

    def ask(name, query, *, ours=True, theirs=True):
        store = ox.Store()
        if theirs:
            store.load(FILES[name].encode(), format=ox.RdfFormat.TURTLE, to_graph=ox.NamedNode("urn:theirs"))
        if ours:
            folder = tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            data = files_of(name, folder)[0][f"{name}.nt.gz"]
            store.load(data, format=ox.RdfFormat.N_TRIPLES, to_graph=ox.NamedNode("urn:ours"))
        prefixes = {name: iri for name, iri in SHORT.items() if name != "e"}
        found = store.query(query, prefixes=prefixes, use_default_graph_as_union=True)
        return [tuple(row[name].value for name in found.variables) for row in found]

    return ask


def test_query_for_wikidata_runs_unchanged(ask):
    """One query, over Wikidata's data, over ours, and over both: the rows of both are those of each."""
    theirs, ours = ask("wikidata", BORN, ours=False), ask("wikidata", BORN, theirs=False)
    assert theirs == [("Marie Curie", "1867-11-07T00:00:00Z")]
    assert ours == [("Ada", "1815-12-01T00:00:00Z"), ("Ada", "1815-12-10T00:00:00Z")]
    assert ask("wikidata", BORN) == [*ours, *theirs]


def test_our_facts_lead_to_wikidata_s(ask):
    """Who was born where, by our texts; of which country that is, and how many live there, by Wikidata."""
    assert ask("wikidata", COUNTRIES) == [("Ada", "France", "2145906")]


def test_query_for_schemaorg_runs_unchanged(ask):
    """Names and dates are asked for with schema.org's words alone, in data of both."""
    assert ask("schemaorg", BIRTHDAYS) == [("Ada", "1815-12-10"), ("Marie Curie", "1867-11-07")]


def test_our_facts_lead_to_schemaorg_s(ask):
    """Data of two sources meet in what both are called elsewhere."""
    assert ask("schemaorg", PHONES) == [("Ada", "3975")]
