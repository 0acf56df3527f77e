"""Precision, recall and F1 of entities and relations: strict and boundaries, micro and macro, by type.

Entities, strict: span and type; boundaries: span. Relations, strict: type, both spans and both entity types;
boundaries: type and both spans. Source: section 4.2, Eq. 17. A symmetric relation has no direction: gold and predicted
ones are turned so that their first end comes first in the sentence, and count once.

Of a sentence that is not annotated completely, a prediction of a type that it does not mark completely counts where it
is right, and else not at all. An entity of which the data says no single type is right under each that it may have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kgmill.extractor.data.annotated import AnnotatedSentence, gold_alone
from kgmill.extractor.decode import DecodedMention, DecodedRelation

Prediction = tuple[Sequence[DecodedMention], Sequence[DecodedRelation]]
Items = set[tuple[Any, ...]]  # each begins with its type
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
    items: dict[str, list[tuple[Items, Items]]] = {
        name: [] for name in ("entities strict", "entities boundaries", "relations strict", "relations boundaries")
    }
    for annotated, (mentions, relations) in zip(gold, predicted, strict=True):
        sentence = as_gold(annotated, mentions)
        _, relation_types = complete_types(sentence)
        entities, pairs = judge(sentence, mentions, relations, symmetric)
        typed, found = entities.gold, entities.counted
        spans, found_spans = ({(_ANY, *item[1:]) for item in items} for items in (typed, found))
        found_spans |= spans & {(_ANY, m.start, m.end) for m in mentions}
        lost = _missed(sentence, "entity")
        items["entities strict"].append((typed | lost, found))
        items["entities boundaries"].append((spans | {(_ANY, *item[1:]) for item in lost}, found_spans))
        untyped, lost = _untyped(pairs.gold), _missed(sentence, "relation")
        items["relations strict"].append((pairs.gold | lost, pairs.counted))
        found_untyped = _counted(_untyped(pairs.predicted), untyped, relation_types)
        items["relations boundaries"].append((untyped | lost, found_untyped))
    report: dict[str, Any] = {"entities": {}, "relations": {}}
    for name, sets in items.items():
        task, protocol = name.split()
        report[task][protocol] = prf(sets)
    return report


@dataclass(frozen=True, slots=True)
class Judged:
    """What a sentence has of a task, and what was predicted: items as they are compared, strictly.

    Entities are (type, start, end), relations what `pair` gives; `counted` are those predicted that are right or wrong.
    """

    gold: Items
    predicted: Items
    counted: Items


def judge(
    sentence: AnnotatedSentence,
    mentions: Sequence[DecodedMention],
    relations: Sequence[DecodedRelation],
    symmetric: Collection[str],
) -> tuple[Judged, Judged]:
    """The entities and the relations of a sentence, as `as_gold` gives it, beside those predicted."""
    types, relation_types = complete_types(sentence)
    typed, found = _typed(sentence.entities), _typed(mentions)
    pairs, found_pairs = (
        _pairs(sentence.entities, sentence.relations, symmetric),
        _pairs(mentions, relations, symmetric),
    )
    return (
        Judged(typed, found, _counted(found, typed, types)),
        Judged(pairs, found_pairs, _counted(found_pairs, pairs, relation_types)),
    )


def as_gold(sentence: AnnotatedSentence, mentions: Sequence[DecodedMention]) -> AnnotatedSentence:
    """The sentence as predictions are held against it: what a model marked is gone, each entity has one type.

    That type is the predicted one, where the entity may have it.
    """
    sentence = gold_alone(sentence)
    if not any(e.types for e in sentence.entities):
        return sentence
    predicted = {(m.start, m.end, m.type) for m in mentions}
    entities = []
    for e in sentence.entities:
        right = [name for name in e.types if (e.start, e.end, name) in predicted]
        entities.append(replace(e, type=right[0]) if right else e)
    return replace(sentence, entities=tuple(entities))


def n_not_counted(
    gold: Sequence[AnnotatedSentence], predicted: Sequence[Prediction], symmetric: Collection[str] = ()
) -> dict[str, int]:
    """How many predicted entities and relations are neither right nor wrong, as their sentences don't mark such ones.

    Empty where every sentence is annotated completely.
    """
    counts = {"entities": 0, "relations": 0}
    if not any(sentence.partial for sentence in gold):
        return {}
    for annotated, (mentions, relations) in zip(gold, predicted, strict=True):
        judged = judge(as_gold(annotated, mentions), mentions, relations, symmetric)
        for task, one in zip(counts, judged, strict=True):
            counts[task] += len(one.predicted - one.counted)
    return counts


def score_by_size(
    gold: Sequence[AnnotatedSentence], predicted: Sequence[Prediction], symmetric: Collection[str] = ()
) -> dict[str, dict[str, dict[str, float]]]:
    """Strict scores of entities by length and of relations by distance, both in words; support is of gold.

    Source: section 4.4, Fig. 3 and 4 (the paper's intervals, and one for longer entities).
    """
    entities: list[tuple[Items, Items]] = []
    relations: list[tuple[Items, Items]] = []
    for annotated, (mentions, pairs) in zip(gold, predicted, strict=True):
        sentence = as_gold(annotated, mentions)
        types, relation_types = complete_types(sentence)
        spans = _by_length(sentence.entities)
        entities.append((spans, _counted(_by_length(mentions), spans, types, at=1)))
        related = _by_distance(sentence.entities, sentence.relations, symmetric)
        found = _by_distance(mentions, pairs, symmetric)
        relations.append((related, _counted(found, related, relation_types, at=1)))
    return {"entity length": prf(entities)["by_type"], "relation distance": prf(relations)["by_type"]}


def _interval(value: int, intervals: Sequence[tuple[int, int]]) -> str:
    for low, high in intervals:
        if value <= high:
            return str(low) if low == high else f"{low}-{high}"
    return f">{intervals[-1][1]}"


def _by_length(spans: Sequence[Any]) -> Items:
    return {(_interval(s.end - s.start, LENGTHS), s.type, s.start, s.end) for s in spans}


def _by_distance(spans: Sequence[Any], relations: Sequence[Any], symmetric: Collection[str]) -> Items:
    items: Items = set()
    for r in relations:
        head, tail = turned(spans, r, symmetric)
        words = max(0, max(head.start, tail.start) - min(head.end, tail.end))
        ends = (head.type, head.start, head.end, tail.type, tail.start, tail.end)
        items.add((_interval(words, DISTANCES), r.type, *ends))
    return items


def prf(sets: Iterable[tuple[Items, Items]]) -> dict[str, Any]:
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


def _pairs(spans: Sequence[Any], relations: Sequence[Any], symmetric: Collection[str]) -> Items:
    return {pair(spans, r, symmetric) for r in relations}


def pair(spans: Sequence[Any], relation: Any, symmetric: Collection[str]) -> tuple[Any, ...]:
    """A relation as it is compared: type, both spans, both types; of a symmetric one the first end comes first."""
    head, tail = turned(spans, relation, symmetric)
    return relation.type, head.start, head.end, tail.start, tail.end, head.type, tail.type


def complete_types(sentence: AnnotatedSentence) -> tuple[Collection[str] | None, Collection[str] | None]:
    """The entity types and the relations that a sentence marks completely; None: all."""
    return (sentence.partial.types, sentence.partial.relations) if sentence.partial else (None, None)


def is_known(name: str, complete: Collection[str] | None) -> bool:
    """Whether what a sentence does not mark of a type is absent from it, and so wrong where it is predicted."""
    return complete is None or name in complete


def _typed(spans: Sequence[Any]) -> Items:
    return {(span.type, span.start, span.end) for span in spans}


def _counted(found: Items, gold: Items, complete: Collection[str] | None, at: int = 0) -> Items:
    """What counts of the predicted items: what is right, and what is of a complete type, which stands `at` a place."""
    return found if complete is None else {item for item in found if item in gold or is_known(str(item[at]), complete)}


def _missed(sentence: AnnotatedSentence, task: str) -> Items:
    """What no prediction can find, each an item that begins with its type."""
    return {(one.type, "unused", i) for i, one in enumerate(sentence.unused) if one.task == task}


def _untyped(pairs: Items) -> Items:
    """The pairs without the types of their ends."""
    return {pair[:5] for pair in pairs}


def _scores(n_hits: int, n_gold: int, n_predicted: int) -> dict[str, float]:
    precision = n_hits / n_predicted if n_predicted else 0.0
    recall = n_hits / n_gold if n_gold else 0.0
    f1 = 2 * precision * recall / (precision + recall) if n_hits else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}
