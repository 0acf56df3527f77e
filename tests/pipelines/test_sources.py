"""Sources: what is found, here and on other file systems, and what can't be read."""

import doctest
import gzip
import importlib.util
import io
import os
import zipfile
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import fields, sources
from pipelines.containers import KNOWN
from pipelines.sources import SourceFile, absolute, find_files, group_files, read_records
from schemas.errors import SourceError
from schemas.records import Document

SPEECHES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "corpora" / "state_union"


# Finding files


def test_tree_is_found_whole_and_sorted(tmp_path):
    """Files are named by their path below the source, with forward slashes, in the order of names."""
    for name in ("b.txt", "a/z.jsonl", "a/b/c.txt", "a.txt", "notes.doc", ".hidden"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [file.name for file in find_files([str(tmp_path)])] == ["a/b/c.txt", "a/z.jsonl", "a.txt", "b.txt"]


def test_sources_keep_their_order(tmp_path):
    """Sources are read in the order in which they are given; a file is named by its own name."""
    for name in ("b/x.txt", "a/y.jsonl"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("four")
    found = find_files([str(tmp_path / "b"), str(tmp_path / "a" / "y.jsonl")])
    assert [(file.name, file.n_bytes) for file in found] == [("x.txt", 4), ("y.jsonl", 4)]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("missing", "{0}/missing: no such file or folder"),
        ("notes.doc", f"{{0}}/notes.doc: unknown kind of source; known: folders and files of {KNOWN}"),
        ("empty", f"{{0}}/empty: no file of a known kind in here; known: {KNOWN}"),
    ],
)
def test_source_that_cannot_be_read_is_refused(tmp_path, source, message):
    """A missing path, a file of an unknown suffix and a folder without documents name themselves and what is wanted."""
    (tmp_path / "notes.doc").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError) as caught:
        find_files([str(tmp_path / source)])
    assert message.format(tmp_path) == str(caught.value)


def test_named_pipe_is_refused(tmp_path):
    """A pipe can't be read twice, and opening one might wait for ever."""
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(SourceError, match=r"pipe\.txt: unknown kind of source"):
        find_files([str(tmp_path / "pipe.txt")])


def test_name_that_is_not_utf8_is_refused(tmp_path):
    """A file whose name has no Unicode form can be named in no table: it has to be renamed."""
    path = os.fsencode(tmp_path) + b"/na\xefve.txt"
    with open(path, "wb") as file:  # noqa: PTH123 - a path of bytes
        file.write(b"x")
    with pytest.raises(SourceError, match="its path is not UTF-8; rename it"):
        find_files([str(tmp_path)])


def test_pipes_and_devices_in_a_folder_are_passed_over(tmp_path):
    """Only regular files, and links to them, are read: nothing there can keep a build waiting."""
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "zero.txt").symlink_to("/dev/zero")
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "a.txt").write_text("Ada")
    (tmp_path / "b.txt").symlink_to("a.txt")
    assert [file.name for file in find_files([str(tmp_path)])] == ["a.txt", "b.txt"]


def test_output_folder_inside_a_source_is_no_source(tmp_path, store):
    """What a build wrote, its tables above all, is not read by the next one."""
    (tmp_path / "a.txt").write_text("Ada")
    with store.lock():
        (store.root / "parts").mkdir()
    (store.root / "report.html").write_text("<p>x</p>")
    assert [file.name for file in find_files([str(tmp_path)])] == ["a.txt"]


def test_folder_that_cannot_be_listed_is_refused(tmp_path, monkeypatch):
    """A folder that can't be read is no empty one."""

    def scandir(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(SourceError) as caught:
        find_files([str(tmp_path)])
    assert str(caught.value) == f"{tmp_path}: Permission denied"


def test_file_that_vanished_is_a_source_error(tmp_path):
    """A file that went away between finding and reading stops the run with its name."""
    with pytest.raises(SourceError) as caught:
        list(read_records(SourceFile(str(tmp_path / "gone.txt"), "gone.txt", 1)))
    assert f"{tmp_path}/gone.txt: No such file or directory" == str(caught.value)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([3, 3, 20, 4, 6], [[3, 3], [20], [4, 6]]), ([0, 0, 10, 0, 1], [[0, 0, 10, 0], [1]]), ([11], [[11]]), ([], [])],
)
def test_files_are_grouped_by_size(sizes, expected):
    """Groups keep the order and hold about as many bytes as wanted; a larger file is alone, an empty one no fault."""
    groups = group_files([SourceFile("a", "a", size) for size in sizes], 10)
    assert [[file.n_bytes for file in group] for group in groups] == expected


# Patterns and URLs


def tree(folder):
    """A folder with files of three kinds in three places."""
    for name in ("2023/a.txt", "2024/b.txt", "2024/jan/c.jsonl", "2024/jan/d.doc", "e.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text('{"text": "x"}')
    return folder


@pytest.mark.parametrize(
    ("pattern", "names"),
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
def test_pattern_is_a_source(tmp_path, pattern, names, prefix):
    """Files are named by their path below the part of a pattern that has no wildcard; folders are searched whole."""
    found = find_files([f"{prefix}{tree(tmp_path)}/{pattern}"])
    assert [(file.name, file.path.startswith("/")) for file in found] == [(name, True) for name in names]


def test_file_whose_name_looks_like_a_pattern(tmp_path):
    """What is there under its own name is no pattern."""
    (tmp_path / "a[1].txt").write_text("x")
    assert [file.name for file in find_files([str(tmp_path / "a[1].txt")])] == ["a[1].txt"]


def test_pattern_without_a_match_is_refused(tmp_path):
    """A pattern that finds nothing says so, also beside sources that are there."""
    with pytest.raises(SourceError, match=r"\*\.txt: no file of a known kind matches; known: \.txt, "):
        find_files([str(tree(tmp_path)), f"{tmp_path}/*.txt"])


def test_file_url_is_a_path(tmp_path):
    """A file:// URL names a file or folder of this machine; %20 is a space."""
    (tmp_path / "a b.txt").write_text("Ada")
    [file] = find_files([f"file://{tmp_path}/a%20b.txt"])
    assert file == SourceFile(str(tmp_path / "a b.txt"), "a b.txt", 3)
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
        ("memory://corpus/x/p.png", "memory://corpus/x/p.png: no file of a known kind; known: .txt, "),
        ("memory://corpus/*.md", "memory://corpus/*.md: no file of a known kind; known: .txt, "),
        ("nosuch://x", "nosuch://x: Protocol not known: nosuch"),
        ("simplecache::memory://corpus", "simplecache::memory://corpus: "),
    ],
)
def test_url_that_cannot_be_read_is_refused(memory, url, message):
    """A missing file, an unknown protocol and a chain of them are one clear line."""
    with pytest.raises(SourceError) as caught:
        find_files([url])
    assert str(caught.value).startswith(message)


def test_missing_package_for_a_protocol_is_named():
    """A file system whose package is not installed says what to install."""
    if importlib.util.find_spec("s3fs"):
        pytest.skip("s3fs is installed")
    with pytest.raises(SourceError, match=r"^s3://bucket/a\.txt: Install s3fs to access S3, beside kgmill$"):
        find_files(["s3://bucket/a.txt"])


def test_remote_failure_is_no_fault_of_the_record(memory):
    """A file that can't be read any more stops the run, whatever its format and whoever reads it."""
    for file in find_files(["memory://corpus"]):
        memory.store.clear()
        with pytest.raises(SourceError, match=f"^{file.path}: "):
            list(read_records(file))


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl.gz", "a.zip", "a.parquet"])
def test_disk_error_is_no_fault_of_the_record(tmp_path, monkeypatch, name):
    """An input/output error under a decompressor, an archive or Parquet is not taken for a broken file."""
    (tmp_path / name).write_bytes(b"x" * 100)

    class Failing(io.BytesIO):
        def readinto(self, buffer):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("builtins.open", lambda *_, **__: Failing(b"x" * 100))
    with pytest.raises(SourceError, match=f"{name}: Input/output error"):
        list(read_records(SourceFile(str(tmp_path / name), name, 100)))


def test_schedules_name_sources_absolutely(tmp_path, monkeypatch):
    """A path is made absolute, patterns too; a URL is one already."""
    monkeypatch.chdir(tmp_path)
    assert absolute("a/*.txt") == f"{tmp_path}/a/*.txt"
    assert absolute("s3://bucket/a") == "s3://bucket/a"
    assert absolute("file:///a%20b") == "/a b"


def test_doctests():
    """The examples in the docstrings hold."""
    assert [doctest.testmod(module).failed for module in (sources, fields)] == [0, 0]


# The speeches


@pytest.mark.skipif(not SPEECHES.is_dir(), reason=f"the corpus of speeches is not at {SPEECHES}")
def test_all_speeches_are_kept():
    """65 of 65 speeches are kept; the six that are not UTF-8 are decoded from another encoding."""
    found = [record for file in find_files([str(SPEECHES)]) for record in read_records(file)]
    assert (len(found), {type(record) for record in found}) == (65, {Document})
    others = {record.doc_id: record.encoding for record in found if record.encoding != "utf-8"}
    assert sorted(others) == ["1954-Eisenhower.txt", *(f"{year}-Nixon.txt" for year in range(1970, 1975))]
    texts = {record.doc_id: record.text for record in found}
    assert "cancellation of the ½¢ decrease" in texts["1954-Eisenhower.txt"]
    assert others["1971-Nixon.txt"] == "big5"
