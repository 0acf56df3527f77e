"""Beam jobs, the part store they commit to, and the graph formats they end in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kgmill.pipelines.networks import load_graph

__all__ = ["load_graph"]


def __getattr__(name: str) -> Any:
    """`load_graph`, imported when it is first asked for: most modules here need no NetworkX."""
    if name == "load_graph":
        from kgmill.pipelines.networks import load_graph

        return load_graph
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
