"""A real Flink cluster on this machine: a job manager and task managers, each a process of its own."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2]
KGMILL = str(Path(sys.executable).with_name("kgmill"))
WAIT_S = 120.0
_OPENED = "java.lang java.net java.io java.nio sun.nio.ch java.lang.reflect java.text java.time java.util"
_OPENED += " java.util.concurrent java.util.concurrent.atomic java.util.concurrent.locks"
_JVM = ["--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED"]
_JVM += [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPENED.split()]
_MEMORY = {  # no script of Flink's is here to derive it
    "taskmanager.memory.network.min": "256mb",
    "taskmanager.memory.network.max": "256mb",
    "taskmanager.memory.framework.heap.size": "128mb",
    "taskmanager.memory.framework.off-heap.size": "128mb",
    "taskmanager.memory.task.heap.size": "256mb",
    "taskmanager.memory.task.off-heap.size": "0b",
    "taskmanager.memory.managed.size": "128mb",
    "taskmanager.memory.jvm-metaspace.size": "256mb",
    "taskmanager.memory.jvm-overhead.min": "192mb",
    "taskmanager.memory.jvm-overhead.max": "192mb",
    "taskmanager.cpu.cores": "2.0",
}
_LOG4J = """\
rootLogger.level = INFO
rootLogger.appenderRef.out.ref = Out
appender.out.name = Out
appender.out.type = CONSOLE
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss} %-5p %c{1} %m%n
"""


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Cluster:
    """A Flink cluster on loopback.

    Attributes:
        master: HOST:PORT of its REST.
    """

    def __init__(self, folder, lib, n_task_managers, n_slots):
        self.folder, self._lib, self._n_slots = folder, lib, n_slots
        folder.mkdir()
        rpc, rest = free_port(), free_port()
        self.master = f"127.0.0.1:{rest}"
        local = ("jobmanager.rpc.address", "jobmanager.bind-host", "rest.address", "rest.bind-address")
        local += ("taskmanager.bind-host", "taskmanager.host")
        lines = [f"{name}: 127.0.0.1" for name in local]
        lines += [f"jobmanager.rpc.port: {rpc}", f"rest.port: {rest}", f"io.tmp.dirs: {folder}"]
        lines += [f"taskmanager.numberOfTaskSlots: {n_slots}", "jobmanager.memory.process.size: 1024m"]
        lines += [f"blob.storage.directory: {folder}/blobs", "blob.service.cleanup.interval: 30"]
        lines += ["heartbeat.interval: 2000", "heartbeat.timeout: 20000"]
        (folder / "config.yaml").write_text("".join(f"{line}\n" for line in lines))
        (folder / "log4j.properties").write_text(_LOG4J)
        entry = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
        self._job_manager = self._start("job-manager", ["-Xmx400m"], entry, ["--executionMode", "cluster"])
        self.task_managers = []
        for _ in range(n_task_managers):
            self.add_task_manager()
        self.wait(lambda: self.ask("/overview")["slots-available"] == n_task_managers * n_slots, "slots")

    def add_task_manager(self):
        memory = [word for name, value in _MEMORY.items() for word in ("-D", f"{name}={value}")]
        name, entry = (
            f"task-manager-{len(self.task_managers)}",
            "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
        )
        self.task_managers.append(self._start(name, ["-Xmx384m", "-XX:MaxDirectMemorySize=448m"], entry, memory))

    def _start(self, name, jvm, entry, arguments):
        java = [*jvm, *_JVM, f"-Dlog4j.configurationFile={self.folder}/log4j.properties", "-cp", f"{self._lib}/*"]
        with (self.folder / f"{name}.log").open("w") as log:
            return subprocess.Popen(
                [shutil.which("java"), *java, entry, "--configDir", str(self.folder), *arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, "FLINK_CONF_DIR": str(self.folder)},
            )

    def ask(self, path, method="GET"):
        request = urllib.request.Request(f"http://{self.master}{path}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"{}")

    def wait(self, is_so, what):
        """Waits until something is so of the cluster."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            with contextlib.suppress(urllib.error.URLError, OSError, KeyError):
                if is_so():
                    return
            time.sleep(0.5)
        raise AssertionError(f"Flink: no {what} after {WAIT_S:g} s; see {self.folder}")

    def jobs(self):
        """Each job of the cluster: its name and state, in the order of their starts."""
        jobs = sorted(self.ask("/jobs/overview")["jobs"], key=lambda job: job["start-time"])
        return [(job["name"], job["state"]) for job in jobs]

    def stop(self):
        for process in (*self.task_managers, self._job_manager):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(self.folder / "blobs", ignore_errors=True)


@pytest.fixture(scope="session")
def flink_lib():
    """The folder of Flink's jars, as `make test-flink` leaves them."""
    folder = Path(os.environ.get("KGMILL_FLINK_LIB", HERE / ".cache" / "flink" / "lib"))
    if not any(folder.glob("flink-dist-*.jar")):
        pytest.skip(f"{folder}: no Flink there; run make test-flink")
    if not shutil.which("java"):
        pytest.skip("no java here; Debian has it as openjdk-17-jre-headless")
    return folder


@pytest.fixture(scope="session")
def job_server_jar():
    """The jar of Beam's job server for Flink 1.19, which is no part of the project."""
    named = os.environ.get("KGMILL_FLINK_JOB_SERVER_JAR")
    engines = HERE.parent / "shared" / "engines"
    found = [Path(named)] if named else sorted(engines.glob("beam-flink-1.19-job-server-*.jar"))
    if not found or not found[0].is_file():
        pytest.skip(
            f"no job server of Beam for Flink 1.19: KGMILL_FLINK_JOB_SERVER_JAR names none, and {engines} has none"
        )
    return found[0]


@pytest.fixture(scope="module")
def flink(flink_lib, job_server_jar):
    """Starts clusters of so many task managers of so many slots; they end with the module."""
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory(prefix="kgmill-flink-") as folder:

        def flink(n_task_managers, n_slots):
            cluster = Cluster(Path(folder) / f"cluster-{free_port()}", flink_lib, n_task_managers, n_slots)
            stack.callback(cluster.stop)
            return cluster

        yield flink


TINY = HERE / "benchmarks" / "tiny_model"
STEP_S = 900.0  # for the longest of these commands: a build, on a machine with much other work


@dataclass(frozen=True)
class Done:
    """A command that ended: its exit code, its lines on standard error but progress, and that."""

    code: int
    errors: list[str]
    progress: list[dict]
    seconds: float


class Running:
    """A command that runs, in a process group of its own."""

    def __init__(self, log, arguments, environment):
        self.log, self._began = log, time.monotonic()
        with log.open("w") as file:
            command = [sys.executable, "-m", "kgmill", *map(str, arguments)]
            self.process = subprocess.Popen(
                command, stdout=file, stderr=file, start_new_session=True, env=os.environ | environment
            )

    def progress(self):
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"time"') and line.endswith("}")]

    def wait_for(self, is_so, what):
        """Waits until something is so, while the command runs."""
        end = time.monotonic() + STEP_S
        while time.monotonic() < end and self.process.poll() is None:
            if is_so():
                return
            time.sleep(0.2)
        raise AssertionError(f"no {what}: {self.log.read_text()[-3000:]}")

    def end(self):
        try:
            code = self.process.wait(STEP_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        lines = [line for line in self.log.read_text().splitlines() if line and not line.startswith('{"time"')]
        errors = [line for line in lines if "a job server of Beam" not in line]  # of another version, as is known
        return Done(code, errors, self.progress(), time.monotonic() - self._began)


@pytest.fixture
def start(tmp_path, job_server_jar):
    """Starts a command; on a cluster, if one is given, by options of Beam. The tiny model and one dataset's name."""
    running = []

    def start(name, *arguments, cluster=None, options=(), **environment):
        arguments = [name, *arguments]
        if name not in ("doctor", "worker"):
            arguments += ["--model", TINY, "--dataset", "kg", "--base-iri", "https://kg.example.org/"]
        arguments += ["--no-prefect"] if name == "build" else []
        if cluster:
            arguments += ["--runner", "FlinkRunner", "--", f"--flink_master={cluster.master}"]
            arguments += [f"--flink_job_server_jar={job_server_jar}", *options]
        running.append(Running(tmp_path / f"log-{len(running)}", arguments, environment))
        return running[-1]

    yield start
    for one in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(one.process.pid, signal.SIGKILL)


@pytest.fixture
def kgmill(start):
    """Runs a command to its end."""
    return lambda *arguments, **how: start(*arguments, **how).end()


@pytest.fixture(scope="session")
def ag_news():
    """AG News, where its copy is."""
    path = HERE.parent / "shared" / "data" / "corpora" / "agnews.jsonl"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return path


@pytest.fixture(scope="session")
def news(ag_news, tmp_path_factory):
    """400 news of it."""
    with ag_news.open(encoding="utf-8") as lines:
        slice_of = tmp_path_factory.mktemp("news") / "agnews.jsonl"
        slice_of.write_text("".join(islice(lines, 400)), encoding="utf-8")
    return slice_of


@pytest.fixture(scope="session")
def corpus():
    """The sample corpus."""
    return HERE / "examples" / "corpus"


@pytest.fixture(name="free_port")
def a_free_port():
    """A port that nobody has."""
    return free_port()


@pytest.fixture(scope="session")
def processes():
    """Finds the processes of this machine in whose command line a word is: their command lines, by number."""

    def processes(word):
        found = {}
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if word in command and int(path.parent.name) != os.getpid():
                    found[int(path.parent.name)] = command
        return found

    return processes


@pytest.fixture(scope="session")
def left_by(processes):
    """What builds on a cluster may have left: the job server, and workers."""

    def left_by(cluster):
        found = processes(f"--flink-master http://{cluster.master}") | processes("kgmill-beam-worker --id")
        return list(found.values())

    return left_by
