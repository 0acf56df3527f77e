"""Annotated data from one format to the other, and what is lost on the way."""

import json

import pytest

from kgmill.extractor.data.convert import convert
from kgmill.schemas.errors import DataError, OutputError


def test_spert_survives_dygie(tiny_sentences, tmp_path):
    """SpERT to DyGIE and back gives the same sentences, entities and relations."""
    convert(tiny_sentences, "spert", tmp_path / "a.jsonl", "dygie")
    n_sentences, lost = convert(tmp_path / "a.jsonl", "dygie", tmp_path / "b.json", "spert")
    there, back = (json.loads(path.read_text(encoding="utf-8")) for path in (tiny_sentences, tmp_path / "b.json"))
    assert (n_sentences, lost) == (8, [])
    assert [{k: r[k] for k in ("tokens", "entities", "relations")} for r in there] == [
        {k: r[k] for k in ("tokens", "entities", "relations")} for r in back
    ]


def test_neighbours_of_one_document_become_one_line(tmp_path):
    """Sentences with the same orig_id are one DyGIE document, offsets running through it, ends inclusive."""
    sentence = {"tokens": ["a", "b"], "entities": [{"type": "X", "start": 1, "end": 2}], "relations": []}
    (tmp_path / "a.json").write_text(json.dumps([sentence | {"orig_id": "d"}] * 2), encoding="utf-8")
    convert(tmp_path / "a.json", "spert", tmp_path / "a.jsonl", "dygie")
    (line,) = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["ner"] == [[[1, 1, "X"]], [[3, 3, "X"]]]


def test_sentences_of_a_document_become_one_line(tmp_path):
    """So do those whose keys number them within it; and back again they have those keys."""
    sentence = {"tokens": ["a", "b"], "entities": [{"type": "X", "start": 1, "end": 2}], "relations": []}
    rows = [sentence | {"orig_id": key} for key in ("d#1#0", "d#1#1", "d#2#0")]
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")

    convert(tmp_path / "a.json", "spert", tmp_path / "a.jsonl", "dygie")
    convert(tmp_path / "a.jsonl", "dygie", tmp_path / "b.json", "spert")

    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["doc_key"], line["ner"]) for line in lines] == [
        ("d#1", [[[1, 1, "X"]], [[3, 3, "X"]]]),
        ("d#2", [[[1, 1, "X"]]]),
    ]
    assert [row["orig_id"] for row in json.loads((tmp_path / "b.json").read_text())] == [r["orig_id"] for r in rows]


def test_what_spert_cannot_hold_is_counted(tmp_path):
    """Coreference clusters are lost, and the report says how many."""
    document = {"doc_key": "d", "sentences": [["a"]], "ner": [[]], "relations": [[]], "clusters": [[[0, 0]]]}
    (tmp_path / "a.jsonl").write_text(json.dumps(document), encoding="utf-8")
    n_sentences, lost = convert(tmp_path / "a.jsonl", "dygie", tmp_path / "a.json", "spert")
    assert (n_sentences, [(one.kind, one.task) for one in lost]) == (1, [("not_modelled", "cluster")])


def test_what_dygie_cannot_hold_is_counted(tmp_path):
    """Relations with an end whose span holds two entities are lost, as DyGIE names an entity by its span."""
    spans = [{"type": name, "start": start, "end": start + 1} for name, start in (("X", 0), ("Y", 0), ("Z", 1))]
    relations = [{"type": "r", "head": head, "tail": tail} for head, tail in ((0, 1), (0, 2), (2, 1))]
    sentence = {"tokens": ["a", "b"], "entities": spans, "relations": relations}
    (tmp_path / "a.json").write_text(json.dumps([sentence]), encoding="utf-8")

    n_sentences, lost = convert(tmp_path / "a.json", "spert", tmp_path / "a.jsonl", "dygie")

    places = [f"{tmp_path}/a.json: sentence 0: relation {pair}" for pair in ("0 -> 1", "2 -> 1")]
    assert (n_sentences, [(one.kind, one.place) for one in lost]) == (1, [("same_span", place) for place in places])


def test_unknown_target_format_is_refused(tiny_sentences, tmp_path):
    """A format that is not known is named beside those that are."""
    with pytest.raises(DataError, match="unknown format 'brat'; known: spert, dygie"):
        convert(tiny_sentences, "spert", tmp_path / "a", "brat")


def test_target_that_cannot_be_written_is_named(tiny_sentences, tmp_path):
    """A target in a folder that is not there is an OutputError that names it."""
    with pytest.raises(OutputError, match="nowhere"):
        convert(tiny_sentences, "spert", tmp_path / "nowhere" / "a", "dygie")
