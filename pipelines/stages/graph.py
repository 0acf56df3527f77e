"""Graph: the files of DIR/graph, a part a format, each reused alone.

What all of them hold together is said by one more part: the members of the chain, how many quads they are, and
void.ttl, which has the size and the hash of each file.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import count
from typing import TYPE_CHECKING, Any

from kgmill.pipelines.engine.progress import Teller
from kgmill.pipelines.engine.request import PartName, Receipt, Request
from kgmill.pipelines.graph import void
from kgmill.pipelines.graph.formats import Graph, GraphFormat, chosen_formats, graph_formats
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.stages.export import MEMBER, META, Names, in_chain, records
from kgmill.pipelines.stages.stage import Parts, Todo, partitions_extent
from kgmill.schemas.identity import fingerprint

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

VERSION = 3
MEMBERS = "members"  # the part that says what the graph's files hold


@dataclass(frozen=True, slots=True)
class Settings:
    """What all formats are made from.

    Attributes:
        members: the members of graph.nq.gz, in the chain's order.
        aggregated: the parts of entities and facts.
    """

    names: Names
    members: tuple[PartName, ...]
    aggregated: tuple[PartName, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """A format to write: its unit and name, and its part's fingerprint."""

    unit: str
    fingerprint: str
    form: str


def plan(
    store: Store, members: Sequence[Part], aggregated: Sequence[Part], names: Names, chosen: tuple[str, ...]
) -> tuple[list[Part], list[Task], Settings]:
    """The formats that are there already, tasks for those that are not, and the settings."""
    settings = Settings(
        names,
        tuple((part.unit, part.fingerprint) for part in in_chain(members)),
        tuple((part.unit, part.fingerprint) for part in aggregated),
    )
    made_of: dict[str, Any] = {
        "quads": settings.members,
        "tables": [names.naming, settings.aggregated],
        "ontology": names.described,
    }
    done, tasks = [], []
    for name, form in chosen_formats(chosen).items():
        key = fingerprint({"version": [VERSION, form.version], "format": name, "made_of": made_of[form.reads]})
        if found := store.find("graph", f"format-{name}", key):
            done.append(found)
        else:
            tasks.append(Task(f"format-{name}", key, name))
    return done, tasks, settings


def missing(context: RunContext, store: Store, parts: Parts) -> Todo:
    """What graph has to do. Its parts are made live by `stages.changes`, when it is known what changes."""
    names, chosen = context.names, context.config.formats
    done, tasks, settings = plan(store, parts["export"], parts["aggregate"], names, chosen)
    extent = partitions_extent(parts["ingest"], (task.unit for task in tasks))
    return Todo(done, tasks, settings, extent, lambda outcome: {})


def commit_members(store: Store, ns: Namespace, members: Sequence[Part], formats: Sequence[Part]) -> Part:
    """Commits what says what the graph's files hold, with void.ttl."""
    chain = in_chain(members)
    counts = {
        "quads": sum(part.counts["quads"] for part in members),
        "members": [(part.unit, part.fingerprint) for part in chain],
    }
    files = {name: file for part in formats for name, file in part.files.items()}
    hashes = {name: file["sha256"] for name, file in files.items()}
    key = fingerprint({"version": VERSION, **counts, "files": hashes})
    if found := store.find("graph", MEMBERS, key):
        return found
    described = (line for part in chain if part.unit in ("provenance", META) for line in member_bytes(part))
    folder = store.scratch()
    (folder / void.FILE).write_text(void.void_turtle(ns, described, files), encoding="utf-8")
    return store.commit("graph", MEMBERS, key, folder, counts)


def member_bytes(part: Part) -> Iterator[bytes]:
    """The lines of a member, with their line breaks.

    Raises:
        CorruptPartError: it is missing or was altered.
    """
    yield from gzip.GzipFile(fileobj=BytesIO(part.read_bytes(MEMBER)))


def live_counts(parts: Sequence[Part]) -> Mapping[str, Any]:
    """What the live graph's parts counted: `quads`, `members` and, where it has graph.nq.gz, `sha256`."""
    return {name: value for part in parts for name, value in part.counts.items()}


def untold(parts: Sequence[Part]) -> dict[str, dict[str, int]]:
    """What formats of the live graph can't tell, by format and by what it lacks; those that tell all are not in it."""
    return {
        part.unit.removeprefix("format-"): dict(part.counts["left_out"]) for part in parts if "left_out" in part.counts
    }


@contextmanager
def work(request: Request[Task, Settings]) -> Iterator[Callable[[Task], Receipt]]:
    """Writes formats and commits them."""
    store = request.store

    def write_format(task: Task) -> Receipt:
        form = graph_formats()[task.form]
        folder = store.scratch()
        graph = graph_of(store, request.settings, form, Teller(request.scratch, task.unit))
        counts = form.write(graph, folder / form.file)
        store.commit("graph", task.unit, task.fingerprint, folder, counts)
        return Receipt(task.unit, task.fingerprint)

    yield write_format


def graph_of(store: Store, settings: Settings, form: GraphFormat, teller: Teller) -> Graph:
    """What a format may read, and nothing else, as its file is made anew when that changes; tells what was read."""
    names, n_read = settings.names, count(1)
    if form.reads == "tables":
        names = replace(names, ontology=names.ontology.without_words())

    def each(job: str, parts: Sequence[PartName], readers: Sequence[str]) -> Iterator[Part]:
        if form.reads not in readers:
            raise TypeError(f"the format of {form.file} says that it reads {form.reads}, and reads what {job} made")
        for name in parts:
            # How often a format goes over all isn't known: each time half of what is left is told.
            teller.tell(1 - 0.5 ** (next(n_read) / len(parts)))
            yield store.need(job, *name)

    def table(name: str) -> Iterator[Any]:
        parts = each("aggregate", settings.aggregated, ("tables", "quads"))
        return (record for part in parts for record in records(part, name))

    def members() -> Iterator[bytes]:
        return (part.read_bytes(MEMBER) for part in each("export", settings.members, ("quads",)))

    return Graph(names.namespace, table, members)
