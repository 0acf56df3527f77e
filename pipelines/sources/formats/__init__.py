"""Source formats, a file a format: what is in this folder is what a build can read. See docs/extending.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from kgmill.pipelines.registry import things_of
from kgmill.pipelines.sources.streams import Stream
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.records import Document, Reject

Records = Iterator[Document | Reject]


@dataclass(frozen=True, slots=True)
class SourceFormat:
    """A format: which files are in it, and what reads them.

    Attributes:
        suffixes: what the names of such files end in, in lower case, with the dot.
        read: gives the records of a stream in order, every one exactly once, bad ones as rejects. A RecordError that it
            raises makes one reject of the rest of the stream.
    """

    suffixes: tuple[str, ...]
    read: Callable[[Stream, SourceConfig], Records]


@cache
def source_formats() -> dict[str, SourceFormat]:
    """All formats by name."""
    return things_of(__name__, "FORMAT", SourceFormat)


@cache
def suffixes() -> dict[str, str]:
    """Each suffix that is read, with the name of its format.

    Raises:
        ValueError: two formats have the same one.
    """
    found: dict[str, str] = {}
    for name, form in source_formats().items():
        for suffix in form.suffixes:
            if suffix in found:
                raise ValueError(f"source formats {found[suffix]} and {name} both read {suffix}")
            found[suffix] = name
    return found
