"""Export: the tables to the members of graph.nq.gz.

graph.nq.gz is a chain of gzip members: provenance, the ontology with its shapes, a member a partition of entities and
facts, one of what became of other names, a member a unit of mentions' links, one of documents, and what describes the
dataset. Each member is a part of its own, so an unchanged one is never written again; the chain's order is that of the
hashes, so its lines don't depend on how many units or partitions there are. `stages.graph` makes files of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from kgmill.pipelines.engine.beam import beam
from kgmill.pipelines.engine.request import PartName, Receipt, Request
from kgmill.pipelines.engine.shapes import WorkFn, each_task
from kgmill.pipelines.graph.documents import Shown, document_quads
from kgmill.pipelines.graph.gzipped import write_gzip
from kgmill.pipelines.graph.ontology import ontology_graph
from kgmill.pipelines.graph.shacl import shapes_graph
from kgmill.pipelines.graph.small import small_quads
from kgmill.pipelines.graph.statements import (
    Holdings,
    entity_quads,
    fact_quads,
    link_quads,
    meta_quads,
    provenance_quads,
    redirect_quads,
)
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.stages.stage import Parts, Todo, partitions_extent
from kgmill.schemas.decisions import links_of
from kgmill.schemas.identity import BUCKET_BITS, bucket, fact_bucket, fingerprint
from kgmill.schemas.ontology import Ontology
from kgmill.schemas.records import Document, Entity, Evidence, Fact, Mention, Name, Relation
from kgmill.schemas.tables import from_table, values

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

VERSION = 6
META = "meta"  # the member that describes all others, and so is made after them
MEMBER = "quads.nq.gz"


@dataclass(frozen=True, slots=True)
class Names:
    """What decides how tables become graphs.

    Attributes:
        run_key, model, model_name, configuration: what the provenance says.
        links: what others call entities (`schemas.decisions.load_links`).
        licence: the IRI of the dataset's licence; empty: none is said.
        shown: what documents' graphs have of the documents.
    """

    base_iri: str
    dataset: str
    ontology: Ontology
    run_key: str
    model: str
    model_name: str
    configuration: Mapping[str, Any]
    links: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    licence: str = ""
    shown: Shown = field(default_factory=Shown)

    @property
    def namespace(self) -> Namespace:
        """The dataset's names."""
        return Namespace(self.base_iri, self.dataset, self.ontology)

    @property
    def described(self) -> dict[str, Any]:
        """What the ontology's files are made from."""
        said = self.ontology.model_dump(mode="json", exclude={"relations": {"__all__": {"words"}}})  # which no file has
        return {"base_iri": self.base_iri, "dataset": self.dataset, "ontology": said}

    @property
    def naming(self) -> dict[str, Any]:
        """What all other members and files take of it: not the words of the ontology."""
        wordless = self.ontology.without_words().model_dump(mode="json", exclude_defaults=True)
        return self.described | {"ontology": wordless}


@dataclass(frozen=True, slots=True)
class Settings:
    """What all members share.

    Attributes:
        aggregated: the parts of entities and facts.
        members: all members but the last, which describes them, in the chain's order.
        n_documents: documents in all.
        bucket_bits: aggregated parts are ordered by 2 ** bucket_bits buckets.
    """

    names: Names
    aggregated: tuple[PartName, ...]
    members: tuple[PartName, ...]
    n_documents: int
    bucket_bits: int = BUCKET_BITS


@dataclass(frozen=True, slots=True)
class Task:
    """A member to write: its kind and unit, its part's fingerprint, and the fingerprints of the parts it is made of."""

    unit: str
    fingerprint: str
    inputs: tuple[str, ...] = ()


def plan(
    store: Store,
    ingested: Sequence[Part],
    decoded: Sequence[Part],
    aggregated: Sequence[Part],
    names: Names,
    bucket_bits: int = BUCKET_BITS,
) -> tuple[list[Part], list[Task], Settings]:
    """The members that are there already, tasks for those that are not, and the settings."""
    naming, documents = names.naming, {part.unit: part.fingerprint for part in ingested}
    by_run = {"run_key": names.run_key}
    activity = by_run | {"model": names.model, "model_name": names.model_name, "configuration": names.configuration}
    wanted = [_member("provenance", naming | activity), _member("ontology", names.described)]
    linked = naming | {"links": dict(names.links)}
    if bucket_bits != BUCKET_BITS:
        linked["bucket_bits"] = bucket_bits
    wanted += [_member(f"kg-{part.unit}", linked, part.fingerprint) for part in aggregated]
    wanted += [_member(f"redirects-{part.unit}", naming, part.fingerprint) for part in aggregated]
    wanted += [_member(f"links-{part.unit}", naming, part.fingerprint) for part in decoded]
    of_documents = naming | by_run | {"text": names.shown.text, "metadata": dict(names.shown.metadata)}
    wanted += [_member(f"doc-{part.unit}", of_documents, documents[part.unit], part.fingerprint) for part in decoded]
    settings = Settings(
        names,
        tuple((part.unit, part.fingerprint) for part in aggregated),
        tuple((task.unit, task.fingerprint) for task in wanted),
        sum(part.counts["kept"] for part in ingested),
        bucket_bits,
    )
    counted = {
        "documents": settings.n_documents,
        "aggregated": settings.aggregated,
        "members": settings.members,
        "licence": names.licence,
    }
    done, tasks = [], []
    for task in (*wanted, _member(META, naming | counted)):
        if found := store.find("export", task.unit, task.fingerprint):
            done.append(found)
        else:
            tasks.append(task)
    return done, tasks, settings


def missing(context: RunContext, store: Store, parts: Parts) -> Todo:
    """What export has to do."""
    of = (parts["ingest"], parts["decode"], parts["aggregate"])
    done, tasks, settings = plan(store, *of, context.names, context.config.bucket_bits)
    extent = partitions_extent(parts["ingest"], (task.unit for task in tasks))
    # The members of the live graph are needed until it is known what changes, so `stages.changes` publishes these.
    return Todo(done, tasks, settings, extent, lambda outcome: {})


def in_chain(members: Iterable[Part]) -> list[Part]:
    """The members in the chain's order: by kind, and within a kind by unit."""
    rank = {kind: i for i, kind in enumerate(("provenance", "ontology", "kg", "redirects", "links", "doc", META))}
    return sorted(members, key=lambda part: (rank[part.unit.partition("-")[0]], part.unit))


def n_members(n_units: int, n_partitions: int) -> int:
    """How many members a graph has: two a unit, two a partition, and what there is one of."""
    return 2 * (n_units + n_partitions) + len(("provenance", "ontology", META))


def _member(unit: str, settings: Mapping[str, Any], *inputs: str) -> Task:
    named = {"version": VERSION, "unit": unit, "inputs": inputs, "settings": settings}
    return Task(unit, fingerprint(named), inputs)


@contextmanager
def work(request: Request[Task, Settings]) -> Iterator[Callable[[Task], Receipt]]:
    """Writes members and commits them."""
    store, settings = request.store, request.settings
    ns = settings.names.namespace

    def make_member(task: Task) -> Receipt:
        folder = store.scratch()
        counts = {"quads": write_gzip(folder / MEMBER, member_lines(store, task, settings, ns))}
        store.commit("export", task.unit, task.fingerprint, folder, counts)
        return Receipt(task.unit, task.fingerprint)

    yield make_member


def member_lines(store: Store, task: Task, settings: Settings, ns: Namespace) -> Iterator[str]:
    """The N-Quads lines of a member."""
    names, inputs = settings.names, task.inputs
    kind, _, unit = task.unit.partition("-")
    if kind == "provenance":
        made = {key: str(value) for key, value in names.configuration.items()}
        yield from provenance_quads(ns, names.run_key, names.model_name, names.model, made)
    elif kind == "ontology":
        yield from small_quads(ontology_graph(ns, names.ontology), ns.graph("ontology"))
        yield from small_quads(shapes_graph(ns), ns.graph("shapes"))
    elif kind == "links":
        yield from link_quads(ns, records(store.need("decode", unit, inputs[0]), "mentions"))
    elif kind == META:
        yield from _meta_lines(store, settings, ns)
    elif kind == "kg":
        part = store.need("aggregate", unit, inputs[0])
        tables = (records(part, name) for name in ("entities", "names", "facts", "evidence"))
        yield from chain.from_iterable(_kg_lines(ns, names.links, settings.bucket_bits, *tables))
    elif kind == "redirects":
        yield from redirect_quads(ns, records(store.need("aggregate", unit, inputs[0]), "names"))
    else:
        ingested, decoded = store.need("ingest", unit, inputs[0]), store.need("decode", unit, inputs[1])
        documents = records(ingested, "documents")
        mentions, relations = records(decoded, "mentions"), records(decoded, "relations")
        yield from chain.from_iterable(_document_lines(ns, documents, mentions, relations, names))


def _kg_lines(
    ns: Namespace,
    links: Mapping[str, tuple[str, ...]],
    bucket_bits: int,
    entities: Iterable[Entity],
    names: Iterable[Name],
    facts: Iterable[Fact],
    evidence: Iterable[Evidence],
) -> Iterator[list[str]]:
    """Bucket by bucket, so that the lines don't depend on how many partitions there are: its entities, its facts."""
    called: dict[str, list[Name]] = defaultdict(list)
    for name in names:
        called[name.entity_id].append(name)
    behind: dict[str, list[Evidence]] = defaultdict(list)
    for e in evidence:
        behind[e.fact_id].append(e)
    buckets: dict[int, tuple[list[Entity], list[Fact]]] = defaultdict(lambda: ([], []))
    for entity in entities:
        buckets[bucket(entity.entity_id, bucket_bits)][0].append(entity)
    for fact in facts:
        buckets[fact_bucket(fact.fact_id, bucket_bits)][1].append(fact)
    for _, (named, stated) in sorted(buckets.items()):
        for entity in named:
            own = called[entity.entity_id]
            others = links_of(links, tuple(n.name for n in own), entity.type) if links else ()
            yield entity_quads(ns, entity, own, others)
        for fact in stated:
            yield fact_quads(ns, fact, behind[fact.fact_id])


def _meta_lines(store: Store, settings: Settings, ns: Namespace) -> Iterator[str]:
    entities: Counter[str] = Counter()
    asserted: Counter[str] = Counter()
    n_facts = 0
    for unit, key in settings.aggregated:
        part = store.need("aggregate", unit, key)
        entities.update(values(part.read("entities", ["type"])["type"]))
        facts = part.read("facts", ["relation", "asserted"])
        asserted.update(values(facts.filter(facts["asserted"])["relation"]))
        n_facts += facts.num_rows
    n_triples = sum(store.need("export", unit, key).counts["quads"] for unit, key in settings.members)
    holdings = Holdings(n_triples, settings.n_documents, entities, n_facts, asserted)
    yield from meta_quads(ns, holdings, settings.names.run_key, settings.names.licence)


def _document_lines(
    ns: Namespace,
    documents: Iterable[Document],
    mentions: Iterable[Mention],
    relations: Iterable[Relation],
    names: Names,
) -> Iterator[list[str]]:
    found: dict[str, tuple[list[Mention], list[Relation]]] = defaultdict(lambda: ([], []))
    for mention in mentions:
        found[mention.doc_id][0].append(mention)
    for relation in relations:
        found[relation.doc_id][1].append(relation)
    for document in documents:
        yield document_quads(ns, document, *found[document.doc_id], names.run_key, names.shown)


def records(part: Part, name: str) -> Iterator[Any]:
    """The records of a part's table, which is read when the first one is wanted."""
    yield from from_table(name, part.read(name))


def build(pipeline: beam.Pipeline, request: Request[Task, Settings]) -> None:
    """The job's graph: each missing member, then, when all are there, the one that describes them."""
    last = [task for task in request.tasks if task.unit == META]
    others = replace(request, tasks=tuple(task for task in request.tasks if task.unit != META))
    members = beam.pvalue.AsList(each_task(pipeline, others))
    pipeline | "Last" >> beam.Create(last) | "Describe" >> beam.ParDo(WorkFn(request), members)
