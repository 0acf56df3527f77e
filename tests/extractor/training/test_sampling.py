"""Gold and sampled negatives of a batch."""

import numpy as np
import pytest

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair
from kgmill.extractor.neural.encoding import Window
from kgmill.extractor.training.sampling import all_spans, sample
from kgmill.schemas.ontology import parse_ontology

ONTOLOGY = parse_ontology(
    {
        "entities": {"Peop": {}, "Loc": {}},
        "relations": {
            "Live_In": {"head": ["Peop"], "tail": ["Loc"]},
            "Sibling": {"head": ["Peop"], "tail": ["Peop"], "symmetric": True},
            "Kill": {"head": ["Peop"], "tail": ["Peop"]},
        },
    },
    "test",
)
ENTITIES = (EntitySpan(0, 2, "Peop"), EntitySpan(3, 4, "Peop"), EntitySpan(5, 6, "Loc"))


def window(first, n_words, n_sentence_words, sentence=0):
    """A window of words of one piece."""
    pieces = list(range(n_words + 2))
    return Window(sentence, first, n_sentence_words, pieces, pieces[1:-1], pieces[2:], [0] * len(pieces))


def sentence(*relations, n_words=8, entities=ENTITIES):
    """A sentence with these relations."""
    return AnnotatedSentence(tuple("abcdefghijklmnopqrst"[:n_words]), entities, relations)


def sampled(found, n_negatives=(100, 100), seed=0, part=None, width=3):
    """The spans with their types, and the pairs with theirs, of one sentence."""
    windows = [part or window(0, len(found.words), len(found.words))]
    instances = sample(windows, [found], ONTOLOGY, width, n_negatives, np.random.default_rng(seed))
    spans, pairs = instances.spans, instances.pairs
    span_rows = zip(spans.start_S.tolist(), spans.end_S.tolist(), instances.span_type_S.tolist(), strict=True)
    head, tail = pairs.entities.take(pairs.head_P), pairs.entities.take(pairs.tail_P)
    ends = (head.start_S, head.end_S, tail.start_S, tail.end_S)
    types = (pairs.type_N[pairs.head_P], pairs.type_N[pairs.tail_P], instances.pair_type_P)
    pair_rows = zip(*(column.tolist() for column in (*ends, *types)), strict=True)
    return list(span_rows), list(pair_rows)


def test_all_spans():
    """All spans of up to the widest width, by start, then width."""
    expected = [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]

    assert all_spans(3, 2).tolist() == expected


def test_gold_has_its_columns():
    """Gold entities and relations have their types as columns."""
    spans, pairs = sampled(sentence(RelationPair(0, 2, "Live_In")), n_negatives=(0, 0))

    assert spans == [(0, 2, 0), (3, 4, 0), (5, 6, 1)]
    assert pairs == [(0, 2, 5, 6, 0, 1, 0)]


def test_negative_spans_are_all_other_spans():
    """With room for all, the negatives are each span that is no entity, once."""
    spans, _ = sampled(sentence())

    negatives = [(start, end) for start, end, column in spans if column < 0]
    gold = {(0, 2), (3, 4), (5, 6)}
    assert negatives == [(a, b) for a, b in all_spans(8, 3).tolist() if (a, b) not in gold]


@pytest.mark.parametrize("seed", range(20))
def test_few_negative_spans(seed):
    """At most so many negatives as asked are drawn, none of them gold, none twice."""
    spans, _ = sampled(sentence(), n_negatives=(5, 0), seed=seed)

    negatives = {(start, end) for start, end, column in spans if column < 0}
    assert len(spans) == 3 + 5
    assert len(negatives) == 5
    assert negatives.isdisjoint({(0, 2), (3, 4), (5, 6)})


def test_equal_seeds_draw_equal_negatives():
    """The seed alone decides what is drawn."""
    first, again = (sampled(sentence(), n_negatives=(5, 2), seed=7) for _ in range(2))
    others = [sampled(sentence(), n_negatives=(5, 2), seed=seed) for seed in range(7)]

    assert first == again
    assert len({tuple(spans) for spans, _ in others}) > 1
    assert len({tuple(pairs) for _, pairs in others}) > 1


def test_negative_pairs_are_all_unrelated_pairs():
    """Every ordered pair of gold entities without a relation is a negative, the reverse of a relation too."""
    _, pairs = sampled(sentence(RelationPair(0, 1, "Kill")))

    negatives = {(head, tail) for head, _, tail, *_, column in pairs if column < 0}
    assert negatives == {(3, 0), (0, 5), (5, 0), (3, 5), (5, 3)}


def test_reverse_of_a_symmetric_relation_is_no_negative():
    """The reverse of a symmetric relation holds too, so it is not taught to be wrong."""
    _, pairs = sampled(sentence(RelationPair(0, 1, "Sibling")))

    negatives = {(head, tail) for head, _, tail, *_, column in pairs if column < 0}
    assert negatives == {(0, 5), (5, 0), (3, 5), (5, 3)}


def test_few_negative_pairs():
    """At most so many negative pairs as asked are drawn."""
    _, pairs = sampled(sentence(RelationPair(0, 1, "Kill")), n_negatives=(0, 2))

    assert [column for *_, column in pairs] == [2, -1, -1]


def test_pair_with_two_relations():
    """A pair that holds two relations is an instance of each, and no negative."""
    _, pairs = sampled(sentence(RelationPair(0, 1, "Kill"), RelationPair(0, 1, "Sibling")))

    assert [(head, tail, column) for head, _, tail, *_, column in pairs if column >= 0] == [(0, 3, 2), (0, 3, 1)]
    assert (0, 3, -1) not in {(head, tail, column) for head, _, tail, *_, column in pairs}


def test_window_cuts_gold():
    """Gold that a window doesn't hold whole is left out with its relations; the rest is counted from the window."""
    found = sentence(RelationPair(0, 2, "Live_In"), RelationPair(1, 2, "Live_In"))

    spans, pairs = sampled(found, n_negatives=(0, 0), part=window(1, 7, 8))

    assert spans == [(2, 3, 0), (4, 5, 1)]
    assert pairs == [(2, 3, 4, 5, 0, 1, 0)]


def test_wide_entity_is_left_out():
    """An entity that is wider than spans may be is neither gold nor negative."""
    spans, pairs = sampled(sentence(RelationPair(0, 2, "Live_In")), n_negatives=(0, 0), width=1)

    assert spans == [(3, 4, 0), (5, 6, 1)]
    assert pairs == []


def test_sentence_without_entities():
    """A sentence without entities gives negative spans and no pairs."""
    spans, pairs = sampled(sentence(n_words=2, entities=()))

    assert spans == [(0, 1, -1), (0, 2, -1), (1, 2, -1)]
    assert pairs == []


def test_rows_of_a_batch():
    """Each instance knows its row in the batch."""
    windows = [window(0, 8, 8), window(0, 8, 8, sentence=1)]
    sentences = [sentence(RelationPair(0, 2, "Live_In")), sentence(RelationPair(1, 2, "Live_In"))]

    instances = sample(windows, sentences, ONTOLOGY, 3, (0, 0), np.random.default_rng(0))

    assert instances.spans.row_S.tolist() == [0, 0, 0, 1, 1, 1]
    pairs = instances.pairs
    assert pairs.entities.row_S[pairs.head_P].tolist() == [0, 1]
    assert pairs.entities.row_S[pairs.tail_P].tolist() == [0, 1]
