"""Sources: what is found, here and on other file systems, and what can't be read."""

import doctest
import gzip
import io
import os
import zipfile
from pathlib import Path

import pytest

from kgmill.pipelines.sources import claims, fields, naming
from kgmill.pipelines.sources import find as sources
from kgmill.pipelines.sources.containers import KNOWN
from kgmill.pipelines.sources.find import (
    SourceFile,
    absolute,
    count_others,
    find,
    find_files,
    group_files,
    read_records,
)
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.errors import SourceError
from kgmill.schemas.records import Document

SPEECHES = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "corpora" / "state_union"


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


# What is passed over


def test_what_systems_and_editors_leave_is_no_document(tmp_path, corpus):
    """Hidden files, those of hidden folders, locks and backups are passed over and counted."""
    leftovers = ("._a.txt", ".git/b.txt", ".git/x/c.md", "x/.DS_Store", "x/~$d.txt", "e.txt~", "__MACOSX/f.txt")
    found = find([corpus(tmp_path, "a.txt", *leftovers)])
    assert ([file.name for file in found.files], dict(found.others)) == (["a.txt"], {"files.hidden": 7})
    again = find([str(tmp_path), str(tmp_path / "x"), f"{tmp_path}/**"])
    assert (again.files, again.others) == (found.files, found.others)


def test_files_of_other_kinds_are_counted_by_suffix(tmp_path, corpus):
    """Each kind that is not read is counted, whatever its case; names that tell no kind are summed."""
    others = ("b.PDF", "x/c.pdf", "d.tar.gz", "README", "mail.17", "e.\x1b[1m", "f.bak", "dump.gz")
    found = find([corpus(tmp_path, "a.txt", *others)])
    (tmp_path / "gone.txt").symlink_to("nowhere.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    assert count_others(found, SourceConfig()) == {
        "files.bak": 1,
        "files.gz": 1,
        "files.no_suffix": 1,
        "files.other": 2,
        "files.pdf": 2,
        "files.tar.gz": 1,
    }
    assert {"files.broken_link": 1, "files.special": 1}.items() <= find([str(tmp_path)]).others.items()


def test_rare_suffixes_are_summed(tmp_path, corpus):
    """The ledger has a line for each of the 20 commonest suffixes, however many there are."""
    names = ["a.txt", *(f"{n}.s{n:02}" for n in range(30)), *(f"more{n}.s{n:02}" for n in range(5, 25))]
    counts = count_others(find([corpus(tmp_path, *names)]), SourceConfig())
    assert (len(counts), counts["files.s05"], counts["files.other"], sum(counts.values())) == (21, 2, 10, 50)


def test_members_that_are_not_read_are_counted(tmp_path):
    """An archive has the rules of a folder: what is hidden or of another kind is passed over and counted."""
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as made:
        for name in ("a.txt", "__MACOSX/._a.txt", ".git/b.txt", "c.pdf", "x/", "d"):
            made.writestr(name, "Ada")
    (tmp_path / "broken.zip").write_text("x")
    found = find([str(tmp_path)])
    assert count_others(found, SourceConfig()) == {"files.hidden": 2, "files.no_suffix": 1, "files.pdf": 1}
    assert [r.source for r in read_records(found.files[0])] == ["all.zip!a.txt"]
    assert [r.source for r in read_records(found.files[0], SourceConfig(as_text=[""]))] == [
        "all.zip!a.txt",
        "all.zip!d",
    ]


@pytest.mark.parametrize(
    ("as_text", "expected"),
    [
        ((), ["c.md"]),
        ([""], ["49960", "c.md"]),
        ([".LOG"], ["a.log", "b.log.gz", "c.md"]),
        (["*"], ["49960", "a.log", "b.log.gz", "c.md", "d.17"]),
    ],
)
def test_other_kinds_are_taken_as_text(tmp_path, as_text, expected, corpus):
    """A setting names the suffixes of files that are texts: none at all, one, or any that is not known."""
    corpus(tmp_path, "49960", "a.log", "c.md", "d.17", ".bashrc")
    (tmp_path / "b.log.gz").write_bytes(gzip.compress(b"Ada"))
    config = SourceConfig(as_text=as_text)
    found = find_files([str(tmp_path)], config)
    assert [file.name for file in found] == expected
    assert {r.text for file in found for r in read_records(file, config)} <= {"x", "Ada"}


def test_known_kind_is_taken_as_text(tmp_path):
    """A suffix that the setting names is a text though another reader knows it."""
    (tmp_path / "a.html").write_text("<p>Ada</p>")
    [file] = find_files([str(tmp_path)])
    [record] = read_records(file, SourceConfig(as_text=[".html"], clean=False))
    assert record.text == "<p>Ada</p>"


@pytest.mark.parametrize(
    ("source", "cure"),
    [
        ("", '; passed over: 2 files.no_suffix, 1 files.pdf; to take them as text: as_text = [""] under [source] in '),
        ("49960", '; to take them as text: as_text = [""] under [source] in the configuration'),
        ("c.pdf", ".bz2"),
    ],
)
def test_way_to_take_files_as_text_is_named(tmp_path, source, cure, corpus):
    """Where nothing of a known kind is found the message says what there is, and which setting reads it."""
    corpus(tmp_path, "49960", "49961", "c.pdf")
    with pytest.raises(SourceError) as caught:
        find_files([str(tmp_path / source)])
    assert cure in str(caught.value)


def test_hidden_file_that_is_named_is_read(tmp_path, corpus):
    """What a source or a pattern names itself is wanted."""
    corpus(tmp_path, ".a.txt", ".x/b.txt", "~$c.txt", "d.txt")
    assert [file.name for file in find_files([str(tmp_path / ".a.txt"), str(tmp_path / ".x")])] == [".a.txt", "b.txt"]
    assert [file.name for file in find_files([f"{tmp_path}/*.txt"])] == ["d.txt"]
    assert [file.name for file in find_files([f"{tmp_path}/.*/*.txt"])] == [".x/b.txt"]


# What is refused


@pytest.mark.parametrize("source", ["", " "])
def test_empty_source_is_refused(source):
    """An empty name is not the current folder."""
    with pytest.raises(SourceError, match=r"no source; give a file, folder, pattern or URL, or \. for this folder$"):
        find_files([source])


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
        (store.storage.root / "parts").mkdir()
    (store.storage.root / "report.html").write_text("<p>x</p>")
    assert [file.name for file in find_files([str(tmp_path)])] == ["a.txt"]


def test_output_folder_is_found_by_no_pattern(tmp_path, store):
    """Neither what a pattern matches in an output folder, nor the folder itself, is a source."""
    (tmp_path / "a.txt").write_text("Ada")
    with store.lock():
        pass
    (store.storage.root / "tables").mkdir()
    (store.storage.root / "tables" / "b.txt").write_text("x")
    for pattern in ("*", "**/*.txt"):
        assert [file.name for file in find_files([f"{tmp_path}/{pattern}"])] == ["a.txt"]
    with pytest.raises(SourceError, match="no file of a known kind matches"):
        find_files([f"{tmp_path}/*/tables/*.txt"])
    with pytest.raises(SourceError, match="is an output of kgmill; give the folder that its documents came from"):
        find_files([str(store.storage.root)])


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
    assert [doctest.testmod(module).failed for module in (sources, fields, naming, claims)] == [0] * 4


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
