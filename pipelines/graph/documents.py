"""The graphs of documents as N-Quads lines: a document, its spans, and what was extracted from it.

A document's graph names no entity: entities that are merged rewrite no document. Offsets count Unicode code points, as
NIF and RFC 5147 mean them.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal

from kgmill.pipelines.graph.lines import Pair, decimal, integer, iri, lines_of, literal, point_in_time
from kgmill.pipelines.graph.vocabulary import DCTERMS, ITSRDF, NIF, PROV, RDF, SCHEMA, Namespace, own_term
from kgmill.schemas.records import Document, Mention, Relation

_TYPE = iri(RDF + "type")
_TITLE = iri(DCTERMS + "title")
_SOURCE = iri(DCTERMS + "source")
_DATE = iri(DCTERMS + "date")
_DATELINE = iri(SCHEMA + "dateline")
_AGENCY = iri(DCTERMS + "publisher")
_BYLINE = iri(DCTERMS + "creator")
_GENERATED_BY = iri(PROV + "wasGeneratedBy")
_CONTEXT = iri(NIF + "Context")
_PHRASE = iri(NIF + "Phrase")
_SENTENCE = iri(NIF + "Sentence")
_STRING = iri(NIF + "RFC5147String")  # disjoint with OffsetBasedString, whose IRIs have another form
_SOURCE_URL = iri(NIF + "sourceUrl")
_IN_CONTEXT = iri(NIF + "referenceContext")
_BEGIN = iri(NIF + "beginIndex")
_END = iri(NIF + "endIndex")
_ANCHOR = iri(NIF + "anchorOf")
_IS_STRING = iri(NIF + "isString")
_IN_SENTENCE = iri(NIF + "sentence")
_CLASS = iri(ITSRDF + "taClassRef")
_CLASS_CONFIDENCE = iri(ITSRDF + "taConfidence")
_OWN_DOCUMENT = iri(own_term("Document"))
_OWN_EXTRACTION = iri(own_term("Extraction"))
_OWN_CONFIDENCE = iri(own_term("confidence"))
_OWN_OBJECT_MENTION = iri(own_term("objectMention"))
_OWN_PASSAGE = iri(own_term("Passage"))
_OWN_PROPERTY = iri(own_term("property"))
_OWN_SENTENCE = iri(own_term("sentence"))
_OWN_STANCE = iri(own_term("stance"))
_OWN_SUBJECT_MENTION = iri(own_term("subjectMention"))
_OWN_TEXT_SHA256 = iri(own_term("textSha256"))
_LINE = re.compile(r":\d+$")
_N_DAY = len("2004-05-03")  # shorter ones may be any number

_Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Shown:
    """What documents' graphs have of the documents themselves.

    Attributes:
        text: `none` but that of mentions, that of `sentences` in which something was found too, or the `full` text too.
        metadata: fields of the metadata, with the IRI of the property of each.
    """

    text: Literal["none", "sentences", "full"] = "sentences"
    metadata: Mapping[str, str] = field(default_factory=dict)


_DEFAULT = Shown()


def document_quads(
    ns: Namespace,
    document: Document,
    mentions: Sequence[Mention],
    relations: Sequence[Relation],
    run_key: str,
    shown: Shown = _DEFAULT,
) -> Iterator[str]:
    """The lines of a document, in a graph of its own: the document, its spans, and what was extracted from it.

    A date that is not in ISO 8601's form stays in the documents table. Where the text itself (nif:isString) is left
    out, it stays there too, and x:textSha256 ties the graph to it.

    Args:
        ns: the dataset's names.
        document: the document.
        mentions: all its mentions, in any order, whether a relation uses them or not.
        relations: all its relations, in any order.
        run_key: names the activity that extracted them.
        shown: how much of the text and of the metadata there is.
    """
    graph = iri(ns.document_graph(document.doc_id))
    pairs = (
        (_TYPE, _OWN_DOCUMENT),
        *([(_TITLE, literal(document.title))] if document.title else ()),
        *([(_DATE, date)] if (date := point_in_time(document.date)) else ()),
        *(
            (name, literal(value))
            for name, value in ((_DATELINE, document.dateline), (_AGENCY, document.agency), (_BYLINE, document.byline))
            if value
        ),
        (_SOURCE, literal(_file(document))),
        (_OWN_TEXT_SHA256, literal(document.sha256)),
        *_metadata_pairs(document, shown.metadata),
    )
    yield from lines_of(iri(ns.document(document.doc_id)), dict.fromkeys(pairs), graph)
    yield from _span_quads(ns, document, mentions, relations, shown.text)
    for relation in sorted(relations, key=attrgetter("statement_id")):
        yield from _extraction_quads(ns, relation, run_key, graph)


def _file(document: Document) -> str:
    """Where a document came from, without its line: a record that goes would move all those behind it.

    The source of a document that is a file is its path, which may look as if it ended in a line.
    """
    source = document.source
    return source if document.doc_id.endswith(source) else _LINE.sub("", source)


def _metadata_pairs(document: Document, properties: Mapping[str, str]) -> Iterator[Pair]:
    fields = json.loads(document.metadata) if properties else {}
    for name, term in sorted(properties.items()):
        value = fields.get(name)
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                yield iri(term), _metadata_value(one)


def _metadata_value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return (point_in_time(text) if len(text) >= _N_DAY else "") or literal(text)


def _span_quads(
    ns: Namespace, document: Document, mentions: Sequence[Mention], relations: Sequence[Relation], shown: str
) -> Iterator[str]:
    """One node for each span, though it may be a sentence, a mention and the whole text at once."""
    graph, whole = iri(ns.document_graph(document.doc_id)), (0, len(document.text))
    sentences, passages = _sentences(mentions, relations)
    kinds: dict[_Span, set[str]] = defaultdict(set, {whole: {_CONTEXT}})
    for span in sentences.values():
        kinds[span].add(_SENTENCE)
    for span in passages:
        kinds[span].add(_OWN_PASSAGE)
    named: dict[_Span, list[Mention]] = defaultdict(list)
    for mention in mentions:
        span = (mention.mention_begin, mention.mention_end)
        kinds[span].add(_PHRASE)
        named[span].append(mention)
    anchored = {_PHRASE} if shown == "none" else {_PHRASE, _SENTENCE, _OWN_PASSAGE}

    names = {span: iri(ns.chars(document.doc_id, *span)) for span in kinds}
    for span in sorted(kinds):
        begin, end = span
        found, within = kinds[span], {m.sentence for m in named[span]} & sentences.keys() if span in named else ()
        pairs = [
            (_TYPE, _STRING),
            *[(_TYPE, kind) for kind in sorted(found)],
            (_IN_CONTEXT, names[whole]),  # a context is its own: NIF says so of each; it may be a sentence or a mention
            *([(_SOURCE_URL, iri(ns.document(document.doc_id)))] if span == whole else ()),
            *[(_IN_SENTENCE, names[sentences[n]]) for n in sorted(within)],
            (_BEGIN, integer(begin)),
            (_END, integer(end)),
            *([(_ANCHOR, literal(document.text[begin:end]))] if found & anchored else ()),
            *([(_IS_STRING, literal(document.text))] if span == whole and shown == "full" else ()),
            *(_mention_pairs(ns, named[span]) if span in named else ()),
        ]
        yield from lines_of(names[span], pairs, graph)


def _sentences(mentions: Sequence[Mention], relations: Sequence[Relation]) -> tuple[dict[int, _Span], set[_Span]]:
    """The sentences that relations were found in, by their numbers, and the runs of sentences."""
    number = {(m.mention_begin, m.mention_end): m.sentence for m in mentions}
    sentences: dict[int, _Span] = {}
    passages: set[_Span] = set()
    for r in relations:
        span, ends = (r.sentence_begin, r.sentence_end), ((r.head_begin, r.head_end), (r.tail_begin, r.tail_end))
        if len({number.get(end, r.sentence) for end in ends}) == 1:
            sentences[r.sentence] = span
        else:
            passages.add(span)
    return sentences, passages


def _mention_pairs(ns: Namespace, mentions: Sequence[Mention]) -> Iterable[Pair]:
    """What the mentions of one span say of it, each thing once."""
    pairs = [
        pair
        for mention in sorted(mentions, key=attrgetter("type", "confidence"))
        for pair in (
            (_CLASS, iri(ns.class_iri(mention.type))),
            (_CLASS_CONFIDENCE, decimal(mention.confidence)),
        )
    ]
    return dict.fromkeys(pairs)


def _extraction_quads(ns: Namespace, relation: Relation, run_key: str, graph: str) -> Iterator[str]:
    doc_id = relation.doc_id
    pairs = (
        (_TYPE, _OWN_EXTRACTION),
        (_OWN_PROPERTY, iri(ns.property_iri(relation.type))),
        (_OWN_SUBJECT_MENTION, iri(ns.chars(doc_id, relation.head_begin, relation.head_end))),
        (_OWN_OBJECT_MENTION, iri(ns.chars(doc_id, relation.tail_begin, relation.tail_end))),
        (_OWN_SENTENCE, iri(ns.chars(doc_id, relation.sentence_begin, relation.sentence_end))),
        (_OWN_CONFIDENCE, decimal(relation.confidence)),
        *([(_OWN_STANCE, literal(relation.stance))] if relation.stance else ()),
        (_GENERATED_BY, iri(ns.activity(run_key))),
    )
    yield from lines_of(iri(ns.extraction(relation.statement_id)), pairs, graph)
