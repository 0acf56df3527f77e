"""Records to documents: which field is which, and values that JSON, Python or Arrow can't hold."""

import datetime
import doctest
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kgmill.pipelines.sources import lookup
from kgmill.pipelines.sources.fields import Origin, from_fields
from kgmill.pipelines.sources.find import SourceFile, read_records
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.records import Document


def made(row, **fields):
    """The document of a record, or its reject."""
    return from_fields(row, Origin("a.jsonl", "a.jsonl:1"), SourceConfig(fields=fields))


def parquet(folder, table, **fields):
    """The records of a table, written as a Parquet file."""
    pq.write_table(table, folder / "a.parquet")
    return list(read_records(SourceFile(str(folder / "a.parquet"), "a.parquet", 1), SourceConfig(fields=fields)))


def test_doctests():
    """The examples in the docstrings hold."""
    assert doctest.testmod(lookup).failed == 0


def test_field_is_found_by_its_path():
    """A dotted name leads into objects; what it leads to is no metadata, the rest of an object is."""
    row = {"meta": {"key": 4, "lang": "cs"}, "post": {"body": {"plain": "Ana rows."}}}
    document = made(row, id="meta.key", text="post.body.plain")
    assert (document.doc_id, document.text) == ("4", "Ana rows.")
    assert document.metadata == '{"meta":{"lang":"cs"}}'


def test_a_key_with_a_dot_wins_over_a_path():
    """A literal name is taken first, also at the beginning of a path."""
    assert made({"a.b": "x", "a": {"b": "y"}}, text="a.b").text == "x"
    assert made({"a.b": {"c": "x"}, "a": {"b": {"c": "y"}}}, text="a.b.c").text == "x"


def test_path_through_a_list_gives_paragraphs():
    """The strings of all objects of a list are the paragraphs of one text."""
    row = {"sections": [{"text": "One.", "n": 1}, {"n": 2}, {"text": "Two."}]}
    document = made(row, text="sections.text")
    assert (document.text, document.metadata) == ("One.\n\nTwo.", '{"sections":[{"n":1},{"n":2},{}]}')


@pytest.mark.parametrize("key", ["TEXT", "Text", " text"])
def test_name_may_differ_in_case(key):
    """A header of other letters or with a space before it is found, and is no metadata."""
    document = made({"ID": 7, key: "Ana", "Title": "T"})
    assert (document.doc_id, document.text, document.title, document.metadata) == ("7", "Ana", "T", "{}")


def test_two_names_that_differ_in_case_are_none():
    """What could be either is not guessed at; the exact one is taken where it is there."""
    assert made({"Text": "a", "TEXT": "b"}).reason == "no_text"
    assert made({"Text": "a", "text": "b"}).text == "b"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["Ana rows.", "Ian walks."], "Ana rows.\n\nIan walks."),
        ([["Ana rows.", "She is tall."], ["Ian walks."]], "Ana rows. She is tall.\n\nIan walks."),
        (["Ana", None], "Ana"),
    ],
)
def test_list_of_paragraphs_is_a_text(value, text):
    """Paragraphs have an empty line between them, the sentences of one a space."""
    assert made({"text": value}).text == text


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        ({"id": 1, "body": "x"}, "no field 'text'; there are id, body: say [source.fields] text = \"body\""),
        ({"n": 1, "say": {"it": "xx"}}, "no field 'text'; there are n, say: say [source.fields] text = \"say.it\""),
        ({"n": 1}, "no field 'text'; there are n: say [source.fields] text = \"NAME\""),
        ({"text": {"html": "x"}}, "wanted a string under 'text', got dict; say [source.fields] text = \"text.html\""),
        ({"text": [1]}, "wanted a string under 'text', got list"),
    ],
)
def test_record_without_a_text_names_the_cure(row, detail):
    """The fields that are there, and the setting that names one of them."""
    assert (made(row).reason, made(row).detail) == ("no_text", detail)


def test_number_that_is_none_costs_itself():
    """NaN and infinity are null in the metadata, and counted."""
    document = made({"text": "Ana", "a": float("nan"), "b": [{"c": float("inf")}, 1.5]})
    assert (document.metadata, document.notes) == ('{"a":null,"b":[{"c":null},1.5]}', '{"metadata_values":2}')


@pytest.mark.parametrize("value", [{"y": 1}, [1], True, float("nan")])
def test_title_and_date_that_are_none_cost_themselves(value):
    """A title or a date of another kind is left out, and counted; the text is kept."""
    document = made({"text": "Ana", "title": value, "date": value})
    assert (document.text, document.title, document.date, document.notes) == ("Ana", "", "", '{"metadata_values":2}')


# Parquet


def test_times_that_python_cannot_hold_are_text(tmp_path):
    """Nanoseconds, dates after 9999 and before 1, alone and in lists and structs: ISO text, and a note each."""
    far = pa.array([3_000_000], pa.int32()).cast(pa.date32())
    late = pa.array([2**60], pa.int64()).cast(pa.timestamp("us", "UTC"))
    exact = pa.array([1_700_000_000_123_456_789], pa.timestamp("ns"))
    table = pa.table(
        {
            "text": ["Ana"],
            "day": far,
            "late": late,
            "seen": pa.StructArray.from_arrays([exact, far], ["at", "till"]),
            "all": pa.ListArray.from_arrays([0, 1], exact),
            "length": pa.array([-1_500_000_001], pa.duration("ns")),
        }
    )
    [document] = parquet(tmp_path, table)
    assert json.loads(document.metadata) == {
        "day": "10183-09-21",
        "late": "38504-08-17T21:30:06.846976+00:00",
        "seen": {"at": "2023-11-14T22:13:20.123456789", "till": "10183-09-21"},
        "all": ["2023-11-14T22:13:20.123456789"],
        "length": "-PT1.500000001S",
    }
    assert document.notes == '{"metadata_values":6}'


def test_nanoseconds_are_told_alike_with_pandas_and_without(tmp_path):
    """Arrow gives values of pandas, where it is installed, whose text is another and which hide a loss."""
    pytest.importorskip("pandas")
    lengths = pa.array([-1_500_000_001, 2_000_000, None], pa.duration("ns"))
    rows = parquet(tmp_path, pa.table({"text": ["a", "b", "c"], "n": lengths}))
    assert [(json.loads(row.metadata).get("n"), row.notes) for row in rows] == [
        ("-PT1.500000001S", '{"metadata_values":1}'),
        ("0:00:00.002000", ""),
        (None, ""),
    ]


def test_times_that_python_can_hold_are_no_loss(tmp_path):
    """Nanoseconds that are whole microseconds are times like others, in a column of any unit."""
    day = datetime.datetime(2024, 5, 3, 10)
    [document] = parquet(tmp_path, pa.table({"text": ["Ana"], "date": pa.array([day], pa.timestamp("ns"))}))
    assert (document.date, document.notes) == ("2024-05-03T10:00:00", "")


def test_a_row_that_python_cannot_hold_costs_no_other(tmp_path):
    """The rows of a batch are read one by one where one of them is out of range."""
    days = pa.array([1, 3_000_000, None], pa.int32()).cast(pa.date32())
    rows = parquet(tmp_path, pa.table({"text": ["a", "b", "c"], "date": days}))
    assert [(type(row), row.date, row.notes) for row in rows] == [
        (Document, "1970-01-02", ""),
        (Document, "10183-09-21", '{"metadata_values":1}'),
        (Document, "", ""),
    ]


def test_columns_are_found_as_fields_are(tmp_path):
    """A header in other case, a path into a struct and a list of strings, also where columns are chosen."""
    table = pa.table({"ID": ["x"], "Body": [{"plain": ["Ana.", "Ian."], "raw": "r"}], "other": [1]})
    [document] = parquet(tmp_path, table, text="body.plain", metadata=("other",))
    assert (document.doc_id, document.text, document.metadata) == ("x", "Ana.\n\nIan.", '{"other":1}')
