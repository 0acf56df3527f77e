"""Entities, facts, links, redirects and what describes a dataset as N-Quads lines."""

from dataclasses import replace

import pyoxigraph
import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_records import ADA, EVIDENCE, FACT, LONDON, MENTIONS, NS, ONTOLOGY, RELATION, document_lines, short

from kgmill.pipelines.graph.documents import document_quads
from kgmill.pipelines.graph.ontology import ontology_graph
from kgmill.pipelines.graph.small import small_quads
from kgmill.pipelines.graph.statements import (
    Holdings,
    entity_quads,
    fact_quads,
    link_quads,
    meta_quads,
    provenance_quads,
    redirect_quads,
)
from kgmill.schemas.identity import entity_id
from kgmill.schemas.records import Document, Entity, Mention, Name


def test_entity():
    """An entity has its class, its name, its counts and its confidence, in the one graph that people ask."""
    entity = Entity(ADA, "Peop", 'Ada "Lady" Lovelace', 12, 3, 1.0)

    assert short(entity_quads(NS, entity, [])) == [
        f"<e:{ADA}> <rdf:type> <v:Peop> <g:kg> .",
        f'<e:{ADA}> <rdfs:label> "Ada \\"Lady\\" Lovelace" <g:kg> .',
        f'<e:{ADA}> <x:mentionCount> "12"^^<xsd:integer> <g:kg> .',
        f'<e:{ADA}> <x:documentCount> "3"^^<xsd:integer> <g:kg> .',
        f'<e:{ADA}> <x:confidence> "1"^^<xsd:decimal> <g:kg> .',
    ]


def test_other_names_of_an_entity():
    """Each name that isn't the label is told once, whatever the rules; then what others call the entity."""
    entity = Entity(ADA, "Peop", "Ada Lovelace", 12, 3, 1.0)
    names = [
        *(Name(ADA, "Ada Lovelace", rule, 3) for rule in ("", "short")),
        *(
            Name(ADA, name, rule, 1)
            for name, rule in (("Lovelace", "short"), ("Lovelace", ""), ("Countess", "decision"))
        ),
    ]

    assert short(entity_quads(NS, entity, names, ("http://a.org/1", "http://a.org/2")))[5:] == [
        f'<e:{ADA}> <skos:altLabel> "Countess" <g:kg> .',
        f'<e:{ADA}> <skos:altLabel> "Lovelace" <g:kg> .',
        f"<e:{ADA}> <skos:exactMatch> <http://a.org/1> <g:kg> .",
        f"<e:{ADA}> <skos:exactMatch> <http://a.org/2> <g:kg> .",
    ]


def test_redirects():
    """What a joined name alone would be called leads to the entity; its own id doesn't, nor what was short for it."""
    ada, rome = entity_id("Ada Lovelace"), entity_id("Roma")
    names = [
        *(Name(ada, name, "form", 1) for name in ("Ada Lovelace", "Countess", "The Countess")),
        *(Name(ada, name, rule, 1) for name, rule in (("Lovelace", "short"), ("AAL", "acronym"), ("King", "person"))),
        Name(rome, "Rome", "", 5),  # a commoner name than the longest has no rule, and an id of its own all the same
        Name(entity_id("London"), "London", "", 1),
    ]

    assert sorted(short(redirect_quads(NS, names))) == sorted(
        f"<e:{entity_id(name)}> <dcterms:isReplacedBy> <e:{entity}> <g:redirects> ."
        for name, entity in (("Countess", ada), ("King", ada), ("Rome", rome))
    )


def test_fact():
    """A fact is a direct triple, and a statement of it with counts, confidence and the evidence by statement id."""
    assert short(fact_quads(NS, FACT, EVIDENCE)) == [
        f"<e:{ADA}> <v:Live_In> <e:{LONDON}> <g:kg> .",
        "<s:a-5d0c9b> <rdf:type> <x:AggregatedStatement> <g:kg> .",
        "<s:a-5d0c9b> <rdf:type> <rdf:Statement> <g:kg> .",
        f"<s:a-5d0c9b> <rdf:subject> <e:{ADA}> <g:kg> .",
        "<s:a-5d0c9b> <rdf:predicate> <v:Live_In> <g:kg> .",
        f"<s:a-5d0c9b> <rdf:object> <e:{LONDON}> <g:kg> .",
        '<s:a-5d0c9b> <x:confidence> "0.981"^^<xsd:decimal> <g:kg> .',
        '<s:a-5d0c9b> <x:evidenceCount> "2"^^<xsd:integer> <g:kg> .',
        '<s:a-5d0c9b> <x:documentCount> "1"^^<xsd:integer> <g:kg> .',
        '<s:a-5d0c9b> <x:coMentionShare> "1"^^<xsd:decimal> <g:kg> .',
        "<s:a-5d0c9b> <prov:wasDerivedFrom> <s:x-11aa22> <g:kg> .",
        "<s:a-5d0c9b> <prov:wasDerivedFrom> <s:x-91c2f7> <g:kg> .",
    ]


def test_fact_that_is_not_asserted():
    """It has no triple of its own; its statement is the same."""
    lines = list(fact_quads(NS, FACT, EVIDENCE))

    assert list(fact_quads(NS, replace(FACT, asserted=False), EVIDENCE)) == lines[1:]
    assert f"<e:{ADA}> <v:Live_In> <e:{LONDON}> <g:kg> ." not in short(lines[1:])


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (
            ("2004-05-03", "2005-01"),
            ['<x:firstDate> "2004-05-03"^^<xsd:date>', '<x:lastDate> "2005-01"^^<xsd:gYearMonth>'],
        ),
        (("", ""), []),
        (("Friday", "yesterday"), []),
    ],
)
def test_fact_has_its_share_and_its_dates(dates, expected):
    """How many of the sentences that name both ends state it, and from when to when, where that is a date."""
    fact = replace(FACT, share=0.25, first=dates[0], last=dates[1])

    found = [line for line in short(fact_quads(NS, fact, [])) if "Date>" in line or "Share>" in line]
    assert found == [f"<s:a-5d0c9b> {x} <g:kg> ." for x in ('<x:coMentionShare> "0.25"^^<xsd:decimal>', *expected)]


def test_links_tie_mentions_to_entities():
    """Each mention has its entity, in a graph for that alone; a span that was met twice is one line."""
    assert short(link_quads(NS, [*MENTIONS, MENTIONS[0]])) == [
        f"<d:d%2042#char=5,17> <itsrdf:taIdentRef> <e:{ADA}> <g:links> .",
        f"<d:d%2042#char=27,33> <itsrdf:taIdentRef> <e:{LONDON}> <g:links> .",
    ]


def test_meta_says_what_the_dataset_holds():
    """Counts of the whole, of each class and of each property; no date and no host."""
    lines = short(meta_quads(NS, Holdings(60, 3, {"Peop": 2, "Loc": 1}, 5, {"Live_In": 4}), "3f9a", "urn:a:licence"))
    assert lines[:12] == [
        "<https://kg.example.org/news> <rdf:type> <void:Dataset> <g:meta> .",
        "<https://kg.example.org/news> <rdf:type> <dcat:Dataset> <g:meta> .",
        '<https://kg.example.org/news> <dcterms:title> "news" <g:meta> .',
        "<https://kg.example.org/news> <dcterms:license> <urn:a:licence> <g:meta> .",
        "<https://kg.example.org/news> <prov:wasGeneratedBy> <run:3f9a> <g:meta> .",
        "<https://kg.example.org/news> <dcterms:conformsTo> <https://kg.example.org/vocab/shapes> <g:meta> .",
        '<https://kg.example.org/news> <void:uriSpace> "https://kg.example.org/news/entity/" <g:meta> .',
        "<https://kg.example.org/news> <void:vocabulary> <https://kg.example.org/vocab> <g:meta> .",
        '<https://kg.example.org/news> <void:triples> "60"^^<xsd:integer> <g:meta> .',
        '<https://kg.example.org/news> <void:entities> "3"^^<xsd:integer> <g:meta> .',
        '<https://kg.example.org/news> <x:factCount> "5"^^<xsd:integer> <g:meta> .',
        '<https://kg.example.org/news> <x:documentCount> "3"^^<xsd:integer> <g:meta> .',
    ]
    assert [line.split(" ", 1)[1] for line in lines[12:] if "Partition>" not in line] == [
        "<void:class> <v:Loc> <g:meta> .",
        '<void:entities> "1"^^<xsd:integer> <g:meta> .',
        "<void:class> <v:Peop> <g:meta> .",
        '<void:entities> "2"^^<xsd:integer> <g:meta> .',
        "<void:property> <v:Live_In> <g:meta> .",
        '<void:triples> "4"^^<xsd:integer> <g:meta> .',
    ]


def test_ontology_is_lines_too():
    """The same classes and properties as in ontology.ttl, so that a store can be asked for labels of types."""
    lines = short(small_quads(ontology_graph(NS, ONTOLOGY), NS.graph("ontology")))
    assert '<v:Live_In> <rdfs:label> "Live_In" <g:ontology> .' in lines
    assert len(lines) == len(ontology_graph(NS, ONTOLOGY))


def test_order_of_records_does_not_matter():
    """Mentions, relations and evidence in any order make the same lines in the same order."""
    other = replace(RELATION, statement_id="11aa22")

    assert document_lines(relations=[RELATION, other]) == document_lines(
        mentions=MENTIONS[::-1], relations=[other, RELATION]
    )
    assert list(fact_quads(NS, FACT, EVIDENCE)) == list(fact_quads(NS, FACT, EVIDENCE[::-1]))


def test_provenance():
    """A run has its model, the ontology and its settings by name; the model its name and fingerprint."""
    lines = provenance_quads(NS, "3f9a", "default", "9f2c" * 16, {"precision": "fp32", "candidate_floor": "0.1"})

    assert short(lines) == [
        "<run:3f9a> <rdf:type> <prov:Activity> <g:provenance/3f9a> .",
        "<run:3f9a> <prov:used> <m:9f2c9f2c9f2c9f2c> <g:provenance/3f9a> .",
        "<run:3f9a> <dcterms:conformsTo> <https://kg.example.org/vocab> <g:provenance/3f9a> .",
        '<run:3f9a> <x:configuration> "candidate_floor=0.1" <g:provenance/3f9a> .',
        '<run:3f9a> <x:configuration> "precision=fp32" <g:provenance/3f9a> .',
        "<m:9f2c9f2c9f2c9f2c> <rdf:type> <prov:Entity> <g:provenance/3f9a> .",
        "<m:9f2c9f2c9f2c9f2c> <rdf:type> <prov:SoftwareAgent> <g:provenance/3f9a> .",
        '<m:9f2c9f2c9f2c9f2c> <rdfs:label> "default" <g:provenance/3f9a> .',
        f'<m:9f2c9f2c9f2c9f2c> <x:modelSha256> "{"9f2c" * 16}" <g:provenance/3f9a> .',
    ]


def all_lines(hostile):
    """One record of each kind, with hostile text wherever text comes from outside."""
    document = Document(hostile, hostile, hostile, hostile, "{}", "00")
    mention = Mention(hostile, 0, 0, len(hostile), hostile, "Peop", 0.5, ADA)
    relation = replace(RELATION, doc_id=hostile)
    yield from entity_quads(NS, Entity(ADA, "Peop", "Ada", 1, 1, 0.5), [Name(ADA, hostile, "", 1)])
    yield from entity_quads(NS, Entity(LONDON, "Peop", hostile, 1, 1, 0.5), [])
    yield from redirect_quads(NS, [Name(ADA, hostile, "form", 1)])
    yield from fact_quads(NS, FACT, EVIDENCE)
    yield from document_quads(NS, document, [mention], [relation], "3f9a")
    yield from link_quads(NS, [mention])
    yield from provenance_quads(NS, "3f9a", hostile, "00", {"model": hostile})


@pytest.mark.filterwarnings("ignore:Dataset.*:DeprecationWarning")  # rdflib's own parser calls what rdflib deprecates
@settings(max_examples=60, deadline=None)
@given(
    hostile=st.text(
        st.sampled_from("a\x00\x01\t\n\x0b\r\"'\\<>]&/#% {}|^`\x7f\x85\u2028\u0301\ufffe\ud800😀") | st.characters(),
        min_size=1,
    )
)
def test_two_parsers_read_the_same_quads(hostile):
    """Whatever documents, names and settings hold, pyoxigraph and rdflib read all lines, and the same terms in them."""
    lines = list(all_lines(hostile))
    data = "".join(lines).encode()
    dataset = rdflib.Dataset()

    parsed = list(pyoxigraph.parse(data, format=pyoxigraph.RdfFormat.N_QUADS))
    dataset.parse(data=data, format="nquads")

    assert len(lines) == len(set(parsed))
    by_rdflib = {(str(s), str(p), str(o), str(g)) for s, p, o, g in dataset.quads()}
    assert by_rdflib == {(q.subject.value, q.predicate.value, q.object.value, q.graph_name.value) for q in parsed}
    assert not any(isinstance(term, pyoxigraph.BlankNode) for q in parsed for term in (q.subject, q.object))
