"""Predictions in the forms in which SpERT and DyGIE++ write theirs, so that their users' programs read ours."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Literal

from kgmill.extractor.data.annotated import AnnotatedSentence
from kgmill.extractor.data.convert import by_document, dygie_sentence
from kgmill.extractor.data.dygie import format_document
from kgmill.extractor.decode import DecodedMention, DecodedRelation

Predicted = tuple[Sequence[DecodedMention], Sequence[DecodedRelation]]
PredictionFormat = Literal["spert", "dygie"]
_SUREST = 1 - 1e-6  # whose log-odds JSON can hold


def format_predictions(
    sentences: Sequence[AnnotatedSentence],
    predicted: Sequence[Predicted],
    format_name: PredictionFormat,
    *,
    has_gold: bool,
) -> str:
    """The predictions of some sentences, in words, as a file.

    SpERT's JSON has them in the place of annotations, each with a `confidence` in [0, 1]. DyGIE's JSONL has them under
    `predicted_ner` and `predicted_relations`, each with its log-odds and its confidence, beside the annotations, which
    are left out where the sentences have none of their own (`has_gold`).
    """
    if format_name == "spert":
        return json.dumps([_spert(*one) for one in zip(sentences, predicted, strict=True)], ensure_ascii=False) + "\n"
    lines = []
    for key, rows in by_document(sentences):
        record = format_document(key, [dygie_sentence(sentences[i]) for i in rows])
        if not has_gold:
            del record["ner"], record["relations"]
        starts = accumulate((len(sentences[i].words) for i in rows), initial=0)
        found = [_dygie(predicted[i], start) for i, start in zip(rows, starts, strict=False)]
        record |= {"predicted_ner": [ner for ner, _ in found], "predicted_relations": [pairs for _, pairs in found]}
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    return "".join(lines)


def _spert(sentence: AnnotatedSentence, predicted: Predicted) -> dict[str, Any]:
    mentions, relations = predicted
    return {
        "tokens": list(sentence.words),
        "entities": [
            {"type": m.type, "start": m.start, "end": m.end, "confidence": round(m.confidence, 6)} for m in mentions
        ],
        "relations": [
            {"type": r.type, "head": r.head, "tail": r.tail, "confidence": round(r.confidence, 6)} for r in relations
        ],
        "orig_id": sentence.key,
    }


def _dygie(predicted: Predicted, start: int) -> tuple[list[list[Any]], list[list[Any]]]:
    """Mentions and relations of a sentence that begins at a token of its document; the last token is one of them."""
    mentions, relations = predicted
    spans = [[start + m.start, start + m.end - 1] for m in mentions]
    ner = [[*span, m.type, *_scores(m.confidence)] for span, m in zip(spans, mentions, strict=True)]
    return ner, [[*spans[r.head], *spans[r.tail], r.type, *_scores(r.confidence)] for r in relations]


def _scores(confidence: float) -> tuple[float, float]:
    held = min(max(confidence, 1 - _SUREST), _SUREST)
    return round(math.log(held / (1 - held)), 4), round(confidence, 6)
