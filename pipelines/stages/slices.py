"""Slices: the small rows of a group of units, cut by the partition that they belong to, in one file a group.

A slice is a batch of Arrow a kind, one behind the other, compressed together, so that a partition reads its own bytes
of a group's file, and there are as many files as groups, however many partitions. Where each slice lies, and the hash
of its bytes, are in the part's manifest: hashes say which partitions a change has touched.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from kgmill.pipelines.engine.request import PartName
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.stages.decode import PAIRS
from kgmill.schemas.tables import SCHEMAS

_OF_ENTITIES: list[tuple[str, pa.DataType]] = [
    ("entity_id", pa.string()),
    ("type", pa.string()),
    ("n_documents", pa.int64()),
    ("confidence", pa.float64()),
]
OF_KIND = {
    "entities": pa.schema(_OF_ENTITIES),
    "surfaces": SCHEMAS["names"],
    "relations": SCHEMAS["relations"],
    "pairs": PAIRS,
}
_FILE, _CODEC = "slices", pa.Codec("zstd")


def write_slices(folder: Path, slices: Mapping[int, Mapping[str, pa.Table]]) -> dict[str, Any]:
    """Writes a group's file, given the tables of each partition by kind; returns what its manifest has to count.

    No table may be a slice of a larger one, as bytes of what lies behind it would be written too.
    """
    index, begin = {}, 0
    with (folder / _FILE).open("wb") as file:
        for number, tables in sorted(slices.items()):
            batches = [_batch(kind, tables[kind]) if kind in tables else b"" for kind in OF_KIND]
            data = _CODEC.compress(b"".join(batches), asbytes=True)
            file.write(data)
            index[f"{number:02x}"] = [begin, len(data), list(map(len, batches)), hashlib.sha256(data).hexdigest()]
            begin += len(data)
    return {"slices": index}


def _batch(kind: str, table: pa.Table) -> bytes:
    [batch] = table.cast(OF_KIND[kind]).combine_chunks().to_batches()
    return bytes(batch.serialize())


def hashes_of(parts: Sequence[Part], n_bits: int) -> Iterator[list[str]]:
    """For each partition the hashes of its slices, in the order of the parts."""
    indices = [part.counts["slices"] for part in parts]
    for number in range(1 << n_bits):
        name = f"{number:02x}"
        yield [index[name][-1] for index in indices if name in index]


@lru_cache(maxsize=1)
def combined(where: str, names: tuple[PartName, ...]) -> list[Part]:
    """The parts that combine made in an output; kept for the tasks that follow, as their manifests are long.

    Raises:
        CorruptPartError: one is gone.
    """
    store = Store(where)
    return [store.need("combine", unit, key) for unit, key in names]


def gather(parts: Sequence[Part], number: int) -> dict[str, pa.Table]:
    """A partition's rows by kind, from all combined parts.

    Raises:
        CorruptPartError: a file is missing or was altered.
    """
    found: dict[str, list[pa.RecordBatch]] = defaultdict(list)
    for part in parts:
        if entry := part.counts["slices"].get(f"{number:02x}"):
            begin, n_bytes, sizes, sha256 = entry
            data = part.read_range(_FILE, begin, n_bytes, sha256)
            batches = _CODEC.decompress(data, sum(sizes))
            for kind, (start, end) in zip(OF_KIND, pairwise(accumulate(sizes, initial=0)), strict=True):
                if start < end:
                    found[kind].append(pa.ipc.read_record_batch(batches[start:end], OF_KIND[kind]))
    return {kind: pa.Table.from_batches(found[kind], schema) for kind, schema in OF_KIND.items()}
