"""A model's calibration: what its scores are worth, so that a probability means what it says.

Each of the four outputs (is it an entity, which type, is it a relation, which type) has a slope and a bias: a margin m
of phase one becomes the probability sigmoid(slope * m + bias), the logits z of phase two softmax(slope * z). A slope
alone (a temperature) can't mend a head that is too sure everywhere; the bias can. What is found, a mention of a type or
a relation between two mentions, is then as probable as phase one times phase two; or, where it was fitted, as a
`Confidence` says, which knows that one relation is found less well than another, and that a relation between doubtful
mentions is doubtful. Fitted to the likelihood of data that the model was not trained on (`training.calibrate`), stored
beside the weights as calibration.json, applied to candidates before they are decoded: it never needs the model again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from kgmill.extractor.candidates import Candidates, Floors, Scored
from kgmill.extractor.modelfolder import CALIBRATION, phase_one
from kgmill.schemas.errors import CheckpointError
from kgmill.schemas.ontology import load_ontology

CANDIDATE_FLOOR = 0.1
_HIGHEST_FLOOR = -3.0  # margins down to here are kept whatever the calibration: a new one then seldom needs the model
_LEAST_FLOOR = 1e-6
_LARGEST_SLOPE, _LARGEST_BIAS = 1000.0, 100.0
_BEYOND_PHASE_ONE = 2.0  # so much may all else add to the log-odds of phase one: what lies far below it is not kept
_SUREST = 8.0  # log-odds that a feature is cut off at
HEADS = ("entity", "entity_type", "relation", "relation_type")
N_FEATURES = {"mention_confidence": 1, "relation_confidence": 3}
CONFIDENCES = tuple(N_FEATURES)


@dataclass(frozen=True, slots=True)
class Scale:
    """What a head's logits are multiplied by, and what is added to a margin; 1 and 0 are the model's own reading.

    Attributes:
        bias: of a head of types always 0, as a softmax doesn't see what is added to all of its logits.
    """

    slope: float = 1.0
    bias: float = 0.0

    def probability(self, margin_N: np.ndarray) -> np.ndarray:
        """Probabilities of margins, float64.

        >>> [round(float(p), 3) for p in Scale(0.5, 1.0).probability(np.array([-2.0, 0.0, 2.0]))]
        [0.5, 0.731, 0.881]
        """
        z_N = self.slope * margin_N.astype(np.float64) + self.bias
        return np.exp(-np.logaddexp(0.0, -z_N))

    def type_probabilities(self, logits_NC: np.ndarray) -> np.ndarray:
        """Probabilities of rows of logits, float64."""
        z_NC = self.slope * logits_NC.astype(np.float64)
        if not z_NC.size:
            return z_NC
        exp_NC: np.ndarray = np.exp(z_NC - z_NC.max(axis=1, keepdims=True))
        exp_NC /= exp_NC.sum(axis=1, keepdims=True)
        return exp_NC

    def margin(self, log_odds: float) -> float:
        """The margin that is read as these log-odds.

        >>> Scale(0.5, 1.0).margin(0.0)
        -2.0
        """
        return (log_odds - self.bias) / self.slope


@dataclass(frozen=True, slots=True)
class Confidence:
    """A logistic regression of whether what was found is right, on log-odds of what it was found by.

    Attributes:
        weights: [F], one a feature, none negative: nothing gets less sure because a score is higher.
        biases: one a type, in the ontology's order.
    """

    weights: tuple[float, ...]
    biases: tuple[float, ...]

    def probability(self, phase_one_N: np.ndarray, features: Sequence[np.ndarray]) -> np.ndarray:
        """Probabilities [N, types] from phase one's, and from features [N, 1] or [N, types].

        >>> Confidence((1.0,), (0.0, -1.0)).probability(np.array([0.9]), [np.array([[1.0, -1.0]])]).round(3).tolist()
        [[0.731, 0.119]]
        """
        z_NC: np.ndarray = np.asarray(self.biases) + sum(w * x for w, x in zip(self.weights, features, strict=True))
        most_N = _log_odds(phase_one_N) + _BEYOND_PHASE_ONE
        p_NC: np.ndarray = np.exp(-np.logaddexp(0.0, -np.minimum(z_NC, most_N[:, None])))
        return p_NC

    def least_phase_one(self, log_odds: float) -> float:
        """The log-odds of phase one under which nothing gets these log-odds, whatever its other features say.

        The first feature is no more than phase one's log-odds, or than where it is cut off; no other is more than that.

        >>> Confidence((1.0,), (0.5, -1.0)).least_phase_one(-2.0), Confidence((1.0, 0.5), (0.0,)).least_phase_one(0.0)
        (-2.5, -2.0)
        """
        by_cap, first = log_odds - _BEYOND_PHASE_ONE, self.weights[0]
        wanted = log_odds - max(self.biases, default=0.0) - _SUREST * sum(self.weights[1:])
        is_bound = first > 0 and wanted / first > -_SUREST
        return max(by_cap, wanted / first) if is_bound else by_cap


@dataclass(frozen=True, slots=True)
class Calibration:
    """A scale a head, and optionally what the scaled scores are worth together, and thresholds.

    Attributes:
        thresholds: per entity or relation type the least confidence of what is kept, in place of `min_confidence`.
        masked: relations that were found too badly to be told; `--ontology all` brings them back.
        mention_confidence: on the log-odds of phase one times phase two.
        relation_confidence: on those of phase one times phase two, of the head's confidence and of the tail's.
        facts: how sure facts are, from their relations (`kgmill.pipelines.facts.FactConfidence`).
    """

    entity: Scale = field(default_factory=Scale)
    entity_type: Scale = field(default_factory=Scale)
    relation: Scale = field(default_factory=Scale)
    relation_type: Scale = field(default_factory=Scale)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    masked: tuple[str, ...] = ()
    mention_confidence: Confidence | None = None
    relation_confidence: Confidence | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """The calibration that `asdict` or a calibration.json holds.

        Raises:
            ValueError, TypeError: it is none.
        """
        others = {"thresholds", "masked", "facts", *CONFIDENCES}
        parsed: dict[str, Any] = {name: _scale(name, value) for name, value in data.items() if name not in others}
        parsed |= {name: _confidence(name, data[name]) for name in CONFIDENCES if data.get(name) is not None}
        thresholds, masked = dict(data.get("thresholds", {})), tuple(data.get("masked", ()))
        if not all(0 <= threshold <= 1 for threshold in thresholds.values()):
            raise ValueError(f"thresholds {thresholds} are not between 0 and 1")
        if isinstance(data.get("masked"), str) or not all(isinstance(name, str) for name in masked):
            raise TypeError(f"masked {masked} are not names of relations")
        return cls(**parsed, thresholds=thresholds, masked=masked, facts=dict(data.get("facts", {})))

    @property
    def cuts(self) -> dict[str, float]:
        """The least confidence of each type that has one of its own: its threshold; of a masked one, none is enough."""
        return {**self.thresholds, **dict.fromkeys(self.masked, math.inf)}

    def as_dict(self) -> dict[str, Any]:
        """What calibration.json holds, without what there is none of."""
        said: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # lists, as a reader of the file has them
        return {name: value for name, value in said.items() if value or name not in ("masked", "facts", *CONFIDENCES)}

    def apply(self, candidates: Candidates) -> Scored:
        """The candidates with probabilities."""
        entity_N, pair_M = (
            self.entity.probability(candidates.entity_margin),
            self.relation.probability(candidates.pair_margin),
        )
        mention_NE = entity_N[:, None] * self.entity_type.type_probabilities(candidates.type_logits)
        if self.mention_confidence:
            mention_NE = self.mention_confidence.probability(entity_N, mention_features(mention_NE))
        relation_MR = pair_M[:, None] * self.relation_type.type_probabilities(candidates.relation_logits)
        if self.relation_confidence:
            features = relation_features(relation_MR, candidates.pairs, mention_NE)
            relation_MR = self.relation_confidence.probability(pair_M, features)
        return Scored(candidates.spans, mention_NE, candidates.pairs, relation_MR)

    def floors(self, min_confidence: float, candidate_floor: float = CANDIDATE_FLOOR) -> Floors:
        """The least margins of what can be found at a threshold: nothing that decoding may keep lies below them.

        Those of the calibrated probability `candidate_floor`, or of the lowest threshold where that is lower, rounded
        down, so that other thresholds and a slightly other calibration find the candidates there.
        """
        least = max(_LEAST_FLOOR, min(candidate_floor, min_confidence, *self.thresholds.values()))

        log_odds = math.log(least / (1 - least))

        def floor(scale: Scale, confidence: Confidence | None) -> float:
            margin = scale.margin(confidence.least_phase_one(log_odds) if confidence else log_odds)
            return min(_HIGHEST_FLOOR, float(math.floor(margin)))

        return Floors(floor(self.entity, self.mention_confidence), floor(self.relation, self.relation_confidence))

    def save(self, folder: Path) -> None:
        """Writes calibration.json into a model folder."""
        text = json.dumps(self.as_dict(), indent=1, sort_keys=True)
        (folder / CALIBRATION).write_text(f"{text}\n", encoding="utf-8")


def load_calibration(folder: Path) -> Calibration:
    """The calibration of a model folder; the model's own probabilities where there is none.

    The files of 0.1 hold a temperature a head. They were fitted to the difference of both outputs of phase one, also of
    a model trained with two sigmoids, whose margin is half of that.

    Raises:
        CheckpointError: the file is not what `Calibration.save` writes.
    """
    path = folder / CALIBRATION
    if not path.is_file():
        return Calibration()
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        calibration = Calibration.parse(data)
        _check_types(calibration, folder)
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: not a calibration: {error}") from None
    old = [name for name in ("entity", "relation") if isinstance(data.get(name), int | float)]
    if not old or not (folder / "config.json").is_file() or phase_one(folder) == "softmax":
        return calibration
    doubled: dict[str, Any] = {name: Scale(2 * getattr(calibration, name).slope) for name in old}
    return replace(calibration, **doubled)


def _check_types(calibration: Calibration, folder: Path) -> None:
    """Checks that there is a bias for each of the model's types."""
    if not (calibration.mention_confidence or calibration.relation_confidence):
        return
    ontology = load_ontology(folder / "ontology.toml")
    for name, types in zip(CONFIDENCES, (ontology.entity_names, ontology.relation_names), strict=True):
        confidence = getattr(calibration, name)
        if confidence and len(confidence.biases) != len(types):
            raise ValueError(f"{name} has {len(confidence.biases)} biases, the model {len(types)} types")


def mention_features(product_NE: np.ndarray) -> list[np.ndarray]:
    """What the confidence of a mention is made of: the log-odds [N, E] of phase one times phase two."""
    return [_log_odds(product_NE)]


def relation_features(product_MR: np.ndarray, pairs: np.ndarray, mention_NE: np.ndarray) -> list[np.ndarray]:
    """What the confidence of a relation is made of: log-odds [M, R] of phase one times two, [M, 1] of head and tail."""
    ends_N1 = _log_odds(mention_NE.max(axis=1, initial=0.0))[:, None]
    return [_log_odds(product_MR), ends_N1[pairs[:, 0]], ends_N1[pairs[:, 1]]]


def _log_odds(p: np.ndarray) -> np.ndarray:
    """The log-odds of probabilities, cut off where they say no more than that it is sure."""
    least = 1 / (1 + math.exp(_SUREST))
    inside = np.clip(p, least, 1 - least)
    log_odds: np.ndarray = np.log(inside) - np.log1p(-inside)
    return log_odds


def _confidence(name: str, value: Any) -> Confidence:
    """A confidence of calibration.json."""
    found = Confidence(**{key: tuple(map(float, numbers)) for key, numbers in value.items()})
    if len(found.weights) != N_FEATURES[name] or not all(0 <= w <= _LARGEST_SLOPE for w in found.weights):
        raise ValueError(f"weights {found.weights} of {name}: {N_FEATURES[name]} that are not negative are wanted")
    if not all(abs(b) <= _LARGEST_BIAS for b in found.biases):
        raise ValueError(f"biases {found.biases} of {name} are out of range")
    return found


def _scale(name: str, value: Any) -> Scale:
    """A head's scale, from its slope and bias, or from the temperature of a file of 0.1."""
    if name not in HEADS:
        raise ValueError(f"unknown head {name!r}; known: {', '.join(HEADS)}")
    if isinstance(value, int | float):
        if not 0.01 <= value <= 100:
            raise ValueError(f"temperature {value} of {name} is not between 0.01 and 100")
        return Scale(1 / value, 0.0)
    scale = Scale(**value)
    if not (0 < scale.slope <= _LARGEST_SLOPE and abs(scale.bias) <= _LARGEST_BIAS):
        raise ValueError(f"slope {scale.slope} and bias {scale.bias} of {name} are out of range")
    return scale
