"""Fits a calibration to annotated sentences that the model was not trained on, and says what it is worth.

What is said is cross-fitted: documents are dealt into folds (a sentence without a document is one), and each fold is
read with scales that were fitted to the others. The stored scales are fitted to all. Of sentences that are not
annotated completely, nothing is fitted to what they may say nothing of: spans and pairs that the model doesn't take,
with 0.9 of its probability, for types that are marked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from kgmill.extractor.calibration import (
    CANDIDATE_FLOOR,
    Calibration,
    Confidence,
    Scale,
    mention_features,
    relation_features,
)
from kgmill.extractor.candidates import Candidates, Floors, Scored
from kgmill.extractor.data.annotated import AnnotatedSentence, document, gold_alone
from kgmill.extractor.decode import decode, decode_mentions
from kgmill.extractor.predict import Predictor
from kgmill.extractor.training.fitting import check_binary, check_types, fit_binary, fit_confidence, fit_types
from kgmill.extractor.training.metrics import as_gold, complete_types, is_known
from kgmill.extractor.training.outcomes import (
    TASKS,
    Outcomes,
    judge_sentence,
    outcomes,
    threshold_for_precision,
)
from kgmill.schemas.errors import DataError
from kgmill.schemas.ontology import Ontology

N_FOLDS = 5
MIN_CONFIDENCE = 0.4  # the threshold that users get
_FIRST_FLOOR = -6.0
_DEEPER = 2.0
_TOLD = 0.9
_DOUBTFUL = 0.05  # phase one times phase two: what is likelier is what a confidence is fitted to
_LEAST_FOUND = 5  # so many of a relation have to be found before it is masked


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """The fitted calibration, and what mentions and relations came to before and after it.

    Attributes:
        before, after: what is found at each of two thresholds, the candidate floor and the one that users get.
        crossed: what is found, cross-fitted, at the threshold that users get, in each set that was fitted to.
        promises: with a wanted precision, the threshold of each type that was found, None where none can be promised.
        judged: what is found, at the threshold that users get, in sets that nothing was fitted to, by their names.
        precision: of each relation that was found there or, cross-fitted, in what was fitted to: how many, and the
            share that is right.
    """

    calibration: Calibration
    before: dict[float, dict[str, Outcomes]]
    after: dict[float, dict[str, Outcomes]]
    promises: dict[str, float | None]
    crossed: dict[str, dict[str, Outcomes]] = field(default_factory=dict)
    judged: dict[str, dict[str, Outcomes]] = field(default_factory=dict)
    precision: dict[str, tuple[int, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Instances:
    """What a head is fitted to: scores, and whether each is right, or its type's column."""

    scores: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, slots=True)
class _Found:
    """A decoded item: what its confidence is made of, its type's column, and whether it is right."""

    features: tuple[float, ...]
    column: int
    is_right: bool


def calibrate_model(
    predictor: Predictor,
    sentences: Sequence[AnnotatedSentence],
    wanted_precision: float = 0.0,
    min_confidence: float = MIN_CONFIDENCE,
    *,
    least_precision: float = 0.0,
    sets: Sequence[str] = (),
    judged: Mapping[str, Sequence[AnnotatedSentence]] | None = None,
) -> CalibrationReport:
    """Scores sentences and fits to them; where the fit asks for candidates below those that were kept, again.

    Args:
        sets: the name of each sentence's set, for the report.
        judged: other sets, which the report is on too.
        least_precision: relations that were right less often than that, in all sets together, are masked.

    Raises:
        DataError: there is nothing to fit to.
    """
    words = [sentence.words for sentence in sentences]
    floor = _FIRST_FLOOR
    while True:
        candidates = predictor.predict(words, Floors(floor, -np.inf))
        report = calibrate(candidates, sentences, predictor.ontology, wanted_precision, min_confidence, sets)
        if (needed := report.calibration.floors(min_confidence).entity) >= floor:
            break
        floor = needed - _DEEPER
    floors = report.calibration.floors(min_confidence)
    others = {
        name: (predictor.predict([sentence.words for sentence in found], floors), found)
        for name, found in (judged or {}).items()
    }
    return judge(report, others, predictor.ontology, least_precision, min_confidence)


def judge(
    report: CalibrationReport,
    sets: Mapping[str, tuple[Sequence[Candidates], Sequence[AnnotatedSentence]]],
    ontology: Ontology,
    least_precision: float = 0.0,
    min_confidence: float = MIN_CONFIDENCE,
) -> CalibrationReport:
    """The report with what the calibration comes to in other sets, and with relations masked that are too imprecise."""
    calibration = report.calibration
    found = {
        name: outcomes([calibration.apply(one) for one in candidates], sentences, ontology, min_confidence)
        for name, (candidates, sentences) in sets.items()
    }
    precision = _precision([report.after[min_confidence], *found.values()])
    masked = tuple(name for name, (n, right) in precision.items() if n >= _LEAST_FOUND and right < least_precision)
    return replace(report, calibration=replace(calibration, masked=masked), judged=found, precision=precision)


def _precision(found: Sequence[Mapping[str, Outcomes]]) -> dict[str, tuple[int, float]]:
    """How many were found of each relation, and the share that is right."""
    types = np.concatenate([one["relations"].types for one in found])
    is_right = np.concatenate([one["relations"].is_right for one in found])
    return {str(name): (int((types == name).sum()), float(is_right[types == name].mean())) for name in np.unique(types)}


def calibrate(
    candidates: Sequence[Candidates],
    sentences: Sequence[AnnotatedSentence],
    ontology: Ontology,
    wanted_precision: float = 0.0,
    min_confidence: float = MIN_CONFIDENCE,
    sets: Sequence[str] = (),
) -> CalibrationReport:
    """Fits scales, confidences, and with `wanted_precision` a threshold a type, to candidates of annotated sentences.

    Raises:
        DataError: too few, or sentences that the model knows by heart: no scale is likeliest.
    """
    calibration = fit(candidates, sentences, ontology, min_confidence)
    crossed = _cross_fitted(candidates, sentences, ontology, min_confidence)
    plain = [Calibration().apply(found) for found in candidates]
    before, after = (
        {threshold: outcomes(side, sentences, ontology, threshold) for threshold in (CANDIDATE_FLOOR, min_confidence)}
        for side in (plain, crossed)
    )
    promises = promise(after[min_confidence], wanted_precision, min_confidence) if wanted_precision else {}
    kept = {name: threshold for name, threshold in promises.items() if threshold is not None}
    by_set = {name: [i for i, one in enumerate(sets) if one == name] for name in dict.fromkeys(sets)}
    found = {
        name: outcomes([crossed[i] for i in rows], [sentences[i] for i in rows], ontology, min_confidence)
        for name, rows in by_set.items()
    }
    return CalibrationReport(replace(calibration, thresholds=kept), before, after, promises, found)


def _cross_fitted(
    candidates: Sequence[Candidates],
    sentences: Sequence[AnnotatedSentence],
    ontology: Ontology,
    min_confidence: float,
) -> list[Scored]:
    """The candidates of each sentence, read with scales that were fitted to other documents."""
    scored: dict[int, Scored] = {}
    for fold in _folds(sentences):
        others = sorted(set(range(len(sentences))) - set(fold))
        known, gold = [candidates[i] for i in others], [sentences[i] for i in others]
        fitted = fit(known, gold, ontology, min_confidence, is_checked=False)
        scored.update((i, fitted.apply(candidates[i])) for i in fold)
    return [scored[i] for i in range(len(sentences))]


def fit(
    candidates: Sequence[Candidates],
    sentences: Sequence[AnnotatedSentence],
    ontology: Ontology,
    min_confidence: float = MIN_CONFIDENCE,
    *,
    is_checked: bool = True,
) -> Calibration:
    """Four scales and two confidences: of spans; then, among the mentions that these give at the threshold, of pairs.

    A pair is right where it strictly holds a relation, in either order where that is symmetric: spans and types of both
    ends too. So a pair's probability answers for the mentions that the user sees.

    Raises:
        DataError: no scale is likeliest.
    """
    spans, types = _span_instances(candidates, sentences, ontology)
    if is_checked:
        check_binary("entity", spans.scores, spans.labels)
        check_types("entity type", types.labels)
    calibration = Calibration(
        fit_binary("entity", spans.scores, spans.labels), fit_types("entity type", types.scores, types.labels)
    )
    confidence = _mention_confidence(candidates, sentences, ontology, calibration)
    calibration = replace(calibration, mention_confidence=confidence)
    if not ontology.relations:
        return calibration
    pairs, types = _pair_instances(candidates, sentences, ontology, calibration, min_confidence)
    if is_checked:
        check_binary("relation", pairs.scores, pairs.labels)
        check_types("relation type", types.labels)
    calibration = replace(
        calibration,
        relation=fit_binary("relation", pairs.scores, pairs.labels),
        relation_type=fit_types("relation type", types.scores, types.labels),
    )
    confidence = _relation_confidence(candidates, sentences, ontology, calibration, min_confidence)
    return replace(calibration, relation_confidence=confidence)


def _mention_confidence(
    candidates: Sequence[Candidates],
    sentences: Sequence[AnnotatedSentence],
    ontology: Ontology,
    calibration: Calibration,
) -> Confidence | None:
    """What phase one and phase two together are worth, of each entity type."""
    column = {name: i for i, name in enumerate(ontology.entity_names)}
    rows: list[_Found] = []
    for found, sentence in zip(candidates, sentences, strict=True):
        scored = calibration.apply(found)
        row = {(start, end): i for i, (start, end) in enumerate(found.spans.tolist())}
        mentions = decode_mentions(scored, ontology, _DOUBTFUL)
        features = mention_features(scored.mention_prob)
        for m, is_right, is_told in judge_sentence(sentence, mentions, (), ontology)[0]:
            if is_told:
                rows.append(_Found(_at(features, row[m.start, m.end], column[m.type]), column[m.type], is_right))
    return _confidence(rows, len(column))


def _relation_confidence(
    candidates: Sequence[Candidates],
    sentences: Sequence[AnnotatedSentence],
    ontology: Ontology,
    calibration: Calibration,
    min_confidence: float,
) -> Confidence | None:
    """What both phases and both mentions together are worth, of each relation between mentions that are told."""
    column = {name: i for i, name in enumerate(ontology.relation_names)}
    of_mentions = dict.fromkeys(ontology.entity_names, min_confidence)
    rows: list[_Found] = []
    for found, sentence in zip(candidates, sentences, strict=True):
        scored = calibration.apply(found)
        mentions, relations = decode(scored, ontology, _DOUBTFUL, of_mentions)
        row = {(start, end): i for i, (start, end) in enumerate(found.spans.tolist())}
        at = [row[m.start, m.end] for m in mentions]
        pair = {(head, tail): i for i, (head, tail) in enumerate(found.pairs.tolist())}
        features = relation_features(scored.relation_prob, found.pairs, scored.mention_prob)
        for r, is_right, is_told in judge_sentence(sentence, mentions, relations, ontology)[1]:
            if not is_told:
                continue
            ends = [(at[r.head], at[r.tail])]
            ends += [ends[0][::-1]] if ontology.relations[r.type].symmetric else []
            i = max((pair[e] for e in ends if e in pair), key=lambda i: scored.relation_prob[i, column[r.type]])
            rows.append(_Found(_at(features, i, column[r.type]), column[r.type], is_right))
    return _confidence(rows, len(column))


def _at(features: Sequence[np.ndarray], row: int, column: int) -> tuple[float, ...]:
    """The features of one item, from arrays of a column each or a column a type."""
    return tuple(float(one[row, min(column, one.shape[1] - 1)]) for one in features)


def _confidence(rows: Sequence[_Found], n_types: int) -> Confidence | None:
    if not rows:
        return None
    features = np.array([row.features for row in rows]).T
    types = np.array([row.column for row in rows])
    return fit_confidence(list(features), types, np.array([row.is_right for row in rows]), n_types)


def promise(found: dict[str, Outcomes], wanted: float, lowest: float) -> dict[str, float | None]:
    """For each type that was found the threshold that keeps a precision, None where none can be promised."""
    return {
        str(name): threshold_for_precision(found[task].take(found[task].types == name), wanted, lowest)
        for task in TASKS
        for name in np.unique(found[task].types)
    }


def _folds(sentences: Sequence[AnnotatedSentence]) -> list[list[int]]:
    groups: dict[object, list[int]] = defaultdict(list)
    for i, sentence in enumerate(sentences):
        groups[document(sentence) or sentence.key or i].append(i)
    if len(groups) < 2:
        raise DataError(f"{len(sentences)} sentences of one document; a calibration needs at least two documents")
    dealt = list(groups.values())
    return [[i for group in dealt[k::N_FOLDS] for i in group] for k in range(min(N_FOLDS, len(dealt)))]


def _span_instances(
    candidates: Sequence[Candidates], sentences: Sequence[AnnotatedSentence], ontology: Ontology
) -> tuple[_Instances, _Instances]:
    column = {name: i for i, name in enumerate(ontology.entity_names)}
    spans: list[tuple[float, bool]] = []
    types: list[tuple[np.ndarray, int]] = []
    for found, sentence in zip(candidates, sentences, strict=True):
        known = gold_alone(sentence)
        complete, _ = complete_types(known)
        gold = {(e.start, e.end): e for e in known.entities}
        is_told = _is_told(found.type_logits, ontology.entity_names, complete)
        for i, (start, end) in enumerate(found.spans.tolist()):
            entity = gold.get((start, end))
            if is_told[i]:
                spans.append((found.entity_margin[i], entity is not None))
            if entity and not entity.types:
                types.append((found.type_logits[i], column[entity.type]))
    return _instances(spans, (), bool), _instances(types, (len(column),), int)


def _pair_instances(
    candidates: Sequence[Candidates],
    sentences: Sequence[AnnotatedSentence],
    ontology: Ontology,
    calibration: Calibration,
    min_confidence: float,
) -> tuple[_Instances, _Instances]:
    n_types = len(ontology.relation_names)
    pairs: list[tuple[float, bool]] = []
    types: list[tuple[np.ndarray, int]] = []
    for found, sentence in zip(candidates, sentences, strict=True):
        mentions = decode_mentions(calibration.apply(found), ontology, min_confidence)
        typed = {(m.start, m.end): (m.start, m.end, m.type) for m in mentions}
        mention_of = [typed.get((start, end)) for start, end in found.spans.tolist()]
        known = as_gold(sentence, mentions)
        _, complete = complete_types(known)
        related = _related(known, ontology)
        is_told = _is_told(found.relation_logits, ontology.relation_names, complete)
        for i, (head, tail) in enumerate(found.pairs.tolist()):
            if mention_of[head] and mention_of[tail]:
                columns = related.get((mention_of[head], mention_of[tail]), [])
                if is_told[i]:
                    pairs.append((found.pair_margin[i], bool(columns)))
                types.extend((found.relation_logits[i], column) for column in columns)
    return _instances(pairs, (), bool), _instances(types, (n_types,), int)


def _is_told(logits_NC: np.ndarray, names: Sequence[str], complete: Collection[str] | None) -> list[bool]:
    """Whether a sentence says of each span or pair if it is one: its type is, most likely, one that is marked."""
    known_C = np.array([is_known(name, complete) for name in names], bool)
    told_N = Scale().type_probabilities(logits_NC)[:, known_C].sum(axis=1)
    return [told >= _TOLD for told in told_N.tolist()]


def _related(sentence: AnnotatedSentence, ontology: Ontology) -> dict[object, list[int]]:
    """The columns of the relations that each ordered pair of typed spans holds; symmetric ones both ways."""
    column = {name: i for i, name in enumerate(ontology.relation_names)}
    ends = [(e.start, e.end, e.type) for e in sentence.entities]
    related: dict[object, list[int]] = defaultdict(list)
    for head, tail, name in sorted({(ends[r.head], ends[r.tail], r.type) for r in sentence.relations}):
        related[head, tail].append(column[name])
        if ontology.relations[name].symmetric and column[name] not in related[tail, head]:
            related[tail, head].append(column[name])
    return {pair: sorted(set(columns)) for pair, columns in related.items()}


def _instances(rows: Sequence[tuple[object, object]], shape: tuple[int, ...], kind: type) -> _Instances:
    scores = np.array([row[0] for row in rows], np.float64).reshape(-1, *shape)
    return _Instances(scores, np.array([row[1] for row in rows], kind))
