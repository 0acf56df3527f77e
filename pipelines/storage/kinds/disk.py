"""A folder of this machine, or one that is mounted here: renames, hard links, a lock of the system."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kgmill.pipelines.storage.base import Entry, Storage, StorageKind
from kgmill.pipelines.storage.files import read_range, remove, write_whole
from kgmill.schemas.errors import LockError, OutputError

if TYPE_CHECKING:
    import pyarrow.dataset as ds

LOCK, TMP = ".lock", ".tmp"


class Disk(Storage):
    """A folder. Files are synced before they are seen, and so are the folders that name them."""

    is_near = True

    def __init__(self, root: Path) -> None:
        self.root = root
        self.where, self.name, self.tmp = str(root), root.name, root / TMP

    def check(self) -> None:
        if self.root.exists() and not self.root.is_dir():
            raise OutputError(f"{self.root}: is a file; --out wants a folder")

    def folder(self) -> Path:
        return self.root

    def prepare(self) -> None:
        try:
            self.tmp.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise OutputError(f"{self.root}: is a file; --out wants a folder") from None
        except OSError as error:
            raise _unwritable(self.root, error) from None

    @contextmanager
    def hold(self) -> Iterator[None]:
        self.prepare()
        try:
            handle = (self.root / LOCK).open("a+")
        except OSError as error:
            raise _unwritable(self.root, error) from None
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                handle.seek(0)
                holder = handle.read().strip() or "unknown"
                raise LockError(f"{self.root}: another build (pid {holder}) is running here; wait for it") from None
            handle.truncate(0)
            handle.write(f"{os.getpid()} on {socket.gethostname()} since {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
            handle.flush()
            yield

    def was_held(self) -> bool:
        return (self.root / LOCK).is_file()

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def read_range(self, name: str, start: int, n_bytes: int) -> bytes:
        return read_range(self.root / name, start, n_bytes)

    def write(self, name: str, data: bytes) -> None:
        write_whole(self.root / name, data)

    def put(self, folder: Path, name: str, hashes: Mapping[str, str], last: str) -> bool:
        for path in folder.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        remove(target)  # what a crash of the file system left there
        folder.rename(target)
        _sync(target.parent)
        return True

    def data_name(self, folder: str, file: str, sha256: str) -> str:
        return f"{folder}/{file}"

    def copy(self, source: str, target: str) -> None:
        """Links a file, or copies it where the file system has no links."""
        here, there = self.root / source, self.root / target
        if there.is_file() and there.stat().st_ino == here.stat().st_ino:
            return
        there.parent.mkdir(parents=True, exist_ok=True)
        partial = self.tmp / uuid.uuid4().hex
        try:
            os.link(here, partial)
        except OSError:
            shutil.copyfile(here, partial)
        os.replace(partial, there)

    def settle(self, folder: str) -> None:
        path = self.root / folder
        path.mkdir(parents=True, exist_ok=True)
        _sync(path)

    def entries(self, below: str) -> list[Entry]:
        top = self.root / below if below else self.root
        paths = [top] if top.is_file() else [p for p in top.rglob("*") if p.is_symlink() or not p.is_dir()]
        found = []
        for path in paths:
            status = path.lstat()
            freed = status.st_size if status.st_nlink == 1 else 0
            found.append(Entry(path.relative_to(self.root).as_posix(), status.st_size, freed))
        return sorted(found, key=lambda entry: entry.name)

    def remove(self, name: str) -> None:
        remove(self.root / name)

    def dataset(self, name: str) -> ds.Dataset:
        import pyarrow.dataset as ds

        return ds.dataset(self.root / name, format="parquet")

    def has(self, name: str) -> bool:
        return (self.root / name).is_file()

    def children(self, below: str) -> list[str]:
        top = self.root / below
        return sorted(path.name for path in top.iterdir()) if top.is_dir() else []


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritable(root: Path, error: OSError) -> OutputError:
    return OutputError(f"{root}: {error.strerror}; --out wants a folder that can be written")


def _open(path: str) -> Disk:
    return Disk(Path(path).resolve())


STORAGE = StorageKind(("",), _open)
