"""The Python API: text in, typed mentions and relations out.

from kgmill.extractor import Extractor

extractor = Extractor.from_pretrained("default")
for relation in extractor("Marie Curie lived in Paris, France.").relations:
    print(relation.head.text, relation.type, relation.tail.text, relation.confidence)
for extraction in extractor.extract(texts):  # many at once, in batches
    print(extraction.to_dict())
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import numpy as np

from kgmill.extractor.candidates import Candidates
from kgmill.extractor.decode import decode
from kgmill.extractor.marked import marked_html
from kgmill.extractor.modelfolder import find_model
from kgmill.extractor.neural.encoding import Window
from kgmill.extractor.passages import Passages
from kgmill.extractor.predict import Predictor, open_predictor
from kgmill.extractor.references import are_read, with_references
from kgmill.extractor.text.split import SentenceText, split_text
from kgmill.schemas.text import storable

SENTENCES_A_CHUNK = 1024

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class ExtractedMention:
    """A typed span of a text: `text[begin:end]`, in Unicode code points, with its probability in [0, 1]."""

    begin: int
    end: int
    text: str
    type: str
    confidence: float


@dataclass(frozen=True, slots=True)
class ExtractedRelation:
    """A typed, ordered pair of mentions of one sentence, or of two that were read together; probability in [0, 1]."""

    head: ExtractedMention
    tail: ExtractedMention
    type: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Extraction:
    """What was found in one text, in the order of the text.

    Attributes:
        text: that was read, which offsets are of.
    """

    mentions: tuple[ExtractedMention, ...]
    relations: tuple[ExtractedRelation, ...]
    text: str = field(default="", repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The same as values that JSON has; a relation's `head` and `tail` are numbers of mentions, from 0.

        Confidences are rounded to 6 places.
        """
        number = {mention: i for i, mention in enumerate(self.mentions)}
        relations = ({"head": number[r.head], "tail": number[r.tail], **_sure(r)} for r in self.relations)
        return {
            "text": self.text,
            "mentions": [asdict(m) | _sure(m) for m in self.mentions],
            "relations": list(relations),
        }

    def _repr_html_(self) -> str:
        """The text with its mentions marked and a table of relations, as notebooks show it."""
        return marked_html(self.to_dict())


def _sure(found: ExtractedMention | ExtractedRelation) -> dict[str, Any]:
    return {"type": found.type, "confidence": round(found.confidence, 6)}


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Texts with their sentences, and these as passages and windows."""

    texts: list[tuple[str, list[SentenceText]]]
    passages: Passages
    windows: list[Window]


class Extractor:
    """Extracts from texts with one model on one device; batches by itself."""

    def __init__(self, predictor: Predictor, passage: int = 0, *, references: bool = True) -> None:
        self.predictor = predictor
        self.passage = passage or predictor.config.passage
        self.references = references and are_read(self.passage, predictor.config.languages or ())

    @classmethod
    def from_pretrained(
        cls,
        name: str = "default",
        *,
        device: str = "auto",
        precision: str = "fp32",
        n_threads: int = 0,
        passage: int = 0,
        references: bool = True,
    ) -> Extractor:
        """An extractor with a shipped model, a model folder or a hub model; `precision` is `auto` or one of a build's.

        `passage` sentences of a paragraph are read together; 0: as many as the model was trained to. With `references`,
        and a passage of 1, a sentence that says "he" or "she" before it names anybody is read once more with the name
        of whom that means.

        Raises:
            CheckpointError: there is no such model, it is damaged, or the device is not there.
            ConfigError: the device does not compute in that precision.
        """
        return cls(open_predictor(find_model(name), device, precision, n_threads), passage, references=references)

    def __repr__(self) -> str:
        ontology, device = self.predictor.ontology, self.predictor.device
        n_types, n_relations = len(ontology.entities), len(ontology.relations)
        return f"<Extractor {ontology.name}: {n_types} types of mentions, {n_relations} of relations, on {device}>"

    def __call__(self, text: str, *, min_confidence: float = 0.4) -> Extraction:
        """The `Extraction` of one text; for many, `extract` is faster."""
        return next(self.extract([text], min_confidence=min_confidence))

    def extract(self, texts: Iterable[str], *, min_confidence: float = 0.4) -> Iterator[Extraction]:
        """An `Extraction` a text, in order, as soon as its stretch of about 1,000 sentences is done.

        A thread reads and tokenises the next stretch while the model has this one. Lone surrogates in a text, which no
        model can read, count as U+FFFD.

        Raises:
            TypeError: it is a single text, of which each character would be one.
        """
        if isinstance(texts, str):
            raise TypeError("extract wants texts, as a list; for one text, call the extractor: extractor(text)")
        return self._extract(texts, min_confidence)

    def _extract(self, texts: Iterable[str], min_confidence: float) -> Iterator[Extraction]:
        for chunk in _ahead(self._chunks(texts)):
            yield from self._extract_chunk(chunk, min_confidence)

    def _chunks(self, texts: Iterable[str]) -> Iterator[_Chunk]:
        chunk: list[tuple[str, list[SentenceText]]] = []
        n_sentences = 0
        for text in map(storable, texts):
            sentences = split_text(text)
            chunk.append((text, sentences))
            n_sentences += len(sentences)
            if n_sentences >= SENTENCES_A_CHUNK:
                yield self._chunk(chunk)
                chunk, n_sentences = [], 0
        yield self._chunk(chunk)

    def _chunk(self, texts: list[tuple[str, list[SentenceText]]]) -> _Chunk:
        passages = Passages.of([sentences for _, sentences in texts], self.passage)
        return _Chunk(texts, passages, self.predictor.windows(passages.words))

    def _extract_chunk(self, chunk: _Chunk, min_confidence: float) -> Iterator[Extraction]:
        floors = self.predictor.calibration.floors(min_confidence)
        read = self.predictor.predict(chunk.passages.words, floors, windows=chunk.windows)
        found = list(chunk.passages.split(read))
        if self.references:
            found = list(with_references([s for _, s in chunk.texts], found, self.predictor, floors))
        for (text, sentences), of_it in zip(chunk.texts, found, strict=True):
            candidates = list(map(to_characters, sentences, of_it.sentences))
            parts = [self._decode(text, one, min_confidence) for one in candidates]
            mentions = [mention for here, _ in parts for mention in here]
            relations = [relation for _, told in parts for relation in told]
            for link in of_it.links:
                both = link.between(candidates[link.first], candidates[link.second])
                relations += self._decode(text, both, min_confidence)[1]
            yield Extraction(tuple(mentions), tuple(sorted(relations, key=_place)), text)

    def _decode(
        self, text: str, candidates: Candidates, min_confidence: float
    ) -> tuple[list[ExtractedMention], list[ExtractedRelation]]:
        calibration = self.predictor.calibration
        chosen, pairs = decode(calibration.apply(candidates), self.predictor.ontology, min_confidence, calibration.cuts)
        here = [ExtractedMention(m.start, m.end, text[m.start : m.end], m.type, m.confidence) for m in chosen]
        return here, [ExtractedRelation(here[p.head], here[p.tail], p.type, p.confidence) for p in pairs]


def _place(relation: ExtractedRelation) -> tuple[int, int, int, int, str]:
    head, tail = relation.head, relation.tail
    return head.begin, head.end, tail.begin, tail.end, relation.type


def _ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items, each of which is made in a thread while the one before it is used."""
    thread = ThreadPoolExecutor(1, "ahead")
    try:
        following = thread.submit(next, items, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield item
    finally:
        thread.shutdown(wait=False, cancel_futures=True)  # who stops early need not wait for one more text


def to_characters(sentence: SentenceText, candidates: Candidates) -> Candidates:
    """A sentence's candidates with their spans in characters of its text instead of words."""
    begins = np.array(sentence.word_begins, np.int32)
    ends = np.array(sentence.word_ends, np.int32)
    spans = np.stack((begins[candidates.spans[:, 0]], ends[candidates.spans[:, 1] - 1]), axis=1)
    return candidates.with_spans(spans)
