"""Precision, recall and F1 of entities and relations: strict and boundaries, micro and macro, by type.

Entities, strict: span and type; boundaries: span. Relations, strict: type, both spans and both entity types;
boundaries: type and both spans. Source: section 4.2, Eq. 17. A symmetric relation has no direction: gold and predicted
ones are turned so that their first end comes first in the sentence, and count once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import Any

from extractor.annotated import AnnotatedSentence
from extractor.decode import DecodedMention, DecodedRelation

Prediction = tuple[Sequence[DecodedMention], Sequence[DecodedRelation]]
_ANY = "Entity"
LENGTHS = ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10))
DISTANCES = ((0, 0), (1, 3), (4, 6), (7, 9))


def turned(spans: Sequence[Any], relation: Any, symmetric: Collection[str]) -> tuple[Any, Any]:
    """The head and the tail of a relation; of a symmetric type the end that comes first, then the other."""
    head, tail = spans[relation.head], spans[relation.tail]
    if relation.type in symmetric and (tail.start, tail.end, tail.type) < (head.start, head.end, head.type):
        return tail, head
    return head, tail


def score(
    gold: Sequence[AnnotatedSentence], predicted: Sequence[Prediction], symmetric: Collection[str] = ()
) -> dict[str, Any]:
    """The `entities` and `relations` of the evaluation report (design contract), fractions in [0, 1].

    `symmetric` names the relation types that have no direction. What was annotated, but no sentence can hold
    (`AnnotatedSentence.unused`), is gold that is missed.
    """
    items: dict[str, list[tuple[set, set]]] = {
        name: [] for name in ("entities strict", "entities boundaries", "relations strict", "relations boundaries")
    }
    for sentence, (mentions, relations) in zip(gold, predicted, strict=True):
        spans, found = sentence.entities, mentions
        lost = _missed(sentence, "entity")
        items["entities strict"].append(
            ({(e.type, e.start, e.end) for e in spans} | lost, {(m.type, m.start, m.end) for m in found})
        )
        items["entities boundaries"].append(
            (
                {(_ANY, e.start, e.end) for e in spans} | {(_ANY, *item[1:]) for item in lost},
                {(_ANY, m.start, m.end) for m in found},
            )
        )
        pairs, found_pairs = _pairs(spans, sentence.relations, symmetric), _pairs(found, relations, symmetric)
        lost = _missed(sentence, "relation")
        items["relations strict"].append((pairs | lost, found_pairs))
        items["relations boundaries"].append((_untyped(pairs) | lost, _untyped(found_pairs)))
    report: dict[str, Any] = {"entities": {}, "relations": {}}
    for name, sets in items.items():
        task, protocol = name.split()
        report[task][protocol] = prf(sets)
    return report


def score_by_size(
    gold: Sequence[AnnotatedSentence], predicted: Sequence[Prediction], symmetric: Collection[str] = ()
) -> dict[str, dict[str, dict[str, float]]]:
    """Strict scores of entities by length and of relations by distance, both in words; support is of gold.

    Source: section 4.4, Fig. 3 and 4 (the paper's intervals, and one for longer entities).
    """
    entities: list[tuple[set, set]] = []
    relations: list[tuple[set, set]] = []
    for sentence, (mentions, pairs) in zip(gold, predicted, strict=True):
        entities.append((_by_length(sentence.entities), _by_length(mentions)))
        relations.append(
            (
                _by_distance(sentence.entities, sentence.relations, symmetric),
                _by_distance(mentions, pairs, symmetric),
            ),
        )
    return {"entity length": prf(entities)["by_type"], "relation distance": prf(relations)["by_type"]}


def _interval(value: int, intervals: Sequence[tuple[int, int]]) -> str:
    for low, high in intervals:
        if value <= high:
            return str(low) if low == high else f"{low}-{high}"
    return f">{intervals[-1][1]}"


def _by_length(spans: Sequence[Any]) -> set[tuple[Hashable, ...]]:
    return {(_interval(s.end - s.start, LENGTHS), s.type, s.start, s.end) for s in spans}


def _by_distance(
    spans: Sequence[Any], relations: Sequence[Any], symmetric: Collection[str]
) -> set[tuple[Hashable, ...]]:
    items: set[tuple[Hashable, ...]] = set()
    for r in relations:
        head, tail = turned(spans, r, symmetric)
        words = max(0, max(head.start, tail.start) - min(head.end, tail.end))
        ends = (head.type, head.start, head.end, tail.type, tail.start, tail.end)
        items.add((_interval(words, DISTANCES), r.type, *ends))
    return items


def prf(sets: Iterable[tuple[set, set]]) -> dict[str, Any]:
    """Micro scores, with macro scores and scores by type, of (gold, predicted) sets whose items begin with a type.

    >>> prf([({("Loc", 0, 1), ("Loc", 2, 3)}, {("Loc", 0, 1)})])["recall"]
    0.5
    """
    hits: Counter[str] = Counter()
    n_gold: Counter[str] = Counter()
    n_predicted: Counter[str] = Counter()
    for gold, predicted in sets:
        hits.update(item[0] for item in gold & predicted)
        n_gold.update(item[0] for item in gold)
        n_predicted.update(item[0] for item in predicted)
    types = sorted(n_gold | n_predicted)
    by_type = {t: _scores(hits[t], n_gold[t], n_predicted[t]) | {"support": n_gold[t]} for t in types}
    macro = {
        key: sum(scores[key] for scores in by_type.values()) / len(by_type) if by_type else 0.0
        for key in ("precision", "recall", "f1")
    }
    micro = _scores(hits.total(), n_gold.total(), n_predicted.total())
    return {**micro, "support": n_gold.total(), "macro": macro, "by_type": by_type}


def _pairs(spans: Sequence[Any], relations: Sequence[Any], symmetric: Collection[str]) -> set[tuple[Hashable, ...]]:
    items: set[tuple[Hashable, ...]] = set()
    for r in relations:
        head, tail = turned(spans, r, symmetric)
        items.add((r.type, head.start, head.end, tail.start, tail.end, head.type, tail.type))
    return items


def _missed(sentence: AnnotatedSentence, task: str) -> set[tuple[Hashable, ...]]:
    """What no prediction can find, each an item that begins with its type."""
    return {(one.type, "unused", i) for i, one in enumerate(sentence.unused) if one.task == task}


def _untyped(pairs: set[tuple[Hashable, ...]]) -> set[tuple[Hashable, ...]]:
    """The pairs without the types of their ends."""
    return {pair[:5] for pair in pairs}


def _scores(n_hits: int, n_gold: int, n_predicted: int) -> dict[str, float]:
    precision = n_hits / n_predicted if n_predicted else 0.0
    recall = n_hits / n_gold if n_gold else 0.0
    f1 = 2 * precision * recall / (precision + recall) if n_hits else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}
