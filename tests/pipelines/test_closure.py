"""What follows from facts of transitive relations."""

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from kgmill.pipelines.closure import Derived, derive
from kgmill.schemas.identity import fact_id
from kgmill.schemas.records import Fact


def lies(head, tail, confidence=0.9, relation="in"):
    return Fact(fact_id(head, relation, tail), head, relation, tail, confidence, 1, 1)


def ids(*ends):
    return tuple(fact_id(one, "in", other) for one, other in ends)


def test_chain_is_a_fact_with_the_least_confidence():
    """A house in a town in a region in a country: three facts follow, each with its chain."""
    facts = [lies("house", "town", 0.9), lies("town", "region", 0.6), lies("region", "country", 0.8)]
    house, town, region = ("house", "town"), ("town", "region"), ("region", "country")
    assert list(derive(facts, {"in"})) == [
        Derived(*ids(("house", "country")), "house", "in", "country", 0.6, ids(house, town, region)),
        Derived(*ids(("house", "region")), "house", "in", "region", 0.6, ids(house, town)),
        Derived(*ids(("town", "country")), "town", "in", "country", 0.6, ids(town, region)),
    ]


def test_other_relations_and_what_is_said_derive_nothing():
    """Chains of two relations, relations that are not transitive, values, and facts that are there already."""
    value = Fact("v", "c", "in", "", 0.9, 1, 1, "1879", "gYear")
    facts = [lies("a", "b"), lies("b", "c", relation="near"), value]
    assert list(derive(facts, {"in", "near"})) == []
    assert list(derive([lies("a", "b"), lies("b", "c")], {"near"})) == []
    assert list(derive([lies("a", "b"), lies("b", "c"), lies("a", "c", 0.1)], {"in"})) == []


def test_best_chain_is_taken():
    """The one whose weakest fact is the surest; of equally sure ones the shortest."""
    facts = [lies("a", "b", 0.5), lies("b", "d", 0.9), lies("a", "c", 0.7), lies("c", "e", 0.7), lies("e", "d", 0.8)]
    [found] = [one for one in derive(facts, {"in"}) if (one.head, one.tail) == ("a", "d")]
    assert (found.confidence, found.chain) == (0.7, ids(("a", "c"), ("c", "e"), ("e", "d")))
    equal = [lies("a", "b"), lies("b", "c"), lies("c", "d"), lies("b", "d")]
    [found] = [one for one in derive(equal, {"in"}) if (one.head, one.tail) == ("a", "d")]
    assert found.chain == ids(("a", "b"), ("b", "d"))


def test_circles_end():
    """Each of a circle lies in each other one, and nothing in itself."""
    facts = [lies("a", "b"), lies("b", "c"), lies("c", "a"), lies("d", "d")]
    assert [(one.head, one.tail) for one in derive(facts, {"in"})] == [("a", "c"), ("b", "a"), ("c", "b")]


PAIRS = st.tuples(st.integers(0, 6), st.integers(0, 6), st.sampled_from([0.2, 0.5, 0.9]))


@given(pairs=st.lists(PAIRS, max_size=14, unique_by=lambda pair: pair[:2]), data=st.data())
def test_it_is_the_closure_in_any_order(pairs, data):
    """What is there and what follows is what NetworkX calls the transitive closure."""
    facts = [lies(str(one), str(other), confidence) for one, other, confidence in pairs]
    found = list(derive(facts, {"in"}))
    assert list(derive(data.draw(st.permutations(facts)), {"in"})) == found
    closed = nx.transitive_closure(nx.DiGraph([(fact.head, fact.tail) for fact in facts]), reflexive=None)
    expected = {(one, other) for one, other in closed.edges if one != other}
    assert {(f.head, f.tail) for f in facts if f.head != f.tail} | {(f.head, f.tail) for f in found} == expected
    sure = {fact.fact_id: fact.confidence for fact in facts}
    assert all(one.confidence == min(sure[fact] for fact in one.chain) for one in found)
