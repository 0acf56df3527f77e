"""The command `kgmill`: finds the command that is meant, calls it, and gives every end its line and exit code."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from difflib import get_close_matches

from kgmill import __version__
from kgmill.flows.commands import find, lines, panels
from kgmill.schemas.errors import KgmillError, UsageError
from kgmill.schemas.leaving import leave
from kgmill.schemas.text import printable

_COMPLETION = "_KGMILL_COMPLETE"  # set where a shell asks for what may come next


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command line; ends the process with the contract's exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    logging.getLogger().addHandler(logging.NullHandler())  # the command says what there is to say
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the threads are ours, and forks of tokenizers' own warn
    if _COMPLETION in os.environ:
        from kgmill.flows.completion import complete

        sys.exit(complete())
    leave(run(sys.argv[1:] if argv is None else argv))


class Terminated(KeyboardInterrupt):
    """SIGTERM came: what runs is left in order, as with Ctrl-C."""


def _terminate(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the end has begun; it takes seconds, and a second one spoils it
    raise Terminated("stopped by SIGTERM")


def run(argv: Sequence[str]) -> int:
    """Runs a command line; returns the exit code: 0 done, 1 failed, 2 wrong, 3 too many rejects, 130, 143 stopped."""
    goes_on = ""
    try:
        name, arguments, beam_options = _split(argv)
        if not name:
            return _without_command(arguments)
        command = find(name)
        if command is None:
            raise UsageError(_no_command(name))
        goes_on = command.goes_on
        from kgmill.flows.parser import parse
        from kgmill.flows.terminal import speaking
        from kgmill.schemas.extras import require

        if call := parse(command, arguments, beam_options):
            require(command.name, *command.needs)
            with speaking(call.voice):
                call()
    except KgmillError as error:
        _tell(error, f"kgmill: {error}")
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        _tell(error, printable(f"kgmill: {error.filename or 'system'}: {error.strerror or error}"))
        return 1
    except KeyboardInterrupt as stop:
        _tell(stop, f"kgmill: stopped{goes_on}")
        return 143 if isinstance(stop, Terminated) else 130
    return 0


def _tell(error: BaseException, line: str) -> None:
    """Prints how a command failed, unless the log on standard error has said it."""
    if not getattr(error, "is_told", False):
        print(line, file=sys.stderr)


def _split(argv: Sequence[str]) -> tuple[str, list[str], list[str]]:
    """The command's name, if there is one, what is its own, and Beam's options after `--`, as they are."""
    for argument in argv:
        if (shown := argument.encode(errors="backslashreplace").decode()) != argument:
            raise UsageError(f"{shown}: not UTF-8; give a name that is")
    cut = argv.index("--") if "--" in argv else len(argv)
    own, beam_options = list(argv[:cut]), list(argv[cut + 1 :])
    if own and not own[0].startswith("-"):
        return own[0], own[1:], beam_options
    return "", own, beam_options


def _no_command(name: str) -> str:
    """What to say of a command that isn't there."""
    if near := get_close_matches(name, lines(), n=2):
        return f"no command {printable(name)} (did you mean {' or '.join(near)}?); see kgmill --help"
    return f"no command {printable(name)}; there are {', '.join(lines())}"


def _without_command(arguments: Sequence[str]) -> int:
    """`kgmill --version`, `kgmill --help` and what is about completion."""
    first, value = arguments[0] if arguments else "", arguments[1] if len(arguments) > 1 else ""
    if "=" in first:
        first, _, value = first.partition("=")
    if first == "--version":
        print(f"kgmill {__version__}")
    elif first in ("-h", "--help"):
        from kgmill.flows.help import print_overview

        print_overview(panels())
    elif first == "--show-completion":
        from kgmill.flows.completion import script

        print(script(value))
    elif first == "--install-completion":
        from kgmill.flows.completion import install_script

        print(f"written to {install_script(value)}; start a new shell, and Tab completes kgmill")
    else:
        what = f"no option {printable(first)}" if first else "wanted a command"
        raise UsageError(f"{what}; see kgmill --help")
    return 0


if __name__ == "__main__":
    main()
