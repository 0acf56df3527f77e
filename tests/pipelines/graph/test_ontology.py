"""The ontology as Turtle."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pyoxigraph
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import OWL, RDF, RDFS, SDO, XSD, Graph, Literal, URIRef

from kgmill.pipelines.graph.ontology import ontology_turtle
from kgmill.pipelines.graph.vocabulary import TERMS, Namespace
from kgmill.schemas.ontology import parse_ontology

ROOT = Path(__file__).resolve().parents[3]
TYPES = {
    "name": "people",
    "entities": {
        "Peop": {"label": "Person", "comment": "A human being."},
        "Loc": {},
        "Org": {"iri": "https://schema.org/Organization"},
    },
    "relations": {
        "In": {"label": "is in", "head": ["Peop", "Org"], "tail": ["Loc"]},
        "Married": {"head": ["Peop"], "tail": ["Peop"], "symmetric": True, "iri": "https://schema.org/spouse"},
    },
}
VOCAB = "https://kg.example.org/vocab"


def turtle(types=TYPES):
    ontology = parse_ontology(types, "test")
    return ontology_turtle(Namespace("https://kg.example.org/", "news", ontology), ontology)


@pytest.fixture(scope="module")
def graph():
    return Graph().parse(data=turtle(), format="turtle")


def about(graph, node):
    """What the graph says of a node, in short forms, sorted."""
    return sorted((graph.qname(p), str(o)) for p, o in graph.predicate_objects(URIRef(node)))


def test_entity_type_is_a_class_with_label_and_comment(graph):
    """An entity type is an owl:Class that says what it is."""
    assert about(graph, f"{VOCAB}#Peop") == [
        ("rdf:type", str(OWL.Class)),
        ("rdfs:comment", "A human being."),
        ("rdfs:label", "Person"),
    ]


def test_type_without_a_label_is_called_by_its_name(graph):
    """A label is never missing, a comment may be."""
    assert about(graph, f"{VOCAB}#Loc") == [("rdf:type", str(OWL.Class)), ("rdfs:label", "Loc")]


def test_relation_type_says_what_it_may_join(graph):
    """Several allowed types are several domainIncludes, which a reasoner does not intersect."""
    assert about(graph, f"{VOCAB}#In") == [
        ("rdf:type", str(OWL.ObjectProperty)),
        ("rdfs:label", "is in"),
        ("schema:domainIncludes", "https://kg.example.org/vocab#Peop"),
        ("schema:domainIncludes", "https://schema.org/Organization"),
        ("schema:rangeIncludes", "https://kg.example.org/vocab#Loc"),
    ]


def test_symmetric_relation_keeps_its_own_iri(graph):
    """A symmetric relation is an owl:SymmetricProperty under the IRI that the ontology file gives it."""
    types = set(graph.objects(SDO.spouse, RDF.type))

    assert types == {OWL.ObjectProperty, OWL.SymmetricProperty}


def test_header_says_what_offsets_count(graph):
    """The ontology has a name, and warns that offsets are Unicode code points."""
    node = URIRef(VOCAB)

    assert (node, RDF.type, OWL.Ontology) in graph
    assert (node, RDFS.label, Literal("people")) in graph
    assert "Unicode code points" in str(graph.value(node, RDFS.comment))


def test_every_term_of_ours_is_described(graph):
    """Each x: term has a kind, a label and a comment, and no other x: term is there."""
    described = {node for node in graph.subjects(RDFS.comment) if ":ns:" in node}

    assert described == {URIRef(f"urn:kgmill:ns:{term.name}") for term in TERMS}
    assert about(graph, "urn:kgmill:ns:sentence") == [
        ("rdf:type", str(OWL.ObjectProperty)),
        ("rdfs:comment", "The sentence or passage that an extraction was found in."),
        ("rdfs:isDefinedBy", "urn:kgmill:ns:"),
        ("rdfs:label", "sentence"),
    ]


def test_statements_of_ours_are_rdf_statements(graph):
    """Tools that know reification find facts by their superclass; an extraction states nothing of entities."""
    assert set(graph.subjects(RDFS.subClassOf, RDF.Statement)) == {URIRef("urn:kgmill:ns:AggregatedStatement")}


def test_no_blank_nodes():
    """Equal text is an equal graph: nothing in it is without a name."""
    parsed = pyoxigraph.parse(turtle().encode(), format=pyoxigraph.RdfFormat.TURTLE)

    assert not any(isinstance(term, pyoxigraph.BlankNode) for t in parsed for term in (t.subject, t.object))


def test_text_does_not_depend_on_the_hash_seed():
    """Two processes with different hash seeds write the same text."""
    code = (
        "import sys; from kgmill.schemas.ontology import parse_ontology;"
        "from kgmill.pipelines.graph.vocabulary import Namespace;"
        "from kgmill.pipelines.graph.ontology import ontology_turtle;"
        f"o = parse_ontology({TYPES!r}, 'test');"
        "sys.stdout.write(ontology_turtle(Namespace('https://kg.example.org/', 'news', o), o))"
    )

    texts = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert texts == [turtle(), turtle()]


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(
        st.sampled_from("a\x00\x0b\t\n\r\"'\\ \x7f\x85\u2028\ufffe😀") | st.characters(codec="utf-8"), min_size=1
    )
)
def test_hostile_label_and_comment_survive(text):
    """Whatever a label holds, a strict parser reads it back from the Turtle file."""
    types = {"entities": {"Peop": {"label": text, "comment": text}}}

    parsed = pyoxigraph.parse(turtle(types).encode(), format=pyoxigraph.RdfFormat.TURTLE)

    assert [text, text] == [
        t.object.value for t in parsed if t.subject.value == f"{VOCAB}#Peop" and "type" not in str(t)
    ]


BESIDE = {
    "entities": {
        "Peop": {"equivalent": ["https://schema.org/Person"], "close": ["http://www.wikidata.org/entity/Q5"]},
        "Day": {"literal": "date"},
    },
    "relations": {
        "Party": {"head": ["Peop"], "tail": ["Peop"], "broader": ["https://schema.org/memberOf"]},
        "Works": {"head": ["Peop"], "tail": ["Peop"], "narrower": ["urn:wd:P108", "urn:wd:P463"]},
        "Born": {"head": ["Peop"], "tail": ["Day"], "equivalent": ["https://schema.org/birthDate"]},
    },
}


@pytest.fixture(scope="module")
def beside():
    return Graph().parse(data=turtle(BESIDE), format="turtle")


def test_relation_of_values_is_a_datatype_property(beside):
    """Its range is what a value may be; the literal type is a class of mentions."""
    assert about(beside, f"{VOCAB}#Born") == [
        ("owl:equivalentProperty", "https://schema.org/birthDate"),
        ("rdf:type", str(OWL.DatatypeProperty)),
        ("rdfs:label", "Born"),
        ("schema:domainIncludes", f"{VOCAB}#Peop"),
        *(("schema:rangeIncludes", str(XSD[name])) for name in ("date", "gYear", "gYearMonth", "string")),
    ]
    assert about(beside, f"{VOCAB}#Day") == [("rdf:type", str(OWL.Class)), ("rdfs:label", "Day")]


def test_class_stands_beside_those_of_others(beside):
    """Classes are tied with the terms that are for classes."""
    assert about(beside, f"{VOCAB}#Peop") == [
        ("owl:equivalentClass", "https://schema.org/Person"),
        ("rdf:type", str(OWL.Class)),
        ("rdfs:label", "Peop"),
        ("skos:closeMatch", "http://www.wikidata.org/entity/Q5"),
    ]


def test_broader_and_narrower_properties_are_above_and_below(beside):
    """A property is below a broader one, and a narrower one is below it: what reasoners follow, in its direction."""
    assert sorted(beside.subject_objects(RDFS.subPropertyOf)) == [
        (URIRef(f"{VOCAB}#Party"), SDO.memberOf),
        (URIRef("urn:wd:P108"), URIRef(f"{VOCAB}#Works")),
        (URIRef("urn:wd:P463"), URIRef(f"{VOCAB}#Works")),
    ]


AXIOMS = {
    "entities": {"Place": {}, "City": {"parent": "Place", "label": "city", "labels": {"de": "Stadt"}}, "Peop": {}},
    "relations": {
        "in": {"head": ["Place", "City"], "tail": ["Place"], "transitive": True, "inverse": "holds"},
        "holds": {"head": ["Place"], "tail": ["Place", "City"]},
        "born": {"head": ["Peop"], "tail": ["Place"], "functional": True},
        "born_in_city": {"head": ["Peop"], "tail": ["City"], "parent": "born"},
    },
}


def test_axioms_have_the_words_of_owl():
    """A parent is a superclass or superproperty; an inverse is said from either side; labels have their language."""
    graph = Graph().parse(data=turtle(AXIOMS), format="turtle")
    v = {name: URIRef(f"{VOCAB}#{name}") for name in ("Place", "City", "in", "holds", "born", "born_in_city")}

    assert (v["City"], RDFS.subClassOf, v["Place"]) in graph
    assert set(graph.objects(v["City"], RDFS.label)) == {Literal("city"), Literal("Stadt", lang="de")}
    assert set(graph.subject_objects(OWL.inverseOf)) == {(v["in"], v["holds"]), (v["holds"], v["in"])}
    assert set(graph.subjects(RDF.type, OWL.TransitiveProperty)) == {v["in"]}
    assert set(graph.subjects(RDF.type, OWL.FunctionalProperty)) == {v["born"]}
    assert (v["born_in_city"], RDFS.subPropertyOf, v["born"]) in graph


def test_version_is_that_of_the_content():
    """Another word is another version; the same words are the same one, and nothing else is in it."""

    def version(types):
        [found] = Graph().parse(data=turtle(types), format="turtle").objects(URIRef(VOCAB), OWL.versionIRI)
        return str(found)

    assert version(AXIOMS) == version(AXIOMS)
    assert re.fullmatch(f"{VOCAB}/version/[0-9a-f]{{16}}", version(AXIOMS))
    assert version(TYPES) != version(TYPES | {"name": "others"})
