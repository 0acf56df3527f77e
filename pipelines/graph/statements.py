"""The graph as N-Quads lines, by named graph: what people ask for (kg), what ties it to documents, what describes it.

Each function yields the lines of one record in an order that depends on nothing but the record: no blank nodes, no
clocks, no line twice. Entities, their names and facts are in one graph, so that a query finds them together on every
store. The direct triple of a fact serves plain SPARQL; what is said of it hangs on an rdf:Statement, which every store
can hold. The graphs of documents are made in `documents`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from kgmill.pipelines.graph.lines import decimal, integer, iri, lines_of, literal, point_in_time, quad, typed
from kgmill.pipelines.graph.vocabulary import (
    DCAT,
    DCTERMS,
    ITSRDF,
    PROV,
    RDF,
    RDFS,
    SKOS,
    VOID,
    Namespace,
    own_term,
)
from kgmill.schemas.identity import digest, entity_id
from kgmill.schemas.name_rules import MERGING
from kgmill.schemas.records import Entity, Evidence, Fact, Mention, Name

_TYPE = iri(RDF + "type")
_STATEMENT = iri(RDF + "Statement")
_SUBJECT = iri(RDF + "subject")
_PREDICATE = iri(RDF + "predicate")
_OBJECT = iri(RDF + "object")
_LABEL = iri(RDFS + "label")
_TITLE = iri(DCTERMS + "title")
_LICENCE = iri(DCTERMS + "license")
_CONFORMS_TO = iri(DCTERMS + "conformsTo")
_ACTIVITY = iri(PROV + "Activity")
_PROV_ENTITY = iri(PROV + "Entity")
_SOFTWARE = iri(PROV + "SoftwareAgent")
_USED = iri(PROV + "used")
_DERIVED_FROM = iri(PROV + "wasDerivedFrom")
_GENERATED_BY = iri(PROV + "wasGeneratedBy")
_ENTITY = iri(ITSRDF + "taIdentRef")
_ALIAS = iri(SKOS + "altLabel")
_SAME = iri(SKOS + "exactMatch")
_REPLACED_BY = iri(DCTERMS + "isReplacedBy")
_OWN_AGGREGATED_STATEMENT = iri(own_term("AggregatedStatement"))
_OWN_CO_MENTION_SHARE = iri(own_term("coMentionShare"))
_OWN_CONFIDENCE = iri(own_term("confidence"))
_OWN_CONFIGURATION = iri(own_term("configuration"))
_OWN_CONFLICT_SHARE = iri(own_term("conflictShare"))
_OWN_DOCUMENT_COUNT = iri(own_term("documentCount"))
_OWN_EVIDENCE_COUNT = iri(own_term("evidenceCount"))
_OWN_FACT_COUNT = iri(own_term("factCount"))
_OWN_FIRST_DATE = iri(own_term("firstDate"))
_OWN_LAST_DATE = iri(own_term("lastDate"))
_OWN_MENTION_COUNT = iri(own_term("mentionCount"))
_OWN_MODEL_SHA256 = iri(own_term("modelSha256"))
_OWN_OVERRULED_BY = iri(own_term("overruledBy"))
_DATASETS = iri(VOID + "Dataset"), iri(DCAT + "Dataset")


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a dataset holds.

    Attributes:
        n_triples: of all its named graphs but that which says so.
        n_documents: its documents.
        entities: how many there are of each type.
        n_facts: its facts, asserted or not.
        asserted: how many of each relation type are plain triples.
    """

    n_triples: int
    n_documents: int
    entities: Mapping[str, int]
    n_facts: int
    asserted: Mapping[str, int]


def entity_quads(ns: Namespace, entity: Entity, names: Sequence[Name], links: Sequence[str] = ()) -> list[str]:
    """The lines of an entity: with its other names, and the IRIs that others have for it."""
    graph = iri(ns.graph("kg"))
    pairs = (
        (_TYPE, iri(ns.class_iri(entity.type))),
        (_LABEL, literal(entity.label)),
        (_OWN_MENTION_COUNT, integer(entity.n_mentions)),
        (_OWN_DOCUMENT_COUNT, integer(entity.n_documents)),
        (_OWN_CONFIDENCE, decimal(entity.confidence)),
        *((_ALIAS, literal(name)) for name in sorted({n.name for n in names} - {entity.label})),
        *((_SAME, iri(link)) for link in links),
    )
    return lines_of(iri(ns.entity(entity.entity_id)), pairs, graph)


def redirect_quads(ns: Namespace, names: Iterable[Name]) -> Iterator[str]:
    """The lines that lead from what an entity's names alone would be called to the entity; names go by entity."""
    graph = iri(ns.graph("redirects"))
    for entity, found in groupby(names, attrgetter("entity_id")):
        for other in sorted({entity_id(n.name) for n in found if n.rule in MERGING} - {entity}):
            yield quad(iri(ns.entity(other)), _REPLACED_BY, iri(ns.entity(entity)), graph)


def fact_quads(ns: Namespace, fact: Fact, evidence: Sequence[Evidence]) -> list[str]:
    """The lines of a fact: the triple itself, if it is asserted, and the statement with its evidence."""
    graph = iri(ns.graph("kg"))
    tail = typed(fact.value, fact.datatype) if fact.datatype else iri(ns.entity(fact.tail))
    triple = iri(ns.entity(fact.head)), iri(ns.property_iri(fact.relation)), tail
    pairs = (
        (_TYPE, _OWN_AGGREGATED_STATEMENT),
        (_TYPE, _STATEMENT),
        *zip((_SUBJECT, _PREDICATE, _OBJECT), triple, strict=True),
        (_OWN_CONFIDENCE, decimal(fact.confidence)),
        (_OWN_EVIDENCE_COUNT, integer(fact.n_evidence)),
        (_OWN_DOCUMENT_COUNT, integer(fact.n_documents)),
        (_OWN_CO_MENTION_SHARE, decimal(fact.share)),
        *([(_OWN_CONFLICT_SHARE, decimal(fact.conflict_share))] if fact.conflict_share < 1 else ()),
        *([(_OWN_OVERRULED_BY, iri(ns.aggregated_statement(fact.overruled_by)))] if fact.overruled_by else ()),
        *([(_OWN_FIRST_DATE, date)] if fact.first and (date := point_in_time(fact.first)) else ()),
        *([(_OWN_LAST_DATE, date)] if fact.last and (date := point_in_time(fact.last)) else ()),
        *((_DERIVED_FROM, iri(ns.extraction(name))) for name in sorted({e.statement_id for e in evidence})),
    )
    asserted = [quad(*triple, graph)] if fact.asserted else []
    return asserted + lines_of(iri(ns.aggregated_statement(fact.fact_id)), pairs, graph)


def link_quads(ns: Namespace, mentions: Iterable[Mention]) -> Iterator[str]:
    """The lines that tie the mentions of documents to the entities they name; a document's mentions in any order.

    A mention of a value names none.
    """
    graph = iri(ns.graph("links"))
    for doc_id, found in groupby(mentions, attrgetter("doc_id")):
        for begin, end, entity in sorted({(m.mention_begin, m.mention_end, m.entity_id) for m in found if m.entity_id}):
            yield quad(iri(ns.chars(doc_id, begin, end)), _ENTITY, iri(ns.entity(entity)), graph)


def meta_quads(ns: Namespace, holdings: Holdings, run_key: str, licence: str = "") -> Iterator[str]:
    """The lines that describe the dataset (VoID, DCAT, PROV): what it holds, how much of it; no date, no host.

    Args:
        ns: the dataset's names.
        holdings: what it holds.
        run_key: names the activity that made it.
        licence: the IRI of its licence; empty: nothing is said of that.
    """
    entities = holdings.entities
    graph, dataset = iri(ns.graph("meta")), iri(ns.dataset_iri)
    classes = {ns.class_iri(name): n for name, n in entities.items()}
    properties = {ns.property_iri(name): n for name, n in holdings.asserted.items()}
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
        (_OWN_FACT_COUNT, integer(holdings.n_facts)),
        (_OWN_DOCUMENT_COUNT, integer(holdings.n_documents)),
    )
    yield from lines_of(dataset, about, graph)
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
        *((_OWN_CONFIGURATION, literal(setting)) for setting in settings),
    )
    yield from lines_of(iri(ns.activity(run_key)), activity, graph)
    agent = (
        (_TYPE, _PROV_ENTITY),
        (_TYPE, _SOFTWARE),
        (_LABEL, literal(model_name)),
        (_OWN_MODEL_SHA256, literal(model_sha256)),
    )
    yield from lines_of(model, agent, graph)
