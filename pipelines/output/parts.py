"""The part store: how every stage commits, and what is live.

    DIR/.lock                                      the holder: pid, host and start
    DIR/parts/STAGE/UNIT.FINGERPRINT/              a committed part: its files and manifest.json (counts, checksums)
    DIR/parts/STAGE/live.json                      the parts that make up the stage's last finished result, and a key
                                                   that says what they were made from, where a stage gives one
    DIR/tables/TABLE/UNIT.FINGERPRINT.parquet      the live rows, as links to the parts (copies where links can't be)
    DIR/.tmp/                                      work in progress; whatever a dead run left there is removed

A part is written in DIR/.tmp, synced, given its manifest and moved to its place by one rename: it is there whole or
not at all. Its name holds the fingerprint of all that went into it: a part that exists never has to be made again.
A stage's tables are linked first, then `live.json` names its parts, then what is not live goes: whenever a run is
killed, the next one finds the old list with its parts or the new one with its own, and links what is missing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kgmill.schemas.errors import CorruptPartError, LockError, OutputError
from kgmill.schemas.identity import fingerprint as fingerprint_of

MANIFEST = "manifest.json"
LIVE = "live.json"


@dataclass(frozen=True, slots=True)
class Part:
    """A committed part.

    Attributes:
        counts: what its stage counted while making it.
        files: per file name its `bytes` and `sha256`, and its `rows` where it is a table.
    """

    stage: str
    unit: str
    fingerprint: str
    path: Path
    counts: dict[str, Any]
    files: dict[str, dict[str, Any]]

    @property
    def name(self) -> str:
        """UNIT.FINGERPRINT, cut to 16 digits."""
        return part_name(self.unit, self.fingerprint)

    def rows(self, table: str) -> int:
        """Rows of one of its tables."""
        return int(self.files[f"{table}.parquet"]["rows"])

    def read(self, table: str, columns: list[str] | None = None) -> pa.Table:
        """One of its tables, after its checksum was found right.

        Raises:
            CorruptPartError: the file is missing or was altered.
        """
        return pq.read_table(pa.BufferReader(self.read_bytes(f"{table}.parquet")), columns=columns)

    def read_bytes(self, file_name: str) -> bytes:
        """The bytes of one of its files, after their checksum was found right.

        Raises:
            CorruptPartError: the file is missing or was altered.
        """
        path = self.path / file_name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise CorruptPartError(f"{path}: {error.strerror}; build again, and it is made again") from None
        if hashlib.sha256(data).hexdigest() != self.files[file_name]["sha256"]:
            raise CorruptPartError(f"{path}: not the bytes that were committed; build again, and it is made again")
        return data


class Store:
    """The part store of one output folder. Making one touches nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tmp = root / ".tmp"

    def create(self) -> None:
        """Makes the folder.

        Raises:
            OutputError: it is a file, or can't be written.
        """
        try:
            self.tmp.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise OutputError(f"{self.root}: is a file; --out wants a folder") from None
        except OSError as error:
            raise _unwritable(self.root, error) from None

    @contextmanager
    def lock(self, *, clear: bool = True) -> Iterator[None]:
        """Holds the folder for this process, and clears what dead runs left in DIR/.tmp.

        Raises:
            LockError: another process holds it; the message has its pid, its host and when it started.
        """
        self.create()
        try:
            handle = (self.root / ".lock").open("a+")
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
            if clear:
                self.clear()
            yield

    def clear(self) -> None:
        """Removes all work in progress; only the holder of the lock may."""
        for leftover in self.tmp.iterdir():
            remove(leftover)

    def scratch(self) -> Path:
        """A new folder for work in progress."""
        path = self.tmp / uuid.uuid4().hex
        path.mkdir(parents=True)
        return path

    def find(self, stage: str, unit: str, fingerprint: str) -> Part | None:
        """The part, if it was committed."""
        part = self._open(stage, self.root / "parts" / stage / part_name(unit, fingerprint))
        return part if part and part.fingerprint == fingerprint else None

    def need(self, stage: str, unit: str, fingerprint: str) -> Part:
        """The part, which was committed.

        Raises:
            CorruptPartError: it is gone.
        """
        part = self.find(stage, unit, fingerprint)
        if part is None:
            raise CorruptPartError(f"{self.root}: {stage} part {part_name(unit, fingerprint)} is gone; build again")
        return part

    def commit(
        self,
        stage: str,
        unit: str,
        fingerprint: str,
        content: Mapping[str, pa.Table] | Path,
        counts: Mapping[str, Any],
    ) -> Part:
        """Commits a part: tables by name, or a scratch folder whose files are already written.

        A part of this name that is already there stays, as equal fingerprints mean equal content.
        """
        folder = content if isinstance(content, Path) else self.scratch()
        files: dict[str, dict[str, Any]] = {}
        if isinstance(content, Mapping):
            for name, table in content.items():
                pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
                files[f"{name}.parquet"] = {"rows": table.num_rows}
        for path in sorted(folder.iterdir()):
            files.setdefault(path.name, {}).update(bytes=path.stat().st_size, sha256=sync_and_hash(path))
        manifest: dict[str, Any] = {
            "stage": stage,
            "unit": unit,
            "fingerprint": fingerprint,
            "counts": dict(counts),
            "files": files,
        }
        write_json(folder / MANIFEST, manifest | {"checksum": fingerprint_of(manifest)})
        target = self.root / "parts" / stage / part_name(unit, fingerprint)
        target.parent.mkdir(parents=True, exist_ok=True)
        if found := self.find(stage, unit, fingerprint):
            remove(folder)
            return found
        remove(target)
        folder.rename(target)
        sync_folder(target.parent)
        return Part(stage, unit, fingerprint, target, dict(counts), files)

    def live(self, stage: str) -> list[Part]:
        """The parts of the stage's last finished result that are there, in unit order; none before the first."""
        return [part for unit, key in self.listed(stage) or [] if (part := self.find(stage, unit, key))]

    def live_key(self, stage: str) -> str:
        """The key that the stage's last finished result was published with; empty before the first."""
        return str((self._list(stage) or {"key": ""})["key"])

    def is_whole(self, stage: str) -> bool:
        """Whether all parts of the stage's last finished result are there."""
        return len(self.live(stage)) == len(self.listed(stage) or [])

    def listed(self, stage: str) -> list[tuple[str, str]] | None:
        """Unit and fingerprint of each live part, as live.json names them; None where it can't be read."""
        listed = self._list(stage)
        return None if listed is None else [(unit, key) for unit, key in listed["parts"]]

    def _list(self, stage: str) -> dict[str, Any] | None:
        try:
            listed = json.loads((self.root / "parts" / stage / LIVE).read_text(encoding="utf-8"))
            return {"key": str(listed["key"]), "parts": [(str(unit), str(key)) for unit, key in listed["parts"]]}
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def committed(self, stage: str) -> list[Part]:
        """All committed parts of a stage, live or not, by name."""
        paths = sorted((self.root / "parts" / stage).glob(f"*/{MANIFEST}"))
        return [part for path in paths if (part := self._open(stage, path.parent))]

    def publish(self, stage: str, parts: Iterable[Part], tables: Iterable[str], key: str = "") -> None:
        """Makes the parts the stage's live ones: their tables appear under DIR/tables, others' go, other parts go.

        `key` is what `live_key` will give.
        """
        live = sorted(parts, key=lambda part: part.unit)
        for table in tables:
            self._link(self.root / "tables" / table, {f"{p.name}.parquet": p.path / f"{table}.parquet" for p in live})
        self.list_live(stage, live, key)
        names = {part.name for part in live} | {LIVE}
        for path in (self.root / "parts" / stage).iterdir():
            if path.name not in names:
                remove(path)

    def list_live(self, stage: str, live: Iterable[Part], key: str) -> None:
        """Writes live.json."""
        listed = {"key": key, "parts": [(part.unit, part.fingerprint) for part in live]}
        write_json(self.root / "parts" / stage / LIVE, listed)

    def publish_files(self, folder: str, parts: Iterable[Part]) -> None:
        """Makes the files of parts the content of DIR/FOLDER."""
        self._link(self.root / folder, {name: part.path / name for part in parts for name in part.files})

    def release(self, part: Part, folder: str, prefix: str) -> None:
        """Adds a part's files to what is in DIR/FOLDER, as PREFIX.NAME; then the part itself goes."""
        target = self.root / folder
        target.mkdir(parents=True, exist_ok=True)
        for name in part.files:
            self._place(part.path / name, target / f"{prefix}.{name}")
        sync_folder(target)
        remove(part.path)

    def _link(self, folder: Path, wanted: Mapping[str, Path]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, source in wanted.items():
            self._place(source, folder / name)
        for path in folder.iterdir():
            if path.name not in wanted:
                remove(path)
        sync_folder(folder)

    def _place(self, source: Path, target: Path) -> None:
        """Makes `target` the file `source`, in one step, unless it is already."""
        if target.is_file() and target.stat().st_ino == source.stat().st_ino:
            return
        partial = self.scratch() / target.name
        link_or_copy(source, partial)
        os.replace(partial, target)
        partial.parent.rmdir()

    def _open(self, stage: str, path: Path) -> Part | None:
        """The part in a folder; None where there is no manifest that is whole."""
        try:
            manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
            checksum = manifest.pop("checksum")
        except (OSError, ValueError, AttributeError, KeyError, TypeError):
            return None
        if checksum != fingerprint_of(manifest):
            return None
        return Part(stage, manifest["unit"], manifest["fingerprint"], path, manifest["counts"], manifest["files"])


def _unwritable(root: Path, error: OSError) -> OutputError:
    return OutputError(f"{root}: {error.strerror}; --out wants a folder that can be written")


def part_name(unit: str, fingerprint: str) -> str:
    """A part's folder name."""
    return f"{unit}.{fingerprint[:16]}"


def write_json(path: Path, value: Any) -> None:
    """Writes JSON whole or not at all: to a neighbour, synced, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def sync_and_hash(path: Path) -> str:
    """Flushes a file to the disk; returns its SHA-256."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(path: Path) -> None:
    """Flushes a folder's entries to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link, or a copy where the file system has none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def remove(path: Path) -> None:
    """Removes a file or a folder tree, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
