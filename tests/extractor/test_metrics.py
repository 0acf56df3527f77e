"""Scores, on a page that was worked by hand."""

import doctest

import pytest

from extractor import metrics
from extractor.annotated import AnnotatedSentence, EntitySpan, RelationPair
from extractor.decode import DecodedMention, DecodedRelation
from extractor.metrics import prf, score, score_by_size

GOLD = [
    AnnotatedSentence(
        ("Ada", "Byron", "works", "for", "Acme", "Corp", "in", "Paris", "."),
        (EntitySpan(0, 2, "Peop"), EntitySpan(4, 6, "Org"), EntitySpan(7, 8, "Loc")),
        (RelationPair(0, 1, "Work_For"), RelationPair(0, 2, "Live_In")),
    ),
    AnnotatedSentence(
        ("Brutus", "and", "others", "killed", "Caesar"),
        (EntitySpan(0, 1, "Peop"), EntitySpan(4, 5, "Peop")),
        (RelationPair(0, 1, "Kill"),),
    ),
]
# Acme Corp has the wrong type, Caesar the wrong begin, and Live_In is there twice.
PREDICTED = [
    (
        [DecodedMention(0, 2, "Peop", 0.9), DecodedMention(4, 6, "Loc", 0.8), DecodedMention(7, 8, "Loc", 0.7)],
        [
            DecodedRelation(0, 1, "Work_For", 0.9),
            DecodedRelation(0, 2, "Live_In", 0.8),
            DecodedRelation(0, 2, "Live_In", 0.7),
        ],
    ),
    (
        [DecodedMention(0, 1, "Peop", 0.9), DecodedMention(3, 5, "Peop", 0.8)],
        [DecodedRelation(0, 1, "Kill", 0.9)],
    ),
]


def page(task, protocol):
    """The scores of the page."""
    return score(GOLD, PREDICTED)[task][protocol]


def test_doctests():
    """The worked examples of the module hold."""
    result = doctest.testmod(metrics)

    assert result.failed == 0
    assert result.attempted > 0


def test_entities_strict():
    """Span and type: three of five are right."""
    scores = page("entities", "strict")

    assert (scores["precision"], scores["recall"], scores["f1"]) == pytest.approx((0.6, 0.6, 0.6))
    assert scores["support"] == 5


def test_entities_boundaries():
    """Span alone: the wrong type is forgiven, the wrong begin is not."""
    scores = page("entities", "boundaries")

    assert (scores["precision"], scores["recall"], scores["f1"]) == pytest.approx((0.8, 0.8, 0.8))


def test_entities_by_type():
    """Each type of gold or prediction has its scores; one that was never predicted scores 0."""
    scores = page("entities", "strict")["by_type"]

    assert list(scores) == ["Loc", "Org", "Peop"]
    assert scores["Loc"] == pytest.approx({"precision": 1 / 2, "recall": 1, "f1": 2 / 3, "support": 1})
    assert scores["Org"] == {"precision": 0, "recall": 0, "f1": 0, "support": 1}
    assert scores["Peop"] == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "support": 3})


def test_entities_macro():
    """The macro scores are means over the types, not the micro scores."""
    macro = page("entities", "strict")["macro"]

    assert macro == pytest.approx({"precision": 7 / 18, "recall": 5 / 9, "f1": 4 / 9})


def test_relations_strict():
    """A relation needs both spans and both types; one that is predicted twice counts once."""
    scores = page("relations", "strict")

    assert (scores["precision"], scores["recall"], scores["f1"]) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert scores["support"] == 3


def test_relations_boundaries():
    """Without entity types the relation to a mention of the wrong type is right."""
    scores = page("relations", "boundaries")

    assert (scores["precision"], scores["recall"], scores["f1"]) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert scores["macro"]["f1"] == pytest.approx(2 / 3)


def test_reverse_direction_is_wrong():
    """A relation from tail to head is another relation."""
    mentions = [DecodedMention(0, 1, "Peop", 0.9), DecodedMention(4, 5, "Peop", 0.8)]

    there, back = (
        score(GOLD[1:], [(mentions, [DecodedRelation(*ends, "Kill", 0.9)])])["relations"] for ends in ((0, 1), (1, 0))
    )

    assert (there["strict"]["f1"], there["boundaries"]["f1"]) == (1, 1)
    assert (back["strict"]["f1"], back["boundaries"]["f1"]) == (0, 0)


def test_nothing_predicted():
    """No prediction scores 0, and divides by no zero."""
    scores = score(GOLD, [([], []), ([], [])])["entities"]["strict"]

    assert (scores["precision"], scores["recall"], scores["f1"], scores["macro"]["f1"]) == (0, 0, 0, 0)


def test_nothing_at_all():
    """No gold and no prediction scores 0, with no types."""
    scores = prf([])

    expected = {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    assert scores == {**expected, "support": 0, "macro": expected, "by_type": {}}


def test_spans_of_different_sentences_do_not_meet():
    """A span found in the wrong sentence is wrong."""
    scores = score(GOLD, PREDICTED[::-1])["entities"]["boundaries"]

    assert scores["f1"] == 0


def test_scores_by_size_put_items_into_the_papers_intervals():
    """A one-word entity and a three-word one, found and missed; a relation over two words, found."""
    gold = AnnotatedSentence(
        tuple("abcdefg"), (EntitySpan(0, 1, "P"), EntitySpan(3, 6, "Q")), (RelationPair(0, 1, "R"),)
    )
    mentions = (DecodedMention(0, 1, "P", 0.9), DecodedMention(3, 6, "Q", 0.9), DecodedMention(6, 7, "P", 0.9))
    sizes = score_by_size([gold], [(mentions, (DecodedRelation(0, 1, "R", 0.9),))])
    assert sizes["entity length"]["1-2"]["precision"] == 0.5
    assert sizes["entity length"]["3-4"]["recall"] == 1.0
    assert list(sizes["relation distance"]) == ["1-3"]
