"""Training instances of a batch: gold spans and pairs with sampled negatives, by SpERT's rule.

Source: section 4.2 (the negative sampling strategy of SpERT): up to `negative_spans` random spans a sentence that are
no entities, and up to `negative_pairs` ordered pairs of gold entities that hold no relation.

Where a sentence is not annotated completely (`Partial`), only what is known to be no entity, or to hold no relation,
is a negative: what is unknown is no instance, so it moves no weight. What is marked learns what the sentence's `tasks`
say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair
from kgmill.extractor.data.partial import Partial
from kgmill.extractor.neural.encoding import Window
from kgmill.extractor.neural.spans import Pairs, Spans
from kgmill.schemas.ontology import Ontology, RelationType


@dataclass(frozen=True, slots=True)
class Known:
    """What of N instances is known, where not everything is. C types.

    Attributes:
        phase_one_N: bool, whether phase one learns from the instance.
        phase_two_N: bool, whether phase two does.
        among_NC: bool, the types that an instance may have; of a negative none.
    """

    phase_one_N: Tensor
    phase_two_N: Tensor
    among_NC: Tensor

    def to(self, device: torch.device) -> Known:
        """The same on a device."""
        return Known(self.phase_one_N.to(device), self.phase_two_N.to(device), self.among_NC.to(device))


@dataclass(frozen=True, slots=True)
class Instances:
    """What one step learns from. Types are columns, -1 for negatives.

    A pair that holds several relations is one instance for each: the softmax of phase two then learns to share its
    probability among them. `span_known` and `pair_known` are there where a sentence of the batch is partly annotated.
    """

    spans: Spans
    span_type_S: Tensor
    pairs: Pairs
    pair_type_P: Tensor
    span_known: Known | None = None
    pair_known: Known | None = None

    def to(self, device: torch.device) -> Instances:
        """The same instances on a device."""
        return Instances(
            self.spans.to(device),
            self.span_type_S.to(device),
            self.pairs.to(device),
            self.pair_type_P.to(device),
            self.span_known and self.span_known.to(device),
            self.pair_known and self.pair_known.to(device),
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
    inside = [
        _gold_inside(w.first_word, w.first_word + w.n_words, sentences[w.sentence], max_span_width) for w in windows
    ]
    n_ends = 0
    for row, (window, gold) in enumerate(zip(windows, inside, strict=True)):
        entity_rows = _entities(row, gold.entities, ontology)
        spans.append(_spans(row, window.n_words, gold, entity_rows, ontology, max_span_width, n_negatives[0], rng))
        found = _pairs(gold, ontology, n_negatives[1], rng)
        found[:, :2] += n_ends
        n_ends += len(gold.entities)
        pairs.append(found)
        ends.append(entity_rows)
    span_S4, entity_N4, pair_P3 = (torch.from_numpy(np.concatenate(rows)) for rows in (spans, ends, pairs))
    span_type_S, pair_type_P = span_S4[:, 3], pair_P3[:, 2]
    span_known = pair_known = None
    if any(gold.is_partial for gold in inside):
        span_known = _known(inside, spans, ("spans", "types"), span_type_S, len(ontology.entities))
        pair_known = _known(inside, pairs, ("pairs", "relations"), pair_type_P, len(ontology.relations))
        _widen(span_known.among_NC, inside, spans, ontology)
    return Instances(
        Spans(*span_S4.T[:3]),
        span_type_S,
        Pairs(Spans(*entity_N4.T[:3]), entity_N4[:, 3], pair_P3[:, 0], pair_P3[:, 1]),
        pair_type_P,
        span_known,
        pair_known,
    )


def all_spans(n_words: int, max_width: int) -> np.ndarray:
    """All (start, end) of up to `max_width` words, [N, 2], by start, then width (Eq. 1)."""
    start = np.repeat(np.arange(n_words), max_width)
    end = start + np.tile(np.arange(1, max_width + 1), n_words)
    return np.stack((start, end), axis=1)[end <= n_words]


@dataclass(frozen=True, slots=True)
class Gold:
    """What is marked in a window, counted from its first word, and what is known of the rest."""

    entities: list[EntitySpan]
    relations: list[RelationPair]
    partial: Partial

    @property
    def is_partial(self) -> bool:
        """Whether something of it is masked, or a type is not known for sure."""
        return self.partial != _COMPLETE or any(e.types for e in self.entities)


_COMPLETE = Partial()


def _gold_inside(begin: int, end: int, sentence: AnnotatedSentence, max_width: int) -> Gold:
    kept: dict[int, int] = {}
    entities: list[EntitySpan] = []
    for i, e in enumerate(sentence.entities):
        if begin <= e.start and e.end <= end and e.end - e.start <= max_width:
            kept[i] = len(entities)
            entities.append(EntitySpan(e.start - begin, e.end - begin, e.type, e.types))
    relations = [
        RelationPair(kept[r.head], kept[r.tail], r.type)
        for r in sentence.relations
        if r.head in kept and r.tail in kept
    ]
    partial = sentence.partial or _COMPLETE
    if partial.spans or partial.pairs:
        spans = tuple((a - begin, b - begin) for a, b in partial.spans if begin <= a and b <= end)
        pairs = tuple((kept[h], kept[t]) for h, t in partial.pairs if h in kept and t in kept)
        partial = replace(partial, spans=spans, pairs=pairs)
    return Gold(entities, relations, partial)


def _entities(row: int, entities: list[EntitySpan], ontology: Ontology) -> np.ndarray:
    """Row, start, end and type column of each entity, [N, 4]."""
    column = {name: i for i, name in enumerate(ontology.entity_names)}
    return np.array([(row, e.start, e.end, column[e.type]) for e in entities], np.int64).reshape(-1, 4)


def _spans(
    row: int,
    n_words: int,
    gold: Gold,
    entity_N4: np.ndarray,
    ontology: Ontology,
    max_width: int,
    n_negatives: int,
    rng: np.random.Generator,
) -> np.ndarray:
    tasks = gold.partial.tasks
    learnt = entity_N4 if "spans" in tasks or "types" in tasks else entity_N4[:0]
    negative = unknown_left_out(all_spans(n_words, max_width), gold, entity_N4[:, 1:3], ontology)
    if len(negative) > n_negatives:
        negative = negative[np.sort(rng.choice(len(negative), n_negatives, replace=False))]
    filled = np.column_stack((np.full(len(negative), row), negative, np.full(len(negative), -1)))
    return np.concatenate((learnt, filled))


def unknown_left_out(spans_S2: np.ndarray, gold: Gold, entity_N2: np.ndarray, ontology: Ontology) -> np.ndarray:
    """The spans that are known to be no entities.

    Where not all types are marked, only a span that overlaps an entity is known, if entities don't overlap.
    """
    partial = gold.partial
    if "spans" not in partial.tasks:
        return spans_S2[:0]
    masked_M2 = np.array([*map(tuple, entity_N2), *partial.spans], np.int64).reshape(-1, 2)
    codes, masked = (a[:, 0] * _WIDER_THAN_ANY + a[:, 1] for a in (spans_S2, masked_M2))
    negative = spans_S2[~np.isin(codes, masked)]
    if partial.types is None or set(ontology.entities) <= set(partial.types):
        return negative
    if ontology.overlapping_entities or not len(entity_N2):
        return negative[:0]
    is_over = (negative[:, :1] < entity_N2[:, 1]) & (entity_N2[:, 0] < negative[:, 1:])
    return negative[is_over.any(axis=1)]


_WIDER_THAN_ANY = 1 << 20


def _pairs(gold: Gold, ontology: Ontology, n_negatives: int, rng: np.random.Generator) -> np.ndarray:
    """Head, tail (indices into `entities`) and relation column of each pair, [P, 3]."""
    column = {name: i for i, name in enumerate(ontology.relation_names)}
    tasks = gold.partial.tasks
    is_learnt = "pairs" in tasks or "relations" in tasks
    related = [(r.head, r.tail, column[r.type]) for r in gold.relations if is_learnt]
    negative = unrelated(gold, ontology)
    if len(negative) > n_negatives:
        chosen = np.sort(rng.choice(len(negative), n_negatives, replace=False))
        negative = [negative[i] for i in chosen]
    return np.array([*related, *((h, t, -1) for h, t in negative)], np.int64).reshape(-1, 3)


def unrelated(gold: Gold, ontology: Ontology) -> list[tuple[int, int]]:
    """The pairs of entities that are known to hold no relation.

    Where not all relations are marked, those are pairs between whose types the ontology allows none of the others.
    """
    partial, entities = gold.partial, gold.entities
    if "pairs" not in partial.tasks:
        return []
    known = {(r.head, r.tail) for r in gold.relations}
    known |= {(r.tail, r.head) for r in gold.relations if ontology.relations[r.type].symmetric}
    known.update(partial.pairs)
    n = len(entities)
    negative = [(i, j) for i in range(n) for j in range(n) if i != j and (i, j) not in known]
    if partial.relations is None:
        return negative
    unmarked = [r for name, r in ontology.relations.items() if name not in partial.relations]
    return [(i, j) for i, j in negative if not any(may_join(r, entities[i], entities[j]) for r in unmarked)]


def count_pairs(
    sentence: AnnotatedSentence, ontology: Ontology, max_span_width: int, n_negatives: int
) -> tuple[int, int]:
    """How many related and unrelated pairs of a sentence phase one learns from."""
    gold = _gold_inside(0, len(sentence.words), sentence, max_span_width)
    n_related = len(gold.relations) if "pairs" in gold.partial.tasks else 0
    return n_related, min(n_negatives, len(unrelated(gold, ontology)))


def may_join(relation: RelationType, head: EntitySpan, tail: EntitySpan) -> bool:
    """Whether the ontology lets a relation join two entities, of any types that they may have."""
    return not (set(relation.head).isdisjoint(head.possible) or set(relation.tail).isdisjoint(tail.possible))


def _known(
    inside: Sequence[Gold], rows: Sequence[np.ndarray], tasks: tuple[str, str], column_N: Tensor, n_types: int
) -> Known:
    """What is known of the instances of all windows; `tasks` are those of phase one and of phase two."""
    sizes = torch.tensor([len(part) for part in rows])
    one, two = (
        torch.tensor([task in gold.partial.tasks for gold in inside]).repeat_interleave(sizes) for task in tasks
    )
    among_NC = torch.zeros(len(column_N), n_types, dtype=torch.bool)
    is_gold = column_N >= 0
    among_NC[is_gold, column_N[is_gold]] = True
    return Known(one, two & is_gold, among_NC)


def _widen(among_SE: Tensor, inside: Sequence[Gold], spans: Sequence[np.ndarray], ontology: Ontology) -> None:
    """Marks all types that an entity may have; in each window entities come first, if they are instances at all."""
    first = 0
    for gold, rows in zip(inside, spans, strict=True):
        for i, entity in enumerate(gold.entities):
            if entity.types and i < len(rows) and rows[i, 3] >= 0:
                among_SE[first + i] = torch.tensor([name in entity.types for name in ontology.entity_names])
        first += len(rows)
