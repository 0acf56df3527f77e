"""What became of each candidate of a sentence, and by which rule or threshold: decoding, told step by step."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kgmill.extractor.candidates import Candidates, Scored
from kgmill.extractor.decode import DecodedMention, decode_claims
from kgmill.pipelines.decoding import Decoding
from kgmill.pipelines.stages.decode import End
from kgmill.schemas.heads import head_rule
from kgmill.schemas.identity import fact_id
from kgmill.schemas.junk import junk_rule
from kgmill.schemas.ontology import Ontology
from kgmill.schemas.records import Document

MENTION, RELATION = "mention", "relation"
_LEFT_OUT = "left out: the ontology has no such type"
_OVERLAPS_MASKED = "overlaps a surer one whose type the ontology leaves out"
_LEAST_TOLD = 0.01  # a pair that is less likely in every relation is no candidate that anybody asks for

Span = tuple[int, int]
Claim = tuple[Span, Span, str]  # head, tail, relation


@dataclass(frozen=True, slots=True)
class Known:
    """What the tables have of a sentence, or of a passage.

    Attributes:
        ends: its mentions by their spans, with the types that all documents agree on.
        stated: its relations.
        within: of a passage: the facts that single sentences of its document state, by their ids.
    """

    ends: Mapping[Span, End]
    stated: Collection[Claim]
    within: Collection[str] = ()


def judge(
    decoding: Decoding, document: Document, candidates: Candidates, known: Known
) -> dict[str, list[dict[str, Any]]]:
    """The candidate spans and pairs of a sentence or passage, each with its likeliest type, its score and its end.

    Args:
        decoding: by which it was decided.
        document: the sentence's.
        candidates: spans in characters of the document's text.
        known: what the tables have of it.
    """
    scored = decoding.calibration.apply(candidates)
    cuts, columns = decoding.calibration.cuts, decoding.columns
    chosen, _, _ = decode_claims(scored, decoding.ontology, decoding.min_confidence, cuts, columns)
    spans = [_span(decoding, document, scored, i, chosen) for i in range(len(scored.spans))]
    pairs = [p for i in range(len(scored.pairs)) for p in _pairs(decoding, document, scored, i, known)]
    return {"spans": spans, "pairs": sorted(pairs, key=lambda p: -p["score"])}


def _span(
    decoding: Decoding, document: Document, scored: Scored, i: int, chosen: Sequence[DecodedMention]
) -> dict[str, Any]:
    begin, end = map(int, scored.spans[i])
    column = int(scored.mention_prob[i].argmax())
    kind, score = decoding.columns.entities[column], float(scored.mention_prob[i, column])
    text, least = document.text[begin:end], decoding.least(kind)
    is_masked = kind not in decoding.ontology.entities
    is_chosen = any((m.start, m.end) == (begin, end) for m in chosen)
    is_value = not is_masked and bool(decoding.ontology.entities[kind].literal)
    rule = "" if is_value else head_rule(document, begin, end) or junk_rule(text)
    if score < least:
        verdict = f"below the threshold of {kind}, {least:g}"
    elif is_masked:
        verdict = _LEFT_OUT
    elif not is_chosen:
        over = (m for m in chosen if m.start < end and begin < m.end)
        surer = max(over, key=lambda m: m.confidence, default=None)
        verdict = f"overlaps the surer {document.text[surer.start : surer.end]!r}" if surer else _OVERLAPS_MASKED
    else:
        verdict = f"left out by the rule mentions.{rule}" if rule else MENTION
    return {"begin": begin, "end": end, "text": text, "type": kind, "score": round(score, 6), "verdict": verdict}


def _pairs(decoding: Decoding, document: Document, scored: Scored, i: int, known: Known) -> list[dict[str, Any]]:
    """A pair in its likeliest relation, and in all others that are sure enough."""
    head, tail = (tuple(map(int, scored.spans[row])) for row in scored.pairs[i])
    found = []
    ranked = sorted(enumerate(scored.relation_prob[i].tolist()), key=lambda pair: -pair[1])
    for rank, (column, score) in enumerate(ranked):
        name = decoding.columns.relations[column]
        least = decoding.least(decoding.columns.distinct_name(name))
        if score < _LEAST_TOLD or (rank and score < (decoding.min_confidence if math.isinf(least) else least)):
            continue
        verdict = _verdict(decoding, (score, least), (head, tail, name), known)
        texts = {"head": document.text[slice(*head)], "tail": document.text[slice(*tail)]}
        found.append({**texts, "relation": name, "score": round(score, 6), "verdict": verdict})
    return found


def _verdict(
    decoding: Decoding,
    scores: tuple[float, float],
    claim: tuple[Any, Any, str],
    known: Known,
) -> str:
    """What became of a claim, in the order in which decoding asks; `scores` are its own and the least that is wanted.

    What no rule explains is said to be so: another version may have decided.
    """
    (score, least), (head, tail, name), ontology, ends = scores, claim, decoding.ontology, known.ends
    if math.isinf(least):
        return "masked: this relation is found too badly to be told (--ontology all brings it back)"
    if score < least:
        return f"below the threshold of {name}, {least:g}"
    if name not in ontology.relations:
        return _LEFT_OUT
    if lacking := [end for end in (head, tail) if end not in ends]:
        return "an end is no mention" if len(lacking) == 1 else "its ends are no mentions"
    types = ends[head].mention.type, ends[tail].mention.type
    if not ontology.allows(types[0], name, types[1]):
        return f"not allowed between {types[0]} and {types[1]}"
    if _as_told(ontology, head, tail, name) & set(known.stated):
        return RELATION
    if ends[head].entity and ends[head].entity == ends[tail].entity:
        return "left out by the rule relations.self: both ends are one entity"
    if _as_told(ontology, tail, head, name) & set(known.stated):
        return "the other way round is surer"
    told = _as_told(ontology, head, tail, name)
    if any(fact_id(ends[a].entity, relation, *ends[b].name) in known.within for a, b, relation in told):
        return "left out by the rule relations.within: one sentence of the document says it"
    return "not told, by no rule that is known here"


def _as_told(ontology: Ontology, head: Span, tail: Span, name: str) -> set[Claim]:
    """A claim as the tables may have it: as the first of two inverse relations, a symmetric one in either order."""
    if turned := ontology.turned.get(name):
        return {(tail, head, turned)}
    return {(head, tail, name), (tail, head, name)} if name in ontology.symmetric else {(head, tail, name)}
