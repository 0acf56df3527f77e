"""Hostile records in every format: nothing crashes, and the ledger balances against the number that was written.

A case is a file, how it is to be read, and how many records it has; None where damage makes that unknown.
"""

import bz2
import csv
import gzip
import hashlib
import io
import json
import zipfile
from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kgmill.pipelines.sources.find import SourceFile, read_records
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.records import Document, Reject
from kgmill.schemas.tables import from_table, to_table

REASONS = {
    *("malformed_json", "no_text", "bad_field", "empty", "binary", "unknown_encoding", "too_deep", "too_large"),
    *("bad_archive", "unsafe_path", "zip_bomb", "bad_csv", "bad_parquet", "bad_html", "bad_markdown"),
}
COMPRESS = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress, ".bz2": bz2.compress}
UNSAFE = ("../{}", "/etc/{}", "a/../../{}", "..\\{}", "C:\\{}")
SMALL = {"max_record_bytes": 2000, "max_ratio": 3}


@dataclass(frozen=True)
class Case:
    name: str
    data: bytes
    n_records: int | None
    config: dict = field(default_factory=dict)


HOSTILE = st.text(
    st.sampled_from("a \x00\x01\t\n\r\x0b\x85\u2028\u0301\ufeff\ufffe\ud800\udfff\U0001f600\"',;\\&#<>[]{}`*_|-")
    | st.characters(codec=None),
    max_size=40,
) | st.sampled_from(
    ["", " ", "\u00a0", "Ada lived in London.", "&#39;" * 50, "x" * 5000, "\ufeff", "\0", "#36;&amp;\\\\"]
)
VALUES = st.recursive(
    HOSTILE | st.none() | st.booleans() | st.integers() | st.floats() | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HOSTILE, inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["text", "text", "text", "id", "title", "date", "year", "a\ud800"])


def is_line(line):
    """Whether bytes are one line that is not empty, in a file that is not UTF-16."""
    return b"\n" not in line and line.strip() and not line.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff"))


JSON_LINES = (
    st.dictionaries(NAMES, VALUES, max_size=4).map(lambda row: json.dumps(row).encode())
    | st.builds(lambda text: json.dumps({"text": text}, ensure_ascii=False).encode("utf-8", "surrogatepass"), HOSTILE)
    | st.builds(lambda text: json.dumps({"text": text}, ensure_ascii=False).encode("cp1252", "ignore"), HOSTILE)
    | st.builds(
        lambda n, end: b'{"text": "x", "deep": ' + b"[" * n + end, st.integers(1, 3000), st.sampled_from([b"", b"}"])
    )
    | st.integers(1, 1200).map(lambda n: b'{"text": "x", "deep": ' + b'{"a":' * n + b"1" + b"}" * n + b"}")
    | st.sampled_from(
        [
            b"{",
            b"null",
            b'{"text": "a", "text": "b"}',
            b'{"text": "a", "n": NaN}',
            b'{"text": "a", "n": 1e999}',
            b'{"text": "a", "n": ' + b"1" * 5000 + b"}",
            b'{"text": "\\ud800\\udc00\\udc00"}',
            b'\xef\xbb\xbf{"text": "a"}',
            b'{"text": "' + b"megabyte " * 130_000 + b'"}',
            b'{"text": "' + b"\xc3" * 50 + b'"}',
        ]
    )
    | st.binary(min_size=1, max_size=60).map(lambda data: b"x" + data.replace(b"\n", b""))
).filter(is_line)


@st.composite
def jsonl_cases(draw):
    """Lines of every kind, with empty ones between them, which are no records."""
    lines = draw(st.lists(JSON_LINES, max_size=8))
    gap, end = draw(st.sampled_from([b"\n", b"\r\n", b"\n \t\n\n"])), draw(st.sampled_from([b"", b"\n"]))
    return Case(draw(st.sampled_from(["a.jsonl", "a.ndjson"])), gap.join(lines) + end, len(lines))


@st.composite
def json_cases(draw):
    """Objects in an array, one after another, or over many lines; an array of none counts for itself."""
    indent = draw(st.sampled_from([None, 1]))
    rows = draw(st.lists(st.dictionaries(NAMES, VALUES, max_size=4).map(lambda row: json.dumps(row, indent=indent))))
    shape = draw(st.sampled_from(["[%s]", "[\n%s\n]", "%s", "%s\n"]))
    gap = draw(st.sampled_from([",", ",\n", " , "])) if "[" in shape else draw(st.sampled_from(["", "\n", "\n\n"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    return Case("a.json", (shape % gap.join(rows)).encode(encoding), max(1, len(rows)))


@st.composite
def csv_cases(draw):
    """Rows as a CSV writer quotes them, some too short or too long; perhaps a quote that is never closed at the end."""
    suffix, delimiter = draw(st.sampled_from([("csv", ","), ("tsv", "\t")]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "cp1252"]))
    errors = "ignore" if encoding == "cp1252" else "surrogatepass"
    # A cell that the encoding has no character of would be empty, and a row of one empty cell is no row.
    cells = HOSTILE.filter(lambda cell: encoding != "cp1252" or not cell or cell.encode(encoding, errors))
    rows = draw(st.lists(st.lists(cells, min_size=1, max_size=4), max_size=8))
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter)
    writer.writerow(["id", "text", "year"])
    writer.writerows(rows)
    text, n_records = file.getvalue(), len(rows)
    if draw(st.booleans()):
        text += f'9{delimiter}"open\n' + "x\n" * draw(st.integers(0, 50))
        n_records += 1
    return Case(f"a.{suffix}", text.encode(encoding, errors), n_records)


TEXTS = (
    HOSTILE.map(lambda text: text.encode("utf-8", "surrogatepass"))
    | HOSTILE.map(lambda text: text.encode("utf-16", "replace"))
    | HOSTILE.map(lambda text: text.encode("big5", "ignore"))
    | st.binary(max_size=200)
    | st.just(b"A line of a megabyte. " * 50_000)
)
HTML_PIECES = st.sampled_from(
    [
        *(
            "<p>Ada lived in London. ",
            "</p>",
            "<div>" * 300,
            "<table><tr><td>x",
            "<script>",
            "<!--",
            "-->",
            "<![CDATA[",
        ),
        *("&#0;", "&#55296;", "&unknown;", "<meta charset=big5>", "<meta name=date content=9999-99-99>", "<a href='"),
        *("<?xml version='1.0' encoding='x'?>", "<svg><title>", "<html><body>", "<" * 300, "<title>", "\0"),
    ]
)
HTML = st.lists(HTML_PIECES | HOSTILE, max_size=12).map(lambda pieces: "".join(pieces).encode("utf-8", "surrogatepass"))
MARKDOWN_PIECES = st.sampled_from(
    ["# ", "\n", "---\n", "> " * 60, "- ", "```", "[a](", "![", "|a|b|\n|-|-|\n", "<b>", "*" * 99, "[" * 200, "    x"]
)
MARKDOWN = st.lists(MARKDOWN_PIECES | HOSTILE, max_size=12).map(
    lambda pieces: "".join(pieces).encode("utf-8", "surrogatepass")
)
FILE_CASES = (
    st.builds(Case, st.just("a.txt"), TEXTS, st.just(1))
    | st.builds(Case, st.sampled_from(["a.md", "a.markdown"]), MARKDOWN | TEXTS, st.just(1))
    | st.builds(Case, st.sampled_from(["a.html", "a.htm"]), HTML | TEXTS, st.just(1))
)


@st.composite
def parquet_cases(draw):
    """Rows with a text of any kind, among them bytes that are called a string, and columns of other types."""
    texts = draw(st.lists(st.none() | TEXTS, max_size=8))
    kind = draw(st.sampled_from([pa.binary(), pa.large_string(), pa.dictionary(pa.int32(), pa.binary())]))
    column = pa.array(texts, pa.large_binary())
    column = column.view(kind) if kind == pa.large_string() else column.cast(kind)
    table = pa.table(
        {
            (name := draw(st.sampled_from(["text", "text", "text", "body"]))): column,
            "id": pa.array(
                draw(st.lists(st.none() | st.floats(), min_size=len(texts), max_size=len(texts))), pa.float64()
            ),
            "when": pa.array(
                draw(st.lists(st.integers(-(2**52), 2**52), min_size=len(texts), max_size=len(texts))),
                pa.timestamp(
                    draw(st.sampled_from(["s", "us", "ns"])), draw(st.sampled_from([None, "UTC", "No/Where"]))
                ),
            ),
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=3, store_schema=True)
    # A file without the column is one reject, however many rows it has.
    return Case("a.parquet", file.getvalue(), len(texts) if name == "text" else min(1, len(texts)))


PLAIN_CASES = jsonl_cases() | json_cases() | csv_cases() | FILE_CASES | parquet_cases()


@st.composite
def compressed_cases(draw):
    """A file of any format, compressed."""
    case, suffix = draw(PLAIN_CASES), draw(st.sampled_from(sorted(COMPRESS)))
    return Case(f"{case.name}{suffix}", COMPRESS[suffix](case.data), case.n_records)


@st.composite
def zip_cases(draw):
    """An archive of files, also compressed ones, paths that lead out of it, archives, and files of other kinds."""
    members = draw(st.lists(PLAIN_CASES | compressed_cases(), max_size=4))
    n_records, file = 0, io.BytesIO()
    with zipfile.ZipFile(file, "w", draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))) as archive:
        for number, case in enumerate(members):
            name = draw(st.sampled_from(["{}", "x/{}", "./y//{}", *UNSAFE]))
            archive.writestr(name.format(f"{number}{case.name}"), case.data)
            n_records += 1 if name in UNSAFE else case.n_records
        archive.writestr("picture.png", b"\x89PNG")
        if draw(st.booleans()) or not members:
            archive.writestr("inner.zip", b"PK")
            n_records += 1
    return Case("a.zip", file.getvalue(), n_records)


@st.composite
def damaged_cases(draw):
    """A file of any kind that was cut or changed, or that is read with small limits."""
    case = draw(PLAIN_CASES | compressed_cases() | zip_cases())
    data = bytearray(case.data)
    if data and draw(st.booleans()):
        del data[draw(st.integers(0, len(data) - 1)) :]
    for _ in range(draw(st.integers(0, 4)) if data else 0):
        data[draw(st.integers(0, len(data) - 1))] ^= draw(st.integers(1, 255))
    return Case(case.name, bytes(data), None, draw(st.sampled_from([{}, {"clean": True}, SMALL])))


@st.composite
def bomb_cases(draw):
    """A file that unpacks to far more than its limits: what is kept is bounded by them, and the end is one reject."""
    line, suffix = (
        b'{"text": "' + b"a" * draw(st.integers(1, 200)) + b'"}\n',
        draw(st.sampled_from([*COMPRESS, ".zip"])),
    )
    data = line * (300_000 // len(line))
    if suffix == ".zip":
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.jsonl", data)
            archive.writestr("b.txt", b"never reached")
        return Case("a.zip", file.getvalue(), None, {**SMALL, "max_unpacked_bytes": 30_000})
    return Case(f"a.jsonl{suffix}", COMPRESS[suffix](data), None, {**SMALL, "max_unpacked_bytes": 30_000})


def refuse(name):
    raise ValueError(name)


def check(case, folder):
    """Reads a case's file; returns how many records of each reason it had, documents under an empty one."""
    (folder / case.name).write_bytes(case.data)
    file = SourceFile(str(folder / case.name), case.name, len(case.data))
    found = list(read_records(file, SourceConfig(**case.config)))
    documents = [record for record in found if isinstance(record, Document)]
    rejects = [record for record in found if isinstance(record, Reject)]
    for document in documents:
        assert document.text.strip()
        assert document.doc_id
        assert document.encoding
        assert document.sha256 == hashlib.sha256(document.text.encode()).hexdigest()
        assert isinstance(json.loads(document.metadata, parse_constant=refuse), dict)
    assert {reject.reason for reject in rejects} <= REASONS
    assert all(record.source.startswith(case.name) for record in found)
    for name, rows in (("documents", documents), ("rejects", rejects)):
        assert list(from_table(name, to_table(name, rows))) == rows  # every string has a UTF-8 form
    assert len(documents) + len(rejects) == len(found)
    assert case.n_records in (None, len(found))
    return Counter("" if isinstance(record, Document) else record.reason for record in found)


def fuzz(cases, n_examples, folder):
    """Reads that many cases, the same ones each time; returns how many records of each reason they had."""
    total = Counter()

    @settings(
        max_examples=n_examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(cases)
    def run(case):
        total.update(check(case, folder))

    run()
    return total


EXACT = {
    "jsonl": jsonl_cases(),
    "json": json_cases(),
    "csv": csv_cases(),
    "file": FILE_CASES,
    "parquet": parquet_cases(),
    "compressed": compressed_cases(),
    "zip": zip_cases(),
}


@pytest.mark.parametrize("kind", EXACT)
def test_every_record_is_counted_once(kind, tmp_path):
    """As many documents and rejects come out as records were written, whatever is in them."""
    assert fuzz(EXACT[kind], 100, tmp_path)


def test_damage_crashes_nothing(tmp_path):
    """Files that were cut or changed, and small limits: documents, rejects, and nothing else."""
    assert fuzz(damaged_cases(), 150, tmp_path)


def test_bombs_are_cut_off(tmp_path):
    """What unpacks without end is one reject, after no more records than the limit has room for."""
    total = fuzz(bomb_cases(), 10, tmp_path)
    assert (total["zip_bomb"], set(total) - {"", "zip_bomb", "too_large"}) == (total["zip_bomb"] or 1, set())


@pytest.mark.slow
def test_ten_thousand_records(tmp_path, capsys):
    """10,000 hostile records and more over all formats, with the number that came of each kind."""
    total = Counter()
    for cases in (*EXACT.values(), damaged_cases(), bomb_cases()):
        total.update(fuzz(cases, 300, tmp_path))
    n_records, n_documents = total.total(), total.pop("")
    with capsys.disabled():
        print(f"\n{n_records} records: {n_documents} documents, rejects {dict(total.most_common())}")
    assert n_records >= 10_000
