"""Files that are one document each: their bytes, and the document of what a format found in them."""

from __future__ import annotations

from dataclasses import replace

from kgmill.pipelines.sources.encodings import Decoded
from kgmill.pipelines.sources.fields import Content, Origin, document
from kgmill.pipelines.sources.streams import Stream
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.errors import RecordError
from kgmill.schemas.records import Document

_READ_BYTES = 1 << 20


def read_whole(stream: Stream, max_bytes: int) -> bytes:
    """All bytes of a stream.

    Raises:
        RecordError: `too_large`.
    """
    pieces, n_bytes = [], 0
    while piece := stream.bytes.read(_READ_BYTES):
        pieces.append(piece)
        n_bytes += len(piece)
        if n_bytes > max_bytes:
            raise RecordError("too_large", f"the file has more than {max_bytes} bytes")
    return b"".join(pieces)


def file_document(content: Content, stream: Stream, decoded: Decoded, config: SourceConfig) -> Document:
    """The document that a file is.

    Raises:
        RecordError: `empty`.
    """
    wanted = config.fields.metadata
    others = {key: value for key, value in content.metadata.items() if wanted == "*" or key in wanted}
    origin = Origin(stream.name, stream.name, decoded.encoding, decoded.n_replaced)
    return document(replace(content, metadata=others), stream.name, origin, config)
