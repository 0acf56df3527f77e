"""What can't work ends with one line within a minute, and never hangs."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import kgmill as package

pytestmark = pytest.mark.flink
WORKER = str(Path(sys.executable).with_name("kgmill-beam-worker"))
MINUTE_S = 60.0


@pytest.fixture(scope="module")
def cluster(flink):
    return flink(1, 2)


@pytest.fixture
def source(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("Ada Byron worked for Acme Corp in Paris .")
    return tmp_path / "in"


@pytest.fixture
def refused(kgmill, source, tmp_path):
    """A build that ends in one line within a minute; gives its exit code and the line."""

    def refused(cluster, *options, more=()):
        done = kgmill("build", source, "--out", tmp_path / "out", *more, cluster=cluster, options=options)
        assert len(done.errors) == 1, done
        assert done.seconds < MINUTE_S
        return done.code, done.errors[0].removeprefix("kgmill: ")

    return refused


def launcher(folder, *lines):
    """The option by which workers are started by a script of these lines."""
    path = folder / f"launcher-{len(list(folder.iterdir()))}"
    path.write_text("#!/bin/sh\n" + "".join(f"{line}\n" for line in lines))
    path.chmod(0o755)
    return f'--environment_config={{"command": "{path}"}}'


class Nowhere:
    master = "127.0.0.1:9"


def test_cluster_that_does_not_answer(refused):
    """Named by its address."""
    code, line = refused(Nowhere)
    assert code == 1
    assert line.startswith("Flink at 127.0.0.1:9: no answer of a Flink cluster (")


def test_pool_that_does_not_answer(cluster, refused):
    """Named by its address, with the command that starts one."""
    assert refused(cluster, "--environment_config=127.0.0.1:9") == (
        1,
        "pool 127.0.0.1:9: doesn't answer (UNAVAILABLE); start kgmill worker there",
    )


@contextlib.contextmanager
def pool_of(*command, environment=None):
    """A process that serves a pool, until its port answers."""
    process = subprocess.Popen([sys.executable, *map(str, command)], env=os.environ | (environment or {}))
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def test_pool_without_kgmill(cluster, refused, free_port):
    """Beam's own."""
    with pool_of("-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={free_port}"):
        await_port(free_port)
        assert refused(cluster, f"--environment_config=127.0.0.1:{free_port}") == (
            1,
            f"pool 127.0.0.1:{free_port}: answers, but is none of kgmill's; start kgmill worker there instead",
        )


def await_port(port):
    import socket

    end = time.monotonic() + MINUTE_S
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.2)
    raise AssertionError(port)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A folder with a kgmill of another version."""
    folder = tmp_path_factory.mktemp("other")
    shutil.copytree(Path(package.__file__).parent, folder / "kgmill", ignore=shutil.ignore_patterns("models"))
    text = (folder / "kgmill" / "__init__.py").read_text()
    (folder / "kgmill" / "__init__.py").write_text(text.replace(package.__version__, "9.9.9"))
    return folder


def test_pool_with_another_kgmill(cluster, refused, free_port, other):
    """Both versions are named."""
    with pool_of("-P", "-m", "kgmill", "worker", "--port", free_port, environment={"PYTHONPATH": str(other)}):
        await_port(free_port)
        code, line = refused(cluster, f"--environment_config=127.0.0.1:{free_port}")
    assert code == 1
    assert line.startswith(f"pool 127.0.0.1:{free_port}: has kgmill 9.9.9 (")
    assert line.endswith(f", and the build {package.__version__}; install the same version for both")


def test_worker_with_another_kgmill(cluster, refused, other, tmp_path):
    """Also where no pool can be asked."""
    code, line = refused(cluster, launcher(tmp_path, f'PYTHONPATH="{other}" exec "{WORKER}" "$@"'))
    assert code == 1
    assert line.startswith("a worker has kgmill 9.9.9 in ")
    assert line.endswith(f", and the build {package.__version__}; install the same version for both")


def test_workers_that_never_come_and_slots_that_are_held(cluster, start, refused, source, tmp_path):
    """While one build waits for its workers, another one is told who has the slots."""
    waiting = start(
        *("build", source, "--out", tmp_path / "waiting"),
        cluster=cluster,
        options=[launcher(tmp_path, "exec sleep 600")],
    )
    waiting.wait_for(lambda: cluster.ask("/overview")["slots-available"] == 0, "job")
    code, line = refused(cluster)
    assert code == 1
    assert line.startswith(f"Flink at {cluster.master}: 0 of 2 slots are free; held by kgmill-")
    assert line.endswith("; wait for it, or cancel it")
    done = waiting.end()
    said = f"kgmill: Flink at {cluster.master}: no worker came in 30 s; see the log of the task manager, and that "
    assert (done.code, done.errors) == (1, [f"{said}what --environment_config names starts workers there"])
    assert cluster.jobs()[-1][1] == "CANCELED"


def test_more_workers_than_slots(cluster, refused):
    """Told before anything runs."""
    assert refused(cluster, more=("--workers", 3)) == (
        1,
        f"Flink at {cluster.master}: has 2 slots, fewer than --workers 3",
    )


def test_versions_that_do_not_fit(cluster, refused):
    """Of Flink, as the options have it and as the cluster says."""
    assert refused(cluster, "--flink_version=1.20") == (
        1,
        f"Flink 1.19.3 at {cluster.master}: --flink_version 1.20 is another; leave the option out, or say 1.19",
    )


def test_workers_that_cannot_see_the_output(cluster, refused, tmp_path):
    """A folder of the build's own machine: here one over which the worker has another file system."""
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:  # noqa: S607
        pytest.skip("no right to mount")
    out = tmp_path / "out"
    blind = f'mount -t tmpfs none {out} && exec {WORKER} "$@"'
    code, line = refused(cluster, launcher(tmp_path, f"exec unshare -m sh -c '{blind}' kgmill \"$@\""))
    assert code == 2
    assert line.startswith(f"{out}: a worker on ")
    assert line.endswith(
        " can't see it, or can't write there (No such file or directory); "
        "--out wants a folder or URL that all workers see under the same name"
    )


def test_gpu_that_is_not_there(cluster, refused):
    """Asked for by name."""
    code, line = refused(cluster, more=("--device", "cuda"))
    assert code == 2
    assert line.startswith("a worker on ")
    assert "device cuda: this torch (" in line
    assert line.endswith("sees no GPU; see README, Choosing torch; or say cpu")


def test_doctor_tries_the_workers(cluster, start, tmp_path):
    """They come, see the output and open the model; nothing is left there. A cluster that is none is named."""
    out = tmp_path / "out"
    done = start("doctor", "--out", out, cluster=cluster).end()
    [row] = [
        line for line in done.errors if f"Flink at {cluster.master}, version 1.19.3: 2 slots" in " ".join(line.split())
    ]
    assert (row.split()[0], out.exists()) == ("ok", False)
    done = start("doctor", "--out", out, cluster=Nowhere).end()
    assert (done.code, done.errors[-1]) == (1, "kgmill: doctor: engine not in order")
