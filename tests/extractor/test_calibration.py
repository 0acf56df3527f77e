"""Slopes and biases: what they make of scores, how they are stored, and what they let prediction forget."""

import doctest
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from kgmill.extractor import Extractor, calibration
from kgmill.extractor.calibration import Calibration, Confidence, Scale, load_calibration
from kgmill.extractor.candidates import EVERYTHING, Floors
from kgmill.extractor.data.annotated import AnnotatedSentence
from kgmill.extractor.decode import decode
from kgmill.extractor.predict import open_predictor
from kgmill.extractor.training.evaluate import predict_sentences
from kgmill.schemas.errors import CheckpointError
from kgmill.schemas.ontology import load_ontology

SENTENCES = (
    "Ada Byron worked for Acme Corp in Paris . Bob Stone lives in London . Carl May killed Dora Lane in Rome .",
    "Frank Hill of Globex lives in Berlin . Grace Wood was shot by Henry Cole . Initech hired Eve Moss .",
)
STEPS = (0.4, 0.3, 0.2, 0.1, 0.05, 0.02)


@pytest.fixture(scope="module")
def flat_model(tiny_model, tmp_path_factory):
    """The tiny model with a calibration as flat as one that was fitted to hard data: few scores say much."""
    folder = shutil.copytree(tiny_model, tmp_path_factory.mktemp("flat") / "model")
    Calibration(entity=Scale(0.5, -1.0), relation=Scale(0.15, -1.5)).save(folder)
    return folder


def test_doctests():
    """The worked examples of the module hold."""
    result = doctest.testmod(calibration)

    assert result.failed == 0
    assert result.attempted > 0


def test_types_by_hand():
    """At half the slope probabilities become their square roots, made to sum to one."""
    scaled = Scale(0.5).type_probabilities(np.log(np.array([[0.64, 0.36]], np.float32)))

    assert scaled.tolist()[0] == pytest.approx([0.8 / 1.4, 0.6 / 1.4])


def test_tail_is_not_lost():
    """Margins whose probabilities are all 1 in single precision stay in order."""
    found = Scale(0.25).probability(np.array([40.0, 60.0, 80.0], np.float32))

    assert [round(float(p), 6) for p in found] == [0.999955, 1.0, 1.0]
    assert found[0] < found[1] < found[2] < 1


def test_each_output_has_its_own_scale(predictor, sentences):
    """A scale changes its own output alone."""
    (found,) = predictor.predict(sentences[:1], EVERYTHING)

    plain, hot = Calibration().apply(found), Calibration(relation=Scale(0.3, -1.0)).apply(found)

    assert np.array_equal(hot.mention_prob, plain.mention_prob)
    assert not np.allclose(hot.relation_prob, plain.relation_prob, atol=1e-3)
    assert plain.spans is found.spans


def test_confidence_knows_types_and_ends(predictor, sentences):
    """A type's bias moves that type alone; a doubtful end makes a relation doubtful; no confidence is past the cap."""
    (found,) = predictor.predict(sentences[:1], EVERYTHING)
    n_types, n_relations = found.type_logits.shape[1], found.relation_logits.shape[1]
    mentions = Confidence((1.0,), (0.0,) * n_types)
    plain = Calibration(mention_confidence=mentions, relation_confidence=Confidence((1, 1, 1), (0.0,) * n_relations))
    doubtful = replace(plain, mention_confidence=replace(mentions, biases=(-1.0,) * n_types))
    second = replace(plain, relation_confidence=Confidence((1, 1, 1), (0.0, -1.0, *(0.0,) * (n_relations - 2))))

    before, unsure, lower = (one.apply(found) for one in (plain, doubtful, second))

    assert (unsure.mention_prob < before.mention_prob).any()
    assert (unsure.relation_prob <= before.relation_prob).all()
    assert (unsure.relation_prob < before.relation_prob).any()
    others = [column for column in range(n_relations) if column != 1]
    assert np.array_equal(lower.relation_prob[:, others], before.relation_prob[:, others])
    assert (lower.relation_prob[:, 1] < before.relation_prob[:, 1]).any()
    odds = before.relation_prob / (1 - before.relation_prob)
    assert (odds <= np.exp(found.pair_margin + 2.0)[:, None] * (1 + 1e-6)).all()


@pytest.mark.parametrize(("weights", "bias"), [((0.5, 0.5, 0.5), 1.0), ((1.1, 0.0, 0.0), 0.3), ((0.2, 1.0, 1.0), 0.5)])
def test_what_a_confidence_may_keep_is_above_the_floors(predictor, sentences, weights, bias):
    """With floors that a confidence asks for, nothing is lost that is found without floors."""
    kinds = (len(predictor.ontology.entities), len(predictor.ontology.relations))
    confidences = [Confidence(weights[:n], (bias, *(-1.0,) * (m - 1))) for n, m in zip((1, 3), kinds, strict=True)]
    fitted = Calibration(Scale(0.8, -2.0), mention_confidence=confidences[0], relation_confidence=confidences[1])

    for threshold in (0.4, 0.02):
        found, everything = (
            [decode(fitted.apply(c), predictor.ontology, threshold) for c in predictor.predict(sentences, floors)]
            for floors in (fitted.floors(threshold), EVERYTHING)
        )
        assert found == everything
        assert any(relations for _, relations in found)


def test_confidence_is_stored(tiny_model, tmp_path):
    """It comes back as it was; one of other types, or with a negative weight, is refused."""
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    ontology = load_ontology(folder / "ontology.toml")
    biases = tuple(0.1 * i for i in range(len(ontology.relations)))
    fitted = Calibration(relation_confidence=Confidence((1.0, 0.0, 0.5), biases))

    fitted.save(folder)

    assert load_calibration(folder) == fitted
    for wrong, said in (
        (Confidence((1.0, 0.0, 0.5), (*biases, 0.0)), "biases, the model"),
        (Confidence((1.0, -0.5, 0.5), biases), "3 that are not negative are wanted"),
        (Confidence((1.0, 0.5), biases), "3 that are not negative are wanted"),
    ):
        Calibration(relation_confidence=wrong).save(folder)
        with pytest.raises(CheckpointError, match=said):
            load_calibration(folder)


def test_floors_are_margins_of_the_candidate_floor():
    """The floors have the candidate floor's probability, or that of a lower threshold, rounded down to whole logits."""
    fitted = Calibration(entity=Scale(0.25, -0.5), relation=Scale(0.1, -1.5))

    assert fitted.floors(0.4) == Floors(-7, -7)
    assert fitted.floors(0.05) == Floors(-10, -15)
    assert fitted.floors(0.4, 0.05) == Floors(-10, -15)
    assert replace(fitted, thresholds={"Kill": 0.05}).floors(0.4) == Floors(-10, -15)
    assert Calibration().floors(0.4) == Floors(-3, -3)


def test_a_lower_threshold_gives_more_all_the_way_down(flat_model):
    """Lower thresholds find more relations, though the flat calibration makes low scores of high margins."""
    extractor = Extractor.from_pretrained(str(flat_model), device="cpu", n_threads=1)

    counts = [
        sum(len(found.relations) for found in extractor.extract(SENTENCES, min_confidence=step)) for step in STEPS
    ]

    assert counts == sorted(counts)
    assert counts[0] < counts[1] < counts[4] < counts[5]


def test_evaluation_finds_what_the_api_finds(flat_model):
    """Scoring on annotated sentences and extracting from text have the same floor."""
    extractor = Extractor.from_pretrained(str(flat_model), device="cpu", n_threads=1)
    words = tuple(AnnotatedSentence(tuple(f"{part} .".split()), (), ()) for part in SENTENCES[0].split(" . ")[:2])

    for step in STEPS:
        found = extractor.extract([" ".join(sentence.words) for sentence in words], min_confidence=step)
        scored = predict_sentences(extractor.predictor, extractor.predictor.ontology, words, step)
        assert [len(f.relations) for f in found] == [len(relations) for _, relations in scored]


def test_save_and_load(tmp_path):
    """A calibration comes back as it was written; without a file it is the model's own."""
    assert load_calibration(tmp_path) == Calibration()
    wanted = Calibration(Scale(0.5, -0.25), Scale(0.75), Scale(0.2, -1.5), Scale(1.0), {"Kill": 0.6})

    wanted.save(tmp_path)

    assert load_calibration(tmp_path) == wanted
    assert json.loads((tmp_path / "calibration.json").read_text())["relation"] == {"slope": 0.2, "bias": -1.5}


@pytest.mark.parametrize(("phase_one", "slope"), [("softmax", 0.25), ("sigmoid", 0.5)])
def test_temperatures_of_old_files(tmp_path, phase_one, slope):
    """A file of 0.1 holds temperatures, of phase one for the difference of two sigmoids, twice as far apart."""
    config = {"model_type": "kgmill-two-phase", "phase_one": phase_one}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "calibration.json").write_text('{"entity": 4.0, "entity_type": 2.0, "thresholds": {"Kill": 0.6}}')

    assert load_calibration(tmp_path) == Calibration(Scale(slope), Scale(0.5), thresholds={"Kill": 0.6})


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", '{"entity": 0}', '{"entity": "x"}', '{"colour": 1}', '{"entity": NaN}'),
        *('{"masked": "Kill"}', '{"masked": [1]}', '{"masked": 1}'),
        *('{"thresholds": [0.5]}', '{"thresholds": {"Kill": "high"}}', '{"thresholds": {"Kill": 1.5}}'),
        *('{"entity": {"slope": 0}}', '{"entity": {"slope": -1, "bias": 0}}', '{"entity": {"slope": 1, "bias": NaN}}'),
        '{"entity": {"slope": 1, "offset": 0}}',
    ],
)
def test_bad_file(tmp_path, text):
    """A file that is no calibration is named."""
    (tmp_path / "calibration.json").write_text(text)

    with pytest.raises(CheckpointError, match=rf"^{tmp_path}/calibration\.json: not a calibration"):
        load_calibration(tmp_path)


def test_sigmoids_are_read_as_trained(tiny_model, tmp_path, sentences):
    """The margin of a model of two sigmoids is half of what a softmax over both would make of it."""
    other = shutil.copytree(tiny_model, tmp_path / "softmax")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"phase_one": "softmax"}))

    trained, doubled = (open_predictor(folder, "cpu", "fp32", 1) for folder in (tiny_model, other))

    assert config["phase_one"] == "sigmoid"
    for a, b in zip(trained.predict(sentences, EVERYTHING), doubled.predict(sentences, EVERYTHING), strict=True):
        assert np.array_equal(2 * a.entity_margin, b.entity_margin)
        assert np.array_equal(2 * a.pair_margin, b.pair_margin)
        assert np.array_equal(a.relation_logits, b.relation_logits)


def test_margin_is_the_log_odds_of_a_sigmoid(predictor):
    """Where both sigmoids say the same thing the probability is that of each."""
    margin = predictor._margin(torch.tensor([[-1.5, 1.5], [2.0, -2.0]]))

    assert margin.tolist() == [1.5, -2.0]
