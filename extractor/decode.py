"""From scored candidates to mentions and relations: thresholds, ontology masks, the overlap rule. No model is needed.

The confidence of a mention and of a relation is what the calibration made of both phases (`Calibration.apply`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kgmill.extractor.candidates import Scored
from kgmill.schemas.ontology import Ontology


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
    Relations: only types that the ontology allows between the two mentions' types; of a pair and its reverse with the
    same type, the surer (for a symmetric type the one whose head comes first).
    """
    own = thresholds or {}
    chosen = _choose_spans(candidates, ontology, _least(ontology.entity_names, min_confidence, own))
    mentions = _mentions(chosen, ontology)
    mention_of = {row: i for i, (row, *_) in enumerate(chosen)}
    columns = {row: column for row, _, _, column, _ in chosen}
    least = _least([ontology.distinct_name(name) for name in ontology.relation_names], min_confidence, own)
    return mentions, _choose_relations(candidates, ontology, least, mention_of, columns)


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


def _choose_relations(
    candidates: Scored,
    ontology: Ontology,
    least_R: np.ndarray,
    mention_of: dict[int, int],
    columns: dict[int, int],
) -> list[DecodedRelation]:
    if not ontology.relations or not mention_of:
        return []
    best: dict[tuple[int, int, int], tuple[float, int, int]] = {}
    confident = candidates.relation_prob
    is_mention = np.zeros(len(candidates.spans), bool)
    is_mention[list(mention_of)] = True
    is_sure = (confident >= least_R).any(axis=1) & is_mention[candidates.pairs].all(axis=1)
    for i in np.flatnonzero(is_sure).tolist():
        head, tail = candidates.pairs[i].tolist()
        allowed = ontology.allowed[columns[head]][columns[tail]]
        for column in np.flatnonzero((confident[i] >= least_R) & allowed).tolist():
            key = (min(head, tail), max(head, tail), column)
            best[key] = max(best.get(key, (-1.0, 0, 0)), (float(confident[i, column]), -head, -tail))
    relations = []
    for (_, _, column), (confidence, minus_head, minus_tail) in best.items():
        name = ontology.relation_names[column]
        head, tail = mention_of[-minus_head], mention_of[-minus_tail]
        if ontology.relations[name].symmetric:
            head, tail = min(head, tail), max(head, tail)
        relations.append(DecodedRelation(head, tail, name, confidence))
    return sorted(relations, key=lambda r: (r.head, r.tail, r.type))
