"""Plain text: a file is a document."""

from __future__ import annotations

from kgmill.pipelines.sources.encodings import decode
from kgmill.pipelines.sources.fields import Content
from kgmill.pipelines.sources.formats import Records, SourceFormat
from kgmill.pipelines.sources.streams import Stream
from kgmill.pipelines.sources.whole_file import file_document, read_whole
from kgmill.schemas.config import SourceConfig


def read(stream: Stream, config: SourceConfig) -> Records:
    """The file as it is."""
    decoded = decode(read_whole(stream, config.max_record_bytes), config.encodings)
    yield file_document(Content(decoded.text), stream, decoded, config)


FORMAT = SourceFormat((".txt",), read)
