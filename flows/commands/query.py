"""Ask a finished graph in SPARQL."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from kgmill.flows.options import Dir
from kgmill.schemas.errors import SourceError
from kgmill.schemas.text import decode_utf8, printable_lines


def query(
    folder: Dir,
    sparql: Annotated[str, Argument(metavar="SPARQL", help="the query, or @FILE to read it from a file")],
    *,
    form: Annotated[Literal["table", "json", "csv"], Option("--format")] = "table",
    timeout: Annotated[
        float | None, Option("--timeout", metavar="SECONDS", help="how long it may take (default: no limit)")
    ] = None,
) -> None:
    """`kgmill query`."""
    from kgmill.pipelines.output.near import nearby
    from kgmill.pipelines.triplestores.answer import answer

    asked = _from_file(sparql[1:]) if sparql.startswith("@") else sparql
    with nearby(folder) as near:
        text = answer(near, asked, form, timeout)
    if sys.stdout.isatty():  # CSV has no escapes: programs get the values as they are, terminals don't
        text = printable_lines(text.replace("\r\n", "\n"))
    print(text)


def _from_file(name: str) -> str:
    try:
        return decode_utf8(Path(name).read_bytes(), name, SourceError)
    except OSError as error:
        raise SourceError(f"{name}: {error.strerror or error}") from None
