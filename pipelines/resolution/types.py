"""What kind of thing a name is, by all documents that have it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

MIN_SHARE, MIN_DOCUMENTS = 0.25, 3  # of the documents that a second type of a name needs
_SURE = 1000 * math.log(0.7)  # how likely its documents have to find it on average: else it is one thing, seen twice
_FLOOR = -4.0  # the log probability below which no document's doubt of a type goes


@dataclass(frozen=True, slots=True)
class Votes:
    """The documents in which a name is most likely of one type.

    Attributes:
        column: of the type.
        n_documents: how many they are.
        votes: int [E], the sum of their log probabilities of each type, in thousandths.
    """

    column: int
    n_documents: int
    votes: np.ndarray


def document_votes(mention_votes: Iterable[np.ndarray]) -> np.ndarray:
    """A document's log probabilities of a name's types, int [E], from those of its mentions; none below a floor.

    In thousandths: sums of whole numbers are the same in every order.

    >>> document_votes([np.log([0.9, 0.1]), np.log([0.9, 0.1])]).tolist()
    [-12, -4000]
    """
    total = np.sum(list(mention_votes), axis=0)
    top = total.max()
    votes: np.ndarray = np.maximum(total - top - np.log(np.exp(total - top).sum()), _FLOOR)
    thousandths: np.ndarray = np.rint(1000 * votes).astype(np.int64)
    return thousandths


def consensus(found: Sequence[Votes]) -> tuple[dict[int, int], list[int]]:
    """The type that a name has in the documents of each type, and its types, the commonest first.

    The type that all documents together find likeliest stays, and each other one with enough share and number of
    documents that are sure of it; those of a type that doesn't stay have the likeliest of the others.

    >>> votes = lambda column, n: Votes(column, n, n * np.where(np.arange(3) == column, -100, -2500))
    >>> consensus([votes(0, 30), votes(1, 20), votes(2, 2)])
    ({0: 0, 1: 1, 2: 0}, [0, 1])
    """
    n_of: dict[int, int] = {}
    for one in found:
        n_of[one.column] = n_of.get(one.column, 0) + one.n_documents
    n_documents = sum(n_of.values())
    votes_of = {column: np.sum([one.votes for one in found if one.column == column], axis=0) for column in n_of}
    first = int(np.argmax(np.sum(list(votes_of.values()), axis=0)))
    others = [
        column
        for column, n in n_of.items()
        if column != first
        and n >= max(MIN_DOCUMENTS, MIN_SHARE * n_documents)
        and votes_of[column][column] >= n * _SURE
    ]
    kept = [first, *sorted(others, key=lambda c: (-n_of[c], c))]
    chosen = {}
    for column, votes in votes_of.items():
        chosen[column] = column if column in kept else max(kept, key=lambda c: (votes[c], -kept.index(c)))
    return chosen, kept
