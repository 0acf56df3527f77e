"""Parquet files, a few rows at a time, of the columns that are wanted."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.containers import Stream
from pipelines.decoding import Decoded, StreamError, decode
from pipelines.fields import Origin, from_fields, is_finite
from schemas.config import FieldMap, SourceConfig
from schemas.errors import RecordError
from schemas.records import Document, Reject

_BATCH_ROWS = 256
_SPOOL_BYTES = 16 << 20
_ROW_ERRORS = (ValueError, LookupError, OverflowError, TypeError, pa.ArrowException)


def read_parquet(stream: Stream, config: SourceConfig) -> Iterator[Document | Reject]:
    """The rows of a Parquet file; its place is the number of the row, from 1.

    Raises:
        StreamError: `bad_parquet`: the file, or the rest of it, can't be read.
    """
    with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as spool:
        file: Any = stream.bytes
        if not stream.is_seekable:
            shutil.copyfileobj(file, spool)
            spool.seek(0)
            file = spool
        number = 0
        for batch in _batches(file, config.fields):
            for row, decoded, error in _rows(batch, config):
                number += 1
                place = f"{stream.name}:{number}"
                if error:
                    yield Reject("ingest", place, "", error.reason, error.detail)
                else:
                    yield from_fields(row, Origin(stream.name, place, decoded.encoding, decoded.n_replaced), config)


def _batches(source: Any, names: FieldMap) -> Iterator[pa.RecordBatch]:
    try:
        file = pq.ParquetFile(pa.PythonFile(source, mode="r"), page_checksum_verification=True)
        present = file.schema_arrow.names
        if len(set(present)) < len(present):
            raise StreamError("bad_parquet", f"a column name is there twice: {', '.join(present)}"[:200])
        wanted = present if names.metadata == "*" else [n for n in present if n in {*names.named, *names.metadata}]
        columns = wanted or present[:1]  # without any a batch would have no rows, and those must be counted
        n_rows = 0
        for group in range(file.num_row_groups):  # a batch over two groups would be lost with the second
            for batch in file.iter_batches(_BATCH_ROWS, row_groups=[group], columns=columns, use_threads=False):
                n_rows += batch.num_rows
                yield batch
        if n_rows != file.metadata.num_rows:
            raise StreamError("bad_parquet", f"it has {n_rows} rows, and says that it has {file.metadata.num_rows}")
    except (OSError, *_ROW_ERRORS) as error:
        raise StreamError("bad_parquet", " ".join(f"{error}".split())[:200]) from None


def _rows(batch: pa.RecordBatch, config: SourceConfig) -> Iterator[tuple[dict[str, Any], Decoded, RecordError | None]]:
    """Each row's fields as JSON has them, the encoding of its text, and what is wrong with it."""
    batch = _text_as_bytes(batch, config.fields.text)
    try:
        rows: Sequence[Any] = batch.to_pylist()
    except _ROW_ERRORS:
        rows = [batch.slice(i, 1) for i in range(batch.num_rows)]
    for row in rows:
        decoded = Decoded("", "utf-8")
        try:
            values = _values(row)
            text = values.get(config.fields.text)
            if isinstance(text, bytes):
                decoded = _decode(text, config)
                values[config.fields.text] = decoded.text
            yield {key: _plain(value) for key, value in values.items()}, decoded, None
        except RecordError as error:
            yield {}, decoded, error


def _decode(text: bytes, config: SourceConfig) -> Decoded:
    try:
        return Decoded(text.decode(), "utf-8")  # a NUL is a character here
    except UnicodeDecodeError:
        return decode(text, config.encodings)


def _values(row: Any) -> dict[str, Any]:
    if isinstance(row, dict):
        return row
    try:
        return dict(row.to_pylist()[0])
    except _ROW_ERRORS as error:
        raise RecordError("bad_field", " ".join(f"{error}".split())[:200]) from None


def _text_as_bytes(batch: pa.RecordBatch, text: str) -> pa.RecordBatch:
    """Strings may hold bytes that are no UTF-8, and times nanoseconds that Python has no room for."""
    columns, types = [], []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        kind = field.type
        if field.name == text and pa.types.is_dictionary(kind):
            kind = kind.value_type
            column = column.cast(kind)
        if field.name == text and (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            column = column.cast(pa.large_binary())
        elif pa.types.is_timestamp(kind) and kind.unit == "ns":
            column = column.cast(pa.timestamp("us", kind.tz), safe=False)
        columns.append(column)
        types.append(pa.field(field.name, column.type))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(types))


def _plain(value: Any) -> Any:
    """A value as JSON can hold it; what is not a number is none."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if is_finite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)
