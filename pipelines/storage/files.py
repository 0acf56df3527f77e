"""Files of this machine: written whole or not at all, removed if they are there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all: to a neighbour, synced, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def read_range(path: Path, start: int, n_bytes: int) -> bytes:
    """So many of a file's bytes.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        return file.read(n_bytes)


def to_json(value: Any) -> bytes:
    """JSON as every file of kgmill has it."""
    return f"{json.dumps(value, ensure_ascii=False, indent=1)}\n".encode()


def write_json(path: Path, value: Any) -> None:
    """Writes JSON whole or not at all."""
    write_whole(path, to_json(value))


def hash_file(path: Path) -> str:
    """A file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove(path: Path) -> None:
    """Removes a file or a folder tree, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def is_alive(pid: int) -> bool:
    """Whether a process of this machine has the number."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
