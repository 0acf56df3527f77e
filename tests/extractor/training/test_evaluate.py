"""A trained model, scored."""

import pytest

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair, read_spert
from kgmill.extractor.data.unused import Unused
from kgmill.extractor.training.evaluate import evaluate, format_report


@pytest.fixture(scope="module")
def report(predictor, tiny_sentences):
    """The report of the tiny model on the sentences that it was trained on."""
    return evaluate(predictor, predictor.ontology, read_spert(tiny_sentences), 0.5)


def test_eight_sentences_are_learned_by_heart(report):
    """A real training overfits eight sentences: all entities and relations, strictly, and nothing else."""
    assert report["entities"]["strict"]["f1"] == 1.0
    assert report["relations"]["strict"]["f1"] == 1.0
    assert (report["entities"]["strict"]["support"], report["relations"]["strict"]["support"]) == (20, 9)


def test_report_has_the_keys_of_the_contract(report):
    """The report has the form that `kgmill evaluate --json` promises."""
    scores = report["relations"]["boundaries"]

    assert list(report) == ["entities", "relations", "n_sentences", "seconds", "unused"]
    assert list(report["entities"]) == ["strict", "boundaries"]
    assert set(scores) == {"precision", "recall", "f1", "support", "macro", "by_type"}
    assert set(scores["macro"]) == {"precision", "recall", "f1"}
    assert set(scores["by_type"]["Kill"]) == {"precision", "recall", "f1", "support"}
    assert report["n_sentences"] == 8


def test_report_for_people(report):
    """The printed report shows percentages by protocol and type."""
    lines = format_report(report).splitlines()

    assert lines[0].split() == ["precision", "recall", "F1", "support"]
    assert "relations strict             100.0     100.0     100.0         9" in lines
    assert "  Work_For                   100.0     100.0     100.0         4" in lines
    assert lines[-1].startswith("8 sentences in ")


def test_gold_that_cannot_be_found_counts_as_missed(predictor):
    """Relations across sentences, entities outside of theirs, and entities wider than the model's spans are missed."""
    words = ("Bob", "Stone", "lives", "in", "London", ".")
    lost = (
        Unused("across_sentences", "relation", "Live_In", "d:1: sentence 1: relation"),
        Unused("outside_sentence", "entity", "Loc", "d:1: sentence 1: entity"),
    )
    entities = (EntitySpan(0, 2, "Peop"), EntitySpan(4, 5, "Loc"), EntitySpan(0, 5, "Org"))
    pairs = (RelationPair(0, 1, "Live_In"), RelationPair(0, 2, "Work_For"))
    gold = AnnotatedSentence(words, entities, pairs, "", lost, "d:1")

    report = evaluate(predictor, predictor.ontology, [gold], 0.5)

    found = {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2}
    assert [report[task]["strict"]["support"] for task in ("entities", "relations")] == [4, 3]
    assert [report[task]["boundaries"]["support"] for task in ("entities", "relations")] == [4, 3]
    assert report["entities"]["strict"]["by_type"]["Loc"] == found
    assert report["relations"]["strict"]["by_type"]["Live_In"] == found
    assert report["unused"] == {
        "across_sentences": {"relations": 1, "first": "d:1: sentence 1: relation"},
        "outside_sentence": {"entities": 1, "first": "d:1: sentence 1: entity"},
        "too_wide": {"entities": 1, "relations": 1, "first": "d:1: entity 0:5 'Org'"},
    }


def test_no_sentences(predictor):
    """No sentences score 0."""
    report = evaluate(predictor, predictor.ontology, [], 0.5)

    assert (report["n_sentences"], report["entities"]["strict"]["f1"]) == (0, 0.0)
