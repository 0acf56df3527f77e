"""Ask a finished graph, or a triple store, in SPARQL."""

from __future__ import annotations

import json
import re
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Argument, Option

from kgmill.flows.notes import note
from kgmill.flows.terminal import show, width
from kgmill.schemas.errors import SourceError, UsageError
from kgmill.schemas.text import decode_utf8, printable_lines

PANEL = "Graph"
EXAMPLES = (
    "kgmill query kg 'SELECT ?label WHERE { GRAPH ?g { ?e rdfs:label ?label } } LIMIT 5'",
    "kgmill query kg @question.rq --format csv",
    "kgmill query kg 'ASK {}' --endpoint http://127.0.0.1:7878/query",
)


def query(
    asked: Annotated[
        list[str],
        Argument(
            metavar="[DIR] SPARQL",
            help="the output folder of a build (with --endpoint only for its prefixes), and the query, or @FILE to "
            "read it from a file",
        ),
    ],
    *,
    endpoint: Annotated[
        str | None, Option("--endpoint", metavar="URL", help="ask the server that answers queries there")
    ] = None,
    profile: Annotated[
        str | None,
        Option("--profile", metavar="NAME|FILE.toml|auto", help="its kind: URL is the base URL that kgmill load takes"),
    ] = None,
    ca_file: Annotated[
        Path | None, Option("--ca-file", metavar="FILE", help="whose certificates an https server may have, as PEM")
    ] = None,
    dataset: Annotated[
        str | None, Option("--dataset", metavar="NAME|IRI", help="whose prefixes are declared, without a DIR")
    ] = None,
    form: Annotated[
        Literal["table", "json", "csv", "tsv", "turtle"], Option("--format", help="how the answer is written")
    ] = "table",
    whole_iris: Annotated[bool, Option("--whole-iris", help="abbreviate no IRI, in tables and Turtle too")] = False,
    timeout: Annotated[
        float | None, Option("--timeout", metavar="SECONDS", help="how long it may take (default: no limit)")
    ] = None,
) -> None:
    """`kgmill query DIR 'SPARQL'`, and `kgmill query [DIR] 'SPARQL' --endpoint URL`."""
    from kgmill.pipelines.output.near import nearby
    from kgmill.pipelines.triplestores.answer import How, answer

    folder = asked[0] if len(asked) == 2 else None
    if not (folder is not None or (endpoint and len(asked) == 1)):
        raise UsageError("wanted DIR and a query, or a query and --endpoint URL")
    of_servers = {"--profile": profile, "--ca-file": ca_file, "--dataset": dataset}
    if not endpoint and (given := next((name for name, value in of_servers.items() if value), "")):
        raise UsageError(f"{given} goes with --endpoint URL")
    if folder is not None and dataset:
        raise UsageError(f"--dataset {dataset}: {folder} has its dataset's name already; give one of the two")
    sparql = _from_file(asked[-1][1:]) if asked[-1].startswith("@") else asked[-1]
    how = How(
        endpoint=endpoint or "",
        profile=profile or "",
        ca_file=str(ca_file or ""),
        dataset=dataset or "",
        is_whole=whole_iris,
    )
    with nearby(folder) if folder is not None else nullcontext() as near:
        text = answer(near, sparql, form, timeout, how)
        found = json.loads(text) if form == "table" and text.startswith("{") else None  # neither yes nor Turtle does
        if near is not None and found and not found["n_rows"]:
            _note_other_names(str(folder), near, sparql)
    if found:
        _show_rows(found)
        return
    if sys.stdout.isatty():  # CSV and TSV don't escape it all: programs get the values as they are, terminals don't
        text = printable_lines(text.replace("\r\n", "\n"))
    print(text)


def _show_rows(found: dict[str, Any]) -> None:
    from kgmill.flows.tables import rows_or_records

    columns = [f">{name}" if i in found["numbers"] else name for i, name in enumerate(found["columns"])]
    n, n_shown = found["n_rows"], len(found["rows"])
    rest = f", of which the first {n_shown:,} are shown; --format csv has all" if n > n_shown else ""
    drawn = rows_or_records(columns, found["rows"], width())
    show(drawn, "", f"{n:,} {'row' if n == 1 else 'rows'}{rest}")


def _note_other_names(folder: str, near: Path, sparql: str) -> None:
    """Says where a query that found nothing asks for names of another dataset."""
    from kgmill.pipelines.triplestores.query import prefixes_of
    from kgmill.schemas.config import default_base

    own = prefixes_of(near)["v"].removesuffix("vocab#")
    bases = re.findall("<(" + default_base(r"[\w.-]+") + ")", sparql)
    others = [base for base in bases if base != own]
    if others:
        note(
            f"the query asks for names that begin with {others[0]}, those of {folder} begin with {own}; "
            "v:, e:, d: and g: need no PREFIX and are the folder's own"
        )


def _from_file(name: str) -> str:
    try:
        return decode_utf8(Path(name).read_bytes(), name, SourceError)
    except OSError as error:
        raise SourceError(f"{name}: {error.strerror or error}") from None
