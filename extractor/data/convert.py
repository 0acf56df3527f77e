"""Annotated data from one format to another, with a report of what the other can't hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from kgmill.extractor.data.annotated import AnnotatedSentence, document
from kgmill.extractor.data.dygie import DygieSentence, format_document
from kgmill.extractor.data.partial import format_partial
from kgmill.extractor.data.readers import read_annotated
from kgmill.extractor.data.unused import Unused
from kgmill.schemas.errors import DataError, OutputError


def convert(source: Path, source_format: str, target: Path, target_format: str) -> tuple[int, list[Unused]]:
    """Writes the sentences of one file to another; returns how many they are, and what was lost.

    Raises:
        DataError: the source is not of its format, or a format is unknown.
        OutputError: the target can't be written.
    """
    if target_format not in ("spert", "dygie"):
        raise DataError(f"unknown format {target_format!r}; known: spert, dygie")
    sentences = read_annotated([str(source)], source_format)
    text = to_spert(sentences) if target_format == "spert" else to_dygie(sentences)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{target}: {error.strerror}") from None
    lost = [one for sentence in sentences for one in sentence.unused]
    return len(sentences), lost + (_untold(sentences) if target_format == "dygie" else [])


def _untold(sentences: list[AnnotatedSentence]) -> list[Unused]:
    """Relations whose ends DyGIE's JSONL can't tell, as it names an entity by its span alone."""
    lost = []
    for s in sentences:
        spans = [(e.start, e.end) for e in s.entities]
        for r in s.relations:
            if [spans.index(spans[i]) for i in (r.head, r.tail)] != [r.head, r.tail]:
                lost.append(Unused("same_span", "relation", r.type, f"{s.place}: relation {r.head} -> {r.tail}"))
    return lost


def to_spert(sentences: list[AnnotatedSentence]) -> str:
    """A SpERT JSON file."""
    return json.dumps([_spert(s) for s in sentences], ensure_ascii=False) + "\n"


def _spert(s: AnnotatedSentence) -> dict[str, Any]:
    entities: list[dict[str, Any]] = [{"type": e.type, "start": e.start, "end": e.end} for e in s.entities]
    relations: list[dict[str, Any]] = [{"type": r.type, "head": r.head, "tail": r.tail} for r in s.relations]
    for row, e in zip(entities, s.entities, strict=True):
        row |= ({"types": list(e.types)} if e.types else {}) | ({"by": e.by} if e.by else {})
    for row, r in zip(relations, s.relations, strict=True):
        row |= {"by": r.by} if r.by else {}
    record = {"tokens": list(s.words), "entities": entities, "relations": relations, "orig_id": s.key}
    return record | dict(s.tags) | (format_partial(s.partial) if s.partial else {})


def to_dygie(sentences: list[AnnotatedSentence]) -> str:
    """A DyGIE JSONL file: neighbours of one document, or one key, are a line; a sentence without key is one."""
    lines = [
        json.dumps(format_document(key, [dygie_sentence(sentences[i]) for i in rows]), ensure_ascii=False)
        for key, rows in by_document(sentences)
    ]
    return "".join(f"{line}\n" for line in lines)


def by_document(sentences: Sequence[AnnotatedSentence]) -> Iterator[tuple[str, list[int]]]:
    """The names of the documents, in order, each with the numbers of its sentences."""
    named = [document(s) or s.key or f"sentence-{i}" for i, s in enumerate(sentences)]
    for name, rows in groupby(range(len(sentences)), key=named.__getitem__):
        yield name, list(rows)


def dygie_sentence(sentence: AnnotatedSentence) -> DygieSentence:
    """A sentence as DyGIE has it."""
    return DygieSentence(
        sentence.words,
        tuple((e.start, e.end, e.type) for e in sentence.entities),
        tuple((r.head, r.tail, r.type) for r in sentence.relations),
    )
