"""What became of each candidate of a sentence, and by which rule or threshold: decoding, told step by step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kgmill.extractor.calibration import Calibration
from kgmill.extractor.candidates import Candidates, Scored
from kgmill.extractor.decode import DecodedMention, decode_claims
from kgmill.schemas.heads import head_rule
from kgmill.schemas.junk import junk_rule
from kgmill.schemas.ontology import Ontology
from kgmill.schemas.records import Document

MENTION, RELATION = "mention", "relation"
_LEAST_TOLD = 0.01  # a pair that is less likely in every relation is no candidate that anybody asks for

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Decoding:
    """What decided in a build.

    Attributes:
        min_confidence: the least confidence of what has no threshold of its own.
    """

    ontology: Ontology
    calibration: Calibration
    min_confidence: float

    def least(self, name: str) -> float:
        """The least confidence of a type; infinite where it is masked."""
        return self.calibration.cuts.get(name, self.min_confidence)


def judge(
    decoding: Decoding,
    document: Document,
    candidates: Candidates,
    kept: Mapping[Span, str],
    stated: Sequence[tuple[Span, Span, str]],
) -> dict[str, list[dict[str, Any]]]:
    """A sentence's candidate spans and pairs, each with its likeliest type, its score and what became of it.

    Args:
        decoding: by which it was decided.
        document: the sentence's.
        candidates: spans in characters of the document's text.
        kept: the sentence's mentions by their spans, with the types that all documents agree on.
        stated: its relations: head, tail, type.
    """
    scored = decoding.calibration.apply(candidates)
    chosen, _, _ = decode_claims(scored, decoding.ontology, decoding.min_confidence, decoding.calibration.cuts)
    spans = [_span(decoding, document, scored, i, chosen) for i in range(len(scored.spans))]
    pairs = [p for i in range(len(scored.pairs)) for p in _pairs(decoding, document, scored, i, kept, stated)]
    return {"spans": spans, "pairs": sorted(pairs, key=lambda p: -p["score"])}


def _span(
    decoding: Decoding, document: Document, scored: Scored, i: int, chosen: Sequence[DecodedMention]
) -> dict[str, Any]:
    begin, end = map(int, scored.spans[i])
    column = int(scored.mention_prob[i].argmax())
    kind, score = decoding.ontology.entity_names[column], float(scored.mention_prob[i, column])
    text, least = document.text[begin:end], decoding.least(kind)
    is_chosen = any((m.start, m.end) == (begin, end) for m in chosen)
    is_value = bool(decoding.ontology.entities[kind].literal)
    rule = "" if is_value else head_rule(document, begin, end) or junk_rule(text)
    if score < least:
        verdict = f"below the threshold of {kind}, {least:g}"
    elif not is_chosen:
        surer = next((m for m in chosen if m.start < end and begin < m.end), None)
        verdict = f"overlaps the surer {document.text[surer.start : surer.end]!r}" if surer else "not chosen"
    else:
        verdict = f"left out by the rule mentions.{rule}" if rule else MENTION
    return {"begin": begin, "end": end, "text": text, "type": kind, "score": round(score, 6), "verdict": verdict}


def _pairs(
    decoding: Decoding,
    document: Document,
    scored: Scored,
    i: int,
    kept: Mapping[Span, str],
    stated: Sequence[tuple[Span, Span, str]],
) -> list[dict[str, Any]]:
    """A pair in its likeliest relation, and in all others that are sure enough."""
    head, tail = (tuple(map(int, scored.spans[row])) for row in scored.pairs[i])
    found = []
    ranked = sorted(enumerate(scored.relation_prob[i].tolist()), key=lambda pair: -pair[1])
    for rank, (column, score) in enumerate(ranked):
        name = decoding.ontology.relation_names[column]
        least = decoding.least(decoding.ontology.distinct_name(name))
        if score < _LEAST_TOLD or (rank and score < (decoding.min_confidence if math.isinf(least) else least)):
            continue
        verdict = _verdict(decoding, score, least, (head, tail, name), kept, stated)
        ends = {"head": document.text[slice(*head)], "tail": document.text[slice(*tail)]}
        found.append({**ends, "relation": name, "score": round(score, 6), "verdict": verdict})
    return found


def _verdict(
    decoding: Decoding,
    score: float,
    least: float,
    claim: tuple[Any, Any, str],
    kept: Mapping[Span, str],
    stated: Sequence[tuple[Span, Span, str]],
) -> str:
    head, tail, name = claim
    if claim in stated or (decoding.ontology.relations[name].symmetric and (tail, head, name) in stated):
        return RELATION
    if math.isinf(least):
        return "masked: this relation is found too badly to be told (--ontology all brings it back)"
    if score < least:
        return f"below the threshold of {name}, {least:g}"
    if lacking := [end for end in (head, tail) if end not in kept]:
        return "an end is no mention" if len(lacking) == 1 else "its ends are no mentions"
    if not decoding.ontology.allows(kept[head], name, kept[tail]):
        return f"not allowed between {kept[head]} and {kept[tail]}"
    if (tail, head, name) in stated:
        return "the other way round is surer"
    return "left out by the rule relations.self: both ends are one entity"
