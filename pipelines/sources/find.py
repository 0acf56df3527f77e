"""Sources: files, folders, globs and URLs, read record by record. A bad record becomes a reject, never an error.

find                    what there is to read: here; naming gives it names
opening.open_file       its bytes
containers.unpack       a file to streams: compressed files and archives
read.read               a stream to records, by its format: formats/ has a file a format
encodings, transcode, parsing/    bytes to text and rows
lookup, fields, cleaning          rows to documents
"""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any

from kgmill.pipelines.sources.containers import ARCHIVE, KNOWN, is_hidden, kind_of, passed_over, rule_of, unpack
from kgmill.pipelines.sources.naming import Met, named
from kgmill.pipelines.sources.opening import local_info, open_file, open_hashed, stamp
from kgmill.pipelines.sources.read import read
from kgmill.pipelines.urls import file_system, line, split_url
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.errors import SourceError
from kgmill.schemas.records import Document, Reject
from kgmill.schemas.text import storable

_MAX_RULES = 20
# What is no text under any setting.
_NO_TEXTS = {"files.hidden", "files.special", "files.broken_link"} | {
    f"files.{suffix}"
    for suffix in (
        *("pdf", "doc", "docx", "odt", "rtf", "epub", "xls", "xlsx", "ods", "ppt", "pptx", "xz", "7z", "rar", "tar"),
        *("tar.gz", "tar.bz2", "tgz", "png", "jpg", "jpeg", "gif", "webp", "tiff", "mp3", "mp4", "exe", "db", "sqlite"),
    )
}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read.

    Attributes:
        path: an absolute path, or a URL.
        name: unique over all sources, with forward slashes: its path below its source, as a rule.
        n_bytes: its size; 0 where the file system doesn't say.
        stamp: what changes whenever the file does; empty where the file system doesn't say.
    """

    path: str
    name: str
    n_bytes: int
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What the sources have.

    Attributes:
        files: each source's in the order of their paths below it.
        origins: for each name of a file, the whole path that it stands for.
        others: the files that are passed over, counted by rule.
    """

    files: list[SourceFile]
    origins: dict[str, str]
    others: Mapping[str, int]


def find(
    sources: Sequence[str],
    config: SourceConfig | None = None,
    out: str = "",
    known: Mapping[str, str] | None = None,
) -> Found:
    """The files of the sources, and what is passed over.

    A source is a file, a folder (searched whole; links to folders are not followed), a pattern with `*`, `?`, `[]` and
    `**`, or the URL of one of these for any file system that fsspec knows. Folders that kgmill wrote are left out.

    Args:
        sources: at least one.
        config: what is read.
        out: the output, a whole path or a URL, which is no source either.
        known: names that earlier runs gave, with the origins of the files.

    Raises:
        SourceError: a source is missing or of an unknown kind, a folder or file can't be read, a path is not UTF-8, the
            package for a kind of URL is not installed, or there is no file to read in any source.
    """
    config = config or SourceConfig()
    met: list[Met] = []
    others: dict[str, str] = {}
    for number, source in enumerate(sources):
        if not source.strip():
            raise SourceError(f"{source!r}: no source; give a file, folder, pattern or URL, or . for this folder")
        protocol, path = split_url(source)
        search = _Search(source if protocol else path, number, config, others, out.rstrip("/"))
        found = _find_remote(search) if protocol else _find_local(search)
        met.extend(sorted(found, key=lambda file: (file.below.split("/"), file.path)))
    if not met:
        raise SourceError(f"{', '.join(sources)}: no file of a known kind in here; {_ways_out(others.values())}")
    names = list(named(met, known or {}, from_folder=config.id_prefix == "source"))
    return Found(
        [SourceFile(file.path, name, file.n_bytes, file.stamp) for name, file in names],
        {name: file.origin for name, file in names},
        Counter(others.values()),
    )


def find_files(sources: Sequence[str], config: SourceConfig | None = None, out: str = "") -> list[SourceFile]:
    """The files alone; see `find`."""
    return find(sources, config, out).files


def count_others(found: Found, config: SourceConfig) -> dict[str, int]:
    """How many files are passed over, members of archives too, by rule; rare suffixes are summed as `files.other`."""
    counts = Counter(found.others)
    for file in found.files:
        if kind_of(file.name, config.as_text)[0] == ARCHIVE:
            with open_file(file.path) as stream:
                counts.update(map(rule_of, passed_over(stream, config.as_text)))
    ranked = sorted(counts, key=lambda rule: (-counts[rule], rule))
    for rule in [rule for rule in ranked if rule.startswith("files.")][_MAX_RULES:]:
        counts["files.other"] += counts.pop(rule) if rule != "files.other" else 0
    return dict(sorted(counts.items()))


def absolute(source: str) -> str:
    """The source as any working directory would name it."""
    protocol, path = split_url(source)
    return source if protocol else str(Path(path).resolve())


def read_records(
    file: SourceFile,
    config: SourceConfig | None = None,
    on_read: Callable[[int], Any] = lambda n_bytes: None,
    on_digest: Callable[[str], Any] = lambda sha256: None,
) -> Iterator[Document | Reject]:
    """The records of a file, in order.

    `on_read` is told how many of its bytes each read took, `on_digest`, in the end, the SHA-256 of them all.

    Raises:
        SourceError: the file vanished or can't be read any more.
    """
    config = config or SourceConfig()
    with open_hashed(file.path, on_read, on_digest) as stream:
        for unpacked in unpack(file.name, stream, file.n_bytes, config):
            yield from read(unpacked, config)


# What is passed over


@dataclass(frozen=True, slots=True)
class _Search:
    """A source that is looked through.

    Attributes:
        source: its path or URL.
        others: each file that is passed over, with the rule by which it is counted.
        out: the output folder's path; empty where there is none.
    """

    source: str
    number: int
    config: SourceConfig
    others: dict[str, str]
    out: str

    def is_known(self, name: str) -> bool:
        """Whether the name is that of a kind of files that is read."""
        return kind_of(name, self.config.as_text) != ("", "")

    def is_wanted(self, name: str, path: str, *, hidden_too: bool) -> bool:
        """Whether a file is read; one that isn't is noted."""
        if (is_hidden(name) and not hidden_too) or not self.is_known(name):
            self.others[path] = rule_of(name)
            return False
        return True


def _ways_out(rules: Iterable[str]) -> str:
    """The kinds that are known, what there is instead, and how to take that for text."""
    said, others = f"known: {KNOWN}", Counter(rules)
    if others:
        said += f"; passed over: {', '.join(f'{n} {rule}' for rule, n in sorted(others.items()))}"
    return said + _cure(others)


def _cure(rules: Iterable[str]) -> str:
    suffixes = sorted({_suffix(rule) for rule in rules if rule not in _NO_TEXTS})
    if not suffixes:
        return ""
    return f"; to take them as text: as_text = [{', '.join(suffixes)}] under [source] in the configuration"


def _suffix(rule: str) -> str:
    """A kind of files as the setting has it."""
    suffix = rule.removeprefix("files.").split(".")[0]
    if suffix in ("no_suffix", "gz", "zst", "bz2"):
        return '""'
    return '"*"' if suffix == "other" else f'".{suffix}"'


# This machine's files


def _find_local(search: _Search) -> list[Met]:
    source = search.source
    path = Path(source)
    if path.is_dir():
        if is_output(path):
            raise SourceError(f"{source}: is an output of kgmill; give the folder that its documents came from")
        return _met(search, path, _walk(path, search.out))
    if not path.exists() and glob.has_magic(source):
        root = fixed_part(source)
        found = _met(search, Path(root), _matches(source, root, search.out), hidden_too=_wants_hidden(source, root))
        if not found:
            raise SourceError(f"{source}: no file of a known kind matches; {_ways_out(search.others.values())}")
        return found
    if not path.exists():
        raise SourceError(f"{source}: no such file or folder")
    if not path.is_file():  # pipes and devices might keep a reader waiting for ever
        raise SourceError(f"{source}: unknown kind of source; known: folders and files of {KNOWN}")
    if not search.is_known(path.name):
        cure = _cure([rule_of(path.name.lstrip("."))])
        raise SourceError(f"{source}: unknown kind of source; known: folders and files of {KNOWN}{cure}")
    return [_local_file(search, path, path.parent, path.name)]


def _met(search: _Search, root: Path, paths: Iterable[Path], *, hidden_too: bool = False) -> list[Met]:
    """Those of the paths that are files to read: regular ones, and links to them, of a known kind."""
    found = []
    for path in paths:
        below = os.path.relpath(path, root)
        whole = os.path.abspath(path)  # noqa: PTH100 - links are not followed
        if not search.is_wanted(below, whole, hidden_too=hidden_too):
            continue
        if not path.is_file():
            search.others[whole] = "files.special" if path.exists() else "files.broken_link"
            continue
        file = _local_file(search, path, root, below)
        if not search.out or not file.path.startswith(f"{search.out}/"):
            found.append(file)
    return found


def _walk(folder: Path, out: str) -> Iterator[Path]:
    """The files below a folder, without the output folders of builds."""

    def refuse(error: OSError) -> None:
        if not is_hidden(os.path.relpath(error.filename, folder)):
            raise SourceError(f"{error.filename}: {error.strerror}")

    real = str(folder.resolve())
    for where, folders, names in os.walk(folder, onerror=refuse):
        real_here = os.path.normpath(os.path.join(real, os.path.relpath(where, folder)))  # noqa: PTH118 - for speed
        folders[:] = [
            name for name in folders if f"{real_here.rstrip('/')}/{name}" != out and not is_output(Path(where, name))
        ]
        yield from (Path(where, name) for name in names)


def _matches(pattern: str, root: str, out: str) -> Iterator[Path]:
    """The files that a pattern matches, and those below the folders that it matches, each once; no output's."""
    met = set()
    outputs: dict[Path, bool] = {}
    for match in map(Path, sorted(glob.glob(pattern, recursive=True))):  # noqa: PTH207 - paths may be absolute
        between = [match, *takewhile(lambda parent: parent != Path(root), match.parents)]
        if any(outputs.setdefault(folder, is_output(folder)) for folder in between):
            continue
        for path in _walk(match, out) if match.is_dir() else [match]:
            if path not in met:
                met.add(path)
                yield path


def is_output(folder: Path) -> bool:
    """Whether it is the output folder of a build, also of one that has only begun."""
    return (folder / ".lock").is_file() and ((folder / "parts").is_dir() or (folder / ".tmp").is_dir())


def fixed_part(pattern: str) -> str:
    """The folder below which all matches of a pattern lie.

    >>> fixed_part("data/2024/*/news*.jsonl"), fixed_part("*.txt")
    ('data/2024', '')
    """
    parts = pattern.split("/")
    n_fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:n_fixed]) or ("/" if pattern.startswith("/") else "")


def _wants_hidden(pattern: str, root: str) -> bool:
    """Whether a pattern names hidden files or folders itself."""
    return any(part.startswith((".", "~")) for part in pattern[len(root) :].split("/") if part not in (".", ".."))


def _local_file(search: _Search, path: Path, root: Path, below: str) -> Met:
    resolved = str(path.resolve())
    if storable(resolved) != resolved or storable(below) != below:
        raise SourceError(f"{storable(str(path))}: its path is not UTF-8; rename it")
    try:
        with path.open("rb"):
            status = path.stat()
            return Met(search.number, str(root.resolve()), below, resolved, status.st_size, stamp(local_info(status)))
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from None


# Other file systems


def _find_remote(search: _Search) -> list[Met]:
    url = search.source
    if "::" in url:
        raise SourceError(f"{url}: chained URLs are not supported; name the file itself")
    fs, root = file_system(url)
    try:
        entries, is_pattern = _entries(fs, root)
    except FileNotFoundError:
        raise SourceError(f"{url}: no such file or folder") from None
    except Exception as error:  # every file system has errors of its own
        raise SourceError(f"{url}: {line(error)}") from None
    base = fixed_part(root) if is_pattern else root
    is_file = len(entries) == 1 and str(entries[0]["name"]).strip("/") == root.strip("/")
    if is_file:
        base = str(PurePosixPath(root).parent)
    hidden_too = is_file or (is_pattern and _wants_hidden(root, base))
    files = []
    locks = (str(entry["name"]).partition("/.lock/") for entry in entries)
    outputs = {f"{folder}/" for folder, lock, _ in locks if lock}  # of builds
    for entry in entries:
        path = str(entry["name"])
        if path.startswith(tuple(outputs)):
            continue
        below = PurePosixPath(path).name if is_file else path.strip("/")[len(base.strip("/")) :].lstrip("/")
        if search.is_wanted(below, path, hidden_too=hidden_too):
            where = fs.unstrip_protocol(path)
            if search.out and where.startswith(f"{search.out}/"):
                continue
            size = int(entry.get("size") or 0)
            files.append(Met(search.number, fs.unstrip_protocol(base), below, where, size, stamp(entry)))
    if not files and (is_pattern or is_file):
        raise SourceError(f"{url}: no file of a known kind; {_ways_out(search.others.values())}")
    return files


def _entries(fs: Any, root: str) -> tuple[list[dict[str, Any]], bool]:
    """What a file system has at a path, file by file; and whether the path is a pattern."""
    is_pattern = glob.has_magic(root) and not fs.exists(root)
    if is_pattern:
        found = fs.glob(root, detail=True).values()
        nested = [fs.find(entry["name"], detail=True).values() for entry in found if entry["type"] == "directory"]
        entries = [*found, *(entry for folder in nested for entry in folder)]
    elif fs.isdir(root):
        entries = list(fs.find(root, detail=True).values())
    else:
        entries = [fs.info(root)]
    by_name = {entry["name"]: entry for entry in entries if entry["type"] == "file"}
    return list(by_name.values()), is_pattern


def group_files(files: Iterable[SourceFile], n_bytes: int) -> list[list[SourceFile]]:
    """The files in order, in groups of about `n_bytes`; a larger file is a group alone."""
    groups: list[list[SourceFile]] = []
    size = 0
    for file in files:
        if not groups or size + file.n_bytes > n_bytes:
            groups.append([])
            size = 0
        groups[-1].append(file)
        size += file.n_bytes
    return groups
