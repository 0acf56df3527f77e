"""What is read: the bytes of a file, or of a member of an archive, unpacked."""

from __future__ import annotations

import io
from dataclasses import dataclass

from kgmill.schemas.errors import RecordError


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of one format.

    Attributes:
        name: the file's name, with `!path` for a member of an archive.
        format: the name of its format (`kgmill.pipelines.sources.formats`).
        is_seekable: whether the bytes can be read again.
    """

    name: str
    format: str
    bytes: io.BufferedReader
    is_seekable: bool


@dataclass(frozen=True, slots=True)
class BadStream:
    """A file or member that can't be opened."""

    name: str
    error: RecordError
