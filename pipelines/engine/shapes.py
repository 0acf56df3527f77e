"""The shapes of a job: each task by itself, or rows regrouped between tasks; and the one DoFn that commits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from kgmill.pipelines.engine.beam import Metrics, PCollection, beam
from kgmill.pipelines.engine.presence import meet
from kgmill.pipelines.engine.request import Request, job_module, write_receipt
from kgmill.pipelines.engine.runners import LOCAL
from kgmill.schemas.logged import within

METRICS = ("documents", "sentences", "rejects")
logger = logging.getLogger(__name__)


class WorkFn(beam.DoFn):
    """Does a job's work on a unit, whose part it commits, and leaves the receipt; yields the unit.

    The job's `work` is entered once for the life of the DoFn, and left when that ends: what is dear to open, such as
    the model, is opened and closed there.
    """

    def __init__(self, request: Request[Any, Any]) -> None:
        self.request = replace(request, tasks=())

    def setup(self) -> None:
        """Opens what the work needs."""
        self._open = ExitStack()
        with _faults_logged(self.request.job):
            self._do = self._open.enter_context(job_module(self.request.job).work(self.request))
        self._counters = {name: Metrics.counter("kgmill", name) for name in METRICS}

    def process(self, task: Any, after: Any = None) -> Iterator[str]:
        """Does the work on one element; `after` may be a side input that has to be there before."""
        with within(unit=_unit(task)), _faults_logged(self.request.job):
            receipt = self._do(task)
            write_receipt(self.request.scratch, receipt)
            logger.debug("%s: unit done", self.request.job)
        for name in self._counters.keys() & receipt.counts.keys():
            self._counters[name].inc(int(receipt.counts[name]))
        yield receipt.unit

    def teardown(self) -> None:
        """Closes it."""
        self._open.close()


def _unit(task: Any) -> str:
    """The unit of a task, or of what a regrouping gives: a unit with its spills."""
    return str(task[0] if isinstance(task, tuple) else task.unit)


@contextmanager
def _faults_logged(job: str) -> Iterator[None]:
    """Logs what is raised, here where the unit is known; what Beam makes of it on the way doesn't tell."""
    try:
        yield
    except Exception:
        logger.exception("%s: failed", job)
        raise


def build(pipeline: beam.Pipeline, request: Request[Any, Any]) -> None:
    """A job's graph: its own, or else each task by itself."""
    if request.is_rehearsal:
        spread(pipeline, request)
        return
    own = getattr(job_module(request.job), "build", None)
    if own is None:
        each_task(pipeline, request)
    else:
        own(pipeline, request)


class MeetFn(beam.DoFn):
    """Passes tasks on to work on another machine than the build's, once that is found fit for them."""

    def __init__(self, request: Request[Any, Any]) -> None:
        self.request = replace(request, tasks=())

    def setup(self) -> None:
        """Says in the scratch that a worker is here.

        Raises:
            ConfigError: it has another kgmill than the build, or doesn't see the scratch.
        """
        meet(self.request)

    def process(self, task: Any) -> Iterator[Any]:
        """The task."""
        if not self.request.is_rehearsal:
            yield task
            return
        job_module(self.request.job).rehearse(self.request)


def spread(pipeline: beam.Pipeline, request: Request[Any, Any]) -> PCollection[Any]:
    """The tasks, spread over the workers; all on one, in order, where they are to be done one by one."""
    tasks = list(range(request.n_slots)) if request.is_rehearsal else list(request.tasks)
    created: PCollection[Any]
    if request.one_by_one:
        created = pipeline | "Tasks" >> beam.Create([tasks]) | "Each" >> beam.FlatMap(list)
    else:
        created = pipeline | "Tasks" >> beam.Create(tasks) | "Spread" >> beam.Reshuffle()
    if request.runner == LOCAL:
        return created
    met: PCollection[Any] = created | "Meet" >> beam.ParDo(MeetFn(request))
    return met


def each_task(pipeline: beam.Pipeline, request: Request[Any, Any]) -> PCollection[Any]:
    """The units that are done: create the tasks, spread them over the workers, do each."""
    done: PCollection[Any] = spread(pipeline, request) | "Do" >> beam.ParDo(WorkFn(request))
    return done


def scattered(
    pipeline: beam.Pipeline, request: Request[Any, Any], scatter: Callable[[Any], Iterator[tuple[str, str]]]
) -> PCollection[Any]:
    """The first half of a regrouping: `scatter` spills a task's rows and yields (unit, spill); only names cross."""
    spills: PCollection[Any] = spread(pipeline, request) | "Scatter" >> beam.FlatMap(scatter)
    return spills


def regroup(name: str, spills: PCollection[Any], units: Iterable[str]) -> PCollection[Any]:
    """The second half: (unit, its paths), for all units; an empty path stands in each."""
    empty = spills.pipeline | name >> beam.Create([(unit, "") for unit in units])
    together = (spills, empty) | f"{name} together" >> beam.Flatten()
    grouped: PCollection[Any] = together | f"{name} grouped" >> beam.GroupByKey()
    return grouped
