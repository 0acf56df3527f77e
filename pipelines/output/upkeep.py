"""Upkeep of an output folder: damaged parts are found and removed before a build, leftovers by `kgmill gc`."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from kgmill.pipelines.output import layout
from kgmill.pipelines.output.format import check_format
from kgmill.pipelines.output.ledger import last_run
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.storage.files import is_alive, remove
from kgmill.schemas.errors import OutputError
from kgmill.schemas.units import Unit

_RUN_NAME = re.compile(r"^(\d{4}-\d\d-\d\dT\d{6}Z)(?:-(\d+))?(?=\.)")
_STORE_NAME = re.compile(r"^[0-9a-f]{16}$")
WORK = "work in progress"


def verify(store: Store) -> list[str]:
    """Looks at all that is committed; removes what is not what was committed. Returns a line for each fault found.

    On a disk every byte is read, about 1 GB a second and core. Elsewhere names and sizes are held against the
    manifests, and bytes whenever they are read. A removed part is made again by the stages that need it. The tables
    under DIR/tables and the files of DIR/graph are hard links to the parts' files, or are written anew by every build.
    Only the holder of the lock may call it.
    """
    lines = []
    storage = store.storage
    sizes = {} if storage.is_near else {entry.name: entry.n_bytes for entry in storage.entries(layout.PARTS)}
    for stage, places in _places(store, sizes).items():
        parts = {place: part for place in places if (part := store.open(place))}
        broken = [place for place in places if place not in parts]
        lines += [f"{storage.place(p)}: has no manifest that is whole; removed, to be made again" for p in broken]
        look = _fault if storage.is_near else partial(_fault_of_size, sizes=sizes)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            faults = list(zip(parts, pool.map(look, parts.values()), strict=True))
        lines += [f"{fault}; its part was removed, to be made again" for _, fault in faults if fault]
        broken += [place for place, fault in faults if fault]
        for place in broken:
            store.discard(place)
        live = layout.live_list(stage)
        if (storage.has(live) if storage.is_near else live in sizes) and store.listed(stage) is None:
            lines.append(_mend_list(store, stage))
    return lines


def _places(store: Store, sizes: Mapping[str, int]) -> dict[str, list[str]]:
    """By stage the folders that parts may be in, whole or not; of far ones it is known by one listing of all files."""
    if store.storage.is_near:
        return {stage: store.places(stage) for stage in store.stages()}
    found: dict[str, set[str]] = {}
    for name in sizes:
        found.setdefault(name.split("/")[1], set()).add(layout.part_of(name))
    for stage in found:
        store.learn(stage, sizes)
    return {stage: sorted(places - {""}) for stage, places in sorted(found.items())}


def _fault(part: Part) -> str:
    """What is wrong with a part's files, whose bytes are read; empty if nothing is."""
    if fault := _misplaced(part):
        return fault
    for name, promised in part.files.items():
        place = part.storage.place(part.file(name))
        try:
            data = Path(place)
            if data.stat().st_size != promised["bytes"]:
                return f"{place}: {data.stat().st_size} bytes, not the {promised['bytes']} that were committed"
            with data.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != promised["sha256"]:
                    return f"{place}: not the bytes that were committed"
        except OSError as error:
            return f"{place}: {error.strerror}"
    return ""


def _fault_of_size(part: Part, sizes: Mapping[str, int]) -> str:
    """What is wrong with a part's files as a listing shows them; empty if nothing is."""
    if fault := _misplaced(part):
        return fault
    for name, promised in part.files.items():
        place = part.storage.place(part.file(name))
        if part.file(name) not in sizes:
            return f"{place}: No such file or directory"
        if (n_bytes := sizes[part.file(name)]) != promised["bytes"]:
            return f"{place}: {n_bytes} bytes, not the {promised['bytes']} that were committed"
    return ""


def _misplaced(part: Part) -> str:
    is_its_own = part.place.endswith(f"/{part.name}")
    return "" if is_its_own else f"{part.storage.place(part.place)}: holds the part {part.name}"


def _mend_list(store: Store, stage: str) -> str:
    """Writes live.json anew if the committed parts can only be the live ones: one a unit, all of one cutting."""
    place = store.storage.place(layout.live_list(stage))
    parts = store.committed(stage)
    units = [part.unit for part in parts]
    if len(set(units)) < len(units) or len({Unit.parse(unit).bits for unit in units if unit[0].isdigit()}) > 1:
        store.unlist(stage)
        return f"{place}: damaged; removed, as it can't be told which parts were live"
    store.list_live(stage, parts, "")
    return f"{place}: damaged; written anew from the {len(parts)} parts beside it"


def collect(store: Store, keep_runs: int | None = None, *, dry_run: bool = False) -> dict[str, tuple[int, int]]:
    """Removes leftovers; returns how many things of each kind went, or would go, and their bytes.

    Leftovers are work in progress, parts and tables that are not live, embedded stores of other graphs, and, beyond the
    newest `keep_runs` (None: all), the files of DIR/runs and the changes of those runs. Whatever has another name than
    kgmill gives is left alone.

    Raises:
        OutputError: no build ever ran in the folder, or one of a later kgmill.
        LockError: a build runs in it.
    """
    storage = store.storage
    if not storage.was_held():
        raise OutputError(f"{store.where}: no output folder of kgmill; name the DIR of a build's --out")
    check_format(store)
    with store.lock(clear=False):
        return sweep(store, keep_runs, dry_run=dry_run)


def sweep(store: Store, keep_runs: int | None = None, *, dry_run: bool = False) -> dict[str, tuple[int, int]]:
    """The same for the holder of the lock."""
    storage = store.storage
    unfinished = [*sorted(store.tmp.iterdir()), *_half_written(store)]
    found = {kind: sorted(names) for kind, names in _leftovers(store, keep_runs).items()}
    freed = {WORK: (len(unfinished), sum(map(_n_bytes, unfinished)))}
    for kind, names in found.items():
        n_bytes = sum(entry.n_freed for name in names for entry in storage.entries(name))
        n_names, n_before = freed.get(kind, (0, 0))
        freed[kind] = (n_names + len(names), n_before + n_bytes)
    if not dry_run:
        for path in unfinished:
            remove(path)
        for name in (name for names in found.values() for name in names):
            storage.remove(name)
    return freed


def _leftovers(store: Store, keep_runs: int | None) -> dict[str, list[str]]:
    storage = store.storage
    live: set[str] = set()
    stale: list[str] = []
    strays: list[str] = []
    for stage in store.stages():
        names = {layout.part_name(unit, key) for unit, key in store.listed(stage) or []}
        stale += [place for place in store.places(stage) if place.rpartition("/")[2] not in names]
        if not storage.is_near:
            strays += _strays(store, stage)
        live |= names
    tables = [
        f"{layout.TABLES}/{table}/{name}"
        for table in storage.children(layout.TABLES)
        for name in storage.children(f"{layout.TABLES}/{table}")
        if layout.is_table_name(name) and name.removesuffix(".parquet") not in live
    ]
    return {
        WORK: [name for name in strays if not name.startswith(tuple(f"{place}/" for place in stale))],
        "parts that are not live": stale,
        "tables that are not live": tables,
        "stores of other graphs": _stale_stores(store),
        "old runs": old_files(store, layout.RUNS, keep_runs),
        "changes of old runs": old_files(store, layout.CHANGES, keep_runs),
    }


def _half_written(store: Store) -> list[Path]:
    """What processes that died left beside the files that they were writing, where DIR is on this machine."""
    folder = store.storage.folder()
    if folder is None:
        return []
    partial = [path for pattern in (".*.partial", f"{layout.LOAD}/.*.partial") for path in folder.glob(pattern)]
    journals = [
        path
        for path in folder.glob(f"{layout.LOAD}/.tmp-*")
        if (pid := path.name.split("-")[1]).isdigit() and not is_alive(int(pid))  # a load takes no lock
    ]
    return sorted([*partial, *journals])


def _stale_stores(store: Store) -> list[str]:
    """The embedded stores of graphs that are not the live one's; where it isn't known which that is, none."""
    live = str(last_run(store).get("graph", {}).get("sha256", ""))[:16]
    names = (name for name in store.storage.children(layout.QUERIED) if _STORE_NAME.match(name))
    return [f"{layout.QUERIED}/{name}" for name in names if live and name != live]


def _strays(store: Store, stage: str) -> list[str]:
    """What dead processes put beside the files of whole parts, where files come one by one."""
    named = {part.file(name) for part in store.committed(stage) for name in part.files}
    files = (entry.name for entry in store.storage.entries(f"{layout.PARTS}/{stage}"))
    return [name for name in files if name.count("/") > 2 and name not in named and not name.endswith(layout.MANIFEST)]


def old_files(store: Store, folder: str, keep: int | None) -> list[str]:
    """The files of all runs but the newest `keep`; a run's files share the run's name, which is when it started."""
    if keep is None:
        return []
    files = [(match, name) for name in store.storage.children(folder) if (match := _RUN_NAME.match(name))]
    runs = sorted({(match[1], int(match[2] or 1)) for match, _ in files})
    old = set(runs[: max(0, len(runs) - keep)])
    return [f"{folder}/{name}" for match, name in files if (match[1], int(match[2] or 1)) in old]


def _n_bytes(path: Path) -> int:
    """Bytes that go with a file or tree; a file that has another name elsewhere stays on the disk."""
    files = path.rglob("*") if path.is_dir() else iter([path])
    found = (file.lstat() for file in files if not file.is_dir())
    return sum(status.st_size for status in found if status.st_nlink == 1)
