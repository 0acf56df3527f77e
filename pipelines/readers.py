"""Formats to records: each stream gives documents and rejects, every record exactly once."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from pipelines.containers import BadStream, Stream
from pipelines.decoding import Decoded, Lines, StreamError, decode
from pipelines.fields import Content, Origin, document, from_fields
from pipelines.markup import MAX_HTML_BYTES, declared_encoding, read_html, read_markdown
from pipelines.parquet_rows import read_parquet
from schemas.config import SourceConfig
from schemas.errors import RecordError
from schemas.records import Document, Reject

MAX_JSON_DEPTH = 200
_READ_BYTES = 1 << 20
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)

Records = Iterator[Document | Reject]


def read(stream: Stream | BadStream, config: SourceConfig) -> Records:
    """The records of a stream, in order; where it breaks, one reject ends them."""
    if isinstance(stream, BadStream):
        yield Reject("ingest", stream.name, stream.name, stream.error.reason, stream.error.detail)
        return
    try:
        yield from _READERS[stream.format](stream, config)
    except RecordError as error:
        yield Reject("ingest", stream.name, stream.name, error.reason, error.detail)


# A file is a document


def _read_text(stream: Stream, config: SourceConfig) -> Records:
    decoded = decode(_read_whole(stream, config.max_record_bytes), config.encodings)
    yield _file_document(Content(decoded.text), stream, decoded, config)


def _read_markdown(stream: Stream, config: SourceConfig) -> Records:
    decoded = decode(_read_whole(stream, config.max_record_bytes), config.encodings)
    yield _file_document(read_markdown(decoded.text), stream, decoded, config)


def _read_html(stream: Stream, config: SourceConfig) -> Records:
    data = _read_whole(stream, min(config.max_record_bytes, MAX_HTML_BYTES))
    if not data.strip():
        raise RecordError("empty", "the text is empty")
    declared = "" if config.encodings else declared_encoding(data)
    decoded = decode(data, config.encodings, declared=declared)
    yield _file_document(read_html(decoded.text, is_main=config.html == "main"), stream, decoded, config)


def _file_document(content: Content, stream: Stream, decoded: Decoded, config: SourceConfig) -> Document:
    wanted = config.fields.metadata
    others = {key: value for key, value in content.metadata.items() if wanted == "*" or key in wanted}
    origin = Origin(stream.name, stream.name, decoded.encoding, decoded.n_replaced)
    return document(replace(content, metadata=others), stream.name, origin, config)


def _read_whole(stream: Stream, max_bytes: int) -> bytes:
    pieces, n_bytes = [], 0
    while piece := stream.bytes.read(_READ_BYTES):
        pieces.append(piece)
        n_bytes += len(piece)
        if n_bytes > max_bytes:
            raise RecordError("too_large", f"the file has more than {max_bytes} bytes")
    return b"".join(pieces)


# A line is a document


def _read_jsonl(stream: Stream, config: SourceConfig) -> Records:
    lines = Lines(stream.bytes, config.max_record_bytes, config.encodings)
    while True:
        try:
            line = next(lines, None)
            if line is None:
                return
            line = line.removeprefix("\ufeff")  # files with a mark may have been joined
            if not line or line.isspace():
                continue
            row = parse_json(line)
        except StreamError:
            raise
        except RecordError as error:
            yield Reject("ingest", f"{stream.name}:{lines.number}", "", error.reason, error.detail)
        else:
            place = f"{stream.name}:{lines.number}"
            yield from_fields(row, Origin(stream.name, place, lines.encoding, lines.n_replaced), config)


def parse_json(line: str) -> dict[str, Any]:
    """A JSON object in which every key is there once, and nothing nested too deep.

    Raises:
        RecordError: `malformed_json` or `too_deep`.
    """
    # A fixed bound, far below Python's: what is left of that depends on who calls.
    if line.count("[") + line.count("{") > MAX_JSON_DEPTH and _depth(line) > MAX_JSON_DEPTH:
        raise RecordError("too_deep", f"nested deeper than {MAX_JSON_DEPTH}")
    try:
        record = _JSON.decode(line)
    except ValueError as error:
        raise RecordError("malformed_json", f"{error}"[:200]) from None
    if not isinstance(record, dict):
        raise RecordError("malformed_json", f"wanted an object, got {type(record).__name__}")
    return record


def _depth(line: str) -> int:
    """The deepest nesting of brackets outside of strings, whether they are closed or not."""
    depth = deepest = 0
    for match in _STRING_OR_BRACKET.finditer(line):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        deepest = max(deepest, depth)
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is there twice")
    return made


_JSON = json.JSONDecoder(object_pairs_hook=_object)


# A row is a document


class _RowLines:
    """The lines of a CSV file for Python's reader, which asks for as many as a row has."""

    def __init__(self, lines: Lines, max_bytes: int) -> None:
        self._lines = lines
        self._max_bytes = max_bytes
        self.begin_row()

    def begin_row(self) -> None:
        """Forgets the row before."""
        self.fault: RecordError | None = None
        self.encoding = "utf-8"
        self.n_replaced = 0
        self.first = self._lines.number + 1
        self._n_chars = 0

    def __iter__(self) -> _RowLines:
        return self

    def __next__(self) -> str:
        try:
            line = next(self._lines)
        except StreamError:
            raise
        except RecordError as error:
            if error.reason == "too_large":
                raise
            # The row is bad, but where it ends can still be seen: every encoding here has ASCII's quotes and commas.
            self.fault, line = error, self._lines.raw.decode("latin-1")
        if "\0" in line and self.fault is None:
            self.fault = RecordError("binary", "wanted text, got a row with NUL bytes")
        if self._lines.encoding != "utf-8":
            self.encoding = self._lines.encoding
        self.n_replaced += self._lines.n_replaced
        self._n_chars += len(line)
        if self._n_chars > self._max_bytes:
            raise RecordError("too_large", f"the row has more than {self._max_bytes} characters; is a quote left open?")
        return line


def _read_csv(stream: Stream, config: SourceConfig, delimiter: str) -> Records:
    csv.field_size_limit(config.max_record_bytes)  # of the whole process; 128 KB by default
    lines = _RowLines(Lines(stream.bytes, config.max_record_bytes, config.encodings), config.max_record_bytes)
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    header = _next_row(rows, lines)
    if not header:
        raise RecordError("empty", "no row of column names")
    if len(set(header)) < len(header):
        raise RecordError("bad_csv", f"a column name is there twice: {', '.join(header)}"[:200])
    while True:
        try:
            row = _next_row(rows, lines)
            if row is None:
                return
            if not row:
                continue
            if len(row) != len(header):
                raise RecordError("bad_csv", f"wanted {len(header)} cells, got {len(row)}")
        except StreamError:
            raise
        except RecordError as error:
            yield Reject("ingest", f"{stream.name}:{lines.first}", "", error.reason, error.detail)
        else:
            origin = Origin(stream.name, f"{stream.name}:{lines.first}", lines.encoding, lines.n_replaced)
            yield from_fields(dict(zip(header, row, strict=True)), origin, config)


def _next_row(rows: Any, lines: _RowLines) -> list[str] | None:
    """The next row; an empty line is an empty row, the end is None."""
    lines.begin_row()
    try:
        row: list[str] | None = next(rows, None)
    except csv.Error as error:
        raise RecordError("bad_csv", f"{error}"[:200]) from None
    if lines.fault:
        raise lines.fault
    return row


_READERS: dict[str, Callable[[Stream, SourceConfig], Records]] = {
    "text": _read_text,
    "markdown": _read_markdown,
    "html": _read_html,
    "jsonl": _read_jsonl,
    "csv": partial(_read_csv, delimiter=","),
    "tsv": partial(_read_csv, delimiter="\t"),
    "parquet": read_parquet,
}
