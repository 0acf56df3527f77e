"""Temperature scaling: the probabilities of both phases made to mean what they say.

A softmax over logits z becomes a softmax over z / T, one T for each of the four outputs (is it an entity, which type,
is it a relation, which type), fitted to the likelihood of data that the model was not trained on. Stored beside the
weights as calibration.json; applied to candidates before they are decoded, so it never needs the model again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from extractor.candidates import Candidates
from schemas.errors import CheckpointError
from schemas.modelfolder import CALIBRATION

_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Calibration:
    """Temperatures (1: the model's own probabilities), and optional thresholds.

    Attributes:
        thresholds: per entity or relation type the least confidence of what is kept, in place of `min_confidence`.
    """

    entity: float = 1.0
    entity_type: float = 1.0
    relation: float = 1.0
    relation_type: float = 1.0
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def apply(self, candidates: Candidates) -> Candidates:
        """The candidates with calibrated probabilities; their order by probability within one output stays."""
        return replace(
            candidates,
            entity_prob=scale_binary(candidates.entity_prob, self.entity),
            type_prob=scale_types(candidates.type_prob, self.entity_type),
            pair_prob=scale_binary(candidates.pair_prob, self.relation),
            relation_prob=scale_types(candidates.relation_prob, self.relation_type),
        )

    def save(self, folder: Path) -> None:
        """Writes calibration.json into a model folder."""
        (folder / CALIBRATION).write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def load_calibration(folder: Path) -> Calibration:
    """The calibration of a model folder; temperatures of 1 where there is none.

    Raises:
        CheckpointError: the file is not what `Calibration.save` writes.
    """
    path = folder / CALIBRATION
    if not path.is_file():
        return Calibration()
    try:
        calibration = Calibration(**json.loads(path.read_text(encoding="utf-8")))
        temperatures = (calibration.entity, calibration.entity_type, calibration.relation, calibration.relation_type)
        if not all(0.01 <= t <= 100 for t in temperatures):
            raise ValueError(f"temperatures {temperatures} are not between 0.01 and 100")
        if not all(0 <= threshold <= 1 for threshold in calibration.thresholds.values()):
            raise ValueError(f"thresholds {dict(calibration.thresholds)} are not between 0 and 1")
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: not a calibration: {error}") from None
    return calibration


def scale_binary(prob_N: np.ndarray, temperature: float) -> np.ndarray:
    """A binary probability with its logit divided by the temperature, float32.

    >>> [round(float(p), 3) for p in scale_binary(np.array([0.5, 0.9]), 2.0)]
    [0.5, 0.75]
    """
    p = np.clip(prob_N.astype(np.float64), _TINY, 1 - 1e-9)
    return (1 / (1 + np.exp(-np.log(p / (1 - p)) / temperature))).astype(np.float32)


def scale_types(prob_NC: np.ndarray, temperature: float) -> np.ndarray:
    """Rows of probabilities with their logits divided by the temperature, float32."""
    if not prob_NC.size:
        return prob_NC
    log_NC = np.log(np.clip(prob_NC.astype(np.float64), _TINY, 1.0)) / temperature
    exp_NC = np.exp(log_NC - log_NC.max(axis=1, keepdims=True))
    return (exp_NC / exp_NC.sum(axis=1, keepdims=True)).astype(np.float32)


def fit_binary(prob_N: np.ndarray, is_true_N: np.ndarray) -> float:
    """The temperature under which the labels are likeliest; 1 where there is nothing to fit."""
    if not len(prob_N):
        return 1.0

    def loss(temperature: float) -> float:
        p = np.clip(scale_binary(prob_N, temperature).astype(np.float64), _TINY, 1 - _TINY)
        return float(-np.where(is_true_N, np.log(p), np.log1p(-p)).mean())

    return _best_temperature(loss)


def fit_types(prob_NC: np.ndarray, column_N: np.ndarray) -> float:
    """The temperature under which the types are likeliest; 1 where there is nothing to fit."""
    if not len(prob_NC):
        return 1.0
    rows = np.arange(len(column_N))

    def loss(temperature: float) -> float:
        p = scale_types(prob_NC, temperature).astype(np.float64)
        return float(-np.log(np.clip(p[rows, column_N], _TINY, 1.0)).mean())

    return _best_temperature(loss)


def _best_temperature(loss) -> float:  # type: ignore[no-untyped-def]
    """The minimum over temperatures from 0.1 to 20, 2 % apart."""
    grid = np.exp(np.arange(np.log(0.1), np.log(20.0), 0.02))
    return round(float(grid[int(np.argmin([loss(t) for t in grid]))]), 4)


def expected_calibration_error(confidence_N: np.ndarray, is_right_N: np.ndarray, n_bins: int = 10) -> float:
    """The mean distance between confidence and accuracy over bins of equal width, weighed by their size."""
    if not len(confidence_N):
        return 0.0
    bins = np.minimum((confidence_N * n_bins).astype(int), n_bins - 1)
    gaps = [
        (bins == b).sum() * abs(confidence_N[bins == b].mean() - is_right_N[bins == b].mean())
        for b in np.unique(bins).tolist()
    ]
    return float(sum(gaps) / len(confidence_N))


def threshold_for_precision(confidence_N: np.ndarray, is_right_N: np.ndarray, wanted: float) -> float:
    """The lowest confidence from which on the precision is as wanted; just above the highest where none is."""
    order = np.argsort(-confidence_N, kind="stable")
    precision = np.cumsum(is_right_N[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(precision >= wanted)
    return float(confidence_N[order][enough[-1]]) if len(enough) else 1.0
