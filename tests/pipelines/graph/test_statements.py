"""Records as N-Quads lines."""

import json
from dataclasses import replace

import pyoxigraph
import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st

from kgmill.pipelines.graph.ontology import ontology_graph
from kgmill.pipelines.graph.small import small_quads
from kgmill.pipelines.graph.statements import (
    Holdings,
    Shown,
    document_quads,
    entity_quads,
    fact_quads,
    link_quads,
    meta_quads,
    provenance_quads,
    redirect_quads,
)
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.schemas.identity import entity_id
from kgmill.schemas.ontology import parse_ontology
from kgmill.schemas.records import Document, Entity, Evidence, Fact, Mention, Name, Relation

ONTOLOGY = parse_ontology(
    {"entities": {"Peop": {}, "Loc": {}}, "relations": {"Live_In": {"head": ["Peop"], "tail": ["Loc"]}}}, "test"
)
NS = Namespace("https://kg.example.org/", "news", ONTOLOGY)
PREFIXES = {
    "e": "https://kg.example.org/news/entity/",
    "d": "https://kg.example.org/news/doc/",
    "s": "https://kg.example.org/news/statement/",
    "run": "https://kg.example.org/news/run/",
    "g": "https://kg.example.org/news/graph/",
    "m": "https://kg.example.org/model/",
    "v": "https://kg.example.org/vocab#",
    "x": "urn:kgmill:ns:",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "prov": "http://www.w3.org/ns/prov#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "dcterms": "http://purl.org/dc/terms/",
    "nif": "http://persistence.uni-leipzig.org/nlp2rdf/ontologies/nif-core#",
    "itsrdf": "http://www.w3.org/2005/11/its/rdf#",
    "void": "http://rdfs.org/ns/void#",
    "dcat": "http://www.w3.org/ns/dcat#",
}
ADA, LONDON = "ada-lovelace-7f3a9c21d04be855", "london-1b6e44f0c2d97a13"
TEXT = "Yes. Ada Lovelace lived in London."
DOCUMENT = Document("d 42", "letters.jsonl:42", "A letter", TEXT, "{}", "ab" * 32)
MENTIONS = [
    Mention("d 42", 1, 27, 33, "London", "Loc", 0.99, LONDON),
    Mention("d 42", 1, 5, 17, "Ada Lovelace", "Peop", 0.97, ADA),
]
RELATION = Relation("91c2f7", "5d0c9b", "d 42", 1, 5, 34, "Live_In", 5, 17, ADA, 27, 33, LONDON, 0.9312)
FACT = Fact("5d0c9b", ADA, "Live_In", LONDON, 0.981, 2, 1)
EVIDENCE = [
    Evidence("5d0c9b", "91c2f7", "d 42", 5, 34, 5, 17, 27, 33, 0.9312),
    Evidence("5d0c9b", "11aa22", "d 42", 50, 80, 50, 62, 70, 76, 0.72),
]


def short(lines):
    """The lines with prefixes in the place of namespaces."""
    text = "".join(lines)
    for prefix, namespace in PREFIXES.items():
        text = text.replace(f"<{namespace}", f"<{prefix}:")
    return text.splitlines()


def document_lines(document=DOCUMENT, mentions=MENTIONS, relations=(RELATION,)):
    return list(document_quads(NS, document, mentions, relations, "3f9a"))


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
    ada = entity_id("Ada Lovelace")
    names = [
        *(Name(ada, name, "form", 1) for name in ("Ada Lovelace", "Countess", "The Countess")),
        *(Name(ada, name, rule, 1) for name, rule in (("Lovelace", "short"), ("AAL", "acronym"), ("King", "person"))),
        Name(LONDON, "London", "", 1),
    ]

    assert sorted(short(redirect_quads(NS, names))) == sorted(
        f"<e:{entity_id(name)}> <dcterms:isReplacedBy> <e:{ada}> <g:redirects> ." for name in ("Countess", "King")
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


def test_document_describes_itself():
    """A document has its title, the file it came from, without the line, and the hash of its text."""
    assert short(document_lines())[:4] == [
        "<d:d%2042> <rdf:type> <x:Document> <g:doc/d%2042> .",
        '<d:d%2042> <dcterms:title> "A letter" <g:doc/d%2042> .',
        '<d:d%2042> <dcterms:source> "letters.jsonl" <g:doc/d%2042> .',
        f'<d:d%2042> <x:textSha256> "{"ab" * 32}" <g:doc/d%2042> .',
    ]


def test_document_has_what_its_head_says():
    """Dateline, agency and byline are literals of the document."""
    document = replace(DOCUMENT, head=9, dateline="OSLO, May 5", agency="AP", byline="Ada Byron")
    assert short(document_lines(document))[2:5] == [
        '<d:d%2042> <https://schema.org/dateline> "OSLO, May 5" <g:doc/d%2042> .',
        '<d:d%2042> <dcterms:publisher> "AP" <g:doc/d%2042> .',
        '<d:d%2042> <dcterms:creator> "Ada Byron" <g:doc/d%2042> .',
    ]


@pytest.mark.parametrize(
    ("doc_id", "source", "expected"),
    [("7", "a.csv:7", "a.csv"), ("a:7", "a:7", "a:7"), ("b/a:7", "a:7", "a:7"), ("7", "z.zip!m", "z.zip!m")],
)
def test_source_is_the_file(doc_id, source, expected):
    """A record that goes moves those behind it up a line, and changes none of their graphs; a file's name is kept."""
    [line] = [x for x in document_lines(replace(DOCUMENT, doc_id=doc_id, source=source), [], []) if "terms/source" in x]
    assert line.split(" ")[2] == f'"{expected}"'


def test_empty_title_is_left_out():
    """A document without a title has no title, not an empty one."""
    assert not [line for line in document_lines(replace(DOCUMENT, title="")) if "title" in line]


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2004-05-03", ['"2004-05-03"^^<xsd:date>']),
        ("2004-05-03T10:00:00+00:00", ['"2004-05-03T10:00:00Z"^^<xsd:dateTime>']),
        ("May 3, 2004", []),
        ("", []),
    ],
)
def test_date_is_typed_or_left_out(date, expected):
    """A date in ISO 8601's form is in the graph, with its type; another one is in the table alone."""
    found = [line for line in short(document_lines(replace(DOCUMENT, date=date))) if "dcterms:date" in line]
    assert found == [f"<d:d%2042> <dcterms:date> {term} <g:doc/d%2042> ." for term in expected]


def test_context_is_the_whole_text_without_the_text():
    """The context runs over all code points; the text itself is not in the graph."""
    astral = replace(DOCUMENT, text="Ada 😀")

    assert short(document_lines(astral, [], []))[4:] == [
        "<d:d%2042#char=0,5> <rdf:type> <nif:RFC5147String> <g:doc/d%2042> .",
        "<d:d%2042#char=0,5> <rdf:type> <nif:Context> <g:doc/d%2042> .",
        "<d:d%2042#char=0,5> <nif:referenceContext> <d:d%2042#char=0,5> <g:doc/d%2042> .",
        "<d:d%2042#char=0,5> <nif:sourceUrl> <d:d%2042> <g:doc/d%2042> .",
        '<d:d%2042#char=0,5> <nif:beginIndex> "0"^^<xsd:integer> <g:doc/d%2042> .',
        '<d:d%2042#char=0,5> <nif:endIndex> "5"^^<xsd:integer> <g:doc/d%2042> .',
    ]


def test_mention_without_a_relation_is_kept():
    """A mention has offsets, verbatim text, its type and its confidence, though no relation uses it; no entity."""
    mention = Mention("d 42", 1, 5, 17, "Ada\n Lovelace", "Peop", 0.97, ADA)
    document = replace(DOCUMENT, text=TEXT.replace("Ada Lovel", "Ada\nLovel"))

    lines = short(document_lines(document, mentions=[mention], relations=[]))

    assert [line for line in lines if line.startswith("<d:d%2042#char=5,17>")] == [
        "<d:d%2042#char=5,17> <rdf:type> <nif:RFC5147String> <g:doc/d%2042> .",
        "<d:d%2042#char=5,17> <rdf:type> <nif:Phrase> <g:doc/d%2042> .",
        "<d:d%2042#char=5,17> <nif:referenceContext> <d:d%2042#char=0,34> <g:doc/d%2042> .",
        '<d:d%2042#char=5,17> <nif:beginIndex> "5"^^<xsd:integer> <g:doc/d%2042> .',
        '<d:d%2042#char=5,17> <nif:endIndex> "17"^^<xsd:integer> <g:doc/d%2042> .',
        '<d:d%2042#char=5,17> <nif:anchorOf> "Ada\\nLovelace" <g:doc/d%2042> .',
        "<d:d%2042#char=5,17> <itsrdf:taClassRef> <v:Peop> <g:doc/d%2042> .",
        '<d:d%2042#char=5,17> <itsrdf:taConfidence> "0.97"^^<xsd:decimal> <g:doc/d%2042> .',
    ]


def test_extraction():
    """An extraction names its property, both mentions, its sentence and its run; it asserts nothing of entities."""
    assert [line for line in short(document_lines()) if line.startswith("<s:")] == [
        "<s:x-91c2f7> <rdf:type> <x:Extraction> <g:doc/d%2042> .",
        "<s:x-91c2f7> <x:property> <v:Live_In> <g:doc/d%2042> .",
        "<s:x-91c2f7> <x:subjectMention> <d:d%2042#char=5,17> <g:doc/d%2042> .",
        "<s:x-91c2f7> <x:objectMention> <d:d%2042#char=27,33> <g:doc/d%2042> .",
        "<s:x-91c2f7> <x:sentence> <d:d%2042#char=5,34> <g:doc/d%2042> .",
        '<s:x-91c2f7> <x:confidence> "0.9312"^^<xsd:decimal> <g:doc/d%2042> .',
        "<s:x-91c2f7> <prov:wasGeneratedBy> <run:3f9a> <g:doc/d%2042> .",
    ]


@pytest.mark.parametrize("stance", ["negated", "hedged", "reported"])
def test_extraction_of_what_is_not_stated(stance):
    """An extraction says how its sentence puts it, where it doesn't state it."""
    plain, marked = (short(document_lines(relations=[replace(RELATION, stance=s)])) for s in ("", stance))

    assert [line for line in marked if line not in plain] == [f'<s:x-91c2f7> <x:stance> "{stance}" <g:doc/d%2042> .']
    assert len(marked) == len(plain) + 1


def test_sentence_of_an_extraction_is_a_node():
    """The sentence that an extraction names has its offsets and its text."""
    assert [line for line in short(document_lines()) if line.startswith("<d:d%2042#char=5,34>")] == [
        "<d:d%2042#char=5,34> <rdf:type> <nif:RFC5147String> <g:doc/d%2042> .",
        "<d:d%2042#char=5,34> <rdf:type> <nif:Sentence> <g:doc/d%2042> .",
        "<d:d%2042#char=5,34> <nif:referenceContext> <d:d%2042#char=0,34> <g:doc/d%2042> .",
        '<d:d%2042#char=5,34> <nif:beginIndex> "5"^^<xsd:integer> <g:doc/d%2042> .',
        '<d:d%2042#char=5,34> <nif:endIndex> "34"^^<xsd:integer> <g:doc/d%2042> .',
        '<d:d%2042#char=5,34> <nif:anchorOf> "Ada Lovelace lived in London." <g:doc/d%2042> .',
    ]


def test_mention_leads_to_its_sentence():
    """A mention names its sentence where that is in the graph, which is where a relation was found in it."""
    alone = Mention("d 42", 0, 0, 3, "Yes", "Peop", 0.9, ADA)
    lines = short(document_lines(mentions=[*MENTIONS, alone]))

    assert [line for line in lines if "nif:sentence" in line] == [
        f"<d:d%2042#char={span}> <nif:sentence> <d:d%2042#char=5,34> <g:doc/d%2042> ." for span in ("5,17", "27,33")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", ['<nif:anchorOf> "Ada Lovelace"', '<nif:anchorOf> "London"']),
        (
            "full",
            [
                f'<nif:isString> "{TEXT}"',
                '<nif:anchorOf> "Ada Lovelace"',
                '<nif:anchorOf> "Ada Lovelace lived in London."',
                '<nif:anchorOf> "London"',
            ],
        ),
    ],
)
def test_text_of_a_document(text, expected):
    """Without it mentions alone have their words; with all of it the context has the document's."""
    lines = short(document_quads(NS, DOCUMENT, MENTIONS, [RELATION], "3f9a", Shown(text)))

    found = [line.split(" ", 1)[1].removesuffix(" <g:doc/d%2042> .") for line in lines]
    assert [pair for pair in found if "anchorOf" in pair or "isString" in pair] == expected


def test_metadata_has_the_properties_that_it_is_given():
    """Lists are several values, days and times are typed, all else is a string; what isn't named isn't there."""
    metadata = {"tags": ["a", "b", "a"], "issued": "2004-05-03", "year": "2004", "n": 7, "who": {"b": 1}, "no": None}
    document = replace(DOCUMENT, metadata=json.dumps(metadata | {"other": "x"}))
    shown = Shown(metadata={name: f"urn:a:{name}" for name in [*metadata, "gone"]} | {"n": "urn:a:year"})

    lines = short(document_quads(NS, document, [], [], "3f9a", shown))

    assert [line.split(" ", 1)[1].removesuffix(" <g:doc/d%2042> .") for line in lines if "<urn:a:" in line] == [
        '<urn:a:issued> "2004-05-03"^^<xsd:date>',
        '<urn:a:year> "7"',
        '<urn:a:tags> "a"',
        '<urn:a:tags> "b"',
        '<urn:a:who> "{\\"b\\": 1}"',
        '<urn:a:year> "2004"',
    ]


def test_document_names_no_entity():
    """Entities that are merged or renamed rewrite no document's graph."""
    assert not [line for line in document_lines() if "/entity/" in line]


def test_links_tie_mentions_to_entities():
    """Each mention has its entity, in a graph for that alone; a span that was met twice is one line."""
    assert short(link_quads(NS, [*MENTIONS, MENTIONS[0]])) == [
        f"<d:d%2042#char=5,17> <itsrdf:taIdentRef> <e:{ADA}> <g:links> .",
        f"<d:d%2042#char=27,33> <itsrdf:taIdentRef> <e:{LONDON}> <g:links> .",
    ]


def test_meta_says_what_the_dataset_holds():
    """Counts of the whole, of each class and of each property; no date and no host."""
    lines = short(meta_quads(NS, Holdings(60, 3, {"Peop": 2, "Loc": 1}, {"Live_In": 4}), "3f9a", "urn:a:licence"))
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
        '<https://kg.example.org/news> <x:factCount> "4"^^<xsd:integer> <g:meta> .',
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


def test_span_that_is_everything_at_once_makes_no_line_twice():
    """One span may be the text, two sentences' span and two mentions: each line is there once, and none is missing."""
    document = replace(DOCUMENT, text="Ada")
    mentions = [Mention("d 42", 0, 0, 3, "Ada", kind, 0.5, name) for kind, name in (("Peop", ADA), ("Loc", LONDON))]
    relations = [
        Relation(name, "f", "d 42", 0, 0, 3, "Live_In", 0, 3, ADA, 0, 3, LONDON, 0.9) for name in ("11aa22", "91c2f7")
    ]

    lines = short(document_lines(document, mentions, relations))

    assert len(lines) == len(set(lines)) == 4 + 13 + 2 * 7
    assert [line.split(" ", 1)[1] for line in lines[4:17]] == [
        "<rdf:type> <nif:RFC5147String> <g:doc/d%2042> .",
        "<rdf:type> <nif:Context> <g:doc/d%2042> .",
        "<rdf:type> <nif:Phrase> <g:doc/d%2042> .",
        "<rdf:type> <nif:Sentence> <g:doc/d%2042> .",
        "<nif:referenceContext> <d:d%2042#char=0,3> <g:doc/d%2042> .",
        "<nif:sourceUrl> <d:d%2042> <g:doc/d%2042> .",
        "<nif:sentence> <d:d%2042#char=0,3> <g:doc/d%2042> .",
        '<nif:beginIndex> "0"^^<xsd:integer> <g:doc/d%2042> .',
        '<nif:endIndex> "3"^^<xsd:integer> <g:doc/d%2042> .',
        '<nif:anchorOf> "Ada" <g:doc/d%2042> .',
        "<itsrdf:taClassRef> <v:Loc> <g:doc/d%2042> .",
        '<itsrdf:taConfidence> "0.5"^^<xsd:decimal> <g:doc/d%2042> .',
        "<itsrdf:taClassRef> <v:Peop> <g:doc/d%2042> .",
    ]


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
