"""The graph as N-Quads lines, by named graph: what people ask for (kg), each document, what ties them, provenance.

Each function yields the lines of one record in an order that depends on nothing but the record: no blank nodes, no
clocks, no line twice. Entities, their names and facts are in one graph, so that a query finds them together on every
store. The direct triple of a fact serves plain SPARQL; what is said of it hangs on an rdf:Statement, which every store
can hold. A document's graph names no entity: entities that are merged rewrite no document. Offsets count Unicode code
points, as NIF and RFC 5147 mean them.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any, Literal

from kgmill.pipelines.graph.lines import decimal, integer, iri, literal, point_in_time, quad, typed
from kgmill.pipelines.graph.vocabulary import (
    DCAT,
    DCTERMS,
    ITSRDF,
    NIF,
    PROV,
    RDF,
    RDFS,
    SCHEMA,
    SKOS,
    VOID,
    Namespace,
)
from kgmill.schemas.identity import digest, entity_id
from kgmill.schemas.records import Document, Entity, Evidence, Fact, Mention, Name, Relation

_TYPE = iri(RDF + "type")
_STATEMENT = iri(RDF + "Statement")
_SUBJECT = iri(RDF + "subject")
_PREDICATE = iri(RDF + "predicate")
_OBJECT = iri(RDF + "object")
_LABEL = iri(RDFS + "label")
_TITLE = iri(DCTERMS + "title")
_SOURCE = iri(DCTERMS + "source")
_DATE = iri(DCTERMS + "date")
_DATELINE = iri(SCHEMA + "dateline")
_AGENCY = iri(DCTERMS + "publisher")
_BYLINE = iri(DCTERMS + "creator")
_LICENCE = iri(DCTERMS + "license")
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
_ENTITY = iri(ITSRDF + "taIdentRef")
_ALIAS = iri(SKOS + "altLabel")
_SAME = iri(SKOS + "exactMatch")
_REPLACED_BY = iri(DCTERMS + "isReplacedBy")
_DATASETS = iri(VOID + "Dataset"), iri(DCAT + "Dataset")
_LINE = re.compile(r":\d+$")
_N_DAY = len("2004-05-03")  # shorter ones may be any number

_Span = tuple[int, int]
_Pair = tuple[str, str]


# Rules by which names of the whole corpus are joined: what had such a name by itself was an entity of its own.
_MERGING = frozenset({"form", "country", "people", "spelling", "person", "alias", "decision"})


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


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a dataset holds.

    Attributes:
        n_triples: of all its named graphs but that which says so.
        n_documents: its documents.
        entities, facts: how many there are of each type, and of each relation type.
    """

    n_triples: int
    n_documents: int
    entities: Mapping[str, int]
    facts: Mapping[str, int]


def entity_quads(ns: Namespace, entity: Entity, names: Sequence[Name], links: Sequence[str] = ()) -> Iterator[str]:
    """The lines of an entity: with its other names, and the IRIs that others have for it."""
    graph = iri(ns.graph("kg"))
    pairs = (
        (_TYPE, iri(ns.class_iri(entity.type))),
        (_LABEL, literal(entity.label)),
        (iri(ns.term("mentionCount")), integer(entity.n_mentions)),
        (iri(ns.term("documentCount")), integer(entity.n_documents)),
        (iri(ns.term("confidence")), decimal(entity.confidence)),
        *((_ALIAS, literal(name)) for name in sorted({n.name for n in names} - {entity.label})),
        *((_SAME, iri(link)) for link in links),
    )
    yield from _lines(iri(ns.entity(entity.entity_id)), pairs, graph)


def redirect_quads(ns: Namespace, names: Iterable[Name]) -> Iterator[str]:
    """The lines that lead from what an entity's names alone would be called to the entity; names go by entity."""
    graph = iri(ns.graph("redirects"))
    for entity, found in groupby(names, attrgetter("entity_id")):
        for other in sorted({entity_id(n.name) for n in found if n.rule in _MERGING} - {entity}):
            yield quad(iri(ns.entity(other)), _REPLACED_BY, iri(ns.entity(entity)), graph)


def fact_quads(ns: Namespace, fact: Fact, evidence: Sequence[Evidence]) -> Iterator[str]:
    """The lines of a fact: the triple itself, if it is asserted, and the statement with its evidence."""
    graph = iri(ns.graph("kg"))
    tail = typed(fact.value, fact.datatype) if fact.datatype else iri(ns.entity(fact.tail))
    triple = iri(ns.entity(fact.head)), iri(ns.property_iri(fact.relation)), tail
    if fact.asserted:
        yield quad(*triple, graph)
    pairs = (
        (_TYPE, iri(ns.term("AggregatedStatement"))),
        (_TYPE, _STATEMENT),
        *zip((_SUBJECT, _PREDICATE, _OBJECT), triple, strict=True),
        (iri(ns.term("confidence")), decimal(fact.confidence)),
        (iri(ns.term("evidenceCount")), integer(fact.n_evidence)),
        (iri(ns.term("documentCount")), integer(fact.n_documents)),
        (iri(ns.term("coMentionShare")), decimal(fact.share)),
        *((iri(ns.term(name)), date) for name, date in _dates(fact) if date),
        *((_DERIVED_FROM, iri(ns.extraction(name))) for name in sorted({e.statement_id for e in evidence})),
    )
    yield from _lines(iri(ns.aggregated_statement(fact.fact_id)), pairs, graph)


def _dates(fact: Fact) -> tuple[_Pair, ...]:
    return ("firstDate", point_in_time(fact.first)), ("lastDate", point_in_time(fact.last))


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
        (_TYPE, iri(ns.term("Document"))),
        *([(_TITLE, literal(document.title))] if document.title else ()),
        *([(_DATE, date)] if (date := point_in_time(document.date)) else ()),
        *(
            (name, literal(value))
            for name, value in ((_DATELINE, document.dateline), (_AGENCY, document.agency), (_BYLINE, document.byline))
            if value
        ),
        (_SOURCE, literal(_file(document))),
        (iri(ns.term("textSha256")), literal(document.sha256)),
        *_metadata_pairs(document, shown.metadata),
    )
    yield from _lines(iri(ns.document(document.doc_id)), dict.fromkeys(pairs), graph)
    yield from _span_quads(ns, document, mentions, relations, shown.text)
    for relation in sorted(relations, key=attrgetter("statement_id")):
        yield from _extraction_quads(ns, relation, run_key, graph)


def link_quads(ns: Namespace, mentions: Iterable[Mention]) -> Iterator[str]:
    """The lines that tie the mentions of documents to the entities they name; a document's mentions in any order.

    A mention of a value names none.
    """
    graph = iri(ns.graph("links"))
    for doc_id, found in groupby(mentions, attrgetter("doc_id")):
        for begin, end, entity in sorted({(m.begin, m.end, m.entity_id) for m in found if m.entity_id}):
            yield quad(iri(ns.chars(doc_id, begin, end)), _ENTITY, iri(ns.entity(entity)), graph)


def meta_quads(ns: Namespace, holdings: Holdings, run_key: str, licence: str = "") -> Iterator[str]:
    """The lines that describe the dataset (VoID, DCAT, PROV): what it holds, how much of it; no date, no host.

    Args:
        ns: the dataset's names.
        holdings: what it holds.
        run_key: names the activity that made it.
        licence: the IRI of its licence; empty: nothing is said of that.
    """
    entities, facts = holdings.entities, holdings.facts
    graph, dataset = iri(ns.graph("meta")), iri(ns.dataset_iri)
    classes = {ns.class_iri(name): n for name, n in entities.items()}
    properties = {ns.property_iri(name): n for name, n in facts.items()}
    about = (
        *((_TYPE, kind) for kind in _DATASETS),
        (_TITLE, literal(ns.dataset)),
        *([(_LICENCE, iri(licence))] if licence else ()),
        (_GENERATED_BY, iri(ns.activity(run_key))),
        (_CONFORMS_TO, iri(ns.shapes)),
        (iri(VOID + "uriSpace"), literal(ns.entity(""))),
        (iri(VOID + "vocabulary"), iri(ns.vocabulary)),
        (iri(VOID + "triples"), integer(holdings.n_triples)),
        (iri(VOID + "entities"), integer(sum(entities.values()))),
        (iri(ns.term("factCount")), integer(sum(facts.values()))),
        (iri(ns.term("documentCount")), integer(holdings.n_documents)),
    )
    yield from _lines(dataset, about, graph)
    parts = [("class", "entities", *item) for item in sorted(classes.items())]
    parts += [("property", "triples", *item) for item in sorted(properties.items())]
    for kind, unit, name, n in parts:
        part = iri(f"{ns.dataset_iri}/partition/{digest(kind, name)[:16]}")
        yield quad(dataset, iri(f"{VOID}{kind}Partition"), part, graph)
        yield quad(part, iri(VOID + kind), iri(name), graph)
        yield quad(part, iri(VOID + unit), integer(n), graph)


def provenance_quads(
    ns: Namespace, run_key: str, model_name: str, model_sha256: str, configuration: Mapping[str, str]
) -> Iterator[str]:
    """The lines that say how extractions were made: by which model, with which settings.

    No times, hosts or run ids: the same model and settings are the same activity, whenever and wherever they ran.

    Args:
        ns: the dataset's names.
        run_key: names the activity, and the graph that the lines are in.
        model_name: the model's name, for people.
        model_sha256: the model's fingerprint (`kgmill.extractor.modelfolder.model_fingerprint`), in hex digits.
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


def _file(document: Document) -> str:
    """Where a document came from, without its line: a record that goes would move all those behind it.

    The source of a document that is a file is its path, which may look as if it ended in a line.
    """
    source = document.source
    return source if document.doc_id.endswith(source) else _LINE.sub("", source)


def _metadata_pairs(document: Document, properties: Mapping[str, str]) -> Iterator[_Pair]:
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
    sentences = {r.sentence: (r.sentence_begin, r.sentence_end) for r in relations}
    kinds: dict[_Span, set[str]] = defaultdict(set, {whole: {_CONTEXT}})
    for span in sentences.values():
        kinds[span].add(_SENTENCE)
    named: dict[_Span, list[Mention]] = defaultdict(list)
    for mention in mentions:
        span = (mention.begin, mention.end)
        kinds[span].add(_PHRASE)
        named[span].append(mention)
    anchored = {_PHRASE} if shown == "none" else {_PHRASE, _SENTENCE}

    def name(span: _Span) -> str:
        return iri(ns.chars(document.doc_id, *span))

    context = name(whole)
    for span in sorted(kinds):
        begin, end = span
        pairs = (
            (_TYPE, _STRING),
            *((_TYPE, kind) for kind in sorted(kinds[span])),
            (_IN_CONTEXT, context),  # a context is its own: NIF says so of each, and one may be a sentence or a mention
            *([(_SOURCE_URL, iri(ns.document(document.doc_id)))] if span == whole else ()),
            *((_IN_SENTENCE, name(sentences[n])) for n in sorted({m.sentence for m in named[span]} & sentences.keys())),
            (_BEGIN, integer(begin)),
            (_END, integer(end)),
            *([(_ANCHOR, literal(document.text[begin:end]))] if kinds[span] & anchored else ()),
            *([(_IS_STRING, literal(document.text))] if span == whole and shown == "full" else ()),
            *_mention_pairs(ns, named[span]),
        )
        yield from _lines(name(span), pairs, graph)


def _mention_pairs(ns: Namespace, mentions: Sequence[Mention]) -> Iterable[_Pair]:
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
        (_TYPE, iri(ns.term("Extraction"))),
        (iri(ns.term("property")), iri(ns.property_iri(relation.type))),
        (iri(ns.term("subjectMention")), iri(ns.chars(doc_id, relation.head_begin, relation.head_end))),
        (iri(ns.term("objectMention")), iri(ns.chars(doc_id, relation.tail_begin, relation.tail_end))),
        (iri(ns.term("sentence")), iri(ns.chars(doc_id, relation.sentence_begin, relation.sentence_end))),
        (iri(ns.term("confidence")), decimal(relation.confidence)),
        *([(iri(ns.term("stance")), literal(relation.stance))] if relation.stance else ()),
        (_GENERATED_BY, iri(ns.activity(run_key))),
    )
    yield from _lines(iri(ns.extraction(relation.statement_id)), pairs, graph)
