"""JSON in the shapes that corpora have: arrays, objects one after another, nested records, a database's own types."""

import json

import pytest

from kgmill.pipelines.sources.find import SourceFile, read_records
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.records import Document

A, B = '{"id": 1, "text": "Ana rows."}', '{"id": 2, "text": "Ian walks."}'


def records(folder, content, name="a.json", **config):
    """The records of a file of that content."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_records(SourceFile(str(folder / name), name, 1), SourceConfig(**config)))


def found(records):
    """Each record's place with its text, or with the reason why it has none."""
    return [(r.source, r.text if isinstance(r, Document) else r.reason) for r in records]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (f"[{A},{B}]", (1, 1)),
        (f"[\n{A},\n{B}\n]\n", (2, 3)),
        (f"[{A}\n,{B}]", (1, 2)),
        (f"{A}\n{B}\n", (1, 2)),
        (f"{A}{B}", (1, 1)),
        (f"{A},{B},", (1, 1)),
        (f"\x1e{A}\n\x1e{B}\n", (1, 2)),
        (f"[{A}]\n[{B}]\n", (1, 2)),
        (json.dumps(json.loads(A), indent=2) + "\n" + json.dumps(json.loads(B), indent=2), (1, 5)),
        (json.dumps([json.loads(A), json.loads(B)], indent=2), (2, 6)),
        (f"{A}\r{B}\r", (1, 2)),
    ],
)
def test_records_are_found_in_every_shape(tmp_path, name, content, lines):
    """An array, an object a line, several on a line, one over many lines: each record, with the line it begins in."""
    expected = [(f"{name}:{lines[0]}", "Ana rows."), (f"{name}:{lines[1]}", "Ian walks.")]
    assert found(records(tmp_path, content, name)) == expected
    assert found(records(tmp_path, b"\xef\xbb\xbf" + content.encode(), name)) == expected
    assert found(records(tmp_path, content.encode("utf-16"), name)) == expected


def test_one_object_is_one_record(tmp_path):
    """A file may be one object, over as many lines as it likes."""
    assert found(records(tmp_path, '\n{"text":\n "Ana",\n "tags": ["}", "\\"{"]\n}\n')) == [("a.json:2", "Ana")]


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (f'{{"n": 2, "skip": [{{"x": "]}}"}}], "data": {{"items": [{A}, {B}]}}, "end": null}}', "data.items"),
        (f'[{{"items": [{A}]}}, {{"other": 1}}, {{"items": {B}}}]', "items"),
    ],
)
def test_records_below_a_key_are_read_by_choice(tmp_path, content, path):
    """[source] records names the keys that lead to them, through arrays too; all else is passed over."""
    assert [text for _, text in found(records(tmp_path, content, records=path))] == ["Ana rows.", "Ian walks."]


def test_missing_key_of_records_is_one_reject(tmp_path):
    """A path that leads to nothing says so, for the file."""
    [reject] = records(tmp_path, f'{{"data": [{A}]}}', records="rows")
    assert (reject.source, reject.reason) == ("a.json:1", "empty")
    assert reject.detail == "there are no records under 'rows', where [source] records says that they are"


def test_object_around_the_records_names_the_cure(tmp_path):
    """A file whose records lie below a key is one record without a text."""
    [reject] = records(tmp_path, f'{{"count": 1, "data": [{A}]}}')
    assert (reject.reason, reject.detail) == (
        "no_text",
        'no field \'text\'; there are count, data: say [source.fields] text = "NAME", or [source] records = "data"',
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f'[{A}, {{"text": }}, {B}]', ["Ana rows.", "malformed_json", "Ian walks."]),
        (f'[{A},\n{{"text": "open}},\n{B}]', ["Ana rows.", "malformed_json", "Ian walks."]),
        (f"[{A},\n7,\n[1],\n{B}]", ["Ana rows.", "malformed_json", "malformed_json", "Ian walks."]),
        (f"[{A}, {B}", ["Ana rows.", "Ian walks.", "malformed_json"]),
        (f"[{A} oops\n,{B}]", ["Ana rows.", "malformed_json", "Ian walks."]),
        (f'[{A}, {{"text": "{"x" * 500}"}}, {B}]', ["Ana rows.", "too_large", "Ian walks."]),
        (f'[{A}, {{"text": {"[" * 201}{"]" * 201}}}, {B}]', ["Ana rows.", "too_deep", "Ian walks."]),
        ("<html>no</html>", ["malformed_json"]),
        ("[]", ["empty"]),
        ("", ["empty"]),
        ("[" * 5000, ["malformed_json"]),
    ],
)
def test_bad_record_of_an_array_costs_itself(tmp_path, content, expected):
    """What is broken, too large or no object is one reject; a cut file ends in one."""
    assert [text for _, text in found(records(tmp_path, content, max_record_bytes=450))] == expected


def test_broken_object_behind_others_on_its_line(tmp_path):
    """Those before it are kept."""
    assert found(records(tmp_path, A + B + '{"text": ', "a.jsonl")) == [
        ("a.jsonl:1", "Ana rows."),
        ("a.jsonl:1", "Ian walks."),
        ("a.jsonl:1", "malformed_json"),
    ]


def test_large_array_takes_no_memory(tmp_path):
    """An array on one line may be larger than a record: the limit is of each of its objects."""
    content = "[" + ",".join(f'{{"text": "{n} {"x" * 1000}"}}' for n in range(300)) + "]"
    assert len([r for r in records(tmp_path, content, max_record_bytes=2000) if isinstance(r, Document)]) == 300


def test_records_below_deep_arrays_break_nothing(tmp_path):
    """Arrays in arrays without end are passed over, whatever key is wanted."""
    assert found(records(tmp_path, "[" * 100_000, records="a")) == [("a.json:1", "malformed_json")]


@pytest.mark.parametrize("n", [65_530, 65_535, 65_536, 65_537])
def test_escape_between_two_reads(tmp_path, n):
    """A quote and its backslash may come in two pieces."""
    text = "x" * n + '\\" \\\\'
    [document] = records(tmp_path, f'[{{"text": "{text}"}}]', clean=False)
    assert document.text == "x" * n + '" \\'


def test_types_of_a_database_are_plain(tmp_path):
    """MongoDB's extended JSON, old and new: ids, dates and numbers are what they mean."""
    row = (
        '{"_id": {"$oid": "65a1f0"}, "text": "Ana", "on": {"$date": {"$numberLong": "1714730400000"}},'
        ' "n": {"$numberLong": "7"}, "x": {"$numberDouble": "0.5"}, "odd": {"$date": [1]},'
        ' "none": {"$undefined": true}}'
    )
    [document] = records(tmp_path, row, fields={"id": "_id", "date": "on"})
    assert (document.doc_id, document.date) == ("65a1f0", "2024-05-03T10:00:00+00:00")
    assert json.loads(document.metadata) == {"n": 7, "x": 0.5, "odd": {"$date": [1]}, "none": None}


def test_date_of_a_database_as_text(tmp_path):
    """The relaxed form has ISO text."""
    [document] = records(tmp_path, '{"text": "Ana", "date": {"$date": "2024-05-03T10:00:00Z"}}', "a.jsonl")
    assert document.date == "2024-05-03T10:00:00+00:00"
