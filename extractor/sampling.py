"""Training instances of a batch: gold spans and pairs with sampled negatives, by SpERT's rule.

Source: section 4.2 (the negative sampling strategy of SpERT): up to `negative_spans` random spans a sentence that are
no entities, and up to `negative_pairs` ordered pairs of gold entities that hold no relation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from extractor.annotated import AnnotatedSentence, EntitySpan, RelationPair
from extractor.encoding import Window
from extractor.model import Pairs, Spans
from schemas.ontology import Ontology


@dataclass(frozen=True, slots=True)
class Instances:
    """What one step learns from. Types are columns, -1 for negatives.

    A pair that holds several relations is one instance for each: the softmax of phase two then learns to share its
    probability among them.
    """

    spans: Spans
    span_type_S: Tensor
    pairs: Pairs
    pair_type_P: Tensor

    def to(self, device: torch.device) -> Instances:
        """The same instances on a device."""
        return Instances(
            self.spans.to(device), self.span_type_S.to(device), self.pairs.to(device), self.pair_type_P.to(device)
        )


def sample(
    windows: Sequence[Window],
    sentences: Sequence[AnnotatedSentence],
    ontology: Ontology,
    max_span_width: int,
    n_negatives: tuple[int, int],
    rng: np.random.Generator,
) -> Instances:
    """The instances of a batch; `n_negatives` are the most negative spans and pairs a window.

    Entities wider than `max_span_width`, and gold that a window cuts, are left out with their relations.
    """
    spans: list[np.ndarray] = []
    ends: list[np.ndarray] = []
    pairs: list[np.ndarray] = []
    n_ends = 0
    for row, window in enumerate(windows):
        entities, relations = _gold_inside(window, sentences[window.sentence], max_span_width)
        spans.append(_spans(row, window.n_words, entities, ontology, max_span_width, n_negatives[0], rng))
        found = _pairs(entities, relations, ontology, n_negatives[1], rng)
        found[:, :2] += n_ends
        n_ends += len(entities)
        pairs.append(found)
        ends.append(spans[-1][: len(entities)])  # gold comes first
    span_S4, entity_N4, pair_P3 = (torch.from_numpy(np.concatenate(rows)) for rows in (spans, ends, pairs))
    return Instances(
        Spans(*span_S4.T[:3]),
        span_S4[:, 3],
        Pairs(Spans(*entity_N4.T[:3]), entity_N4[:, 3], pair_P3[:, 0], pair_P3[:, 1]),
        pair_P3[:, 2],
    )


def all_spans(n_words: int, max_width: int) -> np.ndarray:
    """All (start, end) of up to `max_width` words, [N, 2], by start, then width (Eq. 1)."""
    start = np.repeat(np.arange(n_words), max_width)
    end = start + np.tile(np.arange(1, max_width + 1), n_words)
    return np.stack((start, end), axis=1)[end <= n_words]


def _gold_inside(
    window: Window, sentence: AnnotatedSentence, max_width: int
) -> tuple[list[EntitySpan], list[RelationPair]]:
    begin, end = window.first_word, window.first_word + window.n_words
    kept: dict[int, int] = {}
    entities: list[EntitySpan] = []
    for i, e in enumerate(sentence.entities):
        if begin <= e.start and e.end <= end and e.end - e.start <= max_width:
            kept[i] = len(entities)
            entities.append(EntitySpan(e.start - begin, e.end - begin, e.type))
    relations = [
        RelationPair(kept[r.head], kept[r.tail], r.type)
        for r in sentence.relations
        if r.head in kept and r.tail in kept
    ]
    return entities, relations


def _spans(
    row: int,
    n_words: int,
    entities: list[EntitySpan],
    ontology: Ontology,
    max_width: int,
    n_negatives: int,
    rng: np.random.Generator,
) -> np.ndarray:
    column = {name: i for i, name in enumerate(ontology.entity_names)}
    gold = np.array([(row, e.start, e.end, column[e.type]) for e in entities], np.int64).reshape(-1, 4)
    spans = all_spans(n_words, max_width)
    codes = spans[:, 0] * (max_width + 1) + spans[:, 1] - spans[:, 0]
    gold_codes = gold[:, 1] * (max_width + 1) + gold[:, 2] - gold[:, 1]
    negative = spans[~np.isin(codes, gold_codes)]
    if len(negative) > n_negatives:
        negative = negative[np.sort(rng.choice(len(negative), n_negatives, replace=False))]
    filled = np.column_stack((np.full(len(negative), row), negative, np.full(len(negative), -1)))
    return np.concatenate((gold, filled))


def _pairs(
    entities: list[EntitySpan],
    relations: list[RelationPair],
    ontology: Ontology,
    n_negatives: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Head, tail (indices into `entities`) and relation column of each pair, [P, 3]."""
    column = {name: i for i, name in enumerate(ontology.relation_names)}
    gold = [(r.head, r.tail, column[r.type]) for r in relations]
    related = {(r.head, r.tail) for r in relations}
    related |= {(r.tail, r.head) for r in relations if ontology.relations[r.type].symmetric}
    n = len(entities)
    negative = [(i, j, -1) for i in range(n) for j in range(n) if i != j and (i, j) not in related]
    if len(negative) > n_negatives:
        chosen = np.sort(rng.choice(len(negative), n_negatives, replace=False))
        negative = [negative[i] for i in chosen]
    return np.array([*gold, *negative], np.int64).reshape(-1, 3)
