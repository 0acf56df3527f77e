"""docs/data.md: each of its examples runs, and finds something, in the tables of five texts."""

import json
import re
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sample_network import NS, tables, write_output

from kgmill.pipelines.stages.labels import tell_entities, tell_facts
from kgmill.schemas.literals import day_of
from kgmill.schemas.records import Name, Reject
from kgmill.schemas.tables import PUBLISHED, described, to_table

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
SECTIONS = {name: PAGE.partition(f"## {name}\n")[2].partition("\n## ")[0] for name in ("In Python", "pandas", "polars")}
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """The output of a build of five texts, as readers see it."""
    folder = tmp_path_factory.mktemp("data") / "out"
    rows = tables()
    rows["documents"] = [replace(d, date=f"19{20 + i}-05-04") for i, d in enumerate(rows["documents"])]
    rows["facts"] = [replace(f, first="1920-05-04", last="1921-05") for f in rows["facts"]]
    rows["evidence"] = [replace(e, sentence_text=text_of(rows, e)) for e in rows["evidence"]]
    rows["names"] = [
        Name(e.entity_id, name, "", 1) for e in rows["entities"] for name in (e.label, e.label.split()[-1])
    ]
    rows["rejects"] = [Reject("ingest", "x.txt", "x.txt", "empty", "no text")]
    write_output(folder, rows)
    arrow = {name: to_table(name, records) for name, records in rows.items()}
    labels = arrow["entities"].select(["entity_id", "label", "type"])
    arrow["facts"] = tell_facts(arrow["facts"], labels, NS)
    arrow["entities"] = tell_entities(arrow["entities"], arrow["names"], NS)
    days = [day_of(d.date) for d in rows["documents"]]
    arrow["documents"] = arrow["documents"].append_column("day", pa.array(days, pa.date32()))
    for name in PUBLISHED:
        for path in (folder / "tables" / name).iterdir():
            path.unlink()
        pq.write_table(described(name, arrow[name], "test"), folder / "tables" / name / f"00-0000.{'0' * 16}.parquet")
    run = json.loads((folder / "run.json").read_text())
    run["graph"] |= {"entities": len(rows["entities"]), "facts": len(rows["facts"])}
    (folder / "run.json").write_text(json.dumps(run | {"documents": {"kept": len(rows["documents"])}}))
    return folder


def text_of(rows, evidence):
    text = next(d.text for d in rows["documents"] if d.doc_id == evidence.doc_id)
    return text[evidence.sentence_begin : evidence.sentence_end]


def test_page_has_five_examples_each():
    """Five for DuckDB, five for pandas, five for polars."""
    assert [len(QUERIES), *(SECTIONS[name].count("```python") for name in ("pandas", "polars"))] == [5, 5, 5]


@pytest.mark.parametrize("number", range(5))
def test_query_finds_something(output, number):
    """Each question has an answer."""
    assert duckdb.sql(QUERIES[number].replace("DIR", str(output))).fetchall()


@pytest.mark.parametrize("name", SECTIONS)
def test_code_runs(output, name, capsys):
    """The blocks of a section run one after another; each prints something that isn't empty."""
    names = {}
    for block in re.findall(r"```python\n(.*?)```", SECTIONS[name], re.DOTALL):
        exec(block.replace("DIR", str(output)), names)  # noqa: S102 - the page's own code
        printed = capsys.readouterr().out
        assert len(printed) > 20
        assert "Empty DataFrame" not in printed
        assert "shape: (0" not in printed


def test_examples_say_what_is_true(output):
    """The surest facts come first, each in words; one is found by another name of its end."""
    surest, _, of_turing, born, by_year = (
        duckdb.sql(query.replace("DIR", str(output))).fetchall() for query in QUERIES
    )
    assert surest[0][:3] in {("Ada Lovelace", "born_on", "1815"), ("Alan Turing", "born_in", "London")}
    assert {row[1] for row in of_turing} == {"born_in", "born_on", "educated_at"}
    assert born == [("Ada Lovelace", "1815", None, 19), ("Alan Turing", "1912", None, 20)]
    assert [row[:2] for row in by_year] == [(1920 + i, 1) for i in range(5)]
