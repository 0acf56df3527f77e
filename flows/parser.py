"""How typer reads a command line: it only parses; what is to be done is called where its faults are handled."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from itertools import pairwise
from typing import Annotated, Any, get_origin, get_type_hints

from typer import Typer, TyperException
from typer.core import TyperCommand, TyperOption
from typer.main import get_command

from kgmill.flows.commands import Command
from kgmill.schemas.errors import UsageError
from kgmill.schemas.text import printable

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 120}


def parse(command: Command, arguments: Sequence[str], beam_options: Sequence[str]) -> Callable[[], None] | None:
    """The call that a command line asks for; None if it asked for help, which is printed.

    Raises:
        UsageError: a wrong option or value.
    """
    parser = typer_command(command, beam_options)
    try:
        _check_values(parser, arguments)
        call = parser.main(list(arguments), prog_name=f"kgmill {command.name}", standalone_mode=False)
    except TyperException as error:
        said = " ".join(error.format_message().split()).replace("Value error, ", "")  # pydantic's words
        message = printable(said.removesuffix("."))
        help_is = f"see kgmill {command.name} --help"
        raise UsageError(f"{command.name}: {message[:1].lower()}{message[1:]}; {help_is}") from None
    return call if callable(call) else None


def typer_command(command: Command, beam_options: Sequence[str] = ()) -> TyperCommand:
    """The command as typer has it. Called, it gives the call that is to be made.

    Raises:
        UsageError: Beam options for a command that runs nothing on Beam.
    """
    app = Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(command.name, help=command.line, context_settings=_SETTINGS)(_flat(command, tuple(beam_options)))
    made = get_command(app)
    assert isinstance(made, TyperCommand)  # noqa: S101 - an app of one command is that command
    return made


def _flat(command: Command, beam_options: tuple[str, ...]) -> Callable[..., Callable[[], None]]:
    """The command's function with the fields of its values as parameters of their own, as typer wants them."""
    function = command.function
    hints = get_type_hints(function.func if isinstance(function, partial) else function, include_extras=True)
    values: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    asked = {name: _asked(kind) for name, kind in values.items()}
    own = [p for p in inspect.signature(function).parameters.values() if p.name not in values]
    parameters = [p.replace(kind=p.KEYWORD_ONLY, annotation=hints[p.name]) for p in own]
    parameters += [parameter for kind in asked.values() for parameter in kind]
    takes_beam = [name for name, kind in values.items() if "beam_options" in {f.name for f in fields(kind)}]
    if beam_options and not takes_beam:
        raise UsageError(f"{command.name}: takes no options after --")

    def call(**given: Any) -> Callable[[], None]:
        for name, kind in values.items():
            more = {"beam_options": beam_options} if name in takes_beam else {}
            given[name] = kind(**{p.name: given.pop(p.name) for p in asked[name]}, **more)
        return partial(function, **given)

    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what inspect looks for first
    call.__annotations__ = {}
    return call


def _asked(kind: Any) -> list[inspect.Parameter]:
    """The fields of a value that the command line is asked for, as parameters."""
    hints = get_type_hints(kind, include_extras=True)
    chosen = [p for p in inspect.signature(kind).parameters.values() if get_origin(hints[p.name]) is Annotated]
    return [p.replace(kind=p.KEYWORD_ONLY, annotation=hints[p.name]) for p in chosen]


def _check_values(parser: TyperCommand, arguments: Sequence[str]) -> None:
    """Refuses an option in the place of another's value: typer would take `--out --yes` for a folder called --yes."""
    takers = [p for p in parser.params if isinstance(p, TyperOption) and not p.is_flag]
    wanting = {name for option in takers for name in (*option.opts, *option.secondary_opts)}
    for option, value in pairwise(arguments):
        if option in wanting and value[:1] == "-" and not (" " in value or value == "-" or _is_number(value)):
            raise TyperException(f"Option '{option}' requires an argument.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
