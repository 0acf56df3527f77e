"""Temperatures, and what they make of confidences."""

import doctest
import json
from dataclasses import replace

import numpy as np
import pytest

from extractor import calibration
from extractor.annotated import read_spert
from extractor.calibrate import calibrate, outcomes, reliability_svg
from extractor.calibration import (
    Calibration,
    expected_calibration_error,
    fit_binary,
    fit_types,
    load_calibration,
    scale_types,
    threshold_for_precision,
)
from schemas.errors import CheckpointError


@pytest.fixture(scope="module")
def report(predictor, tiny_sentences):
    """The tiny model, calibrated on its own eight sentences."""
    sentences = read_spert(tiny_sentences)
    found = predictor.predict([s.words for s in sentences], 0.01)
    return calibrate(found, sentences, predictor.ontology, wanted_precision=0.9)


def test_doctests():
    """The worked examples of the module hold."""
    result = doctest.testmod(calibration)

    assert result.failed == 0
    assert result.attempted > 0


def test_types_by_hand():
    """At temperature 2 probabilities become their square roots, made to sum to one."""
    scaled = scale_types(np.array([[0.64, 0.36]], np.float32), 2.0)

    assert scaled.tolist()[0] == pytest.approx([0.8 / 1.4, 0.6 / 1.4])
    assert scaled.dtype == np.float32


def test_temperature_of_one_changes_nothing(predictor, sentences):
    """A model without a calibration keeps its own probabilities."""
    (found,) = predictor.predict(sentences[:1], 0.01)

    same = Calibration().apply(found)

    assert np.allclose(same.entity_prob, found.entity_prob, atol=1e-6)
    assert np.allclose(same.relation_prob, found.relation_prob, atol=1e-6)
    assert same.spans is found.spans


def test_each_output_has_its_own_temperature(predictor, sentences):
    """A temperature changes its own output alone."""
    (found,) = predictor.predict(sentences[:1], 0.01)

    hot = Calibration(relation=3.0).apply(found)

    assert np.allclose(hot.entity_prob, found.entity_prob, atol=1e-6)
    assert np.allclose(hot.type_prob, found.type_prob, atol=1e-6)
    assert not np.allclose(hot.pair_prob, found.pair_prob, atol=1e-3)


def test_too_sure_is_cooled():
    """Nine of ten right at a confidence of 0.99 fits the temperature under which 0.99 becomes 0.9."""
    temperature = fit_binary(np.full(1000, 0.99, np.float32), np.arange(1000) % 10 > 0)

    assert temperature == pytest.approx(np.log(99) / np.log(9), rel=0.03)


def test_too_unsure_types_are_sharpened():
    """Types that are right more often than they say get a temperature below 1."""
    assert fit_types(np.tile([0.6, 0.4], (50, 1)), np.zeros(50, int)) == pytest.approx(0.1)


def test_nothing_to_fit():
    """Without instances the temperature is 1."""
    assert fit_binary(np.zeros(0), np.zeros(0)) == 1.0
    assert fit_types(np.zeros((0, 3)), np.zeros(0, int)) == 1.0


def test_calibration_error_by_hand():
    """The distance of confidence and accuracy in each bin, weighed by its size."""
    confidence, is_right = np.array([0.95, 0.95, 0.35, 0.35]), np.array([True, False, True, False])

    assert expected_calibration_error(confidence, is_right) == pytest.approx((0.45 + 0.15) / 2)
    assert expected_calibration_error(np.zeros(0), np.zeros(0, bool)) == 0


def test_threshold_by_hand():
    """The lowest confidence down to which the precision is as wanted."""
    confidence, is_right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True])

    assert threshold_for_precision(confidence, is_right, 1.0) == 0.8
    assert threshold_for_precision(confidence, is_right, 0.75) == 0.6
    assert threshold_for_precision(confidence, ~is_right, 0.9) == 1.0


def test_save_and_load(tmp_path):
    """A calibration comes back as it was written; without a file it is the model's own."""
    assert load_calibration(tmp_path) == Calibration()
    wanted = Calibration(1.5, 0.75, 2.0, 1.0, {"Kill": 0.6})

    wanted.save(tmp_path)

    assert load_calibration(tmp_path) == wanted


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", '{"entity": 0}', '{"entity": "x"}', '{"colour": 1}', '{"entity": NaN}'),
        *('{"thresholds": [0.5]}', '{"thresholds": {"Kill": "high"}}', '{"thresholds": {"Kill": 1.5}}'),
    ],
)
def test_bad_file(tmp_path, text):
    """A file that is no calibration is named."""
    (tmp_path / "calibration.json").write_text(text)

    with pytest.raises(CheckpointError, match=rf"^{tmp_path}/calibration\.json: not a calibration"):
        load_calibration(tmp_path)


def test_calibrate(report):
    """Calibration fits temperatures within their range, and a threshold for each type that was found."""
    fitted = report.calibration

    assert all(0.1 <= t <= 20 for t in (fitted.entity, fitted.entity_type, fitted.relation, fitted.relation_type))
    assert {"Peop", "Org", "Loc", "Work_For", "Live_In", "Kill"} <= set(fitted.thresholds)
    assert json.dumps(dict(fitted.thresholds))


def test_outcomes_of_a_model_that_knows_by_heart(report):
    """On what it knows by heart, whatever the model is sure of is right."""
    found = report.before["relations"]

    assert found.is_right[found.confidence > 0.5].all()
    assert found.is_right.sum() == 9


def test_outcomes_are_strict(predictor, tiny_sentences):
    """A mention, or a relation, that the data doesn't hold is wrong, however sure."""
    sentences = [replace(s, entities=s.entities[:1], relations=()) for s in read_spert(tiny_sentences)]
    found = outcomes(predictor.predict([s.words for s in sentences], 0.1), sentences, predictor.ontology)

    assert found["mentions"].is_right.sum() == 8
    assert len(found["mentions"].is_right) > 8
    assert not found["relations"].is_right.any()
    assert set(found["relations"].types.tolist()) == {"Work_For", "Live_In", "Kill"}


def test_reliability_diagram(report):
    """The diagram is one SVG of four panels."""
    svg = reliability_svg(report)

    assert svg.startswith("<svg ")
    assert [svg.count(title) for title in ("mentions, before", "mentions, after", "relations, after")] == [1, 1, 1]
