"""One Arrow schema a record: the only meeting of the dataclasses and Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from operator import attrgetter
from typing import Any

import pyarrow as pa

from schemas.records import Document, Entity, Evidence, Fact, Mention, Reject, Relation

_ARROW_TYPES = {"str": pa.string(), "int": pa.int64(), "float": pa.float64()}

TABLES: dict[str, type] = {
    "documents": Document,
    "mentions": Mention,
    "relations": Relation,
    "entities": Entity,
    "facts": Fact,
    "evidence": Evidence,
    "rejects": Reject,
}


def arrow_schema(record: type) -> pa.Schema:
    """The Arrow schema of a record class: its fields, in order, none of them null."""
    return pa.schema([pa.field(f.name, _ARROW_TYPES[str(f.type)], nullable=False) for f in fields(record)])


SCHEMAS: dict[str, pa.Schema] = {name: arrow_schema(record) for name, record in TABLES.items()}


def to_table(name: str, records: Iterable[Any]) -> pa.Table:
    """The Arrow table `name` that holds the records, in order."""
    rows = list(records)
    columns = [pa.array(map(attrgetter(f.name), rows), f.type) for f in SCHEMAS[name]]
    return pa.Table.from_arrays(columns, schema=SCHEMAS[name])


def from_table(name: str, table: pa.Table) -> Iterator[Any]:
    """The records of an Arrow table, in order, converted a batch at a time.

    Tables of earlier versions may lack the last columns; their records have the defaults.
    """
    record = TABLES[name]
    names = [column for column in SCHEMAS[name].names if column in table.column_names]
    for batch in table.select(names).to_batches(max_chunksize=4096):
        yield from map(record, *(column.to_pylist() for column in batch.columns))
