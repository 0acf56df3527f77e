"""Scratch: what the processes of a job leave for one another while it runs, gone when it is over.

It is a folder where all of them see one, and lies in the output's storage where they don't. Nothing here has to outlive
a crash, so nothing is synced.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kgmill.pipelines.storage import open_storage
from kgmill.pipelines.storage.files import read_range, remove
from kgmill.pipelines.urls import split_url

if TYPE_CHECKING:
    import pyarrow as pa


class Scratch:
    """Files under names with slashes, each there whole or not at all. Making one touches nothing.

    Attributes:
        place: a folder, or a URL in the output's storage.
        is_near: whether it is a folder, so that looking into it costs nothing.
    """

    def __init__(self, place: str | Path) -> None:
        self.place = str(place)
        self.is_near = not split_url(self.place)[0]
        self._folder = Path(self.place)
        self._storage = None if self.is_near else open_storage(self.place)

    def write(self, name: str, data: bytes) -> None:
        """Makes a file, or replaces it."""
        if self._storage:
            self._storage.write(name, data)
            return
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(data)
        os.replace(partial, path)

    def read(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            OSError: it is not there, or can't be read.
        """
        return self._storage.read(name) if self._storage else (self._folder / name).read_bytes()

    @contextmanager
    def create(self, name: str) -> Iterator[pa.NativeFile]:
        """A new file, to be written in one go; it is seen when that is done."""
        import pyarrow as pa

        if self._storage:
            buffer = pa.BufferOutputStream()
            yield buffer
            self._storage.write(name, buffer.getvalue().to_pybytes())
            return
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with pa.OSFile(str(path), "wb") as file:
            yield file

    def read_range(self, name: str, start: int, n_bytes: int) -> bytes:
        """So many of a file's bytes.

        Raises:
            OSError: it is not there, or can't be read.
        """
        if self._storage:
            return self._storage.read_range(name, start, n_bytes)
        return read_range(self._folder / name, start, n_bytes)

    def names(self, below: str) -> list[str]:
        """The names of the files in a folder, sorted; none where there is no such folder."""
        if self._storage:
            return self._storage.children(below)
        folder = self._folder / below
        return sorted(n for n in os.listdir(folder) if not n.startswith(".")) if folder.is_dir() else []  # noqa: PTH208

    def remove(self, name: str) -> None:
        """Removes a file, or all that is below a name, if it is there."""
        if self._storage:
            self._storage.remove(name)
        else:
            remove(self._folder / name)

    def clear(self) -> None:
        """Removes all of it."""
        self.remove("")
