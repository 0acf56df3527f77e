"""What is wrong with annotated data before anything is trained on it: leaks, duplicates, overlaps, rare types."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan
from kgmill.extractor.data.reach import beyond_reach
from kgmill.extractor.data.unused import KINDS, Unused
from kgmill.schemas.ontology import Ontology

RARE = 10  # instances under which a type is learnt badly
LONG = 120  # words from which on a sentence likely fills more than one window of the model
_NO_LETTERS = re.compile(r"[\W_]+")
Parts = Mapping[str, Sequence[AnnotatedSentence]]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was found.

    Attributes:
        level: `fault`: what makes a training or its scores wrong; `warning`: what may be meant so.
        kind: a short name that doesn't change.
        what: what it is and what to do, in words.
        n: how often.
        first: where it is first.
    """

    level: str
    kind: str
    what: str
    n: int
    first: str


@dataclass(slots=True)
class _Found:
    """Findings that are being counted."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    firsts: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def add(self, level: str, kind: str, what: str, first: str) -> None:
        key = (level, kind, what)
        self.counts[key] += 1
        self.firsts.setdefault(key, first)

    def listed(self) -> list[Finding]:
        ordered = sorted(self.counts.items(), key=lambda item: item[0][0])  # faults come first
        return [Finding(*key, n, self.firsts[key]) for key, n in ordered]


def describe(parts: Parts) -> dict[str, dict[str, Any]]:
    """Of each part how many sentences, words, entities and relations it has, by type too."""
    return {
        name: {
            "sentences": len(sentences),
            "words": sum(len(s.words) for s in sentences),
            "longest": max((len(s.words) for s in sentences), default=0),
            "without_entities": sum(not s.entities for s in sentences),
            "entities": dict(sorted(Counter(e.type for s in sentences for e in s.entities).items())),
            "relations": dict(sorted(Counter(r.type for s in sentences for r in s.relations).items())),
        }
        for name, sentences in parts.items()
    }


def inspect(parts: Parts, ontology: Ontology | None = None, max_span_width: int = 10) -> list[Finding]:
    """What is wrong with some parts of annotated data; the first is the one that is trained on.

    Args:
        parts: sentences by the name of their part, such as `train` and `dev`.
        ontology: what the types have to be, if that is known.
        max_span_width: the widest span of the model, in words.
    """
    found = _Found()
    _find_leaks(parts, found)
    _find_rare(parts, ontology, found)
    for name, sentences in parts.items():
        _find_duplicates(name, sentences, found)
        for number, sentence in enumerate(sentences):
            where = sentence.place or f"{name}: sentence {number}"
            for one in sentence.unused:
                found.add("fault", one.kind, f"{one.task} that {KINDS[one.kind][0]}; it is not used", one.place)
            _find_overlaps(sentence, where, ontology, found)
            if ontology:
                _find_unknown(sentence, where, ontology, found)
            if len(sentence.words) >= LONG:
                found.add("warning", "long", f"sentence of {LONG} words or more, cut into windows", where)
        for lost in beyond_reach(sentences, None, max_span_width):
            _add_wide(lost, max_span_width, found)
    return found.listed()


def _add_wide(lost: Unused, max_span_width: int, found: _Found) -> None:
    what = f"{lost.task} wider than max_span_width = {max_span_width}; it can't be learnt"
    found.add("warning", "too_wide", what, lost.place)


def _text(sentence: AnnotatedSentence) -> str:
    """The letters of a sentence; two that differ in case, spaces or punctuation are one."""
    text = "".join(sentence.words)
    return _NO_LETTERS.sub("", unicodedata.normalize("NFKC", text).casefold()) or text


def _place(sentence: AnnotatedSentence) -> str:
    return sentence.place or " ".join(sentence.words[:8])


def _find_leaks(parts: Parts, found: _Found) -> None:
    for (one, left), (other, right) in combinations(parts.items(), 2):
        texts = {_text(sentence) for sentence in left}
        documents = {name for sentence in left if (name := sentence.key.rpartition("#")[0])}
        for sentence in right:
            if _text(sentence) in texts:
                what = f"sentence of {other} that is in {one} too: scores would be too good"
                found.add("fault", "leak", what, _place(sentence))
            elif sentence.key.rpartition("#")[0] in documents:
                what = f"sentence of {other} whose document is in {one} too"
                found.add("warning", "document_leak", what, _place(sentence))


def _find_duplicates(name: str, sentences: Sequence[AnnotatedSentence], found: _Found) -> None:
    seen: dict[tuple[str, ...], AnnotatedSentence] = {}
    for sentence in sentences:
        before = seen.setdefault(sentence.words, sentence)
        if before is sentence:
            continue
        if _annotations(before) == _annotations(sentence):
            found.add("warning", "duplicate", f"sentence that comes twice in {name}", _place(sentence))
        else:
            what = f"sentence that comes twice in {name}, annotated otherwise"
            found.add("fault", "contradiction", what, f"{_place(sentence)}, and {_place(before)}")


def _annotations(sentence: AnnotatedSentence) -> tuple[object, ...]:
    ends = sentence.entities
    pairs = {
        (ends[r.head].start, ends[r.head].end, ends[r.tail].start, ends[r.tail].end, r.type) for r in sentence.relations
    }
    return {(e.start, e.end, e.type) for e in ends}, pairs


def _find_overlaps(sentence: AnnotatedSentence, where: str, ontology: Ontology | None, found: _Found) -> None:
    for a, b in _overlapping(sentence.entities):
        place = f"{where}: {a.start}:{a.end} {a.type!r} and {b.start}:{b.end} {b.type!r}"
        if (a.start, a.end) == (b.start, b.end):
            found.add("fault", "same_span", "span that is annotated twice", place)
        elif ontology is None or not ontology.overlapping_entities:
            level = "warning" if ontology is None else "fault"
            what = "entities that overlap; an ontology says overlapping_entities = true where that is meant"
            found.add(level, "overlap", what, place)


def _overlapping(entities: Sequence[EntitySpan]) -> Iterator[tuple[EntitySpan, EntitySpan]]:
    ordered = sorted(entities, key=lambda e: (e.start, e.end))
    for i, one in enumerate(ordered):
        for other in ordered[i + 1 :]:
            if other.start >= one.end:
                break
            yield one, other


def _find_unknown(sentence: AnnotatedSentence, where: str, ontology: Ontology, found: _Found) -> None:
    for e in sentence.entities:
        if e.type not in ontology.entities:
            found.add("fault", "unknown_type", f"entity type {e.type} that is not in the ontology", where)
    for r in sentence.relations:
        head, tail = sentence.entities[r.head].type, sentence.entities[r.tail].type
        if r.type not in ontology.relations:
            found.add("fault", "unknown_type", f"relation {r.type} that is not in the ontology", where)
        elif {head, tail} <= set(ontology.entities) and not ontology.allows(head, r.type, tail):
            what = f"{r.type} from {head} to {tail}, which the ontology doesn't allow"
            found.add("fault", "not_allowed", what, where)


def _find_rare(parts: Parts, ontology: Ontology | None, found: _Found) -> None:
    trained, *others = parts
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, sentences in parts.items():
        counts[name].update(f"entity type {e.type}" for s in sentences for e in s.entities)
        counts[name].update(f"relation {r.type}" for s in sentences for r in s.relations)
    wanted = {f"entity type {name}" for name in ontology.entities} if ontology else set()
    wanted |= {f"relation {name}" for name in ontology.relations} if ontology else set()
    for what in sorted(wanted | {what for count in counts.values() for what in count}):
        n = counts[trained][what]
        if not n:
            elsewhere = [name for name in others if counts[name][what]]
            where = f"in {', '.join(elsewhere)}" if elsewhere else "in the ontology alone"
            found.add("fault", "untrained", f"{what} that {trained} has no instance of", where)
        elif n < RARE:
            found.add("warning", "rare", f"{what} of which {trained} has {n}, fewer than {RARE}", "")
