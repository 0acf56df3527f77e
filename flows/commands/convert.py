"""Annotated data from one format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from kgmill.flows.notes import note_unused
from kgmill.flows.options import Json
from kgmill.flows.terminal import say, show_json
from kgmill.schemas.annotation import AnnotationFormat
from kgmill.schemas.text import printable

PANEL = "Model"
EXAMPLES = ("kgmill convert dev.json dev.jsonl --from spert --to dygie",)


def convert(
    source: Annotated[str, Argument(metavar="SOURCE", help="annotated data, a file or a folder")],
    target: Annotated[str, Argument(metavar="TARGET", help="the file to write")],
    *,
    source_format: Annotated[AnnotationFormat, Option("--from", help="how the data is written")],
    target_format: Annotated[Literal["spert", "dygie"], Option("--to", help="how it is to be written")],
    as_json: Json = False,
) -> None:
    """`kgmill convert`."""
    from kgmill.extractor.data.convert import convert as run
    from kgmill.extractor.data.unused import summarise

    n_sentences, lost = run(Path(source), source_format, Path(target), target_format)
    note_unused(lost)
    if as_json:
        show_json({"sentences": n_sentences, "file": target, "not_used": summarise(lost)})
    else:
        say(printable(f"{n_sentences} sentences written to {target}"))
