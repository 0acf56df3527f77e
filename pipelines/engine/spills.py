"""Spills: rows on their way to another unit, in files of Arrow batches; only names cross a shuffle.

A name says where in its file a unit's batch lies, so that reading one costs the same however many others there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import pyarrow as pa

from kgmill.pipelines.storage.scratch import Scratch


def spill(rows: pa.Table, units: Sequence[str], scratch: Scratch, name: str) -> Iterator[tuple[str, str]]:
    """Writes rows to one file, a batch a unit (`units` has each row's); yields units with their `name#start-bytes`."""
    if not rows.num_rows:
        return
    order = sorted(range(rows.num_rows), key=units.__getitem__)
    spilled, start = [], 0
    with scratch.create(name) as sink:
        for unit, mine in groupby(order, key=units.__getitem__):
            batch = rows.take(list(mine)).combine_chunks().to_batches()[0].serialize()
            sink.write(batch)
            spilled.append((unit, f"{name}#{start}-{batch.size}"))
            start += batch.size
    yield from spilled  # now that the file is there


def read_spills(scratch: Scratch, schema: pa.Schema, spills: Iterable[str], suffix: str = "") -> pa.Table:
    """The rows of batches of files whose names end so, in the order of their names; the empty name has no rows."""
    batches = []
    for name in sorted(spills):
        file_name, _, place = name.rpartition("#")
        if file_name and file_name.endswith(suffix):
            data = scratch.read_range(file_name, *map(int, place.split("-")))
            batches.append(pa.ipc.read_record_batch(pa.py_buffer(data), schema))
    return pa.Table.from_batches(batches, schema)
