"""One Arrow schema a record: the only meeting of the dataclasses and Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields
from operator import attrgetter
from typing import Any

import pyarrow as pa

from kgmill.schemas.records import Document, Entity, Evidence, Fact, Mention, Name, Reject, Relation

_ARROW_TYPES = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}

TABLES: dict[str, type] = {
    "documents": Document,
    "mentions": Mention,
    "relations": Relation,
    "entities": Entity,
    "names": Name,
    "facts": Fact,
    "evidence": Evidence,
    "rejects": Reject,
}


def arrow_schema(record: type) -> pa.Schema:
    """The Arrow schema of a record class: its fields, in order, none of them null."""
    return pa.schema([pa.field(f.name, _ARROW_TYPES[str(f.type)], nullable=False) for f in fields(record)])


SCHEMAS: dict[str, pa.Schema] = {name: arrow_schema(record) for name, record in TABLES.items()}


def values(column: pa.Array[Any] | pa.ChunkedArray[Any]) -> list[Any]:
    """The values of a column, as Python has them."""
    return column.to_pylist()


def to_table(name: str, records: Iterable[Any]) -> pa.Table:
    """The Arrow table `name` that holds the records, in order."""
    rows = list(records)
    columns = [pa.array(map(attrgetter(f.name), rows), f.type) for f in SCHEMAS[name]]
    return pa.Table.from_arrays(columns, schema=SCHEMAS[name])


def conform(name: str, table: pa.Table) -> pa.Table:
    """The table with the columns of its record, in order; one that an older version didn't write holds its default."""
    for f in fields(TABLES[name]):
        if f.name not in table.schema.names and f.default is not MISSING:
            column = pa.repeat(pa.scalar(f.default, SCHEMAS[name].field(f.name).type), table.num_rows)
            table = table.append_column(SCHEMAS[name].field(f.name), column)
    return table.select(SCHEMAS[name].names)


def from_table(name: str, table: pa.Table) -> Iterator[Any]:
    """The records of an Arrow table, in order, converted a batch at a time; `conform` says what may lack."""
    record = TABLES[name]
    for batch in conform(name, table).to_batches(max_chunksize=4096):
        yield from map(record, *(column.to_pylist() for column in batch.columns))
