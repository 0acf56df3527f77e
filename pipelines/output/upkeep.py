"""Upkeep of an output folder: damaged parts are found and removed before a build, leftovers by `kgmill gc`."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kgmill.pipelines.output.format import check_format
from kgmill.pipelines.output.parts import LIVE, Part, Store, part_name, remove
from kgmill.schemas.errors import OutputError
from kgmill.schemas.units import Unit

_PART_NAME = re.compile(r"^[^.]+\.[0-9a-f]{16}$")
_RUN_NAME = re.compile(r"^(\d{4}-\d\d-\d\dT\d{6}Z)(?:-(\d+))?(?=\.)")


def verify(store: Store) -> list[str]:
    """Reads every committed byte; removes what is not what was committed. Returns a line for each thing found wrong.

    A removed part is made again by the stages that need it. The tables under DIR/tables and the files of DIR/graph are
    hard links to the parts' files, or are written anew by every build. It reads about 1 GB a second and core. Only the
    holder of the lock may call it.
    """
    lines = []
    for folder in sorted(path for path in (store.root / "parts").glob("*") if path.is_dir()):
        stage = folder.name
        parts = {part.path: part for part in store.committed(stage)}
        broken = [path for path in _part_folders(folder) if path not in parts]
        lines += [f"{path}: has no manifest that is whole; removed, to be made again" for path in broken]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            faults = list(zip(parts, pool.map(_fault, parts.values()), strict=True))
        lines += [f"{fault}; its part was removed, to be made again" for _, fault in faults if fault]
        broken += [path for path, fault in faults if fault]
        for path in broken:
            remove(path)
        if (folder / LIVE).exists() and store.listed(stage) is None:
            lines.append(_mend_list(store, stage))
    return lines


def _part_folders(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if _PART_NAME.match(path.name) and path.is_dir()]


def _fault(part: Part) -> str:
    """What is wrong with a part's files; empty if nothing is."""
    if part.name != part.path.name:
        return f"{part.path}: holds the part {part.name}"
    for name, promised in part.files.items():
        path = part.path / name
        try:
            if path.stat().st_size != promised["bytes"]:
                return f"{path}: {path.stat().st_size} bytes, not the {promised['bytes']} that were committed"
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != promised["sha256"]:
                    return f"{path}: not the bytes that were committed"
        except OSError as error:
            return f"{path}: {error.strerror}"
    return ""


def _mend_list(store: Store, stage: str) -> str:
    """Writes live.json anew if the committed parts can only be the live ones: one a unit, all of one cutting."""
    path = store.root / "parts" / stage / LIVE
    parts = store.committed(stage)
    units = [part.unit for part in parts]
    if len(set(units)) < len(units) or len({Unit.parse(unit).bits for unit in units if unit[0].isdigit()}) > 1:
        path.unlink()
        return f"{path}: damaged; removed, as it can't be told which parts were live"
    store.list_live(stage, parts, "")
    return f"{path}: damaged; written anew from the {len(parts)} parts beside it"


def collect(store: Store, keep_runs: int | None = None, *, dry_run: bool = False) -> dict[str, tuple[int, int]]:
    """Removes leftovers; returns how many things of each kind went, or would go, and their bytes.

    Leftovers are work in progress, parts and tables that are not live, and, beyond the newest `keep_runs` (None: all),
    the files of DIR/runs and the changes of those runs. Whatever has another name than kgmill gives is left alone.

    Raises:
        OutputError: no build ever ran in the folder, or one of a later kgmill.
        LockError: a build runs in it.
    """
    if not (store.root / ".lock").is_file():
        raise OutputError(f"{store.root}: no output folder of kgmill; name the DIR of a build's --out")
    check_format(store.root)
    with store.lock(clear=False):
        found = {kind: sorted(paths) for kind, paths in _leftovers(store, keep_runs).items()}
        freed = {kind: (len(paths), sum(map(_n_bytes, paths))) for kind, paths in found.items()}
        if not dry_run:
            for path in (path for paths in found.values() for path in paths):
                remove(path)
    return freed


def _leftovers(store: Store, keep_runs: int | None) -> dict[str, list[Path]]:
    live: set[str] = set()
    stale: list[Path] = []
    for folder in (path for path in (store.root / "parts").glob("*") if path.is_dir()):
        names = {part_name(unit, key) for unit, key in store.listed(folder.name) or []}
        stale += [path for path in _part_folders(folder) if path.name not in names]
        live |= names
    tables = (store.root / "tables").glob("*/*.parquet")
    runs, changes = (_old_runs(store.root / name, keep_runs) for name in ("runs", "changes"))
    return {
        "work in progress": list(store.tmp.iterdir()),
        "parts that are not live": stale,
        "tables that are not live": [path for path in tables if _PART_NAME.match(path.stem) and path.stem not in live],
        "old runs": runs,
        "changes of old runs": changes,
    }


def _old_runs(folder: Path, keep: int | None) -> list[Path]:
    """The files of all runs but the newest `keep`; a run's files share the run's name, which is when it started."""
    if keep is None or not folder.is_dir():
        return []
    files = [(match, path) for path in folder.iterdir() if (match := _RUN_NAME.match(path.name))]
    runs = sorted({(match[1], int(match[2] or 1)) for match, _ in files})
    old = set(runs[: max(0, len(runs) - keep)])
    return [path for match, path in files if (match[1], int(match[2] or 1)) in old]


def _n_bytes(path: Path) -> int:
    """Bytes that go with a file or tree; a file that has another name elsewhere stays on the disk."""
    files: Iterator[Path] = path.rglob("*") if path.is_dir() else iter([path])
    found = (file.lstat() for file in files if not file.is_dir())
    return sum(status.st_size for status in found if status.st_nlink == 1)
