"""How sure facts are."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kgmill.pipelines.facts import FactConfidence, Support, between

FITTED = FactConfidence(
    (1.2, 0.4, 0.8, 0.3, 0.9, 0.7, 0.6), -0.5, {"Kill": -1.0}, ((0.7, 0.3), (0.8, 0.5), (0.9, 0.75))
)


def test_share_is_of_the_sentences_that_name_both():
    """One in four; where fewer are known to name both than state the fact, all do."""
    assert Support([0.9], 4).share == 0.25
    assert Support([0.9, 0.8], 2).share == 1.0
    assert Support([0.9, 0.8], 0).share == 1.0


def test_features_by_hand():
    """Log-odds of the mean, what the surest's lie above, logs of share and number; stated; nearness; shortness."""
    expected = (math.log(3), math.log(9) - math.log(3), math.log(0.25), math.log(2))
    assert Support([0.9, 0.6], 8).features() == pytest.approx((*expected, 1.0, 0.0, 0.0))
    assert Support([0.9, 0.6], 8, is_stated=False, n_between=20, n_around=300).features() == pytest.approx(
        (*expected, 0.0, -math.log(3), -math.log(4))
    )


def row(*ends, text="", begin=0, end=90, key="", confidence=0.5, stance=""):
    """A row of evidence."""
    names = ("head_begin", "head_end", "tail_begin", "tail_end")
    said = {"text_key": key, "confidence": confidence, "stance": stance, "doc_id": "d"}
    return (
        dict(zip(names, ends, strict=True))
        | {"sentence_begin": begin, "sentence_end": end, "sentence_text": text}
        | said
    )


def test_between_is_where_both_are_nearest():
    """Of several sentences the one in which they are nearest, the shorter of two; in either order."""
    assert Support.of([row(0, 7, 20, 24), row(100, 104, 90, 95)]).n_between == 5
    assert between(row(0, 7, 20, 24)) == 13
    assert Support.of([row(0, 7, 5, 9), row(0, 7, 20, 24)]).n_between == 0
    found = [
        row(0, 7, 9, 12, end=70),
        row(100, 107, 109, 112, begin=100, end=150),
        row(200, 207, 230, 240, begin=200, end=245),
    ]
    for rows in (found, found[::-1]):
        assert (Support.of(rows).n_between, Support.of(rows).n_around) == (2, 50)


def test_brackets_part_nothing():
    """What stands in brackets between both is not counted."""
    text = "Ann Lee (1815-1851) [a] was a Swedish writer."
    head, tail = text.index("Ann"), text.index("Swedish")
    assert between(row(100 + head, 107 + head, 100 + tail, 107 + tail, text=text, begin=100)) == len("   was a ")


def test_support_of_rows():
    """Equal sentences are one, as sure as the surest; what doesn't state the fact counts where nothing does."""
    near, far = row(0, 7, 10, 14, key="a", confidence=0.6), row(0, 7, 30, 34, key="a", confidence=0.9)
    other = row(0, 7, 40, 44, begin=50, end=140, confidence=0.4)
    denied = row(0, 7, 8, 9, key="b", confidence=0.8, stance="negated")
    assert Support.of([near, far, other, denied], 5) == Support([0.9, 0.4], 5, True, 3, 90)
    assert Support.of([denied]) == Support([0.8], 0, False, 1, 90)


def test_confidence_by_hand():
    """A logistic regression: the weighted features, the bias and the relation's own."""
    support = Support([0.9, 0.6], 8)
    z = 1.2 * math.log(3) + 0.4 * math.log(3) + 0.8 * math.log(0.25) + 0.3 * math.log(2) - 0.5
    assert FITTED.confidence("Live_In", support) == round(1 / (1 + math.exp(-z - 0.9)), 6)
    assert FITTED.confidence("Kill", support) == round(1 / (1 + math.exp(1 - z - 0.9)), 6)
    denied = Support([0.9, 0.6], 8, is_stated=False)
    assert FITTED.confidence("Kill", denied) == FITTED.confidence("Live_In", denied) == round(1 / (1 + math.exp(-z)), 6)
    long = Support([0.9, 0.6], 8, n_around=900)
    assert FITTED.confidence("Kill", long) == round(1 / (1 + math.exp(1 - z - 0.9 + 0.6 * math.log(10))), 6)
    far = Support([0.9, 0.6], 8, n_between=90)
    assert FITTED.confidence("Kill", far) == round(1 / (1 + math.exp(1 - z - 0.9 + 0.7 * math.log(10))), 6)


def test_without_a_fit_the_mean_is_taken():
    """Where nobody has read facts, the mean of the sentences is all that is known; it never is certainty."""
    assert FactConfidence().confidence("Kill", Support([0.9, 0.6], 100)) == 0.75
    assert FactConfidence().confidence("Kill", Support([1.0], 1)) == 0.98
    assert FactConfidence.parse({}) == FactConfidence()


_P = st.floats(0.001, 0.999)
_CONFIDENCES = st.lists(_P, min_size=1, max_size=8)


@given(_CONFIDENCES, st.integers(0, 20), st.integers(1, 20))
def test_surer_with_a_greater_share(confidences, n, more):
    """The fewer sentences name both ends without stating the fact, the surer it is."""
    n += len(confidences)
    few, many = Support(confidences, n), Support(confidences, n + more)
    assert few.share > many.share
    assert FITTED.confidence("Live_In", few) >= FITTED.confidence("Live_In", many)


@given(_CONFIDENCES, st.integers(0, 20), st.lists(st.floats(0.0, 2.0), min_size=8, max_size=8))
def test_surer_with_surer_sentences(confidences, n, by):
    """If some of the sentences are surer, so is the fact."""
    raised = [min(0.9999, p + x * (1 - p) / 2) for p, x in zip(confidences, by, strict=False)]
    before, after = (FITTED.confidence("Live_In", Support(found, n)) for found in (confidences, raised))
    assert before <= after


@given(_P, st.integers(1, 9), st.integers(1, 9))
def test_surer_with_more_sentences(p, n, more):
    """Of equally sure sentences, all of which state the fact, more make it surer."""
    few, many = (FITTED.confidence("Live_In", Support([p] * count, count)) for count in (n, n + more))
    assert few <= many


@given(
    st.tuples(*[st.floats(0, 3)] * 7),
    st.tuples(*[st.floats(-5, 5)] * 7),
    st.integers(0, 6),
    st.floats(0.01, 5),
)
def test_confidence_grows_with_each_feature(weights, features, i, by):
    """Whatever was fitted, with weights of at least 0 no feature that grows makes a fact less sure."""

    class Given(Support):
        __slots__ = ("given",)

        def features(self):
            return self.given

    found = []
    for values in (features, tuple(x + by * (j == i) for j, x in enumerate(features))):
        support = Given([0.5], 1)
        object.__setattr__(support, "given", values)
        found.append(FactConfidence(weights, -1.0).confidence("", support))
    assert found[0] <= found[1] <= 0.98


@given(st.permutations([0.1, 0.35, 0.7, 0.72, 0.9, 0.999]), st.integers(0, 30))
def test_order_changes_nothing(confidences, n):
    """Sentences in any order make a fact as sure to the last bit."""
    for judge in (FactConfidence(), FITTED):
        assert judge.confidence("", Support(confidences, n)) == judge.confidence("", Support(sorted(confidences), n))


@pytest.mark.parametrize("confidences", [[0.0], [1.0], [0.0, 1.0], [1.0] * 1000])
def test_certain_sentences_are_finite(confidences):
    """Probabilities of 0 and 1 have log-odds that can be reckoned with."""
    assert all(map(math.isfinite, Support(confidences, 10**6).features()))
    assert 0 <= FITTED.confidence("", Support(confidences, 10**6)) <= 0.98


@pytest.mark.parametrize(
    ("precision", "least"),
    [(0.0, 0.3), (0.6, 0.3), (0.7, 0.3), (0.75, 0.4), (0.8, 0.5), (0.86, 0.65), (0.9, 0.75), (0.95, 0.95), (1.0, 1.0)],
)
def test_threshold_lies_between_the_fitted(precision, least):
    """Between two fitted rows in proportion; below the first that of it; above the last what is wanted, at least."""
    assert FITTED.threshold(precision) == pytest.approx(least)


def test_threshold_above_the_last_row_is_no_lower_than_it():
    """A precision that nobody has measured asks for no less than the highest that was."""
    judge = FactConfidence(thresholds=((0.7, 0.3), (0.8, 0.95)))
    assert (judge.threshold(0.9), judge.threshold(0.97)) == (0.95, 0.97)


def test_precision_that_nothing_has_is_told():
    """Who wants more than the facts that were read can promise is told how much that is; nobody else."""
    judge = FactConfidence(thresholds=((0.8, 0.5), (0.9, 0.8), (0.95, 1.0)))
    assert (judge.caution(0.8), judge.caution(0.9), FactConfidence().caution(0.99)) == ("", "", "")
    assert judge.caution(0.95).endswith("right so often (0.95). Up to --wanted-precision 0.9 some are")


def test_threshold_without_a_fit():
    """Where nothing was fitted a confidence is taken at its word; rows in any order are the same."""
    assert FactConfidence().threshold(0.8) == 0.8
    assert FactConfidence(thresholds=FITTED.thresholds[::-1]).threshold(0.75) == pytest.approx(0.4)


_ROWS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5, unique_by=lambda row: row[0])


@given(_ROWS, st.floats(0, 1), st.floats(0, 1))
def test_threshold_grows_with_the_precision(rows, one, other):
    """Who wants facts to be right more often gets no more of them, where the fit says so."""
    rows = list(zip(sorted(p for p, _ in rows), sorted(least for _, least in rows), strict=True))
    assume(one < other)
    judge = FactConfidence(thresholds=rows)
    assert judge.threshold(one) <= judge.threshold(other) + 1e-9


def test_calibration_is_read():
    """A calibration has lists where the class has tuples, integers for floats; an old one has fewer weights."""
    data = {"weights": [1, 0.5, 0, 0, 2, 1, 3], "bias": -1, "relations": {"Kill": 0.5}, "thresholds": [[0.8, 0.6]]}
    expected = FactConfidence((1.0, 0.5, 0.0, 0.0, 2.0, 1.0, 3.0), -1.0, {"Kill": 0.5}, ((0.8, 0.6),))
    assert FactConfidence.parse(data) == expected
    assert FactConfidence.parse(data | {"weights": [1, 0.5, 0, 0, 2]}).weights == (1.0, 0.5, 0.0, 0.0, 2.0, 0.0, 0.0)
