"""Where outputs lie, a file a kind of storage in kinds/. See docs/extending.md and decision 0027."""

from __future__ import annotations

import re
from functools import cache

from kgmill.pipelines.registry import things_of
from kgmill.pipelines.storage.base import Storage, StorageKind
from kgmill.schemas.errors import OutputError

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


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
    found = _URL.match(output)
    protocol = found[1].lower() if found else ""
    kinds = storage_kinds().values()
    kind = next((kind for kind in kinds if protocol in kind.protocols), None)
    return (kind or next(kind for kind in kinds if not kind.protocols)).open(output)
