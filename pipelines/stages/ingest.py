"""Ingest: sources to document parts, cut into units by the hash of the document's id, so an edit moves nobody else.

The driver's side: what there is to read, whether it is what was read before, and how the result goes live. The worker's
is `stages.documents`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from kgmill.pipelines.engine.progress import Extent
from kgmill.pipelines.output.forgotten import Forgotten, read_forgotten
from kgmill.pipelines.output.origins import Origin, commit_origins, known_origins, publish_origins
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.sources.duplicates import (
    n_bands_and_rows,
)
from kgmill.pipelines.sources.find import Found, SourceFile, count_others, find, group_files
from kgmill.pipelines.sources.heads import agencies_of
from kgmill.pipelines.sources.opening import open_file
from kgmill.pipelines.stages.documents import VERSION, Settings, Task, build, read_digests, work
from kgmill.pipelines.stages.stage import Outcome, Parts, Todo
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.errors import KgmillError, VanishError
from kgmill.schemas.identity import fingerprint
from kgmill.schemas.units import Unit

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

__all__ = ["Settings", "Task", "build", "work"]  # what a job has, beside what is here

NOTHING = Forgotten()
MAX_BITS = 20
MAX_VANISHING = 0.2  # of the live documents, without --yes
_KEY_BYTES_A_PARTITION = 16 << 20
_READINGS_A_COMMIT = 1.0  # staging and committing units takes about as long as reading the files


def settings_key(config: BuildConfig) -> str:
    """Fingerprint of all that decides which documents come out of given files."""
    agencies = sorted(agencies_of(config.source.agencies))
    return fingerprint({"version": VERSION, "agencies": agencies, **config.read_by("ingest")})


def source_key(
    digests: Mapping[str, str], config: BuildConfig, forgotten: Forgotten = NOTHING, names: Sequence[str] = ()
) -> str:
    """Fingerprint of the files, by name and SHA-256, and of all that decides which documents come out of them.

    Of files (`names` are those that there are) that were forgotten only that they are there is in it.
    """
    known: dict[str, Any] = {"settings": settings_key(config)}
    known["files"] = sorted((name, sha256) for name, sha256 in digests.items() if not forgotten.has(name))
    if forgotten.hashes:
        there = sorted(forgotten.hash_of(name) for name in names if forgotten.has(name))
        known["forgotten"] = [sorted(forgotten.hashes), there]
    return fingerprint(known)


def known_digests(files: Sequence[SourceFile], origins: Mapping[str, Origin]) -> dict[str, str]:
    """The SHA-256 of each file by name, if all are those that were read before; else nothing.

    A file that has its stamp still is not read; another one is, up to the first whose content is new.
    """
    if not all(file.name in origins for file in files):
        return {}
    digests = {}
    for file in files:
        known = origins[file.name]
        is_same = bool(file.stamp) and file.stamp == known.stamp
        if not is_same and (not known.sha256 or _digest(file) != known.sha256):
            return {}
        digests[file.name] = known.sha256
    return digests


def _digest(file: SourceFile) -> str:
    with open_file(file.path) as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def unit_bits(n_bytes: int, unit_bytes: int, max_bits: int = MAX_BITS) -> int:
    """How many bits of the hash cut `n_bytes` into units of about `unit_bytes`; units are 2 ** bits."""
    n_units = max(1, -(-n_bytes // unit_bytes))
    return min(max_bits, (n_units - 1).bit_length())


def plan(
    files: Sequence[SourceFile], live: Sequence[Part], config: BuildConfig, forgotten: Forgotten = NOTHING
) -> tuple[list[Task], Settings]:
    """The job's tasks and settings. In mode append the documents of live parts count for the number of units too."""
    carried = live if config.mode == "append" else []
    n_bytes = sum(file.n_bytes for file in files) + sum(part.counts["bytes"] for part in carried)
    n_rows = n_bands_and_rows(config.near_duplicates)[0] * 2 if config.near_duplicates else 0
    settings = Settings(
        n_bits=unit_bits(n_bytes, config.unit_bytes),
        n_key_bits=unit_bits(n_bytes * (1 + n_rows), _KEY_BYTES_A_PARTITION),
        near_duplicates=config.near_duplicates,
        source=config.source,
        live=tuple((part.unit, part.fingerprint) for part in live),
        forgotten=forgotten,
    )
    tasks: list[Task] = []
    first = 0
    for group in group_files(files, 4 * config.unit_bytes):
        n_bytes = sum(file.n_bytes for file in group)
        tasks.append(Task(f"read-{len(tasks)}", n_bytes, first, tuple(group)))
        first += len(group)
    for part in carried:
        name = (part.unit, part.fingerprint)
        tasks.append(Task(f"read-{len(tasks)}", part.counts["bytes"], carried=name))
    return tasks, settings


def extent(tasks: Sequence[Task], settings: Settings) -> Extent:
    """What the job has to do."""
    steps = {task.step: 1.0 + task.n_bytes for task in tasks}
    units = [str(unit) for unit in Unit.each(settings.n_bits)]
    return Extent(dict.fromkeys(units, _READINGS_A_COMMIT * sum(steps.values()) / len(units)), steps)


def missing(context: RunContext, store: Store, parts: Parts) -> Todo:
    """What ingest has to do: nothing, where the sources and what it reads of the configuration are those of the live
    documents.

    Raises:
        KgmillError: documents would be appended to ones that are gone.
    """
    config, origins, kept = context.config, known_origins(store), kept_origins(context, store)
    forgotten = read_forgotten(store)
    found = find_sources(context, kept)
    live = store.live("ingest")
    told = [file for file in found.files if not forgotten.has(file.name)]
    digests = known_digests(told, origins) if store.live_key("ingest") else {}
    key = source_key(digests, config, forgotten, [file.name for file in found.files])
    if digests and store.is_whole("ingest") and key == store.live_key("ingest"):
        publish = partial(_publish, context, store, found, kept, digests)
        return Todo(live, (), None, Extent({}), publish)
    if config.mode == "append" and not store.is_whole("ingest"):
        raise KgmillError(f"{store.where}: some documents of earlier runs are gone; build without --mode append")
    tasks, settings = plan(found.files, live, config, forgotten)
    return Todo((), tasks, settings, extent(tasks, settings), partial(_publish, context, store, found, kept, {}))


def kept_origins(context: RunContext, store: Store) -> dict[str, Origin]:
    """The files of earlier runs whose documents stay, by name."""
    return known_origins(store) if context.config.mode == "append" else {}


def find_sources(context: RunContext, kept: Mapping[str, Origin]) -> Found:
    """What the sources have; a file that was read before keeps the name that is in `kept`."""
    names = {name: origin.path for name, origin in kept.items()}
    return find(context.sources, context.config.source, context.out, names)


def _publish(
    context: RunContext,
    store: Store,
    found: Found,
    kept: Mapping[str, Origin],
    digests: Mapping[str, str],
    outcome: Outcome,
) -> dict[str, Any]:
    """Makes the documents live, if not too many vanish, with where they came from.

    Raises:
        VanishError: they do.
    """
    counts: Counter[str] = Counter({"added": 0, "changed": 0, "removed": 0})
    files = {file.name: file for file in found.files}
    if outcome.scratch is not None:
        for receipt in outcome.receipts.values():
            counts.update({name: int(receipt.counts[name]) for name in counts})
        n_live = sum(part.counts["kept"] for part in store.live("ingest"))
        check_vanishing(counts["removed"], n_live, context.yes)
        digests = read_digests(outcome.scratch)
        files = {file.name: file for file in find_sources(context, kept).files}
    # Sources that changed while they were read: which version was met is not known.
    forgotten = read_forgotten(store)  # of their files no name is kept
    told = [file for file in found.files if not forgotten.has(file.name)]
    is_known = all(file.name in digests and files.get(file.name) == file for file in told)
    key = (
        source_key(digests, context.config, forgotten, list(files))
        if is_known and len(files) == len(found.files)
        else ""
    )
    stamps = {file.name: file.stamp for file in found.files} if key else {}
    origins = {
        name: Origin(path, stamps.get(name, ""), digests.get(name, "") if key else "")
        for name, path in found.origins.items()
    }
    others = count_others(found, context.config.source)
    named = {name: origin for name, origin in {**kept, **origins}.items() if not forgotten.has(name)}
    part = commit_origins(store, outcome.parts, named, others)
    store.publish("ingest", outcome.parts, ["documents"], key)
    publish_origins(store, part)
    return dict(counts)


def check_vanishing(n_removed: int, n_live: int, yes: bool) -> None:
    """Stops a build in which more than a fifth of the live documents would leave, unless that is wanted.

    Raises:
        VanishError: naming how many of how many, and the way out.
    """
    if n_removed > MAX_VANISHING * n_live and not yes:
        raise VanishError(
            f"{n_removed} of {n_live} documents would leave the graph, more than {MAX_VANISHING:.0%}; "
            "if that is wanted say --yes, to keep them --mode append"
        )
