"""Sources of several kinds through a whole build: what is stored, what the ledger says, what the graph has."""

import gzip
import zipfile

import pyarrow.parquet as pq


def test_build_of_mixed_sources(build_here, tmp_path):
    """The table [source] reaches the readers, every record is in the ledger, and dates reach the graph."""
    source = tmp_path / "source"
    source.mkdir()
    rows = "guid,body,when\n1,Ada &amp; Bob lived in London.,1843-07-10\n2,,\n3,Cy\n"
    (source / "a.csv.gz").write_bytes(gzip.compress(rows.encode()))
    (source / "b.txt").write_bytes("Die Straße nach München ist lang.".encode("cp1252"))
    with zipfile.ZipFile(source / "c.zip", "w") as archive:
        archive.writestr("d.md", "# Letters\n\nAda lived in London.")
        archive.writestr("../e.txt", "no")
    settings = {"clean": True, "fields": {"id": "guid", "text": "body", "date": "when"}}

    report = build_here(source, tmp_path / "out", source=settings)

    assert [report["documents"][name] for name in ("read", "kept", "rejected")] == [6, 3, 3]
    assert report["rejects"] == {"bad_csv": 1, "empty": 1, "unsafe_path": 1}
    columns = ["doc_id", "source", "title", "text", "date", "encoding"]
    stored = pq.read_table(tmp_path / "out" / "tables" / "documents", columns=columns).sort_by("doc_id").to_pylist()
    assert [tuple(row.values()) for row in stored] == [
        ("1", "a.csv.gz:2", "", "Ada & Bob lived in London.", "1843-07-10", "utf-8"),
        ("b.txt", "b.txt", "", "Die Straße nach München ist lang.", "", "cp1252"),
        ("c.zip!d.md", "c.zip!d.md", "Letters", "Letters\n\nAda lived in London.", "", "utf-8"),
    ]
    quads = gzip.decompress((tmp_path / "out" / "graph" / "graph.nq.gz").read_bytes()).decode().splitlines()
    dates = [line.split()[2] for line in quads if line.split()[1] == "<http://purl.org/dc/terms/date>"]
    assert dates == ['"1843-07-10"^^<http://www.w3.org/2001/XMLSchema#date>']
