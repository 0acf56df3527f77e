"""A finished build as a graph to compute with: NetworkX's MultiDiGraph, or rdflib's Dataset of the same facts.

    from kgmill.pipelines import load_graph

    graph = load_graph("DIR", min_confidence=0.5, types=["Person", "Organization"], largest=True)

Nodes and edges are the tables' entities and facts under their own ids, as `entity_id` and `fact_id` in graph.json.gz. A
value is no node, as a year would make neighbours of all that happened in it: it is an attribute of the entity that it
was said of. docs/networks.md has three questions, answered.
"""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, overload

import networkx as nx
import pyarrow as pa
import pyarrow.compute as pc
import rdflib

from kgmill.extractor.modelfolder import find_model
from kgmill.pipelines.closure import derive
from kgmill.pipelines.graph.subset import chosen_quads
from kgmill.pipelines.output import layout
from kgmill.pipelines.output.ledger import finished_run, last_run
from kgmill.pipelines.output.near import nearby
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.triplestores.dump import read_graphs
from kgmill.pipelines.triplestores.query import finished_graph
from kgmill.schemas.errors import CorruptPartError, UsageError
from kgmill.schemas.ontology import Ontology, load_ontology
from kgmill.schemas.records import Entity, Evidence, Fact
from kgmill.schemas.tables import from_table

_NODE = [f.name for f in fields(Entity) if f.name != "entity_id"]
_EDGE = [f.name for f in fields(Fact) if f.name not in ("fact_id", "head", "tail", "value", "datatype")]

_Span = tuple[str, int, int]


class _Choice(TypedDict, total=False):
    """What `load_graph` takes beside the output."""

    min_confidence: float
    types: Collection[str] | None
    relations: Collection[str] | None
    largest: bool
    isolated: bool
    closure: bool


@overload
def load_graph(
    output: str | Path, *, as_: Literal["networkx"] = ..., **choice: Unpack[_Choice]
) -> nx.MultiDiGraph[str]: ...


@overload
def load_graph(output: str | Path, *, as_: Literal["rdflib"], **choice: Unpack[_Choice]) -> rdflib.Dataset: ...


def load_graph(
    output: str | Path,
    *,
    min_confidence: float = 0.0,
    types: Collection[str] | None = None,
    relations: Collection[str] | None = None,
    largest: bool = False,
    isolated: bool = False,
    closure: bool = False,
    as_: Literal["networkx", "rdflib"] = "networkx",
) -> nx.MultiDiGraph[str] | rdflib.Dataset:
    """The graph of a finished build, or what is chosen of it; the same each time, in the order of ids.

    A node, `entity_id`, has the other fields of an `Entity` (`label`, `type`, `n_mentions`, ...) and, by the name of
    the relation, the surest value that was said of it (`born_on="1879"`); where an entity has a field of this name, the
    attribute has `_` behind it. An edge, its key the `fact_id`, goes from head to tail and has the other fields of a
    `Fact` (`relation`, `confidence`, `n_evidence`, `n_documents`, ...), `weight`, which is the confidence, and the text
    of its surest `sentence` and the `doc_id` of that. The graph itself has `base_iri` and `dataset`.

    A Dataset has the chosen lines of graph.nq.gz: the entities and facts, the extractions behind them with mentions and
    sentences, the ontology and the provenance. Without GRAPH a pattern matches in all its graphs.

    Of two inverse relations the graph tells the first that the ontology lists. Asked for by the other's name, its edges
    are of that, from tail to head, under the same key.

    Args:
        output: the output of a build, a folder or a URL.
        min_confidence: of a fact, from 0 to 1.
        types: of entities; facts with an entity of another type are left out.
        relations: of facts, those that end in a value too; a Dataset has an inverse as it is told.
        largest: only the largest component, directions aside; of equally large ones the one with the first node.
        isolated: also entities that no chosen fact joins to another one.
        closure: also what follows from the chosen facts where the ontology says that their relation is transitive. Such
            an edge has `derived=True`, the least confidence of its `chain`, the ids of the facts that it follows from
            with spaces between them, and no sentence. It is in no file, and a Dataset has none.
        as_: `networkx` or `rdflib`.

    Raises:
        UsageError: no finished build, a confidence out of range, or a type or relation that the graph doesn't have.
        CorruptPartError: the graph isn't the one that run.json promises.
    """
    if not 0 <= min_confidence <= 1:
        raise UsageError(f"min_confidence: wanted a number from 0 to 1, got {min_confidence:g}")
    if as_ not in ("networkx", "rdflib"):
        raise UsageError(f"as_: wanted networkx or rdflib, got {as_!r}")
    if closure and as_ == "rdflib":
        raise UsageError("closure: a Dataset has what graph.nq.gz has; ask it with a path, such as v:located_in+")
    store = Store(output)
    names = _names(store)
    wanted = _told(store, relations)
    entities, facts = _chosen(store, min_confidence, types, None if relations is None else set(wanted))
    graph = _network(entities, facts, names)
    if closure:
        _add_derived(graph, facts, {name for name, r in _ontology(store).relations.items() if r.transitive})
    _turn(graph, {told: asked for told, asked in wanted.items() if asked})
    _reduce(graph, largest=largest, isolated=isolated)
    if as_ == "rdflib":
        return _dataset(str(output), graph, facts)
    _add_sentences(store, graph)
    return graph


def _names(store: Store) -> dict[str, str]:
    """The base IRI and the dataset's name, as the last run had them.

    Raises:
        UsageError: it isn't finished, or there was none.
    """
    config = finished_run(store)["config"]
    return {name: config[name] for name in ("base_iri", "dataset")}


def _chosen(
    store: Store, min_confidence: float, types: Collection[str] | None, relations: Collection[str] | None
) -> tuple[list[Entity], list[Fact]]:
    """The entities and facts that are asked for, in the order of their ids."""
    every: list[Entity] = sorted(_records(store, "entities"), key=attrgetter("entity_id"))
    stated: list[Fact] = sorted(_records(store, "facts"), key=attrgetter("fact_id"))
    of_type = _known("types", types, {e.type for e in every})
    of_relation = _known("relations", relations, {f.relation for f in stated})
    entities = [e for e in every if e.type in of_type]
    ids = {e.entity_id for e in entities}
    sure = (f for f in stated if f.relation in of_relation and f.confidence >= min_confidence)
    return entities, [f for f in sure if f.head in ids and (f.datatype or f.tail in ids)]


def _known(what: str, wanted: Collection[str] | None, known: set[str]) -> set[str]:
    """The names that are wanted, all if none is said."""
    if wanted is None:
        return known
    names = {wanted} if isinstance(wanted, str) else set(wanted)
    if unknown := sorted(names - known):
        raise UsageError(f"{what}: the graph has no {', '.join(unknown)}; it has {', '.join(sorted(known)) or 'none'}")
    return names


def _told(store: Store, relations: Collection[str] | None) -> dict[str, str]:
    """The relations that the graph tells for those that are asked for; each with its inverse, where that is asked for.

    Where both are asked for, the one that is told is.
    """
    asked = {relations} if isinstance(relations, str) else set(relations or ())
    facts = store.storage.dataset(f"{layout.TABLES}/facts").to_table(columns=["relation"])
    turned = _ontology(store).turned if asked - set(pc.unique(facts["relation"]).to_pylist()) else {}
    inverse = {turned[name]: name for name in sorted(asked) if name in turned}
    return {name: "" for name in asked if name not in turned} | {
        told: name for told, name in inverse.items() if told not in asked
    }


def _ontology(store: Store) -> Ontology:
    """The ontology of the last run.

    Raises:
        UsageError: it, or the model that has it, isn't where it was then.
    """
    config = last_run(store)["config"]
    own = config["ontology"] in ("", "all")
    return load_ontology(find_model(config["model"]) / "ontology.toml" if own else Path(config["ontology"]))


def _add_derived(graph: nx.MultiDiGraph[str], facts: Iterable[Fact], transitive: Collection[str]) -> None:
    """Adds the edges that follow from others, and says of each edge whether it does."""
    for *_, data in graph.edges(data=True):
        data["derived"] = False
    for one in derive(facts, transitive):
        said = {"relation": one.relation, "confidence": one.confidence, "weight": one.confidence}
        graph.add_edge(one.head, one.tail, one.fact_id, **said, derived=True, chain=" ".join(one.chain))


def _turn(graph: nx.MultiDiGraph[str], inverse: Mapping[str, str]) -> None:
    """Gives edges the inverse of their relation, from tail to head."""
    for head, tail, key, data in list(graph.edges(keys=True, data=True)) if inverse else ():
        if data["relation"] in inverse:
            graph.remove_edge(head, tail, key)
            graph.add_edge(tail, head, key, **data | {"relation": inverse[data["relation"]]})


def _network(entities: Iterable[Entity], facts: Iterable[Fact], names: dict[str, str]) -> nx.MultiDiGraph[str]:
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    graph.graph |= names
    for entity in entities:
        graph.add_node(entity.entity_id, **_attributes(entity, _NODE))
    for fact in facts:
        if not fact.datatype:
            attributes = _attributes(fact, _EDGE)
            graph.add_edge(fact.head, fact.tail, fact.fact_id, weight=fact.confidence, **attributes)
    for fact in sorted(facts, key=attrgetter("confidence", "n_evidence", "value")):
        if fact.datatype:  # the surest is the last one
            graph.nodes[fact.head][f"{fact.relation}_" if fact.relation in _NODE else fact.relation] = fact.value
    return graph


def _attributes(record: Entity | Fact, names: Iterable[str]) -> dict[str, Any]:
    """Fields of a record; words that are equal, as types and relations, are kept once."""
    values = ((name, getattr(record, name)) for name in names)
    return {name: sys.intern(value) if isinstance(value, str) else value for name, value in values}


def _reduce(graph: nx.MultiDiGraph[str], *, largest: bool, isolated: bool) -> None:
    """Takes away what isn't wanted of the nodes."""
    if not isolated:
        graph.remove_nodes_from(list(nx.isolates(graph)))
    if largest and graph:
        component = max(nx.weakly_connected_components(graph), key=len)
        graph.remove_nodes_from([node for node in graph if node not in component])


def _add_sentences(store: Store, graph: nx.MultiDiGraph[str]) -> None:
    """Gives each edge of a fact the sentence of its surest evidence; edges of one sentence share its text.

    What follows from facts has none, though a fact that was not chosen may say the same.
    """
    edges = {key: data for *_, key, data in graph.edges(keys=True, data=True) if not data.get("derived")}
    surest: dict[str, Evidence] = {}
    for e in _records(store, "evidence"):
        if e.fact_id in edges and (e.fact_id not in surest or _rank(e) > _rank(surest[e.fact_id])):
            surest[e.fact_id] = e
    texts = _texts(store, {(e.doc_id, e.sentence_begin, e.sentence_end) for e in surest.values()})
    for fact_id, e in surest.items():
        edges[fact_id] |= {
            "sentence": texts[e.doc_id, e.sentence_begin, e.sentence_end],
            "doc_id": sys.intern(e.doc_id),
        }


def _rank(evidence: Evidence) -> tuple[float, str]:
    return evidence.confidence, evidence.statement_id


def _texts(store: Store, spans: set[_Span]) -> dict[_Span, str]:
    """The texts of spans of documents.

    Raises:
        UsageError: a document isn't there: a later ingest took it away.
    """
    within: dict[str, list[_Span]] = {}
    for span in spans:
        within.setdefault(span[0], []).append(span)
    found: dict[_Span, str] = {}
    if spans:
        tables = store.storage.dataset(f"{layout.TABLES}/documents")
        wanted = pc.field("doc_id").isin(sorted(within))
        for batch in tables.to_batches(columns=["doc_id", "text"], filter=wanted):
            for row in batch.to_pylist():
                found |= {span: row["text"][span[1] : span[2]] for span in within[row["doc_id"]]}
    if lost := sorted(spans - found.keys()):
        raise UsageError(f"{store.where}: document {lost[0][0]} is evidence and not there; run kgmill build again")
    return found


def _records(store: Store, table: str) -> Iterator[Any]:
    for batch in store.storage.dataset(f"{layout.TABLES}/{table}").to_batches():
        yield from from_table(table, pa.Table.from_batches([batch]))


def _dataset(output: str, graph: nx.MultiDiGraph[str], facts: Iterable[Fact]) -> rdflib.Dataset:
    """What graph.nq.gz says of a graph's nodes and edges, and of the values of its nodes."""
    base, name = graph.graph["base_iri"], graph.graph["dataset"]
    kept = {f"<{base}{name}/entity/{node}>" for node in graph}
    kept |= {
        f"<{base}{name}/statement/a-{f.fact_id}>" for f in facts if f.head in graph and (f.datatype or f.tail in graph)
    }
    made = rdflib.Dataset(default_union=True)
    with nearby(output) as folder:
        path, sha256 = finished_graph(folder)
        whole = hashlib.sha256()
        with path.open("rb") as file:
            quads = b"".join(chosen_quads(read_graphs(file, str(path), whole.update), {iri.encode() for iri in kept}))
        if whole.hexdigest() != sha256:
            raise CorruptPartError(f"{path}: not the bytes that run.json promises; run kgmill build again")
    with warnings.catch_warnings():  # rdflib's parser uses what rdflib's Dataset warns of
        warnings.simplefilter("ignore", DeprecationWarning)
        made.parse(data=quads, format="nquads")
    return made
