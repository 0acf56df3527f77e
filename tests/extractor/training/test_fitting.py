"""The likeliest slope and bias, and data that have none."""

import numpy as np
import pytest

from kgmill.extractor.training.fitting import check_binary, check_types, fit_binary, fit_types
from kgmill.schemas.errors import DataError


def drawn(slope, bias, n=20_000, seed=0):
    """Margins, and labels that are right as often as a slope and a bias say."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(0.0, 5.0, n)
    return margin, rng.random(n) < 1 / (1 + np.exp(-(slope * margin + bias)))


def loss(probability, is_true):
    """The mean negative log-likelihood."""
    return float(-np.log(np.where(is_true, probability, 1 - probability)).mean())


@pytest.mark.parametrize(("slope", "bias"), [(0.1, -2.0), (1.0, 0.0), (0.5, 1.5)])
def test_slope_and_bias_are_found_again(slope, bias):
    """Labels that were drawn by a slope and a bias give them back."""
    fitted = fit_binary("relation", *drawn(slope, bias))

    assert (fitted.slope, fitted.bias) == (pytest.approx(slope, rel=0.1), pytest.approx(bias, abs=0.1))


def test_biased_head_is_better_than_a_constant():
    """Scores that are all far too sure, with a weak order, are still worth more than the base rate."""
    margin, is_true = drawn(0.15, -1.5)

    fitted = fit_binary("relation", margin + 10, is_true)

    base = np.full(len(margin), is_true.mean())
    assert loss(fitted.probability(margin + 10), is_true) < loss(base, is_true) - 0.02
    assert fitted.probability(margin + 10).mean() == pytest.approx(is_true.mean(), abs=0.001)


def test_it_is_the_minimum():
    """No slope or bias near the fitted ones is likelier."""
    margin, is_true = drawn(0.3, -1.0, 500)
    fitted = fit_binary("entity", margin, is_true)
    best = loss(fitted.probability(margin), is_true)

    for slope, bias in ((1.05, 0.0), (0.95, 0.0), (1.0, 0.05), (1.0, -0.05)):
        other = type(fitted)(fitted.slope * slope, fitted.bias + bias)
        assert loss(other.probability(margin), is_true) > best


def test_types_are_found_again():
    """Types that were drawn by a slope give it back."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0.0, 6.0, (20_000, 4))
    p = np.exp(0.25 * logits)
    column = (rng.random((len(p), 1)) > np.cumsum(p / p.sum(axis=1, keepdims=True), axis=1)).sum(axis=1)

    assert fit_types("relation type", logits, column).slope == pytest.approx(0.25, rel=0.05)


def test_one_type_needs_no_slope():
    """Where there is one type there is nothing to choose."""
    assert fit_types("relation type", np.zeros((50, 1)), np.zeros(50, int)).slope == 1.0


def test_separable_margins_are_refused():
    """Data that a model knows by heart have no likeliest slope; the error names the cure."""
    margin = np.concatenate((np.linspace(-9, -1, 50), np.linspace(1, 9, 50)))

    with pytest.raises(
        DataError, match=r"^entity: the scores tell all 100 candidates apart.*; calibrate on more sentences"
    ):
        check_binary("entity", margin, margin > 0)


def test_too_few_are_refused():
    """Nine of a kind are too few; ten are enough."""
    margin = np.linspace(-5, 5, 100)
    few, enough = np.arange(100) % 11 == 0, np.arange(100) % 10 == 0

    with pytest.raises(DataError, match=r"^relation: 9 right and 90 wrong candidates, wanted are at least 10 of each"):
        check_binary("relation", margin[:99], few[:99])
    assert check_binary("relation", margin, enough) is None


def test_types_that_are_all_right_stay_as_they_are():
    """Types without an error have no likeliest slope: a good model is calibrated by phase one alone."""
    logits = 3.0 * np.eye(4)[np.arange(40) % 4]

    assert fit_types("relation type", logits, np.arange(40) % 4).slope == 1.0
    logits[0] = logits[1]
    assert fit_types("relation type", logits, np.arange(40) % 4).slope != 1.0


def test_too_few_types_are_refused():
    """Nine are too few; ten are enough."""
    with pytest.raises(DataError, match=r"^entity type: 9 instances, at least 10 are wanted"):
        check_types("entity type", np.zeros(9, int))
    assert check_types("entity type", np.zeros(10, int)) is None


def test_scores_that_say_nothing_are_refused():
    """A slope is never turned round: where higher scores are less often right, that is an error."""
    margin, is_true = drawn(0.3, 0.0, 500)

    with pytest.raises(DataError, match=r"^relation: a candidate with a higher score is not likelier to be right"):
        fit_binary("relation", -margin, is_true)
    with pytest.raises(DataError, match=r"^relation type: no slope between 0\.0001 and 1000 fits"):
        fit_types("relation type", np.eye(2)[np.arange(50) % 2], (np.arange(50) + 1) % 2)
