"""JSON: an object is a document, in an array, one after another, or below a key."""

from __future__ import annotations

from functools import partial

from kgmill.pipelines.sources.encodings import Lines, StreamError, decode_part
from kgmill.pipelines.sources.fields import Origin, from_fields
from kgmill.pipelines.sources.formats import Records, SourceFormat
from kgmill.pipelines.sources.parsing.json_records import find_values, is_one_value
from kgmill.pipelines.sources.parsing.json_values import parse_json
from kgmill.pipelines.sources.streams import Stream
from kgmill.pipelines.sources.transcode import look_ahead, unified
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.errors import RecordError
from kgmill.schemas.records import Reject


def read_json(stream: Stream, config: SourceConfig, *, is_lines: bool) -> Records:
    """The objects of a file, whatever shape they are in.

    Args:
        stream: the file.
        config: says below which keys the records are, if not everywhere.
        is_lines: the file's name says that each line is an object.
    """
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


FORMAT = SourceFormat((".json",), partial(read_json, is_lines=False))
