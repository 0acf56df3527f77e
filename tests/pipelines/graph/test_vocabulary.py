"""Minting IRIs."""

from urllib.parse import quote, unquote

import pyoxigraph
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.schemas.errors import ConfigError
from kgmill.schemas.ontology import check_iri, parse_ontology

ONTOLOGY = parse_ontology(
    {
        "entities": {"Peop": {}, "Städte": {}, "Org": {"iri": "https://schema.org/Organization"}},
        "relations": {
            "Work_For": {"head": ["Peop"], "tail": ["Org"], "iri": "https://schema.org/worksFor"},
            "Kill": {"head": ["Peop"], "tail": ["Peop"]},
        },
    },
    "test",
)
NS = Namespace("https://kg.example.org/", "news", ONTOLOGY)
HOSTILE = st.text(st.sampled_from('a/#?%:.~ é\x00\n\r\x7f<>"{}|^`\\[]\ud800\udfff\ufffe\u2028😀') | st.characters())


def test_entity_is_the_datasets_own():
    """What another dataset of the base calls the same is another entity; classes and properties are shared."""
    assert NS.entity("the-hague-0123456789abcdef") == "https://kg.example.org/news/entity/the-hague-0123456789abcdef"


def test_document_id_is_percent_encoded():
    """A document's id keeps nothing that means something in an IRI."""
    assert NS.document("a/b c#ü.txt") == "https://kg.example.org/news/doc/a%2Fb%20c%23%C3%BC.txt"


def test_every_ascii_character_of_an_id_is_quoted_as_urllib_quotes_it():
    """What has no name of its own in an IRI's path is percent-encoded."""
    identifier = "".join(map(chr, range(0x80)))
    assert NS.document(identifier).endswith(f"/doc/{quote(identifier, safe='-._~')}")


def test_span_is_a_fragment_of_its_document():
    """A span is named as in RFC 5147."""
    assert NS.chars("d1", 118, 130) == "https://kg.example.org/news/doc/d1#char=118,130"


def test_statements_say_what_they_are():
    """A fact's statement and an extraction with the same hash have different names."""
    assert NS.aggregated_statement("5d0c9b0000000000") == "https://kg.example.org/news/statement/a-5d0c9b0000000000"
    assert NS.extraction("5d0c9b0000000000") == "https://kg.example.org/news/statement/x-5d0c9b0000000000"


def test_graphs_lie_under_the_dataset():
    """Every named graph begins with base, dataset and `graph/`."""
    assert NS.graph("kg") == "https://kg.example.org/news/graph/kg"
    assert NS.document_graph("a b") == "https://kg.example.org/news/graph/doc/a%20b"
    assert NS.provenance_graph("3f9a") == "https://kg.example.org/news/graph/provenance/3f9a"


def test_run_and_model_are_named_by_their_keys():
    """A run belongs to the dataset, a model does not."""
    assert NS.activity("3f9a") == "https://kg.example.org/news/run/3f9a"
    assert NS.model("9f2c") == "https://kg.example.org/model/9f2c"


def test_types_without_an_iri_are_minted():
    """A type's name is quoted below the ontology's IRI."""
    assert NS.class_iri("Städte") == "https://kg.example.org/vocab#St%C3%A4dte"
    assert NS.property_iri("Kill") == "https://kg.example.org/vocab#Kill"


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("Research field", "Research%20field"),
        ("part-of/whole", "part-of%2Fwhole"),
        ("geo:place", "geo%3Aplace"),
        ('50% <b>#"', "50%25%20%3Cb%3E%23%22"),
        ("1st", "1st"),
    ],
)
def test_type_of_any_name_has_an_iri(name, end):
    """Whatever a type is called, its IRI is valid, and its name can be read from it."""
    ontology = parse_ontology(
        {"entities": {"a": {}, name: {}}, "relations": {f"{name}!": {"head": ["a"], "tail": ["a"]}}}, "t"
    )
    ns = Namespace("https://kg.example.org/", "news", ontology)
    assert ns.class_iri(name) == f"https://kg.example.org/vocab#{end}"
    assert check_iri(ns.property_iri(f"{name}!")) == f"https://kg.example.org/vocab#{end}%21"
    assert unquote(end) == name


def test_class_and_property_of_one_name_differ():
    """An entity and a relation type of one name have two IRIs; the class keeps the plain one."""
    relation = {"head": ["Award"], "tail": ["Award"]}
    relations = {"Award": relation, "Award_relation": relation, "Won": relation}
    ns = Namespace("https://x.org/", "d", parse_ontology({"entities": {"Award": {}}, "relations": relations}, "t"))
    assert ns.class_iri("Award") == "https://x.org/vocab#Award"
    assert [ns.property_iri(name) for name in relations] == [
        "https://x.org/vocab#Award_relation_",
        "https://x.org/vocab#Award_relation",
        "https://x.org/vocab#Won",
    ]


def test_types_keep_the_iri_of_the_ontology():
    """A type's own IRI is used as it stands."""
    assert NS.class_iri("Org") == "https://schema.org/Organization"
    assert NS.property_iri("Work_For") == "https://schema.org/worksFor"


def test_term_has_to_be_a_listed_one():
    """A misspelt term is an error, not a new property."""
    assert NS.term("confidence") == "urn:kgmill:ns:confidence"
    with pytest.raises(KeyError, match="confidense"):
        NS.term("confidense")


def test_different_surrogates_are_different_documents():
    """File names that are not UTF-8 don't meet in one IRI."""
    assert NS.document("a\udc80") != NS.document("a\udc81")


@pytest.mark.parametrize(
    "base", ["kg/", "https://kg.example.org", "https://kg.example.org/#", "https://a/\n", "http://a b/"]
)
def test_bad_base_is_refused(base):
    """A base has to be an absolute IRI that names can be put after."""
    with pytest.raises(ConfigError, match="base_iri"):
        Namespace(base, "news", ONTOLOGY)


@pytest.mark.parametrize("dataset", ["", "a/b", "a b", "-a", "é", "a\n"])
def test_bad_dataset_is_refused(dataset):
    """A dataset's name is one plain segment of a path."""
    with pytest.raises(ConfigError, match="dataset"):
        Namespace("https://kg.example.org/", dataset, ONTOLOGY)


@pytest.mark.parametrize("base", ["https://kg.example.org/", "urn:kg:", "https://b.example/ü/"])
@settings(max_examples=200, deadline=None)
@given(identifier=HOSTILE)
def test_every_minted_iri_is_valid(base, identifier):
    """Whatever an id holds, our own check and a strict parser accept what is minted from it."""
    ns = Namespace(base, "news", ONTOLOGY)
    minted = (
        ns.document(identifier),
        ns.chars(identifier, 0, 10),
        ns.document_graph(identifier),
        ns.provenance_graph(identifier),
        ns.activity(identifier),
        ns.model(identifier),
    )
    for value in minted:
        assert pyoxigraph.NamedNode(check_iri(value)).value == value
        assert value.removeprefix(base).isascii()
