"""One Arrow schema a record, and one a table of DIR/tables: the only meeting of the dataclasses and Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from operator import attrgetter
from typing import Any

import pyarrow as pa

from kgmill.schemas.records import (
    Document,
    Entity,
    Evidence,
    Fact,
    Mention,
    MoreOfDocument,
    MoreOfEntity,
    MoreOfFact,
    Name,
    Reject,
    Relation,
)

_ARROW_TYPES = {
    "str": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "tuple[str, ...]": pa.list_(pa.string()),
    "date | None": pa.date32(),
}

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


MORE: dict[str, type] = {"documents": MoreOfDocument, "entities": MoreOfEntity, "facts": MoreOfFact}
"""What the tables of DIR/tables have beside the fields of their records."""

_FIRST = {  # columns that people look for, before all others
    "entities": ("entity_id", "label", "type", "aliases"),
    "facts": ("fact_id", "head_label", "relation", "tail_label", "confidence", "asserted", "n_evidence", "n_documents"),
}
_RENAMED = {"mentions": {"begin": "mention_begin", "end": "mention_end"}}  # of 0.2 and before


def arrow_schema(record: type) -> pa.Schema:
    """The Arrow schema of a record class: its fields, in order, none of them null unless its type says so."""
    kinds = {f.name: str(f.type) for f in fields(record)}
    return pa.schema([pa.field(n, _ARROW_TYPES[kind], nullable="None" in kind) for n, kind in kinds.items()])


def published_schema(name: str) -> pa.Schema:
    """The schema of a table of DIR/tables."""
    columns = [*arrow_schema(TABLES[name]), *(arrow_schema(MORE[name]) if name in MORE else ())]
    first = {column: i for i, column in enumerate(_FIRST.get(name, ()))}
    return pa.schema(sorted(columns, key=lambda column: first.get(column.name, len(first))))


SCHEMAS: dict[str, pa.Schema] = {name: arrow_schema(record) for name, record in TABLES.items()}
PUBLISHED: dict[str, pa.Schema] = {name: published_schema(name) for name in TABLES}


def values(column: pa.Array[Any] | pa.ChunkedArray[Any]) -> list[Any]:
    """The values of a column, as Python has them."""
    return column.to_pylist()


def to_table(name: str, records: Iterable[Any]) -> pa.Table:
    """The Arrow table `name` that holds the records, in order."""
    rows = list(records)
    columns = [pa.array(map(attrgetter(f.name), rows), f.type) for f in SCHEMAS[name]]
    return pa.Table.from_arrays(columns, schema=SCHEMAS[name])


def described(name: str, table: pa.Table, made_by: str, **more: str) -> pa.Table:
    """The table `name` as DIR/tables has it: its columns in their order, and what its file says of itself.

    Args:
        name: of the table.
        table: with all columns of the schema.
        made_by: a stage's job, with its version.
        **more: what else decided these bytes, and nothing that didn't, as equal input gives equal bytes.
    """
    said: Mapping[str, str] = {"table": name, "made_by": made_by, **more}
    schema = PUBLISHED[name].with_metadata({f"kgmill.{key}": value for key, value in said.items()})
    return table.select(schema.names).cast(schema)


def conform(name: str, table: pa.Table) -> pa.Table:
    """The table with the columns of its record, in order, and nothing else that its file says.

    A column that an older version called otherwise is renamed; one that it didn't write holds its default.
    """
    new = _RENAMED.get(name, {})
    table = table.rename_columns([new.get(column, column) for column in table.schema.names])
    for f in fields(TABLES[name]):
        if f.name not in table.schema.names and f.default is not MISSING:
            column = pa.repeat(pa.scalar(f.default, SCHEMAS[name].field(f.name).type), table.num_rows)
            table = table.append_column(SCHEMAS[name].field(f.name), column)
    return table.select(SCHEMAS[name].names).replace_schema_metadata(None)


def from_table(name: str, table: pa.Table) -> Iterator[Any]:
    """The records of an Arrow table, in order, converted a batch at a time; `conform` says what may lack."""
    record = TABLES[name]
    for batch in conform(name, table).to_batches(max_chunksize=4096):
        yield from map(record, *(column.to_pylist() for column in batch.columns))
