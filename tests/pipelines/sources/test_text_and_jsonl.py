"""Text files and JSON lines, with every fault that they may have."""

import json

import pytest

from kgmill.pipelines.sources.find import SourceFile, read_records
from kgmill.schemas.records import Document, Reject

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


def test_one_broken_byte_costs_one_character(tmp_path):
    """UTF-8 with a stray byte stays UTF-8, and the byte is counted in the document's notes."""
    document = one(tmp_path, "Søren Åberg lives in Tromsø".encode() + b"\x80.", "a.txt")
    assert (document.text, document.encoding, document.notes) == (
        "Søren Åberg lives in Tromsø\ufffd.",
        "utf-8",
        '{"bytes_replaced":1}',
    )


# JSON lines


def test_broken_byte_in_a_line_is_counted(tmp_path):
    """The line is kept as UTF-8; the others have no notes."""
    content = '{"text": "Tromsø"}\n{"text": "Ålesund '.encode() + b'\xff"}\n'
    assert [(document.text, document.notes) for document in records(tmp_path, content)] == [
        ("Tromsø", ""),
        ("Ålesund \ufffd", '{"bytes_replaced":1}'),
    ]


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
        (
            '{"id": "d1"}',
            "d1",
            "no_text",
            "no field 'text'; there are id: say [source.fields] text = \"NAME\"",
        ),
        ('{"id": "d1", "text": null}', "d1", "no_text", "wanted a string under 'text', got NoneType"),
        ('{"id": "d1", "text": 7}', "d1", "no_text", "wanted a string under 'text', got int"),
        ('{"id": "d1", "text": ""}', "d1", "empty", "the text is empty"),
        ('{"id": "d1", "text": " \\n "}', "d1", "empty", "the text is empty"),
        ('{"id": ["d1"], "text": "Ada"}', "", "bad_field", "wanted a string or a number under 'id', got list"),
        ('{"id": true, "text": "Ada"}', "", "bad_field", "wanted a string or a number under 'id', got bool"),
        ('{"id": "d1", "id": "d2", "text": "Ada"}', "", "malformed_json", "a key is there twice"),
        ('{"id": NaN, "text": "Ada"}', "", "bad_field", "wanted a string or a number under 'id', got float"),
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
