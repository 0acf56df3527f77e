"""Spills: rows on their way to another unit."""

import pyarrow as pa

from kgmill.pipelines.engine.spills import read_spills, spill
from kgmill.pipelines.storage.scratch import Scratch

SCHEMA = pa.schema([pa.field("name", pa.string(), nullable=False)])


def test_spilled_rows_come_back(tmp_path):
    """Rows are spilled into one file, and read a unit at a time, in their order."""
    rows = pa.table([["a", "b", "c"]], schema=SCHEMA)
    spills = dict(spill(rows, ["u1", "u0", "u1"], Scratch(tmp_path), "folder/x.rows"))
    assert spills == {"u0": "folder/x.rows#0", "u1": "folder/x.rows#1"}
    assert read_spills(Scratch(tmp_path), SCHEMA, ["", spills["u1"]])["name"].to_pylist() == ["a", "c"]
    assert read_spills(Scratch(tmp_path), SCHEMA, spills.values(), ".rows").num_rows == 3
    assert read_spills(Scratch(tmp_path), SCHEMA, spills.values(), ".others").num_rows == 0


def test_no_row_makes_no_file(tmp_path):
    """Nothing is spilled where there is nothing."""
    assert list(spill(SCHEMA.empty_table(), [], Scratch(tmp_path), "none")) == []
    assert (list(tmp_path.iterdir()), read_spills(Scratch(tmp_path), SCHEMA, [""]).num_rows) == ([], 0)
