"""Export: the tables to graph files.

graph.nq.gz is a chain of gzip members: provenance, the ontology, a member a partition of entities and facts, a member
a unit of mentions' links, a member a unit of documents, and what describes the dataset. Each member is a part of its
own, so an unchanged one is never written again; the chain's order is that of the hashes, so its lines don't depend on
how many units or partitions there are.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from kgmill.pipelines.engine.beam import beam
from kgmill.pipelines.engine.job import Descriptor, Request, each_task, write_receipt
from kgmill.pipelines.engine.progress import Teller
from kgmill.pipelines.graph.ontology import ontology_graph, ontology_turtle
from kgmill.pipelines.graph.property_graph import edges, literal_nodes, nodes, write_graphml, write_node_link
from kgmill.pipelines.graph.statements import (
    document_quads,
    entity_quads,
    fact_quads,
    link_quads,
    meta_quads,
    ontology_quads,
    provenance_quads,
)
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.pipelines.output.parts import Part, Store
from kgmill.schemas.identity import bucket, fingerprint
from kgmill.schemas.ontology import Ontology, parse_ontology
from kgmill.schemas.records import Document, Entity, Evidence, Fact, Mention, Relation
from kgmill.schemas.tables import from_table

VERSION = 3
GRAPH_UNIT = "all"
META = "meta"  # the member that describes all others, and so is made after them
_MEMBER = "quads.nq.gz"
_LINES_A_WRITE = 4096
_BYTES_A_STEP = 1 << 16  # deflate makes at most 1032 times as many of them


def plan(
    store: Store,
    ingested: Sequence[Part],
    decoded: Sequence[Part],
    aggregated: Sequence[Part],
    settings: dict[str, Any],
) -> tuple[list[Part], list[Descriptor], list[str]]:
    """The members that are there already, tasks for those that are not, and all members in the chain's order."""
    described = {key: settings[key] for key in ("base_iri", "dataset", "ontology")}
    ontology = parse_ontology(settings["ontology"], "ontology").without_words()
    names = described | {"ontology": ontology.model_dump(mode="json", exclude_defaults=True)}
    documents = {part.unit: part for part in ingested}
    wanted = [_member("provenance", settings | names), _member("ontology", described)]
    wanted += [_member(f"kg-{part.unit}", names, part.fingerprint) for part in aggregated]
    wanted += [_member(f"links-{part.unit}", names, part.fingerprint) for part in decoded]
    own = names | {"run_key": settings["run_key"]}
    wanted += [_member(f"doc-{part.unit}", own, documents[part.unit].fingerprint, part.fingerprint) for part in decoded]
    n_documents = sum(part.counts["kept"] for part in ingested)
    described_by = [(task["unit"], task["fingerprint"]) for task in wanted]
    counted = {"documents": n_documents, "aggregated": [(part.unit, part.fingerprint) for part in aggregated]}
    wanted.append(_member(META, names | counted | {"members": described_by}))
    done, tasks = [], []
    for task in wanted:
        if found := store.find("export", task["unit"], task["fingerprint"]):
            done.append(found)
        else:
            tasks.append(task)
    return done, tasks, [task["unit"] for task in wanted]


def n_members(n_units: int, n_partitions: int) -> int:
    """How many members a graph has: links and documents a unit, and what there is one of."""
    return 2 * n_units + n_partitions + len(("provenance", "ontology", META))


def _member(unit: str, settings: dict[str, Any], *inputs: str) -> Descriptor:
    task: Descriptor = {"unit": unit, "inputs": list(inputs), "settings": settings}
    return task | {"fingerprint": fingerprint({"version": VERSION, **task})}


def namespace(settings: dict[str, Any]) -> Namespace:
    """The dataset's names."""
    return Namespace(settings["base_iri"], settings["dataset"], _ontology(settings))


def _ontology(settings: dict[str, Any]) -> Ontology:
    return parse_ontology(settings["ontology"], "ontology")


class MemberFn(beam.DoFn):
    """Writes a member of graph.nq.gz and commits it."""

    def __init__(self, root: str, scratch: str) -> None:
        self.root, self.scratch = root, scratch

    def process(self, task: Descriptor) -> Iterator[str]:
        """Does one task; yields its unit."""
        make_member(Store(Path(self.root)), task, self.scratch)
        yield task["unit"]


def make_member(store: Store, task: Descriptor, scratch: str) -> None:
    """Writes a member, commits it and leaves its receipt."""
    folder = store.scratch()
    counts = write_member(folder / _MEMBER, member_lines(store, task))
    store.commit("export", task["unit"], task["fingerprint"], folder, counts)
    write_receipt(scratch, task["unit"], {"fingerprint": task["fingerprint"]})


def member_lines(store: Store, task: Descriptor) -> Iterator[str]:
    """The N-Quads lines of a member."""
    settings, inputs = task["settings"], task["inputs"]
    ns = namespace(settings)
    kind, _, unit = task["unit"].partition("-")
    if kind == "provenance":
        made = {key: str(value) for key, value in settings["configuration"].items()}
        yield from provenance_quads(ns, settings["run_key"], settings["model_name"], settings["model"], made)
    elif kind == "ontology":
        yield from ontology_quads(ns, ontology_graph(ns, _ontology(settings)))
    elif kind == "links":
        yield from link_quads(ns, _records(store.need("decode", unit, inputs[0]), "mentions"))
    elif kind == META:
        yield from _meta_lines(store, settings)
    elif kind == "kg":
        part = store.need("aggregate", unit, inputs[0])
        yield from _kg_lines(ns, *(_records(part, name) for name in ("entities", "facts", "evidence")))
    else:
        ingested, decoded = store.need("ingest", unit, inputs[0]), store.need("decode", unit, inputs[1])
        yield from _document_lines(
            ns,
            _records(ingested, "documents"),
            _records(decoded, "mentions"),
            _records(decoded, "relations"),
            settings["run_key"],
        )


def _kg_lines(
    ns: Namespace, entities: Iterable[Entity], facts: Iterable[Fact], evidence: Iterable[Evidence]
) -> Iterator[str]:
    """Bucket by bucket, so that the lines don't depend on how many partitions there are: its entities, its facts."""
    behind: dict[str, list[Evidence]] = defaultdict(list)
    for e in evidence:
        behind[e.fact_id].append(e)
    buckets: dict[int, tuple[list[Entity], list[Fact]]] = defaultdict(lambda: ([], []))
    for entity in entities:
        buckets[bucket(entity.entity_id)][0].append(entity)
    for fact in facts:
        buckets[bucket(fact.fact_id)][1].append(fact)
    for _, (named, stated) in sorted(buckets.items()):
        yield from chain.from_iterable(entity_quads(ns, entity) for entity in named)
        yield from chain.from_iterable(fact_quads(ns, fact, behind[fact.fact_id]) for fact in stated)


def _meta_lines(store: Store, settings: dict[str, Any]) -> Iterator[str]:
    entities: Counter[str] = Counter()
    facts: Counter[str] = Counter()
    for unit, key in settings["aggregated"]:
        part = store.need("aggregate", unit, key)
        entities.update(part.read("entities", ["type"])["type"].to_pylist())
        facts.update(part.read("facts", ["relation"])["relation"].to_pylist())
    n_triples = sum(store.need("export", unit, key).counts["quads"] for unit, key in settings["members"])
    yield from meta_quads(namespace(settings), n_triples, settings["documents"], entities, facts)


def _document_lines(
    ns: Namespace,
    documents: Iterable[Document],
    mentions: Iterable[Mention],
    relations: Iterable[Relation],
    run_key: str,
) -> Iterator[str]:
    found: dict[str, tuple[list[Mention], list[Relation]]] = defaultdict(lambda: ([], []))
    for mention in mentions:
        found[mention.doc_id][0].append(mention)
    for relation in relations:
        found[relation.doc_id][1].append(relation)
    for document in documents:
        yield from document_quads(ns, document, *found[document.doc_id], run_key)


def write_member(path: Path, lines: Iterable[str]) -> dict[str, int]:
    """Writes lines as one gzip member without date or name; returns how many quads they are."""
    n_quads = 0
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        batch: list[str] = []
        for line in lines:
            batch.append(line)
            if len(batch) == _LINES_A_WRITE:
                file.write("".join(batch).encode())
                n_quads += len(batch)
                batch = []
        file.write("".join(batch).encode())
    return {"quads": n_quads + len(batch)}


def assemble(request: Request, units: Iterable[str]) -> None:
    """Makes the last member, and the graph folder out of members and tables, and commits it as one part."""
    store, settings, teller = Store(Path(request.root)), request.settings, Teller(request.scratch, GRAPH_UNIT)
    made = sorted(units)
    for task in request.tasks:
        if task["unit"] == META:
            make_member(store, task, request.scratch)
            made.append(META)
    members = [store.need("export", unit, key) for unit, key in settings["members"]]
    folder = store.scratch()
    n_quads = sum(member.counts["quads"] for member in members)
    ontology = ontology_turtle(namespace(settings), _ontology(settings))
    (folder / "ontology.ttl").write_text(ontology, encoding="utf-8")
    counts: dict[str, Any] = {"quads": n_quads, "members": settings["members"]}
    if "nq" in settings["formats"]:
        with (folder / "graph.nq.gz").open("wb") as out:
            counts["sha256"] = chain_members(teller.each(members, 0.0, 0.5), out)
    if {"graphml", "json"} & set(settings["formats"]):
        _write_networks(store, settings, folder, teller)
    store.commit("graph", GRAPH_UNIT, settings["key"], folder, counts)
    write_receipt(request.scratch, GRAPH_UNIT, {"fingerprint": settings["key"], "members": sorted(made)})


def chain_members(members: Iterable[Part], out: BinaryIO) -> str:
    """Copies gzip members behind one another; returns the SHA-256 of what they hold.

    Raises:
        CorruptPartError: a member is missing or was altered.
    """
    digest = hashlib.sha256()
    for part in members:
        member = memoryview(part.read_bytes(_MEMBER))
        out.write(member)
        inflate = zlib.decompressobj(wbits=31)
        for begin in range(0, len(member), _BYTES_A_STEP):
            digest.update(inflate.decompress(member[begin : begin + _BYTES_A_STEP]))
        digest.update(inflate.flush())
    return digest.hexdigest()


def _write_networks(store: Store, settings: dict[str, Any], folder: Path, teller: Teller) -> None:
    """Writes the files for NetworkX, a partition at a time: entities, then values, then facts."""
    ns = namespace(settings)
    has_literals = ns.ontology.has_literals
    parts = [store.need("aggregate", unit, key) for unit, key in settings["aggregated"]]
    graphml = partial(write_graphml, has_literals=has_literals)
    for name, write, begin, end in (("graphml", graphml, 0.5, 0.75), ("json", write_node_link, 0.75, 1.0)):
        if name in settings["formats"]:
            middle = (begin + end) / 2
            each_node = (nodes(ns, _records(part, "entities")) for part in teller.each(parts, begin, middle))
            each_value = (literal_nodes(ns, _records(part, "facts")) for part in parts if has_literals)
            each_edge = (
                edges(ns, _records(part, "facts"), _records(part, "evidence"))
                for part in teller.each(parts, middle, end)
            )
            every_node = chain.from_iterable(chain(each_node, each_value))
            write(every_node, chain.from_iterable(each_edge), folder / f"graph.{name}.gz")


def _records(part: Part, name: str) -> Iterator[Any]:
    """The records of a part's table, which is read when the first one is wanted."""
    yield from from_table(name, part.read(name))


def build(pipeline: beam.Pipeline, request: Request) -> None:
    """The job's graph: each missing member, then, when all are there, the one that describes them and the folder."""
    tasks = [task for task in request.tasks if task["unit"] != META]
    members = each_task(pipeline, tasks, MemberFn(request.root, request.scratch))
    once = pipeline | "Once" >> beam.Create([request])
    once | "Assemble" >> beam.Map(assemble, units=beam.pvalue.AsList(members))
