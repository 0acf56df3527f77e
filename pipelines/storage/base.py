"""What a storage is: files under names with slashes, each there whole or not at all.

The part store (`pipelines.output`) asks for no more than this, so a kind of storage needs no more. Its steps may be cut
between any two of them, and two processes may take them at once: what holds then is in each method's words, and in
tests/contracts/test_storages.py, which every kind passes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kgmill.pipelines.storage.files import write_whole

if TYPE_CHECKING:
    import pyarrow.dataset as ds


@dataclass(frozen=True, slots=True)
class Entry:
    """A file.

    Attributes:
        n_freed: the bytes that go when it is removed; 0 where it has another name that stays.
        tag: what files of equal bytes have in common, where the place says so; else empty.
    """

    name: str
    n_bytes: int
    n_freed: int
    tag: str = ""

    def is_like(self, other: Entry | None) -> bool:
        """Whether the place says that both have the same bytes."""
        return other is not None and bool(self.tag) and (self.n_bytes, self.tag) == (other.n_bytes, other.tag)


class Storage(ABC):
    """Files in one place, under names with slashes.

    Attributes:
        where: the place, as it is shown to people and given to other processes.
        name: the last piece of the place.
        tmp: a folder of this machine for work in progress.
        is_near: whether asking costs little: manifests are read whenever they are asked for, and all committed bytes
            before each build.
    """

    where: str
    name: str
    tmp: Path
    is_near: bool

    def place(self, name: str) -> str:
        """A file's place, for people."""
        return f"{self.where}/{name}"

    def check(self) -> None:  # noqa: B027 - most have nothing to ask
        """Makes sure that an output can be here, as far as that can be seen; touches nothing.

        Raises:
            OutputError: it can't.
        """

    def folder(self) -> Path | None:
        """The place as a folder of this machine, where it is one."""
        return None

    @abstractmethod
    def prepare(self) -> None:
        """Makes the place, so that it can be written to.

        Raises:
            OutputError: it can't be.
        """

    @abstractmethod
    def hold(self) -> AbstractContextManager[None]:
        """Holds the place for this process; what holds it no longer raises LockError when it writes.

        Raises:
            LockError: another process holds it; the message names it.
        """

    @abstractmethod
    def was_held(self) -> bool:
        """Whether anybody ever held the place."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            OSError: it is not there, or can't be read.
        """

    @abstractmethod
    def read_range(self, name: str, start: int, n_bytes: int) -> bytes:
        """So many of a file's bytes.

        Raises:
            OSError: it is not there, or can't be read.
        """

    def fetch(self, name: str, path: Path) -> None:
        """Makes a file of this machine of a file, whole or not at all.

        Raises:
            OSError: it is not there, or can't be read or written.
        """
        write_whole(path, self.read(name))

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """Makes a file, or replaces it: a reader sees the old bytes or the new ones, also after a crash."""

    @abstractmethod
    def put(self, folder: Path, name: str, hashes: Mapping[str, str], last: str) -> bool:
        """Moves the files of a local folder below a name; without `last`, none of them counts as there.

        Args:
            hashes: the SHA-256 of each file but `last`.
            last: the file that says what the others are.

        Returns:
            False where another process was first: its `last` stays.
        """

    @abstractmethod
    def data_name(self, folder: str, file: str, sha256: str) -> str:
        """The name under which `put` keeps a file."""

    @abstractmethod
    def copy(self, source: str, target: str) -> None:
        """Makes a file have another one's bytes, as `write` does, without reading them here where that can be."""

    def settle(self, folder: str) -> None:  # noqa: B027 - a request that was answered lasts
        """Makes sure that what was copied into a folder is there after a crash too."""

    @abstractmethod
    def entries(self, below: str) -> list[Entry]:
        """All files below a name, by name; none where there is nothing."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Removes a file, or all that is below a name, if it is there."""

    @abstractmethod
    def dataset(self, name: str) -> ds.Dataset:
        """The Parquet files below a name as one table."""

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return any(entry.name == name for entry in self.entries(name))

    def children(self, below: str) -> list[str]:
        """The names of files and folders directly below a name, sorted."""
        return children_of(self.entries(below), below)


def children_of(entries: Iterable[Entry], below: str) -> list[str]:
    """The same, of what is listed already."""
    return sorted({entry.name[len(below) + 1 :].split("/")[0] for entry in entries} - {""})


@dataclass(frozen=True, slots=True)
class StorageKind:
    """A kind of storage.

    Attributes:
        protocols: what stands before `://`, an empty one for paths; none: whatever no other kind has.
        open: the storage of a path behind one of them, or, of the kind that has none, of a whole URL; touches nothing.
    """

    protocols: tuple[str, ...]
    open: Callable[[str], Storage]
