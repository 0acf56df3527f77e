"""Formats to records: each stream gives documents and rejects, every record exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from kgmill.pipelines.sources.containers import BadStream, Stream
from kgmill.pipelines.sources.encodings import Decoded, Lines, StreamError, decode, decode_part
from kgmill.pipelines.sources.fields import Content, Origin, document, from_fields
from kgmill.pipelines.sources.formats.csv_rows import read_csv
from kgmill.pipelines.sources.formats.json_records import find_values, is_one_value
from kgmill.pipelines.sources.formats.json_values import parse_json
from kgmill.pipelines.sources.formats.markup import MAX_HTML_BYTES, declared_encoding, read_html, read_markdown
from kgmill.pipelines.sources.formats.parquet_rows import read_parquet
from kgmill.pipelines.sources.transcode import look_ahead, unified
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.errors import RecordError
from kgmill.schemas.records import Document, Reject

_READ_BYTES = 1 << 20

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


# An object is a document


def _read_json(stream: Stream, config: SourceConfig, *, is_lines: bool) -> Records:
    text, marked = unified(stream.bytes)
    head, text = look_ahead(text)
    if not config.records and not is_one_value(head, is_lines=is_lines):
        yield from _read_lines(Lines(text, config.max_record_bytes, config.encodings, marked), stream.name, config)
        return
    path = config.records.split(".") if config.records else ()
    for found in find_values(text, path, config.max_record_bytes):
        place = f"{stream.name}:{found.line}"
        try:
            if found.error:
                raise found.error
            decoded = decode_part(found.data, marked, config.encodings)
        except RecordError as error:
            yield Reject("ingest", place, "", error.reason, error.detail)
        else:
            origin = Origin(stream.name, place, decoded.encoding, decoded.n_replaced)
            yield from _documents(decoded.text, origin, config)


def _read_lines(lines: Lines, name: str, config: SourceConfig) -> Records:
    while True:
        try:
            line = next(lines, None)
            if line is None:
                return
            line = line.removeprefix("\ufeff")  # files with a mark may have been joined
        except StreamError:
            raise
        except RecordError as error:
            yield Reject("ingest", f"{name}:{lines.number}", "", error.reason, error.detail)
        else:
            if line and not line.isspace():
                origin = Origin(name, f"{name}:{lines.number}", lines.encoding, lines.n_replaced)
                yield from _documents(line, origin, config)


def _documents(text: str, origin: Origin, config: SourceConfig) -> Records:
    try:
        for row in parse_json(text):
            yield from_fields(row, origin, config)
    except RecordError as error:
        yield Reject("ingest", origin.place, "", error.reason, error.detail)


_READERS: dict[str, Callable[[Stream, SourceConfig], Records]] = {
    "text": _read_text,
    "markdown": _read_markdown,
    "html": _read_html,
    "json": partial(_read_json, is_lines=False),
    "jsonl": partial(_read_json, is_lines=True),
    "csv": partial(read_csv, delimiter=","),
    "tsv": partial(read_csv, delimiter="\t"),
    "parquet": read_parquet,
}
