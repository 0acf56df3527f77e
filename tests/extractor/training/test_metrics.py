"""Scores, on a page that was worked by hand."""

import doctest
from dataclasses import replace
from pathlib import Path

import pytest

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair
from kgmill.extractor.data.partial import Partial
from kgmill.extractor.data.readers import read_annotated
from kgmill.extractor.decode import DecodedMention, DecodedRelation
from kgmill.extractor.training import metrics
from kgmill.extractor.training.metrics import as_gold, n_not_counted, prf, score, score_by_size
from kgmill.schemas.ontology import load_ontology

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


def twins(*relations):
    """A sentence of two people with relations (head, tail, type), as gold and as a prediction."""
    spans = ((0, 1, "Peop"), (3, 4, "Peop"))
    gold = AnnotatedSentence(
        tuple("abcd"), tuple(EntitySpan(*s) for s in spans), tuple(RelationPair(*r) for r in relations)
    )
    return gold, ([DecodedMention(*s, 0.9) for s in spans], [DecodedRelation(*r, 0.9) for r in relations])


def test_symmetric_relation_has_no_direction():
    """A symmetric relation that is annotated tail first is found, and counts once where both directions are there."""
    gold, _ = twins((1, 0, "Sibling"), (0, 1, "Sibling"), (1, 0, "Kill"))
    _, predicted = twins((0, 1, "Sibling"), (0, 1, "Kill"))

    scores = score([gold], [predicted], {"Sibling"})["relations"]

    assert [scores[p]["by_type"]["Sibling"] for p in ("strict", "boundaries")] == [
        {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1}
    ] * 2
    assert [scores[p]["support"] for p in ("strict", "boundaries")] == [2, 2]
    assert scores["strict"]["by_type"]["Kill"]["f1"] == 0.0


def test_symmetric_relation_by_distance_has_no_direction():
    """Scores by distance turn symmetric relations too."""
    gold, _ = twins((1, 0, "Sibling"))
    _, predicted = twins((0, 1, "Sibling"))

    scores = score_by_size([gold], [predicted], {"Sibling"})["relation distance"]

    assert scores == {"1-3": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1}}


def test_gold_of_scierc_is_a_perfect_prediction_of_itself(shared_data):
    """Gold read as a decoder gives it, symmetric relations head first, has an F1 of 1 (0.971 by direction)."""
    ontology = load_ontology(Path(__file__).parents[3] / "examples" / "scierc.ontology.toml")
    gold = read_annotated([str(shared_data / "scierc" / "dev.jsonl")], "dygie")
    predicted = []
    for sentence in gold:
        mentions = [DecodedMention(e.start, e.end, e.type, 1.0) for e in sentence.entities]
        ends = {r: [r.head, r.tail] for r in sentence.relations}
        for r in sentence.relations:
            if r.type in ontology.symmetric:
                ends[r].sort(key=lambda i: mentions[i].start)
        predicted.append((mentions, [DecodedRelation(*pair, r.type, 1.0) for r, pair in ends.items()]))

    assert score(gold, predicted, ontology.symmetric)["relations"]["strict"]["f1"] == 1.0
    assert score(gold, predicted)["relations"]["strict"]["f1"] < 0.99


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


PARTIAL = replace(
    AnnotatedSentence(
        tuple("abcdefgh"),
        (EntitySpan(0, 1, "Peop"), EntitySpan(2, 3, "Loc", ("Loc", "Org"))),
        (RelationPair(0, 1, "Live_In"),),
    ),
    partial=Partial(("Peop",), ("Kill",)),
)


def mention(start, end, name):
    """A decoded mention."""
    return DecodedMention(start, end, name, 0.9)


def test_what_a_sentence_does_not_mark_is_no_error():
    """Predictions of types that are not complete count if they are right; those of complete ones count always."""
    mentions = [mention(0, 1, "Peop"), mention(2, 3, "Org"), mention(4, 5, "Loc"), mention(6, 7, "Peop")]
    relations = [
        DecodedRelation(0, 1, "Live_In", 0.9),
        DecodedRelation(0, 2, "Live_In", 0.9),
        DecodedRelation(0, 3, "Kill", 0.9),
    ]

    report = score([PARTIAL], [(mentions, relations)])

    found = {task: report[task]["strict"] | {"by_type": None, "macro": None} for task in ("entities", "relations")}
    assert [found["entities"][key] for key in ("precision", "recall", "support")] == [2 / 3, 1.0, 2]
    assert [found["relations"][key] for key in ("precision", "recall", "support")] == [1 / 2, 1.0, 1]
    assert report["entities"]["boundaries"]["precision"] == 2 / 3
    assert report["relations"]["boundaries"]["precision"] == 1 / 2
    assert n_not_counted([PARTIAL], [(mentions, relations)]) == {"entities": 1, "relations": 1}


def test_a_wrong_type_on_a_marked_span_is_still_a_miss():
    """A prediction of an open type on a gold span is not counted; the entity is missed, its boundaries are found."""
    report = score([PARTIAL], [([mention(0, 1, "Other")], [])])

    assert (report["entities"]["strict"]["precision"], report["entities"]["strict"]["recall"]) == (0.0, 0.0)
    assert report["entities"]["boundaries"]["precision"] == 1.0
    assert report["entities"]["boundaries"]["recall"] == 1 / 2


def test_what_a_model_completed_is_no_gold():
    """Completed entities and relations are neither wanted nor wrong."""
    entities = (EntitySpan(4, 5, "Peop", by="completed"), *PARTIAL.entities)
    relations = (RelationPair(1, 2, "Live_In"), RelationPair(1, 0, "Kill", "completed"))
    one = replace(PARTIAL, entities=entities, relations=relations)

    assert as_gold(one, []) == PARTIAL


def test_complete_sentences_have_nothing_uncounted():
    """Where everything is annotated there is nothing to tell."""
    assert n_not_counted([replace(PARTIAL, partial=None)], [([mention(4, 5, "Loc")], [])]) == {}


def test_sizes_honour_what_is_marked():
    """Scores by length and distance leave out the same predictions."""
    mentions = [mention(0, 1, "Peop"), mention(2, 3, "Org"), mention(4, 5, "Loc")]

    sizes = score_by_size([PARTIAL], [(mentions, [DecodedRelation(0, 2, "Live_In", 0.9)])])

    assert sizes["entity length"]["1-2"]["precision"] == 1.0
    assert sizes["relation distance"]["1-3"]["precision"] == 0.0
    assert sizes["relation distance"]["1-3"]["support"] == 1
