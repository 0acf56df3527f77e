"""Bad records of a corpus: what they cost, where they are told, and how many are too many."""

import json

import pyarrow.dataset as ds
import pytest


def run_json(folder):
    return json.loads((folder / "run.json").read_text())


def rows(folder, table):
    return ds.dataset(folder / "tables" / table, format="parquet").to_table().to_pylist()


@pytest.fixture(scope="module")
def faulty(kgmill, tmp_path_factory):
    """A build of two hundred good lines, a bad one, and an empty file."""
    folder = tmp_path_factory.mktemp("faulty")
    lines = [json.dumps({"id": n, "text": f"Hi {n} ."}) for n in range(200)]
    lines.insert(100, '{"id": 100, "text": "cut o')
    (folder / "source").mkdir()
    (folder / "source" / "news.jsonl").write_text("\n".join(lines))
    (folder / "source" / "empty.txt").write_text("")
    return folder / "out", kgmill("build", folder / "source", "--out", folder / "out")


def test_few_bad_records_cost_themselves_alone(faulty):
    """One malformed line and one empty document of 202: rejected, and the build is fine."""
    folder, done = faulty
    assert (done.code, done.errors) == (0, [])
    assert run_json(folder)["rejects"] == {"empty": 1, "malformed_json": 1}
    documents = run_json(folder)["documents"]
    assert (documents["read"], documents["kept"], documents["rejected"]) == (202, 200, 2)
    assert "  rejected: 1 malformed_json" in done.out.splitlines()


def test_rejects_have_a_place(faulty):
    """The rejects table has stage, file and line, reason and detail."""
    assert sorted((row["stage"], row["source"], row["reason"]) for row in rows(faulty[0], "rejects")) == [
        ("ingest", "empty.txt", "empty"),
        ("ingest", "news.jsonl:101", "malformed_json"),
    ]


def test_binary_file_alone_is_too_many_rejects(kgmill, tmp_path):
    """A corpus of one binary file is built, empty, and ends with exit code 3."""
    (tmp_path / "a.txt").write_bytes(b"\x7fELF\x00\x01")
    done = kgmill("build", tmp_path / "a.txt", "--out", tmp_path / "out")
    line = f"1 of 1 documents were rejected, more than --max-reject-ratio 0.01; see {tmp_path}/out/tables/rejects"
    assert (done.code, done.errors) == (3, [f"kgmill: {line}"])
    assert [row["reason"] for row in rows(tmp_path / "out", "rejects")] == ["binary"]
    assert run_json(tmp_path / "out")["status"] == "done"


def test_reject_ratio_decides_the_exit_code(kgmill, tmp_path):
    """One of four rejected: 3 above the ratio, 0 at it."""
    good = "".join(json.dumps({"id": n, "text": f"Hi {n} ."}) + "\n" for n in range(3))
    (tmp_path / "a.jsonl").write_text(good + "[]\n")
    command = ("build", tmp_path / "a.jsonl", "--out", tmp_path / "out", "--max-reject-ratio")
    assert [kgmill(*command, ratio).code for ratio in ("0.24", "0.25")] == [3, 0]
