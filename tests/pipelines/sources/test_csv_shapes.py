"""CSV as spreadsheets, databases and statistics packages write it."""

import pytest

from kgmill.pipelines.sources.find import SourceFile, read_records
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.records import Document


def records(folder, content, name="a.csv", **config):
    """The records of a file of that content."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_records(SourceFile(str(folder / name), name, 1), SourceConfig(**config)))


def found(records):
    """Each record's id with its text, or its place with the reason why it has none."""
    return [(r.doc_id, r.text) if isinstance(r, Document) else (r.source, r.reason) for r in records]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "id;text\n1;Ana, of Brno\n2;Ian\n"),
        ("a.csv", "id\ttext\n1\tAna, of Brno\n2\tIan\n"),
        ("a.csv", 'id|text\n1|"Ana, of Brno"\n2|Ian\n'),
        ("a.tsv", 'id,text\n1,"Ana, of Brno"\n2,Ian\n'),
        ("a.csv", 'sep=,\nid,text\n1,"Ana, of Brno"\n2,Ian\n'),
        ("a.csv", "SEP=;\r\nid;text\r\n1;Ana, of Brno\r\n2;Ian\r\n"),
        ("a.csv", '"sep=^"\nid^text\n1^Ana, of Brno\n2^Ian\n'),
        ("a.csv", 'id,text\r1,"Ana, of Brno"\r2,Ian\r'),
        ("a.csv", 'ID, Text \n1,"Ana, of Brno"\n2,Ian\n'),
        ("a.csv", '"Id","TEXT"\n"1","Ana, of Brno"\n"2","Ian"\n'),
        ("a.csv", 'id,text,,\n1,"Ana, of Brno",,\n2,Ian,,\n'),
        ("a.csv", ',id,text\n,1,"Ana, of Brno"\n,2,Ian\n'),
        ("a.csv", 'id,text\n1,"Ana, of Brno",,\n2,Ian,\n'),
    ],
)
def test_dialects_are_read(tmp_path, name, content, encoding):
    """Semicolons, tabs, bars, a line that names the mark, old line ends, capitals, columns without a name."""
    rows = records(tmp_path, content.encode(encoding), name)
    assert found(rows) == [("1", "Ana, of Brno"), ("2", "Ian")]
    assert [row.metadata for row in rows] == ["{}", "{}"]


def test_columns_without_a_name_and_twice(tmp_path):
    """What has no name is named by its number where it holds something, as is a name that is there again."""
    [document] = records(tmp_path, "text,note,,note,\nAna,a,b,c,\n")
    assert document.metadata == '{"column_3":"b","column_4":"c","note":"a"}'


def test_quoted_cell_may_have_line_breaks(tmp_path):
    """Also with another mark, and where rows end in a carriage return alone."""
    assert found(records(tmp_path, 'id;text\n1;"Ana;\n""of"" Brno"\n')) == [("1", 'Ana;\n"of" Brno')]
    assert found(records(tmp_path, 'id,text\r1,"Ana\nof Brno"\r')) == [("1", "Ana\nof Brno")]


@pytest.mark.parametrize("n_rows", [1, 300])
def test_file_without_the_column_is_one_reject(tmp_path, n_rows):
    """The columns that there are and the setting that names one of them, once a file."""
    [reject] = records(tmp_path, "no;body\n" + "1;Ana\n" * n_rows)
    assert (reject.source, reject.reason, reject.detail) == (
        "a.csv",
        "no_text",
        "no field 'text'; there are no, body: say [source.fields] text = \"body\"; the first row names the columns",
    )


def test_column_of_another_name_decides_the_mark(tmp_path):
    """The configured name of the text counts, not the usual one."""
    assert found(records(tmp_path, "id;body\n1;Ana\n", fields={"text": "body"})) == [("1", "Ana")]


def test_carriage_return_outside_of_quotes_is_a_reject(tmp_path):
    """In a file with line feeds it is nobody's line end: the row is refused in our words."""
    rows = records(tmp_path, "id,text\n1,a\rb\n2,c\n")
    assert [getattr(row, "detail", row.doc_id) for row in rows] == ["a carriage return outside of quotes", "2"]
