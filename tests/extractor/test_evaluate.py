"""A trained model, scored."""

import pytest

from extractor.annotated import read_spert
from extractor.evaluate import evaluate, format_report


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

    assert list(report) == ["entities", "relations", "n_sentences", "seconds"]
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


def test_no_sentences(predictor):
    """No sentences score 0."""
    report = evaluate(predictor, predictor.ontology, [], 0.5)

    assert (report["n_sentences"], report["entities"]["strict"]["f1"]) == (0, 0.0)
