"""Passages of annotated documents, and how what is found in documents is counted."""

from benchmarks.passages import GoldDocument, gold_facts, passages
from kgmill.schemas.ontology import parse_ontology

ONTOLOGY = parse_ontology(
    {
        "entities": {"Person": {}, "Place": {}},
        "relations": {
            "born_in": {"head": ["Person"], "tail": ["Place"]},
            "spouse": {"head": ["Person"], "tail": ["Person"], "symmetric": True},
        },
    },
    "test",
)
SENTENCES = [["Ada", "sang", "."], ["Leeds", "saw", "Ada", "."], ["Bob", "left", "."]]
RECORDS = {
    0: {"entities": [{"type": "Person", "start": 0, "end": 1}], "relations": []},
    1: {
        "entities": [{"type": "Place", "start": 0, "end": 1}, {"type": "Person", "start": 2, "end": 3}],
        "relations": [{"type": "born_in", "head": 1, "tail": 0}],
    },
    2: {"entities": [{"type": "Person", "start": 0, "end": 1}], "relations": []},
}
MENTIONS = {(0, 0, 1): 0, (1, 0, 1): 1, (1, 2, 3): 0, (2, 0, 1): 2}
DOCUMENT = GoldDocument("d", SENTENCES, MENTIONS, {(0, 1): {"born_in"}, (2, 0): {"spouse"}}, RECORDS)


def test_passages_have_the_relations_of_their_sentences_and_between_them():
    """Each run of two sentences is a record; a relation of two entities joins all their mentions in two sentences."""
    first, second = passages(DOCUMENT, 2, ONTOLOGY)
    assert first["tokens"] == ["Ada", "sang", ".", "Leeds", "saw", "Ada", "."]
    assert [(e["start"], e["end"]) for e in first["entities"]] == [(0, 1), (3, 4), (5, 6)]
    assert [(r["type"], r["head"], r["tail"]) for r in first["relations"]] == [("born_in", 2, 1), ("born_in", 0, 1)]
    assert [(r["type"], r["head"], r["tail"]) for r in second["relations"]] == [("born_in", 1, 0), ("spouse", 2, 1)]
    assert [record["orig_id"] for record in (first, second)] == ["d#0", "d#1"]


def test_facts_of_a_document_are_counted_once():
    """Of a symmetric relation the smaller entity is the head, whichever the data name first."""
    assert gold_facts(DOCUMENT, ONTOLOGY) == {(0, "born_in", 1), (0, "spouse", 2)}


def test_span_is_the_entity_that_it_overlaps_most():
    """The same span's, else the one that shares most words; none where it shares none."""
    assert [DOCUMENT.entity(1, *span) for span in ((0, 1), (1, 3), (1, 2))] == [1, 0, None]
