"""Flink, as far as it can be told without a cluster; with one: tests/flink."""

import zipfile

import pytest

from kgmill.pipelines.engine.engines import Engine, open_engine
from kgmill.pipelines.engine.flink_rest import is_loopback
from kgmill.pipelines.engine.flink_server import JobServer, versions_of
from kgmill.pipelines.engine.kinds.flink import Flink, _parse
from kgmill.pipelines.engine.launcher import version_fault
from kgmill.pipelines.engine.pool import launcher
from kgmill.schemas.errors import ConfigError, EngineError


def test_engine_of_a_runner():
    """By the runner's name, however it is written; others are left to Beam."""
    options = ["--flink_master=host:8081"]
    for name in ("FlinkRunner", "flink", "apache_beam.runners.portability.flink_runner.FlinkRunner"):
        assert type(open_engine(name, options, 2, "/out")) is Flink
    for name in ("FnApiRunner", "PortableRunner"):
        assert type(open_engine(name, (), 2, "/out")) is Engine
    with pytest.raises(ConfigError, match=r"name the cluster's REST after --, as --flink_master=HOST:PORT$"):
        open_engine("FlinkRunner", (), 2, "/out")


def test_options_that_were_given():
    """Whether their values stand behind = or in a word of their own; not those that Beam has anyhow."""
    given = _parse(["--parallelism=3", "--flink_version", "1.19"])
    assert given == {"parallelism": 3, "flink_version": "1.19"}


def testversions_of_a_job_server(tmp_path):
    """Of Beam and of Flink, from inside; a file that is none is named."""
    jar = tmp_path / "server.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("org/apache/beam/sdk/sdk.properties", "# a\nversion=2.77.0\nsdk_version=2.77.0\n")
        archive.writestr(".flink-runtime.version.properties", "project.version=1.20.1\n")
    assert versions_of(str(jar)) == ("2.77.0", "1.20")
    with pytest.raises(ConfigError, match=r"none\.jar: no job server of Beam for Flink"):
        versions_of(str(tmp_path / "none.jar"))


@pytest.mark.parametrize(
    ("address", "is_here"),
    [("localhost:80", True), ("127.0.0.1:8081", True), ("[::1]:1", True), ("flink:8081", False), ("10.0.0.1:1", False)],
)
def test_addresses_of_this_machine(address, is_here):
    """A pool there is each task manager's own where the cluster is elsewhere."""
    assert is_loopback(address) is is_here


def test_job_server_that_does_not_start_is_told(tmp_path):
    """With the last line that it said, and no process is left."""
    (tmp_path / "no.jar").write_text("no jar")
    with pytest.raises(EngineError, match=r"^Beam's job server for Flink didn't start: .+"):
        JobServer("http://127.0.0.1:9", str(tmp_path / "no.jar"))


def test_pool_starts_workers_with_its_own_interpreter(tmp_path):
    """Whatever python is first on PATH."""
    import subprocess

    done = subprocess.run([launcher(tmp_path), "--help"], env={"PATH": "/nowhere:/bin"}, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()[:2]) == (0, ["usage:", "kgmill-beam-worker"])


def test_worker_of_another_version_says_so():
    """By what the build says among Beam's experiments; where it says nothing, nothing is wrong."""
    told = version_fault({"beam:option:experiments:v1": ["use_x", "kgmill_version=0.0.1"]})
    assert told.endswith(", and the build 0.0.1; install the same version for both")
    assert version_fault({}) == ""
