"""What the confidence of facts is fitted by: thresholds, and biases of relations."""

import numpy as np

from benchmarks.read_facts import fit, thresholds


def rows(genre, n, relation="born_in", **other):
    """So many rows of a genre."""
    row = {"relation": relation, "confidences": [0.7], "share": 1.0, "stated": True, "between": 5, "around": 90}
    return [row | {"genre": genre, "weight": 1.0} | other for _ in range(n)]


def of(read, is_right, claimed=0.9):
    """The thresholds of rows that all claim as much, but the last half, which claims 0.1 less."""
    claims = np.where(np.arange(len(read)) % 2 == 0, claimed, claimed - 0.1)
    return dict(map(tuple, thresholds(claims, np.array(is_right, float), read)))


def test_threshold_is_where_facts_are_right_so_often():
    """Of the surer half all are right, of the other none: half of all, and all from the surer claim on."""
    read = rows("news", 200)
    found = of(read, np.arange(200) % 2 == 0)
    assert (found[0.5], found[0.8], found[0.9]) == (0.8, 0.9, 0.9)
    assert found[0.95] == 1.0  # claimed is 0.9, so nothing is sure enough


def test_threshold_holds_in_each_genre():
    """A genre of many facts that are wrong more often than wanted decides; one of a few decides little."""
    good, is_good = rows("news", 400), [True] * 400
    many, few = rows("lore", 200), rows("lore", 4)
    assert of(good + many, is_good + [True, False] * 100)[0.7] == 0.9
    assert of(good + few, is_good + [True, False] * 2)[0.7] == 0.8


def test_what_no_sentence_states_says_nothing_of_its_relation():
    """Many births that nothing states, all wrong, do not draw the relation's bias down."""
    stated = rows("news", 60, verdict="right") + rows("news", 20, "residence", verdict="wrong")
    unstated = rows("news", 60, stated=False, verdict="wrong")
    alone, both = (fit(read)["facts"]["relations"].get("born_in", 0.0) for read in (stated, stated + unstated))
    assert alone > 0
    assert both > 0
