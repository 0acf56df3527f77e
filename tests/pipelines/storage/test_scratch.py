"""Scratch: the same in a folder and in the storage of an output."""

import pyarrow as pa
import pytest

from kgmill.pipelines.engine.request import Receipt, read_receipts, write_receipt
from kgmill.pipelines.engine.spills import read_spills, spill
from kgmill.pipelines.storage.scratch import Scratch

SCHEMA = pa.schema([pa.field("name", pa.string(), nullable=False)])


@pytest.fixture(params=["folder", "objects"])
def shared(request, tmp_path):
    return Scratch(tmp_path if request.param == "folder" else f"memory://scratch-{tmp_path.name}/.tmp/1")


def test_files_are_there_until_they_are_removed(shared):
    """Under names with slashes; what isn't there can't be read, and is removed all the same."""
    shared.write("calls/a.json", b"1")
    shared.write("calls/a.json", b"2")
    assert (shared.read("calls/a.json"), shared.names("calls"), shared.names("none")) == (b"2", ["a.json"], [])
    shared.remove("calls/a.json")
    shared.remove("calls/a.json")
    with pytest.raises(FileNotFoundError):
        shared.read("calls/a.json")
    shared.write("b", b"")
    shared.clear()
    assert shared.names("") == []


def test_spills_and_receipts_cross_it(shared):
    """Another process finds them by the place alone."""
    rows = pa.table([["a", "b", "c"]], schema=SCHEMA)
    spills = dict(spill(rows, ["u1", "u0", "u1"], shared, "spills/x.rows"))
    write_receipt(shared.place, Receipt("00", "f", {"documents": 1}))
    there = Scratch(shared.place)
    assert read_spills(there, SCHEMA, [spills["u1"]], ".rows")["name"].to_pylist() == ["a", "c"]
    assert read_receipts(there.place) == {"00": Receipt("00", "f", {"documents": 1})}
