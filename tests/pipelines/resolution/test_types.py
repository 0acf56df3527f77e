"""What kind of thing a name is."""

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgmill.pipelines.resolution import types
from kgmill.pipelines.resolution.types import Votes, consensus, document_votes


def test_doctests():
    """The worked examples of the module hold."""
    result = doctest.testmod(types)

    assert result.failed == 0
    assert result.attempted >= 2


def votes(column, n_documents, n_types=3, doubt=-2500):
    """Documents that are as good as sure of one type."""
    return Votes(column, n_documents, n_documents * np.where(np.arange(n_types) == column, -100, doubt))


def test_mentions_of_a_document_add_up():
    """The more mentions agree the surer a document is; its doubt of a type has a bound, so that none is deaf."""
    once, often = (document_votes([np.log([0.8, 0.2])] * n).tolist() for n in (1, 20))
    assert once == [-223, -1609]
    assert often == [0, -4000]


def test_probabilities_of_a_document_are_those_of_its_types():
    """They are normalised, whatever the mentions' were: as sums of logs they say nothing of how many there were."""
    found = document_votes([np.log([0.02, 0.06]), np.log([0.5, 0.5])])
    assert found.tolist() == [-1386, -288]


def test_likeliest_type_is_that_of_all():
    """A few documents with another type have that of all the others."""
    assert consensus([votes(0, 30), votes(1, 2)]) == ({0: 0, 1: 0}, [0])


def test_likeliest_type_needs_no_majority():
    """What counts is how sure documents are: ten that hardly know are outvoted by six that do."""
    unsure = Votes(1, 10, 10 * np.array([-800, -600, -4000]))
    assert consensus([votes(0, 6), unsure])[1][0] == 0


@pytest.mark.parametrize(
    ("first", "second", "stays"),
    [(4, 3, True), (9, 3, True), (10, 3, False), (3, 2, False), (75, 25, True), (76, 24, False)],
)
def test_second_type_stays_with_enough_documents(first, second, stays):
    """A quarter of the documents, and no fewer than three, keep a type of their own."""
    expected = ({0: 0, 1: 1}, [0, 1]) if stays else ({0: 0, 1: 0}, [0])
    assert consensus([votes(0, first), votes(1, second)]) == expected


@pytest.mark.parametrize(("doubt", "stays"), [(-100, True), (-350, True), (-360, False), (-700, False)])
def test_second_type_stays_where_its_documents_are_sure(doubt, stays):
    """What its own documents find likely by a little is one thing that models take for two, not a second one."""
    second = Votes(1, 10, 10 * np.array([-1200, doubt, -4000]))
    assert consensus([votes(0, 12), second])[1] == ([0, 1] if stays else [0])


def test_types_are_the_commonest_first():
    """The likeliest of all comes first, then by documents; of as many, by the ontology's order."""
    assert consensus([votes(2, 10), votes(1, 5), votes(0, 5)])[1] == [2, 0, 1]
    assert consensus([votes(2, 10), votes(1, 6), votes(0, 5)])[1] == [2, 1]  # 5 of 21 are less than a quarter


def test_type_that_does_not_stay_is_the_likeliest_of_the_others():
    """Its documents have what they themselves find likeliest of the types that stay."""
    few = Votes(2, 2, 2 * np.array([-3000, -1000, -600]))
    assert consensus([votes(0, 20), votes(1, 12), few]) == ({0: 0, 1: 1, 2: 1}, [0, 1])
    torn = Votes(2, 2, 2 * np.array([-1000, -1000, -600]))
    assert consensus([votes(0, 20), votes(1, 12), torn])[0][2] == 0


def test_units_add_up():
    """Documents of one type may come in any number of units: it is their sum that counts."""
    assert consensus([votes(0, 6), votes(1, 1), votes(1, 1), votes(1, 1)]) == consensus([votes(0, 6), votes(1, 3)])
    assert consensus([votes(0, 6), votes(1, 3)])[1] == [0, 1]


_VOTES = st.builds(
    lambda column, n, doubt: Votes(column, n, n * np.where(np.arange(4) == column, -5, np.array(doubt))),
    st.integers(0, 3),
    st.integers(1, 6),
    st.lists(st.integers(-4000, -6), min_size=4, max_size=4),
)


@given(
    st.lists(_VOTES, min_size=1, max_size=7).flatmap(lambda found: st.tuples(st.just(found), st.permutations(found)))
)
def test_order_changes_nothing(both):
    """Units in any order say the same; every type that documents have becomes one that stays, itself if it does."""
    found, shuffled = both
    chosen, kept = consensus(found)
    assert consensus(shuffled) == (chosen, kept)
    assert chosen.keys() == {votes.column for votes in found}
    assert set(chosen.values()) <= set(kept)
    assert all(chosen[column] == column for column in kept if column in chosen)


@given(st.lists(st.lists(st.floats(0.001, 1), min_size=3, max_size=3), min_size=1, max_size=5))
def test_votes_are_within_bounds(mentions):
    """A document's votes lie between its doubt and certainty, and the likeliest of its types is the first of them."""
    logs = [np.log(np.array(p) / sum(p)) for p in mentions]
    found = document_votes(logs)
    assert ((found >= -4000) & (found <= 0)).all()
    assert found[np.argmax(np.sum(logs, axis=0))] == found.max()
