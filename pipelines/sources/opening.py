"""The bytes of a file of this machine or another: what fails here is no fault of a record, and stops the run."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

from kgmill.schemas.errors import SourceError

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_BUFFER_BYTES = 1 << 18


def split_url(source: str) -> tuple[str, str]:
    """The protocol and the path of a source; the protocol is empty for what is a path here, `file://` URLs too.

    Raises:
        SourceError: a `file://` URL of another machine.
    """
    match = _URL.fullmatch(source)
    if match is None:
        return "", source
    protocol, path = match[1].lower(), match[2]
    if protocol not in ("file", "local"):
        return protocol, path
    path = path.removeprefix("localhost")
    if not path.startswith("/"):
        raise SourceError(f"{source}: wanted file:/// and an absolute path")
    return "", unquote(path)


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Raises:
        SourceError: fsspec doesn't know the protocol, or its package is not installed.
    """
    from fsspec.core import url_to_fs

    try:
        fs, path = url_to_fs(url)
    except ImportError as error:
        raise SourceError(f"{url}: {error}, beside kgmill") from None
    except Exception as error:  # an unknown protocol, or a complaint of the file system's own
        raise SourceError(f"{url}: {line(error)}") from None
    return fs, str(path)


def open_file(path: str, on_read: Callable[[int], Any] = lambda n_bytes: None) -> io.BufferedReader:
    """A file of this machine or another, whose every failure is a SourceError that names it."""
    protocol, local = split_url(path)
    opener = partial(file_system(path)[0].open, path, "rb") if protocol else partial(open, local, "rb", buffering=0)
    try:
        inner = opener()
    except Exception as error:  # every file system has errors of its own
        raise SourceError(f"{path}: {getattr(error, 'strerror', None) or line(error)}") from None
    return io.BufferedReader(_Guarded(inner, path, on_read), _BUFFER_BYTES)


class _Guarded(io.RawIOBase):
    """A file whose failures are no fault of its content: they stop the run."""

    def __init__(self, inner: Any, path: str, on_read: Callable[[int], Any]) -> None:
        self._inner = inner
        self._path = path
        self._on_read = on_read

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._inner.seekable())

    def readinto(self, buffer: Any) -> int:
        n_bytes = int(self._try(self._inner.readinto, buffer))
        self._on_read(n_bytes)
        return n_bytes

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            offset += self._try(self._inner.seek, 0, whence)
        if offset < 0:
            raise ValueError("negative seek")  # an archive's doing, not the file system's
        return int(self._try(self._inner.seek, offset))

    def tell(self) -> int:
        return int(self._try(self._inner.tell))

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
        super().close()

    def _try(self, call: Any, *args: Any) -> Any:
        try:
            return call(*args)
        except Exception as error:  # as above
            raise SourceError(f"{self._path}: {getattr(error, 'strerror', None) or line(error)}") from None


def line(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join(f"{error}".split())[:300] or type(error).__name__
