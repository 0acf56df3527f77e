"""Formats to records: each stream gives documents and rejects, every record exactly once."""

from __future__ import annotations

from kgmill.pipelines.sources.formats import Records, source_formats
from kgmill.pipelines.sources.streams import BadStream, Stream
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.errors import RecordError
from kgmill.schemas.records import Reject


def read(stream: Stream | BadStream, config: SourceConfig) -> Records:
    """The records of a stream, in order; where it breaks, one reject ends them."""
    if isinstance(stream, BadStream):
        yield Reject("ingest", stream.name, stream.name, stream.error.reason, stream.error.detail)
        return
    try:
        yield from source_formats()[stream.format].read(stream, config)
    except RecordError as error:
        yield Reject("ingest", stream.name, stream.name, error.reason, error.detail)
