"""What a command can't use of annotated data: counted by kind and told, never dropped without a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# What is said of one annotation of a kind, and of several.
KINDS = {
    "outside_sentence": ("lies outside of its sentence", "lie outside of their sentence"),
    "unaligned": ("doesn't begin and end with a word", "don't begin and end with words"),
    "discontinuous": ("is of several pieces", "are of several pieces"),
    "across_sentences": ("joins entities of different sentences", "join entities of different sentences"),
    "no_entity": ("has an end that is no entity", "have an end that is no entity"),
    "one_entity": ("joins a span with itself", "join a span with itself"),
    "same_span": ("has an end whose span holds several entities", "have an end whose span holds several entities"),
    "too_wide": (
        "is, or joins, an entity wider than the spans of the model",
        "are, or join, entities wider than the spans of the model",
    ),
    "split": ("fits into no window of the model's input", "fit into no window of the model's input"),
    "not_modelled": ("is no entity or relation", "are no entities or relations"),
}
_PLURALS = {
    "entity": "entities",
    "relation": "relations",
    "cluster": "coreference clusters",
    "event": "events",
    "label": "labels",
}
_SINGULARS = {"cluster": "coreference cluster"}


@dataclass(frozen=True, slots=True)
class Unused:
    """An annotation that can't be used.

    Attributes:
        kind: why, one of KINDS.
        task: `entity`, `relation`, `cluster`, `event`, or `label` for what says something of a text or of a mark.
        type: its type; empty where it has none.
        place: file, line or sentence, and what stands there.
    """

    kind: str
    task: str
    type: str
    place: str


def summarise(unused: Iterable[Unused]) -> dict[str, dict[str, Any]]:
    """The number of annotations by kind and task, and the place of each kind's first, as JSON can hold it."""
    report: dict[str, dict[str, Any]] = {}
    for one in unused:
        row = report.setdefault(one.kind, {"first": one.place})
        row[_PLURALS[one.task]] = row.get(_PLURALS[one.task], 0) + 1
    return report


def format_unused(unused: Iterable[Unused]) -> list[str]:
    """A line a kind, with counts and the first place.

    >>> format_unused([Unused("outside_sentence", "entity", "Org", "a.jsonl:7: sentence 2: entity 3:4")])
    ['1 entity lies outside of its sentence (first: a.jsonl:7: sentence 2: entity 3:4)']
    """
    counts: dict[str, Counter[str]] = {}
    first: dict[str, str] = {}
    for one in unused:
        counts.setdefault(one.kind, Counter())[one.task] += 1
        first.setdefault(one.kind, one.place)
    lines = []
    for kind, tasks in counts.items():
        what = " and ".join(_counted(n, task) for task, n in sorted(tasks.items()))
        lines.append(f"{what} {KINDS[kind][tasks.total() > 1]} (first: {first[kind]})")
    return lines


def _counted(n: int, task: str) -> str:
    return f"{n} {_PLURALS[task] if n > 1 else _SINGULARS.get(task, task)}"
