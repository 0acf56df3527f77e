"""The bytes of a file of this machine or another: what fails here is no fault of a record, and stops the run."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from kgmill.pipelines.urls import file_system, line, split_url
from kgmill.schemas.errors import SourceError
from kgmill.schemas.identity import fingerprint

_BUFFER_BYTES = 1 << 18
# Under which names file systems have what changes with a file.
_VERSIONS = (
    *("ETag", "etag", "md5Hash", "md5", "content_md5", "Content-MD5", "Digest", "sha256"),
    *("LastModified", "Last-Modified", "last_modified", "updated", "modified", "mtime", "created"),
)


def stamp(info: Mapping[str, Any]) -> str:
    """What changes whenever a file does, from what its file system says of it; empty where that says too little.

    Of this machine's files it is the inode, size, and times of content and inode, to the nanosecond.
    """
    if "ino" in info:
        return f"{info['ino']}:{info['size']}:{info['mtime_ns']}:{info['ctime_ns']}"
    found = {key: str(info[key]) for key in _VERSIONS if info.get(key)}
    return fingerprint({"size": info.get("size"), **found})[:32] if found else ""


def local_info(status: os.stat_result) -> dict[str, int]:
    """What the file system of this machine says of a file, for `stamp`."""
    return {
        "ino": status.st_ino,
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "ctime_ns": status.st_ctime_ns,
    }


def open_file(path: str, on_read: Callable[[int], Any] = lambda n_bytes: None) -> io.BufferedReader:
    """A file of this machine or another, whose every failure is a SourceError that names it."""
    return io.BufferedReader(_Guarded(path, on_read), _BUFFER_BYTES)


@contextmanager
def open_hashed(
    path: str, on_read: Callable[[int], Any], on_digest: Callable[[str], Any]
) -> Iterator[io.BufferedReader[Any]]:
    """The same; in the end `on_digest` is told the SHA-256 of the content, for which nothing is read twice in order.

    What the reader left out, or came to by a jump, is read for the hash alone.
    """
    digest = _Digest()
    raw = _Guarded(path, on_read, digest)
    with io.BufferedReader(raw, _BUFFER_BYTES) as stream:
        yield stream
        if raw.closed:  # some readers close what they have read
            raw = _Guarded(path, on_read, digest)
        with raw:
            digest.finish(raw)
        on_digest(digest.sha256.hexdigest())


class _Digest:
    """The hash of a file's bytes, each of them once and in order, whatever order they are read in."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()
        self.n_bytes = 0

    def update(self, begin: int, data: memoryview) -> None:
        """Takes in bytes that were read at an offset, as far as they go on where the hash is."""
        if begin <= self.n_bytes < begin + len(data):
            new = data[self.n_bytes - begin :]
            self.sha256.update(new)
            self.n_bytes += len(new)

    def finish(self, raw: _Guarded) -> None:
        """Reads the rest."""
        if raw.seekable():
            raw.seek(self.n_bytes)
        while raw.read(_BUFFER_BYTES):  # each read tells this digest
            pass


class _Guarded(io.RawIOBase):
    """A file whose failures are no fault of its content: they stop the run."""

    def __init__(self, path: str, on_read: Callable[[int], Any], digest: _Digest | None = None) -> None:
        protocol, local = split_url(path)
        opener = partial(file_system(path)[0].open, path, "rb") if protocol else partial(open, local, "rb", buffering=0)
        self._path, self._on_read, self._digest, self._at = path, on_read, digest, 0
        self._inner = self._try(opener)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._inner.seekable())

    def readinto(self, buffer: Any) -> int:
        n_bytes = int(self._try(self._inner.readinto, buffer))
        if self._digest:
            self._digest.update(self._at, memoryview(buffer)[:n_bytes])
        self._at += n_bytes
        self._on_read(n_bytes)
        return n_bytes

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            offset += self._try(self._inner.seek, 0, whence)
        if offset < 0:
            raise ValueError("negative seek")  # an archive's doing, not the file system's
        self._at = int(self._try(self._inner.seek, offset))
        return self._at

    def tell(self) -> int:
        return int(self._try(self._inner.tell))

    def close(self) -> None:
        if not self.closed and hasattr(self, "_inner"):
            self._inner.close()
        super().close()

    def _try(self, call: Any, *args: Any) -> Any:
        try:
            return call(*args)
        except Exception as error:  # as above
            raise SourceError(f"{self._path}: {getattr(error, 'strerror', None) or line(error)}") from None
