"""The commands. A file here is one: its first line says what it does, its function of the same name does it.

A stage of a build is a command too, also without a file. Nothing lists them. What a command needs is imported when it
runs, so that its help is quick.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

from kgmill.pipelines.stages.stage import NAMES


@dataclass(frozen=True, slots=True)
class Command:
    """A command.

    Attributes:
        line: what it does, in a line.
        goes_on: what is said when it was stopped.
    """

    name: str
    line: str
    function: Callable[..., None]
    goes_on: str = ""


def lines() -> dict[str, str]:
    """What each command does, in a line, by its name. Imports none of them."""
    found = {name: f"Only the stage {name} of a build." for name in NAMES}
    for folder in __path__:
        for path in Path(folder).glob("[a-z]*.py"):
            with path.open(encoding="utf-8") as file:
                found[path.stem.replace("_", "-")] = file.readline().strip().strip('"')
    return dict(sorted(found.items()))


def find(name: str) -> Command | None:
    """A command by its name; None where there is none of it."""
    line = lines().get(name)
    if line is None:
        return None
    file = name.replace("-", "_")
    if not any((Path(folder) / f"{file}.py").is_file() for folder in __path__):
        from kgmill.flows import one_stage

        return Command(name, line, partial(one_stage.one_stage, name), one_stage.GOES_ON)
    module = import_module(f"{__name__}.{file}")
    return Command(name, line, getattr(module, file), getattr(module, "GOES_ON", ""))
