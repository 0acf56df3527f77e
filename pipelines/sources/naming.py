"""Names of files: unique over all sources, and the same whatever sources come behind them.

A file is named by its path below its source. Where an earlier source, or in mode append an earlier run, has given that
name to another file, the folder of its own source comes in front, and as many folders above as it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Met:
    """A file that was found.

    Attributes:
        source: the number of its source.
        root: the folder that it lies below, without links; for other machines a URL.
        below: its path below that.
        path: where it is read; of a link, where that leads.
        n_bytes: its size; 0 where the file system doesn't say.
        stamp: what changes whenever the file does; empty where the file system doesn't say.
    """

    source: int
    root: str
    below: str
    path: str
    n_bytes: int
    stamp: str = ""

    @property
    def origin(self) -> str:
        """What tells it from every other file."""
        return f"{self.root.rstrip('/')}/{self.below}"


def named(files: Iterable[Met], known: Mapping[str, str], *, from_folder: bool) -> Iterator[tuple[str, Met]]:
    """The files with their names. A file that several sources have is there once, under the first one.

    Args:
        files: in the order of the sources.
        known: names that are given already, with the origins of their files; such a file keeps its name.
        from_folder: every name begins with the folder of its source.
    """
    given = {origin: name for name, origin in known.items() if origin}
    taken, readers = dict(known), dict[str, int]()
    for file in files:
        if readers.setdefault(file.path, file.source) != file.source:
            continue
        name = given.get(file.origin) or next(
            name for name in _candidates(file, from_folder) if taken.get(name, file.origin) == file.origin
        )
        taken[name] = file.origin
        yield name, file


def _candidates(file: Met, from_folder: bool) -> Iterator[str]:
    """Names from the shortest to the whole, which no other file can have.

    >>> list(_candidates(Met(0, "/news/2024", "a/b.txt", "", 0), False))
    ['a/b.txt', '2024/a/b.txt', 'news/2024/a/b.txt', '/news/2024/a/b.txt']
    """
    folders = [part for part in file.root.split("/") if part]
    for n in range(min(int(from_folder), len(folders)), len(folders) + 1):
        yield "/".join([*folders[len(folders) - n :], file.below])
    yield file.origin
