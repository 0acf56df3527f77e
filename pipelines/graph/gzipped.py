"""Gzip files without a date, whose equal contents are equal bytes."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, cast

_PIECES_A_WRITE = 1024


@contextmanager
def open_gzip(path: Path) -> Iterator[IO[bytes]]:
    """A file to write one gzip member to, whose header holds neither name nor time."""
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as file:
        yield cast(IO[bytes], file)


def write_gzip(path: Path, pieces: Iterable[str]) -> int:
    """Writes pieces of text as one gzip member; returns how many there were."""
    ahead, n_pieces = iter(pieces), 0
    with open_gzip(path) as file:
        while batch := list(islice(ahead, _PIECES_A_WRITE)):
            file.write("".join(batch).encode())
            n_pieces += len(batch)
    return n_pieces


def write_gzip_bytes(path: Path, pieces: Iterable[bytes]) -> None:
    """Writes bytes as one gzip member."""
    ahead = iter(pieces)
    with open_gzip(path) as file:
        while batch := list(islice(ahead, _PIECES_A_WRITE)):
            file.write(b"".join(batch))
