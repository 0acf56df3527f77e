"""Annotations by offsets in characters, laid on the sentences and words that the product makes of a text.

What a sentence can't hold is told by kind (`unused`), and counts as missed: marks that go over a sentence's end, or
don't begin and end with words, and links that lead out of a sentence, or to such a mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair
from kgmill.extractor.data.unused import Unused
from kgmill.extractor.text.split import SentenceText, split_text


@dataclass(frozen=True, slots=True)
class Mark:
    """An entity in a text: characters from `begin` to `end` (exclusive); `place` is where it is written, for people."""

    begin: int
    end: int
    type: str
    place: str


@dataclass(frozen=True, slots=True)
class Link:
    """A relation between two marks, by their numbers."""

    head: int
    tail: int
    type: str
    place: str


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A text, what is marked in it, and what of its annotation is of a kind that can't be used."""

    text: str
    marks: Sequence[Mark]
    links: Sequence[Link]
    key: str
    place: str
    unused: Sequence[Unused] = field(default=())


def lay_out(marked: MarkedText) -> list[AnnotatedSentence]:
    """The sentences of a text with what is marked in them; what none can hold is told with the first.

    Equal marks are one entity. A text without a sentence has none, whatever is marked.
    """
    sentences = split_text(marked.text)
    spans = [_span(mark, sentences) for mark in marked.marks]
    unused: list[list[Unused]] = [[] for _ in sentences]
    entities: list[dict[EntitySpan, int]] = [{} for _ in sentences]
    homes: list[tuple[int, int] | None] = []
    for mark, (number, entity) in zip(marked.marks, spans, strict=True):
        if entity is None:
            kind = "outside_sentence" if number < 0 else "unaligned"
            told = Unused(kind, "entity", mark.type, f"{mark.place}: {marked.text[mark.begin : mark.end]!r}")
            unused[max(number, 0)].append(told)
            homes.append(None)
        else:
            homes.append((number, entities[number].setdefault(entity, len(entities[number]))))
    pairs: list[dict[RelationPair, None]] = [{} for _ in sentences]
    for link in marked.links:
        head, tail = homes[link.head], homes[link.tail]
        if head and tail and head[0] == tail[0] and head != tail:
            pairs[head[0]][RelationPair(head[1], tail[1], link.type)] = None
        else:
            kind = "no_entity" if not (head and tail) else "one_entity" if head == tail else "across_sentences"
            number = min((home[0] for home in (head, tail) if home), default=0)
            unused[number].append(Unused(kind, "relation", link.type, link.place))
    found = [
        AnnotatedSentence(s.words, tuple(e), tuple(r), marked.key, tuple(u), f"{marked.place}: sentence {i}")
        for i, (s, e, r, u) in enumerate(zip(sentences, entities, pairs, unused, strict=True), 1)
    ]
    if found and marked.unused:
        found[0] = replace(found[0], unused=(*marked.unused, *found[0].unused))
    return found


def _span(mark: Mark, sentences: Sequence[SentenceText]) -> tuple[int, EntitySpan | None]:
    """The number of the mark's sentence, -1 for none, and the mark in words; None where those are not whole."""
    for number, sentence in enumerate(sentences):
        if sentence.begin <= mark.begin < mark.end <= sentence.end:
            if mark.begin in sentence.word_begins and mark.end in sentence.word_ends:
                first, last = sentence.word_begins.index(mark.begin), sentence.word_ends.index(mark.end)
                return number, EntitySpan(first, last + 1, mark.type)
            return number, None
    return -1, None
