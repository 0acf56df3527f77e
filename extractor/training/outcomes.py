"""What a model's confidences came to on annotated sentences, and the thresholds that keep a wanted precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lgamma
from typing import Any

import numpy as np

from kgmill.extractor.candidates import Scored
from kgmill.extractor.data.annotated import AnnotatedSentence
from kgmill.extractor.decode import DecodedMention, DecodedRelation, decode
from kgmill.extractor.training.metrics import as_gold, complete_types, is_known, turned
from kgmill.schemas.ontology import Ontology

TASKS = ("mentions", "relations")
SURE = 0.9
LEAST_SUPPORT = 20
_DOUBT = 0.05  # how often a promised precision may be too high
_CUTS = tuple(round(0.05 * i, 2) for i in range(1, 20))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Decoded items: confidence, whether strictly right, and type, for mentions or relations."""

    confidence: np.ndarray
    is_right: np.ndarray
    types: np.ndarray

    def __len__(self) -> int:
        return len(self.confidence)

    @property
    def ece(self) -> float:
        """Expected calibration error."""
        return expected_calibration_error(self.confidence, self.is_right)

    @property
    def sure(self) -> Outcomes:
        """Those that are claimed with 0.9 and more."""
        return self.take(self.confidence >= SURE)

    @property
    def claimed(self) -> float:
        """The mean confidence."""
        return float(self.confidence.mean()) if len(self) else 0.0

    @property
    def right(self) -> float:
        """The share that is right."""
        return float(self.is_right.mean()) if len(self) else 0.0

    def take(self, chosen: np.ndarray) -> Outcomes:
        """The items of a mask."""
        return Outcomes(self.confidence[chosen], self.is_right[chosen], self.types[chosen])


def outcomes(
    scored: Sequence[Scored], sentences: Sequence[AnnotatedSentence], ontology: Ontology, min_confidence: float
) -> dict[str, Outcomes]:
    """Decoded mentions and relations, each with whether it is strictly right; symmetric relations in either order.

    Of a sentence that is not annotated completely, all of a type that it does not mark is left out, right or not: to
    count what is right of it alone would flatter.
    """
    rows: dict[str, list[tuple[float, bool, str]]] = {name: [] for name in TASKS}
    for found, sentence in zip(scored, sentences, strict=True):
        mentions, relations = decode(found, ontology, min_confidence)
        judged, judged_relations = judge_sentence(sentence, mentions, relations, ontology)
        rows["mentions"].extend((m.confidence, is_right, m.type) for m, is_right, is_told in judged if is_told)
        rows["relations"].extend(
            (r.confidence, is_right, ontology.distinct_name(r.type))
            for r, is_right, is_told in judged_relations
            if is_told
        )
    return {
        name: Outcomes(
            np.array([c for c, _, _ in found], np.float64),
            np.array([ok for _, ok, _ in found], bool),
            np.array([kind for *_, kind in found], str),
        )
        for name, found in rows.items()
    }


def judge_sentence(
    sentence: AnnotatedSentence,
    mentions: Sequence[DecodedMention],
    relations: Sequence[DecodedRelation],
    ontology: Ontology,
) -> tuple[list[tuple[DecodedMention, bool, bool]], list[tuple[DecodedRelation, bool, bool]]]:
    """What was decoded from a sentence, each with whether it is right, and whether the sentence marks its type."""
    annotated = as_gold(sentence, mentions)
    types, relation_types = complete_types(annotated)
    gold = {(e.start, e.end, e.type) for e in annotated.entities}
    related = {relation_key(annotated.entities, r, ontology) for r in annotated.relations}
    is_entity = [(m.start, m.end, m.type) in gold for m in mentions]
    is_related = [relation_key(mentions, r, ontology) in related for r in relations]
    return (
        [(m, ok, is_known(m.type, types)) for m, ok in zip(mentions, is_entity, strict=True)],
        [(r, ok, is_known(r.type, relation_types)) for r, ok in zip(relations, is_related, strict=True)],
    )


def relation_key(spans: Sequence[Any], relation: Any, ontology: Ontology) -> tuple[Any, ...]:
    """What two relations must share to be strictly the same one; of a symmetric type the ends have no order."""
    ends = turned(spans, relation, ontology.symmetric)
    return (relation.type, *((end.start, end.end, end.type) for end in ends))


def expected_calibration_error(confidence_N: np.ndarray, is_right_N: np.ndarray, n_bins: int = 10) -> float:
    """The mean distance between confidence and accuracy over bins of equal width, weighed by their size."""
    if not len(confidence_N):
        return 0.0
    bins = np.minimum((confidence_N * n_bins).astype(int), n_bins - 1)
    gaps = [
        (bins == b).sum() * abs(confidence_N[bins == b].mean() - is_right_N[bins == b].mean())
        for b in np.unique(bins).tolist()
    ]
    return float(sum(gaps) / len(confidence_N))


def threshold_for_precision(found: Outcomes, wanted: float, lowest: float) -> float | None:
    """The lowest threshold from `lowest` on that keeps a precision with 95 % certainty; None where none does.

    Certain is what the lower bounds say that at least LEAST_SUPPORT items give to the precision. A dozen thresholds are
    tried, so each bound is as much surer: the luckiest of many cuts promises nothing.
    """
    cuts = [lowest, *(cut for cut in _CUTS if cut > lowest)]
    for cut in cuts:
        is_right = found.is_right[found.confidence >= cut]
        if len(is_right) >= LEAST_SUPPORT and precision_bound(int(is_right.sum()), len(is_right), len(cuts)) >= wanted:
            return cut
    return None


def precision_bound(n_right: int, n: int, n_tried: int = 1) -> float:
    """The one-sided lower bound of a share of which `n_right` of `n` were seen (Clopper and Pearson, 1934).

    With `n_tried` bounds, that all of them are true together is as certain as one is alone (Bonferroni).

    >>> round(precision_bound(29, 29), 3), round(precision_bound(45, 50), 3), precision_bound(0, 50)
    (0.902, 0.801, 0.0)
    """
    if not n_right:
        return 0.0
    k = np.arange(n_right, n + 1)
    ways = lgamma(n + 1) - np.array([lgamma(i + 1) + lgamma(n - i + 1) for i in k.tolist()])
    low, high = 0.0, 1.0
    for _ in range(40):
        p = (low + high) / 2
        chance = float(np.exp(ways + k * np.log(p) + (n - k) * np.log1p(-p)).sum())
        low, high = (p, high) if chance < _DOUBT / n_tried else (low, p)
    return low
