"""Calibrations of made-up candidates whose truth is known, and of a model that knows its data by heart."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from kgmill.extractor.calibration import Calibration
from kgmill.extractor.candidates import EVERYTHING, Candidates
from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair, read_spert
from kgmill.extractor.data.partial import Partial
from kgmill.extractor.training.calibrate import calibrate, calibrate_model, judge
from kgmill.extractor.training.outcomes import outcomes
from kgmill.extractor.training.reliability import (
    outcome_rows,
    precision_rows,
    promise_note,
    promise_rows,
    reliability_svg,
)
from kgmill.flows import cli
from kgmill.schemas.errors import DataError
from kgmill.schemas.ontology import parse_ontology

ONTOLOGY = parse_ontology(
    {
        "entities": {"Peop": {}, "Org": {}},
        "relations": {
            "Knows": {"head": ["Peop", "Org"], "tail": ["Peop", "Org"]},
            "Near": {"head": ["Peop", "Org"], "tail": ["Peop", "Org"], "symmetric": True},
        },
    },
    "test",
)
N_WORDS = 8
MENTION, TYPE, RELATION, RELATION_TYPE = (1.0, -0.5), 1.5, (0.12, -2.0), 0.3  # the truth: slopes and biases


def draw(rng, margin, slope, bias=0.0):
    """Labels that are right as often as a slope and a bias say."""
    return rng.random(margin.shape) < 1 / (1 + np.exp(-(slope * margin + bias)))


def made_up(n, seed=0):
    """Sentences of eight words, each a candidate span, with gold that was drawn by the true slopes and biases."""
    rng = np.random.default_rng(seed)
    candidates, sentences = [], []
    for number in range(n):
        spans = np.array([(i, i + 1) for i in range(N_WORDS)], np.int32)
        margin, logit = rng.normal(0, 6, N_WORDS), rng.normal(0, 6, N_WORDS)
        rows = np.flatnonzero(draw(rng, margin, *MENTION))
        is_peop = draw(rng, logit, TYPE)
        entities = [EntitySpan(int(i), int(i) + 1, "Peop" if is_peop[i] else "Org") for i in rows]
        at = {int(row): i for i, row in enumerate(rows)}
        pairs = np.array([(i, j) for i in range(N_WORDS) for j in range(N_WORDS) if i < j], np.int32)
        pair_margin, pair_logit = rng.normal(8, 12, len(pairs)), rng.normal(0, 6, len(pairs))
        related, is_knows = draw(rng, pair_margin, *RELATION), draw(rng, pair_logit, RELATION_TYPE)
        relations = [
            # annotated from the later to the earlier where that makes no difference
            RelationPair(at[i], at[j], "Knows") if knows else RelationPair(at[j], at[i], "Near")
            for (i, j), holds, knows in zip(pairs.tolist(), related, is_knows, strict=True)
            if holds and i in at and j in at
        ]
        candidates.append(
            Candidates(
                spans,
                margin.astype(np.float32),
                np.stack((logit, np.zeros(N_WORDS)), axis=1).astype(np.float32),
                pairs,
                pair_margin.astype(np.float32),
                np.stack((pair_logit, np.zeros(len(pairs))), axis=1).astype(np.float32),
            )
        )
        words = tuple("abcdefgh")
        sentences.append(AnnotatedSentence(words, tuple(entities), tuple(relations), f"document {number // 3}"))
    return candidates, sentences


@pytest.fixture(scope="module")
def report():
    """The calibration of six hundred made-up sentences."""
    return calibrate(*made_up(600), ONTOLOGY, wanted_precision=0.9)


def test_the_truth_is_found(report):
    """Slopes and biases come out as those that the labels were drawn by; a relation's answer for its mentions too."""
    fitted = report.calibration

    assert (fitted.entity.slope, fitted.entity.bias) == (pytest.approx(1.0, rel=0.1), pytest.approx(-0.5, abs=0.1))
    assert fitted.entity_type.slope == pytest.approx(1.5, rel=0.2)
    assert fitted.relation_type.slope == pytest.approx(0.3, rel=0.2)
    assert 0.06 < fitted.relation.slope < 0.12
    assert fitted.relation.bias < -2.0


def test_confidence_is_kept_on_fresh_data(report):
    """What is claimed at and above the threshold is right as often, on sentences that nothing was fitted to."""
    candidates, sentences = made_up(600, seed=1)

    fresh = outcomes([report.calibration.apply(c) for c in candidates], sentences, ONTOLOGY, 0.4)

    for found in (fresh["mentions"], report.after[0.4]["mentions"], report.after[0.1]["mentions"]):
        assert found.claimed == pytest.approx(found.right, abs=0.02)
        assert found.ece < 0.04
    assert report.before[0.4]["relations"].claimed - report.before[0.4]["relations"].right > 0.3
    assert report.after[0.4]["relations"].claimed == pytest.approx(report.after[0.4]["relations"].right, abs=0.06)


def test_promises_hold_on_fresh_data(report):
    """A type that is promised a precision has it on fresh sentences; one that can't be promised has no threshold."""
    candidates, sentences = made_up(600, seed=2)
    fresh = outcomes([report.calibration.apply(c) for c in candidates], sentences, ONTOLOGY, 0.4)["mentions"]

    assert report.promises["Near"] is None
    assert set(report.calibration.thresholds) == {name for name, at in report.promises.items() if at is not None}
    assert {"Peop", "Org"} <= set(report.calibration.thresholds)
    for name in ("Peop", "Org"):
        chosen = (fresh.types == name) & (fresh.confidence >= report.calibration.thresholds[name])
        assert fresh.is_right[chosen].mean() >= 0.9


def test_report_says_what_is_promised(report):
    """Rows have claimed and right at both thresholds; others name the types that nothing is promised for."""
    rows = [row for row in outcome_rows(report) if (row["task"], row["threshold"]) == ("relations", 0.4)]
    assert [row["of"] for row in rows] == ["as the model says", "calibrated"]
    assert rows[0]["claimed"] - rows[0]["right"] > 0.3 > rows[1]["error"]
    assert ("Near", "can't be promised: the general threshold") in promise_rows(report)
    assert promise_note(report).startswith("A promise takes 20 items at least whose precision is as wanted with 95 %")


@pytest.mark.slow
def test_what_is_not_annotated_is_fitted_to_by_nobody():
    """Without one type and one relation, and their mentions unmarked, the scales are those of the full annotation."""
    candidates, sentences = made_up(1500)
    whole = calibrate(candidates, sentences, ONTOLOGY)
    halved = [_without_org_and_near(sentence) for sentence in sentences]
    silent = [replace(sentence, partial=None) for sentence in halved]

    partly = calibrate(candidates, halved, ONTOLOGY)

    assert calibrate(candidates, silent, ONTOLOGY).calibration.entity.bias < -1.0  # as if they were wrong
    assert partly.calibration.entity.bias == pytest.approx(whole.calibration.entity.bias, abs=0.2)
    assert partly.calibration.relation.slope == pytest.approx(whole.calibration.relation.slope, abs=0.03)
    for task in ("mentions", "relations"):
        found = partly.after[0.4][task]
        assert found.claimed == pytest.approx(found.right, abs=0.06), task


def _without_org_and_near(sentence):
    """A sentence that marks Peop, and Knows with both of its ends, alone, and says so."""
    knows = [r for r in sentence.relations if r.type == "Knows"]
    ends = {end for r in knows for end in (r.head, r.tail)}
    kept = [i for i, entity in enumerate(sentence.entities) if entity.type == "Peop" or i in ends]
    number = {i: n for n, i in enumerate(kept)}
    relations = tuple(replace(r, head=number[r.head], tail=number[r.tail]) for r in knows)
    entities = tuple(sentence.entities[i] for i in kept)
    return replace(sentence, entities=entities, relations=relations, partial=Partial(("Peop",), ("Knows",)))


def test_sets_are_judged_and_what_is_imprecise_is_masked(report):
    """What nothing was fitted to is in the table under its name; a relation that is mostly wrong is masked."""
    candidates, sentences = made_up(200, seed=3)
    wrong = [replace(s, relations=tuple(r for r in s.relations if r.type != "Near")) for s in sentences]

    judged = judge(report, {"other": (candidates, wrong)}, ONTOLOGY, least_precision=0.4)

    right = {name: share for name, (_, share) in judged.precision.items()}
    assert right["Near"] < 0.4 < right["Knows"]
    assert judged.calibration == replace(report.calibration, masked=("Near",))
    assert [(row["task"], row["of"]) for row in outcome_rows(judged) if "not fitted to" in row["of"]] == [
        ("mentions", "calibrated, not fitted to: other"),
        ("relations", "calibrated, not fitted to: other"),
    ]
    assert [(row["relation"], row["masked"]) for row in precision_rows(judged)] == [("Knows", False), ("Near", True)]


def test_each_relation_is_as_sure_as_it_is_found():
    """Of two relations whose scores are alike, one is mostly annotated wrongly: each claims what it is right."""
    candidates, sentences = made_up(900)
    rng = np.random.default_rng(5)
    wrong = [
        replace(s, relations=tuple(r for r in s.relations if r.type != "Knows" or rng.random() < 0.3))
        for s in sentences
    ]

    found = calibrate(candidates, wrong, ONTOLOGY).after[0.1]["relations"]

    for name in ("Knows", "Near"):
        one = found.take(found.types == name)
        assert len(one) > 50
        assert one.claimed == pytest.approx(one.right, abs=0.06), name


def test_relations_between_doubtful_mentions_are_doubtful(report):
    """The confidence of a relation falls with that of each end, and never with a higher score."""
    fitted = report.calibration.relation_confidence

    assert min(fitted.weights) >= 0
    assert min(fitted.weights[1:]) > 0.05


def test_folds_are_of_documents():
    """Sentences of one document are never on both sides; a single document can't be cross-fitted."""
    candidates, sentences = made_up(60)

    with pytest.raises(DataError, match=r"^60 sentences of one document; a calibration needs at least two documents$"):
        calibrate(candidates, [replace(s, key="one") for s in sentences], ONTOLOGY)


def test_data_known_by_heart_are_refused(predictor, tiny_sentences):
    """The sentences that the model was trained on are no data to calibrate on."""
    with pytest.raises(DataError, match=r"^entity: .*; calibrate on more sentences that the model was not trained on$"):
        calibrate_model(predictor, read_spert(tiny_sentences))


def test_nothing_is_written_where_nothing_fits(tiny_model, tiny_sentences, tmp_path, capsys):
    """The command says why in one line, exits with 2 and leaves the folder as it was."""
    folder = shutil.copytree(tiny_model, tmp_path / "model")

    code = cli.run(["calibrate", "--model", str(folder), "--into", str(folder), "--data", str(tiny_sentences)])

    assert code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("kgmill: entity: the scores tell all ")
    assert not (folder / "calibration.json").exists()


def test_outcomes_are_strict(predictor, tiny_sentences):
    """A mention, or a relation, that the data doesn't hold is wrong, however sure."""
    sentences = [replace(s, entities=s.entities[:1], relations=()) for s in read_spert(tiny_sentences)]
    scored = [Calibration().apply(c) for c in predictor.predict([s.words for s in sentences], EVERYTHING)]

    found = outcomes(scored, sentences, predictor.ontology, 0.5)

    assert found["mentions"].is_right.sum() == 8
    assert len(found["mentions"].is_right) > 8
    assert not found["relations"].is_right.any()
    assert set(found["relations"].types.tolist()) == {"Work_For", "Live_In", "Kill"}


def test_reliability_diagram(report):
    """The diagram is one SVG of four panels."""
    svg = reliability_svg(report)

    assert svg.startswith("<svg ")
    assert [svg.count(title) for title in ("mentions, before", "mentions, after", "relations, after")] == [1, 1, 1]


def test_calibration_is_json(report, tmp_path):
    """What is stored holds a slope and a bias a head, the confidences, and the thresholds that were promised."""
    report.calibration.save(tmp_path)

    stored = json.loads((tmp_path / "calibration.json").read_text())

    heads = ["entity", "entity_type", "mention_confidence", "relation", "relation_confidence", "relation_type"]
    assert sorted(stored) == [*heads, "thresholds"]
    assert stored["entity_type"]["bias"] == 0.0
