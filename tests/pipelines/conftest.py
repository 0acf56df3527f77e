"""What the tests of the pipelines share: jobs and whole builds that run in this process, on the real Beam runner."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kgmill.pipelines.building import Run, finish, run_stage
from kgmill.pipelines.checks import check_build
from kgmill.pipelines.engine.request import Request, read_receipts
from kgmill.pipelines.engine.worker import Worker, run_job
from kgmill.pipelines.forget import forget
from kgmill.pipelines.output.format import begin
from kgmill.pipelines.output.ledger import last_run
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.stages.stage import NAMES
from kgmill.pipelines.storage.files import remove
from kgmill.schemas.config import BuildConfig


class WorkerInThisProcess(Worker):
    """Runs each job as the child would, without the seconds that a child takes to import torch."""

    def run(self, request_file, on_poll=lambda elapsed_s: None):
        return run_job(request_file)


@pytest.fixture(scope="session")
def worker_here():
    """The kind of worker that runs jobs in this process."""
    return WorkerInThisProcess


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


@pytest.fixture(scope="session")
def forget_here():
    """Forgets documents of a build that `build_here` made, in this process; returns the report."""

    def forget_here(out, *doc_ids):
        store = Store(out)
        config = BuildConfig.load(None, last_run(store)["config"])
        context = check_build((), out, config, n_workers=1, started="2026-01-01T00:10:00Z")
        with store.lock():
            return forget(Run(context, store, WorkerInThisProcess()), doc_ids)

    return forget_here


@pytest.fixture(scope="session")
def traces():
    """Finds the files below a folder that hold one of some texts, read as their formats have it."""

    def traces(folder, texts):
        return sorted(
            (path.relative_to(folder).as_posix(), text)
            for path in folder.rglob("*")
            if path.is_file()
            for data in [f"{path.name}\n".encode() + read_through(path)]
            for text in texts
            if text.encode() in data
        )

    return traces


def read_through(path):
    """The bytes of a file, and what they are when they are decompressed."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        return data + gzip.decompress(data)
    if path.suffix == ".parquet":
        return data + json.dumps(pq.read_table(path).to_pylist(), ensure_ascii=False, default=str).encode()
    if path.name == "slices":
        slices = json.loads(path.with_name("manifest.json").read_text())["counts"]["slices"].values()
        return data + b"".join(
            pa.decompress(data[begin : begin + n_bytes], sum(sizes), "zstd", asbytes=True)
            for begin, n_bytes, sizes, _ in slices
        )
    return data
