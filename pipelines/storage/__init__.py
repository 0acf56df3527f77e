"""Where outputs lie, a file a kind of storage in kinds/. See docs/extending.md and decision 0027."""

from __future__ import annotations

from functools import cache

from kgmill.pipelines.registry import things_of
from kgmill.pipelines.storage.base import Storage, StorageKind
from kgmill.pipelines.urls import split_url
from kgmill.schemas.errors import OutputError


@cache
def storage_kinds() -> dict[str, StorageKind]:
    """All kinds of storage by name."""
    return things_of(f"{__name__}.kinds", "STORAGE", StorageKind)


def open_storage(output: str) -> Storage:
    """The storage of an output: a folder, or a URL. Touches nothing.

    Raises:
        OutputError: the name is empty, or of a file system that isn't known or not installed.
    """
    if not output.strip():
        raise OutputError("the name of the output is empty; give a folder, or a URL")
    protocol, path = split_url(output, OutputError)
    kinds = storage_kinds().values()
    kind = next((kind for kind in kinds if protocol in kind.protocols), None)
    return kind.open(path) if kind else next(kind for kind in kinds if not kind.protocols).open(output)
