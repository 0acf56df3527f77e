"""What of the gold a model can't reach: entities wider than its spans, and what no window of its input holds whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kgmill.extractor.data.annotated import AnnotatedSentence
from kgmill.extractor.data.unused import Unused

if TYPE_CHECKING:  # torch comes with it, and stats do without
    from kgmill.extractor.neural.encoding import Window


def beyond_reach(
    sentences: Sequence[AnnotatedSentence], windows: Sequence[Window] | None, max_span_width: int
) -> list[Unused]:
    """Gold entities and relations that training leaves out and prediction can't find.

    Without `windows` every sentence is one, however long.
    """
    held: dict[int, list[tuple[int, int]]] = defaultdict(list)
    if windows is None:
        held.update((i, [(0, len(sentence.words))]) for i, sentence in enumerate(sentences))
    for window in windows or ():
        held[window.sentence].append((window.first_word, window.first_word + window.n_words))
    return [one for i, sentence in enumerate(sentences) for one in _beyond(sentence, held[i], max_span_width)]


def _beyond(sentence: AnnotatedSentence, windows: list[tuple[int, int]], max_width: int) -> Iterator[Unused]:
    is_wide = [e.end - e.start > max_width for e in sentence.entities]
    where = f"{sentence.place}: " if sentence.place else ""
    for e, is_too_wide in zip(sentence.entities, is_wide, strict=True):
        if is_too_wide or not _is_held(e.start, e.end, windows):
            what = f"{where}entity {e.start}:{e.end} {e.type!r}"
            yield Unused("too_wide" if is_too_wide else "split", "entity", e.type, what)
    for r in sentence.relations:
        head, tail = sentence.entities[r.head], sentence.entities[r.tail]
        is_too_wide = is_wide[r.head] or is_wide[r.tail]
        if is_too_wide or not _is_held(min(head.start, tail.start), max(head.end, tail.end), windows):
            what = f"{where}relation {head.start}:{head.end} to {tail.start}:{tail.end} {r.type!r}"
            yield Unused("too_wide" if is_too_wide else "split", "relation", r.type, what)


def _is_held(start: int, end: int, windows: list[tuple[int, int]]) -> bool:
    return any(first <= start and end <= last for first, last in windows)
