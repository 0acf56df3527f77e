"""Annotated data of other tools is named, with a way out."""

import json
import zlib

import pytest

from kgmill.extractor.data.readers import read_annotated
from kgmill.schemas.errors import DataError

CONLL = """-DOCSTART- -X- -X- O

Nordhafen NNP B-NP B-ORG
hired VBD B-VP O
Ida NNP B-NP B-PER
Voss NNP I-NP I-PER

She PRP B-NP O
left VBD B-VP O
"""
CORP = "0\tPeop\t0\tO\tNNP\tIda/Voss\tO\tO\tO\n0\tO\t1\tO\tVBD\tleft\tO\tO\tO\n0\tO\t2\tO\t.\t.\tO\tO\tO\n\n0\t1\tr\n"
BRAT = "T1\tPeop 0 8\tIda Voss\nT2\tLoc 14 18\tOslo\nR1\tLive_In Arg1:T1 Arg2:T2\t\n"
LABEL_STUDIO = {
    "id": 1,
    "data": {"text": "Ida left."},
    "annotations": [{"result": [{"value": {"start": 0, "end": 3, "labels": ["Peop"]}, "type": "labels"}]}],
}
LABEL_STUDIO_MIN = {"id": 1, "text": "Ida left.", "label": [{"start": 0, "end": 3, "labels": ["P"]}], "annotator": 1}
DOCCANO = {"id": 5, "text": "Ida left.", "label": [[0, 3, "Peop"]]}
DOCCANO_RELATIONS = {"id": 5, "text": "Ida left.", "entities": [{"start_offset": 0}], "relations": []}
GLINER = {"tokenized_text": ["Ida", "left"], "ner": [[0, 0, "Peop"]]}
SPERT = {"tokens": ["Ida", "left"], "entities": [{"type": "Peop", "start": 0, "end": 1}], "relations": []}
DYGIE = {"doc_key": "d", "sentences": [["Ida", "left"]], "ner": [[[0, 0, "Peop"]]], "relations": [[]]}
HUGGING_FACE = {"tokens": ["Ida", "left"], "ner_tags": [1, 0]}


def lines(*records):
    """Records as JSON lines."""
    return "".join(json.dumps(record) + "\n" for record in records)


ACE = "<?xml version='1.0'?>\n<!DOCTYPE source_file SYSTEM 'apf.v5.1.1.dtd'>\n<source_file/>"
FOREIGN = {
    "train.conll": (CONLL, "columns in the manner of CoNLL: give --format conll"),
    "train.txt": (CONLL, "columns in the manner of CoNLL: give --format conll"),
    "conll04.corp": (CORP, "columns in the manner of CoNLL: give --format conll"),
    "doc.ann": (BRAT, "brat's standoff annotations: give --format brat"),
    "brat": (BRAT, "brat's standoff annotations: give --format brat"),
    "export.json": (json.dumps([LABEL_STUDIO], indent=1), "Label Studio's JSON export: give --format label-studio"),
    "min.json": (json.dumps([LABEL_STUDIO_MIN]), "Label Studio's short JSON: export it as JSON, not as JSON-MIN"),
    "all.jsonl": (lines(DOCCANO, DOCCANO), "doccano's JSONL: give --format doccano"),
    "relations.jsonl": (lines(DOCCANO_RELATIONS), "doccano's JSONL: give --format doccano"),
    "gliner.json": (json.dumps([GLINER]), "GLiNER's JSON: rename tokenized_text"),
    "gliner2.jsonl": (lines({"input": "Ida left.", "output": {"entities": {"P": ["Ida"]}}}), "GLiNER2's JSONL: split"),
    "old.jsonl": (lines({"data": "Ida left.", "label": [[0, 3, "P"]]}), "doccano's JSONL: give --format doccano"),
    "webanno.tsv": ("#FORMAT=WebAnno TSV 3.3\n\n1-1\t0-3\tIda\tPeop\n", "a WebAnno or INCEpTION export: make"),
    "gliner.jsonl": (lines(GLINER, GLINER), "GLiNER's JSON: rename"),
    "prodigy.jsonl": (lines({"text": "Ida left.", "tokens": [], "spans": []}), "Prodigy's JSONL: split"),
    "tags.jsonl": (lines(HUGGING_FACE, HUGGING_FACE), "token labels of Hugging Face datasets: make"),
    "v2.json": (
        json.dumps([["Ida left.", {"entities": [[0, 3, "P"]]}]]),
        "training examples of spaCy's second version: split",
    ),
    "docred.json": (
        json.dumps([{"title": "x", "sents": [["a"]], "vertexSet": [], "labels": []}]),
        "DocRED's JSON: make",
    ),
    "ace.xml": (ACE, "ACE's annotations: give --format ace"),
    "tei.xml": ("<?xml version='1.0'?>\n<TEI/>", "XML or HTML: make"),
}


@pytest.mark.parametrize("kind", ["spert", "dygie"])
@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_format_is_named(tmp_path, name, kind):
    """A file of another tool is refused in one line that names the format and what to do."""
    text, looks = FOREIGN[name]
    (tmp_path / name).write_text(text, encoding="utf-8")

    with pytest.raises(DataError) as caught:
        read_annotated([str(tmp_path / name)], kind)

    message = str(caught.value)
    assert message.startswith(f"{tmp_path / name}: looks like {looks}")
    assert "\n" not in message


def test_binary_of_spacy_is_named(tmp_path):
    """A DocBin is known by its suffix, and by its first bytes."""
    for name in ("train.spacy", "train.json"):
        (tmp_path / name).write_bytes(zlib.compress(b"\x86\xa7version\xa30.1\xff"))

        with pytest.raises(DataError, match=r"looks like a binary of spaCy \(DocBin\): give --format spacy"):
            read_annotated([str(tmp_path / name)], "spert")


def test_folder_of_brat_is_named(tmp_path):
    """A folder with .ann files is brat's, and so is the text beside one."""
    (tmp_path / "a.txt").write_text("Ida Voss left Oslo")
    (tmp_path / "a.ann").write_text(BRAT)

    for path in (tmp_path, tmp_path / "a.txt"):
        with pytest.raises(DataError, match=r"looks like brat's standoff annotations: give --format brat"):
            read_annotated([str(path)], "spert")


def test_folder_of_annotated_files_is_no_file(tmp_path):
    """A folder of JSON files asks for these; another one is just a folder."""
    with pytest.raises(DataError, match=r": Is a directory$"):
        read_annotated([str(tmp_path)], "spert")
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(DataError, match=r": looks like a folder: give its files$"):
        read_annotated([str(tmp_path)], "spert")


def test_folder_of_columns_asks_for_its_files(tmp_path):
    """Such a folder is nothing that the reader of columns takes, so nobody is told to give it that."""
    (tmp_path / "a.conll").write_text(CONLL)
    for form, advice in (("spert", "give its files, with --format conll"), ("conll", "give its files")):
        with pytest.raises(DataError) as caught:
            read_annotated([str(tmp_path)], form)
        assert str(caught.value).endswith(f": looks like a folder of columns in the manner of CoNLL: {advice}")


@pytest.mark.parametrize(
    ("text", "kind", "advice"),
    [(lines(DYGIE, DYGIE), "spert", "--format dygie"), (json.dumps([SPERT]), "dygie", "--format spert")],
)
def test_the_other_format_is_named(tmp_path, text, kind, advice):
    """SpERT's JSON read as DyGIE's JSONL, or the reverse, says which format to give."""
    (tmp_path / "a").write_text(text)

    with pytest.raises(DataError, match=advice):
        read_annotated([str(tmp_path / "a")], kind)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (json.dumps([SPERT, SPERT | {"entities": 7}]), "spert"),
        (lines(DYGIE, DYGIE | {"ner": 7}), "dygie"),
        ("Ida left for Oslo .\nThere she met O B-Side .\nAnd then ?\n", "spert"),
        ("[]x", "spert"),
        ("", "spert"),
    ],
)
def test_faulty_file_is_not_taken_for_a_foreign_one(tmp_path, text, kind):
    """A fault in a file of the right format, or in prose, is told as what it is."""
    (tmp_path / "a").write_text(text)

    with pytest.raises(DataError) as caught:
        read_annotated([str(tmp_path / "a")], kind)

    assert "looks like" not in str(caught.value)
