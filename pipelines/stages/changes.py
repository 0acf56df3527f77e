"""Changes: what a run adds to the graph and takes from it, as N-Quads and as a SPARQL Update.

The live graph is compared with the one that will be, member by member (see `stages.export`). A quad lies in
the member of its unit's hashes, so members are compared in groups that share hashes, one group in memory at a time;
members with equal bytes are not read.
"""

from __future__ import annotations

import gzip
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

from kgmill.pipelines.engine.beam import beam
from kgmill.pipelines.engine.job import Request, write_receipt
from kgmill.pipelines.output.parts import Part, Store
from kgmill.schemas.identity import fingerprint

VERSION = 1
UNIT = "all"
ADDED, REMOVED, UPDATE = "added.nq.gz", "removed.nq.gz", "update.ru.gz"
QUADS_A_BLOCK = 1000
_MEMBER = "quads.nq.gz"
_UNIT = re.compile(r"(?P<kind>.*?)-?(?P<bits>\d\d)-(?P<number>[0-9a-f]{4})")
_BEFORE_U = re.compile(r"(\\\\)([uU])")  # an escaped backslash before a u

Member = tuple[str, str]


def change_key(run: str, before: str, after: str) -> str:
    """Fingerprint of what a run changed from one graph to another."""
    return fingerprint({"version": VERSION, "run": run, "before": before, "after": after})


def groups(before: Iterable[Part], after: Iterable[Part]) -> list[tuple[list[Part], list[Part]]]:
    """The members that differ, old and new, in groups of those that can hold the same quad."""
    old, new = ({part.unit: part for part in parts} for parts in (before, after))
    for unit in old.keys() & new.keys():
        if old[unit].files[_MEMBER]["sha256"] == new[unit].files[_MEMBER]["sha256"]:
            del old[unit], new[unit]
    n_bits: dict[str, int] = {}
    for kind, bits, _ in map(_cut, [*old, *new]):
        n_bits[kind] = min(bits, n_bits.get(kind, bits))
    found: dict[tuple[str, int], tuple[list[Part], list[Part]]] = defaultdict(lambda: ([], []))
    for side, parts in enumerate((old, new)):
        for unit, part in parts.items():
            kind, bits, number = _cut(unit)
            found[kind, number >> (bits - n_bits[kind])][side].append(part)
    return [found[key] for key in sorted(found)]


def _cut(unit: str) -> tuple[str, int, int]:
    """A member's kind, and the bits and number of its unit; a member without a unit is the only one of its kind."""
    match = _UNIT.fullmatch(unit)
    return (match["kind"], int(match["bits"]), int(match["number"], 16)) if match else (unit, 0, 0)


def difference(before: Iterable[bytes], after: Iterable[bytes]) -> tuple[list[bytes], list[bytes]]:
    """The lines that only `before` has and those that only `after` has, both sorted."""
    is_kept = dict.fromkeys(before, False)
    added = set()
    for line in after:
        if line in is_kept:
            is_kept[line] = True
        else:
            added.add(line)
    return sorted(line for line, kept in is_kept.items() if not kept), sorted(added)


def member_lines(parts: Iterable[Part]) -> Iterator[bytes]:
    """The lines of members, with their line breaks.

    Raises:
        CorruptPartError: a member is missing or was altered.
    """
    for part in parts:
        yield from gzip.GzipFile(fileobj=BytesIO(part.read_bytes(_MEMBER)))


def update_blocks(verb: str, lines: Sequence[bytes]) -> Iterator[str]:
    """SPARQL Update operations, `DELETE` or `INSERT`, that do something with all lines, so many at once.

    >>> print(*update_blocks("INSERT", [b'<a:s> <a:p> "x" <a:g> .\\n']))
    INSERT DATA {
    GRAPH <a:g> {
    <a:s> <a:p> "x" .
    }
    } ;
    <BLANKLINE>
    """
    for begin in range(0, len(lines), QUADS_A_BLOCK):
        graphs: dict[str, list[str]] = defaultdict(list)
        for line in lines[begin : begin + QUADS_A_BLOCK]:
            triple, graph, _ = line.decode().rsplit(" ", 2)
            graphs[graph].append(f"{_for_sparql(triple)} .\n")
        body = "".join(f"GRAPH {graph} {{\n{''.join(triples)}}}\n" for graph, triples in graphs.items())
        yield f"{verb} DATA {{\n{body}}} ;\n"


def _for_sparql(triple: str) -> str:
    r"""An N-Triples triple for SPARQL, which reads escapes with `\u` before strings, also behind a backslash.

    >>> print(_for_sparql(r'<a:s> <a:p> "C:\\users"'))
    <a:s> <a:p> "C:\\\u0075sers"
    """
    return _BEFORE_U.sub(lambda m: f"{m[1]}\\u{ord(m[2]):04X}", triple) if "\\\\" in triple else triple


def write_changes(folder: Path, before: Iterable[Part], after: Iterable[Part]) -> dict[str, int]:
    """Writes the three files; returns how many quads were added and removed."""
    counts = {"added_quads": 0, "removed_quads": 0}
    with ExitStack() as stack:
        added, removed, update = (_open(folder / name, stack) for name in (ADDED, REMOVED, UPDATE))
        for old, new in groups(before, after):
            gone, come = difference(member_lines(old), member_lines(new))
            for file, lines in ((removed, gone), (added, come)):
                file.writelines(lines)
            for verb, lines in (("DELETE", gone), ("INSERT", come)):
                update.writelines(block.encode() for block in update_blocks(verb, lines))
            counts["added_quads"] += len(come)
            counts["removed_quads"] += len(gone)
    return counts


def _open(path: Path, stack: ExitStack) -> gzip.GzipFile:
    raw = stack.enter_context(path.open("wb"))
    return stack.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0))


def compare(request: Request) -> None:
    """Commits what changed between two graphs, given as lists of their members; nothing where no quad did."""
    store, s = Store(Path(request.root)), request.settings
    before, after = ([store.need("export", *name) for name in s[side]] for side in ("before", "after"))
    folder = store.scratch()
    counts = write_changes(folder, before, after)
    if any(counts.values()):
        store.commit("changes", UNIT, s["key"], folder, counts | {"run": s["run"]})
    write_receipt(request.scratch, UNIT, {"fingerprint": s["key"], **counts})


def build(pipeline: beam.Pipeline, request: Request) -> None:
    """The job's graph: one comparison."""
    pipeline | "Once" >> beam.Create([request]) | "Compare" >> beam.Map(compare)
