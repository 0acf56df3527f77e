"""Compressed files and archives: whole, broken, and hostile."""

import bz2
import contextlib
import doctest
import gzip
import io
import json
import struct
import zipfile
import zlib

import pytest
import zstandard

from kgmill.pipelines.sources import containers
from kgmill.pipelines.sources.find import SourceFile, find_files, read_records
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.records import Document, Reject

COMPRESS = {"gz": gzip.compress, "zst": zstandard.ZstdCompressor(write_checksum=True).compress, "bz2": bz2.compress}
JSONL = b"".join(json.dumps({"id": f"d{n}", "text": f"Ada {n * n}"}).encode() + b"\n" for n in range(20_000))
SUFFIXES = ["gz", *(pytest.param(suffix, marks=pytest.mark.slow) for suffix in ("zst", "bz2"))]


def records(folder, name, data, **limits):
    """The records of a file of that content."""
    (folder / name).write_bytes(data)
    return list(read_records(SourceFile(str(folder / name), name, len(data)), SourceConfig(**limits)))


def archive(*members, method=zipfile.ZIP_DEFLATED):
    """A zip archive of (name, content) pairs."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        for name, content in members:
            made.writestr(name, content)
    return file.getvalue()


def found(records):
    """Each record's place with its text, or with the reason why it has none."""
    return [(r.source, r.text if isinstance(r, Document) else r.reason) for r in records]


def test_doctests():
    """The examples in the docstrings hold."""
    assert doctest.testmod(containers).failed == 0


@pytest.mark.parametrize("suffix", COMPRESS)
def test_compressed_files_are_unpacked(tmp_path, suffix):
    """A text and JSON lines come out as they went in, under the file's whole name."""
    compress = COMPRESS[suffix]
    assert found(records(tmp_path, f"a.txt.{suffix}", compress("Né".encode()))) == [(f"a.txt.{suffix}", "Né")]
    rows = records(tmp_path, f"a.jsonl.{suffix}", compress(JSONL))
    assert (len(rows), rows[-1].source, rows[-1].text) == (20_000, f"a.jsonl.{suffix}:20000", "Ada 399960001")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_members_one_after_another_are_one_stream(tmp_path, suffix):
    """Files that were compressed alone and then joined are read to the end."""
    compress = COMPRESS[suffix]
    rows = records(tmp_path, f"a.jsonl.{suffix}", compress(JSONL[:17_000]) + compress(JSONL[17_000:]))
    assert [row.doc_id for row in rows] == [f"d{n}" for n in range(20_000)]


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("damage", ["cut", "garbage behind", "another format"])
def test_broken_compression_is_one_reject(tmp_path, suffix, damage):
    """What came before the break stays; the rest is one reject under the file's name, and no line is half read."""
    data = bytearray(COMPRESS[suffix](JSONL))
    if damage == "cut":
        del data[-20:]
    elif damage == "garbage behind":
        data += b"garbage"
    else:
        data[:] = JSONL
    rows = records(tmp_path, f"a.jsonl.{suffix}", bytes(data))
    documents, [reject] = rows[:-1], rows[-1:]
    assert (reject.source, reject.doc_id, reject.reason) == (f"a.jsonl.{suffix}", f"a.jsonl.{suffix}", "bad_archive")
    assert [d.doc_id for d in documents] == [f"d{n}" for n in range(len(documents))]
    expected = 0 if damage == "another format" or (damage, suffix) == ("cut", "bz2") else 19_000
    assert len(documents) >= expected  # bzip2 has blocks of 900 kB, whole or not at all


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_padding_of_zeros_costs_no_record(tmp_path, suffix):
    """Zeros up to a block's end, as tapes and copying tools leave them, are no damage; nor before another member."""
    compress = COMPRESS[suffix]
    rows = records(tmp_path, f"a.jsonl.{suffix}", compress(JSONL[:17_000]) + bytes(512) + compress(JSONL[17_000:]))
    assert [row.doc_id for row in rows] == [f"d{n}" for n in range(20_000)]
    rows = records(tmp_path, f"b.jsonl.{suffix}", compress(JSONL) + bytes(10_000))
    assert [row.doc_id for row in rows] == [f"d{n}" for n in range(20_000)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_garbage_behind_the_data_is_named(tmp_path, suffix):
    """All records before other bytes are kept; those bytes are one reject that says what they are not."""
    rows = records(tmp_path, f"a.jsonl.{suffix}", COMPRESS[suffix](JSONL) + b"<html>404</html>")
    assert (len(rows), rows[-1].reason) == (20_001, "bad_archive")
    name = {"gz": "gzip", "zst": "zstd", "bz2": "bz2"}[suffix]
    assert rows[-1].detail == f"bytes behind the end of its data that are no {name}"


@pytest.mark.parametrize("n_cut", [9, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 100, 5_000))])
@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_cut_stream_keeps_each_whole_line_before_the_cut(tmp_path, suffix, n_cut):
    """As many lines are kept as the bytes that are there hold, however the cut falls; the rest is one reject."""
    data = COMPRESS[suffix](JSONL)[:-n_cut]
    if suffix == "gz":
        there = zlib.decompressobj(31).decompress(data)
    else:
        there = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    rows = records(tmp_path, f"a.jsonl.{suffix}", data)
    assert [row.doc_id for row in rows[:-1]] == [f"d{n}" for n in range(there.count(b"\n"))]
    assert (rows[-1].reason, rows[-1].detail) == ("bad_archive", "cut off: its data end in the middle")


def test_cut_bzip2_keeps_its_whole_blocks(tmp_path):
    """bzip2 gives a block of up to 900 kB whole or not at all: all lines of those that are there are kept."""
    data = bz2.compress(JSONL, 1)
    there = bz2.BZ2Decompressor().decompress(data[:-1_000])
    rows = records(tmp_path, "a.jsonl.bz2", data[:-1_000])
    assert (len(there) > 500_000, len(rows) - 1, rows[-1].reason) == (True, there.count(b"\n"), "bad_archive")


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_DEFLATED, *(pytest.param(m, marks=pytest.mark.slow) for m in (0, zipfile.ZIP_BZIP2))]
)
def test_broken_member_keeps_each_whole_line_before_the_break(tmp_path, method):
    """A member with a wrong checksum keeps the lines that came before it was found wrong."""
    data = bytearray(archive(("a.jsonl", JSONL), method=method))
    entry = data.index(b"PK\x01\x02")
    data[entry + 16] ^= 1
    rows = records(tmp_path, "all.zip", bytes(data))
    assert (len(rows), rows[-1].source, rows[-1].reason) == (20_001, "all.zip!a.jsonl", "bad_archive")
    assert [row.doc_id for row in rows[:-1]] == [f"d{n}" for n in range(len(rows) - 1)]


def test_damage_in_the_midst_of_a_member_keeps_what_came_before(tmp_path):
    """Every line that deflate gave before the byte that it can't be is kept."""
    data = bytearray(archive(("a.jsonl", JSONL)))
    middle = len(data) // 2
    data[middle : middle + 8] = b"\xff" * 8
    begin = 30 + len("a.jsonl")
    inflate, there = zlib.decompressobj(-15), b""
    with contextlib.suppress(zlib.error):
        for byte in data[begin:]:
            there += inflate.decompress(bytes([byte]))
    rows = records(tmp_path, "all.zip", bytes(data))
    whole = there[: there.rfind(b"\n") + 1].count(b"\n")
    # A damaged line may hold an object and what is none.
    assert {row.source for row in rows[:-1]} == {f"all.zip!a.jsonl:{n}" for n in range(1, whole + 1)}
    assert rows[-1].reason == "bad_archive"


@pytest.mark.parametrize("suffix", COMPRESS)
def test_changed_byte_is_noticed(tmp_path, suffix):
    """A byte that another took the place of ends in a reject, at the checksum at the latest."""
    data = bytearray(COMPRESS[suffix](JSONL))
    data[len(data) // 2] ^= 0x55
    assert records(tmp_path, f"a.jsonl.{suffix}", bytes(data))[-1].reason == "bad_archive"


@pytest.mark.parametrize("suffix", COMPRESS)
def test_truncated_text_is_no_document(tmp_path, suffix):
    """A text file that ends too early is a reject, not half a document."""
    data = COMPRESS[suffix](b"Ada lived in London. " * 9999)[:-9]
    assert found(records(tmp_path, f"a.txt.{suffix}", data)) == [(f"a.txt.{suffix}", "bad_archive")]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_bomb_is_cut_off(tmp_path, suffix):
    """What unpacks to more than the limit is one reject; it is neither kept nor read to the end."""
    data = COMPRESS[suffix](b'{"text": "Ada"}\n' * 100_000)
    rows = records(tmp_path, f"a.jsonl.{suffix}", data, max_record_bytes=1000, max_ratio=2)
    assert (rows[-1].reason, rows[-1].source) == ("zip_bomb", f"a.jsonl.{suffix}")
    assert (len(rows) - 1) * 16 <= 1000 + 2 * len(data)
    rows = records(tmp_path, f"a.jsonl.{suffix}", data, max_unpacked_bytes=160_000)
    assert (rows[-1].reason, 9_000 < len(rows) <= 10_001) == ("zip_bomb", True)


def test_members_of_an_archive_are_walked(tmp_path):
    """Members of a known kind are read in the archive's order, also compressed ones; others are no records."""
    data = archive(
        ("b.txt", "Bob"),
        ("x/a.jsonl.gz", gzip.compress(b'{"text": "Ada", "id": "d1"}\n{}\n')),
        ("picture.png", b"\x89PNG"),
        ("x/", ""),
        ("./y//c.csv", "id,text\n7,Cy\n"),
    )
    assert found(records(tmp_path, "all.zip", data)) == [
        ("all.zip!b.txt", "Bob"),
        ("all.zip!x/a.jsonl.gz:1", "Ada"),
        ("all.zip!x/a.jsonl.gz:2", "no_text"),
        ("all.zip!y/c.csv:2", "Cy"),
    ]


def test_member_without_an_id_is_named_by_its_path(tmp_path):
    """The archive's name and the member's path are the id of a text, and part of a line's."""
    text, line = records(tmp_path, "all.zip", archive(("b.txt", "Bob"), ("a.jsonl", '{"text": "Ada"}')))
    assert (text.doc_id, line.doc_id) == ("all.zip!b.txt", "all.zip!a.jsonl#99a563ab2f6e21e9")


@pytest.mark.parametrize("name", ["../a.txt", "/etc/a.txt", "x/../../a.txt", "..\\a.txt", "C:\\a.txt", "\\\\h\\a.txt"])
def test_path_out_of_the_archive_is_a_reject(tmp_path, name):
    """No id looks like a path elsewhere; the other members are read."""
    rows = records(tmp_path, "all.zip", archive((name, "Ada"), ("b.txt", "Bob")))
    assert [r.reason if isinstance(r, Reject) else r.text for r in rows] == ["unsafe_path", "Bob"]


def test_link_in_an_archive_is_a_reject(tmp_path):
    """A member that is a link has a path as its content, not a text."""
    link = zipfile.ZipInfo("a.txt")
    link.external_attr = 0o120777 << 16
    assert found(records(tmp_path, "all.zip", archive((link, "/etc/passwd")))) == [("all.zip!a.txt", "unsafe_path")]


def test_archive_inside_an_archive_is_a_reject(tmp_path):
    """One level is read: more could go on for ever."""
    data = archive(("in.zip", archive(("a.txt", "Ada"))), ("b.txt", "Bob"))
    assert found(records(tmp_path, "all.zip", data)) == [("all.zip!in.zip", "too_deep"), ("all.zip!b.txt", "Bob")]


@pytest.mark.parametrize(
    "data",
    [b"", b"PK\x05\x06", b"not an archive", archive(("a.txt", "Ada" * 99))[:-30]],  # the last holds the time of day
    ids=["empty", "end alone", "text", "cut off"],
)
def test_broken_archive_is_one_reject(tmp_path, data):
    """An archive without its directory has no members that can be told apart."""
    assert found(records(tmp_path, "all.zip", data)) == [("all.zip", "bad_archive")]


def test_archive_without_a_readable_member_is_a_reject(tmp_path):
    """An archive from which nothing can be read is not passed over in silence."""
    assert found(records(tmp_path, "all.zip", archive(("a.png", b"x")))) == [("all.zip", "empty")]


def test_broken_member_costs_no_other(tmp_path):
    """A wrong checksum, an encrypted member and an unknown compression cost one member each."""
    data = bytearray(archive(*((f"{n}.txt", f"text {n}") for n in range(4)), method=zipfile.ZIP_STORED))
    data[data.index(b"text 0")] ^= 1
    entries = [i for i in range(len(data)) if data[i : i + 4] == b"PK\x01\x02"]
    data[entries[1] + 8] |= 1
    struct.pack_into("<H", data, entries[2] + 10, 9)
    rows = records(tmp_path, "all.zip", bytes(data))
    assert found(rows) == [
        ("all.zip!0.txt", "bad_archive"),
        ("all.zip!1.txt", "bad_archive"),
        ("all.zip!2.txt", "bad_archive"),
        ("all.zip!3.txt", "text 3"),
    ]
    assert ["encrypted" in rows[1].detail, "method 9" in rows[2].detail] == [True, True]


def test_bomb_of_many_members_is_cut_off(tmp_path):
    """The limit is the archive's, not a member's; after it nothing more is unpacked."""
    data = archive(*((f"{n:03}.txt", "a" * 10_000) for n in range(100)))
    rows = records(tmp_path, "all.zip", data, max_record_bytes=20_000, max_ratio=1)
    assert [r.reason for r in rows if isinstance(r, Reject)] == ["zip_bomb"]
    assert len(rows) - 1 == (20_000 + len(data)) // 10_000


def test_other_kinds_are_not_found(tmp_path):
    """A folder's files of other kinds, also compressed ones, are not read."""
    for name in ("a.tar.gz", "b.gz", "c.zip.gz", "d.nq.gz", "E.TXT"):
        (tmp_path / name).write_bytes(b"x")
    assert [file.name for file in find_files([str(tmp_path)])] == ["E.TXT"]
