"""Spills: rows on their way to another unit, in Arrow files; only their paths cross a shuffle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import pyarrow as pa

from kgmill.pipelines.storage.scratch import Scratch


def spill(rows: pa.Table, units: Sequence[str], scratch: Scratch, name: str) -> Iterator[tuple[str, str]]:
    """Writes rows to one Arrow file, a batch a unit (`units` has each row's); yields units with their `name#batch`."""
    if not rows.num_rows:
        return
    order = sorted(range(rows.num_rows), key=units.__getitem__)
    spilled = []
    with scratch.create(name) as sink, pa.ipc.new_file(sink, rows.schema) as file:
        for number, (unit, mine) in enumerate(groupby(order, key=units.__getitem__)):
            file.write_batch(rows.take(list(mine)).combine_chunks().to_batches()[0])
            spilled.append((unit, f"{name}#{number}"))
    yield from spilled  # now that the file is there


def read_spills(scratch: Scratch, schema: pa.Schema, spills: Iterable[str], suffix: str = "") -> pa.Table:
    """The rows of batches of files whose names end so, in the order of their names; the empty name has no rows."""
    batches = []
    for name in sorted(spills):
        file_name, _, number = name.rpartition("#")
        if file_name and file_name.endswith(suffix):
            with scratch.open(file_name) as file:
                batches.append(pa.ipc.open_file(file).get_batch(int(number)))
    return pa.Table.from_batches(batches, schema)
