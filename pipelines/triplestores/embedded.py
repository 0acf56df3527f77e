"""The embedded store that `kgmill query` asks: made once for each version of the graph, and opened read-only.

It is a cache: `DIR/store/<first 16 hex digits of the graph's sha256>/`, made in a temporary folder beside it and
renamed when whole, so that several processes may make and ask it at once; deleting `DIR/store` is always safe. A seal
in it has the size and the hash of each file: what was damaged is made anew, as the native code that reads it can run
for ever on a file of nonsense.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import secrets
import shutil
import zlib
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import pyoxigraph as ox

from kgmill.pipelines.storage.files import hash_file, is_alive, write_json
from kgmill.schemas.errors import CorruptPartError, OutputError

_STORE_NAME = re.compile(r"[0-9a-f]{16}")
_TEMPORARY_NAME = re.compile(r"\.tmp-(\d+)-[0-9a-f]+")
_SEAL = "seal.json"
_SEALED = re.compile(r".*\.(?:sst|log)|CURRENT|MANIFEST-\d+")  # the others are written by whoever opens the store
_HASHED_BYTES = (
    256 << 20
)  # of a store; of a larger one the sizes are checked, as reading it takes longer than an answer


def open_store(stores: Path, graph: Path, sha256: str) -> ox.Store:
    """The store of a graph's file, read-only; built if it is missing or damaged.

    Raises:
        CorruptPartError: the bytes aren't those of the sha256, or aren't N-Quads.
        OutputError: it can't be written.
    """
    target = stores / sha256[:16]
    if target.is_dir():
        if _is_sealed(target):
            with suppress(OSError):
                return ox.Store.read_only(str(target))
        shutil.rmtree(target, ignore_errors=True)
    try:
        _build_store(stores, graph, sha256)
        return ox.Store.read_only(str(target))
    except OSError as error:
        raise OutputError(f"{stores}: the embedded store can't be made: {one_line(error)}") from None


def one_line(error: Exception, limit: int = 160) -> str:
    """The error's message without line breaks; the parser's list of what it would have taken can be very long."""
    text = " ".join(str(error).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _build_store(stores: Path, graph: Path, sha256: str) -> None:
    stores.mkdir(exist_ok=True)
    _remove_dead(stores)
    temporary = stores / f".tmp-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        _bulk_load(temporary, graph, sha256)
        _seal(temporary)
        # Another process may have been faster: a rename doesn't replace its folder, which is as good as ours.
        with suppress(OSError):
            os.rename(temporary, stores / sha256[:16])  # noqa: PTH104
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for folder in stores.iterdir():
        if _STORE_NAME.fullmatch(folder.name) and folder.name != sha256[:16]:
            shutil.rmtree(folder, ignore_errors=True)


def _bulk_load(folder: Path, graph: Path, sha256: str) -> None:
    """Fills a new store from the graph's file, and closes it."""
    store = ox.Store(str(folder))
    with gzip.open(graph) as file:
        reader = _HashingReader(file)
        try:
            # Leniently: the hash says that these are the lines that export wrote, each IRI of which was checked.
            store.bulk_load(reader, ox.RdfFormat.N_QUADS, lenient=True)  # type: ignore[arg-type]  # it wants read() alone
        except (SyntaxError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise CorruptPartError(f"{graph}: {one_line(error)}; run kgmill build again") from None
    if reader.hexdigest() != sha256:
        raise CorruptPartError(f"{graph}: not the bytes that run.json promises; run kgmill build again")
    store.flush()


class _HashingReader:
    """Reads a file and keeps the sha256 of what was read."""

    def __init__(self, file: BinaryIO | gzip.GzipFile) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._sha256.update(data)
        return data

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()


def _seal(folder: Path) -> None:
    files = {path.name: [path.stat().st_size, hash_file(path)] for path in _sealed_files(folder)}
    write_json(folder / _SEAL, files)


def _is_sealed(folder: Path) -> bool:
    """Whether a store's files are those that were sealed."""
    try:
        promised = json.loads((folder / _SEAL).read_bytes())
        sizes = {path.name: path.stat().st_size for path in _sealed_files(folder)}
        if sizes != {name: size for name, (size, _) in promised.items()}:
            return False
        is_small = sum(sizes.values()) <= _HASHED_BYTES
        return not is_small or all(hash_file(folder / name) == sha256 for name, (_, sha256) in promised.items())
    except (OSError, ValueError, TypeError, AttributeError):
        return False


def _sealed_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _SEALED.fullmatch(path.name))


def _remove_dead(stores: Path) -> None:
    """Removes the half-built stores of processes that are no more."""
    for folder in stores.iterdir():
        match = _TEMPORARY_NAME.fullmatch(folder.name)
        if match and not is_alive(int(match[1])):
            shutil.rmtree(folder, ignore_errors=True)
