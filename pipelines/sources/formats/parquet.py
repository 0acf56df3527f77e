"""Parquet files, a few rows at a time, of the columns that are wanted."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kgmill.pipelines.sources.encodings import StreamError, decode
from kgmill.pipelines.sources.fields import Origin, from_fields
from kgmill.pipelines.sources.formats import Records, SourceFormat
from kgmill.pipelines.sources.lookup import missing, root
from kgmill.pipelines.sources.parsing.parquet_values import ROW_ERRORS, has_nanoseconds, held, plain
from kgmill.pipelines.sources.streams import Stream
from kgmill.schemas.config import FieldMap, SourceConfig
from kgmill.schemas.errors import RecordError
from kgmill.schemas.records import Document, Reject

_BATCH_ROWS = 256
_SPOOL_BYTES = 16 << 20


def read(stream: Stream, config: SourceConfig) -> Records:
    """The rows of a Parquet file; its place is the number of the row, from 1.

    Raises:
        StreamError: `bad_parquet`: the file, or the rest of it, can't be read; `no_text`: it has no such column.
    """
    with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as spool:
        file: Any = stream.bytes
        if not stream.is_seekable:
            shutil.copyfileobj(file, spool)
            spool.seek(0)
            file = spool
        number = 0
        for batch in _batches(file, config.fields):
            for row in _rows(batch, config.fields.text):
                number += 1
                yield _record(row, f"{stream.name}:{number}", stream.name, config)


def _batches(source: Any, names: FieldMap) -> Iterator[pa.RecordBatch]:
    try:
        file = pq.ParquetFile(pa.PythonFile(source, mode="r"), page_checksum_verification=True)
        present = file.schema_arrow.names
        if len(set(present)) < len(present):
            raise StreamError("bad_parquet", f"a column name is there twice: {', '.join(present)}"[:200])
        if file.metadata.num_rows and not root(present, names.text):
            raise StreamError("no_text", f"{missing(present, names.text)} (all {file.metadata.num_rows} rows)")
        chosen = {root(present, name) for name in (*names.named, *names.metadata)}
        columns = present if names.metadata == "*" else [name for name in present if name in chosen]
        n_rows = 0
        for group in range(file.num_row_groups):  # a batch over two groups would be lost with the second
            for batch in file.iter_batches(_BATCH_ROWS, row_groups=[group], columns=columns, use_threads=False):
                n_rows += batch.num_rows
                yield batch
        if n_rows != file.metadata.num_rows:
            raise StreamError("bad_parquet", f"it has {n_rows} rows, and says that it has {file.metadata.num_rows}")
    except (OSError, *ROW_ERRORS) as error:
        raise StreamError("bad_parquet", " ".join(f"{error}".split())[:200]) from None


def _rows(batch: pa.RecordBatch, text: str) -> Sequence[Any]:
    """The rows as Python has them; as batches of one row where it can't hold all of them."""
    batch = _text_as_bytes(batch, root(batch.schema.names, text))
    if not any(map(has_nanoseconds, batch.schema.types)):
        with suppress(*ROW_ERRORS):
            rows: Sequence[Any] = batch.to_pylist()
            return rows
    return [batch.slice(i, 1) for i in range(batch.num_rows)]


def _record(row: Any, place: str, name: str, config: SourceConfig) -> Document | Reject:
    notes: Counter[str] = Counter()
    encoding = "utf-8"
    try:
        if not isinstance(row, dict):
            row = {key: held(column[0], notes) for key, column in zip(row.schema.names, row.columns, strict=True)}
        text = row.get(key := root(row, config.fields.text))
        if isinstance(text, bytes):
            try:
                row[key] = text.decode()  # a NUL is a character here
            except UnicodeDecodeError:
                row[key], encoding, notes["bytes_replaced"] = decode(text, config.encodings)
        values = {column: plain(value, notes) for column, value in row.items()}
    except RecordError as error:
        return Reject("ingest", place, "", error.reason, error.detail)
    return from_fields(values, Origin(name, place, encoding, notes["bytes_replaced"], notes["metadata_values"]), config)


def _text_as_bytes(batch: pa.RecordBatch, text: str) -> pa.RecordBatch:
    """Strings may hold bytes that are no UTF-8; times in nanoseconds are mostly whole microseconds, as Python has."""
    columns, types = [], []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        kind = field.type
        if field.name == text and pa.types.is_dictionary(kind):
            kind = kind.value_type
            column = column.cast(kind)
        if field.name == text and (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            column = column.cast(pa.large_binary())
        elif pa.types.is_timestamp(kind) and kind.unit == "ns":
            column = _in_microseconds(column)
        columns.append(column)
        types.append(pa.field(field.name, column.type))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(types))


def _in_microseconds(column: pa.Array[Any]) -> pa.Array[Any]:
    try:
        return column.cast(pa.timestamp("us", column.type.tz))
    except pa.ArrowInvalid:
        return column


FORMAT = SourceFormat((".parquet",), read)
