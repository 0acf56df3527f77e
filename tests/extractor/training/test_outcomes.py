"""What confidences came to: errors, bounds, promised thresholds, directions."""

import doctest

import numpy as np
import pytest

from kgmill.extractor.candidates import Scored
from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair
from kgmill.extractor.training import outcomes as module
from kgmill.extractor.training.outcomes import (
    Outcomes,
    expected_calibration_error,
    outcomes,
    precision_bound,
    threshold_for_precision,
)
from kgmill.schemas.ontology import parse_ontology

ONTOLOGY = parse_ontology(
    {
        "entities": {"Peop": {}},
        "relations": {
            "Kill": {"head": ["Peop"], "tail": ["Peop"]},
            "Sibling": {"head": ["Peop"], "tail": ["Peop"], "symmetric": True},
        },
    },
    "test",
)


def found(confidence, is_right):
    """Outcomes of one type."""
    return Outcomes(np.array(confidence), np.array(is_right, bool), np.full(len(confidence), "Kill"))


def test_doctests():
    """The worked examples of the module hold."""
    assert doctest.testmod(module).failed == 0


def test_calibration_error_by_hand():
    """The distance of confidence and accuracy in each bin, weighed by its size."""
    some = found([0.95, 0.95, 0.35, 0.35], [True, False, True, False])

    assert some.ece == pytest.approx((0.45 + 0.15) / 2)
    assert (some.claimed, some.right) == (pytest.approx(0.65), 0.5)
    assert expected_calibration_error(np.zeros(0), np.zeros(0, bool)) == 0


def test_bound_by_hand():
    """Where all n are right, the bound is the n-th root of the doubt, which those that are tried share."""
    assert precision_bound(20, 20) == pytest.approx(0.05 ** (1 / 20))
    assert precision_bound(20, 20, 10) == pytest.approx(0.005 ** (1 / 20))
    assert precision_bound(0, 20) == 0.0


def test_threshold_of_a_promise():
    """The lowest threshold whose items promise the precision; a share as wanted alone promises nothing."""
    confidence = np.repeat([0.85, 0.65, 0.45], 100)
    is_right = np.concatenate((np.arange(100) > 1, np.arange(100) > 9, np.arange(100) > 49))

    assert threshold_for_precision(found(confidence, is_right), 0.9, 0.4) == 0.7
    assert threshold_for_precision(found(confidence, is_right), 0.85, 0.4) == 0.5
    assert threshold_for_precision(found(confidence, is_right), 0.7, 0.4) == 0.4
    assert threshold_for_precision(found(confidence, is_right), 0.99, 0.4) is None


def test_few_items_promise_nothing():
    """Nineteen of nineteen right are no promise, however low the precision that is wanted."""
    assert threshold_for_precision(found(np.full(19, 0.9), np.full(19, True)), 0.5, 0.4) is None
    assert threshold_for_precision(found(np.full(20, 0.9), np.full(20, True)), 0.5, 0.4) == 0.4


def test_symmetric_relations_are_right_in_either_order():
    """The order of a symmetric relation's ends is no mistake; that of another one is."""
    people = tuple(EntitySpan(2 * i, 2 * i + 1, "Peop") for i in range(2))
    sentence = AnnotatedSentence(("A", "and", "B"), people, (RelationPair(1, 0, "Sibling"), RelationPair(1, 0, "Kill")))
    scored = Scored(
        np.array([(0, 1), (2, 3)]),
        np.full((2, 1), 0.9),
        np.array([(0, 1)]),
        np.array([[0.5, 0.5]]),
    )

    relations = outcomes([scored], [sentence], ONTOLOGY, 0.4)["relations"]

    assert list(zip(relations.types.tolist(), relations.is_right.tolist(), strict=True)) == [
        ("Kill", False),
        ("Sibling", True),
    ]
