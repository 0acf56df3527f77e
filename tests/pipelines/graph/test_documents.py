"""Documents, their spans and what was extracted from them as N-Quads lines."""

import json
from dataclasses import replace

import pytest
from sample_records import (
    ADA,
    DOCUMENT,
    LONDON,
    MENTIONS,
    NS,
    RELATION,
    TEXT,
    document_lines,
    short,
)

from kgmill.pipelines.graph.documents import Shown, document_quads
from kgmill.schemas.records import Mention, Relation


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


def test_passage_of_an_extraction_is_a_node():
    """An extraction from two sentences names the run of them: no sentence, but with offsets and text like one."""
    london = replace(MENTIONS[1], sentence=2)
    lines = short(document_lines(mentions=[MENTIONS[0], london]))

    assert [line for line in lines if line.startswith("<d:d%2042#char=5,34> <rdf:type>")] == [
        "<d:d%2042#char=5,34> <rdf:type> <nif:RFC5147String> <g:doc/d%2042> .",
        "<d:d%2042#char=5,34> <rdf:type> <x:Passage> <g:doc/d%2042> .",
    ]
    assert '<d:d%2042#char=5,34> <nif:anchorOf> "Ada Lovelace lived in London." <g:doc/d%2042> .' in lines
    assert "<s:x-91c2f7> <x:sentence> <d:d%2042#char=5,34> <g:doc/d%2042> ." in lines
    assert not [line for line in lines if "nif:sentence" in line]


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
