"""Scores a model on annotated sentences."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from kgmill.extractor.data.annotated import AnnotatedSentence
from kgmill.extractor.data.reach import beyond_reach
from kgmill.extractor.data.unused import Unused, summarise
from kgmill.extractor.decode import decode
from kgmill.extractor.predict import Predictor
from kgmill.extractor.training.metrics import Prediction, n_not_counted, score
from kgmill.schemas.ontology import Ontology

_BATCH = 512


def evaluate(
    predictor: Predictor,
    ontology: Ontology,
    sentences: Sequence[AnnotatedSentence],
    min_confidence: float,
) -> dict[str, Any]:
    """The evaluation report of a model's predictions: see `predict_and_score`."""
    return predict_and_score(predictor, ontology, sentences, min_confidence)[1]


def predict_and_score(
    predictor: Predictor,
    ontology: Ontology,
    sentences: Sequence[AnnotatedSentence],
    min_confidence: float,
) -> tuple[list[Prediction], dict[str, Any]]:
    """The predictions, and their evaluation report.

    That has the scores of `metrics.score`, `n_sentences`, `seconds` of prediction and decoding, and `unused`: by kind
    what can't be found, whatever the model says, which counts as missed. Where sentences are not annotated completely,
    `not_counted` says how many predictions are neither right nor wrong for that.
    """
    started = time.perf_counter()
    predicted = predict_sentences(predictor, ontology, sentences, min_confidence)
    seconds = time.perf_counter() - started
    scores = score(sentences, predicted, ontology.symmetric)
    unused = summarise(not_found(predictor, sentences))
    report = {**scores, "n_sentences": len(sentences), "seconds": round(seconds, 3), "unused": unused}
    not_counted = n_not_counted(sentences, predicted, ontology.symmetric)
    return predicted, report | ({"not_counted": not_counted} if not_counted else {})


def not_found(predictor: Predictor, sentences: Sequence[AnnotatedSentence]) -> list[Unused]:
    """Gold that no prediction can be, as no sentence, or no span or window of the model, holds it."""
    windows = predictor.windows([sentence.words for sentence in sentences])
    unused = [one for sentence in sentences for one in sentence.unused]
    return unused + beyond_reach(sentences, windows, predictor.config.max_span_width)


def predict_sentences(
    predictor: Predictor,
    ontology: Ontology,
    sentences: Sequence[AnnotatedSentence],
    min_confidence: float,
) -> list[Prediction]:
    """The decoded mentions and relations of each sentence, with the model's own calibration."""
    predicted: list[Prediction] = []
    calibration = predictor.calibration
    floors = calibration.floors(min_confidence)
    for begin in range(0, len(sentences), _BATCH):
        words = [sentence.words for sentence in sentences[begin : begin + _BATCH]]
        found = predictor.predict(words, floors)
        scored = map(calibration.apply, found)
        predicted.extend(decode(c, ontology, min_confidence, calibration.cuts) for c in scored)
    return predicted


def format_sizes(sizes: dict[str, dict[str, dict[str, float]]]) -> str:
    """The scores of `metrics.score_by_size` as a table."""
    lines = []
    for name, intervals in sizes.items():
        lines.append(f"{name + ', words':24}{'precision':>10}{'recall':>10}{'F1':>10}{'support':>10}")
        ordered = sorted(intervals.items(), key=lambda item: (item[0][0] == ">", int(item[0].strip(">").split("-")[0])))
        lines.extend(_row(f"  {interval}", scores, scores["support"]) for interval, scores in ordered)
    return "\n".join(lines)


def format_report(report: dict[str, Any]) -> str:
    """The report as a table for people: percentages, strict and boundaries, micro, macro and by type."""
    lines = [f"{'':24}{'precision':>10}{'recall':>10}{'F1':>10}{'support':>10}"]
    for task in ("entities", "relations"):
        for protocol in ("strict", "boundaries"):
            scores = report[task][protocol]
            lines.append(_row(f"{task} {protocol}", scores, scores["support"]))
            lines.append(_row("  macro", scores["macro"], ""))
            if protocol == "strict":
                lines.extend(_row(f"  {name}", s, s["support"]) for name, s in scores["by_type"].items())
    if found := report.get("not_counted"):
        what = f"{found['entities']} entities and {found['relations']} relations"
        lines.append(f"not counted: {what} of types that their sentences do not mark completely")
    lines.append(f"{report['n_sentences']} sentences in {report['seconds']} s")
    return "\n".join(lines)


def _row(name: str, scores: dict[str, float], support: object) -> str:
    numbers = "".join(f"{100 * scores[key]:>10.1f}" for key in ("precision", "recall", "f1"))
    return f"{name:24}{numbers}{support!s:>10}"
