"""What the tests of the pipelines share: jobs and whole builds that run in this process, on the real Beam runner."""

import pytest

from kgmill.pipelines.build import Run, finish, run_stage
from kgmill.pipelines.checks import check_build
from kgmill.pipelines.engine.request import Request, read_receipts
from kgmill.pipelines.engine.worker import Worker, run_job
from kgmill.pipelines.output.format import begin
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.stages.stage import NAMES
from kgmill.pipelines.storage.files import remove
from kgmill.schemas.config import BuildConfig


class WorkerInThisProcess(Worker):
    """Runs each job as the child would, without the seconds that a child takes to import torch."""

    def run(self, request_file, on_poll=lambda elapsed_s: None):
        return run_job(request_file)


@pytest.fixture
def store(tmp_path):
    """The store of a new output folder."""
    made = Store(tmp_path / "out")
    made.create()
    return made


@pytest.fixture(scope="session")
def run():
    """Runs a job on Beam's FnApiRunner; returns its receipts by unit."""

    def run(store, job, tasks, settings, **others):
        scratch = store.scratch()
        run_job(Request(job, str(store.storage.root), str(scratch), tuple(tasks), settings, **others).save())
        receipts = read_receipts(scratch)
        remove(scratch)
        return receipts

    return run


@pytest.fixture(scope="session")
def build_here(tiny_model):
    """Builds a source with the tiny model, all stages, in this process; returns what run.json says.

    `started` is when the run says it did, `yes` lets documents vanish.
    """

    def build_here(source, out, /, started="2026-01-01T00:00:00Z", yes=False, **settings):
        sources = (str(source),)
        names = {"base_iri": "https://kg.example.org/", "dataset": "kg"}
        config = BuildConfig.load(None, {"model": str(tiny_model), "device": "cpu", **names, **settings})
        store = Store(out)
        context = check_build(sources, out, config, n_workers=1, yes=yes, started=started)
        with store.lock():
            begin(store)
            here = Run(context, store, WorkerInThisProcess())
            for stage in NAMES:
                run_stage(here, stage)
            return finish(here)

    return build_here
