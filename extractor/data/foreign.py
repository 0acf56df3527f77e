"""Formats of annotated data, told by their looks: what another reader reads, or none does, is named with a way out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

from kgmill.schemas.annotation import AnnotationFormat

_BRAT = ("brat's standoff annotations", "brat")
_ACE = ("ACE's annotations", "ace")
_CONLL = ("columns in the manner of CoNLL", "conll")
_GLINER = (
    "rename tokenized_text to tokens, and make of each [start, last, type] of ner an entity {start, end, type} with "
    "end = last + 1"
)
_CHARACTERS = "split its text into sentences and words, and turn its offsets in characters into offsets in words"
_SPACY = ("a binary of spaCy (DocBin)", "spacy")
_LONG = "export it as JSON, not as JSON-MIN, and give --format label-studio"
# A name, the keys that its first record has, and what to do: a format that is read, or a line.
_RECORDS: tuple[tuple[str, frozenset[str], str], ...] = (
    (
        "GLiNER's JSON",
        frozenset({"tokenized_text", "ner"}),
        _GLINER,
    ),
    ("GLiNER2's JSONL", frozenset({"input", "output"}), _CHARACTERS),
    ("Label Studio's JSON export", frozenset({"data", "annotations"}), "label-studio"),
    ("Label Studio's JSON export", frozenset({"data", "completions"}), "label-studio"),
    ("Label Studio's short JSON", frozenset({"annotation_id", "text"}), _LONG),
    ("Label Studio's short JSON", frozenset({"annotator", "text"}), _LONG),
    ("Prodigy's JSONL", frozenset({"text", "spans"}), _CHARACTERS),
    ("doccano's JSONL", frozenset({"text", "label"}), "doccano"),
    ("doccano's JSONL", frozenset({"data", "label"}), "doccano"),
    ("doccano's JSONL", frozenset({"text", "labels"}), "doccano"),
    ("doccano's JSONL", frozenset({"text", "entities"}), "doccano"),
    ("spaCy's JSON", frozenset({"paragraphs"}), _CHARACTERS),
    (
        "DocRED's JSON",
        frozenset({"sents", "vertexSet"}),
        "make a line of DyGIE's JSONL of each document; relations across sentences will be counted, not used",
    ),
    (
        "TACRED's JSON",
        frozenset({"token", "subj_start"}),
        "make of each record a sentence {tokens, entities, relations}, with the ends exclusive",
    ),
    (
        "token labels of Hugging Face datasets",
        frozenset({"tokens", "ner_tags"}),
        "make an entity {start, end, type} of each run of B- and I- tags",
    ),
)
_TAG = re.compile(r"O|[BIESLUM]-\S+|-DOCSTART-")
_MOSTLY = 0.7
_ANN = re.compile(r"(?:T\d+\t\S+ \d+ \d+|R\d+\t\S+ Arg1:)")


def recognise(path: Path, text: str | None, wanted: str) -> str:
    """What a file that is not of the wanted format looks like, and what to do; empty where it looks like that one, or
    like nothing known.

    `text` is the file's content, None for a folder or a file that is no text.
    """
    found = _of_path(path, wanted) or (_of_text(text, wanted) if text else None)
    if found is None:
        return ""
    name, advice = found
    if advice == wanted:
        return ""
    known = f"give --format {advice} (in a training file: format)" if advice in _READ else advice
    return f"looks like {name}: {known}"


_READ = get_args(AnnotationFormat)


def _of_path(path: Path, wanted: str) -> tuple[str, str] | None:
    if path.is_dir():
        names = {child.suffix for child in path.iterdir()}
        if ".ann" in names:
            return _BRAT
        if any(child.name.endswith(".apf.xml") for child in path.iterdir()):
            return _ACE
        if names & {".conll", ".conllu", ".iob", ".bio"}:
            advice = "give its files" if wanted == "conll" else "give its files, with --format conll"
            return "a folder of columns in the manner of CoNLL", advice
        return ("a folder", "give its files") if {".json", ".jsonl"} & names else None
    if path.suffix == ".ann" or path.with_suffix(".ann").is_file():
        return _BRAT
    with path.open("rb") as file:
        magic = file.read(2)
    # DocBin is msgpack compressed with zlib, whose first byte is nearly always this.
    return _SPACY if path.suffix == ".spacy" or magic in (b"\x78\x9c", b"\x78\xda", b"\x78\x01") else None


def _of_text(text: str, wanted: str) -> tuple[str, str] | None:
    if "<source_file" in text[:2000]:
        return _ACE
    if text.lstrip().startswith("<"):
        return "XML or HTML", "make DyGIE's JSONL of it: words, and offsets in words"
    if text.startswith("#FORMAT=WebAnno"):
        return "a WebAnno or INCEpTION export", "make DyGIE's JSONL of it: words, and offsets in words"
    lines = [line for line in text[:20_000].split("\n")[:200] if line.strip()]
    if lines and _ANN.match(lines[0]):
        return _BRAT
    record = _first_record(text, lines)
    if record is None:
        rows = [line.split() for line in lines if not line.startswith("#")]
        is_tagged = [len(row) > 1 and any(map(_TAG.fullmatch, row)) for row in rows]
        return _CONLL if rows and sum(is_tagged) >= _MOSTLY * len(rows) else None
    return _of_record(record, wanted)


def _of_record(record: Any, wanted: str) -> tuple[str, str] | None:
    if isinstance(record, list) and record and isinstance(record[0], str):
        return "training examples of spaCy's second version", _CHARACTERS
    if not isinstance(record, dict):
        return None
    if wanted != "dygie" and {"doc_key", "sentences"} <= record.keys():
        return "DyGIE's JSONL", "dygie"
    if wanted != "spert" and {"tokens", "entities"} <= record.keys():
        return "SpERT's JSON", "spert"
    return next(((name, advice) for name, keys, advice in _RECORDS if keys <= record.keys()), None)


def _first_record(text: str, lines: list[str]) -> Any:
    """The first record of a JSON list, of JSON lines, or the only object; None where the text is no JSON."""
    for part in (text, lines[0] if lines else ""):
        try:
            value = json.loads(part)
        except (ValueError, RecursionError):
            continue
        if part is text and isinstance(value, list):
            return value[0] if value else None
        return value
    return None
