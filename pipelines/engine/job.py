"""What all jobs share: the request that a worker is given, receipts, and the two shapes of a job.

A job's elements are descriptors (a unit, paths and fingerprints as JSON), never documents: the heavy data moves through
Parquet inside one DoFn. When a DoFn has committed its part it writes a receipt, a small file, by which the driver knows
what was done, on any runner.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa

from kgmill.pipelines.engine.beam import beam
from kgmill.pipelines.output.parts import write_json

Descriptor = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """A job to run.

    Attributes:
        job: name of the job's module.
        root: the output folder.
        scratch: folder for receipts and spills; removed by the driver.
        tasks: the descriptors.
        settings: what all tasks share.
        runner: name of the Beam runner.
        beam_options: options of the runner.
    """

    job: str
    root: str
    scratch: str
    tasks: list[Descriptor]
    settings: dict[str, Any]
    runner: str = "FnApiRunner"
    beam_options: tuple[str, ...] = ()

    def save(self) -> Path:
        """Writes the request into its scratch folder; returns the file."""
        path = Path(self.scratch) / "request.json"
        write_json(path, asdict(self))
        return path

    @staticmethod
    def load(path: Path) -> Request:
        """The request in a file."""
        return Request(**json.loads(path.read_text(encoding="utf-8")))


def write_receipt(scratch: str, unit: str, receipt: dict[str, Any]) -> None:
    """Says that a unit is done. A second receipt for the same unit replaces the first: work may run twice."""
    write_json(Path(scratch) / "receipts" / f"{unit}.json", {"unit": unit, **receipt})


def read_receipts(scratch: Path) -> dict[str, dict[str, Any]]:
    """The receipts so far, by unit."""
    receipts = (json.loads(path.read_text(encoding="utf-8")) for path in sorted((scratch / "receipts").glob("*.json")))
    return {receipt["unit"]: receipt for receipt in receipts}


def each_task(pipeline: beam.Pipeline, tasks: Iterable[Descriptor], do_fn: beam.DoFn) -> beam.PCollection:
    """A job that does each task by itself: create, spread over the workers, do."""
    return pipeline | "Tasks" >> beam.Create(list(tasks)) | "Spread" >> beam.Reshuffle() | "Do" >> beam.ParDo(do_fn)


def exchange(
    pipeline: beam.Pipeline,
    tasks: Iterable[Descriptor],
    units: Iterable[str],
    *,
    scatter: Callable[[Descriptor], Iterator[tuple[str, str]]],
    gather: Callable[[tuple[str, Iterable[str]]], None],
) -> beam.PCollection:
    """A job that regroups rows: `scatter` spills rows to Parquet and yields (unit, path); `gather` gets a unit's paths.

    Only paths cross the shuffle. A unit that gets no row is gathered too.
    """
    return regroup("Units", scattered(pipeline, tasks, scatter), units) | "Gather" >> beam.Map(gather)


def scattered(
    pipeline: beam.Pipeline, tasks: Iterable[Descriptor], scatter: Callable[[Descriptor], Iterator[tuple[str, str]]]
) -> beam.PCollection:
    """The first half of an exchange: the (unit, path) pairs that the tasks' spills are."""
    return (
        pipeline
        | "Tasks" >> beam.Create(list(tasks))
        | "Spread" >> beam.Reshuffle()
        | "Scatter" >> beam.FlatMap(scatter)
    )


def regroup(name: str, spills: beam.PCollection, units: Iterable[str]) -> beam.PCollection:
    """The second half: (unit, its paths), for all units; an empty path stands in each."""
    empty = spills.pipeline | name >> beam.Create([(unit, "") for unit in units])
    return (spills, empty) | f"{name} together" >> beam.Flatten() | f"{name} grouped" >> beam.GroupByKey()


def spill(rows: pa.Table, units: Sequence[str], path: Path) -> Iterator[tuple[str, str]]:
    """Writes rows to one Arrow file, a batch a unit (`units` has each row's); yields units with their `path#batch`."""
    if not rows.num_rows:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    order = sorted(range(rows.num_rows), key=units.__getitem__)
    with pa.ipc.new_file(path, rows.schema) as file:
        for number, (unit, mine) in enumerate(groupby(order, key=units.__getitem__)):
            file.write_batch(rows.take(list(mine)).combine_chunks().to_batches()[0])
            yield unit, f"{path}#{number}"


def read_spills(schema: pa.Schema, spills: Iterable[str], suffix: str = "") -> pa.Table:
    """The rows of batches of files whose names end so, in the order of their names; the empty name has no rows."""
    batches = []
    for name in sorted(spills):
        path, _, number = name.rpartition("#")
        if path and path.endswith(suffix):
            with pa.OSFile(path) as file:
                batches.append(pa.ipc.open_file(file).get_batch(int(number)))
    return pa.Table.from_batches(batches, schema)
