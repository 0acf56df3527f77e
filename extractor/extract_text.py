"""Raw text to mentions and relations in one call, without a corpus around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from extractor.decode import decode
from extractor.predict import Predictor
from extractor.text import split_text


def extract_texts(predictor: Predictor, texts: Sequence[str], min_confidence: float) -> list[dict[str, Any]]:
    """For each text its `mentions` and `relations`, offsets in characters; relations index the text's mentions."""
    sentences = [(i, sentence) for i, text in enumerate(texts) for sentence in split_text(text)]
    found = predictor.predict([sentence.words for _, sentence in sentences], min(min_confidence, 0.1) or 0.01)
    results: list[dict[str, Any]] = [{"mentions": [], "relations": []} for _ in texts]
    for (i, sentence), candidates in zip(sentences, found, strict=True):
        begins, ends = np.array(sentence.word_begins), np.array(sentence.word_ends)
        spans = np.stack((begins[candidates.spans[:, 0]], ends[candidates.spans[:, 1] - 1]), axis=1)
        mentions, relations = decode(candidates.with_spans(spans), predictor.ontology, min_confidence)
        first = len(results[i]["mentions"])
        results[i]["mentions"].extend(
            {
                "begin": m.start,
                "end": m.end,
                "text": texts[i][m.start : m.end],
                "type": m.type,
                "confidence": round(m.confidence, 6),
            }
            for m in mentions
        )
        results[i]["relations"].extend(
            {"head": first + r.head, "tail": first + r.tail, "type": r.type, "confidence": round(r.confidence, 6)}
            for r in relations
        )
    return results
