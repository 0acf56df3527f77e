"""A calibration's report for people: a table, and a reliability diagram."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kgmill.extractor.calibration import CANDIDATE_FLOOR, CONFIDENCES, HEADS
from kgmill.extractor.training.calibrate import CalibrationReport
from kgmill.extractor.training.outcomes import LEAST_SUPPORT, SURE, TASKS, Outcomes

_FEATURES = ("both phases", "head", "tail")


def format_calibration(report: CalibrationReport, wanted_precision: float = 0.0) -> str:
    """The scales; what was claimed and what was right before and after; and the thresholds of a wanted precision."""
    lines = []
    for name in HEADS:
        scale = getattr(report.calibration, name)
        lines.append(f"{name.replace('_', ' ')}: slope {scale.slope:g}, bias {scale.bias:g}")
    for name in CONFIDENCES:
        if confidence := getattr(report.calibration, name):
            weights = ", ".join(f"{w:g} {said}" for w, said in zip(confidence.weights, _FEATURES, strict=False))
            least, most = min(confidence.biases), max(confidence.biases)
            lines.append(f"{name.replace('_', ' ')}: {weights}; biases of types {least:g} to {most:g}")
    columns = f"{'items':>7}{'claimed':>9}{'right':>8}{'error':>8}{f'{SURE:g} up':>8}{'right':>8}"
    lines.append(f"{'what was found, cross-fitted':54}{columns}")
    for task in TASKS:
        for threshold, before in report.before.items():
            for when, found in (("as the model says", before), ("calibrated", report.after[threshold])):
                lines.append(f"{f'{task} at {threshold:g} and above, {when}':54}{_numbers(found[task])}")
        for name, found in report.crossed.items():
            lines.append(f"{f'{task}, calibrated: {name}':54}{_numbers(found[task])}")
        for name, found in report.judged.items():
            lines.append(f"{f'{task}, calibrated, not fitted to: {name}':54}{_numbers(found[task])}")
    lines.extend(_promises(report, wanted_precision))
    if report.precision:
        lines.append(f"{'relation, at the threshold of users':54}{'items':>7}{'right':>8}")
        by_precision = sorted(report.precision.items(), key=lambda item: (-item[1][1], item[0]))
        for name, (n, right) in by_precision:
            masked = "  masked" if name in report.calibration.masked else ""
            lines.append(f"  {name:52}{n:>7}{100 * right:>7.1f}%{masked}")
    return "\n".join(lines)


def _numbers(found: Outcomes) -> str:
    numbers = f"{len(found):>7}{100 * found.claimed:>8.1f}%{100 * found.right:>7.1f}%{100 * found.ece:>7.1f}%"
    return f"{numbers}{len(found.sure):>8}{100 * found.sure.right:>7.1f}%"


def _promises(report: CalibrationReport, wanted: float) -> Iterator[str]:
    for name, threshold in sorted(report.promises.items()):
        if threshold is None:
            yield (
                f"  {name}: precision {wanted:g} can't be promised by these sentences, so it keeps the general "
                "threshold"
            )
        else:
            yield f"  {name}: precision {wanted:g} from confidence {threshold:g} on"
    if None in report.promises.values():
        yield (
            f"A promise takes at least {LEAST_SUPPORT} items whose precision is as wanted with 95 % certainty.\n"
            "A higher --min-confidence is surer, more sentences to calibrate on may allow the promise."
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
