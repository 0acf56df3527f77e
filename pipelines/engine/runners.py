"""Beam's runners and options, checked by name before anything is touched: Beam passes over what it doesn't know."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from kgmill.schemas.errors import ConfigError

LOCAL = "FnApiRunner"
_REFUSED = {
    "DirectRunner": "it may try to download a runner; the local runner here is FnApiRunner",
    "SwitchingDirectRunner": "it may try to download a runner; the local runner here is FnApiRunner",
    "DaskRunner": "it loses data silently",
}


def check_runner(runner: str, options: Sequence[str] = ()) -> None:
    """Makes sure that there is such a runner, that it is no dangerous one, and that Beam knows each of the options.

    Raises:
        ConfigError: naming the runner or the option, and what was wanted.
    """
    path = runner
    if runner != LOCAL:
        path = _path(runner)
        _import(runner, path)
    if options:
        _check_options(options, is_local=path.endswith(f".{LOCAL}") or path == LOCAL)


def _path(runner: str) -> str:
    """Where Beam has the runner, by its rules: case doesn't matter, nor does the word Runner at the end."""
    from kgmill.pipelines.engine.beam import StandardOptions

    known = {path.rpartition(".")[2].lower(): path for path in StandardOptions.ALL_KNOWN_RUNNERS}
    path = known.get(runner.lower()) or known.get(f"{runner.lower()}runner") or runner
    name = path.rpartition(".")[2]
    dangerous = {refused.lower().removesuffix("runner"): refused for refused in _REFUSED}
    if reason := _REFUSED.get(dangerous.get(name.lower().removesuffix("runner"), "")):
        raise ConfigError(f"runner {runner}: refused, because {reason}")
    if "." not in path:
        names = sorted(path.rpartition(".")[2] for path in known.values())
        hint = _near(runner, names) or f"it has {', '.join(name for name in names if name not in _REFUSED)}"
        raise ConfigError(f"runner {runner}: Beam has no such runner; {hint}")
    return path


def _import(runner: str, path: str) -> None:
    """Imports the runner, which also makes its options known."""
    module, _, name = path.rpartition(".")
    try:
        getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"runner {runner}: not installed here: {' '.join(str(error).split())}") from None


def _check_options(options: Sequence[str], *, is_local: bool) -> None:
    from kgmill.pipelines.engine.beam import PipelineOptions

    def parse(parser: Any) -> None:
        parser.error = _refuse
        given, unknown = parser.parse_known_args(list(options))
        if unknown:
            names = [name for action in parser._actions for name in action.option_strings if name.startswith("--")]
            hint = _near(unknown[0].partition("=")[0], names) or "Beam and this runner have none of that name"
            raise ConfigError(f"unknown Beam option {unknown[0]}; {hint}")
        if given.runner:
            raise ConfigError("Beam option --runner: name the runner before the --")
        if is_local and given.direct_running_mode == "multi_processing":
            raise ConfigError("Beam option --direct_running_mode: multi_processing hangs when a worker dies")

    PipelineOptions(flags=[]).get_all_options(add_extra_args_fn=parse)


def _refuse(message: str) -> NoReturn:
    raise ConfigError(f"Beam options: {message}")


def _near(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, 1, 0.8)
    return f"did you mean {near[0]}?" if near else ""
