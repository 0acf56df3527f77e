"""Passages: sentences that the model reads together, so that a relation may join two of them.

A passage is a run of up to `n` sentences of one block of a text (a paragraph, an item, a cell); the next one begins
with the last sentence of the one before, so that all neighbours meet once, and n - 1 new sentences are read at the cost
of n. A sentence's own candidates come from the first passage that holds it, which shows most of what stands before it.

Source: none in the paper, which reads sentences; docs/experiments.md has what passages gain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import TYPE_CHECKING

import numpy as np

from kgmill.extractor.candidates import Candidates

if TYPE_CHECKING:  # whoever only reads links needs no tokeniser
    from kgmill.extractor.text.split import SentenceText


@dataclass(frozen=True, slots=True)
class Link:
    """Candidate pairs of a mention of one sentence and a mention of a later one. M pairs, R relation types.

    Attributes:
        first, second: the sentences' numbers in their document.
        pairs: int32 [M, 2], head and tail as rows of the spans of both, those of `first` before those of `second`.
        pair_margin: float32 [M], as in `Candidates`.
        relation_logits: float32 [M, R], as in `Candidates`.
    """

    first: int
    second: int
    pairs: np.ndarray
    pair_margin: np.ndarray
    relation_logits: np.ndarray

    def between(self, first: Candidates, second: Candidates) -> Candidates:
        """The spans of both sentences, given in one unit, with the pairs that join them."""
        return Candidates(
            np.concatenate((first.spans, second.spans)),
            np.concatenate((first.entity_margin, second.entity_margin)),
            np.concatenate((first.type_logits, second.type_logits)),
            self.pairs,
            self.pair_margin,
            self.relation_logits,
        )


@dataclass(frozen=True, slots=True)
class Found:
    """What the model made of a document: the candidates of each sentence, spans in its words, and what joins them."""

    sentences: list[Candidates]
    links: list[Link]


@dataclass(frozen=True, slots=True)
class Passages:
    """Documents cut into passages.

    Attributes:
        words: of each passage, the words of its sentences.
        runs: of each document, the first sentence of each of its passages and the one after its last.
        lengths: of each document, the number of words of each sentence.
    """

    words: list[tuple[str, ...]]
    runs: list[list[tuple[int, int]]]
    lengths: list[list[int]]

    @classmethod
    def of(cls, documents: Sequence[Sequence[SentenceText]], n: int) -> Passages:
        """The passages of up to `n` sentences of documents; with 1, each sentence is one."""
        runs = [list(passage_bounds([s.block for s in sentences], n)) for sentences in documents]
        words = [
            tuple(word for sentence in sentences[first:end] for word in sentence.words)
            for sentences, bounds in zip(documents, runs, strict=True)
            for first, end in bounds
        ]
        return cls(words, runs, [[len(s.words) for s in sentences] for sentences in documents])

    def split(self, found: Sequence[Candidates]) -> Iterator[Found]:
        """What was found in each document, from what was found in each passage."""
        passages = iter(found)
        for runs, lengths in zip(self.runs, self.lengths, strict=True):
            yield _split_document(runs, lengths, [next(passages) for _ in runs])


def passage_bounds(blocks: Sequence[int], n: int) -> Iterator[tuple[int, int]]:
    """The first sentence of each passage and the one after its last, from the block that each sentence is of.

    >>> list(passage_bounds([0, 0, 0, 0, 0, 0, 1], 3)), list(passage_bounds([0, 0], 1))
    ([(0, 3), (2, 5), (4, 6), (6, 7)], [(0, 1), (1, 2)])
    """
    for _, block in groupby(range(len(blocks)), blocks.__getitem__):
        numbers = list(block)
        first, end = numbers[0], numbers[-1] + 1
        while True:
            yield first, min(first + n, end)
            if first + n >= end:
                break
            first += max(1, n - 1)


def _split_document(runs: Sequence[tuple[int, int]], lengths: Sequence[int], found: Sequence[Candidates]) -> Found:
    """The candidates of a document's sentences, and links between them, from those of its passages."""
    sentences: list[Candidates] = []
    links: list[Link] = []
    for (first, end), candidates in zip(runs, found, strict=True):
        if end == first + 1:
            sentences += [candidates] * (len(sentences) == first)
            continue
        parts = _parts(lengths[first:end], candidates)
        sentences += [part for number, part in enumerate(parts.sentences, first) if number >= len(sentences)]
        links += _links(first, parts, candidates, sentences)
    return Found(sentences, links)


@dataclass(frozen=True, slots=True)
class _Parts:
    """A passage's candidates by sentence; `sentence_N` has each span's (-1: of none), `spans` its words there."""

    sentences: list[Candidates]
    sentence_N: np.ndarray
    spans: np.ndarray


def _parts(lengths: Sequence[int], candidates: Candidates) -> _Parts:
    """A passage's candidates by sentence, from the sentences' numbers of words. No mention leaves its sentence."""
    bounds = np.array([0, *accumulate(lengths)], np.int32)
    sentence_N = np.searchsorted(bounds, candidates.spans[:, 0], side="right") - 1
    sentence_N = np.where(candidates.spans[:, 1] <= bounds[sentence_N + 1], sentence_N, -1)
    spans = candidates.spans - bounds[np.maximum(sentence_N, 0)][:, None]
    ends_M2 = sentence_N[candidates.pairs]
    sentences = []
    for number in range(len(lengths)):
        rows = np.flatnonzero(sentence_N == number)
        here = np.flatnonzero((ends_M2 == number).all(axis=1))
        sentences.append(
            Candidates(
                spans[rows],
                candidates.entity_margin[rows],
                candidates.type_logits[rows],
                np.searchsorted(rows, candidates.pairs[here]).astype(np.int32).reshape(-1, 2),
                candidates.pair_margin[here],
                candidates.relation_logits[here],
            )
        )
    return _Parts(sentences, sentence_N, spans)


def _links(first: int, parts: _Parts, candidates: Candidates, sentences: Sequence[Candidates]) -> Iterator[Link]:
    """The links of a passage that begins with sentence `first`, of ends that are candidates of their sentences."""
    row_N = np.full(len(parts.spans), -1)
    for number in range(len(parts.sentences)):
        rows = np.flatnonzero(parts.sentence_N == number)
        kept = {span: i for i, span in enumerate(map(tuple, sentences[first + number].spans.tolist()))}
        row_N[rows] = [kept.get((a, b), -1) for a, b in parts.spans[rows].tolist()]
    ends_M2 = parts.sentence_N[candidates.pairs]
    is_link = (ends_M2[:, 0] != ends_M2[:, 1]) & (row_N[candidates.pairs] >= 0).all(axis=1)
    low_M, high_M = ends_M2.min(axis=1), ends_M2.max(axis=1)
    for low, high in sorted(set(zip(low_M[is_link].tolist(), high_M[is_link].tolist(), strict=True))):
        here = np.flatnonzero(is_link & (low_M == low) & (high_M == high))
        shift_M2 = np.where(ends_M2[here] == high, len(sentences[first + low].spans), 0)
        pairs = row_N[candidates.pairs[here]] + shift_M2
        order = np.lexsort((pairs[:, 1], pairs[:, 0]))
        here = here[order]
        yield Link(
            first + low,
            first + high,
            pairs[order].astype(np.int32),
            candidates.pair_margin[here],
            candidates.relation_logits[here],
        )
