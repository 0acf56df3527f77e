"""A calibration's report: what was fitted, rows of what was claimed and what was right, and a reliability diagram."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kgmill.extractor.calibration import CANDIDATE_FLOOR, CONFIDENCES, HEADS
from kgmill.extractor.training.calibrate import CalibrationReport
from kgmill.extractor.training.outcomes import LEAST_SUPPORT, TASKS, Outcomes

_FEATURES = ("both phases", "head", "tail")


def fitted_rows(report: CalibrationReport) -> Iterator[tuple[str, str]]:
    """What was fitted, by its name: slopes, biases and weights."""
    for name in HEADS:
        scale = getattr(report.calibration, name)
        yield name.replace("_", " "), f"slope {scale.slope:g}, bias {scale.bias:g}"
    for name in CONFIDENCES:
        if confidence := getattr(report.calibration, name):
            weights = ", ".join(f"{w:g} {said}" for w, said in zip(confidence.weights, _FEATURES, strict=False))
            least, most = min(confidence.biases), max(confidence.biases)
            yield name.replace("_", " "), f"{weights}; biases of types {least:g} to {most:g}"


def outcome_rows(report: CalibrationReport) -> Iterator[dict[str, Any]]:
    """What was claimed and what was right, before and after, cross-fitted, and in sets that nothing was fitted to.

    A row has `task`, `of` (in words whose, and of which set), `threshold` (None: that of users), `items`, and the same
    of those that are `sure`; `claimed`, `right` and `error` are shares from 0 to 1.
    """
    for task in TASKS:
        for threshold, before in report.before.items():
            yield _row(task, "as the model says", threshold, before[task])
            yield _row(task, "calibrated", threshold, report.after[threshold][task])
        for name, found in report.crossed.items():
            yield _row(task, f"calibrated: {name}", None, found[task])
        for name, found in report.judged.items():
            yield _row(task, f"calibrated, not fitted to: {name}", None, found[task])


def _row(task: str, of: str, threshold: float | None, found: Outcomes) -> dict[str, Any]:
    shares = {"claimed": found.claimed, "right": found.right, "error": found.ece, "sure_right": found.sure.right}
    rounded = {name: round(float(share), 6) for name, share in shares.items()}
    return {"task": task, "of": of, "threshold": threshold, "items": len(found), "sure": len(found.sure), **rounded}


def precision_rows(report: CalibrationReport) -> list[dict[str, Any]]:
    """Each relation at the threshold of users, the most precise first: `items`, the share `right`, and `masked`."""
    return [
        {"relation": name, "items": n, "right": right, "masked": name in report.calibration.masked}
        for name, (n, right) in sorted(report.precision.items(), key=lambda item: (-item[1][1], item[0]))
    ]


def promise_rows(report: CalibrationReport) -> list[tuple[str, str]]:
    """Each type, and from which confidence on it has the wanted precision, if these sentences can promise that."""
    return [
        (name, "can't be promised: the general threshold" if least is None else f"from confidence {least:g} on")
        for name, least in sorted(report.promises.items())
    ]


def promise_note(report: CalibrationReport) -> str:
    """What a promise takes; empty where all could be given."""
    if None not in report.promises.values():
        return ""
    return (
        f"A promise takes {LEAST_SUPPORT} items at least whose precision is as wanted with 95 %\n"
        "certainty. A higher --min-confidence is surer; more sentences to calibrate on\n"
        "may allow the promise."
    )


def reliability_svg(report: CalibrationReport, n_bins: int = 10) -> str:
    """A reliability diagram: accuracy over confidence in bins, before and after, for mentions and relations."""
    panels = []
    for row, name in enumerate(("mentions", "relations")):
        for column, (when, side) in enumerate((("before", report.before), ("after", report.after))):
            panels.append(
                _panel(40 + 300 * column, 40 + 290 * row, f"{name}, {when}", side[CANDIDATE_FLOOR][name], n_bins)
            )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="610" font-family="sans-serif" font-size="12">'
        '<rect width="640" height="610" fill="white"/>' + "".join(panels) + "</svg>\n"
    )


def _panel(x: int, y: int, title: str, found: Outcomes, n_bins: int) -> str:
    size = 220
    bins = np.minimum((found.confidence * n_bins).astype(int), n_bins - 1)
    bars = []
    for b in range(n_bins):
        inside = bins == b
        if inside.any():
            accuracy = float(found.is_right[inside].mean())
            height, left = size * accuracy, x + size * b / n_bins
            share = inside.mean()
            bars.append(
                f'<rect x="{left + 1:.1f}" y="{y + size - height:.1f}" width="{size / n_bins - 2:.1f}" '
                f'height="{height:.1f}" fill="#3b6ea5" fill-opacity="{0.35 + 0.65 * share:.2f}"/>'
                f'<text x="{left + size / n_bins / 2:.1f}" y="{y + size + 12}" font-size="8" '
                f'text-anchor="middle" fill="#555">{inside.sum()}</text>'
            )
    return (
        f'<text x="{x}" y="{y - 8}">{title}: error {100 * found.ece:.1f} %</text>'
        f'<rect x="{x}" y="{y}" width="{size}" height="{size}" fill="none" stroke="#999"/>'
        f'<line x1="{x}" y1="{y + size}" x2="{x + size}" y2="{y}" stroke="#c33" stroke-dasharray="4 3"/>'
        + "".join(bars)
        + f'<text x="{x + size / 2}" y="{y + size + 26}" text-anchor="middle">confidence; items in each bin</text>'
    )
