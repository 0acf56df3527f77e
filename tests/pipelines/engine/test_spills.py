"""Spills: rows on their way to another unit."""

import pyarrow as pa

from kgmill.pipelines.engine.spills import read_spills, spill
from kgmill.pipelines.storage.scratch import Scratch

SCHEMA = pa.schema([pa.field("name", pa.string(), nullable=False)])


def test_spilled_rows_come_back(tmp_path):
    """Rows are spilled into one file, and read a unit at a time, in their order."""
    rows = pa.table([["a", "b", "c"]], schema=SCHEMA)
    spills = dict(spill(rows, ["u1", "u0", "u1"], Scratch(tmp_path), "folder/x.rows"))
    assert [name.partition("#")[0] for name in spills.values()] == ["folder/x.rows"] * 2
    assert read_spills(Scratch(tmp_path), SCHEMA, ["", spills["u1"]])["name"].to_pylist() == ["a", "c"]
    assert read_spills(Scratch(tmp_path), SCHEMA, spills.values(), ".rows").num_rows == 3
    assert read_spills(Scratch(tmp_path), SCHEMA, spills.values(), ".others").num_rows == 0


def test_a_batch_is_read_alone(tmp_path, monkeypatch):
    """However many units a file has rows of, of one unit its own bytes are read, and no list of all."""
    n = 2_000
    rows = pa.table([[f"name {i}" for i in range(n)]], schema=SCHEMA)
    scratch = Scratch(tmp_path)
    spills = dict(spill(rows, [f"{i:05x}" for i in range(n)], scratch, "x.rows"))
    sizes = []
    whole = Scratch.read_range
    monkeypatch.setattr(Scratch, "read_range", lambda *asked: sizes.append(asked[-1]) or whole(*asked))
    assert read_spills(scratch, SCHEMA, [spills["00007"]])["name"].to_pylist() == ["name 7"]
    assert len(sizes) == 1
    assert sizes[0] < 3 * (tmp_path / "x.rows").stat().st_size / n


def test_no_row_makes_no_file(tmp_path):
    """Nothing is spilled where there is nothing."""
    assert list(spill(SCHEMA.empty_table(), [], Scratch(tmp_path), "none")) == []
    assert (list(tmp_path.iterdir()), read_spills(Scratch(tmp_path), SCHEMA, [""]).num_rows) == ([], 0)
