"""Registries: the files of a package are the things that it has. Nothing lists them."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TypeVar

Thing = TypeVar("Thing")


def things_of(package: str, name: str, kind: type[Thing]) -> dict[str, Thing]:
    """What each file of a package calls `name`, by the name of the file, in which `_` stands for `-`; in this order.

    Raises:
        TypeError: a file has nothing of that name and kind.
    """
    found = {}
    for file in sorted(module.name for module in iter_modules(import_module(package).__path__)):
        thing = getattr(import_module(f"{package}.{file}"), name, None)
        if not isinstance(thing, kind):
            raise TypeError(f"{package}.{file}: wanted {name}, which is {kind.__name__}, in each file of {package}")
        found[file.replace("_", "-")] = thing
    return found
