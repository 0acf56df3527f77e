"""Graph formats, a file a format: what is in this folder is what a build can write. See docs/extending.md."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import IO, Any, Literal, cast

from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.pipelines.registry import things_of
from kgmill.schemas.records import Entity, Evidence, Fact, Name


@dataclass(frozen=True, slots=True)
class Graph:
    """What a format writes; it may be larger than memory, and be read as often as it takes.

    Attributes:
        ns: the dataset's names; its ontology has labels and comments only for a format that reads `ontology`.
        table: the records of a table, in the order of their hashes.
        members: the gzip members of graph.nq.gz.
    """

    ns: Namespace
    table: Callable[[str], Iterator[Any]]
    members: Callable[[], Iterator[bytes]]

    def entities(self) -> Iterator[Entity]:
        """The entities."""
        return self.table("entities")

    def names(self) -> Iterator[Name]:
        """The names of all entities, in their order."""
        return self.table("names")

    def facts(self) -> Iterator[Fact]:
        """The facts."""
        return self.table("facts")

    def evidence(self) -> Iterator[Evidence]:
        """The evidence of all facts, in their order."""
        return self.table("evidence")

    def lines(self) -> Iterator[bytes]:
        """The lines of graph.nq.gz, with their line breaks."""
        return chain.from_iterable(self.streams())

    def streams(self) -> Iterator[IO[bytes]]:
        """The members of graph.nq.gz as files to read the lines from, each to be read before the next."""
        return (cast(IO[bytes], gzip.GzipFile(fileobj=BytesIO(data))) for data in self.members())


@dataclass(frozen=True, slots=True)
class GraphFormat:
    """A format: a file of DIR/graph, and what writes it.

    Attributes:
        file: the name of the file.
        write: writes a graph to a path, equal bytes for an equal graph; returns what run.json is to say of the graph:
            `left_out` counts what the format can't tell, by what that lacks.
        reads: what its bytes follow from, and so when it is written anew: the `ontology` with its words, the `tables`
            of entities, facts and evidence, or all `quads`.
        version: another one writes the file anew.
        is_always: the file is there whether `--formats` names it or not.
        beside: the names of further files that `write` puts beside the first.
    """

    file: str
    write: Callable[[Graph, Path], dict[str, Any]]
    reads: Literal["ontology", "tables", "quads"]
    version: int = 1
    is_always: bool = False
    beside: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all its files."""
        return self.file, *self.beside


@cache
def graph_formats() -> dict[str, GraphFormat]:
    """All formats by name."""
    return things_of(__name__, "FORMAT", GraphFormat)


def chosen_formats(names: Collection[str]) -> dict[str, GraphFormat]:
    """The formats of these names, and those that are always written."""
    return {name: form for name, form in graph_formats().items() if form.is_always or name in names}


def known_formats() -> list[str]:
    """The names that can be chosen."""
    return [name for name, form in graph_formats().items() if not form.is_always]
