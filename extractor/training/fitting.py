"""Fits of the scales that a calibration is made of: the likeliest slope and bias, under a small prior.

A margin's scale is a logistic regression (Platt scaling), fitted by Newton's method; a head of types has a slope alone.
The prior pulls the slope towards 0, where every probability is the base rate, with the weight of a hundredth of an
instance. Margins under which no slope is likeliest, as it were infinite, are no data to fit to: an error says so. Types
that are all right leave their head as it is: phase one decides then.

A confidence is a logistic regression too, of several log-odds and of the type. Its weights are kept from being negative
(a feature whose weight would be is left out), and a type's bias is drawn to that of all types with the weight of a few
instances, so that a rare type is read as the common ones are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kgmill.extractor.calibration import Confidence, Scale
from kgmill.schemas.errors import DataError

LEAST_INSTANCES = 10
_PRIOR = 0.01
_PRIOR_OF_A_TYPE = 1.0  # a standard normal: within 0.27 and 0.73 where the common confidence is 0.5
_FLATTEST = 0.01  # change of the log-odds over one standard deviation of the margins
_BOUNDS = (1e-4, 1e3)
_CURE = "calibrate on more sentences that the model was not trained on"


def check_binary(name: str, margin_N: np.ndarray, is_true_N: np.ndarray) -> None:
    """Checks that instances of phase one have a likeliest slope.

    Raises:
        DataError: there are too few of one kind, or the margins tell all of them apart.
    """
    n_true = int(is_true_N.sum())
    if min(n_true, len(is_true_N) - n_true) < LEAST_INSTANCES:
        raise DataError(
            f"{name}: {n_true} right and {len(is_true_N) - n_true} wrong candidates, wanted are at least "
            f"{LEAST_INSTANCES} of each; {_CURE}"
        )
    if margin_N[is_true_N].min() > margin_N[~is_true_N].max():
        raise DataError(f"{name}: the scores tell all {len(is_true_N)} candidates apart, none is unsure; {_CURE}")


def check_types(name: str, column_N: np.ndarray) -> None:
    """Checks that there are instances of phase two.

    Raises:
        DataError: there are too few.
    """
    if len(column_N) < LEAST_INSTANCES:
        raise DataError(f"{name}: {len(column_N)} instances, at least {LEAST_INSTANCES} are wanted; {_CURE}")


def fit_binary(name: str, margin_N: np.ndarray, is_true_N: np.ndarray) -> Scale:
    """The slope and bias under which the labels are likeliest, for one kind alone or none the margins as they are.

    Raises:
        DataError: a higher margin does not make a candidate likelier to be right.
    """
    if is_true_N.all() or not is_true_N.any():
        return Scale()
    x_N = margin_N.astype(np.float64)
    mean, deviation = float(x_N.mean()), float(x_N.std()) or 1.0
    design_N2 = np.stack(((x_N - mean) / deviation, np.ones(len(x_N))), axis=1)
    weight, bias = _newton(design_N2, is_true_N.astype(np.float64), np.full(2, _PRIOR))
    if weight < _FLATTEST:
        raise DataError(f"{name}: a candidate with a higher score is not likelier to be right; {_CURE}, or train anew")
    return Scale(_rounded(weight / deviation), _rounded(bias - weight * mean / deviation))


def fit_confidence(
    features: Sequence[np.ndarray], type_N: np.ndarray, is_right_N: np.ndarray, n_types: int
) -> Confidence | None:
    """The likeliest confidence of found items, from their features, [N] each, and types; None where there is none."""
    n_right = int(is_right_N.sum())
    if min(n_right, len(is_right_N) - n_right) < LEAST_INSTANCES:
        return None
    kept = list(range(len(features)))
    type_NT = np.eye(n_types)[type_N]
    while True:
        design_NK = np.column_stack([*(features[k] for k in kept), np.ones(len(type_N)), type_NT])
        prior_K = np.array([_PRIOR] * (len(kept) + 1) + [_PRIOR_OF_A_TYPE] * n_types)
        fitted_K = _newton(design_NK, is_right_N.astype(np.float64), prior_K)
        n = len(kept)
        lowest = int(fitted_K[:n].argmin())
        if fitted_K[lowest] >= 0:
            break
        del kept[lowest]
        if not kept:
            return None
    weights = dict(zip(kept, fitted_K[:n].tolist(), strict=True))
    biases = fitted_K[n] + fitted_K[n + 1 :]
    return Confidence(
        tuple(_rounded(weights.get(k, 0.0)) for k in range(len(features))), tuple(map(_rounded, biases.tolist()))
    )


def fit_types(name: str, logits_NC: np.ndarray, column_N: np.ndarray) -> Scale:
    """The slope under which the types are likeliest; 1 where there is nothing to choose, or all of them are right.

    Raises:
        DataError: it lies at a bound.
    """
    if not len(column_N) or logits_NC.shape[1] < 2 or (logits_NC.argmax(axis=1) == column_N).all():
        return Scale()
    z_NC = logits_NC.astype(np.float64)
    z_NC -= z_NC.max(axis=1, keepdims=True)
    gold_N = z_NC[np.arange(len(column_N)), column_N]

    def falls(slope: float) -> bool:
        """Whether the loss, which is convex, still falls here."""
        exp_NC = np.exp(slope * z_NC)
        expected_N = (exp_NC * z_NC).sum(axis=1) / exp_NC.sum(axis=1)
        return float((expected_N - gold_N).sum()) + _PRIOR * slope < 0

    low, high = _BOUNDS
    if not falls(low) or falls(high):
        raise DataError(f"{name}: no slope between {low:g} and {high:g} fits; {_CURE}")
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if falls(middle) else (low, middle)
    return Scale(_rounded(high))


def _newton(design_NK: np.ndarray, target_N: np.ndarray, prior_K: np.ndarray) -> np.ndarray:
    """The weights of the likeliest logistic regression, [K]; a step that overshoots is halved."""
    weights_K = np.zeros(len(prior_K))

    def loss(at_K: np.ndarray) -> float:
        z_N = design_NK @ at_K
        return float((np.logaddexp(0.0, z_N) - target_N * z_N).sum() + (prior_K / 2 * at_K) @ at_K)

    for _ in range(100):
        p_N = np.exp(-np.logaddexp(0.0, -design_NK @ weights_K))
        gradient_K = design_NK.T @ (p_N - target_N) + prior_K * weights_K
        curvature_KK = (design_NK * (p_N * (1 - p_N))[:, None]).T @ design_NK + np.diag(prior_K)
        step_K = np.linalg.solve(curvature_KK, gradient_K)
        while loss(weights_K - step_K) > loss(weights_K) and np.abs(step_K).max() > 1e-12:
            step_K /= 2
        weights_K = weights_K - step_K
        if np.abs(step_K).max() < 1e-9:
            break
    return weights_K


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
