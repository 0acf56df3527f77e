"""Patterns, and URLs of any file system of fsspec's."""

import gzip
import io
import sys
import zipfile
from dataclasses import replace

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kgmill.pipelines.sources.find import SourceFile, find_files, read_records
from kgmill.pipelines.storage import open_storage
from kgmill.schemas.errors import SourceError


def tree(folder):
    """A folder with files of three kinds in three places."""
    for name in ("2023/a.txt", "2024/b.txt", "2024/jan/c.jsonl", "2024/jan/d.doc", "e.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text('{"text": "x"}')
    return folder


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.csv", ["e.csv"]),
        ("*/*.txt", ["2023/a.txt", "2024/b.txt"]),
        ("2024/*", ["b.txt", "jan/c.jsonl"]),
        ("2024/**/*.jsonl", ["jan/c.jsonl"]),
        ("**", ["2023/a.txt", "2024/b.txt", "2024/jan/c.jsonl", "e.csv"]),
        ("202[34]/?.txt", ["2023/a.txt", "2024/b.txt"]),
    ],
)
@pytest.mark.parametrize("prefix", ["", "file://"])
def test_pattern_is_a_source(tmp_path, pattern, expected, prefix):
    """Files are named by their path below the part of a pattern that has no wildcard; folders are searched whole."""
    found = find_files([f"{prefix}{tree(tmp_path)}/{pattern}"])
    assert [(file.name, file.path.startswith("/")) for file in found] == [(name, True) for name in expected]


def test_file_whose_name_looks_like_a_pattern(tmp_path):
    """What is there under its own name is no pattern."""
    (tmp_path / "a[1].txt").write_text("x")
    assert [file.name for file in find_files([str(tmp_path / "a[1].txt")])] == ["a[1].txt"]


def test_pattern_without_a_match_is_refused(tmp_path):
    """A pattern that finds nothing says so, also beside sources that are there."""
    with pytest.raises(SourceError, match=r"\*\.txt: no file of a known kind matches; known: \.csv, "):
        find_files([str(tree(tmp_path)), f"{tmp_path}/*.txt"])


def test_file_url_is_a_path(tmp_path):
    """A file:// URL names a file or folder of this machine; %20 is a space."""
    (tmp_path / "a b.txt").write_text("Ada")
    [file] = find_files([f"file://{tmp_path}/a%20b.txt"])
    assert replace(file, stamp="") == SourceFile(str(tmp_path / "a b.txt"), "a b.txt", 3)
    assert find_files([f"file://localhost{tmp_path}"]) == [file]
    with pytest.raises(SourceError, match=r"file://host/x: wanted file:/// and an absolute path"):
        find_files(["file://host/x"])


@pytest.fixture
def memory():
    """A file system in memory, as any other that fsspec knows."""
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    for name, data in {
        "/corpus/b.txt": b"Bob",
        "/corpus/x/a.jsonl.gz": gzip.compress(b'{"text": "Ada"}\n'),
        "/corpus/x/p.png": b"x",
    }.items():
        fs.pipe(name, data)
    table = io.BytesIO()
    pq.write_table(pa.table({"text": ["Cy"]}), table)
    fs.pipe("/corpus/c.parquet", table.getvalue())
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("d.txt", "Dee")
    fs.pipe("/corpus/z.zip", archive.getvalue())
    yield fs
    fs.store.clear()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "memory://corpus",
            [("b.txt", "Bob"), ("c.parquet:1", "Cy"), ("x/a.jsonl.gz:1", "Ada"), ("z.zip!d.txt", "Dee")],
        ),
        ("memory://corpus/", None),
        ("memory://corpus/b.txt", [("b.txt", "Bob")]),
        ("memory://corpus/*.txt", [("b.txt", "Bob")]),
        ("memory://corpus/**/*.gz", [("x/a.jsonl.gz:1", "Ada")]),
        ("memory://corpus/*", None),
    ],
)
def test_url_is_a_source(memory, url, expected):
    """Files, folders and patterns of any file system of fsspec's are found and read, named below their source."""
    expected = expected or [("b.txt", "Bob"), ("c.parquet:1", "Cy"), ("x/a.jsonl.gz:1", "Ada"), ("z.zip!d.txt", "Dee")]
    found = find_files([url])
    assert [(r.source, r.text) for file in found for r in read_records(file)] == expected
    assert all(file.path.startswith("memory://") and file.n_bytes for file in found)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory://missing", "memory://missing: no such file or folder"),
        ("memory://corpus/x/p.png", "memory://corpus/x/p.png: no file of a known kind; known: .csv, "),
        ("memory://corpus/*.md", "memory://corpus/*.md: no file of a known kind; known: .csv, "),
        ("nosuch://x", "nosuch://x: Protocol not known: nosuch"),
        ("simplecache::memory://corpus", "simplecache::memory://corpus: "),
    ],
)
def test_url_that_cannot_be_read_is_refused(memory, url, message):
    """A missing file, an unknown protocol and a chain of them are one clear line."""
    with pytest.raises(SourceError) as caught:
        find_files([url])
    assert str(caught.value).startswith(message)


def test_missing_package_for_a_protocol_is_named(monkeypatch):
    """A file system whose package is not installed says what to install."""
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(SourceError, match=r"^gs://bucket/a\.txt: Please install gcsfs .*, beside kgmill$"):
        find_files(["gs://bucket/a.txt"])


def test_output_of_a_build_is_no_source(memory):
    """What a build keeps among the sources, by its lease, and what this one will write, are passed over."""
    for name in ("out/.lock/000001.json", "out/parts/x.jsonl", "out/tables/facts/a.parquet", "new/a.txt"):
        memory.pipe(f"/corpus/{name}", b"x")
    wanted = ["b.txt", "c.parquet", "x/a.jsonl.gz", "z.zip"]
    assert [file.name for file in find_files(["memory://corpus"])] == ["b.txt", "c.parquet", "new/a.txt", *wanted[2:]]
    assert [
        file.name for file in find_files(["memory://corpus"], out=open_storage("memory://corpus/new").where)
    ] == wanted


def test_remote_failure_is_no_fault_of_the_record(memory):
    """A file that can't be read any more stops the run, whatever its format and whoever reads it."""
    for file in find_files(["memory://corpus"]):
        memory.store.clear()
        with pytest.raises(SourceError, match=f"^{file.path}: "):
            list(read_records(file))
