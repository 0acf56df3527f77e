"""The commands. A file here is one: its first line says what it does, its function of the same name does it.

A stage of a build is a command too, also without a file. Nothing lists them. What a command needs is imported when it
runs, so that its help is quick.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

from kgmill.pipelines.stages.stage import NAMES

PANELS = ("Build", "Stages of a build", "Graph", "Model", "More")
"""What commands are grouped under, in the order of the help; a file names its own in PANEL, or is under the last."""

_PANEL = re.compile(r'^PANEL = "(.+)"$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Command:
    """A command.

    Attributes:
        line: what it does, in a line.
        goes_on: what is said when it was stopped.
        examples: command lines that show how it is used.
        needs: the extras without which it can do nothing.
    """

    name: str
    line: str
    function: Callable[..., None]
    goes_on: str = ""
    examples: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


def lines() -> dict[str, str]:
    """What each command does, in a line, by its name. Imports none of them."""
    return {name: line for name, (_, line) in sorted(_found().items())}


def panels() -> dict[str, dict[str, str]]:
    """The same by the panel that they are under. Imports none of them."""
    found = sorted(_found().items())
    return {panel: {name: line for name, (under, line) in found if under == panel} for panel in PANELS}


def _found() -> dict[str, tuple[str, str]]:
    found = {name: (PANELS[1], f"Only the stage {name} of a build.") for name in NAMES}
    for folder in __path__:
        for path in Path(folder).glob("[a-z]*.py"):
            text = path.read_text(encoding="utf-8")
            panel = _PANEL.search(text)
            under = panel[1] if panel and panel[1] in PANELS else PANELS[-1]
            found[path.stem.replace("_", "-")] = under, text.partition("\n")[0].strip().strip('"')
    return found


def find(name: str) -> Command | None:
    """A command by its name; None where there is none of it."""
    line = lines().get(name)
    if line is None:
        return None
    file = name.replace("-", "_")
    if not any((Path(folder) / f"{file}.py").is_file() for folder in __path__):
        from kgmill.flows import one_stage

        example = f"kgmill {name} corpus --out kg"
        doing = partial(one_stage.one_stage, name)
        return Command(name, line, doing, one_stage.GOES_ON, (example,), one_stage.NEEDS)
    module = import_module(f"{__name__}.{file}")
    told = getattr(module, "GOES_ON", ""), getattr(module, "EXAMPLES", ()), getattr(module, "NEEDS", ())
    return Command(name, line, getattr(module, file), *told)
