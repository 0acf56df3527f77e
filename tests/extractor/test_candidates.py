"""Candidates of overlapping windows, merged."""

import numpy as np

from kgmill.extractor.candidates import Candidates, empty, merge_windows


def candidates(spans, margins, pairs=(), pair_margins=()):
    """Candidates with one entity and one relation type, whose logits of types are the margins of phase one."""
    margin, pair_margin = np.array(margins, np.float32), np.array(pair_margins, np.float32)
    return Candidates(
        np.array(spans, np.int32).reshape(-1, 2),
        margin,
        margin[:, None],
        np.array(pairs, np.int32).reshape(-1, 2),
        pair_margin,
        pair_margin[:, None],
    )


def test_one_window_is_itself():
    """The only window of a sentence is taken as it is."""
    part = candidates([(0, 1)], [0.5])

    assert merge_windows([(0, 4, part)], 4) is part


def test_spans_get_the_offsets_of_the_sentence():
    """Spans of later windows are moved to where they are in the sentence, sorted."""
    first, second = candidates([(0, 2), (3, 4)], [0.5, 0.25]), candidates([(5, 6), (7, 9)], [0.75, 0.125])

    merged = merge_windows([(0, 10, first), (8, 10, second)], 18)

    assert merged.spans.tolist() == [[0, 2], [3, 4], [13, 14], [15, 17]]
    assert merged.entity_margin.tolist() == [0.5, 0.25, 0.75, 0.125]
    assert merged.type_logits.tolist() == [[0.5], [0.25], [0.75], [0.125]]


def test_copy_with_the_better_margin():
    """Of two copies the one that sees more words on its poorer side is taken."""
    first = candidates([(6, 7), (9, 10)], [0.5, 0.25])  # three words and none to the right
    second = candidates([(0, 1), (3, 4)], [0.75, 0.125])  # none and three words to the left

    merged = merge_windows([(0, 10, first), (6, 10, second)], 16)

    assert merged.spans.tolist() == [[6, 7], [9, 10]]
    assert merged.entity_margin.tolist() == [0.5, 0.125]


def test_equal_margins_take_the_first():
    """Of two copies that see as much the first is taken."""
    first, second = candidates([(7, 8)], [0.5]), candidates([(2, 3)], [0.75])

    merged = merge_windows([(0, 10, first), (5, 10, second)], 15)

    assert merged.entity_margin.tolist() == [0.5]


def test_pairs_follow_their_spans():
    """A pair's rows are those of the merged spans, and its numbers come from its better window."""
    first = candidates([(0, 1), (7, 8), (9, 10)], [0.5, 0.5, 0.5], [(0, 1), (2, 1)], [0.25, 0.375])
    second = candidates([(1, 2), (3, 4), (8, 9)], [0.5, 0.5, 0.5], [(1, 0), (2, 1)], [0.75, 0.875])

    merged = merge_windows([(0, 10, first), (6, 10, second)], 16)

    assert merged.spans.tolist() == [[0, 1], [7, 8], [9, 10], [14, 15]]
    assert merged.pairs.tolist() == [[0, 1], [2, 1], [3, 2]]
    assert merged.pair_margin.tolist() == [0.25, 0.75, 0.875]
    assert merged.relation_logits.tolist() == [[0.25], [0.75], [0.875]]


def test_windows_without_candidates():
    """Windows that found nothing make a sentence that holds nothing, with its columns."""
    merged = merge_windows([(0, 4, empty(3, 2)), (3, 4, empty(3, 2))], 7)

    assert (merged.spans.shape, merged.type_logits.shape) == ((0, 2), (0, 3))
    assert (merged.pairs.shape, merged.relation_logits.shape) == ((0, 2), (0, 2))
