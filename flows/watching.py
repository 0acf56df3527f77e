"""Who watches a run: its log and its metrics, where they are wanted; a listener takes them along."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgmill.flows.limits import SkippedError
from kgmill.flows.logs import logging_to
from kgmill.flows.progress import Progress, Status
from kgmill.pipelines.building import Listener, Run, where_of
from kgmill.pipelines.checks import named
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.stages.stage import STAGES
from kgmill.schemas.config import BuildConfig, dataset_name
from kgmill.schemas.errors import ConfigError, KgmillError, LockError, TooManyRejectsError
from kgmill.schemas.logged import where_raised, within

if TYPE_CHECKING:
    from kgmill.flows.metrics import Outcome

logger = logging.getLogger(__name__)


@contextmanager
def watched(config: BuildConfig, out: str) -> Iterator[Watch]:
    """Logs what is done meanwhile, and how it ends; keeps the file of metrics. Both as the configuration wants them.

    A run that leaves another one's output alone leaves its metrics alone too.

    Raises:
        ConfigError: the log or the metrics can't be written where they are wanted.
    """
    dataset = dataset_of(out, config)
    with logging_to(config.log_format, config.log_file), within(dataset=dataset):
        watch = Watch(MetricsFile(Path(config.metrics), dataset, out) if config.metrics else None)
        try:
            yield watch
        except SkippedError as busy:
            logger.info("skipped: %s", busy)
            raise
        except BaseException as error:
            where = watch.where | where_raised(error)
            line = str(error) or type(error).__name__
            logger.exception("failed: %s", line, exc_info=_shown(error), extra={"where": where})
            if not isinstance(error, LockError):
                watch.end("too_many_rejects" if isinstance(error, TooManyRejectsError) else "failed")
            raise
        watch.end("done")


def _shown(error: BaseException) -> BaseException | None:
    """The error, unless somebody stopped the run: where it was then is nobody's fault."""
    return error if isinstance(error, Exception) else None


class Watch:
    """The watch over a run.

    Attributes:
        where: what log lines say of the run, once it has begun.
    """

    def __init__(self, metrics: MetricsFile | None) -> None:
        self.where: dict[str, str] = {}
        self._metrics = metrics
        self._progress = Progress("documents", self._tell)

    def listen(self, listener: Listener) -> Listener:
        """The listener; log and metrics too are told of progress: when a job begins or ends, and every 10 s."""

        def on_progress(job: str, share: float, n_documents: int | None) -> None:
            self._progress.update(job, share, n_documents)
            listener.on_progress(job, share, n_documents)

        return replace(listener, on_progress=on_progress)

    def holds(self, run: Run) -> None:
        """Takes in that a run holds its output."""
        self.where = where_of(run.context)
        if self._metrics:
            self._metrics.begin(run)

    def end(self, outcome: Outcome) -> None:
        """Says how the run ended."""
        if self._metrics:
            self._metrics.end(outcome)

    def _tell(self, status: Status) -> None:
        logger.info("%s", status)
        if self._metrics:
            self._metrics.step(status)


class MetricsFile:
    """The file of metrics of a run.

    That it can't be written is a fault before the run begins; later it is a line of the log, and fails no build.
    """

    def __init__(self, path: Path, dataset: str, out: str) -> None:
        from kgmill.flows import metrics

        self._path, self._dataset, self._store = path, dataset, Store(out)
        self._of, self._now = metrics, metrics.Now()
        self._held: metrics.Held | None = None
        if not path.parent.is_dir() or path.is_dir():
            raise ConfigError(f"--metrics {path}: wanted the name of a file in a folder that is there")

    def begin(self, run: Run) -> None:
        """The run holds its output: what that holds is what the run before left."""
        self._now.started, self._now.reports = time.time(), run.reports
        self._look()

    def step(self, status: Status) -> None:
        """Takes in how far a job is; until the run holds its output, the file is another one's."""
        stage = next((one for one in STAGES if status.stage in one.jobs), None)
        if stage and self._held:
            share = (stage.jobs.index(status.stage) + status.share) / len(stage.jobs)
            self._now.progress[stage.name] = round(max(share, self._now.progress.get(stage.name, 0.0)), 4)
            self._write()

    def end(self, outcome: Outcome) -> None:
        """The run is over."""
        self._now.outcome, self._now.finished = outcome, time.time()
        self._look()

    def _look(self) -> None:
        with suppress(KgmillError, OSError):
            self._held = self._of.held(self._store)
        self._write()

    def _write(self) -> None:
        held = self._held or self._of.Held({}, {}, {}, {})
        try:
            self._of.write_metrics(self._path, self._dataset, held, self._now)
        except OSError as error:
            logger.warning("metrics: %s: %s", self._path, error.strerror or error)


def dataset_of(out: str, config: BuildConfig | Any) -> str:
    """The dataset's name, also where something is wrong with the output."""
    try:
        return named(config, Store(out)).dataset
    except KgmillError:
        return dataset_name(Path(out).name)
