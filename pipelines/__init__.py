"""Beam jobs, the part store they commit to, and the graph formats they end in; and the Python API of it all.

    from kgmill.pipelines import build, load_graph, open_build, read_table

`build` makes a graph (`kgmill.pipelines.api`), `open_build` and `read_table` read its tables
(`kgmill.pipelines.built`), `load_graph` is its graph to compute with (`kgmill.pipelines.networks`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kgmill.schemas.extras import require

if TYPE_CHECKING:
    from kgmill.pipelines.api import build
    from kgmill.pipelines.built import Built, open_build, read_table
    from kgmill.pipelines.networks import load_graph

__all__ = ["Built", "build", "load_graph", "open_build", "read_table"]
_MODULES = {"build": "api", "load_graph": "networks"}


def __getattr__(name: str) -> Any:
    """What the package offers, imported when it is first asked for: few who import a module of it need it."""
    if name in __all__:
        if name == "build":
            require("kgmill.pipelines.build", "build")
        return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'built')}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
