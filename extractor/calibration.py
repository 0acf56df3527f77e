"""A model's calibration: what its scores are worth, so that a probability means what it says.

Each of the four outputs (is it an entity, which type, is it a relation, which type) has a slope and a bias: a margin m
of phase one becomes the probability sigmoid(slope * m + bias), the logits z of phase two softmax(slope * z). A slope
alone (a temperature) can't mend a head that is too sure everywhere; the bias can. Fitted to the likelihood of data that
the model was not trained on (`training.calibrate`), stored beside the weights as calibration.json, applied to
candidates before they are decoded, so it never needs the model again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from kgmill.extractor.candidates import Candidates, Floors, Scored
from kgmill.extractor.modelfolder import CALIBRATION, phase_one
from kgmill.schemas.errors import CheckpointError

CANDIDATE_FLOOR = 0.1
_HIGHEST_FLOOR = -5.0  # margins down to here are kept whatever the calibration: a new one then seldom needs the model
_LEAST_FLOOR = 1e-6
_LARGEST_SLOPE, _LARGEST_BIAS = 1000.0, 100.0
HEADS = ("entity", "entity_type", "relation", "relation_type")


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
        exp_NC = np.exp(z_NC - z_NC.max(axis=1, keepdims=True))
        return exp_NC / exp_NC.sum(axis=1, keepdims=True)

    def margin(self, probability: float) -> float:
        """The margin that has this probability, strictly between 0 and 1.

        >>> Scale(0.5, 1.0).margin(0.5)
        -2.0
        """
        return (math.log(probability / (1 - probability)) - self.bias) / self.slope


@dataclass(frozen=True, slots=True)
class Calibration:
    """A scale a head, and optional thresholds.

    Attributes:
        thresholds: per entity or relation type the least confidence of what is kept, in place of `min_confidence`.
        masked: relations that were found too badly to be told; `--ontology all` brings them back.
    """

    entity: Scale = field(default_factory=Scale)
    entity_type: Scale = field(default_factory=Scale)
    relation: Scale = field(default_factory=Scale)
    relation_type: Scale = field(default_factory=Scale)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    masked: tuple[str, ...] = ()

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """The calibration that `asdict` or a calibration.json holds.

        Raises:
            ValueError, TypeError: it is none.
        """
        scales = {name: _scale(name, value) for name, value in data.items() if name not in ("thresholds", "masked")}
        thresholds, masked = dict(data.get("thresholds", {})), tuple(data.get("masked", ()))
        if not all(0 <= threshold <= 1 for threshold in thresholds.values()):
            raise ValueError(f"thresholds {thresholds} are not between 0 and 1")
        if isinstance(data.get("masked"), str) or not all(isinstance(name, str) for name in masked):
            raise TypeError(f"masked {masked} are not names of relations")
        return cls(**scales, thresholds=thresholds, masked=masked)

    @property
    def cuts(self) -> dict[str, float]:
        """The least confidence of each type that has one of its own: its threshold; of a masked one, none is enough."""
        return {**self.thresholds, **dict.fromkeys(self.masked, math.inf)}

    def apply(self, candidates: Candidates) -> Scored:
        """The candidates with probabilities; their order by probability within one output is that of their logits."""
        return Scored(
            candidates.spans,
            self.entity.probability(candidates.entity_margin),
            self.entity_type.type_probabilities(candidates.type_logits),
            candidates.pairs,
            self.relation.probability(candidates.pair_margin),
            self.relation_type.type_probabilities(candidates.relation_logits),
        )

    def floors(self, min_confidence: float, candidate_floor: float = CANDIDATE_FLOOR) -> Floors:
        """The least margins of what can be found at a threshold: nothing that decoding may keep lies below them.

        Those of the calibrated probability `candidate_floor`, or of the lowest threshold where that is lower, rounded
        down, so that other thresholds and a slightly other calibration find the candidates there.
        """
        least = max(_LEAST_FLOOR, min(candidate_floor, min_confidence, *self.thresholds.values()))
        return Floors(
            *(min(_HIGHEST_FLOOR, float(math.floor(scale.margin(least)))) for scale in (self.entity, self.relation))
        )

    def save(self, folder: Path) -> None:
        """Writes calibration.json into a model folder."""
        (folder / CALIBRATION).write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n", encoding="utf-8")


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
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: not a calibration: {error}") from None
    old = [name for name in ("entity", "relation") if isinstance(data.get(name), int | float)]
    if not old or not (folder / "config.json").is_file() or phase_one(folder) == "softmax":
        return calibration
    doubled: dict[str, Any] = {name: Scale(2 * getattr(calibration, name).slope) for name in old}
    return replace(calibration, **doubled)


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
