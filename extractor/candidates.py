"""Candidates of a sentence: what prediction keeps, and, with probabilities, what decoding chooses from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Candidates:
    """Spans and pairs above the floor, as arrays. N spans, M ordered pairs, E entity types, R relation types.

    Logits, not probabilities: in single precision a probability near 1 can't be told from 1, and a calibration needs
    to. `Calibration.apply` makes probabilities of them.

    Attributes:
        spans: int32 [N, 2], start and end, sorted. The unit is the caller's: words, or characters.
        entity_margin: float32 [N], phase one: the log-odds, as trained, that the span is an entity.
        type_logits: float32 [N, E], phase two, before its softmax.
        pairs: int32 [M, 2], head and tail as rows of `spans`, sorted.
        pair_margin: float32 [M], phase one: the log-odds, as trained, that the pair holds a relation.
        relation_logits: float32 [M, R], phase two, before its softmax.
    """

    spans: np.ndarray
    entity_margin: np.ndarray
    type_logits: np.ndarray
    pairs: np.ndarray
    pair_margin: np.ndarray
    relation_logits: np.ndarray

    def with_spans(self, spans: np.ndarray) -> Candidates:
        """The same candidates with their spans in another unit, row by row."""
        return replace(self, spans=spans)


@dataclass(frozen=True, slots=True)
class Scored:
    """Candidates with calibrated probabilities: what decoding chooses from.

    Attributes:
        spans, pairs: those of the candidates.
        mention_prob: float64 [N, E], that the span is an entity of the type.
        relation_prob: float64 [M, R], that the pair holds the relation.
    """

    spans: np.ndarray
    mention_prob: np.ndarray
    pairs: np.ndarray
    relation_prob: np.ndarray


@dataclass(frozen=True, slots=True)
class Floors:
    """The least margins of phase one, of spans and of pairs, that prediction keeps."""

    entity: float
    relation: float


EVERYTHING = Floors(-np.inf, -np.inf)  # up to two spans a word, and all their pairs: hundreds of times the work


def empty(n_entity_types: int, n_relation_types: int) -> Candidates:
    """No candidates."""
    return Candidates(
        np.zeros((0, 2), np.int32),
        np.zeros(0, np.float32),
        np.zeros((0, n_entity_types), np.float32),
        np.zeros((0, 2), np.int32),
        np.zeros(0, np.float32),
        np.zeros((0, n_relation_types), np.float32),
    )


def merge_windows(parts: Sequence[tuple[int, int, Candidates]], n_words: int) -> Candidates:
    """One sentence's candidates from its overlapping windows, each (first word, words in it, candidates).

    A span or pair that several windows saw is taken from the window that shows the most words around it on its poorer
    side; of equal ones, from the first. Pairs whose ends never share a window are not seen.
    """
    if len(parts) == 1:
        return parts[0][2]
    spans: dict[tuple[int, int], tuple[int, int, int]] = {}
    pairs: dict[tuple[int, int, int, int], tuple[int, int, int]] = {}
    for p, (first, size, part) in enumerate(parts):
        shifted = (part.spans + first).tolist()
        for i, (start, end) in enumerate(shifted):
            _offer(spans, (start, end), (_margin(start, end, first, size, n_words), -p, i))
        for i, (head, tail) in enumerate(part.pairs.tolist()):
            (a, b), (c, d) = shifted[head], shifted[tail]
            _offer(pairs, (a, b, c, d), (_margin(min(a, c), max(b, d), first, size, n_words), -p, i))
    row = {span: i for i, span in enumerate(sorted(spans))}
    chosen_spans = [(-spans[span][1], spans[span][2]) for span in sorted(spans)]
    chosen_pairs = [(key, -pairs[key][1], pairs[key][2]) for key in sorted(pairs)]
    blank = empty(parts[0][2].type_logits.shape[1], parts[0][2].relation_logits.shape[1])
    return Candidates(
        np.array(sorted(spans), np.int32).reshape(-1, 2),
        _pick(blank.entity_margin, [parts[p][2].entity_margin[i] for p, i in chosen_spans]),
        _pick(blank.type_logits, [parts[p][2].type_logits[i] for p, i in chosen_spans]),
        np.array([(row[k[:2]], row[k[2:]]) for k, _, _ in chosen_pairs], np.int32).reshape(-1, 2),
        _pick(blank.pair_margin, [parts[p][2].pair_margin[i] for _, p, i in chosen_pairs]),
        _pick(blank.relation_logits, [parts[p][2].relation_logits[i] for _, p, i in chosen_pairs]),
    )


def _margin(start: int, end: int, first: int, size: int, n_words: int) -> int:
    left = n_words if first == 0 else start - first
    right = n_words if first + size == n_words else first + size - end
    return min(left, right)


def _offer(best: dict[Key, tuple[int, int, int]], key: Key, offer: tuple[int, int, int]) -> None:
    if key not in best or offer[:2] > best[key][:2]:
        best[key] = offer


def _pick(blank: np.ndarray, rows: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack(rows).astype(np.float32) if rows else blank
