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
) -> list[str]:
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
    graph, spans = iri(ns.document_graph(document.doc_id)), _SpanNames(ns, document.doc_id)
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
    lines = lines_of(iri(ns.document(document.doc_id)), dict.fromkeys(pairs), graph)
    lines += _span_lines(ns, document, mentions, relations, shown.text, spans)
    activity = iri(ns.activity(run_key))
    for relation in sorted(relations, key=attrgetter("statement_id")):
        lines += _extraction_lines(ns, relation, activity, graph, spans)
    return lines


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


class _SpanNames(dict[_Span, str]):
    """The spans of a document as terms, each of which is made when it is first asked for."""

    def __init__(self, ns: Namespace, doc_id: str) -> None:
        super().__init__()
        self._ns, self._doc_id = ns, doc_id

    def __missing__(self, span: _Span) -> str:
        name = self[span] = iri(self._ns.chars(self._doc_id, *span))
        return name


def _span_lines(
    ns: Namespace,
    document: Document,
    mentions: Sequence[Mention],
    relations: Sequence[Relation],
    shown: str,
    names: _SpanNames,
) -> list[str]:
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
        named[mention.mention_begin, mention.mention_end].append(mention)
    for span in named:
        kinds[span].add(_PHRASE)
    anchored = {_PHRASE} if shown == "none" else {_PHRASE, _SENTENCE, _OWN_PASSAGE}

    text, lines = document.text, list[str]()
    in_context = (
        _IN_CONTEXT,
        names[whole],
    )  # a context is its own: NIF says so of each; it may be a sentence or a mention
    for span in sorted(kinds):
        begin, end = span
        found, of_span = kinds[span], named.get(span, ())
        pairs = [(_TYPE, _STRING), *[(_TYPE, kind) for kind in sorted(found)], in_context]
        if span == whole:
            pairs.append((_SOURCE_URL, iri(ns.document(document.doc_id))))
        if of_span:
            within = {m.sentence for m in of_span} & sentences.keys()
            pairs += [(_IN_SENTENCE, names[sentences[n]]) for n in sorted(within)]
        pairs += (_BEGIN, integer(begin)), (_END, integer(end))
        if not anchored.isdisjoint(found):
            pairs.append((_ANCHOR, literal(text[begin:end])))
        if span == whole and shown == "full":
            pairs.append((_IS_STRING, literal(text)))
        pairs += _mention_pairs(ns, of_span)
        lines += lines_of(names[span], pairs, graph)
    return lines


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
    pairs: dict[Pair, None] = {}
    for mention in mentions if len(mentions) < 2 else sorted(mentions, key=attrgetter("type", "confidence")):
        pairs[_CLASS, iri(ns.class_iri(mention.type))] = None
        pairs[_CLASS_CONFIDENCE, decimal(mention.confidence)] = None
    return pairs


def _extraction_lines(ns: Namespace, relation: Relation, activity: str, graph: str, names: _SpanNames) -> list[str]:
    pairs = (
        (_TYPE, _OWN_EXTRACTION),
        (_OWN_PROPERTY, iri(ns.property_iri(relation.type))),
        (_OWN_SUBJECT_MENTION, names[relation.head_begin, relation.head_end]),
        (_OWN_OBJECT_MENTION, names[relation.tail_begin, relation.tail_end]),
        (_OWN_SENTENCE, names[relation.sentence_begin, relation.sentence_end]),
        (_OWN_CONFIDENCE, decimal(relation.confidence)),
        *([(_OWN_STANCE, literal(relation.stance))] if relation.stance else ()),
        (_GENERATED_BY, activity),
    )
    return lines_of(iri(ns.extraction(relation.statement_id)), pairs, graph)
