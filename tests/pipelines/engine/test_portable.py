"""Runners other than the local one: a portable runner's workers make the bytes of a local build."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kgmill.pipelines.building import finish, hold, run_stage
from kgmill.pipelines.checks import check_build
from kgmill.pipelines.stages.stage import NAMES
from kgmill.schemas.config import BuildConfig

TEXTS = {
    "a.txt": "Ada Byron worked for Acme Corp in Paris .",
    "b.txt": "Bob Stone lives in London . Ada Byron worked for Acme Corp in Paris .",
    "c.txt": "Carl May killed Dora Lane in Rome .",
    "copy.txt": "Carl May killed Dora Lane in Rome .",
}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def local(source, build_here, tmp_path_factory):
    """The files of a local build, in four units."""
    out = tmp_path_factory.mktemp("local") / "out"
    build_here(source, out, unit_bytes=1024)
    return files(out)


@pytest.fixture
def build_on(source, tiny_model, tmp_path):
    """Builds the source on a portable runner; returns the files."""

    def build_on(*beam_options):
        names = {"base_iri": "https://kg.example.org/", "dataset": "kg", "unit_bytes": 1024}
        config = BuildConfig.load(None, {"model": str(tiny_model), "device": "cpu", **names})
        how = {"runner": "PortableRunner", "beam_options": ("--job_endpoint=embed", *beam_options), "n_workers": 1}
        with hold(check_build((str(source),), tmp_path / "out", config, **how)) as run:
            for stage in NAMES:
                run_stage(run, stage)
            finish(run)
        return files(tmp_path / "out")

    return build_on


def files(out):
    """The bytes of tables and graph, by name."""
    found = [*(out / "graph").iterdir(), *(out / "tables").glob("*/*.parquet")]
    return {str(path.relative_to(out)): path.read_bytes() for path in found}


@pytest.mark.slow
def test_loopback_workers_make_the_bytes_of_a_local_build(local, build_on):
    """The embedded job service, with workers in the process that submits."""
    assert build_on("--environment_type=LOOPBACK") == local


@pytest.mark.slow
def test_external_workers_make_the_bytes_of_a_local_build(local, build_on, worker_pool):
    """The same, with workers that a pool starts in processes of their own."""
    assert build_on("--environment_type=EXTERNAL", f"--environment_config=127.0.0.1:{worker_pool}") == local


@pytest.fixture
def worker_pool(tmp_path):
    """The port of a pool of Beam's workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # its workers are the first `python` there
    with (
        (tmp_path / "pool.log").open("w") as log,
        subprocess.Popen(command, env=os.environ | {"PATH": path}, stdout=log, stderr=log) as pool,
    ):
        until(lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None)
        yield port
        pool.send_signal(signal.SIGINT)
        try:
            pool.wait(10)
        except subprocess.TimeoutExpired:
            pool.kill()


def until(is_so):
    for _ in range(600):
        with contextlib.suppress(OSError):
            if is_so():
                return
        time.sleep(0.1)
    pytest.fail("no worker pool within a minute")
