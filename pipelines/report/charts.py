"""The charts of a report as HTML and SVG. All text goes through `text`; looks are in page.css, by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from kgmill.pipelines.report.excerpts import shown
from kgmill.pipelines.report.tables import N_BINS, Counts

_N_RELATIONS = 40
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 420, 200, 40, 30, 10


def text(value: object, limit: int = 200) -> str:
    """Text of the corpus or of the user as HTML in which nothing is markup, in a direction of its own."""
    return f"<bdi>{escape(shown(str(value), limit))}</bdi>"


def number(n: int) -> str:
    """A count, with thousands apart."""
    return f"{n:,}"


def relations(counts: Counts, documents: Mapping[str, int]) -> str:
    """A row a relation: its facts, asserted ones first, as a bar, and the documents that state it."""
    ranked = sorted(counts.facts.items(), key=lambda item: (-item[1], item[0]))
    most = ranked[0][1] if ranked else 1
    rows = []
    for name, n in ranked[:_N_RELATIONS]:
        sure = counts.asserted[name]
        rows.append(
            f'<tr><th scope="row">{text(name)}</th><td class="wide">{_bar(sure / most, n / most)}</td>'
            f'<td class="n">{number(n)}</td><td class="n">{number(sure)}</td>'
            f'<td class="n">{number(documents.get(name, 0))}</td></tr>'
        )
    more = len(ranked) - _N_RELATIONS
    note = f'<p class="note">{number(more)} rarer relations are not shown.</p>' if more > 0 else ""
    return (
        '<table class="bars"><thead><tr><th scope="col">relation</th><th scope="col" class="wide">'
        '<span class="key asserted"></span>asserted <span class="key stated"></span>other facts</th>'
        '<th scope="col" class="n">facts</th><th scope="col" class="n">asserted</th>'
        f'<th scope="col" class="n">documents</th></tr></thead><tbody>{"".join(rows)}</tbody></table>{note}'
    )


def _bar(sure: float, whole: float) -> str:
    return (
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="stated" width="{100 * whole:.2f}" height="10"/>'
        f'<rect class="asserted" width="{100 * sure:.2f}" height="10"/></svg>'
    )


def confidence(counts: Counts) -> str:
    """A histogram of the facts' confidence, asserted ones below."""
    bins = counts.bins
    most = max(1, *(sum(row) for row in bins))
    step = (_WIDTH - _LEFT - 10) / N_BINS
    bars = []
    for i, (sure, other) in enumerate(bins):
        x = _LEFT + i * step + 1
        told = f"{i / N_BINS:.2f} to {(i + 1) / N_BINS:.2f}: {number(sure + other)} facts, {number(sure)} asserted"
        bars.append(f"<g><title>{told}</title>{_column(x, step - 2, 0, sure / most, 'asserted')}")
        bars.append(f"{_column(x, step - 2, sure / most, (sure + other) / most, 'stated')}</g>")
    label = f"Histogram of the confidence of {number(counts.facts.total())} facts"
    return _frame(label, "confidence", [(0.0, "0"), (1.0, number(most))], "".join(bars))


def calibration(rows: Sequence[tuple[float, float]], least: float, wanted: float) -> str:
    """How often facts that people read were right from which confidence on; and from where they are asserted.

    Args:
        rows: a share that was right, and the least confidence that it was right from.
        least: the confidence from which this build asserts facts.
        wanted: the share that is to be right of them.
    """
    points = [(_x(c), _y(right), right, c) for right, c in rows]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in points)
    marks = "".join(
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4">'
        f"<title>from {c:.2f} on: {right:.0%} right</title></circle>"
        for x, y, right, c in points
    )
    inner = (
        f'<line class="even" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>'
        f'<line class="least" x1="{_x(least):.1f}" y1="{_y(0)}" x2="{_x(least):.1f}" y2="{_y(1)}"/>'
        f'<polyline class="curve" points="{line}"/>{marks}'
    )
    label = f"Facts are asserted from confidence {least:.2f} on, where {wanted:.0%} of those that were read are right"
    return _frame(label, "claimed at least", [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")], inner)


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - 10)


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)


def _column(x: float, width: float, low: float, high: float, name: str) -> str:
    height = _y(low) - _y(high)
    return f'<rect class="{name}" x="{x:.1f}" y="{_y(high):.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def _frame(label: str, axis: str, ticks: Sequence[tuple[float, str]], inner: str) -> str:
    across = "".join(
        f'<text class="tick" x="{_x(share):.1f}" y="{_HEIGHT - _BOTTOM + 14}" text-anchor="middle">{share:g}</text>'
        for share in (0, 0.25, 0.5, 0.75, 1)
    )
    up = "".join(
        f'<line class="grid" x1="{_LEFT}" y1="{_y(share):.1f}" x2="{_WIDTH - 10}" y2="{_y(share):.1f}"/>'
        f'<text class="tick" x="{_LEFT - 5}" y="{_y(share) + 4:.1f}" text-anchor="end">{said}</text>'
        for share, said in ticks
    )
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">'
        f'{up}{inner}{across}<text class="tick" x="{(_WIDTH + _LEFT) / 2:.0f}" y="{_HEIGHT - 2}" '
        f'text-anchor="middle">{escape(axis)}</text></svg>'
    )
