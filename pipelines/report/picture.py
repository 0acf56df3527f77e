"""The map: the best-joined entities of a graph and where each one lies, the same for the same facts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import networkx as nx

from kgmill.schemas.records import Fact

_N_NODES, _LEAST_COMPONENT = 300, 3
_SEED, _ROUNDS, _EVEN = 7, 100, 0.65
_SPACING, _GAP = 44.0, 60.0


@dataclass(frozen=True, slots=True)
class Picture:
    """Entities by their rows, and where they lie; whole numbers, y downwards."""

    nodes: list[int]
    x: list[int]
    y: list[int]


def picture(facts: Iterable[Fact], place: dict[str, int], n_nodes: int = _N_NODES) -> Picture:
    """The entities that the surest facts join most, the small groups among them left out, each group laid out apart."""
    whole: nx.Graph[int] = nx.Graph()
    for fact in facts:
        if fact.tail and fact.tail != fact.head:
            head, tail = place[fact.head], place[fact.tail]
            before = whole.get_edge_data(head, tail, {"weight": 0.0})["weight"]
            whole.add_edge(head, tail, weight=before + fact.confidence * (2.0 if fact.asserted else 1.0))
    strength = dict(whole.degree(weight="weight"))
    best = sorted(strength, key=lambda node: (-round(strength[node], 6), node))[:n_nodes]
    joined = whole.subgraph(best)
    groups = sorted(map(sorted, nx.connected_components(joined)), key=lambda group: (-len(group), group[0]))
    large = [group for group in groups if len(group) >= _LEAST_COMPONENT] or groups
    return _packed([_laid_out(joined, group) for group in large])


_Places = dict[int, tuple[float, float]]


def _laid_out(graph: nx.Graph[int], group: list[int]) -> _Places:
    """Places of a group around 0, 0, as wide as so many entities need."""
    ordered: nx.Graph[int] = nx.Graph()
    ordered.add_nodes_from(group)
    ordered.add_edges_from(sorted((min(a, b), max(a, b)) for a, b in graph.subgraph(group).edges()))
    radius = _SPACING * math.sqrt(len(group)) * 0.8
    spread = 1.9 / math.sqrt(len(group))
    found = nx.spring_layout(ordered, k=spread, iterations=_ROUNDS, seed=_SEED, scale=radius, method="force")
    across, down = (_loosened([float(found[node][axis]) for node in group], radius) for axis in (0, 1))
    return dict(zip(group, zip(across, down, strict=True), strict=True))


def _loosened(places: list[float], radius: float) -> list[float]:
    """Places in one direction, moved most of the way to even distances: a crowd spreads, and far ones come nearer."""
    order = sorted(range(len(places)), key=lambda i: (places[i], i))
    even = {i: radius * (2 * rank / max(1, len(places) - 1) - 1) for rank, i in enumerate(order)}
    return [(1 - _EVEN) * place + _EVEN * even[i] for i, place in enumerate(places)]


def _packed(groups: list[_Places]) -> Picture:
    """The groups beside each other, in rows about as wide as the first."""
    nodes: list[int] = []
    xs: list[int] = []
    ys: list[int] = []
    boxes = [_box(group) for group in groups]
    area = sum((w + _GAP) * (h + _GAP) for _, _, w, h in boxes)
    width = max([math.sqrt(area), *(w for _, _, w, _ in boxes)], default=0.0)
    left = top = height = 0.0
    for group, (x0, y0, w, h) in zip(groups, boxes, strict=True):
        if left and left + w > width:
            left, top, height = 0.0, top + height + _GAP, 0.0
        for node, (x, y) in group.items():
            nodes.append(node)
            xs.append(round(x - x0 + left))
            ys.append(round(y - y0 + top))
        left, height = left + w + _GAP, max(height, h)
    return Picture(nodes, xs, ys)


def _box(group: _Places) -> tuple[float, float, float, float]:
    """Left, top, width and height."""
    across, down = [x for x, _ in group.values()], [y for _, y in group.values()]
    return min(across), min(down), max(across) - min(across), max(down) - min(down)
