"""A place in any file system that fsspec knows, such as `s3://bucket/out`: no renames, no locks of the system.

An object is written by one request, whole or not at all. A part's files have their content's hash in their names, so
no other process ever writes another content there, and its manifest is created only if nobody did before. Instead of
a lock there is a lease: files `.lock/N.json`, of which the one with the largest number holds the place until the time
that it says, and renews it. Who finds it old creates N + 1, which one process alone can.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from inspect import signature
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from kgmill.pipelines.storage.base import Entry, Storage, StorageKind
from kgmill.pipelines.storage.files import remove, to_json
from kgmill.pipelines.urls import file_system, line
from kgmill.schemas.errors import KgmillError, LockError, OutputError, StorageError

if TYPE_CHECKING:
    import pyarrow.dataset as ds

LOCK = ".lock"
LEASE_S = 60.0
_TAGS = ("ETag", "etag", "md5Hash", "content_md5")  # of equal bytes, where a file system says one


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a place, and until when, in seconds of the epoch; 0: nobody any more."""

    number: int
    until: float
    holder: str
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def name(self) -> str:
        """Its file."""
        return f"{LOCK}/{self.number:06d}.json"

    def is_old(self, now: float, lease_s: float) -> bool:
        """Whether others may take the place: half a lease late, as clocks differ."""
        return now > self.until + lease_s / 2 or not self.until

    def to_json(self) -> bytes:
        """Its content."""
        return to_json({"until": self.until, "holder": self.holder, "owner": self.owner})


class Objects(Storage):
    """Objects below a URL. Local work is done in the system's folder for temporary files."""

    is_near = False

    def __init__(self, url: str, lease_s: float = LEASE_S) -> None:
        fs, path = file_system(url, OutputError, use_listings_cache=False)
        self._fs, self._root = fs, path.rstrip("/")
        self.where = str(fs.unstrip_protocol(self._root))  # as sources are named too
        self.name = self.where.rpartition("/")[2]
        self.tmp = Path(tempfile.gettempdir()) / f"kgmill-{os.getuid()}" / sha256(self.where.encode()).hexdigest()[:16]
        self.lease_s = lease_s
        self._lease: Lease | None = None
        # s3fs else asks for an object's size first, to read a large one in pieces: two requests for every manifest.
        read = getattr(type(fs), "_cat_file", None)
        self._at_once = {"max_concurrency": 1} if read and "max_concurrency" in signature(read).parameters else {}

    def prepare(self) -> None:
        ours = self.tmp.parent
        ours.mkdir(mode=0o700, exist_ok=True)
        status = ours.lstat()
        if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077 or not stat.S_ISDIR(status.st_mode):
            raise OutputError(f"{ours}: is not this user's alone; remove it, or set TMPDIR to another folder")
        self.tmp.mkdir(exist_ok=True)

    @contextmanager
    def hold(self) -> Iterator[None]:
        self.prepare()
        self._lease = self._take()
        stop = Event()
        renewing = Thread(target=self._renew, args=(stop,), name="lease", daemon=True)
        renewing.start()
        try:
            yield
        finally:
            stop.set()
            renewing.join()
            lease, self._lease = self._lease, None
            if not self._taken_over(lease):
                with suppress(OSError, KgmillError):
                    self._write(lease.name, replace(lease, until=0.0).to_json())

    def was_held(self) -> bool:
        return bool(self.entries(LOCK))

    def read(self, name: str) -> bytes:
        with self._asked(name):
            return bytes(self._fs.cat_file(self._path(name), **self._at_once))

    def read_range(self, name: str, start: int, n_bytes: int) -> bytes:
        with self._asked(name):
            return bytes(self._fs.cat_file(self._path(name), start=start, end=start + n_bytes))

    def fetch(self, name: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        with self._asked(name):
            self._fs.get_file(self._path(name), str(partial))
        partial.replace(path)

    def write(self, name: str, data: bytes) -> None:
        self._check_lease()
        self._write(name, data)

    def put(self, folder: Path, name: str, hashes: Mapping[str, str], last: str) -> bool:
        for file, digest in hashes.items():
            target = self.data_name(name, file, digest)
            with self._asked(target):
                self._fs.put_file(str(folder / file), self._path(target))
        is_first = self._create(f"{name}/{last}", (folder / last).read_bytes())
        remove(folder)
        return is_first

    def data_name(self, folder: str, file: str, sha256: str) -> str:
        return f"{folder}/{sha256[:16]}.{file}"

    def copy(self, source: str, target: str) -> None:
        """Copies an object where it lies."""
        self._check_lease()
        with self._asked(target):
            self._fs.cp_file(self._path(source), self._path(target))

    def entries(self, below: str) -> list[Entry]:
        path = self._path(below)
        with self._asked(below):
            self._fs.invalidate_cache()
            found: Mapping[str, dict[str, Any]] = self._fs.find(path, detail=True)
        start = len(self._root) + 1
        entries = [
            Entry(path[start:], int(info["size"] or 0), int(info["size"] or 0), _tag(info))
            for path, info in found.items()
            if info["type"] == "file" and not path.endswith("/")
        ]
        return sorted(entries, key=lambda entry: entry.name)

    def remove(self, name: str) -> None:
        self._check_lease()
        self._remove([entry.name for entry in self.entries(name)])

    def dataset(self, name: str) -> ds.Dataset:
        import pyarrow.dataset as ds

        self._fs.invalidate_cache()
        return ds.dataset(self._path(name), filesystem=self._fs, format="parquet")

    def has(self, name: str) -> bool:
        return bool(self._info(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _info(self, name: str) -> Mapping[str, Any]:
        try:
            with self._asked(name):
                self._fs.invalidate_cache()
                info: Mapping[str, Any] = self._fs.info(self._path(name))
        except FileNotFoundError:
            return {}
        return info if info["type"] == "file" else {}

    def _write(self, name: str, data: bytes) -> None:
        with self._asked(name):
            self._fs.pipe_file(self._path(name), data)

    def _create(self, name: str, data: bytes) -> bool:
        """Makes a file if there is none; False where there is, or another process was quicker."""
        try:
            with self._asked(name):
                self._fs.pipe_file(self._path(name), data, mode="create")
        except FileExistsError:
            return False
        return self.read(name) == data  # there are file systems that take `create` for no more than a wish

    def _remove(self, names: Sequence[str]) -> None:
        if names:
            with suppress(FileNotFoundError), self._asked(names[0]):
                self._fs.rm([self._path(name) for name in names])  # a request for many, where a file system has that

    @contextmanager
    def _asked(self, name: str) -> Iterator[None]:
        """Tells what is missing, or there already, from a server that fails."""
        try:
            yield
        except (FileNotFoundError, FileExistsError):
            raise
        except Exception as error:
            raise StorageError(f"{self.place(name)}: {line(error)}") from None

    # The lease

    def _take(self) -> Lease:
        now = time.time()
        try:
            before = self._newest()
            if before and not before.is_old(now, self.lease_s):
                raise self._held_by(before)
            holder = f"{os.getpid()} on {socket.gethostname()} since {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
            lease = Lease(before.number + 1 if before else 1, now + self.lease_s, holder)
            if not self._create(lease.name, lease.to_json()):
                raise self._held_by(self._newest() or lease)
            self._remove([entry.name for entry in self.entries(LOCK) if entry.name < lease.name])
        except (OSError, StorageError) as error:
            raise OutputError(f"{self.where}: can't be written to: {error}") from None
        return lease

    def _newest(self) -> Lease | None:
        """The lease with the largest number; one that can't be read is old."""
        names = [entry.name for entry in self.entries(LOCK) if entry.name.endswith(".json")]
        if not names:
            return None
        number = int(Path(names[-1]).stem)
        try:
            content = json.loads(self.read(names[-1]))
            return Lease(number, float(content["until"]), str(content["holder"]), str(content["owner"]))
        except (OSError, ValueError, TypeError, KeyError):
            return Lease(number, 0.0, "unknown")

    def _held_by(self, lease: Lease) -> LockError:
        until = f"{datetime.fromtimestamp(lease.until + self.lease_s / 2, UTC):%H:%M:%S} UTC"
        return LockError(
            f"{self.where}: another build (pid {lease.holder}) is running here; wait for it, "
            f"or, if it died, until {until}"
        )

    def _renew(self, stop: Event) -> None:
        while not stop.wait(self.lease_s / 3):
            lease = self._lease
            if lease is None or self._taken_over(lease):
                return
            fresh = replace(lease, until=time.time() + self.lease_s)
            with suppress(OSError, KgmillError):  # the next time; it is lost only when its time is over
                self._write(lease.name, fresh.to_json())
                self._lease = fresh

    def _taken_over(self, lease: Lease) -> bool:
        try:
            newest = self._newest()
        except (OSError, KgmillError):
            return False
        return newest is None or newest.owner != lease.owner

    def _check_lease(self) -> None:
        """Makes sure that a holder still is one.

        Raises:
            LockError: it could not renew its lease in time, so others may have taken it.
        """
        if self._lease and time.time() > self._lease.until:
            raise LockError(f"{self.where}: this build could not renew its lease, and writes no more; build again")


def _tag(info: Mapping[str, Any]) -> str:
    return str(next((info[name] for name in _TAGS if info.get(name)), ""))


STORAGE = StorageKind((), Objects)
