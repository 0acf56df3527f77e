"""The graph as N-Quads lines, by named graph: entities and facts in buckets, each document, and provenance.

Each function yields the lines of one record in an order that depends on nothing but the record: no blank nodes, no
clocks, no line twice. The direct triple of a fact serves plain SPARQL; what is said of it hangs on an rdf:Statement,
which every store can hold. Offsets count Unicode code points, as NIF and RFC 5147 mean them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter

from pipelines.nquads import decimal, integer, iri, literal, point_in_time, quad
from pipelines.vocabulary import DCTERMS, NIF, PROV, RDF, RDFS, Namespace
from schemas.identity import bucket
from schemas.records import Document, Entity, Evidence, Fact, Mention, Relation

_TYPE = iri(RDF + "type")
_STATEMENT = iri(RDF + "Statement")
_SUBJECT = iri(RDF + "subject")
_PREDICATE = iri(RDF + "predicate")
_OBJECT = iri(RDF + "object")
_LABEL = iri(RDFS + "label")
_TITLE = iri(DCTERMS + "title")
_SOURCE = iri(DCTERMS + "source")
_DATE = iri(DCTERMS + "date")
_CONFORMS_TO = iri(DCTERMS + "conformsTo")
_ACTIVITY = iri(PROV + "Activity")
_PROV_ENTITY = iri(PROV + "Entity")
_SOFTWARE = iri(PROV + "SoftwareAgent")
_USED = iri(PROV + "used")
_DERIVED_FROM = iri(PROV + "wasDerivedFrom")
_GENERATED_BY = iri(PROV + "wasGeneratedBy")
_CONTEXT = iri(NIF + "Context")
_PHRASE = iri(NIF + "Phrase")
_SENTENCE = iri(NIF + "Sentence")
_OFFSET_STRING = iri(NIF + "OffsetBasedString")
_IN_CONTEXT = iri(NIF + "referenceContext")
_BEGIN = iri(NIF + "beginIndex")
_END = iri(NIF + "endIndex")
_ANCHOR = iri(NIF + "anchorOf")

_Span = tuple[int, int]
_Pair = tuple[str, str]


def entity_quads(ns: Namespace, entity: Entity) -> Iterator[str]:
    """The lines of an entity, in the graph of its bucket."""
    graph = iri(ns.kg_graph(bucket(entity.entity_id)))
    pairs = (
        (_TYPE, iri(ns.class_iri(entity.type))),
        (_LABEL, literal(entity.label)),
        (iri(ns.term("mentionCount")), integer(entity.n_mentions)),
        (iri(ns.term("documentCount")), integer(entity.n_documents)),
        (iri(ns.term("confidence")), decimal(entity.confidence)),
    )
    yield from _lines(iri(ns.entity(entity.entity_id)), pairs, graph)


def fact_quads(ns: Namespace, fact: Fact, evidence: Sequence[Evidence]) -> Iterator[str]:
    """The lines of a fact, in the graph of its bucket: the triple itself, and the statement with its evidence."""
    graph = iri(ns.kg_graph(bucket(fact.fact_id)))
    triple = iri(ns.entity(fact.head)), iri(ns.property_iri(fact.relation)), iri(ns.entity(fact.tail))
    yield quad(*triple, graph)
    pairs = (
        *_statement(iri(ns.term("AggregatedStatement")), triple),
        (iri(ns.term("confidence")), decimal(fact.confidence)),
        (iri(ns.term("evidenceCount")), integer(fact.n_evidence)),
        (iri(ns.term("documentCount")), integer(fact.n_documents)),
        *((_DERIVED_FROM, iri(ns.extraction(name))) for name in sorted({e.statement_id for e in evidence})),
    )
    yield from _lines(iri(ns.aggregated_statement(fact.fact_id)), pairs, graph)


def document_quads(
    ns: Namespace, document: Document, mentions: Sequence[Mention], relations: Sequence[Relation], run_key: str
) -> Iterator[str]:
    """The lines of a document, in a graph of its own: the document, its spans, and what was extracted from it.

    A date that is not in ISO 8601's form stays in the documents table. The text itself (nif:isString) is left out: it
    stays there too, and x:textSha256 ties the graph to it.

    Args:
        ns: the dataset's names.
        document: the document.
        mentions: all its mentions, in any order, whether a relation uses them or not.
        relations: all its relations, in any order.
        run_key: names the activity that extracted them.
    """
    graph = iri(ns.document_graph(document.doc_id))
    pairs = (
        (_TYPE, iri(ns.term("Document"))),
        *([(_TITLE, literal(document.title))] if document.title else ()),
        *([(_DATE, date)] if (date := point_in_time(document.date)) else ()),
        (_SOURCE, literal(document.source)),
        (iri(ns.term("textSha256")), literal(document.sha256)),
    )
    yield from _lines(iri(ns.document(document.doc_id)), pairs, graph)
    yield from _span_quads(ns, document, mentions, relations, graph)
    for relation in sorted(relations, key=attrgetter("statement_id")):
        yield from _extraction_quads(ns, relation, run_key, graph)


def provenance_quads(
    ns: Namespace, run_key: str, model_name: str, model_sha256: str, configuration: Mapping[str, str]
) -> Iterator[str]:
    """The lines that say how extractions were made: by which model, with which settings.

    No times, hosts or run ids: the same model and settings are the same activity, whenever and wherever they ran.

    Args:
        ns: the dataset's names.
        run_key: names the activity, and the graph that the lines are in.
        model_name: the model's name, for people.
        model_sha256: the model's fingerprint (`schemas.modelfolder.model_fingerprint`), in hex digits.
        configuration: the settings that decide what is extracted.
    """
    graph = iri(ns.provenance_graph(run_key))
    model = iri(ns.model(model_sha256[:16]))
    settings = sorted({f"{key}={value}" for key, value in configuration.items()})
    activity = (
        (_TYPE, _ACTIVITY),
        (_USED, model),
        (_CONFORMS_TO, iri(ns.vocabulary)),
        *((iri(ns.term("configuration")), literal(setting)) for setting in settings),
    )
    yield from _lines(iri(ns.activity(run_key)), activity, graph)
    agent = (
        (_TYPE, _PROV_ENTITY),
        (_TYPE, _SOFTWARE),
        (_LABEL, literal(model_name)),
        (iri(ns.term("modelSha256")), literal(model_sha256)),
    )
    yield from _lines(model, agent, graph)


def _lines(subject: str, pairs: Iterable[_Pair], graph: str) -> Iterator[str]:
    for predicate, value in pairs:
        yield quad(subject, predicate, value, graph)


def _statement(kind: str, triple: tuple[str, str, str]) -> tuple[_Pair, ...]:
    subject, predicate, value = triple
    return ((_TYPE, kind), (_TYPE, _STATEMENT), (_SUBJECT, subject), (_PREDICATE, predicate), (_OBJECT, value))


def _span_quads(
    ns: Namespace, document: Document, mentions: Sequence[Mention], relations: Sequence[Relation], graph: str
) -> Iterator[str]:
    """One node for each span, though it may be a sentence, a mention and the whole text at once."""
    whole = (0, len(document.text))
    kinds: dict[_Span, set[str]] = defaultdict(set, {whole: {_CONTEXT}})
    for relation in relations:
        kinds[relation.sentence_begin, relation.sentence_end].add(_SENTENCE)
    named: dict[_Span, list[Mention]] = defaultdict(list)
    for mention in mentions:
        span = (mention.begin, mention.end)
        kinds[span].add(_PHRASE)
        named[span].append(mention)
    context = iri(ns.chars(document.doc_id, *whole))
    for span in sorted(kinds):
        begin, end = span
        pairs = (
            (_TYPE, _OFFSET_STRING),
            *((_TYPE, kind) for kind in sorted(kinds[span])),
            # NIF asks it of every string but the context itself.
            *([(_IN_CONTEXT, context)] if span != whole else ()),
            (_BEGIN, integer(begin)),
            (_END, integer(end)),
            *_mention_pairs(ns, named.get(span, ())),
        )
        yield from _lines(iri(ns.chars(document.doc_id, begin, end)), pairs, graph)


def _mention_pairs(ns: Namespace, mentions: Sequence[Mention]) -> Iterable[_Pair]:
    """What the mentions of one span say of it, each thing once."""
    pairs = [
        pair
        for mention in sorted(mentions, key=attrgetter("entity_id", "confidence"))
        for pair in (
            (_ANCHOR, literal(mention.text)),
            (iri(ns.term("entity")), iri(ns.entity(mention.entity_id))),
            (iri(ns.term("confidence")), decimal(mention.confidence)),
        )
    ]
    return dict.fromkeys(pairs)


def _extraction_quads(ns: Namespace, relation: Relation, run_key: str, graph: str) -> Iterator[str]:
    doc_id = relation.doc_id
    triple = (
        iri(ns.entity(relation.head_entity)),
        iri(ns.property_iri(relation.type)),
        iri(ns.entity(relation.tail_entity)),
    )
    pairs = (
        *_statement(iri(ns.term("Extraction")), triple),
        (iri(ns.term("confidence")), decimal(relation.confidence)),
        (_DERIVED_FROM, iri(ns.document(doc_id))),
        (_GENERATED_BY, iri(ns.activity(run_key))),
        (iri(ns.term("sentence")), iri(ns.chars(doc_id, relation.sentence_begin, relation.sentence_end))),
        (iri(ns.term("subjectMention")), iri(ns.chars(doc_id, relation.head_begin, relation.head_end))),
        (iri(ns.term("objectMention")), iri(ns.chars(doc_id, relation.tail_begin, relation.tail_end))),
    )
    yield from _lines(iri(ns.extraction(relation.statement_id)), pairs, graph)
