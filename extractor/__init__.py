"""The two-phase joint entity-relation extractor. It needs neither Beam nor Prefect nor rdflib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kgmill.extractor.api import Extractor

__all__ = ["Extractor"]


def __getattr__(name: str) -> Any:
    """`Extractor`, imported when it is first asked for: torch takes seconds, and most modules here don't need it."""
    if name == "Extractor":
        from kgmill.extractor.api import Extractor

        return Extractor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
