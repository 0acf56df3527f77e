"""Data distributions, in the form of the paper's Tables 1, 2 and 6, beside the paper's own numbers for CoNLL04.

The paper's counts for CoNLL04 are of train + dev of the public split. Differences are printed, not forced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from kgmill.extractor.data.annotated import AnnotatedSentence

MAX_SPAN_WIDTH = 10
MAX_NEGATIVES = 100
INTERVALS = ((0, 3), (4, 7), (8, 11), (12, None))

# Table 1, 2 and 6 of the paper, under the data's names.
PAPER_COUNTS = {
    "Other": 592,
    "Org": 786,
    "Peop": 1370,
    "Loc": 1541,
    "Not-Entity": 101555,
    "Kill": 229,
    "Located_In": 312,
    "Work_For": 325,
    "OrgBased_In": 317,
    "Live_In": 421,
    "Not-Relation": 12915,
}
PAPER_DISTANCES = {
    "Live_In": (39.0, 27.6, 10.5, 22.9),
    "Located_In": (76.6, 12.8, 3.5, 7.1),
    "Work_For": (41.5, 35.1, 8.0, 15.4),
    "OrgBased_In": (72.0, 10.7, 5.5, 11.8),
    "Kill": (21.3, 33.5, 26.7, 18.5),
}
PAPER_RATIOS = {
    "NER, one phase": 171.5,
    "NER, phase one": 23.7,
    "NER, phase two": 2.6,
    "RE, one phase": 56.4,
    "RE, phase one": 9.9,
    "RE, phase two": 1.8,
}


def count_types(sentences: Sequence[AnnotatedSentence]) -> tuple[Counter[str], Counter[str]]:
    """Table 1: entities and relations by type, with the negatives of SpERT's rule, at most 100 of each a sentence."""
    entities = Counter(e.type for s in sentences for e in s.entities)
    relations = Counter(r.type for s in sentences for r in s.relations)
    entities["Not-Entity"] = sum(min(MAX_NEGATIVES, _negative_spans(s)) for s in sentences)
    relations["Not-Relation"] = sum(min(MAX_NEGATIVES, _negative_pairs(s)) for s in sentences)
    return entities, relations


def _negative_spans(sentence: AnnotatedSentence) -> int:
    n = len(sentence.words)
    n_spans = sum(n - width + 1 for width in range(1, min(n, MAX_SPAN_WIDTH) + 1))
    return n_spans - len({(e.start, e.end) for e in sentence.entities if e.end - e.start <= MAX_SPAN_WIDTH})


def _negative_pairs(sentence: AnnotatedSentence) -> int:
    n = len(sentence.entities)
    return n * (n - 1) - len({(r.head, r.tail) for r in sentence.relations})


def distances(sentences: Sequence[AnnotatedSentence]) -> dict[str, tuple[float, ...]]:
    """Table 2: for each relation type the percentage of its pairs with 0-3, 4-7, 8-11 and more words between them."""
    found: dict[str, list[int]] = {}
    for sentence in sentences:
        for relation in sentence.relations:
            head, tail = sentence.entities[relation.head], sentence.entities[relation.tail]
            words = max(0, max(head.start, tail.start) - min(head.end, tail.end))
            found.setdefault(relation.type, []).append(words)
    return {
        name: tuple(
            100 * sum(low <= n and (high is None or n <= high) for n in counts) / len(counts) for low, high in INTERVALS
        )
        for name, counts in sorted(found.items())
    }


def imbalance(entities: Counter[str], relations: Counter[str]) -> dict[str, float]:
    """Table 6: the largest class over the smallest, for one phase and for each of the two."""
    ratios = {}
    for task, counts, negative in (("NER", entities, "Not-Entity"), ("RE", relations, "Not-Relation")):
        typed = {name: n for name, n in counts.items() if name != negative}
        if typed:
            ratios[f"{task}, one phase"] = counts[negative] / min(typed.values())
            ratios[f"{task}, phase one"] = counts[negative] / sum(typed.values())
            ratios[f"{task}, phase two"] = max(typed.values()) / min(typed.values())
    return ratios


def stats_of(sentences: Sequence[AnnotatedSentence]) -> dict[str, Any]:
    """The three tables as JSON can hold them: counts by type, percentages of pairs by words between, and ratios."""
    entities, relations = count_types(sentences)
    return {
        "n_sentences": len(sentences),
        "entities": dict(entities),
        "relations": dict(relations),
        "words_between": {
            name: dict(zip((one.strip() for one in _intervals()), shares, strict=True))
            for name, shares in distances(sentences).items()
        },
        "imbalance": imbalance(entities, relations),
    }


def format_stats(sentences: Sequence[AnnotatedSentence]) -> str:
    """The three tables; beside each number that the paper prints for CoNLL04, that number and the difference."""
    entities, relations = count_types(sentences)
    is_conll04 = {*entities, *relations} <= set(PAPER_COUNTS)
    lines = [f"{len(sentences)} sentences", "", _row("Table 1: counts", "here", is_conll04)]
    for name, n in (*entities.items(), *relations.items()):
        lines.append(_compared(name, n, PAPER_COUNTS[name] if is_conll04 else None, 0))
    lines += ["", "Table 2: words between head and tail, % of pairs", f"{'':24}" + "".join(_intervals())]
    for name, shares in distances(sentences).items():
        lines.append(f"{name:24}" + "".join(f"{share:9.1f}" for share in shares))
        if is_conll04:
            lines.append(f"{'  paper':24}" + "".join(f"{share:9.1f}" for share in PAPER_DISTANCES[name]))
    lines += ["", _row("Table 6: imbalance, 1 to", "here", is_conll04)]
    for name, ratio in imbalance(entities, relations).items():
        lines.append(_compared(name, ratio, PAPER_RATIOS[name] if is_conll04 else None, 1))
    return "\n".join(lines)


def _intervals() -> list[str]:
    return [f"{f'{low}-{high}' if high is not None else f'>{low - 1}':>9}" for low, high in INTERVALS]


def _row(title: str, first: str, is_conll04: bool) -> str:
    return f"{title:24}{first:>10}" + (f"{'paper':>10}{'difference':>12}" if is_conll04 else "")


def _compared(name: str, value: float, paper: float | None, places: int) -> str:
    line = f"{name:24}{value:>10.{places}f}"
    return line if paper is None else f"{line}{paper:>10.{places}f}{value - paper:>+12.{places}f}"
