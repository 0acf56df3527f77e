"""`kgmill runs`: the runs of an output for people and for programs."""

import json


def test_runs_for_people(kgmill, first):
    """A line a run that fits a terminal of 80 columns."""
    done = kgmill("runs", first.folder)

    assert (done.code, done.errors) == (0, [])
    head, line = done.out.splitlines()
    assert head.split() == ["run", "status", "documents", "added", "changed", "removed", "facts", "+/-", "seconds"]
    cells = line.split()
    assert (cells[1:6], cells[7]) == (["done", "16", "16", "0", "0"], f"+{cells[6]}")
    assert max(map(len, (head, line))) <= 80


def test_runs_for_programs(kgmill, first, tmp_path):
    """The same as JSON; a folder without a run is refused."""
    (row,) = json.loads(kgmill("runs", first.folder, "--json").out)
    ledger = json.loads((first.folder / "run.json").read_text())

    assert (row["facts"], row["started"]) == (ledger["graph"]["facts"], ledger["started"])
    assert (row["documents"]["kept"], row["changed_settings"], row["error"]) == (16, [], "")
    refused = kgmill("runs", tmp_path)
    assert refused.code == 2
    assert "no run ever ended here" in refused.errors[0]
