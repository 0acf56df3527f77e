"""Writes docs/reference/ and the tables of docs/data.md from the code: `python docs/make_reference.py`.

A test holds the files to it. What a key or a column is for stands in the docstring of its class, what an option is for
beside it; nothing is said twice.
"""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from pydantic_core import PydanticUndefined

from kgmill.flows.commands import find, lines
from kgmill.flows.parser import documented, typer_command
from kgmill.schemas.config import BuildConfig, Config, FieldMap, ReadBy, SourceConfig, field_docs
from kgmill.schemas.tables import MORE, PUBLISHED, TABLES
from kgmill.schemas.training import SetConfig, TrainConfig

FOLDER = Path(__file__).with_name("reference")
DATA = Path(__file__).with_name("data.md")
BEGIN, END = "<!-- tables: made by docs/make_reference.py -->", "<!-- end of tables -->"
_MADE = "<!-- made by docs/make_reference.py -->\n"
_TABLES = {
    "A build: `kgmill build --config F.toml`": BuildConfig,
    "`[source]` of a build": SourceConfig,
    "`[source.fields]` of a build": FieldMap,
    "A training: `kgmill train F.toml`": TrainConfig,
    "`[[train]]` and `[[dev]]` of a training": SetConfig,
}


_EVERYWHERE = """\
Every command takes `--quiet` (`-q`: results that are asked for and errors alone), `--verbose` (`-v`: what is done
too, and where an error comes from) and `--progress auto|bar|lines|json|none` (or the variable `KGMILL_PROGRESS`): bars
on a terminal, elsewhere lines for logs; `json` for programs. `--json` prints a command's result for programs.
`kgmill --install-completion` lets bash, zsh, fish and PowerShell complete commands and options.
"""


def configuration() -> str:
    """All keys of the configuration files."""
    parts = ["# Configuration\n", _MADE, "Unknown keys and values out of range are refused. Flags win over keys.\n"]
    for title, kind in _TABLES.items():
        parts += [f"## {title}\n", "\n".join(_keys(kind)) + "\n"]
    return "\n".join(parts)


def _keys(kind: type[Config]) -> Iterator[str]:
    told = attributes(kind)
    stages = kind is BuildConfig
    yield "| key | default | values | read by | is |" if stages else "| key | default | values | is |"
    yield "|---|---|---|---|---|" if stages else "|---|---|---|---|"
    for name, field in kind.model_fields.items():
        reads = next((mark.stages for mark in field.metadata if isinstance(mark, ReadBy)), ())
        read_by = [", ".join(reads) or "the run itself"] if stages else []
        cells = [f"`{name}`", _default(field), _values(field), *read_by, told[name]]
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def attributes(kind: type[Any], wanted: Iterable[str] = ()) -> dict[str, str]:
    """What the docstring of a class says of each of its fields, `wanted` or those of a model."""
    found = field_docs(kind)
    if missing := [name for name in wanted or kind.model_fields if name not in found]:
        raise SystemExit(f"{kind.__name__}: says nothing of {', '.join(missing)}")
    return found


def _default(field: Any) -> str:
    if field.default is PydanticUndefined and field.default_factory is None:
        return "needed"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Config):
        return "a table"
    return f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{}"
    return json.dumps(value) if value is not None else "none"


def _values(field: Any) -> str:
    choices = [json.dumps(one) for one in get_args(field.annotation) if isinstance(one, str)]
    if choices:
        return ", ".join(f"`{one}`" for one in choices)
    marks = {"gt": "over", "ge": "from", "lt": "under", "le": "up to"}
    found = [
        f"{word} {getattr(mark, key):g}" for mark in field.metadata for key, word in marks.items() if hasattr(mark, key)
    ]
    return " ".join(found)


def commands() -> str:
    """All commands with their arguments and options."""
    told = "What follows after `--` is for Beam's runner, in the commands that have `--runner`."
    parts = ["# Commands\n", _MADE, f"`kgmill COMMAND --help` says the same. {told}\n", _EVERYWHERE]
    for name in lines():
        command = find(name)
        assert command  # noqa: S101 - it was listed
        parameters = documented(typer_command(command), command, is_whole=True).params
        rows = [_parameter(one) for one in parameters if one.name not in ("quiet", "verbose", "progress")]
        parts += [
            f"## kgmill {name}\n",
            f"{command.line}{_needs(command.needs)}\n",
            "\n".join(f"    {example}" for example in command.examples) + "\n",
            "| | default | is |\n|---|---|---|\n" + "\n".join(rows) + "\n",
        ]
    return "\n".join(parts)


def _needs(extras: tuple[str, ...]) -> str:
    return f" Needs `kgmill[{','.join(extras)}]`." if extras else ""


def _parameter(one: Any) -> str:
    if one.param_type_name == "argument":
        name = f"{one.metavar}..." if one.nargs == -1 else str(one.metavar)
    else:
        kind = "|".join(get_args(one.type_descriptor.annotation)) if not one.metavar else one.metavar
        name = f"{one.opts[0]} {'' if one.is_flag else kind}".strip()
    cells = (f"`{name}`", "needed" if one.required else _said(one), one.help)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _said(one: Any) -> str:
    value = one.default
    return "" if value in (None, False, "", 0) or callable(value) else f"`{value}`"


def tables() -> str:
    """What is in each table of DIR/tables, column by column."""
    parts = []
    for name, record in TABLES.items():
        told: dict[str, str] = {}
        for kind in (record, *([MORE[name]] if name in MORE else [])):
            told |= attributes(kind, [f.name for f in fields(kind)])
        rows = (f"| `{c.name}` | {_kind(c)} | {told[c.name]} |" for c in PUBLISHED[name])
        line = (inspect.getdoc(record) or "").partition("\n")[0]
        parts.append(f"## {name}\n\n{line}\n\n| column | type | is |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


_KINDS = {"string": "text", "int64": "integer", "double": "number", "bool": "boolean", "date32[day]": "date"}


def _kind(column: Any) -> str:
    kind = _KINDS.get(str(column.type), "list of text")
    return f"{kind}, or null" if column.nullable else kind


def with_tables(page: str) -> str:
    """The page with the tables between its two marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n\n{tables()}\n{end}{after}"


def api() -> str:
    """All that the rooms export, what it returns, the records and the errors; the site puts the docstrings in."""
    exported = [
        (f"from kgmill.{room} import {name}", getattr(importlib.import_module(f"kgmill.{room}"), name))
        for room in ("extractor", "pipelines")
        for name in importlib.import_module(f"kgmill.{room}").__all__
    ]
    beside = {one for _, named in exported for one in _classes(named.__module__)} - {named for _, named in exported}
    parts = {
        "What is imported": exported,
        "What it returns": [(f"`{one.__name__}`", one) for one in sorted(beside, key=lambda one: one.__name__)],
        "Records": [(f"`{one.__name__}`", one) for one in _classes("kgmill.schemas.records")],
        "Errors": [(f"`{one.__name__}`", one) for one in _classes("kgmill.schemas.errors")],
    }
    text = ["# Python\n", _MADE]
    for title, rows in parts.items():
        told = [f"| {f'`{how}`' if how[0] != '`' else how} | {_first_line(one)} |" for how, one in rows]
        text += [f"## {title}\n", "| | is |\n|---|---|\n" + "\n".join(told) + "\n"]
        text += [f"::: {one.__module__}.{one.__name__}\n" for _, one in rows]
    return "\n".join(text)


def _classes(module: str) -> list[Any]:
    """The public classes that a module defines, in its order."""
    return [
        one
        for name, one in vars(importlib.import_module(module)).items()
        if inspect.isclass(one) and one.__module__ == module and not name.startswith("_")
    ]


def _first_line(one: Any) -> str:
    return str(inspect.getdoc(one)).partition("\n")[0].replace("|", "\\|")


def main() -> None:
    """Writes the files."""
    DATA.write_text(with_tables(DATA.read_text(encoding="utf-8")), encoding="utf-8")
    FOLDER.mkdir(exist_ok=True)
    for name, text in PAGES.items():
        (FOLDER / name).write_text(text(), encoding="utf-8")


PAGES = {"configuration.md": configuration, "commands.md": commands, "api.md": api}

if __name__ == "__main__":
    main()
