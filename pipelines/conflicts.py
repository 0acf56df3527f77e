"""Facts that can't all be true: of a relation that has one tail at most, the strongest is kept, the others say by whom.

Nothing is lost: each keeps its statement, and its share of what speaks for it and for those that contradict it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from kgmill.schemas.literals import XSD

_DATES = frozenset(XSD + name for name in ("date", "gYearMonth", "gYear"))


@dataclass(frozen=True, slots=True)
class Claim:
    """What a fact says of the thing that can have one value alone, and what speaks for it.

    Attributes:
        value, datatype: the entity at the fact's other end and nothing; or a value and the full IRI of its datatype.
        is_confirmed: by people, whom no text contradicts.
    """

    fact_id: str
    value: str
    datatype: str
    confidence: float
    n_evidence: int = 1
    n_documents: int = 1
    is_confirmed: bool = False

    @property
    def _rank(self) -> tuple[bool, float, int, int, int, str]:
        """The stronger first; of equally strong ones what says more, then by id: no order of documents is in it."""
        counts = -self.n_evidence, -self.n_documents, -len(self.value) if self.datatype else 0
        return not self.is_confirmed, -self.confidence, *counts, self.fact_id


@dataclass(frozen=True, slots=True)
class Conflict:
    """What became of a fact that others contradict.

    Attributes:
        share: its confidence, against the sum of its own and of those that contradict it.
        overruled_by: the strongest fact that stands and contradicts it; empty: it stands itself.
    """

    share: float
    overruled_by: str = ""


def contradict(one: Claim, other: Claim) -> bool:
    """Whether two claims can't both be true.

    A year, a month and a day that lie in one another can, and words that no date could be made of contradict none.

    >>> born = lambda value, kind: Claim(value, value, XSD + kind, 0.9)
    >>> contradict(born("1879", "gYear"), born("1879-03-14", "date"))
    False
    >>> contradict(born("1879-03", "gYearMonth"), born("1879-04-01", "date"))
    True
    """
    if one.datatype or other.datatype:
        shorter, longer = sorted((one.value, other.value), key=len)
        return {one.datatype, other.datatype} <= _DATES and longer[: len(shorter)] != shorter
    return one.value != other.value


def settle(claims: Iterable[Claim]) -> dict[str, Conflict]:
    """The facts of one thing that others contradict, in whatever order they come.

    The strongest stand: each that contradicts none that is stronger and stands. What people confirmed always does.
    """
    ranked = sorted(claims, key=lambda claim: claim._rank)
    against: dict[str, list[float]] = {}
    for one, other in combinations(ranked, 2):
        if contradict(one, other):
            against.setdefault(one.fact_id, []).append(other.confidence)
            against.setdefault(other.fact_id, []).append(one.confidence)
    found: dict[str, Conflict] = {}
    standing: list[Claim] = []
    for claim in ranked:
        stronger = next((other.fact_id for other in standing if contradict(claim, other)), "")
        if claim.is_confirmed or not stronger:
            standing.append(claim)
        if claim.fact_id in against:
            total = claim.confidence + sum(sorted(against[claim.fact_id]))
            share = claim.confidence / total if total else 0.0
            found[claim.fact_id] = Conflict(round(share, 6), "" if claim.is_confirmed else stronger)
    return found
