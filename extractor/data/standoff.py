"""Annotations by offsets in characters, laid on the sentences and words that the product makes of a text.

What a sentence can't hold is told by kind (`unused`), and counts as missed: marks that go over a sentence's end, or
don't begin and end with words, and links that lead out of a sentence, or to such a mark.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair, key_in_document
from kgmill.extractor.data.unused import Unused
from kgmill.extractor.text.split import SentenceText, split_text
from kgmill.schemas.errors import DataError
from kgmill.schemas.text import storable


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
    """A text, what is marked in it, and what of its annotation is of a kind that can't be used.

    `key` is the document's name, `place` the file or record for people.
    """

    text: str
    marks: Sequence[Mark]
    links: Sequence[Link]
    key: str
    place: str
    unused: Sequence[Unused] = field(default=())


def name_within(folder: Path, file: Path, end: str) -> str:
    """The name of a file's document: its path below the folder that is read, or the file's name, without its end."""
    return storable((file.relative_to(folder).as_posix() if folder.is_dir() else file.name).removesuffix(end))


def lay_out(marked: MarkedText) -> list[AnnotatedSentence]:
    """The sentences of a text with what is marked in them; what none can hold is told with the first.

    Equal marks are one entity.

    Raises:
        DataError: something is annotated in a text without a word, where no sentence can tell it.
    """
    sentences = split_text(marked.text)
    if not sentences and (marked.marks or marked.unused):
        raise DataError(f"{marked.place}: has annotations, but no words")
    begins = [sentence.begin for sentence in sentences]
    spans = [_span(mark, sentences, begins) for mark in marked.marks]
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
        AnnotatedSentence(
            s.words, tuple(e), tuple(r), key_in_document(marked.key, i), tuple(u), f"{marked.place}: sentence {i + 1}"
        )
        for i, (s, e, r, u) in enumerate(zip(sentences, entities, pairs, unused, strict=True))
    ]
    if found and marked.unused:
        found[0] = replace(found[0], unused=(*marked.unused, *found[0].unused))
    return found


def _span(mark: Mark, sentences: Sequence[SentenceText], begins: Sequence[int]) -> tuple[int, EntitySpan | None]:
    """The number of the mark's sentence, -1 for none, and the mark in words; None where those are not whole.

    `begins` are where the sentences begin, which is in order.
    """
    number = bisect_right(begins, mark.begin) - 1
    if number < 0 or not mark.begin < mark.end <= sentences[number].end:
        return -1, None
    sentence = sentences[number]
    first, last = bisect_left(sentence.word_begins, mark.begin), bisect_left(sentence.word_ends, mark.end)
    is_whole = sentence.word_begins[first : first + 1] == (mark.begin,) and sentence.word_ends[last] == mark.end
    return number, EntitySpan(first, last + 1, mark.type) if is_whole else None
