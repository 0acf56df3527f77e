"""From scored candidates to mentions and relations: thresholds, ontology masks, the overlap rule. No model is needed.

The confidence of a mention and of a relation is what the calibration made of both phases (`Calibration.apply`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kgmill.extractor.candidates import Scored
from kgmill.schemas.ontology import Columns, Ontology


@dataclass(frozen=True, slots=True)
class DecodedMention:
    """A chosen span with its type; the unit of `start` and `end` is that of the candidates."""

    start: int
    end: int
    type: str
    confidence: float


@dataclass(frozen=True, slots=True)
class DecodedRelation:
    """A typed pair; `head` and `tail` index the sentence's decoded mentions."""

    head: int
    tail: int
    type: str
    confidence: float


def decode(
    candidates: Scored,
    ontology: Ontology,
    min_confidence: float,
    thresholds: Mapping[str, float] | None = None,
) -> tuple[list[DecodedMention], list[DecodedRelation]]:
    """The mentions and relations of a sentence; `thresholds` has the least confidence of a type, where it is its own.

    A relation type is found in it by its `Ontology.distinct_name`.

    Mentions: the surest first; one that overlaps a surer one is dropped, unless the ontology lets entities overlap.
    Relations: `choose_relations`, by the mentions' own types.
    """
    mentions, claims, _ = decode_claims(candidates, ontology, min_confidence, thresholds)
    return mentions, choose_relations(claims, [m.type for m in mentions], ontology)


def decode_claims(
    candidates: Scored,
    ontology: Ontology,
    min_confidence: float,
    thresholds: Mapping[str, float] | None = None,
    columns: Columns | None = None,
) -> tuple[list[DecodedMention], list[DecodedRelation], np.ndarray]:
    """The mentions of a sentence as `decode` gives them, and all typed pairs of them that are sure enough.

    `columns` are those of the scores, where the ontology leaves some out or has them in another order. What is left
    out is masked: a span that is most likely of such a type is no mention, nor one of its next likely type, and what it
    overlaps is dropped all the same. So a smaller ontology takes mentions away, and makes none.

    Nothing is asked of the types of a pair's ends, and of two directions none is chosen: `choose_relations` does both,
    when it is known of what types the mentions are. The array, float64 [mentions, entity types], has the log
    probabilities of each mention's types, given that it is a name of one of the ontology's types.
    """
    own, columns = thresholds or {}, columns or ontology.columns
    kept_E = [columns.entities.index(name) for name in ontology.entity_names]
    kept_R = [columns.relations.index(name) for name in ontology.relation_names]
    found = _choose_spans(candidates, ontology, _least(columns.entities, min_confidence, own))
    chosen = [(row, a, b, kept_E.index(column), sure) for row, a, b, column, sure in found if column in kept_E]
    least_R = _least([columns.distinct_name(name) for name in ontology.relation_names], min_confidence, own)
    prob_NE = candidates.mention_prob[[row for row, *_ in chosen]][:, kept_E]
    with np.errstate(divide="ignore"):
        votes_NE = np.log(prob_NE / prob_NE.sum(axis=1, keepdims=True))
    if not ontology.relations or not chosen:
        return _mentions(chosen, ontology), [], votes_NE
    mention_N = np.full(len(candidates.spans), -1)
    mention_N[[row for row, *_ in chosen]] = np.arange(len(chosen))
    ends_M2 = mention_N[candidates.pairs]
    prob_MR = candidates.relation_prob[:, kept_R]
    is_sure_MR = (prob_MR >= least_R) & (ends_M2 >= 0).all(axis=1)[:, None]
    claims = [
        DecodedRelation(int(ends_M2[i, 0]), int(ends_M2[i, 1]), ontology.relation_names[r], float(prob_MR[i, r]))
        for i, r in np.argwhere(is_sure_MR).tolist()
    ]
    return _mentions(chosen, ontology), claims, votes_NE


def choose_relations(
    claims: Iterable[DecodedRelation], types: Sequence[str] | Mapping[int, str], ontology: Ontology
) -> list[DecodedRelation]:
    """The relations that the ontology allows between the types of their ends (`types` has those of the mentions).

    Of a pair and its reverse with the same type, the surer (for a symmetric type the one whose head comes first).
    """
    best: dict[tuple[int, int, str], DecodedRelation] = {}
    for claim in claims:
        if not ontology.allows(types[claim.head], claim.type, types[claim.tail]):
            continue
        key = (min(claim.head, claim.tail), max(claim.head, claim.tail), claim.type)
        best[key] = max(best.get(key, claim), claim, key=lambda c: (c.confidence, -c.head, -c.tail))
    chosen = [
        replace(c, head=min(c.head, c.tail), tail=max(c.head, c.tail)) if ontology.relations[c.type].symmetric else c
        for c in best.values()
    ]
    return sorted(chosen, key=lambda r: (r.head, r.tail, r.type))


def decode_mentions(candidates: Scored, ontology: Ontology, min_confidence: float) -> list[DecodedMention]:
    """The mentions of a sentence alone, as `decode` gives them."""
    return _mentions(_choose_spans(candidates, ontology, _least(ontology.entity_names, min_confidence, {})), ontology)


def _mentions(chosen: Sequence[tuple[int, int, int, int, float]], ontology: Ontology) -> list[DecodedMention]:
    return [
        DecodedMention(start, end, ontology.entity_names[column], confidence)
        for _, start, end, column, confidence in chosen
    ]


def _least(names: Sequence[str], min_confidence: float, own: Mapping[str, float]) -> np.ndarray:
    return np.array([own.get(name, min_confidence) for name in names])


def _choose_spans(
    candidates: Scored, ontology: Ontology, least_E: np.ndarray
) -> list[tuple[int, int, int, int, float]]:
    if not len(candidates.spans):
        return []
    column, confidence = candidates.mention_prob.argmax(axis=1), candidates.mention_prob.max(axis=1)
    rows = np.flatnonzero(confidence >= least_E[column])
    start, end = candidates.spans[:, 0], candidates.spans[:, 1]
    order = rows[np.lexsort((end[rows], start[rows], -confidence[rows]))]
    chosen: list[tuple[int, int, int, int, float]] = []
    for row in order.tolist():
        a, b = int(start[row]), int(end[row])
        if ontology.overlapping_entities or all(b <= s or e <= a for _, s, e, _, _ in chosen):
            chosen.append((row, a, b, int(column[row]), float(confidence[row])))
    return sorted(chosen, key=lambda span: span[1:3])
