"""What `--help` shows: panels of commands or options, with defaults and examples; 80 columns are enough."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from rich.box import ROUNDED
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

_MAX_NAME = 28  # columns of an option and its value; what is longer has the value on a line of its own
_MAX_WIDTH = 110
_OPTIONS = {
    "--version": "show the version",
    "--install-completion [SHELL]": "let the shell complete commands and options: bash, zsh, fish, powershell",
    "--show-completion [SHELL]": "show what that puts into the shell",
    "-h, --help": "show this; kgmill COMMAND --help shows a command's",
}


def print_overview(panels: Mapping[str, Mapping[str, str]]) -> None:
    """The help of kgmill itself; no command and no parser is imported for it."""
    console = _console()
    console.print("\nUsage: kgmill COMMAND ...\n\nTurns a corpus of text into a typed knowledge graph.\n", style="bold")
    width = max(len(name) for named in panels.values() for name in named)
    for panel, named in panels.items():
        if named:
            _panel(console, panel, [(name, Text(line)) for name, line in named.items()], width)
    _panel(console, "Options", [(name, Text(line)) for name, line in _OPTIONS.items()], 0)
    console.print("Begin with: kgmill build FOLDER --out kg, and kgmill explain kg NAME.\n", style="dim")


def print_command(name: str, line: str, parameters: list[Any], examples: tuple[str, ...]) -> None:
    """The help of a command; `parameters` are typer's, with words and defaults."""
    console = _console()
    wanted = "".join(f" {shape(one)}" for one in parameters if one.required)
    more = "" if all(one.required for one in parameters) else " [OPTIONS]"
    console.print(f"\nUsage: kgmill {name}{wanted}{more}\n\n{line}\n", style="bold")
    grouped: dict[str, list[tuple[str, Text]]] = defaultdict(list)
    for one in sorted(parameters, key=lambda one: one.param_type_name != "argument"):
        panel = "Arguments" if one.param_type_name == "argument" else one.rich_help_panel or "Options"
        grouped[panel].append((shape(one), _words(one)))
    output = grouped.pop("Output", [])
    for panel, rows in (*grouped.items(), ("Output", [*output, ("-h, --help", Text("show this"))])):
        _panel(console, panel, rows, _MAX_NAME)
    if examples:
        console.print("Examples", style="bold")
        for example in examples:
            console.print(f"  {example}", soft_wrap=True)
        console.print()


def shape(one: Any) -> str:
    """A parameter as it is written: `--out DIR`, `SOURCE...`."""
    if one.param_type_name == "argument":
        several = one.nargs == -1 and not str(one.metavar).startswith("[")
        return f"{one.metavar}..." if several else str(one.metavar)
    kind = "|".join(get_args(one.type_descriptor.annotation)) if not one.metavar else str(one.metavar)
    return f"{', '.join(sorted(one.opts, key=len))} {'' if one.is_flag else kind}".strip()


def _words(one: Any) -> Text:
    more = [(f"[{word}]", "dim") for word in _more(one)]
    return Text(" ").join([Text(one.help)] * bool(one.help) + [Text(*word) for word in more])


def _more(one: Any) -> Iterator[str]:
    if one.required:
        yield "required"
    elif one.show_default and one.default not in (None, "", False) and not callable(one.default):
        yield f"default: {one.default}"
    if one.envvar:
        yield f"or set {one.envvar}"


def _panel(console: Console, title: str, rows: list[tuple[str, Text]], width: int) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold cyan", min_width=width)
    grid.add_column(ratio=1)
    for name, words in rows:
        grid.add_row("\n  ".join(_broken(name)), words)
    console.print(Panel(grid, title=title, title_align="left", border_style="dim", box=ROUNDED))


def _broken(name: str) -> list[str]:
    """An option and its value as lines that fit their column: what there is to choose from goes on below.

    >>> _broken("--format spert|dygie|conll|brat")
    ['--format', 'spert|dygie|conll|brat']
    """
    option, _, value = name.rpartition(" ")
    if len(name) <= _MAX_NAME or not option:
        return [name]
    lines = [option, ""]
    for piece in re.findall(r"[^|]+\|?", value):
        if lines[-1] and len(lines[-1] + piece) > _MAX_NAME - 2:
            lines.append("")
        lines[-1] += piece
    return lines


def _console() -> Console:
    console = Console(markup=False, highlight=False, emoji=False)
    console.width = min(console.width, _MAX_WIDTH)
    return console
