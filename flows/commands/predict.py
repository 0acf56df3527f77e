"""Mentions and relations of text, as JSON lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from kgmill.extractor.modelfolder import find_model
from kgmill.flows.notes import note_slow
from kgmill.flows.options import MinConfidence, ModelOptions
from kgmill.schemas.errors import DataError, RecordError
from kgmill.schemas.text import printable_json


def predict(
    model: ModelOptions,
    files: Annotated[list[str] | None, Argument(metavar="FILE", help="text files; none: standard input")] = None,
    *,
    text: Annotated[str | None, Option("--text", metavar="TEXT", help="the text itself")] = None,
    min_confidence: MinConfidence = 0.4,
) -> None:
    """`kgmill predict`: a JSON line a text with its mentions and relations, offsets in characters."""
    find_model(model.model)
    from kgmill.extractor.api import Extractor

    texts = list(_texts(text, files or []))
    note_slow(model.precision)
    extractor = Extractor.from_pretrained(model.model, device=model.device, precision=model.precision)
    found = extractor.extract((content for _, content in texts), min_confidence=min_confidence)
    for (name, content), extraction in zip(texts, found, strict=True):
        mentions = [_rounded(asdict(mention)) for mention in extraction.mentions]
        number = {mention: i for i, mention in enumerate(extraction.mentions)}
        relations = [
            _rounded({"head": number[r.head], "tail": number[r.tail], "type": r.type, "confidence": r.confidence})
            for r in extraction.relations
        ]
        line = {"source": name, "n_characters": len(content), "mentions": mentions, "relations": relations}
        print(printable_json(line))


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"confidence": round(row["confidence"], 6)}


def _texts(text: str | None, files: Sequence[str]) -> Iterator[tuple[str, str]]:
    if text is not None:
        yield "--text", text
    for name in files:
        try:
            yield name, _decoded(Path(name).read_bytes(), name)
        except OSError as error:
            raise DataError(f"{name}: {error.strerror}") from None
    if text is None and not files:
        yield "-", _decoded(sys.stdin.buffer.read(), "standard input")


def _decoded(data: bytes, name: str) -> str:
    """The text as a build would store it; what was not plain Unicode is said."""
    from kgmill.pipelines.sources.encodings import decode

    try:
        text, encoding, n_replaced = decode(data)
    except RecordError as error:
        raise DataError(f"{name}: {error.detail}; save it as UTF-8") from None
    if not encoding.startswith("utf"):
        print(f"{name}: not UTF-8, read as {encoding}", file=sys.stderr)
    if n_replaced:
        print(f"{name}: broken bytes replaced by U+FFFD: {n_replaced}", file=sys.stderr)
    return text
