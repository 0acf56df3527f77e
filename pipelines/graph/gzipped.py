"""Gzip files without a date, whose equal contents are equal bytes."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path

_PIECES_A_WRITE = 1024


def write_gzip(path: Path, pieces: Iterable[str]) -> int:
    """Writes one gzip member whose header holds neither name nor time; returns how many pieces there were."""
    n_pieces = 0
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as file:
        batch: list[str] = []
        for piece in pieces:
            batch.append(piece)
            if len(batch) == _PIECES_A_WRITE:
                file.write("".join(batch).encode())
                n_pieces += len(batch)
                batch = []
        file.write("".join(batch).encode())
    return n_pieces + len(batch)
