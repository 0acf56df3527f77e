"""Fits a calibration to annotated sentences that the model was not trained on, and shows what it did.

Reported errors are cross-fitted: the sentences are dealt into folds, and each fold is scored with temperatures that
were fitted to the others. The stored temperatures are fitted to all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from extractor.annotated import AnnotatedSentence
from extractor.calibration import (
    Calibration,
    expected_calibration_error,
    fit_binary,
    fit_types,
    threshold_for_precision,
)
from extractor.candidates import Candidates
from extractor.decode import decode
from schemas.ontology import Ontology

N_FOLDS = 5
ACCEPT = 0.5


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Decoded items: confidence, whether strictly right, and type, for mentions or relations."""

    confidence: np.ndarray
    is_right: np.ndarray
    types: np.ndarray

    @property
    def ece(self) -> float:
        """Expected calibration error."""
        return expected_calibration_error(self.confidence, self.is_right)


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """The fitted calibration, and mentions and relations before and after it."""

    calibration: Calibration
    before: dict[str, Outcomes]
    after: dict[str, Outcomes]


def calibrate(
    candidates: Sequence[Candidates],
    sentences: Sequence[AnnotatedSentence],
    ontology: Ontology,
    wanted_precision: float = 0.0,
) -> CalibrationReport:
    """Fits temperatures, and with `wanted_precision` a threshold a type, to candidates of annotated sentences."""
    folds = [range(k, len(sentences), N_FOLDS) for k in range(min(N_FOLDS, len(sentences)))]
    scaled: dict[int, Candidates] = {}
    for fold in folds:
        others = [i for i in range(len(sentences)) if i not in fold]
        fitted = fit([candidates[i] for i in others], [sentences[i] for i in others], ontology)
        scaled.update((i, fitted.apply(candidates[i])) for i in fold)
    before = outcomes(candidates, sentences, ontology)
    after = outcomes([scaled[i] for i in range(len(sentences))], sentences, ontology)
    calibration = fit(candidates, sentences, ontology)
    if wanted_precision:
        kept = outcomes([calibration.apply(c) for c in candidates], sentences, ontology)
        calibration = replace(calibration, thresholds=_thresholds(kept, wanted_precision))
    return CalibrationReport(calibration, before, after)


def fit(candidates: Sequence[Candidates], sentences: Sequence[AnnotatedSentence], ontology: Ontology) -> Calibration:
    """The four temperatures: phase one on all candidate spans, and on pairs of decoded mentions; phase two on gold."""
    entity_column = {name: i for i, name in enumerate(ontology.entity_names)}
    relation_column = {name: i for i, name in enumerate(ontology.relation_names)}
    spans, types, pairs, relations = [], [], [], []  # type: ignore[var-annotated]
    for found, sentence in zip(candidates, sentences, strict=True):
        rows = {(int(a), int(b)): i for i, (a, b) in enumerate(found.spans)}
        gold = {(e.start, e.end): entity_column[e.type] for e in sentence.entities}
        spans.extend((found.entity_prob[i], span in gold) for span, i in rows.items())
        types.extend((found.type_prob[i], gold[span]) for span, i in rows.items() if span in gold)
        mentions, _ = decode(found, ontology, ACCEPT)
        chosen = {rows[m.start, m.end] for m in mentions}
        ends = [(e.start, e.end) for e in sentence.entities]
        related = {(ends[r.head], ends[r.tail]): relation_column[r.type] for r in sentence.relations}
        span_of = {i: span for span, i in rows.items()}
        for i, (head, tail) in enumerate(found.pairs.tolist()):
            key = (span_of[head], span_of[tail])
            if head in chosen and tail in chosen:
                pairs.append((found.pair_prob[i], key in related))
                if key in related:
                    relations.append((found.relation_prob[i], related[key]))
    return Calibration(
        entity=fit_binary(*_columns(spans)),
        entity_type=fit_types(*_columns(types)),
        relation=fit_binary(*_columns(pairs)),
        relation_type=fit_types(*_columns(relations)),
    )


def _columns(rows: list) -> tuple[np.ndarray, np.ndarray]:
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


def outcomes(
    candidates: Sequence[Candidates], sentences: Sequence[AnnotatedSentence], ontology: Ontology
) -> dict[str, Outcomes]:
    """Decoded mentions and relations of any confidence, each with whether it is strictly right."""
    rows: dict[str, list[tuple[float, bool, str]]] = {"mentions": [], "relations": []}
    for found, sentence in zip(candidates, sentences, strict=True):
        mentions, relations = decode(found, ontology, 0.0)
        gold = {(e.start, e.end, e.type) for e in sentence.entities}
        related = {(r.type, *_key(sentence.entities, r)) for r in sentence.relations}
        rows["mentions"].extend((m.confidence, (m.start, m.end, m.type) in gold, m.type) for m in mentions)
        rows["relations"].extend(
            (r.confidence, (r.type, *_key(mentions, r)) in related, ontology.distinct_name(r.type)) for r in relations
        )
    return {
        name: Outcomes(
            np.array([c for c, _, _ in found], np.float64),
            np.array([ok for _, ok, _ in found], bool),
            np.array([kind for *_, kind in found], str),
        )
        for name, found in rows.items()
    }


def _key(spans: Sequence, relation) -> tuple:  # type: ignore[no-untyped-def]
    head, tail = spans[relation.head], spans[relation.tail]
    return head.start, head.end, head.type, tail.start, tail.end, tail.type


def _thresholds(found: dict[str, Outcomes], wanted: float) -> dict[str, float]:
    return {
        str(name): round(threshold_for_precision(o.confidence[o.types == name], o.is_right[o.types == name], wanted), 6)
        for o in found.values()
        for name in np.unique(o.types)
    }


def reliability_svg(report: CalibrationReport, n_bins: int = 10) -> str:
    """A reliability diagram: accuracy over confidence in bins, before and after, for mentions and relations."""
    panels = []
    for row, name in enumerate(("mentions", "relations")):
        for column, (when, side) in enumerate((("before", report.before), ("after", report.after))):
            panels.append(_panel(40 + 300 * column, 40 + 290 * row, f"{name}, {when}", side[name], n_bins))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="610" font-family="sans-serif" font-size="12">'
        '<rect width="640" height="610" fill="white"/>' + "".join(panels) + "</svg>\n"
    )


def _panel(x: int, y: int, title: str, found: Outcomes, n_bins: int) -> str:
    size = 220
    bins = np.minimum((found.confidence * n_bins).astype(int), n_bins - 1)
    bars = []
    for b in range(n_bins):
        inside = bins == b
        if inside.any():
            accuracy = float(found.is_right[inside].mean())
            height, left = size * accuracy, x + size * b / n_bins
            share = inside.mean()
            bars.append(
                f'<rect x="{left + 1:.1f}" y="{y + size - height:.1f}" width="{size / n_bins - 2:.1f}" '
                f'height="{height:.1f}" fill="#3b6ea5" fill-opacity="{0.35 + 0.65 * share:.2f}"/>'
                f'<text x="{left + size / n_bins / 2:.1f}" y="{y + size + 12}" font-size="8" '
                f'text-anchor="middle" fill="#555">{inside.sum()}</text>'
            )
    return (
        f'<text x="{x}" y="{y - 8}">{title}: error {100 * found.ece:.1f} %</text>'
        f'<rect x="{x}" y="{y}" width="{size}" height="{size}" fill="none" stroke="#999"/>'
        f'<line x1="{x}" y1="{y + size}" x2="{x + size}" y2="{y}" stroke="#c33" stroke-dasharray="4 3"/>'
        + "".join(bars)
        + f'<text x="{x + size / 2}" y="{y + size + 26}" text-anchor="middle">confidence; items in each bin</text>'
    )
