"""Spills: rows on their way to another unit, in Arrow files; only their paths cross a shuffle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import pyarrow as pa


def spill(rows: pa.Table, units: Sequence[str], path: Path) -> Iterator[tuple[str, str]]:
    """Writes rows to one Arrow file, a batch a unit (`units` has each row's); yields units with their `path#batch`."""
    if not rows.num_rows:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    order = sorted(range(rows.num_rows), key=units.__getitem__)
    with pa.ipc.new_file(str(path), rows.schema) as file:
        for number, (unit, mine) in enumerate(groupby(order, key=units.__getitem__)):
            file.write_batch(rows.take(list(mine)).combine_chunks().to_batches()[0])
            yield unit, f"{path}#{number}"


def read_spills(schema: pa.Schema, spills: Iterable[str], suffix: str = "") -> pa.Table:
    """The rows of batches of files whose names end so, in the order of their names; the empty name has no rows."""
    batches = []
    for name in sorted(spills):
        path, _, number = name.rpartition("#")
        if path and path.endswith(suffix):
            with pa.OSFile(path, "rb") as file:
                batches.append(pa.ipc.open_file(file).get_batch(int(number)))
    return pa.Table.from_batches(batches, schema)
