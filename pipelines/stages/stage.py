"""The stages of a build, the only list of them, and what the driver has to know of their jobs.

A stage is one or more jobs, each a module of this room. The driver's side of a job is `missing`: what is there already,
what is to be done, and how the result is published. The worker's side is `work`, which does one task. Nothing here
knows of Beam, or where the output lies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kgmill.pipelines.engine.progress import Extent

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext
    from kgmill.pipelines.engine.request import Receipt
    from kgmill.pipelines.output.parts import Part, Store
    from kgmill.pipelines.storage.scratch import Scratch

Parts = Mapping[str, Sequence["Part"]]  # of each job that is done, in unit order


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a build.

    Attributes:
        jobs: its jobs, in order.
        tables: the tables that it publishes under DIR/tables.
        needs: the stages whose results it takes.
        rejects: it may reject documents.
        counted: those of its jobs whose units a plan and run.json count; none: the one of its name.
    """

    name: str
    jobs: tuple[str, ...]
    tables: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    rejects: bool = False
    counted: tuple[str, ...] = ()


STAGES = (
    Stage("ingest", ("ingest",), ("documents",), rejects=True),
    Stage("extract", ("extract",), needs=("ingest",), rejects=True),
    Stage("decode", ("names", "resolve", "decode"), ("mentions", "relations"), needs=("ingest", "extract")),
    Stage(
        "aggregate",
        ("combine", "rivals", "aggregate"),
        ("names", "evidence"),
        needs=("ingest", "decode"),
    ),
    Stage(
        "export",
        ("labels", "export", "graph", "changes"),
        ("entities", "facts"),
        needs=("ingest", "decode", "aggregate"),
        counted=("export", "graph"),
    ),
)
NAMES = tuple(stage.name for stage in STAGES)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job.

    Attributes:
        parts: all parts of the result, found and made, in unit order.
        receipts: of the parts that were made, by unit.
        scratch: the job's; none where there was nothing to do.
    """

    parts: list[Part]
    receipts: Mapping[str, Receipt] = field(default_factory=dict)
    scratch: Scratch | None = None


@dataclass(frozen=True, slots=True)
class Todo:
    """What a job has to do.

    Attributes:
        done: the parts that are there already.
        tasks: what makes the others.
        settings: what all tasks share.
        extent: how much work it is.
        publish: makes the result the live one; returns what the ledger needs to know of it.
    """

    done: Sequence[Part]
    tasks: Sequence[Any]
    settings: Any
    extent: Extent
    publish: Callable[[Outcome], Mapping[str, Any]]


def stage_named(name: str) -> Stage:
    """A stage by its name."""
    return STAGES[NAMES.index(name)]


def missing(job: str, context: RunContext, store: Store, parts: Parts) -> Todo:
    """What a job has to do, from the parts of the jobs before it; touches nothing."""
    found: Todo = import_module(f"kgmill.pipelines.stages.{job}").missing(context, store, parts)
    return found


def documents_extent(ingested: Iterable[Part], units: Iterable[str]) -> Extent:
    """What a job over units of documents has to do."""
    counts = {part.unit: part.counts for part in ingested}
    chosen = {unit: counts[unit] for unit in units}
    n_documents = sum(found["kept"] for found in chosen.values())
    return Extent({unit: 1.0 + found["bytes"] for unit, found in chosen.items()}, n_documents=n_documents)


def partitions_extent(ingested: Iterable[Part], units: Iterable[str]) -> Extent:
    """What a job over parts of the graph has to do; all documents are in each."""
    return Extent(dict.fromkeys(units, 1.0), n_documents=sum(part.counts["kept"] for part in ingested))


def publisher(store: Store, job: str, tables: Sequence[str] = ()) -> Callable[[Outcome], Mapping[str, Any]]:
    """The usual way: the parts become the live ones, and their tables appear."""

    def publish(outcome: Outcome) -> Mapping[str, Any]:
        store.publish(job, outcome.parts, tables)
        return {}

    return publish
