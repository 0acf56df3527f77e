"""Sources: what is found, and text files and JSON lines with every fault that they may have."""

import doctest
import gzip
import importlib.util
import io
import json
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
from schemas.records import Document, Reject

SPEECHES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "corpora" / "state_union"
ADA = "99a563ab2f6e21e96998f9fddd2a2bab82b70ac019579502b8d7fc0032ff62bb"


def records(folder, content, name="news.jsonl"):
    """The records of a file of that content."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_records(SourceFile(str(path), name, path.stat().st_size)))


def one(folder, content, name="news.jsonl"):
    """The only record of a file."""
    [record] = records(folder, content, name)
    return record


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


# Text files


def test_text_file_is_one_document(tmp_path):
    """A .txt file is a document under its path, line breaks and all."""
    assert one(tmp_path, "Ada\r\nLovelace\n", "a.txt") == Document(
        "a.txt",
        "a.txt",
        "",
        "Ada\r\nLovelace\n",
        "{}",
        "ef6bee48128dd10e244927129b64fe8335016ad7053a4bdff7307ee2cc518b31",
    )


def test_byte_order_mark_is_no_text(tmp_path):
    """A BOM is dropped, so that offsets begin at the first letter."""
    assert one(tmp_path, b"\xef\xbb\xbfAda", "a.txt").text == "Ada"


@pytest.mark.parametrize(
    ("content", "reason", "detail"),
    [
        (b"", "empty", "the text is empty"),
        (b" \n\t\n", "empty", "the text is empty"),
        (b"GIF89a\x00\x01", "binary", "wanted text, got a file with NUL bytes"),
    ],
)
def test_text_file_without_text_is_a_reject(tmp_path, content, reason, detail):
    """An empty and a binary file are rejects under the file's name."""
    assert one(tmp_path, content, "a.txt") == Reject("ingest", "a.txt", "a.txt", reason, detail)


# JSON lines


def test_line_is_a_document(tmp_path):
    """A line's other fields become metadata with sorted keys; its source has its line number."""
    line = '{"text": "Ada", "title": "A letter", "id": "d1", "year": 1843, "about": {"z": 1, "b": "é"}}'
    assert one(tmp_path, line) == Document(
        "d1",
        "news.jsonl:1",
        "A letter",
        "Ada",
        '{"about":{"b":"é","z":1},"year":1843}',
        ADA,
    )


@pytest.mark.parametrize(
    ("line", "doc_id", "reason", "detail"),
    [
        ('{"id": "d1", "text": "Ada"', "", "malformed_json", "Expecting ',' delimiter: line 1 column 27 (char 26)"),
        ("[1, 2]", "", "malformed_json", "wanted an object, got list"),
        ("null", "", "malformed_json", "wanted an object, got NoneType"),
        ('{"id": "d1"}', "d1", "no_text", "wanted a string under 'text', got NoneType"),
        ('{"id": "d1", "text": 7}', "d1", "no_text", "wanted a string under 'text', got int"),
        ('{"id": "d1", "text": ""}', "d1", "empty", "the text is empty"),
        ('{"id": "d1", "text": " \\n "}', "d1", "empty", "the text is empty"),
        ('{"id": ["d1"], "text": "Ada"}', "", "bad_field", "wanted a string or a number under 'id', got list"),
        ('{"id": true, "text": "Ada"}', "", "bad_field", "wanted a string or a number under 'id', got bool"),
        (
            '{"id": "d1", "title": {}, "text": "Ada"}',
            "d1",
            "bad_field",
            "wanted a string or a number under 'title', got dict",
        ),
        ('{"id": "d1", "id": "d2", "text": "Ada"}', "", "malformed_json", "a key is there twice"),
        ('{"text": "Ada", "n": NaN}', "", "malformed_json", "NaN is no JSON"),
        ('{"text": "Ada", "n": 1e999}', "", "malformed_json", "1e999 is no finite number"),
        (
            '{"id": "d1", "date": {"y": 1}, "text": "Ada"}',
            "d1",
            "bad_field",
            "wanted a string or a number under 'date', got dict",
        ),
    ],
)
def test_bad_line_is_a_reject(tmp_path, line, doc_id, reason, detail):
    """A bad line is a reject with its number, its reason, what was wanted and what came."""
    assert one(tmp_path, line) == Reject("ingest", "news.jsonl:1", doc_id, reason, detail)


def test_bad_line_costs_no_other(tmp_path):
    """Lines around a bad one are kept; blank lines are skipped, but counted in the numbers."""
    content = '{"text": "Ada"}\n\n  \r\n{"text": \n{"text": "Bob"}\r\n'
    assert [record.source for record in records(tmp_path, content)] == ["news.jsonl:1", "news.jsonl:4", "news.jsonl:5"]
    assert [Document, Reject, Document] == [type(record) for record in records(tmp_path, content)]


def test_number_is_an_id(tmp_path):
    """An id and a title that are numbers become their digits."""
    document = one(tmp_path, '{"id": 12, "title": 4.5, "text": "Ada"}')
    assert (document.doc_id, document.title) == ("12", "4.5")


@pytest.mark.parametrize("line", ['{"text": "Ada"}', '{"id": null, "text": "Ada"}', '{"id": "", "text": "Ada"}'])
def test_document_without_id_is_named_by_file_and_content(tmp_path, line):
    """No id, null and the empty string: the file's name and the text's hash stand in, so that lines may move."""
    assert one(tmp_path, f"\n{line}").doc_id == f"news.jsonl#{ADA[:16]}"


def test_zero_is_an_id(tmp_path):
    """The number 0 is an id, not a missing one."""
    assert one(tmp_path, '{"id": 0, "text": "Ada"}').doc_id == "0"


def test_lone_surrogates_are_replaced_one_by_one(tmp_path):
    """A lone surrogate becomes U+FFFD, so that the length stays; a pair is one character."""
    line = r'{"id": "\ud800", "title": "\udfff", "text": "a\ud83db\ud83d\ude00", "x": "\udc00"}'
    document = one(tmp_path, line)
    assert (
        document.doc_id,
        document.title,
        document.text,
        document.metadata,
    ) == ("\ufffd", "\ufffd", "a\ufffdb\U0001f600", '{"x":"\ufffd"}')


def test_byte_order_mark_before_a_line_is_no_json(tmp_path):
    """A JSONL file may begin with a BOM."""
    assert one(tmp_path, b'\xef\xbb\xbf{"id": "d1", "text": "Ada"}').doc_id == "d1"


def test_nesting_deeper_than_python_can_follow_is_a_reject(tmp_path):
    """JSON nested deeper than Python can follow costs its line alone."""
    assert one(tmp_path, '{"text": "Ada", "deep": ' + "[" * 100_000).reason == "too_deep"


@pytest.mark.parametrize(("depth", "kind"), [(199, Document), (200, Reject), (900, Reject)])
def test_nesting_has_a_fixed_limit(tmp_path, depth, kind):
    """200 levels are the most, however deep Python's own stack is just then."""
    record = one(tmp_path, f'{{"text": "Ada", "deep": {"[" * depth}{"]" * depth}}}')
    assert (kind, kind is Reject) == (type(record), getattr(record, "reason", "") == "too_deep")


@pytest.mark.parametrize(("n", "reason"), [(150, "malformed_json"), (250, "too_deep"), (950, "too_deep")])
def test_reason_does_not_depend_on_the_stack(tmp_path, n, reason):
    """A line both broken and deep has one reason, whatever the parser would see first."""
    assert one(tmp_path, f'{{"text": "a]\\"]]", "deep": {"[" * n}').reason == reason


def test_brackets_in_a_text_are_no_nesting(tmp_path):
    """Only what is nested counts, not how many brackets there are."""
    assert one(tmp_path, json.dumps({"text": "[1]" * 500})).text == "[1]" * 500


def test_number_of_too_many_digits_is_a_reject(tmp_path):
    """Python refuses integers of more than 4300 digits: the line is a reject."""
    assert one(tmp_path, f'{{"text": "Ada", "n": {"1" * 5000}}}').reason == "malformed_json"


def test_line_of_five_megabytes_is_kept(tmp_path):
    """A long line is one document, every character of it."""
    text = "Ada lived in London. " * 250_000
    document = one(tmp_path, json.dumps({"id": "long", "text": text}))
    assert (5_250_000, text) == (len(document.text), document.text)


def test_nul_in_a_json_string_is_text(tmp_path):
    r"""The escape \u0000 is a character like others: only a file of raw NUL bytes is binary."""
    assert one(tmp_path, '{"id": "d1", "text": "a\\u0000b"}').text == "a\0b"


def test_nul_bytes_in_a_line_are_a_reject(tmp_path):
    """A raw NUL byte is no JSON."""
    assert one(tmp_path, b'{"id": "d1", "text": "a\0b"}').reason == "malformed_json"
