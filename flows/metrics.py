"""What a monitoring system may know of an output: a text file in the form of Prometheus, whole or not at all.

It is meant for the textfile collector of node_exporter, which reads `*.prom`: a build is no server that could be asked.
All are gauges. What DIR holds is told of the last run that ended well, how a run went of the last one of any end.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from prometheus_client import CollectorRegistry, write_to_textfile
from prometheus_client.core import GaugeMetricFamily

from kgmill import __version__
from kgmill.pipelines.output import layout
from kgmill.pipelines.output.ledger import all_runs
from kgmill.pipelines.output.parts import Store

if TYPE_CHECKING:
    from kgmill.pipelines.building import StageReport

OUTCOMES = ("running", "done", "too_many_rejects", "failed")
Outcome = Literal["running", "done", "too_many_rejects", "failed"]
_FOLDERS = (layout.PARTS, layout.TABLES, layout.GRAPH, layout.CHANGES)
_MIB = 1 << 20
Sample = tuple[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its name without `kgmill_`, what it says, and its labels besides `dataset`."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


@dataclass(slots=True)
class Now:
    """The run that is under way, or that has just ended.

    Attributes:
        started: when, in seconds since 1970; 0 where it never began.
        finished: likewise; 0 until it ends.
        progress: the share of each stage that is done, from 0 to 1.
        reports: of the stages that it did.
    """

    outcome: Outcome = "running"
    started: float = 0.0
    finished: float = 0.0
    progress: dict[str, float] = field(default_factory=dict)
    reports: Mapping[str, StageReport] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Held:
    """What an output holds: of the last run there that ended well, all runs' ledgers being asked, the latest first.

    Attributes:
        run: its ledger; empty where no run ever ended well.
        last: the ledger of the last run of any end.
        rows: of tables that the ledger doesn't count.
        n_bytes: of the files below each folder. Tables share theirs with parts where an output is on a disk.
    """

    run: Mapping[str, Any]
    last: Mapping[str, Any]
    rows: Mapping[str, int]
    n_bytes: Mapping[str, int]


def held(store: Store) -> Held:
    """What an output holds now; reads the manifests of its decoded parts, and the sizes of all files."""
    runs = list(_until_done(all_runs(store)))
    decoded = store.live("decode")
    return Held(
        run=next((run for run in runs if run.get("status") == "done"), {}),
        last=runs[0] if runs else {},
        rows={table: sum(part.rows(table) for part in decoded) for table in ("mentions", "relations")},
        n_bytes={folder: sum(entry.n_bytes for entry in store.storage.entries(folder)) for folder in _FOLDERS},
    )


def _until_done(runs: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for run in runs:
        yield run
        if run.get("status") == "done":
            return


def write_metrics(path: Path, dataset: str, held: Held, now: Now) -> None:
    """Replaces the file by what is so now; a reader sees the old one or the new one.

    Raises:
        OSError: it can't be written.
    """
    registry = CollectorRegistry()
    registry.register(_Families(dataset, [*_content(held), *_course(held, now)]))
    write_to_textfile(os.fspath(path), registry)


class _Families:
    """Metrics with their samples, as prometheus_client collects them."""

    def __init__(self, dataset: str, found: Iterable[tuple[Metric, list[Sample]]]) -> None:
        self._dataset, self._found = dataset, list(found)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for metric, samples in self._found:
            family = GaugeMetricFamily(f"kgmill_{metric.name}", metric.help, labels=("dataset", *metric.labels))
            for labels, value in samples:
                family.add_metric([self._dataset, *labels], value)
            if samples:
                yield family


def _content(held: Held) -> Iterator[tuple[Metric, list[Sample]]]:
    """What the output holds."""
    run, graph = held.run, held.run.get("graph", {})
    yield (
        Metric("documents", "Documents of the last run that ended well, by what became of them.", ("outcome",)),
        [((name,), n) for name, n in run.get("documents", {}).items()],
    )
    yield (
        Metric("rejects", "Documents and records that the last run that ended well rejected, by reason.", ("reason",)),
        [((reason,), n) for reason, n in run.get("rejects", {}).items()],
    )
    for name, n in held.rows.items() if run else ():
        yield Metric(name, f"Rows of the table {name}."), [((), n)]
    for name in ("entities", "facts", "quads"):
        if name in graph:
            yield Metric(name, f"{name.capitalize()} of the graph."), [((), graph[name])]
    yield (
        Metric("output_bytes", "Bytes below a folder of the output; on a disk tables are links to parts.", ("folder",)),
        [((folder,), n) for folder, n in held.n_bytes.items()],
    )
    if run:
        yield (
            Metric("model_sentences", "Sentences that met the model in the last run that ended well."),
            [((), run.get("model_calls", {}).get("sentences", 0))],
        )
        yield (
            Metric("last_success_timestamp_seconds", "When the last run that ended well did, in seconds since 1970."),
            [((), _seconds(run.get("finished")))],
        )


def _course(held: Held, now: Now) -> Iterator[tuple[Metric, list[Sample]]]:
    """How the run goes or went; of its stages, where it has none yet, those of the run before."""
    rows = {name: report.row for name, report in now.reports.items()} or held.last.get("stages", {})

    def of_stages(key: str, scale: float = 1.0) -> list[Sample]:
        return [((stage,), row[key] * scale) for stage, row in rows.items()]

    yield Metric("stage_seconds", "Seconds that a stage took.", ("stage",)), of_stages("seconds")
    yield (
        Metric("stage_model_seconds", "Seconds inside of prediction, summed over work units.", ("stage",)),
        of_stages("model_seconds"),
    )
    yield (
        Metric("stage_peak_memory_bytes", "Highest resident memory of the worker in a stage.", ("stage",)),
        of_stages("peak_rss_mb", _MIB),
    )
    units: list[Sample] = [((stage, how), row[f"n_{key}"]) for stage, row in rows.items() for how, key in _UNITS]
    yield (
        Metric("stage_units", "Work units of a stage, by whether they were made or found made.", ("stage", "how")),
        units,
    )
    yield (
        Metric("stage_progress_ratio", "Share of a stage that this run has done, from 0 to 1.", ("stage",)),
        [((stage,), 1.0 if stage in now.reports else share) for stage, share in now.progress.items()],
    )
    yield (
        Metric("last_run_outcome", "1 for what became of the last run, 0 for all else.", ("outcome",)),
        [((outcome,), float(outcome == now.outcome)) for outcome in OUTCOMES],
    )
    for name, value in (("started", now.started), ("finished", now.finished)):
        if value:
            help_ = f"When the last run {name}, in seconds since 1970."
            yield Metric(f"last_run_{name}_timestamp_seconds", help_), [((), math.floor(value))]
    yield Metric("info", "The version of kgmill.", ("version",)), [((__version__,), 1)]


_UNITS = (("made", "done"), ("reused", "reused"))


def _seconds(time: Any) -> float:
    return datetime.fromisoformat(str(time)).timestamp()
