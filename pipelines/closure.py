"""Facts that follow where a relation is transitive: what lies in a town lies in its region. On demand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

from kgmill.schemas.identity import fact_id
from kgmill.schemas.records import Fact


@dataclass(frozen=True, slots=True)
class Derived:
    """A fact that no sentence says, and the facts that it follows from.

    Attributes:
        fact_id: what the fact would be called, if a sentence said it.
        confidence: the least of the chain's.
        chain: the ids of the facts from head to tail.
    """

    fact_id: str
    head: str
    relation: str
    tail: str
    confidence: float
    chain: tuple[str, ...]


def derive(facts: Iterable[Fact], transitive: Collection[str]) -> Iterator[Derived]:
    """What follows from facts of transitive relations and isn't among them, by relation, head and tail.

    Of several chains to a thing, and to each on the way, the one whose weakest fact is the surest, then the shortest,
    then the smallest ids: whatever order the facts come in. A circle ends where it closes, and nothing is related to
    itself.
    """
    steps: dict[str, dict[str, dict[str, tuple[float, str]]]] = defaultdict(lambda: defaultdict(dict))
    for fact in facts:
        if fact.relation in transitive and fact.tail:
            steps[fact.relation][fact.head][fact.tail] = fact.confidence, fact.fact_id
    for relation in sorted(steps):
        for head in sorted(steps[relation]):
            for tail, (confidence, chain) in sorted(_reached(steps[relation], head).items()):
                if tail not in steps[relation][head]:
                    yield Derived(fact_id(head, relation, tail), head, relation, tail, confidence, chain)


def _reached(
    steps: Mapping[str, Mapping[str, tuple[float, str]]], head: str
) -> dict[str, tuple[float, tuple[str, ...]]]:
    """The things that chains of facts lead to from one, each with the best chain and its least confidence."""
    found: dict[str, tuple[float, tuple[str, ...]]] = {}
    waiting: list[tuple[float, int, tuple[str, ...], str]] = [(-1.0, 0, (), head)]
    while waiting:
        least, n, chain, thing = heappop(waiting)
        if thing in found:
            continue
        found[thing] = -least, chain
        for tail, (confidence, fact) in steps.get(thing, {}).items():
            if tail not in found:
                heappush(waiting, (max(least, -confidence), n + 1, (*chain, fact), tail))
    del found[head]
    return found
