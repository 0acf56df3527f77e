"""How typer reads a command line: it only parses; what is to be done is called where its faults are handled."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from itertools import pairwise
from typing import Annotated, Any, get_origin, get_type_hints

from typer import Option, Typer, TyperException
from typer.core import TyperCommand, TyperOption
from typer.main import get_command

from kgmill.flows.commands import Command
from kgmill.flows.terminal import ProgressKind, Voice
from kgmill.schemas.errors import UsageError
from kgmill.schemas.text import printable

OUTPUT = "Output"  # the panel of the options that every command has
HELP = ("-h", "--help")
_SETTINGS = {"help_option_names": list(HELP)}


@dataclass(frozen=True, slots=True)
class Call:
    """What a command line asks for: a function with its arguments, and how much it says."""

    func: Callable[..., None]
    keywords: dict[str, Any]
    voice: Voice

    def __call__(self) -> None:
        """Does it."""
        self.func(**self.keywords)


def _voice(
    *,
    quiet: Annotated[
        bool,
        Option("--quiet", "-q", rich_help_panel=OUTPUT, help="say nothing but results that are asked for, and errors"),
    ] = False,
    verbose: Annotated[
        bool,
        Option("--verbose", "-v", rich_help_panel=OUTPUT, help="say also what is done, and where an error comes from"),
    ] = False,
    progress: Annotated[
        ProgressKind,
        Option(
            "--progress",
            envvar="KGMILL_PROGRESS",
            rich_help_panel=OUTPUT,
            help="how progress is shown on standard error; auto: bars on a terminal, else lines for logs",
        ),
    ] = "auto",
) -> Voice:
    if quiet and verbose:
        raise UsageError("--quiet and --verbose exclude one another")
    return Voice(quiet, verbose, progress)


def parse(command: Command, arguments: Sequence[str], beam_options: Sequence[str]) -> Call | None:
    """The call that a command line asks for; None if it asked for help, which is printed.

    Raises:
        UsageError: a wrong option or value.
    """
    parser = typer_command(command, beam_options)
    if any(argument in HELP for argument in arguments):
        from kgmill.flows.help import print_command

        shown = [one for one in documented(parser, command).params if not getattr(one, "hidden", False)]
        print_command(command.name, command.line, shown, command.examples)
        return None
    try:
        _check_values(parser, arguments)
        call = parser.main(list(arguments), prog_name=f"kgmill {command.name}", standalone_mode=False)
    except TyperException as error:
        raise UsageError(f"{command.name}: {_said(error)}; see kgmill {command.name} --help") from None
    return call if isinstance(call, Call) else None


def _said(error: TyperException) -> str:
    """What is wrong, in our words where typer's are long."""
    if hasattr(error, "possibilities"):
        near = f" (did you mean {' or '.join(sorted(error.possibilities))}?)" if error.possibilities else ""
        return f"no option {printable(getattr(error, 'option_name', ''))}{near}"
    said = " ".join(error.format_message().split()).replace("Value error, ", "")  # pydantic's words
    message = printable(said.removesuffix("."))
    return f"{message[:1].lower()}{message[1:]}"


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


def documented(parser: TyperCommand, command: Command, *, is_whole: bool = False) -> TyperCommand:
    """The same for reading alone: an option that is a key of a configuration has the key's words and its default.

    Where it `is_whole`, all the words, in Markdown.
    """
    from kgmill.flows.options import BuildOptions, WatchOptions
    from kgmill.schemas.config import BuildConfig, field_docs
    from kgmill.schemas.training import SetConfig

    of_a_build = not {BuildOptions, WatchOptions}.isdisjoint(_hints(command).values())
    keys = BuildConfig.model_fields if of_a_build else {}

    told = field_docs(SetConfig) | field_docs(BuildConfig)
    for one in parser.params:
        parameter: Any = one
        if not parameter.help:
            words = told.get(str(one.name), "")
            short = words.partition(". ")[0].replace("`", "").removesuffix(".")  # the reference has the rest
            parameter.help = words if is_whole else short
        key = keys.get(str(one.name))
        if one.default is None and key is not None and key.default not in (None, "", False):
            parameter.default = ",".join(key.default) if isinstance(key.default, tuple) else key.default
    return parser


def _flat(command: Command, beam_options: tuple[str, ...]) -> Callable[..., Call]:
    """The command's function with the fields of its values as parameters of their own, as typer wants them."""
    function, hints = command.function, _hints(command)
    values: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    asked = {name: _asked(kind) for name, kind in values.items()}
    own = [p for p in inspect.signature(function).parameters.values() if p.name not in values]
    parameters = [p.replace(kind=p.KEYWORD_ONLY, annotation=hints[p.name]) for p in own]
    parameters += [parameter for kind in asked.values() for parameter in kind]
    takes_beam = [name for name, kind in values.items() if "beam_options" in {f.name for f in fields(kind)}]
    if beam_options and not takes_beam:
        raise UsageError(f"{command.name}: takes no options after --")
    said = get_type_hints(_voice, include_extras=True)
    output = [p.replace(annotation=said[p.name]) for p in inspect.signature(_voice).parameters.values()]

    def call(**given: Any) -> Call:
        voice = _voice(**{p.name: given.pop(p.name) for p in output})
        for name, kind in values.items():
            more = {"beam_options": beam_options} if name in takes_beam else {}
            given[name] = kind(**{p.name: given.pop(p.name) for p in asked[name]}, **more)
        return Call(function, given, voice)

    call.__signature__ = inspect.Signature([*parameters, *output])  # type: ignore[attr-defined]  # what inspect looks for first
    call.__annotations__ = {}
    return call


def _hints(command: Command) -> dict[str, Any]:
    function = command.function
    return get_type_hints(function.func if isinstance(function, partial) else function, include_extras=True)


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
