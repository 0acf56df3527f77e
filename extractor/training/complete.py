"""Completes annotated sentences: what their data doesn't mark is filled in with a model's confident predictions.

Gold stays as it is, and of a type or relation that a sentence marks completely nothing is added. What a model adds
says so (`by`), and what it scored between doubt and confidence is listed as doubtful: training masks it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from kgmill.extractor.candidates import Scored
from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair, gold_alone
from kgmill.extractor.data.convert import to_spert
from kgmill.extractor.data.partial import Partial
from kgmill.extractor.predict import Predictor
from kgmill.extractor.training.sets import COMPLETED
from kgmill.schemas.errors import OutputError
from kgmill.schemas.ontology import Ontology

_BATCH = 512


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Confidence, 0 to 1, from which on entities and relations are added; from `doubt` on they are masked."""

    entities: float = 0.5
    relations: float = 0.6
    doubt: float = 0.2


def complete(
    sentences: Sequence[AnnotatedSentence], predictor: Predictor, thresholds: Thresholds, fingerprint: str
) -> list[AnnotatedSentence]:
    """The sentences with what the model adds, each tagged with the model's fingerprint; earlier completions go."""
    completed = []
    floors = predictor.calibration.floors(thresholds.doubt)
    for begin in range(0, len(sentences), _BATCH):
        some = [gold_alone(sentence) for sentence in sentences[begin : begin + _BATCH]]
        found = predictor.predict([sentence.words for sentence in some], floors)
        for sentence, candidates in zip(some, found, strict=True):
            one = complete_sentence(sentence, predictor.calibration.apply(candidates), predictor.ontology, thresholds)
            tags = dict(sentence.tags) | {COMPLETED: fingerprint}
            completed.append(replace(one, tags=tuple(tags.items())))
    return completed


def complete_sentence(
    gold: AnnotatedSentence, candidates: Scored, ontology: Ontology, thresholds: Thresholds
) -> AnnotatedSentence:
    """One sentence with what the candidates add to it."""
    partial = gold.partial
    if partial is None:
        return replace(gold, entities=_likeliest_types(gold, candidates, ontology))
    added, spans = _add_entities(gold, partial, candidates, ontology, thresholds)
    entities = (*_likeliest_types(gold, candidates, ontology), *added)
    sentence = replace(gold, entities=entities)
    relations, pairs = _add_relations(sentence, partial, candidates, ontology, thresholds)
    return replace(
        sentence,
        relations=(*gold.relations, *relations),
        partial=replace(partial, spans=tuple(sorted(spans)), pairs=tuple(sorted(pairs))),
    )


def _likeliest_types(gold: AnnotatedSentence, candidates: Scored, ontology: Ontology) -> tuple[EntitySpan, ...]:
    """The gold entities; one that may have several types has the likeliest first in mind, and keeps the others."""
    row = {(int(a), int(b)): i for i, (a, b) in enumerate(candidates.spans)}
    column = {name: i for i, name in enumerate(ontology.entity_names)}

    def settle(entity: EntitySpan) -> EntitySpan:
        i = row.get((entity.start, entity.end))
        if not entity.types or i is None:
            return entity
        return replace(entity, type=max(entity.types, key=lambda name: candidates.mention_prob[i, column[name]]))

    return tuple(map(settle, gold.entities))


def _is_open(names: Iterable[str], complete: tuple[str, ...] | None) -> np.ndarray:
    """Of each type whether it is not marked completely."""
    return np.array([complete is not None and name not in complete for name in names], bool)


def _add_entities(
    gold: AnnotatedSentence, partial: Partial, candidates: Scored, ontology: Ontology, thresholds: Thresholds
) -> tuple[list[EntitySpan], set[tuple[int, int]]]:
    """The added entities, and the doubtful spans."""
    confident_NE = candidates.mention_prob * _is_open(ontology.entity_names, partial.types)
    best_N, column_N = confident_NE.max(axis=1), confident_NE.argmax(axis=1)
    spans = [(int(a), int(b)) for a, b in candidates.spans]
    marked = {(e.start, e.end) for e in gold.entities}
    chosen: list[EntitySpan] = []
    doubtful: set[tuple[int, int]] = set()
    for i in sorted(range(len(spans)), key=lambda i: (-best_N[i], spans[i])):
        if spans[i] in marked or (not ontology.overlapping_entities and _overlaps(spans[i], marked)):
            continue
        is_free = ontology.overlapping_entities or not _overlaps(spans[i], {(e.start, e.end) for e in chosen})
        if best_N[i] >= thresholds.entities and is_free:
            chosen.append(EntitySpan(*spans[i], ontology.entity_names[column_N[i]], by=COMPLETED))
        elif confident_NE[i].sum() >= thresholds.doubt:
            doubtful.add(spans[i])
    return sorted(chosen, key=lambda e: (e.start, e.end)), doubtful


def _overlaps(span: tuple[int, int], others: Iterable[tuple[int, int]]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in others)


def _add_relations(
    sentence: AnnotatedSentence, partial: Partial, candidates: Scored, ontology: Ontology, thresholds: Thresholds
) -> tuple[list[RelationPair], set[tuple[int, int]]]:
    """The added relations, and the doubtful pairs: those too that the model could not see."""
    is_open_R = _is_open(ontology.relation_names, partial.relations)
    scores, unseen = _score_pairs(sentence, candidates, ontology, is_open_R)
    held = {(r.head, r.tail) for r in sentence.relations}
    held |= {(r.tail, r.head) for r in sentence.relations if ontology.relations[r.type].symmetric}
    surest = [
        (float(confident_R[column]), pair, column)
        for pair, confident_R in scores.items()
        for column in np.flatnonzero((confident_R >= thresholds.relations) & (confident_R > 0)).tolist()
        if pair not in held
    ]
    added: dict[tuple[frozenset[int], int], RelationPair] = {}
    for _, (head, tail), column in sorted(surest, key=lambda one: (-one[0], one[1], one[2])):
        name = ontology.relation_names[column]
        if ontology.relations[name].symmetric:
            head, tail = min(head, tail), max(head, tail)
        added.setdefault((frozenset((head, tail)), column), RelationPair(head, tail, name, COMPLETED))
    known = held | {(r.head, r.tail) for r in added.values()}
    known |= {(r.tail, r.head) for r in added.values() if ontology.relations[r.type].symmetric}
    doubtful = unseen | {pair for pair, confident_R in scores.items() if confident_R.sum() >= thresholds.doubt}
    return sorted(added.values(), key=lambda r: (r.head, r.tail, r.type)), doubtful - known


def _score_pairs(
    sentence: AnnotatedSentence, candidates: Scored, ontology: Ontology, is_open_R: np.ndarray
) -> tuple[dict[tuple[int, int], np.ndarray], set[tuple[int, int]]]:
    """Of each scored pair the confidence, [R], in open relations that the ontology allows; and the pairs not scored.

    Those have an end that phase one did not see at all, so that nothing is known of them.
    """
    row = {(int(a), int(b)): i for i, (a, b) in enumerate(candidates.spans)}
    rows = [row.get((e.start, e.end), -1) for e in sentence.entities]
    found = {(int(h), int(t)): i for i, (h, t) in enumerate(candidates.pairs)}
    column = {name: i for i, name in enumerate(ontology.entity_names)}
    possible = [[column[name] for name in e.possible] for e in sentence.entities]
    allowed_EER = np.array(ontology.allowed, bool).reshape(len(column), len(column), -1)
    scores: dict[tuple[int, int], np.ndarray] = {}
    unseen: set[tuple[int, int]] = set()
    for head, tail in permutations(range(len(rows)), 2):
        allowed_R = allowed_EER[np.ix_(possible[head], possible[tail])].any(axis=(0, 1)) & is_open_R
        if not allowed_R.any():
            continue
        if min(rows[head], rows[tail]) < 0:
            unseen.add((head, tail))
        elif (i := found.get((rows[head], rows[tail]))) is not None:
            scores[head, tail] = candidates.relation_prob[i] * allowed_R
    return scores, unseen


def write_completed(sentences: Sequence[AnnotatedSentence], path: Path) -> None:
    """Writes a SpERT JSON file, whole or not at all.

    Raises:
        OutputError: it can't be written.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(to_spert(list(sentences)), encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from None


_DOUBTFUL = ("spans", "pairs")


def count(sentences: Sequence[AnnotatedSentence]) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """The number of entities, and of relations, by type and by who marked them (`gold` or `completed`)."""
    entities = Counter((e.type, e.by or "gold") for s in sentences for e in s.entities)
    relations = Counter((r.type, r.by or "gold") for s in sentences for r in s.relations)
    return entities, relations


def counted(sentences: Sequence[AnnotatedSentence]) -> dict[str, Any]:
    """What is gold and what was added, by type, and how much is doubtful, for programs."""
    found: dict[str, Any] = {"sentences": len(sentences)}
    for title, counts in zip(("entities", "relations"), count(sentences), strict=True):
        names = sorted({name for name, _ in counts})
        found[title] = {name: {by: counts[name, by] for by in ("gold", COMPLETED)} for name in names}
    found["doubtful"] = {key: sum(len(getattr(s.partial, key)) for s in sentences if s.partial) for key in _DOUBTFUL}
    return found


def format_counts(sentences: Sequence[AnnotatedSentence]) -> str:
    """A table of what is gold and what was added, by type, and how much is doubtful."""
    lines = [f"{'':32}{'gold':>10}{'completed':>12}"]
    for title, counts in zip(("entities", "relations"), count(sentences), strict=True):
        total = Counter[str]()
        for (_, by), n in counts.items():
            total[by] += n
        lines.append(f"{title:32}{total['gold']:>10}{total[COMPLETED]:>12}")
        for name in sorted({name for name, _ in counts}):
            lines.append(f"  {name:30}{counts[name, 'gold']:>10}{counts[name, COMPLETED]:>12}")
    doubtful = counted(sentences)["doubtful"]
    lines.append(f"doubtful: {doubtful['spans']} spans and {doubtful['pairs']} pairs")
    return "\n".join(lines)
