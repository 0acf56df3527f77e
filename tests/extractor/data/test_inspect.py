"""What is found in annotated data before a training: each kind of fault, hand-made."""

import pytest

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair
from kgmill.extractor.data.inspect import describe, inspect
from kgmill.extractor.data.unused import Unused
from kgmill.schemas.ontology import parse_ontology

ONTOLOGY = parse_ontology(
    {"entities": {"P": {}, "O": {}}, "relations": {"works_for": {"head": ["P"], "tail": ["O"]}}}, "test"
)


def sentence(text, entities=(), relations=(), **more):
    return AnnotatedSentence(tuple(text.split()), tuple(entities), tuple(relations), **more)


def good(n, key=""):
    """So many sentences in which nothing is wrong."""
    ends = (EntitySpan(0, 1, "P"), EntitySpan(3, 4, "O"))
    return [sentence(f"Ada{i} works for Acme{i} .", ends, [RelationPair(0, 1, "works_for")], key=key) for i in range(n)]


def found(parts, ontology=None):
    return [(one.level, one.kind, one.n) for one in inspect(parts, ontology)]


def test_good_data_has_no_finding():
    """Ten of each type, nothing twice, nothing in both parts."""
    assert found({"train": good(20)[:10], "dev": good(20)[10:]}, ONTOLOGY) == []


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([sentence("ada1 works for ACME1")], [("warning", "leak", 0)][:0]),
        ([good(10)[3]], [("warning", "duplicate", 1)]),
        ([sentence("Ada3 works for Acme3 .")], [("fault", "contradiction", 1)]),
        ([sentence("a b", [EntitySpan(0, 1, "P"), EntitySpan(0, 1, "O")])], [("fault", "same_span", 1)]),
        ([sentence("a b", [EntitySpan(0, 2, "P"), EntitySpan(1, 2, "O")])], [("fault", "overlap", 1)]),
        (
            [sentence("a b", [EntitySpan(0, 1, "P"), EntitySpan(1, 2, "O")], [RelationPair(1, 0, "works_for")])],
            [("fault", "not_allowed", 1)],
        ),
        ([sentence("a " * 130)], [("warning", "long", 1)]),
        ([sentence("a " * 30, [EntitySpan(0, 12, "P")])], [("warning", "too_wide", 1)]),
        (
            [sentence("a b", unused=(Unused("unaligned", "entity", "P", "a.txt: entity T1"),))],
            [("fault", "unaligned", 1)],
        ),
    ],
)
def test_each_fault_is_found(more, expected):
    """One sentence more, and what is wrong with it."""
    assert found({"train": [*good(10), *more]}, ONTOLOGY) == expected


def test_sentences_of_both_parts_are_leaks():
    """Also where case and punctuation differ; other sentences of a document of both are told as such."""
    dev = [sentence("ADA1 works, for Acme1"), sentence("Something else .", key="doc#9")]
    assert found({"train": good(10, "doc#1"), "dev": dev}) == [
        ("fault", "leak", 1),
        ("warning", "document_leak", 1),
    ]


def test_rare_and_untrained_types_are_found():
    """Fewer than ten are rare; none, though dev or the ontology has some, is a fault."""
    told = inspect({"train": good(9), "dev": [sentence("x y", [EntitySpan(0, 1, "Q")])]}, ONTOLOGY)
    assert [(one.level, one.kind, one.what) for one in told] == [
        ("fault", "untrained", "entity type Q that train has no instance of"),
        ("fault", "unknown_type", "entity type Q that is not in the ontology"),
        ("warning", "rare", "entity type O of which train has 9, fewer than 10"),
        ("warning", "rare", "entity type P of which train has 9, fewer than 10"),
        ("warning", "rare", "relation works_for of which train has 9, fewer than 10"),
    ]


def test_overlaps_may_be_meant():
    """Without an ontology they are a warning, with one that allows them nothing."""
    nested = [sentence("a b", [EntitySpan(0, 2, "P"), EntitySpan(1, 2, "O")])]
    allowing = ONTOLOGY.model_copy(update={"overlapping_entities": True})
    assert ("warning", "overlap", 1) in found({"train": nested})
    assert "overlap" not in {kind for _, kind, _ in found({"train": nested}, allowing)}


def test_parts_are_described():
    """Counts by type, the longest sentence, and how many have no entity."""
    assert describe({"train": [*good(2), sentence("a b c d e f")]}) == {
        "train": {
            "sentences": 3,
            "words": 16,
            "longest": 6,
            "without_entities": 1,
            "entities": {"O": 2, "P": 2},
            "relations": {"works_for": 2},
        }
    }
