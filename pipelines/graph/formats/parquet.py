"""nodes.parquet and edges.parquet: entities and facts with their IRIs, for DuckDB, Spark, pandas and graph libraries.

    SELECT h.label, e.relation, coalesce(t.label, e.value)
    FROM 'edges.parquet' e JOIN 'nodes.parquet' h ON h.id = e.head LEFT JOIN 'nodes.parquet' t ON t.id = e.tail

An edge is a fact, asserted or not; where it ends in a value, `tail` is null, and `value` and `datatype` say it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kgmill.pipelines.graph.formats import Graph, GraphFormat
from kgmill.pipelines.graph.rows import clean, every_fact, every_node
from kgmill.schemas.records import Evidence, Fact

_EDGES = "edges.parquet"
_ROWS_A_GROUP = 4_096

_TEXT, _TEXTS, _INT, _FLOAT = pa.string(), pa.list_(pa.string()), pa.int64(), pa.float64()
_Types = dict[str, pa.DataType]
_EVIDENCE: _Types = {
    "doc_id": _TEXT,
    **dict.fromkeys(("sentence_begin", "sentence_end", "head_begin", "head_end", "tail_begin", "tail_end"), _INT),
    "confidence": _FLOAT,
    "stance": _TEXT,
}
_NODE_TYPES: _Types = {
    **dict.fromkeys(("id", "entity_id", "type", "type_iri", "label"), _TEXT),
    **dict.fromkeys(("names", "same_as"), _TEXTS),
    **dict.fromkeys(("n_mentions", "n_documents"), _INT),
    "confidence": _FLOAT,
}
_EDGE_TYPES: _Types = {
    **dict.fromkeys(("id", "fact_id", "head", "relation", "relation_iri", "tail", "value", "datatype"), _TEXT),
    "asserted": pa.bool_(),
    **dict.fromkeys(("confidence", "share"), _FLOAT),
    **dict.fromkeys(("n_evidence", "n_documents"), _INT),
    **dict.fromkeys(("first", "last"), _TEXT),
    "evidence": pa.list_(pa.struct(list(_EVIDENCE.items()))),
}


def write(graph: Graph, path: Path) -> dict[str, Any]:
    """Writes nodes and edges, a row group at a time."""
    ns = graph.ns
    nodes = (
        {
            "id": node.iri,
            "entity_id": node.entity.entity_id,
            "type": node.entity.type,
            "type_iri": ns.class_iri(node.entity.type),
            "label": clean(node.entity.label),
            "names": node.names,
            "same_as": node.same_as,
            "n_mentions": node.entity.n_mentions,
            "n_documents": node.entity.n_documents,
            "confidence": node.entity.confidence,
        }
        for node in every_node(graph, with_values=False)
    )
    _write(path, nodes, _NODE_TYPES)
    _write(path.with_name(_EDGES), (_edge(graph, *found) for found in every_fact(graph)), _EDGE_TYPES)
    return {}


def _edge(graph: Graph, fact: Fact, evidence: Iterable[Evidence]) -> dict[str, Any]:
    ns = graph.ns
    return {
        "id": ns.aggregated_statement(fact.fact_id),
        "fact_id": fact.fact_id,
        "head": ns.entity(fact.head),
        "relation": fact.relation,
        "relation_iri": ns.property_iri(fact.relation),
        "tail": None if fact.datatype else ns.entity(fact.tail),
        "value": clean(fact.value) if fact.datatype else None,
        "datatype": fact.datatype or None,
        "asserted": fact.asserted,
        "confidence": fact.confidence,
        "share": fact.share,
        "n_evidence": fact.n_evidence,
        "n_documents": fact.n_documents,
        "first": fact.first or None,
        "last": fact.last or None,
        "evidence": [{name: _cell(getattr(e, name)) for name in _EVIDENCE} for e in evidence],
    }


def _cell(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value


def _write(path: Path, rows: Iterable[dict[str, Any]], types: _Types) -> None:
    schema, ahead = pa.schema(list(types.items())), iter(rows)
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        while group := list(islice(ahead, _ROWS_A_GROUP)):
            file.write_table(pa.Table.from_pylist(group, schema))


FORMAT = GraphFormat("nodes.parquet", write, reads="quads", beside=(_EDGES,))
