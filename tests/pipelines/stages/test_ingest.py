"""Ingest: sources to document parts, on a real Beam runner."""

import hashlib
import json
import zipfile
from dataclasses import replace

import pytest

from kgmill.pipelines.engine.request import Request
from kgmill.pipelines.sources.find import find_files
from kgmill.pipelines.stages import documents, ingest
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.records import Document, Reject
from kgmill.schemas.tables import from_table

ADA = "99a563ab2f6e21e96998f9fddd2a2bab82b70ac019579502b8d7fc0032ff62bb"
BOB = "cd9fb1e148ccd8442e5aa74904cc73bf6fb54d1d54d333bd596aa9bb4bb4e961"


@pytest.fixture
def source(tmp_path):
    """A folder to be filled."""
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def run_ingest(run, store, source):
    """Ingests the source as it is now; returns the parts, now live, and the receipts."""

    def run_ingest(n_bits=0, **settings):
        chosen = BuildConfig.load(None, settings)
        tasks, job = ingest.plan(find_files([str(source)]), store.live("ingest"), chosen)
        receipts = run(store, "ingest", tasks, replace(job, n_bits=n_bits))
        parts = [store.find("ingest", unit, receipts[unit].fingerprint) for unit in sorted(receipts)]
        store.publish("ingest", parts, ["documents"])
        return parts, receipts

    return run_ingest


def lines(*records):
    return "".join(f"{json.dumps(record)}\n" for record in records)


def rows(parts, table):
    return [row for part in parts for row in from_table(table, part.read(table))]


def changes(receipts):
    return {name: sum(r.counts[name] for r in receipts.values()) for name in ("added", "changed", "removed")}


def test_documents_and_rejects_are_committed(source, run_ingest):
    """A unit's part has the documents that are kept, the rejects, and how many there are of each."""
    (source / "a.txt").write_text("Ada")
    (source / "b.jsonl").write_text('{"id": 7, "text": "Bob", "year": 1843}\n{"id": 8}\n')
    (source / "c.txt").write_text("")
    (source / "d.txt").write_bytes(b"\0")
    [part], _ = run_ingest()
    assert part.counts == {"kept": 2, "rejected": 3, "bytes": 6, "left_out": {}, "heads": {}}
    assert [
        Document("7", "b.jsonl:1", "", "Bob", '{"year":1843}', BOB),
        Document("a.txt", "a.txt", "", "Ada", "{}", ADA),
    ] == rows([part], "documents")
    assert [
        Reject(
            *("ingest", "b.jsonl:2", "8", "no_text"),
            "no field 'text'; there are id: say [source.fields] text = \"NAME\"",
        ),
        Reject("ingest", "c.txt", "c.txt", "empty", "the text is empty"),
        Reject("ingest", "d.txt", "d.txt", "binary", "wanted text, got a file with NUL bytes"),
    ] == rows([part], "rejects")


def test_first_of_duplicates_is_kept(source, run_ingest):
    """Of documents with one id the first in source order is kept, whichever task read it; the others are rejects."""
    (source / "a.jsonl").write_text(lines({"id": "x", "text": "first"}, {"id": "x", "text": "second"}))
    (source / "b.jsonl").write_text(lines({"id": "x", "text": "third"}))
    [part], _ = run_ingest(unit_bytes=1024)
    assert [document.text for document in rows([part], "documents")] == ["first"]
    assert [
        Reject(
            *("ingest", "a.jsonl:2", "x", "duplicate_id"),
            'the id was taken by a.jsonl:1; [source.fields] id = "" names records by their texts',
        ),
        Reject(
            *("ingest", "b.jsonl:1", "x", "duplicate_id"),
            'the id was taken by a.jsonl:1; [source] id_prefix = "file" keeps both',
        ),
    ] == rows([part], "rejects")


def test_documents_are_cut_into_units_by_their_ids(source, run_ingest):
    """Each document lies in the unit that its id's hash says, in the order of the hashes; empty units are parts too."""
    (source / "a.jsonl").write_text(lines(*({"id": f"d{n}", "text": f"Ada {n}"} for n in range(6))))
    parts, _ = run_ingest(n_bits=3)
    found = {part.unit: [document.doc_id for document in rows([part], "documents")] for part in parts}
    assert found == {
        "03-0000": ["d4"],
        "03-0001": ["d2"],
        "03-0002": [],
        "03-0003": [],
        "03-0004": ["d5"],
        "03-0005": [],
        "03-0006": ["d1", "d0"],
        "03-0007": ["d3"],
    }


def test_edit_moves_nobody_else(source, run_ingest):
    """A changed document makes a new part of its own unit alone."""
    (source / "a.jsonl").write_text(lines(*({"id": f"d{n}", "text": f"Ada {n}"} for n in range(6))))
    before, _ = run_ingest(n_bits=3)
    (source / "a.jsonl").write_text(
        lines(*({"id": f"d{n}", "text": "Bob" if n == 2 else f"Ada {n}"} for n in range(6))),
    )
    after, _ = run_ingest(n_bits=3)
    changed = [new.unit for old, new in zip(before, after, strict=True) if old.fingerprint != new.fingerprint]
    assert changed == ["03-0001"]


def test_place_of_a_text_in_a_file_is_part_of_the_record(source, run_ingest):
    """A document that moved to another line has another source, so its part is made again."""
    (source / "a.jsonl").write_text(lines({"id": "x", "text": "Ada"}))
    [before], _ = run_ingest()
    (source / "a.jsonl").write_text("\n" + lines({"id": "x", "text": "Ada"}))
    [after], _ = run_ingest()
    sources = [rows([part], "documents")[0].source for part in (after,)]
    assert (sources, before.fingerprint == after.fingerprint) == (["a.jsonl:2"], False)


def test_changes_are_counted_against_the_live_parts(source, run_ingest):
    """Receipts say how many documents are new, changed and gone."""
    for name in ("a", "b", "c"):
        (source / f"{name}.txt").write_text(name)
    assert changes(run_ingest()[1]) == {"added": 3, "changed": 0, "removed": 0}
    (source / "a.txt").write_text("another")
    (source / "b.txt").unlink()
    (source / "d.txt").write_text("d")
    (source / "e.txt").write_text("e")
    assert changes(run_ingest()[1]) == {"added": 2, "changed": 1, "removed": 1}


def test_changes_are_counted_across_another_cutting(source, run_ingest):
    """A corpus that is cut finer than before has the same documents."""
    for n in range(6):
        (source / f"{n}.txt").write_text(f"Ada {n}")
    run_ingest(n_bits=0)
    (source / "0.txt").write_text("Bob")
    (source / "1.txt").unlink()
    assert changes(run_ingest(n_bits=2)[1]) == {"added": 0, "changed": 1, "removed": 1}


def test_spills_of_one_unit_are_merged_in_order(source, run_ingest, monkeypatch):
    """However often a task spills, the first of duplicates is the first in the source."""
    monkeypatch.setattr(documents, "_SPILL_BYTES", 4)
    (source / "a.jsonl").write_text(lines(*({"id": "x", "text": f"text {n}"} for n in range(4))))
    [part], _ = run_ingest()
    assert ([document.text for document in rows([part], "documents")], part.counts["rejected"]) == (["text 0"], 3)


def test_appended_documents_join_the_earlier_ones(source, run_ingest):
    """In mode append documents of earlier runs stay; where the source has the id too, its version is kept, silently."""
    (source / "a.jsonl").write_text(lines(*({"id": f"d{n}", "text": f"Ada {n}"} for n in range(4))))
    run_ingest()
    (source / "a.jsonl").write_text(lines({"id": "d0", "text": "Ada 0, again"}, {"id": "new", "text": "Bob"}))
    parts, receipts = run_ingest(n_bits=2, mode="append")
    texts = {document.doc_id: document.text for document in rows(parts, "documents")}
    assert texts == {"d0": "Ada 0, again", "d1": "Ada 1", "d2": "Ada 2", "d3": "Ada 3", "new": "Bob"}
    assert changes(receipts) == {"added": 1, "changed": 1, "removed": 0}
    assert rows(parts, "rejects") == []


def test_appended_record_never_takes_the_id_of_another_file(source, run_ingest):
    """An id that a document of an earlier run has from another file stays with that one; its own file may change it."""
    (source / "a.jsonl").write_text(lines({"id": "x", "text": "Ada"}, {"id": "y", "text": "Bob"}))
    run_ingest()
    (source / "a.jsonl").unlink()
    (source / "b.jsonl").write_text(lines({"id": "x", "text": "Cy"}, {"id": "y", "text": "Bob"}))
    parts, _ = run_ingest(mode="append")
    assert {document.doc_id: document.text for document in rows(parts, "documents")} == {"x": "Ada", "y": "Bob"}
    assert [(r.source, r.reason, r.detail) for r in rows(parts, "rejects")] == [
        ("b.jsonl:1", "duplicate_id", 'the id was taken by a.jsonl:1; [source] id_prefix = "file" keeps both'),
        ("b.jsonl:2", "duplicate", "a.jsonl:2 has the same id and text"),
    ]
    (source / "a.jsonl").write_text(lines({"id": "x", "text": "Ada, again"}))
    parts, _ = run_ingest(mode="append")
    assert {document.doc_id: document.text for document in rows(parts, "documents")} == {"x": "Ada, again", "y": "Bob"}


def test_same_record_twice_is_a_duplicate(source, run_ingest):
    """A record that comes again with the same id and the same text says nothing against the sources."""
    (source / "a.jsonl").write_text(lines({"id": "x", "text": "Ada"}, {"id": "x", "text": "Ada"}, {"text": "Bob"}))
    (source / "b.jsonl").write_text(lines({"id": "x", "text": "Ada"}, {"text": "Cy"}, {"text": "Cy"}))
    [part], _ = run_ingest()
    assert [(r.source, r.reason) for r in rows([part], "rejects")] == [
        ("a.jsonl:2", "duplicate"),
        ("b.jsonl:1", "duplicate"),
        ("b.jsonl:3", "duplicate"),
    ]


def test_ids_are_prefixed_by_file(source, run_ingest):
    """Row numbers of two tables, and of one in an archive, are kept apart by a setting; texts keep their names."""
    (source / "test.csv").write_text("id,text\n0,Ada\n1,Bob\n")
    (source / "train.csv").write_text("id,text\n0,Cy\n1,Dee\n")
    (source / "e.txt").write_text("Eve")
    with zipfile.ZipFile(source / "all.zip", "w") as archive:
        archive.writestr("train.csv", "id,text\n0,Fay\n")
    [part], _ = run_ingest(source={"id_prefix": "file"})
    assert sorted((document.doc_id, document.text) for document in rows([part], "documents")) == [
        ("all.zip!train.csv#0", "Fay"),
        ("e.txt", "Eve"),
        ("test.csv#0", "Ada"),
        ("test.csv#1", "Bob"),
        ("train.csv#0", "Cy"),
        ("train.csv#1", "Dee"),
    ]


def test_appended_document_with_a_smaller_id_takes_the_place_of_its_copy(source, run_ingest):
    """Duplicates are told among all documents, those of earlier runs too."""
    (source / "a.jsonl").write_text(lines({"id": "b", "text": "Ada"}))
    run_ingest()
    (source / "a.jsonl").write_text(lines({"id": "a", "text": "Ada"}, {"id": "c", "text": "Ada"}))
    parts, _ = run_ingest(mode="append")
    assert [document.doc_id for document in rows(parts, "documents")] == ["a"]
    assert {(r.doc_id, r.reason) for r in rows(parts, "rejects")} == {("b", "duplicate"), ("c", "duplicate")}


def test_units_of_an_append_are_cut_for_all_documents(source, run_ingest, store):
    """The bytes of the live documents and of the new sources decide together, however they came."""
    (source / "a.jsonl").write_text(lines(*({"id": f"d{n}", "text": f"{n} " + "x" * 500} for n in range(4))))
    run_ingest()
    (source / "a.jsonl").write_text(lines({"id": "new", "text": "y" * 100}))
    files, live = find_files([str(source)]), store.live("ingest")
    for mode, n_bits in (("snapshot", 0), ("append", 2)):
        _, settings = ingest.plan(files, live, BuildConfig.load(None, {"mode": mode, "unit_bytes": 1024}))
        assert settings.n_bits == n_bits


def test_duplicates_are_found_across_units_and_partitions(source, run_ingest, monkeypatch):
    """Equal and near texts meet wherever their ids and hashes lie; each loser is a reject of its own unit."""
    monkeypatch.setattr(ingest, "_KEY_BYTES_A_PARTITION", 64)
    words = " ".join(f"word{n}" for n in range(40))
    texts = {"a": words, "b": "other", "c": words, "d": f"{words} more", "e": "other"}
    (source / "a.jsonl").write_text(lines(*({"id": i, "text": text} for i, text in texts.items())))
    parts, _ = run_ingest(n_bits=3, near_duplicates=0.8)
    assert {document.doc_id for document in rows(parts, "documents")} == {"a", "b"}
    assert sorted((r.doc_id, r.source, r.reason, r.detail[:20]) for r in rows(parts, "rejects")) == [
        ("c", "a.jsonl:3", "duplicate", "has the text of a"),
        ("d", "a.jsonl:4", "near_duplicate", "is near to a, simila"),
        ("e", "a.jsonl:5", "duplicate", "has the text of b"),
    ]


def test_copy_is_kept_when_the_kept_one_leaves(source, run_ingest):
    """Each run decides from all documents."""
    for name in ("a", "b"):
        (source / f"{name}.txt").write_text("Ada")
    run_ingest()
    (source / "a.txt").unlink()
    parts, receipts = run_ingest()
    assert ([document.doc_id for document in rows(parts, "documents")], rows(parts, "rejects")) == (["b.txt"], [])
    assert changes(receipts) == {"added": 1, "changed": 0, "removed": 1}


def test_source_key_follows_bytes_and_settings(source):
    """The key changes with a file's bytes or name and with any setting that ingest reads, not with later ones'."""
    (source / "a.txt").write_text("Ada")

    def key(**settings):
        digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in source.iterdir()}
        return ingest.source_key(digests, BuildConfig.load(None, settings))

    first = key()
    assert (key(min_confidence=0.9, model="x", formats=("nq",)), len({first})) == (first, 1)
    assert key(document_timeout=9.0, worker_memory_mb=900, retry_rejects=True, any_language=True) == first
    assert first not in {key(mode="append"), key(near_duplicates=0.9), key(unit_bytes=2048)}
    (source / "a.txt").write_text("Bob")
    changed = key()
    (source / "a.txt").rename(source / "b.txt")
    assert len({first, changed, key()}) == 3


@pytest.mark.parametrize(
    ("n_bytes", "expected"),
    [(0, 0), (1, 0), (1000, 0), (1001, 1), (4001, 3), (4_096_000, 12), (5_000_000, 13), (10**10, 20)],
)
def test_units_are_about_as_large_as_wanted(n_bytes, expected):
    """2 ** bits units of about 1000 bytes hold the source; there are at most 2 ** 20."""
    assert ingest.unit_bits(n_bytes, 1000) == expected


def test_rejects_alone_are_spilled_too(store, tmp_path):
    """A file of nothing but bad lines doesn't stay in memory until its end."""
    path = tmp_path / "bad.jsonl"
    path.write_text("[]\n" * 9_000)
    [task], settings = ingest.plan(find_files([str(path)]), [], BuildConfig())
    spills = list(documents.scatter(task, Request("ingest", str(store.storage.root), str(tmp_path), (), settings)))
    assert len({name.partition("#")[0] for _, name in spills}) == 2


def test_heads_are_counted_and_are_no_loss(source, run_ingest):
    """A part says how many documents have a dateline, an agency, a byline; none of them is left out."""
    (source / "a.txt").write_text("OSLO (AP) - Ada left.")
    (source / "b.txt").write_text("AP - Bob left.")
    [part], _ = run_ingest()
    assert (part.counts["heads"], part.counts["left_out"]) == ({"dateline": 1, "agency": 2}, {})
    assert [(d.head, d.dateline, d.agency) for d in sorted(rows([part], "documents"), key=lambda d: d.doc_id)] == [
        (12, "OSLO", "AP"),
        (5, "", "AP"),
    ]
