"""Records as Arrow tables and back."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kgmill.schemas.records import Document, Entity, Evidence, Fact, Mention, Name, Reject, Relation
from kgmill.schemas.tables import PUBLISHED, SCHEMAS, TABLES, conform, described, from_table, to_table

RECORDS = {
    "documents": [
        Document("d1", "a.txt", "", "Ada\u00a0lived \U0001f600.", "{}", "ab" * 32),
        Document("d2", "b.jsonl:7", "A letter", "", '{"year":1843}', "cd" * 32),
    ],
    "mentions": [Mention("d1", 0, 0, 3, "Ada", "Peop", 0.1 + 0.2, "ada-7f3a9c21d04be855", "short")],
    "relations": [
        Relation("91c2", "5d0c", "d1", 0, 0, 12, "Live_In", 0, 3, "ada-7f", 8, 9, "x-1b", 1e-300),
        Relation(
            *("92c2", "6e1d", "d1", 0, 0, 12, "Born_On", 0, 3, "ada-7f", 8, 9, "", 0.5),
            *("1815", "http://www.w3.org/2001/XMLSchema#gYear", "hedged", "134c64a7", "1843-07-10"),
        ),
    ],
    "entities": [Entity("ada-7f", "Peop", "Ada", 3, 2, 1.0)],
    "names": [Name("ada-7f", "Ada", "", 2), Name("ada-7f", "Countess of Lovelace", "decision", 1)],
    "facts": [
        Fact("5d0c", "ada-7f", "Live_In", "x-1b", 0.0, 2**40, 1),
        Fact("6e1d", "ada-7f", "Born_On", "", 0.5, 1, 1, "1815", "http://www.w3.org/2001/XMLSchema#gYear"),
        Fact("7f2e", "ada-7f", "Live_In", "x-1c", 0.5, 3, 2, share=1 / 3, first="1842", last="1843-07", asserted=False),
    ],
    "evidence": [
        Evidence("5d0c", "91c2", "d1", 0, 12, 0, 3, 8, 9, 0.5),
        Evidence("7f2e", "91c3", "d1", 0, 12, 0, 3, 8, 9, 0.5, "negated"),
    ],
    "rejects": [Reject("ingest", "b.jsonl:8", "", "malformed_json", "line 8: wanted an object")],
}


@pytest.mark.parametrize("name", TABLES)
def test_record_arrow_record(name):
    """Records of every table come back equal from Arrow."""
    table = to_table(name, RECORDS[name])

    assert list(from_table(name, table)) == RECORDS[name]


@pytest.mark.parametrize("name", TABLES)
def test_record_parquet_record(name):
    """Records of every table come back equal from Parquet, whatever the order of its columns."""
    file = io.BytesIO()
    pq.write_table(to_table(name, RECORDS[name]), file)
    table = pq.read_table(file)

    assert list(from_table(name, table.select(table.column_names[::-1]))) == RECORDS[name]


def test_table_of_an_older_version():
    """A column that was not written yet has its default in every record; others are wanted."""
    fact = RECORDS["facts"][0]
    later = ["value", "datatype", "share", "first", "last", "asserted"]
    old = to_table("facts", [fact]).drop_columns(later)

    assert conform("facts", old) == to_table("facts", [fact])
    assert list(from_table("facts", old)) == [fact]
    with pytest.raises(KeyError, match="relation"):
        conform("facts", old.drop_columns(["relation"]))


def test_no_records():
    """A table of no records keeps its columns."""
    table = to_table("facts", [])

    assert table.schema == SCHEMAS["facts"]
    assert list(from_table("facts", table)) == []


def test_many_records_keep_their_order():
    """More records than a batch holds come back in order."""
    records = [Reject("ingest", f"a.jsonl:{i}", "", "x", "") for i in range(10_000)]

    assert list(from_table("rejects", to_table("rejects", iter(records)))) == records


def test_field_names_and_types():
    """A schema has the record's fields, in order, none of them null."""
    expected = pa.schema(
        [
            pa.field("doc_id", pa.string(), nullable=False),
            pa.field("sentence", pa.int64(), nullable=False),
            pa.field("mention_begin", pa.int64(), nullable=False),
            pa.field("mention_end", pa.int64(), nullable=False),
            pa.field("text", pa.string(), nullable=False),
            pa.field("type", pa.string(), nullable=False),
            pa.field("confidence", pa.float64(), nullable=False),
            pa.field("entity_id", pa.string(), nullable=False),
            pa.field("rule", pa.string(), nullable=False),
        ]
    )

    assert SCHEMAS["mentions"] == expected


def test_mentions_of_an_older_version():
    """What 0.2.0 called begin and end, a word of SQL, is found under the names of today."""
    record = RECORDS["mentions"][0]
    table = to_table("mentions", [record])
    new = {"mention_begin": "begin", "mention_end": "end"}
    old = table.rename_columns([new.get(name, name) for name in table.column_names])

    assert list(from_table("mentions", old)) == [record]


SQL_WORDS = {"end", "begin", "from", "to", "group", "order", "user", "table", "column", "select", "where", "index"}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_tables(name):
    """DIR/tables has each column of the record once, and none that SQL takes for a word of its own."""
    columns = PUBLISHED[name].names
    assert {*SCHEMAS[name].names} <= {*columns}
    assert len({*columns}) == len(columns)
    assert not SQL_WORDS & {*columns}


def test_described_table():
    """A file says what it is and what decided it; reading it as records leaves that aside."""
    table = described("rejects", to_table("rejects", []), "ingest 6", run="00ff")

    assert table.schema.metadata == {
        b"kgmill.table": b"rejects",
        b"kgmill.made_by": b"ingest 6",
        b"kgmill.run": b"00ff",
    }
    assert conform("rejects", table).schema.metadata is None


def test_truth_has_a_type_of_its_own():
    """What is true or false is a boolean in every file, and no text."""
    assert SCHEMAS["facts"].field("asserted") == pa.field("asserted", pa.bool_(), nullable=False)


def test_table_names():
    """There is a table for each kind of record that a build keeps."""
    assert list(SCHEMAS) == [
        *("documents", "mentions", "relations", "entities", "names", "facts", "evidence", "rejects"),
    ]


def test_table_of_an_earlier_version_has_the_defaults():
    """Documents that 0.1.0 stored have no notes; in mode append they are carried on."""
    table = to_table("documents", [Document("d1", "a.txt", "", "Ada", "{}", "00")]).drop_columns("notes")
    assert list(from_table("documents", table)) == [Document("d1", "a.txt", "", "Ada", "{}", "00")]


def test_table_without_heads_has_none():
    """Documents that 0.2.0 stored have no head."""
    document = Document("d1", "a.txt", "", "OSLO - Ada", "{}", "00", head=7, dateline="OSLO", agency="AP", byline="Bo")
    table = to_table("documents", [document]).drop_columns(["head", "dateline", "agency", "byline"])
    assert list(from_table("documents", table)) == [Document("d1", "a.txt", "", "OSLO - Ada", "{}", "00")]
