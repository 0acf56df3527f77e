"""Builds of several sources: nothing of one is lost to another, and no build reads what it wrote."""

import json
import shutil
import zipfile

import pyarrow.dataset as ds
import pytest

from kgmill.pipelines.storage.files import remove

OSLO, PARIS = "Ada Byron worked for Acme Corp in Paris . It was cold .", "Bob Stone lives in London ."


@pytest.fixture
def corpus(tmp_path):
    """Writes files below a folder; returns it."""

    def corpus(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return corpus


def run_json(folder):
    return json.loads((folder / "run.json").read_text())


def texts(folder):
    rows = ds.dataset(folder / "tables" / "documents", format="parquet").to_table().to_pylist()
    return {row["doc_id"]: row["text"] for row in rows}


def rejects(folder):
    rows = ds.dataset(folder / "tables" / "rejects", format="parquet").to_table().to_pylist()
    return {row["source"]: (row["reason"], row["detail"]) for row in rows}


# Ids


def test_two_folders_with_the_same_file_are_both_kept(kgmill, corpus):
    """Reports of two years have two ids; a third year changes neither of them."""
    root = corpus({"y23/report.txt": OSLO, "y24/report.txt": PARIS, "y25/report.txt": "It is warm in Rome ."})
    assert kgmill("build", root / "y23", root / "y24", "--out", root / "out").code == 0
    assert texts(root / "out") == {"report.txt": OSLO, "y24/report.txt": PARIS}
    assert kgmill("build", root / "y23", root / "y24", root / "y25", "--out", root / "out").code == 0
    documents = run_json(root / "out")["documents"]
    assert [documents[name] for name in ("kept", "added", "changed", "removed", "reused")] == [3, 1, 0, 0, 2]


@pytest.mark.slow
def test_row_numbers_of_two_tables(kgmill, corpus):
    """Ids that two files count from 0 are rejects that name the cure; with it all rows are kept."""
    rows = "id,text\n0,Bob Stone lives in London .\n1,It was cold in {} .\n"
    root = corpus({"in/a.csv": rows.format("Oslo"), "in/b.csv": rows.replace("Bob", "Carl").format("Rome")})
    done = kgmill("build", root / "in", "--out", root / "out")
    cure = '[source] id_prefix = "file" keeps both'
    assert (done.code, rejects(root / "out")) == (
        3,
        {
            "b.csv:2": ("duplicate_id", f"the id was taken by a.csv:2; {cure}"),
            "b.csv:3": ("duplicate_id", f"the id was taken by a.csv:3; {cure}"),
        },
    )
    assert '  rejected: 2 duplicate_id; [source] id_prefix = "file" keeps records of several files apart' in done.out
    (root / "c.toml").write_text('[source]\nid_prefix = "file"\n')
    assert kgmill("build", root / "in", "--out", root / "out2", "--config", root / "c.toml").code == 0
    assert sorted(texts(root / "out2")) == ["a.csv#0", "a.csv#1", "b.csv#0", "b.csv#1"]


def test_append_of_tomorrows_news_keeps_todays(kgmill, corpus):
    """A file of the same name in another folder is another document; the same file again is a new version of it."""
    root = corpus({"mon/news.txt": OSLO, "tue/news.txt": PARIS})
    append = ("--out", root / "out", "--mode", "append")
    for day in ("mon", "tue", "mon", "tue"):
        assert kgmill("build", root / day, *append).code == 0
        assert kgmill("plan", root / day, *append, "--json").out.count('"run": 0') == 5
    assert texts(root / "out") == {"news.txt": OSLO, "tue/news.txt": PARIS}
    (root / "tue" / "news.txt").write_text("It is warm in Rome .")
    plan = json.loads(kgmill("plan", root / "tue", *append, "--json").out)["documents"]
    assert (plan["changed"], plan["new"], plan["unchanged"], plan["removed"]) == (1, 0, 1, 0)
    assert kgmill("build", root / "tue" / "news.txt", *append).code == 0
    assert texts(root / "out") == {"news.txt": OSLO, "tue/news.txt": "It is warm in Rome ."}


@pytest.mark.slow
def test_append_of_taken_ids_is_refused_record_by_record(kgmill, corpus):
    """A plan says what the build then does: the record of another file keeps its id, the new one is a reject."""
    rows = [json.dumps({"id": 1, "text": text}) for text in (OSLO, PARIS)]
    root = corpus({"a/x.jsonl": rows[0], "b/x.jsonl": rows[1]})
    assert kgmill("build", root / "a", "--out", root / "out").code == 0
    append = (root / "b", "--out", root / "out", "--mode", "append")
    plan = json.loads(kgmill("plan", *append, "--json").out)
    assert (plan["documents"]["unchanged"], plan["rejects"]) == (1, {"duplicate_id": 1})
    assert (kgmill("build", *append).code, texts(root / "out")) == (3, {"1": OSLO})
    assert list(rejects(root / "out")) == ["b/x.jsonl:1"]


@pytest.mark.slow
def test_append_without_known_origins_overwrites_nothing(kgmill, corpus):
    """Where it is lost which file a document came from, a file of its name is taken for another one."""
    root = corpus({"mon/news.txt": OSLO, "tue/news.txt": PARIS})
    assert kgmill("build", root / "mon", "--out", root / "out").code == 0
    remove(root / "out" / "parts" / "origins")
    assert kgmill("build", root / "tue", "--out", root / "out", "--mode", "append").code == 0
    assert texts(root / "out") == {"news.txt": OSLO, "tue/news.txt": PARIS}


@pytest.mark.slow
def test_moved_corpus_has_the_same_bytes(kgmill, corpus):
    """Names don't hang on where a corpus lies: a copy elsewhere is built to the same tables, with nothing to do."""
    root = corpus({"a/x/news.txt": OSLO, "a/y/news.txt": PARIS})
    assert kgmill("build", root / "a" / "x", root / "a" / "y", "--out", root / "out").code == 0
    shutil.move(root / "a", root / "b")
    assert kgmill("build", root / "b" / "x", root / "b" / "y", "--out", root / "out").code == 0
    assert (run_json(root / "out")["stages"]["ingest"]["n_done"], len(texts(root / "out"))) == (0, 2)


def test_ingest_alone_has_the_exit_codes_of_a_build(kgmill, corpus):
    """Rejects above the ratio are 3, within it 0, a wrong source 2."""
    root = corpus({"in/a.txt": OSLO, "in/b.txt": "", "bad.bin": "x"})
    done = kgmill("ingest", root / "in", "--out", root / "out")
    lines = done.out.splitlines()
    assert (done.code, lines[1:]) == (3, ["2 documents read = 1 kept + 1 rejected", "  rejected: 1 empty"])
    message = f"1 of 2 documents were rejected, more than --max-reject-ratio 0.01; see {root}/out/tables/rejects"
    assert (done.errors, rejects(root / "out")) == ([f"kgmill: {message}"], {"b.txt": ("empty", "the text is empty")})
    assert kgmill("ingest", root / "in", "--out", root / "out", "--max-reject-ratio", "0.5").code == 0
    assert kgmill("ingest", root / "bad.bin", "--out", root / "out").code == 2


# Files that are passed over


def test_files_that_are_passed_over_are_in_ledger_and_summary(kgmill, corpus):
    """Each run counts them, also one that has nothing to read, and so does a plan."""
    root = corpus({"in/a.txt": OSLO, "in/b.pdf": "x", "in/README": "x", "in/.git/c.txt": "x"})
    with zipfile.ZipFile(root / "in" / "d.zip", "w") as archive:
        archive.writestr("d.txt", PARIS)
        archive.writestr("d.pdf", "x")
    expected = {"files.hidden": 1, "files.no_suffix": 1, "files.pdf": 2}
    plan = kgmill("plan", root / "in", "--out", root / "out", "--json")
    assert json.loads(plan.out)["left_out"] == expected
    for _ in range(2):
        done = kgmill("build", root / "in", "--out", root / "out")
        assert (done.code, run_json(root / "out")["left_out"]) == (0, expected)
    assert "  left out or replaced: 2 files.pdf" in done.out.splitlines()
    assert kgmill("export", root / "in", "--out", root / "out").code == 0
    assert run_json(root / "out")["left_out"] == expected
    assert "  left out or replaced: 2 files.pdf" in kgmill("plan", root / "in", "--out", root / "out").out


# An output that is a source


@pytest.mark.parametrize(
    ("source", "out", "message"),
    [
        ("in", "in", "is the source {0}/in itself"),
        ("link", "in", "is the source {0}/link itself"),
        ("in", "link", "is the source {0}/in itself"),
        ("in", ".", "the source {0}/in lies inside"),
        ("in/a.txt", "in", "the source {0}/in/a.txt lies inside"),
        ("in/*.txt", "in", "is the source {0}/in/*.txt itself"),
        ("in", "in/sub", "holds documents, such as {0}/in/sub/b.txt"),
        ("**/*.txt", "link/sub", "holds documents, such as {0}/in/sub/b.txt"),
    ],
)
def test_output_that_is_a_source_is_refused(kgmill, corpus, source, out, message):
    """An output in the place of a source, around it, or where documents lie stops before anything is touched."""
    root = corpus({"in/a.txt": OSLO, "in/sub/b.txt": PARIS})
    (root / "link").symlink_to("in")
    done = kgmill("build", root / source, "--out", root / out)
    assert (done.code, message.format(root) in done.errors[0]) == (2, True)
    assert sorted(path.name for path in root.rglob("*")) == ["a.txt", "b.txt", "in", "link", "sub"]


@pytest.mark.parametrize("arguments", [("", "--out", "out"), ("in", "--out", "")])
def test_empty_names_are_refused(kgmill, corpus, monkeypatch, arguments):
    """Neither an empty source nor an empty output is the current folder."""
    root = corpus({"in/a.txt": OSLO})
    monkeypatch.chdir(root)
    assert (kgmill("build", *arguments).code, sorted(path.name for path in root.rglob("*"))) == (2, ["a.txt", "in"])


def test_output_in_a_source_is_left_out_from_the_first_build_on(kgmill, corpus):
    """A new folder below the source is no source, however often it is built."""
    root = corpus({"in/a.txt": OSLO})
    for _ in range(2):
        assert kgmill("build", root / "in", "--out", root / "in" / "kg").code == 0
        assert (list(texts(root / "in" / "kg")), run_json(root / "in" / "kg")["left_out"]) == (["a.txt"], {})
