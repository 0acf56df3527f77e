"""The Python API: text in, typed mentions and relations out.

from extractor import Extractor

extractor = Extractor.from_pretrained("default")
for extraction in extractor.extract(["Marie Curie lived in Paris, France."]):
    for relation in extraction.relations:
        print(relation.head.text, relation.type, relation.tail.text, relation.confidence)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from extractor.candidates import Candidates
from extractor.decode import decode
from extractor.predict import Predictor, open_predictor
from extractor.text import SentenceText, split_text
from schemas.modelfolder import find_model
from schemas.text import storable

SENTENCES_A_CHUNK = 1024


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
    """A typed, ordered pair of mentions of one sentence, with its probability in [0, 1]."""

    head: ExtractedMention
    tail: ExtractedMention
    type: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Extraction:
    """What was found in one text, in the order of the text."""

    mentions: tuple[ExtractedMention, ...]
    relations: tuple[ExtractedRelation, ...]


class Extractor:
    """Extracts from texts with one model on one device; batches by itself."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    @classmethod
    def from_pretrained(
        cls, name: str = "default", *, device: str = "auto", precision: str = "fp32", n_threads: int = 0
    ) -> Extractor:
        """An extractor with a shipped model, a model folder or a hub model.

        Raises:
            CheckpointError: there is no such model, it is damaged, or the device is not there.
        """
        return cls(open_predictor(find_model(name), device, precision, n_threads))

    def extract(self, texts: Iterable[str], *, min_confidence: float = 0.4) -> Iterator[Extraction]:
        """An `Extraction` a text, in order, as soon as its stretch of about 1,000 sentences is done.

        Lone surrogates in a text, which no model can read, count as U+FFFD.
        """
        chunk: list[tuple[str, list[SentenceText]]] = []
        n_sentences = 0
        for text in map(storable, texts):
            sentences = split_text(text)
            chunk.append((text, sentences))
            n_sentences += len(sentences)
            if n_sentences >= SENTENCES_A_CHUNK:
                yield from self._extract_chunk(chunk, min_confidence)
                chunk, n_sentences = [], 0
        yield from self._extract_chunk(chunk, min_confidence)

    def _extract_chunk(
        self, chunk: Sequence[tuple[str, list[SentenceText]]], min_confidence: float
    ) -> Iterator[Extraction]:
        words = [sentence.words for _, sentences in chunk for sentence in sentences]
        found = iter(self.predictor.predict(words, max(0.01, min(0.1, min_confidence))))
        for text, sentences in chunk:
            mentions: list[ExtractedMention] = []
            relations: list[ExtractedRelation] = []
            for sentence in sentences:
                self._add(text, to_characters(sentence, next(found)), min_confidence, mentions, relations)
            yield Extraction(tuple(mentions), tuple(relations))

    def _add(
        self,
        text: str,
        candidates: Candidates,
        min_confidence: float,
        mentions: list[ExtractedMention],
        relations: list[ExtractedRelation],
    ) -> None:
        calibration = self.predictor.calibration
        chosen, pairs = decode(
            calibration.apply(candidates), self.predictor.ontology, min_confidence, calibration.thresholds
        )
        here = [ExtractedMention(m.start, m.end, text[m.start : m.end], m.type, m.confidence) for m in chosen]
        mentions.extend(here)
        relations.extend(ExtractedRelation(here[p.head], here[p.tail], p.type, p.confidence) for p in pairs)


def to_characters(sentence: SentenceText, candidates: Candidates) -> Candidates:
    """A sentence's candidates with their spans in characters of its text instead of words."""
    begins = np.array(sentence.word_begins, np.int32)
    ends = np.array(sentence.word_ends, np.int32)
    spans = np.stack((begins[candidates.spans[:, 0]], ends[candidates.spans[:, 1] - 1]), axis=1)
    return candidates.with_spans(spans)
