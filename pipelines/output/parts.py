"""The part store: how every stage commits, and what is live. `layout` has the names.

A part is written in a folder of this machine, given its manifest, and put in its place by the storage: it is there
whole or not at all. Its name holds the fingerprint of all that went into it: a part that exists never has to be made
again. A stage's tables are copied first (linked, on a disk), then `live.json` names its parts, then what is not live
goes: whenever a run is killed, the next one finds the old list with its parts or the new one with its own, and copies
what is missing.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgmill.pipelines.output import layout
from kgmill.pipelines.output.layout import MANIFEST
from kgmill.pipelines.storage import open_storage
from kgmill.pipelines.storage.base import Entry, Storage, children_of
from kgmill.pipelines.storage.files import hash_file, remove, to_json, write_json
from kgmill.pipelines.storage.scratch import Scratch
from kgmill.schemas.errors import CorruptPartError
from kgmill.schemas.identity import fingerprint as fingerprint_of

if TYPE_CHECKING:  # whoever only asks where things are needn't wait for it
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Part:
    """A committed part.

    Attributes:
        place: its folder in the output.
        counts: what its stage counted while making it.
        files: per file name its `bytes` and `sha256`, and its `rows` where it is a table.
    """

    stage: str
    unit: str
    fingerprint: str
    place: str
    counts: dict[str, Any]
    files: dict[str, dict[str, Any]]
    storage: Storage = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """UNIT.FINGERPRINT, cut to 16 digits."""
        return layout.part_name(self.unit, self.fingerprint)

    def rows(self, table: str) -> int:
        """Rows of one of its tables."""
        return int(self.files[f"{table}.parquet"]["rows"])

    @property
    def manifest(self) -> dict[str, Any]:
        """What its manifest holds."""
        names = ("stage", "unit", "fingerprint", "counts", "files")
        said = {name: getattr(self, name) for name in names}
        return said | {"checksum": fingerprint_of(said)}

    def file(self, name: str) -> str:
        """Where one of its files lies in the output."""
        return self.storage.data_name(self.place, name, self.files[name]["sha256"])

    def read(self, table: str, columns: list[str] | None = None) -> pa.Table:
        """One of its tables, after its checksum was found right.

        Raises:
            CorruptPartError: the file is missing or was altered.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        return pq.read_table(pa.BufferReader(self.read_bytes(f"{table}.parquet")), columns=columns)

    def read_bytes(self, name: str) -> bytes:
        """The bytes of one of its files, after their checksum was found right.

        Raises:
            CorruptPartError: the file is missing or was altered.
        """
        return self._checked(name, self.files[name]["sha256"], self.storage.read)

    def read_range(self, name: str, start: int, n_bytes: int, sha256: str) -> bytes:
        """So many bytes of one of its files, after their checksum was found right.

        Raises:
            CorruptPartError: the file is missing or was altered.
        """
        return self._checked(name, sha256, lambda file: self.storage.read_range(file, start, n_bytes))

    def _checked(self, name: str, sha256: str, read: Callable[[str], bytes]) -> bytes:
        file = self.file(name)
        try:
            data = read(file)
        except OSError as error:
            why = error.strerror or "No such file or directory"
            raise CorruptPartError(f"{self.storage.place(file)}: {why}; build again, and it is made again") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            place = self.storage.place(file)
            raise CorruptPartError(f"{place}: not the bytes that were committed; build again, and it is made again")
        return data


class Store:
    """The part store of an output. Making one touches nothing."""

    def __init__(self, output: Storage | Path | str) -> None:
        self.storage = output if isinstance(output, Storage) else open_storage(str(output))
        self.tmp = self.storage.tmp
        self._is_sole = False  # whether this process alone changes what is far away, and so needn't ask twice
        self._lists: dict[str, Any] = {}  # what live.json of each far stage holds, while it is sole
        self._found: dict[str, Part] = {}
        self._learnt: set[str] = set()

    @property
    def where(self) -> str:
        """The output's place, as people see it and other processes open it."""
        return self.storage.where

    def create(self) -> None:
        """Makes the output's place.

        Raises:
            OutputError: it can't be made or written.
        """
        self.storage.prepare()

    @contextmanager
    def lock(self, *, clear: bool = True) -> Iterator[None]:
        """Holds the output for this process, and clears the work in progress that dead runs left on this machine.

        Raises:
            LockError: another process holds it; the message has its pid, its host and when it started.
        """
        with self.storage.hold():
            self._forget()
            self._is_sole = not self.storage.is_near
            try:
                if clear:
                    self.clear()
                yield
            finally:
                self._is_sole = False
                self._forget()

    def _forget(self) -> None:
        """Forgets what was found far away, which others may change or have changed."""
        self._lists.clear()
        self._found.clear()
        self._learnt.clear()

    def clear(self) -> None:
        """Removes all work in progress; only the holder of the lock may."""
        for leftover in self.tmp.iterdir():
            remove(leftover)
        if not self.storage.is_near:
            self.storage.remove(layout.TMP)

    def scratch(self) -> Path:
        """A new folder for work in progress, on this machine."""
        if not self.tmp.exists():
            self.storage.prepare()  # a worker on another machine than the build's
        path = self.tmp / uuid.uuid4().hex
        path.mkdir()
        return path

    def shared(self) -> Scratch:
        """New scratch for processes that may be on other machines: where the output is, as all of them see that."""
        return Scratch(self.scratch() if self.storage.is_near else f"{self.where}/{layout.TMP}/{uuid.uuid4().hex}")

    def find(self, stage: str, unit: str, fingerprint: str) -> Part | None:
        """The part, if it was committed."""
        part = self.open(layout.part_place(stage, layout.part_name(unit, fingerprint)))
        return part if part and part.fingerprint == fingerprint else None

    def need(self, stage: str, unit: str, fingerprint: str) -> Part:
        """The part, which was committed.

        Raises:
            CorruptPartError: it is gone.
        """
        part = self.find(stage, unit, fingerprint)
        if part is None:
            name = layout.part_name(unit, fingerprint)
            raise CorruptPartError(f"{self.where}: {stage} part {name} is gone; build again")
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
            import pyarrow.parquet as pq

            for name, table in content.items():
                pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
                files[f"{name}.parquet"] = {"rows": table.num_rows}
        for path in sorted(folder.iterdir()):
            files.setdefault(path.name, {}).update(bytes=path.stat().st_size, sha256=hash_file(path))
        place = layout.part_place(stage, layout.part_name(unit, fingerprint))
        part = Part(stage, unit, fingerprint, place, dict(counts), files, self.storage)
        write_json(folder / MANIFEST, part.manifest)
        if found := self.find(stage, unit, fingerprint):
            remove(folder)
            return found
        if self.storage.has(f"{place}/{MANIFEST}"):
            self.storage.remove(place)  # damaged, so no part
        hashes = {name: file["sha256"] for name, file in files.items()}
        if self.storage.put(folder, place, hashes, MANIFEST):
            return part
        return self.need(stage, unit, fingerprint)

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
        listed = self._live_json(stage)
        try:
            return {"key": str(listed["key"]), "parts": [(str(unit), str(key)) for unit, key in listed["parts"]]}
        except (ValueError, TypeError, KeyError):
            return None

    def _live_json(self, stage: str) -> Any:
        """What live.json holds; None where it can't be read."""
        if stage in self._lists:
            return self._lists[stage]
        try:
            listed = json.loads(self.storage.read(layout.live_list(stage)))
        except (OSError, ValueError):
            listed = None
        if self._is_sole:
            self._lists[stage] = listed
        return listed

    def stages(self) -> list[str]:
        """The stages that have parts, or had."""
        return self.storage.children(layout.PARTS)

    def places(self, stage: str) -> list[str]:
        """The folders that parts of a stage may be in, whole or not, by name."""
        names = self.storage.children(f"{layout.PARTS}/{stage}")
        return [layout.part_place(stage, name) for name in names if layout.is_part_name(name)]

    def committed(self, stage: str) -> list[Part]:
        """All committed parts of a stage, live or not, by name."""
        return [part for place in self.places(stage) if (part := self.open(place))]

    def publish(self, stage: str, parts: Iterable[Part], tables: Iterable[str], key: str = "") -> None:
        """Makes the parts the stage's live ones: their tables appear under DIR/tables, others' go, other parts go.

        `key` is what `live_key` will give.
        """
        live = sorted(parts, key=lambda part: part.unit)
        there = self._listed_far([stage])
        for table in tables:
            wanted = {f"{p.name}.parquet": p.file(f"{table}.parquet") for p in live}
            self._show(f"{layout.TABLES}/{table}", wanted, there)
        self.list_live(stage, live, key)
        names = {part.name for part in live} | {layout.LIVE}
        below = f"{layout.PARTS}/{stage}"
        for name in self.storage.children(below) if self.storage.is_near else children_of(there.values(), below):
            if name not in names:
                self.discard(layout.part_place(stage, name))

    def list_live(self, stage: str, live: Iterable[Part], key: str) -> None:
        """Writes live.json; not a far one that says so already."""
        parts = list(live)
        listed: dict[str, Any] = {"key": key, "parts": [[part.unit, part.fingerprint] for part in parts]}
        if not self.storage.is_near:
            listed["manifests"] = [part.manifest for part in parts]
        if self._is_sole and self._live_json(stage) == listed:
            return
        self.storage.write(layout.live_list(stage), to_json(listed))
        if self._is_sole:
            self._lists[stage] = listed

    def unlist(self, stage: str) -> None:
        """Removes live.json."""
        self._lists.pop(stage, None)
        self.storage.remove(layout.live_list(stage))

    def publish_files(self, folder: str, parts: Sequence[Part]) -> None:
        """Makes the files of parts the content of DIR/FOLDER."""
        there = self._listed_far({part.stage for part in parts})
        self._show(folder, {name: part.file(name) for part in parts for name in part.files}, there)

    def release(self, part: Part, folder: str, prefix: str) -> None:
        """Adds a part's files to what is in DIR/FOLDER, as PREFIX.NAME; then the part itself goes."""
        for name in part.files:
            self.storage.copy(part.file(name), f"{folder}/{prefix}.{name}")
        self.storage.settle(folder)
        self.discard(part.place)

    def discard(self, place: str) -> None:
        """Removes a part, or what lies in its place."""
        self._found.pop(place, None)
        self.storage.remove(place)

    def _show(self, folder: str, wanted: Mapping[str, str], there: Mapping[str, Entry]) -> None:
        """Makes a folder hold copies of files of parts; far ones are compared by what listings say (`there`)."""
        shown = {} if self.storage.is_near else {entry.name: entry for entry in self.storage.entries(folder)}
        for name, source in wanted.items():
            target = f"{folder}/{name}"
            if not (source in there and there[source].is_like(shown.get(target))):
                self.storage.copy(source, target)
        for name in self.storage.children(folder) if self.storage.is_near else children_of(shown.values(), folder):
            if name not in wanted:
                self.storage.remove(f"{folder}/{name}")
        self.storage.settle(folder)

    def _listed_far(self, stages: Iterable[str]) -> dict[str, Entry]:
        """The files of the parts of stages by name, where they are far away: a question for each would take long."""
        if self.storage.is_near:
            return {}
        return {entry.name: entry for stage in stages for entry in self.storage.entries(f"{layout.PARTS}/{stage}")}

    def open(self, place: str) -> Part | None:
        """The part in a folder; None where there is no manifest that is whole. A far one is asked for only once.

        The far parts of a stage that live.json lists are known by what it says of them, where a listing has them.
        """
        if not self.storage.is_near:
            self.learn(place.split("/")[1])
        if place in self._found:
            return self._found[place]
        try:
            part = self._part(place, json.loads(self.storage.read(f"{place}/{MANIFEST}")))
        except (OSError, ValueError):
            return None
        if part and not self.storage.is_near:
            self._found[place] = part
        return part

    def _part(self, place: str, manifest: Any) -> Part | None:
        """The part that a manifest describes; None where it isn't whole."""
        try:
            said = {name: value for name, value in manifest.items() if name != "checksum"}
            if manifest["checksum"] != fingerprint_of(said):
                return None
            names = ("unit", "fingerprint", "counts", "files")
            unit, fingerprint, counts, files = (said[name] for name in names)
        except (AttributeError, KeyError, TypeError):
            return None
        return Part(place.split("/")[1], unit, fingerprint, place, counts, files, self.storage)

    def learn(self, stage: str, there: Collection[str] | None = None) -> None:
        """Reads what live.json has of all manifests of a far stage at once; a request for each part would take long.

        `there` has the names of the files that there are, where they are listed already.
        """
        if stage in self._learnt:
            return
        self._learnt.add(stage)
        listed = self._live_json(stage)
        try:
            told = [(str(manifest["unit"]), str(manifest["fingerprint"]), manifest) for manifest in listed["manifests"]]
        except (ValueError, TypeError, KeyError):
            return
        if there is None:
            there = self._listed_far([stage])
        for unit, fingerprint, manifest in told:
            place = layout.part_place(stage, layout.part_name(unit, fingerprint))
            if f"{place}/{MANIFEST}" in there and (part := self._part(place, manifest)):
                self._found[place] = part
