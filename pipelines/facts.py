"""How sure a fact is, from what its sentences say; and from when on it is asserted.

Many witnesses of one mistake are no proof (decision 0029): what counts is how sure the sentences are on average, how
sure the surest is, how many of those that name both ends state the fact, and how near each other both are named.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

CERTAIN = 1.0  # what people have confirmed, and nothing else
_CEILING = 0.98  # of what no person has confirmed
_MIN, _MAX = 1e-4, 1 - 1e-4
_NEAR = 10  # characters between two mentions that stand next to each other
_LONG = 100  # characters of a sentence
_N_FEATURES = 7
_IN_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")


@dataclass(frozen=True, slots=True)
class Support:
    """What a fact rests on.

    Attributes:
        confidences: of its sentences, equal ones once.
        n_together: sentences that name both ends, equal ones once.
        is_stated: whether a sentence states it, rather than denies it, supposes it or the like.
        n_between: characters between both mentions, where they are nearest in a sentence.
        n_around: characters of that sentence.
    """

    confidences: Sequence[float]
    n_together: int
    is_stated: bool = True
    n_between: int = 0
    n_around: int = 0

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], n_together: int = 0) -> Self:
        """The support that rows of evidence give; where some state the fact, those alone.

        Equal sentences are one witness, as sure as the surest; a sentence without a `text_key` is one of its own.
        """
        stated = [row for row in rows if not row["stance"]]
        texts: dict[tuple[str, ...], float] = {}
        for row in stated or rows:
            key = (row["text_key"],) if row["text_key"] else (row["doc_id"], str(row["sentence_begin"]))
            texts[key] = max(texts.get(key, 0.0), row["confidence"])
        confidences = [texts[key] for key in sorted(texts)]
        n_between, n_around = min((between(row), row["sentence_end"] - row["sentence_begin"]) for row in stated or rows)
        return cls(confidences, n_together, bool(stated), n_between, n_around)

    @property
    def mean(self) -> float:
        """The mean of the sentences' confidences."""
        return math.fsum(self.confidences) / len(self.confidences)

    @property
    def share(self) -> float:
        """Of the sentences that name both ends, how many state the fact."""
        return len(self.confidences) / max(self.n_together, len(self.confidences))

    def features(self) -> tuple[float, ...]:
        """Log-odds of the mean; how far the surest's lie above; log of the share; log of the sentences; whether stated;
        how near both are; how short their sentence is.

        A fact is the surer the greater any of them is.
        """
        nearness, shortness = -math.log1p(self.n_between / _NEAR), -math.log1p(self.n_around / _LONG)
        mean, best, n = _log_odds(self.mean), _log_odds(max(self.confidences)), len(self.confidences)
        return mean, best - mean, math.log(self.share), math.log(n), float(self.is_stated), nearness, shortness


def between(row: Mapping[str, Any]) -> int:
    """The characters between the two mentions of a relation; 0 where they touch or overlap.

    What stands in brackets there is not counted, where the sentence is known: "Ann Lee (1815-1851) was a Swedish ...".
    """
    begin = min(row["head_end"], row["tail_end"])
    end = max(row["head_begin"], row["tail_begin"], begin)
    if not (text := row["sentence_text"]):
        return int(end - begin)
    return len(_IN_BRACKETS.sub("", text[begin - row["sentence_begin"] : end - row["sentence_begin"]]))


@dataclass(frozen=True, slots=True)
class FactConfidence:
    """A logistic regression over `Support.features`, each weight at least 0; as fitted on facts that people read.

    Attributes:
        weights: of the features; none: nothing was fitted, and the mean is taken.
        bias: for all, and `relations`: added for a relation, where a sentence states the fact.
        thresholds: rows of a wanted precision and the least confidence at which the facts that were read have it.
    """

    weights: tuple[float, ...] = ()
    bias: float = 0.0
    relations: Mapping[str, float] = field(default_factory=dict)
    thresholds: Sequence[tuple[float, float]] = ()

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """The `facts` of a calibration; empty: nothing was fitted. Those that are missing, of fits before, are 0."""
        rows = tuple((float(precision), float(least)) for precision, least in data.get("thresholds", ()))
        weights = tuple(map(float, data.get("weights", ())))
        weights += (0.0,) * (_N_FEATURES - len(weights)) if weights else ()
        return cls(weights, float(data.get("bias", 0.0)), dict(data.get("relations", {})), rows)

    def confidence(self, relation: str, support: Support) -> float:
        """That a fact of a relation is right."""
        if not self.weights:
            return round(min(support.mean, _CEILING), 6)
        z = self.bias + self.own(relation, support)
        z += math.fsum(w * x for w, x in zip(self.weights, support.features(), strict=True))
        return round(min(1 / (1 + math.exp(-z)), _CEILING), 6)

    def own(self, relation: str, support: Support) -> float:
        """What a relation's own bias adds; nothing where no sentence states the fact."""
        return self.relations.get(relation, 0.0) if support.is_stated else 0.0

    def threshold(self, precision: float) -> float:
        """The least confidence of facts that are to be right so often; where nothing was fitted, the same number.

        Between two fitted rows, in proportion.
        """
        rows = sorted(self.thresholds)
        if not rows:
            return precision
        if precision <= rows[0][0]:
            return rows[0][1]
        for (low, a), (high, b) in pairwise(rows):
            if precision <= high:
                return a + (b - a) * (precision - low) / (high - low)
        return max(precision, rows[-1][1])

    def caution(self, precision: float) -> str:
        """What to tell who wants facts to be right more often than those that were read can promise; else empty."""
        if not self.thresholds or self.threshold(precision) <= _CEILING:
            return ""
        most = max((wanted for wanted, least in self.thresholds if least <= _CEILING), default=0.0)
        return (
            "no fact is asserted but what people confirmed: from no confidence on were the facts that were read for "
            f"this model right so often ({precision:g}). Up to --wanted-precision {most:g} some are"
        )


def _log_odds(p: float) -> float:
    p = min(max(p, _MIN), _MAX)
    return math.log(p / (1 - p))
