"""Runs the code of docs/networks.md, puts what it prints below it, and draws: `python docs/make_networks.py DIR`.

DIR is a build of examples/corpus, as `make demo` leaves it in `demo`.
"""

from __future__ import annotations

import io
import math
import re
import sys
import textwrap
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

DOCS = Path(__file__).parent
PAGE = DOCS / "networks.md"
_BLOCK = re.compile(r"(```python\n(.*?)```\n\n```text\n).*?```", re.DOTALL)
_COLORS = {"Person": "#c4622d", "Organization": "#2d6ea3", "Place": "#5f8f4e"}
_OTHER, _LINE = "#777777", "#c9c9c9"
_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana"],
    "font.size": 10,
    "svg.fonttype": "none",
    "svg.hashsalt": "kgmill",  # equal pictures are equal bytes
}


def run(page: str, folder: str) -> tuple[str, dict[str, Any]]:
    """The page with what its code prints about the build in a folder, and the names that the code left."""
    names: dict[str, Any] = {}

    def with_output(block: re.Match[str]) -> str:
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(block[2].replace('"demo"', repr(folder)), names)  # noqa: S102 - the page's own code
        return f"{block[1]}{printed.getvalue()}```"

    return _BLOCK.sub(with_output, page), names


def draw_central(names: dict[str, Any]) -> Figure:
    """Bars: the ranks of the most central."""
    people, rank, shown = names["people"], names["rank"], names["central"][:12][::-1]
    figure = Figure((7.5, 3.8), layout="constrained")
    axes = figure.add_subplot()
    kinds = [people.nodes[node]["type"] for node in shown]
    bars = axes.barh(range(len(shown)), [rank[node] for node in shown], color=[_COLORS.get(k, _OTHER) for k in kinds])
    axes.bar_label(bars, [f"{people.degree(node)} facts" for node in shown], padding=4, fontsize=8)
    axes.set_yticks(range(len(shown)), [people.nodes[node]["label"] for node in shown])
    axes.set_xlabel("PageRank")
    axes.margins(x=0.12)
    for kind in sorted(set(kinds)):
        axes.scatter([], [], color=_COLORS.get(kind, _OTHER), label=kind)
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_joined(names: dict[str, Any]) -> Figure:
    """A chain: those on the path, and between them the sentences."""
    people, path, steps = names["people"], names["path"], names["steps"]
    figure = Figure((7.5, 0.4 + 0.9 * len(steps)), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0] * len(path), [-i for i in range(len(path))], color=_LINE, linewidth=2, zorder=1)
    for i, node in enumerate(path):
        kind = people.nodes[node]["type"]
        axes.scatter(0, -i, s=110, color=_COLORS.get(kind, _OTHER), zorder=2)
        axes.text(0.03, -i, people.nodes[node]["label"], va="center", weight="bold")
    for i, fact in enumerate(steps):
        said = textwrap.fill(" ".join(fact["sentence"].split()), 100)
        axes.text(0.03, -i - 0.5, f"{fact['relation']}  {fact['weight']:.2f}\n{said}", va="center", fontsize=8)
    axes.set(xlim=(-0.03, 1), ylim=(-len(steps) - 0.3, 0.3))
    axes.axis("off")
    return figure


def draw_communities(names: dict[str, Any], columns: int = 4) -> Figure:
    """A wheel a community: the most connected member in the middle, the others around it, all of them named."""
    graph, communities = names["places"], names["communities"]
    rows = math.ceil(len(communities) / columns)
    figure = Figure((3.3 * columns, 3.3 * rows), layout="constrained")
    axes = figure.add_subplot()
    where: dict[str, tuple[float, float]] = {}
    for i, community in enumerate(communities):
        where |= _draw_wheel(axes, graph, community, (i % columns, -(i // columns)))
    ends = [(where[u], where[v]) for u, v in graph.edges()]
    axes.add_collection(LineCollection(ends, colors=_LINE, linewidths=0.5, zorder=1))
    for kind in sorted({graph.nodes[node]["type"] for node in where}):
        of_kind = [place for node, place in where.items() if graph.nodes[node]["type"] == kind]
        axes.scatter(*zip(*of_kind, strict=True), s=22, color=_COLORS.get(kind, _OTHER), label=kind, zorder=2)
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(0.5 - rows, 0.5), aspect="equal")
    axes.axis("off")
    axes.legend(frameon=False, loc="lower right")
    return figure


def _draw_wheel(
    axes: Axes, graph: Any, community: list[str], centre: tuple[float, float], radius: float = 0.19
) -> dict[str, tuple[float, float]]:
    """Writes the names of a community's members where they belong; returns where that is."""
    hub, *others = community
    x, y = centre
    axes.text(x, y + 0.02, graph.nodes[hub]["label"], ha="center", va="bottom", weight="bold", fontsize=9, zorder=3)
    where = {hub: centre}
    for k, node in enumerate(others):
        angle = 360 * (k + 0.5) / len(others)
        where[node] = x + radius * math.cos(math.radians(angle)), y + radius * math.sin(math.radians(angle))
        is_left = 90 < angle < 270
        axes.text(
            *where[node],
            f"   {textwrap.shorten(graph.nodes[node]['label'], 26, placeholder='…')}   ",
            rotation=angle - 180 if is_left else angle,  # never upside down
            rotation_mode="anchor",
            ha="right" if is_left else "left",
            va="center",
            fontsize=6.5,
        )
    return where


DRAWN = {
    "networks-central.svg": draw_central,
    "networks-joined.svg": draw_joined,
    "networks-communities.svg": draw_communities,
}


def draw(names: dict[str, Any], folder: Path) -> None:
    """Writes the pictures."""
    with mpl.rc_context(_STYLE):
        for name, draw_it in DRAWN.items():
            draw_it(names).savefig(folder / name, metadata={"Date": None})


def main(folder: str) -> None:
    """Writes the page and its pictures."""
    page, names = run(PAGE.read_text(encoding="utf-8"), folder)
    PAGE.write_text(page, encoding="utf-8")
    draw(names, DOCS)


if __name__ == "__main__":
    main(sys.argv[1])
