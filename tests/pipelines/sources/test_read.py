"""Formats to records: CSV, Markdown, HTML and Parquet, the mapping of fields, dates, cleaning."""

import decimal
import hashlib
import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kgmill.pipelines.sources.find import SourceFile, read_records
from kgmill.pipelines.sources.formats.html import declared_encoding
from kgmill.schemas.config import FieldMap, SourceConfig
from kgmill.schemas.records import Document, Reject

HTML = """<html><head><title>Ada &amp; co</title><meta name="author" content="Lord Byron">
<meta name="date" content="2020-03-04"></head><body>
<nav><a href="/">Home</a><a href="/x">More</a></nav><article><h1>Ada</h1>
<p>Ada Lovelace lived in London &amp; wrote about the engine of Charles Babbage.</p>
<p>She was the daughter of a poet, who lived in Caf\u00e9 Byron.</p><script>track()</script></article></body></html>"""
MARKDOWN = """---
title: other
---
# The *first* program

Ada **Lovelace** wrote to [Babbage](http://x.example "t")
in `1843`. <!-- no --> ![a portrait](p.png)

> - Bob &amp; Cy
>   lived <b>here</b>

| who | where |
|---|---|
| Ada | London |

```python
print("x")
```
<div>Byron</div>
"""


def records(folder, name, content, **config):
    """The records of a file of that content."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    size = (folder / name).stat().st_size
    return list(read_records(SourceFile(str(folder / name), name, size), SourceConfig(**config)))


def parquet(folder, table, name="a.parquet", row_group_size=None, **config):
    """The records of a table, written as a Parquet file."""
    pq.write_table(table, folder / name, row_group_size=row_group_size)
    return records(folder, name, (folder / name).read_bytes(), **config)


def found(records):
    """Each record's place with its text, or with the reason why it has none."""
    return [(r.source, r.text if isinstance(r, Document) else r.reason) for r in records]


# CSV


def test_row_is_a_document(tmp_path):
    """Columns are fields by the names in the first row; others are metadata; a cell may have line breaks."""
    content = '\ufeffid,text,title,year,date\r\n7,"Ada ""A""\r\nlived",A letter,1843,1843-07-10\r\n'
    [document] = records(tmp_path, "a.csv", content)
    assert (document.doc_id, document.source, document.text) == ("7", "a.csv:2", 'Ada "A"\r\nlived')
    assert (document.title, document.date, document.metadata) == ("A letter", "1843-07-10", '{"year":"1843"}')


def test_tabs_separate_a_tsv(tmp_path):
    """In a .tsv file a comma is text."""
    assert found(records(tmp_path, "a.tsv", "id\ttext\n1\tAda, Bob\n")) == [("a.tsv:2", "Ada, Bob")]


def test_rows_are_numbered_by_the_line_that_they_begin_in(tmp_path):
    """Empty lines are no rows."""
    content = 'text\n"a\nb"\n\nc\n""\n'
    assert found(records(tmp_path, "a.csv", content)) == [("a.csv:2", "a\nb"), ("a.csv:5", "c"), ("a.csv:6", "empty")]


def test_row_of_another_length_is_a_reject(tmp_path):
    """A row with too many or too few cells says how many were wanted."""
    rows = records(tmp_path, "a.csv", "id,text\n1\n2,b\n3,c,d\n")
    assert [(r.source, r.reason, r.detail) for r in rows if isinstance(r, Reject)] == [
        ("a.csv:2", "bad_csv", "wanted 2 cells, got 1"),
        ("a.csv:4", "bad_csv", "wanted 2 cells, got 3"),
    ]
    assert len(rows) == 3


def test_text_after_a_quote_is_a_reject(tmp_path):
    """Quotes are strict: what can be read in two ways is not guessed at."""
    assert found(records(tmp_path, "a.csv", 'text\n"a"b\nc\n')) == [("a.csv:2", "bad_csv"), ("a.csv:3", "c")]


def test_open_quote_at_the_end_is_one_reject(tmp_path):
    """A quote that is never closed swallows the lines behind it: one reject at the line where its row begins."""
    content = "text\na\n" + '"b\n' + "c\n" * 1000
    assert found(records(tmp_path, "a.csv", content)) == [("a.csv:2", "a"), ("a.csv:3", "bad_csv")]


def test_open_quote_takes_no_memory_without_end(tmp_path):
    """A row over the limit is a reject, and reading goes on behind it."""
    content = 'text\n"a\n' + "b\n" * 200 + "c\n"
    rows = records(tmp_path, "a.csv", content, max_record_bytes=100)
    assert (rows[0].source, rows[0].reason) == ("a.csv:2", "too_large")
    assert (rows[-1].source, rows[-1].text) == ("a.csv:203", "c")


def test_long_cell_is_kept(tmp_path):
    """Python's own limit of 128 kB a cell is none of ours."""
    [document] = records(tmp_path, "a.csv", f"text\n{'a' * 5_000_000}\n")
    assert len(document.text) == 5_000_000


@pytest.mark.parametrize(
    ("content", "reason"),
    [("", "empty"), ("\nid,text\n1,a\n", "empty"), ("text,text\na,b\n", "bad_csv"), (b"\0text\na\n", "binary")],
)
def test_file_without_column_names_is_one_reject(tmp_path, content, reason):
    """The first line has to name the columns, each once."""
    assert found(records(tmp_path, "a.csv", content)) == [("a.csv", reason)]


def test_row_that_cannot_be_decoded_is_one_reject(tmp_path):
    """A bad byte costs its row, all lines of it, and no other."""
    content = b'id,text\n1,"a\nb\x81\nc"\n2,d\n3,\0\n'
    rows = records(tmp_path, "a.csv", content, encodings=("cp1252",))
    assert found(rows) == [("a.csv:2", "unknown_encoding"), ("a.csv:5", "d"), ("a.csv:6", "binary")]


def test_row_says_what_it_was_encoded_in(tmp_path):
    """A row is recorded with the encoding of the line that was not UTF-8."""
    content = 'id,text\n1,"Die Straße nach München ist\nlang"\n'.encode("cp1252") + b"2,x\n"
    assert [row.encoding for row in records(tmp_path, "a.csv", content)] == ["cp1252", "utf-8"]


def test_csv_as_spreadsheets_write_it(tmp_path):
    """ "Unicode text" of a spreadsheet is UTF-16 with tabs."""
    content = "id\ttext\r\n1\tÀda\r\n".encode("utf-16")
    [document] = records(tmp_path, "a.tsv", content)
    assert (document.text, document.encoding) == ("Àda", "utf-16")


# Markdown and HTML


def test_markdown_is_stored_as_plain_text(tmp_path):
    """Markup, tags, comments and link targets go; every visible word stays; the front matter is not text."""
    [document] = records(tmp_path, "a.md", MARKDOWN)
    assert document.text.split("\n\n") == [
        "The first program",
        "Ada Lovelace wrote to Babbage\nin 1843.  a portrait",
        "Bob & Cy\nlived here",
        *("who", "where", "Ada", "London"),
        'print("x")',
        "Byron",
    ]
    assert (document.title, document.metadata) == ("other", "{}")


def test_markdown_without_text_is_empty(tmp_path):
    """What shows nothing is an empty text."""
    assert found(records(tmp_path, "a.markdown", "---\na: b\n---\n[x]: http://x\n")) == [("a.markdown", "empty")]


def test_main_text_of_a_page_is_stored(tmp_path):
    """Navigation and scripts go; title, date and author are kept."""
    [document] = records(tmp_path, "a.html", HTML)
    assert document.text.split("\n\n")[-2:] == [
        "Ada Lovelace lived in London & wrote about the engine of Charles Babbage.",
        "She was the daughter of a poet, who lived in Caf\u00e9 Byron.",
    ]
    assert ("Home" in document.text, "track" in document.text) == (False, False)
    assert (document.doc_id, document.title, document.date) == ("a.html", "Ada", "2020-03-04")
    assert json.loads(document.metadata)["author"] == "Lord Byron"


def test_page_is_decoded_as_it_declares(tmp_path):
    """A page that is not UTF-8 is believed when it says what it is."""
    page = HTML.replace("<head>", "<head><meta charset=iso-8859-1>").encode("cp1252")
    [document] = records(tmp_path, "a.htm", page)
    assert ("Caf\u00e9" in document.text, document.encoding) == (True, "cp1252")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'<meta charset="koi8-r">', "koi8-r"),
        (b"<meta http-equiv=x content='text/html; charset=GB2312'>", "gb18030"),
        (b'<?xml version="1.0" encoding="ISO-8859-2"?>', "iso8859-2"),
        (b"<META CHARSET=UTF-8>", "utf-8"),
        (b"<script charset=big5></script><meta charset='utf8'>", "utf-8"),
        (b"<meta charset=hex>", ""),
        (b"<meta charset=unicode_escape>", ""),
        (b"<meta charset=nonsense>", ""),
        (b"<p>charset=big5</p>", ""),
    ],
)
def test_declared_encodings(head, expected):
    """A name that Python doesn't know, or that is no encoding of text, is none."""
    assert declared_encoding(head) == expected


def test_one_broken_byte_leaves_a_declared_page_as_it_is(tmp_path):
    """A page that says UTF-8 is UTF-8, though a byte is none; the byte is counted."""
    page = HTML.replace("<head>", '<head><meta charset="utf-8">').encode().replace(b"a poet", b"a poet\xa0")
    [document] = records(tmp_path, "a.html", page)
    assert ("a poet\ufffd, who" in document.text, "Café Byron" in document.text) == (True, True)
    assert (document.encoding, json.loads(document.notes)["bytes_replaced"]) == ("utf-8", 1)


@pytest.mark.parametrize(
    ("page", "reason"),
    [("", "empty"), (" \n", "empty"), ("<html><body></body></html>", "bad_html"), ("<div>" * 5000 + "x", "bad_html")],
)
def test_page_without_text_is_a_reject(tmp_path, page, reason):
    """A page from which nothing can be read says so."""
    assert found(records(tmp_path, "a.html", page)) == [("a.html", reason)]


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html"])
def test_file_over_the_limit_is_a_reject(tmp_path, name):
    """Texts, Markdown and pages are read whole, up to the limit."""
    assert found(records(tmp_path, name, "Ada " * 30, max_record_bytes=100)) == [(name, "too_large")]


# Parquet


def test_parquet_row_is_a_document(tmp_path):
    """Columns of any type are fields; what JSON has no form for is written as text."""
    table = pa.table(
        {
            "id": pa.array([7, 8]),
            "text": pa.array(["Ada", "B\u00f6b"]),
            "date": pa.array([datetime(1843, 7, 10, 9, tzinfo=UTC), None]),
            "day": pa.array([date(1843, 7, 10), None]),
            "price": pa.array([decimal.Decimal("1.50"), None]),
            "share": pa.array([float("nan"), 0.5]),
            "raw": pa.array([b"a\xff", None]),
            "tags": pa.array([["x", "y"], []]),
            "about": pa.array([{"z": 1}, None]),
        }
    )
    first, second = parquet(tmp_path, table)
    assert (first.doc_id, first.source, first.text, first.date) == (
        "7",
        "a.parquet:1",
        "Ada",
        "1843-07-10T09:00:00+00:00",
    )
    assert (first.notes, second.notes) == ('{"metadata_values":1}', "")
    assert json.loads(first.metadata) == {
        "day": "1843-07-10",
        "price": "1.50",
        "share": None,
        "raw": "a\\xff",
        "tags": ["x", "y"],
        "about": {"z": 1},
    }
    assert (second.doc_id, second.date, json.loads(second.metadata)["share"]) == ("8", "", 0.5)


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.large_binary(),
        pa.dictionary(pa.int32(), pa.string()),
    ],
    ids=str,
)
def test_text_may_be_of_any_kind_of_string(tmp_path, kind):
    """Short and long strings, bytes and dictionaries are text; null is none."""
    table = pa.table({"text": pa.array(["Ada", None, ""]).cast(kind)})
    assert found(parquet(tmp_path, table)) == [
        ("a.parquet:1", "Ada"),
        ("a.parquet:2", "no_text"),
        ("a.parquet:3", "empty"),
    ]


def test_bytes_that_are_not_utf8_are_decoded_row_by_row(tmp_path):
    """A string column may hold anything: each row's text is found alone; of other fields a broken byte is replaced."""
    strings = pa.array(["Die Straße nach München".encode("cp1252"), b"Ada", "é".encode()])
    table = pa.table({"text": strings.cast(pa.large_binary()).view(pa.large_string())})
    assert [(r.text, r.encoding) for r in parquet(tmp_path, table)] == [
        ("Die Straße nach München", "cp1252"),
        ("Ada", "utf-8"),
        ("é", "utf-8"),
    ]
    broken = pa.array([b"a", b"\xff"]).cast(pa.large_binary()).view(pa.large_string())
    table = pa.table({"text": ["Ada", "Bob"], "title": broken})
    rows = parquet(tmp_path, table)
    assert [(r.text, r.title, r.notes) for r in rows] == [
        ("Ada", "a", ""),
        ("Bob", "\ufffd", '{"bytes_replaced":1}'),
    ]


def test_rows_are_counted_through_all_row_groups(tmp_path):
    """The place is the row's number in the file, over batches and row groups."""
    table = pa.table({"text": [f"text {n}" for n in range(1000)]})
    rows = parquet(tmp_path, table, row_group_size=300)
    assert [(r.source, r.text) for r in rows] == [(f"a.parquet:{n + 1}", f"text {n}") for n in range(1000)]


def test_rows_without_the_column_are_rejects(tmp_path):
    """A file without the text column is one reject, which says how to name another one."""
    [reject] = parquet(tmp_path, pa.table({"n": [1, 2], "body": ["a", "b"]}), fields=FieldMap(metadata=()))
    assert (reject.source, reject.reason, reject.detail) == (
        "a.parquet",
        "no_text",
        "no field 'text'; there are n, body: say [source.fields] text = \"body\" (all 2 rows)",
    )


def test_only_the_wanted_columns_are_read(tmp_path):
    """A column that no field is mapped to may be broken: it is never touched."""
    broken = pa.array([b"\xff"]).cast(pa.large_binary()).view(pa.large_string())
    table = pa.table({"text": ["Ada"], "other": broken, "year": [1843]})
    [document] = parquet(tmp_path, table, fields=FieldMap(metadata=("year",)))
    assert document.metadata == '{"year":1843}'


def test_broken_parquet_is_a_reject(tmp_path):
    """No Parquet, a cut one and a column name twice are one reject; rows before a broken page stay."""
    assert found(records(tmp_path, "a.parquet", b"PAR1")) == [("a.parquet", "bad_parquet")]
    pq.write_table(pa.table({"text": ["Ada"]}), tmp_path / "b.parquet")
    data = (tmp_path / "b.parquet").read_bytes()
    assert found(records(tmp_path, "b.parquet", data[:-9])) == [("b.parquet", "bad_parquet")]
    twice = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    assert found(parquet(tmp_path, twice)) == [("a.parquet", "bad_parquet")]
    table = pa.table({"text": [f"{n} {hashlib.sha256(bytes([n % 256])).hexdigest()}" for n in range(2000)]})
    pq.write_table(table, tmp_path / "c.parquet", row_group_size=1000, compression="zstd", write_page_checksum=True)
    data = bytearray((tmp_path / "c.parquet").read_bytes())
    data[len(data) * 3 // 4] ^= 1
    rows = records(tmp_path, "c.parquet", bytes(data))
    assert (len(rows), rows[999].source, rows[1000].reason) == (1001, "c.parquet:1000", "bad_parquet")


# Fields, dates, cleaning


def test_fields_are_mapped(tmp_path):
    """Each field of a document may have another name; the chosen metadata is kept, the rest is not."""
    fields = {"id": "guid", "text": "body", "title": "", "date": "published", "metadata": ["section", "missing"]}
    line = {"guid": 5, "body": "Ada", "title": "x", "published": "2004-05-03 10:00", "section": "news", "id": "y"}
    [document] = records(tmp_path, "a.jsonl", json.dumps(line), fields=fields)
    assert (document.doc_id, document.text, document.title) == ("5", "Ada", "")
    assert (document.date, document.metadata) == ("2004-05-03T10:00:00", '{"section":"news"}')


def test_what_is_not_named_is_metadata(tmp_path):
    """Without a choice every other field is kept, also one that has a document's name but another meaning."""
    [document] = records(tmp_path, "a.jsonl", '{"text": "Ada", "id": 1, "n": 2}', fields={"id": ""})
    assert (document.doc_id, document.metadata) == ("a.jsonl#99a563ab2f6e21e9", '{"id":1,"n":2}')


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2004-05-03", "2004-05-03"),
        (" 2004 ", "2004"),
        (2004, "2004"),
        ("2004-05-03T10:00:00Z", "2004-05-03T10:00:00+00:00"),
        ("2004-99-03 10:00", "2004-99-03 10:00"),
        ("May 3, 2004", "May 3, 2004"),
        (None, ""),
        ("", ""),
    ],
)
def test_dates(tmp_path, value, expected):
    """A date with a time takes one form; another date stays as it came."""
    [document] = records(tmp_path, "a.jsonl", json.dumps({"text": "Ada", "date": value}))
    assert document.date == expected


def test_stored_text_is_the_cleaned_one(tmp_path):
    """Cleaning comes before storing: the hash, and an id that is made of it, are of the text that offsets index."""
    line = json.dumps({"text": "Turner &amp; Newall #39;s \\\\ fees", "title": "A&amp;B"})
    [document] = records(tmp_path, "a.jsonl", line, clean=True)
    assert (document.text, document.title) == ("Turner & Newall's fees", "A&B")
    assert document.sha256 == hashlib.sha256(document.text.encode()).hexdigest()
    assert document.doc_id == f"a.jsonl#{document.sha256[:16]}"
    assert json.loads(document.notes) == {"markup.backslashes": 1, "markup.entities": 3}
    [by_looks] = records(tmp_path, "a.jsonl", line)
    assert (by_looks.text, by_looks.title) == ("Turner & Newall's \\\\ fees", "A&B")
    [as_it_came] = records(tmp_path, "a.jsonl", line, clean=False)
    assert (as_it_came.text, as_it_came.notes) == ("Turner &amp; Newall #39;s \\\\ fees", "")


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.md", "Write &amp;amp; for it."), ("a.html", "<html><p>Write &amp;amp; for it.</p></html>")],
)
def test_what_came_out_of_markup_is_not_looked_at(tmp_path, name, content):
    """A page that shows an entity means it."""
    [document] = records(tmp_path, name, content)
    assert document.text == "Write &amp; for it."


def test_text_that_cleaning_empties_is_empty(tmp_path):
    """Nothing but backslashes is no text."""
    assert found(records(tmp_path, "a.txt", "\\\\ &nbsp;", clean=True)) == [("a.txt", "empty")]
