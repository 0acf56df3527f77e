"""Slices: what a group of units leaves for each partition, in one file, found by its bytes and their hash."""

from types import SimpleNamespace

import pyarrow as pa
import pytest

from kgmill.pipelines.stages import combine
from kgmill.pipelines.stages.slices import OF_KIND, gather, hashes_of, write_slices
from kgmill.schemas.errors import CorruptPartError


def pairs(*names):
    """Rows of the kind that has the fewest columns."""
    return pa.table({"pair": list(names), "text_key": ["text"] * len(names)}, OF_KIND["pairs"])


@pytest.fixture
def commit(store):
    """Commits slices as a group's part."""

    def commit(unit, slices):
        folder = store.scratch()
        return store.commit("combine", unit, unit.ljust(64, "0"), folder, write_slices(folder, slices))

    return commit


def test_partition_has_its_rows_of_all_groups(commit):
    """In the order of the groups, whatever else they have; a partition without rows has empty tables."""
    parts = [
        commit("01-0000", {0: {"pairs": pairs("a")}, 3: {"pairs": pairs("b", "c")}}),
        commit("01-0001", {3: {"pairs": pairs("d")}}),
    ]
    assert gather(parts, 3)["pairs"]["pair"].to_pylist() == ["b", "c", "d"]
    assert gather(parts, 0)["pairs"]["pair"].to_pylist() == ["a"]
    assert {kind: (t.schema, t.num_rows) for kind, t in gather(parts, 1).items()} == {
        kind: (schema, 0) for kind, schema in OF_KIND.items()
    }
    assert [len(hashes) for hashes in hashes_of(parts, 2)] == [1, 0, 0, 2]


def test_hash_is_of_a_partition_s_own_rows(commit):
    """Rows of other partitions, however long, change nothing: of a slice that stays, the partition stays too."""
    rows = pa.table({"pair": ["aa", "b", "cc" * 50, "d"], "text_key": ["t"] * 4}, OF_KIND["pairs"])
    few, all_ = (dict(combine.cut(rows.slice(0, n), "pair", 4)) for n in (2, 4))
    alone, beside = (
        list(hashes_of([commit(unit, {number: {"pairs": table} for number, table in tables.items()})], 4))
        for unit, tables in (("01-0000", few), ("01-0001", all_))
    )
    same = [number for number in few if few[number].equals(all_[number])]
    assert same
    assert [alone[number] for number in same] == [beside[number] for number in same]
    assert sum(map(len, alone)) < sum(map(len, beside))


def test_damaged_slice_is_named(commit, store):
    """One byte is enough; the other partitions are read as before."""
    part = commit("00-0000", {0: {"pairs": pairs("a")}, 1: {"pairs": pairs("b")}})
    path = store.storage.root / part.file("slices")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    assert gather([part], 0)["pairs"]["pair"].to_pylist() == ["a"]
    with pytest.raises(CorruptPartError, match="slices: not the bytes that were committed; build again"):
        gather([part], 1)


def test_no_more_groups_than_their_hashes_can_be_held_of(store):
    """4,096 pieces of the graph are made of 1,024 groups, 256 pieces of 256."""
    decoded = [SimpleNamespace(unit=f"12-{number:04x}", fingerprint="f") for number in range(4096)]
    assert [len(combine.plan(store, decoded, n_bits)[1]) for n_bits in (0, 8, 10, 12)] == [1, 256, 1024, 1024]
