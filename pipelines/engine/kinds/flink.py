"""Flink: a standing cluster, known by its REST. What Beam's FlinkRunner leaves open is here.

One job server of Beam, in Java, does for a build; it ends with the build, also where that is killed. A job is named by
the output, so that whoever holds the output knows which jobs of the cluster are a dead build's. It is cancelled by the
REST, whatever became of who waits for it, and is gone when the REST says so.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from kgmill import __version__
from kgmill.pipelines.engine.engines import Engine, EngineKind, Job, Note
from kgmill.pipelines.engine.flink_rest import ASK_S, LOOK_S, OVER, SILENT_S, Rest, is_loopback
from kgmill.pipelines.engine.flink_server import JobServer, versions_of
from kgmill.pipelines.engine.launcher import SCRATCH_OPTION, VERSION_OPTION
from kgmill.pipelines.engine.pool import ask_pool, installed_launcher
from kgmill.pipelines.engine.presence import Workers
from kgmill.pipelines.engine.request import Request
from kgmill.schemas.errors import ConfigError, EngineError, WorkerError

HANDED_S = 60.0  # from the hand-over of a job until the cluster has it
SLOTS_S = 30.0  # until all of its tasks have slots
WORKERS_S = 30.0  # from then on until a worker says that it is there
GONE_S = 60.0  # from the cancelling of a job until it is gone
_QUICK = "disable_logging_submission_environment"  # or each job waits for pip to list what is installed
_WAITING = ("CREATED", "SCHEDULED")


class Flink(Engine):
    """A cluster of Flink."""

    def __init__(self, runner: str, options: Sequence[str], n_workers: int, out: str) -> None:
        super().__init__(runner, options)
        self._given = _parse(options)
        self._n_workers = int(self._given.get("parallelism") or n_workers)
        self._rest = Rest(self._given.get("flink_master") or "")
        self._token = sha256(out.encode()).hexdigest()[:12]
        self._server: JobServer | None = None
        self._environment: dict[str, str] = {}

    def check(self, on_note: Note) -> str:
        """Makes sure that the cluster answers, fits, has room, and that its workers can be had."""
        flink = str(self._rest.ask("/config")["flink-version"])
        self._check_versions(flink, on_note)
        self._environment = self._check_environment()
        self._check_room()
        kind = self._environment.get("environment_type", "their own environment")
        return f"{self._rest}, version {flink}: {self.n_slots} slots for workers by {kind}"

    def _check_versions(self, flink: str, on_note: Note) -> None:
        from apache_beam.options.pipeline_options import FlinkRunnerOptions
        from apache_beam.version import __version__ as beam

        minor, known = ".".join(flink.split(".")[:2]), FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS
        where = f"Flink {flink} at {self._rest.master}"
        if minor not in known:
            raise EngineError(f"{where}: Beam {beam} runs on Flink {', '.join(known)}; take a cluster of one of them")
        if (given := self._given.get("flink_version")) and given != minor:
            raise EngineError(f"{where}: --flink_version {given} is another; leave the option out, or say {minor}")
        self._version = minor
        if "job_endpoint" in self._given:
            return
        if not shutil.which("java"):
            raise ConfigError("no java here, which Beam's job server for Flink wants; install Java 11 or 17")
        if not (jar := self._given.get("flink_job_server_jar")):
            self._check_fetched(beam)
            return
        of_beam, of_flink = versions_of(jar)
        if of_flink != minor:
            raise EngineError(f"{where}: {jar} is a job server for Flink {of_flink}; give one for {minor}")
        if of_beam != beam:
            on_note(f"{jar}: a job server of Beam {of_beam}; Beam here is {beam}, and versions should be equal")

    def _check_fetched(self, beam: str) -> None:
        """Makes sure that Beam's own job server is here, or can be fetched: Beam tries for ever."""
        from apache_beam.runners.portability.job_server import JavaJarJobServer

        url = JavaJarJobServer.path_to_beam_jar(f":runners:flink:{self._version}:job-server:shadowJar")
        cached = Path("~/.apache_beam/cache/jars").expanduser() / url.rpartition("/")[2]
        if cached.is_file() or not url.startswith("http"):
            return
        try:
            httpx.head(url, timeout=ASK_S, follow_redirects=True).raise_for_status()
        except httpx.HTTPError as error:
            raise EngineError(
                f"{url}: Beam's job server can't be fetched ({type(error).__name__}); "
                "give --flink_job_server_jar a copy of it"
            ) from None

    def _check_environment(self) -> dict[str, str]:
        """What starts workers, as options of Beam."""
        kind, config = self._given.get("environment_type", ""), self._given.get("environment_config", "")
        if "environment_options" in self._given or kind.upper() not in ("", "PROCESS", "EXTERNAL"):
            return {}
        if not kind:
            kind = "EXTERNAL" if config and not config.lstrip().startswith("{") else "PROCESS"
        if kind.upper() == "EXTERNAL":
            if not config:
                raise ConfigError("--environment_type=EXTERNAL: wanted --environment_config=HOST:PORT of kgmill worker")
            self._check_pool(config)
            return {"environment_type": "EXTERNAL"}
        if not config:
            config = json.dumps({"command": str(installed_launcher())})
        try:
            command = str(json.loads(config)["command"])
        except (ValueError, KeyError, TypeError):
            wanted = '{"command": "/path/of/kgmill-beam-worker"}'
            raise ConfigError(f"--environment_config {config}: wanted {wanted}") from None
        if self._rest.is_here and not os.access(command, os.X_OK):
            raise EngineError(f"{command}: no program here that starts a worker; install kgmill where the workers run")
        return {"environment_type": "PROCESS", "environment_config": config}

    def _check_pool(self, address: str) -> None:
        if is_loopback(address) and not self._rest.is_here:
            return  # each task manager's own, which can't be seen from here
        told = ask_pool(address)
        if told["kgmill"] != __version__:
            raise EngineError(
                f"pool {address}: has kgmill {told['kgmill']} ({told['python']}), and the build {__version__}; "
                "install the same version for both"
            )

    def _check_room(self) -> None:
        n_slots, n_free = self._slots()
        self.n_slots = self._n_workers or n_slots
        if not n_slots:
            raise EngineError(f"{self._rest}: has no task manager; start one, or wait for it")
        if self.n_slots > n_slots:
            raise EngineError(f"{self._rest}: has {n_slots} slots, fewer than --workers {self.n_slots}")
        if n_free < self.n_slots and (others := self._others()):
            raise EngineError(f"{self._rest}: {n_free} of {n_slots} slots are free; {others}")

    def _slots(self) -> tuple[int, int]:
        """How many slots there are, and how many of them are free or held by dead builds of this output."""
        seen = self._rest.ask("/overview")
        return int(seen["slots-total"]), int(seen["slots-available"])

    def _others(self) -> str:
        """Who has the slots, beside what builds of this output left."""
        jobs = [job for job in self._rest.jobs() if self._token not in job["name"]]
        if not jobs:
            return ""
        held = ", ".join(f"{job['name']} ({job['jid']})" for job in jobs[:3])
        return f"held by {held}; wait for it, or cancel it"

    def take_over(self, on_note: Note) -> None:
        """Cancels what dead builds of the same output left running."""
        for job in self._rest.jobs():
            if self._token in job["name"]:
                on_note(f"{job['name']}: the job of a dead build was still running; it is cancelled")
        self._cancel(self._token)

    @contextmanager
    def job(self, request: Request[Any, Any]) -> Iterator[Job]:
        """A job: its options, its watch, and its end."""
        prefix = self._given.get("job_name", "kgmill")
        name = f"{prefix}-{self._token}-{'rehearsal' if request.is_rehearsal else request.job}-{uuid.uuid4().hex[:6]}"
        workers = Workers(request.shared)
        try:
            options = self._options(name, request.scratch)
            yield Job(options, _Watch(self, self._rest, name, workers))
        except WorkerError as error:
            self._end(name)
            raise workers.fault() or error from None
        except BaseException:
            self._end(name)
            raise

    def _end(self, name: str) -> None:
        """Makes sure that a job is over, and is not handed over yet."""
        if not any(job["name"] == name for job in self._rest.jobs(OVER, patient=True)):
            self.close()
            self._cancel(name)

    def _options(self, name: str, scratch: str) -> tuple[str, ...]:
        """The options of a job: what was given, and what it needs beside that."""
        if "job_endpoint" not in self._given and (self._server is None or not self._server.is_alive):
            self._server = JobServer(self._rest.url, self._jar())
        needed = {
            "flink_master": self._rest.url,
            "flink_version": self._version,
            "parallelism": str(self._parallelism()),
            "sdk_worker_parallelism": str(self._rest.most_slots()),
            **self._environment,
            **({"job_endpoint": self._server.endpoint} if self._server else {}),
        }
        set_here = [f"--{option}={value}" for option, value in needed.items() if option not in self._given]
        experiments = (f"{VERSION_OPTION}{__version__}", f"{SCRATCH_OPTION}{scratch}", _QUICK)
        return (*self.options, *set_here, f"--job_name={name}", *(f"--experiments={one}" for one in experiments))

    def _parallelism(self) -> int:
        """As many tasks at once as were wanted and there are slots for: a task manager may have died since."""
        end = time.monotonic() + SLOTS_S
        while not (n_slots := self._slots()[0]) and time.monotonic() < end:
            time.sleep(LOOK_S)
        if not n_slots:
            raise EngineError(f"{self._rest}: has no task manager any more; start one and build again")
        return min(self.n_slots, n_slots)

    def _jar(self) -> str:
        from apache_beam.runners.portability.job_server import JavaJarJobServer

        named = self._given.get("flink_job_server_jar") or JavaJarJobServer.path_to_beam_jar(
            f":runners:flink:{self._version}:job-server:shadowJar"
        )
        return str(JavaJarJobServer.local_jar(named))

    def _cancel(self, named: str) -> None:
        """Cancels the jobs whose names hold this, and waits until they are gone.

        Raises:
            EngineError: one still lives, or the cluster doesn't answer.
        """
        end = time.monotonic() + GONE_S
        while living := [job for job in self._rest.jobs(patient=True) if named in job["name"]]:
            if time.monotonic() > end:
                job = living[0]
                raise EngineError(f"{self._rest}: job {job['name']} ({job['jid']}) can't be cancelled; see to it there")
            for job in living:
                with suppress(EngineError):  # it ended in between
                    self._rest.ask(f"/jobs/{job['jid']}?mode=cancel", "PATCH")
            time.sleep(0.5)

    def last_words(self) -> str:
        """The last line of the job server's log."""
        return self._server.last_words() if self._server else "see the log of its job server"

    def close(self) -> None:
        """Ends the job server."""
        if self._server:
            self._server.stop()
            self._server = None


class _Watch:
    """Looks after a job: that the cluster takes it, that it gets slots, that workers come, that it doesn't vanish."""

    def __init__(self, engine: Flink, rest: Rest, name: str, workers: Workers) -> None:
        self._engine, self._rest, self._name, self._workers = engine, rest, name, workers
        self._id = ""
        self._due_s = self._phase_s = self._silent_s = 0.0
        self._phase = "handed over"

    def __call__(self, elapsed_s: float) -> None:
        self._workers.listen(elapsed_s)
        self._due_s += elapsed_s
        if self._due_s < LOOK_S:
            return
        elapsed_s, self._due_s = self._due_s, 0.0
        try:
            phase = self._look()
        except EngineError as error:
            self._silent_s += elapsed_s
            if self._silent_s > SILENT_S:
                raise EngineError(f"{error}; for {SILENT_S:g} s") from None
            return
        self._silent_s = 0.0
        self._phase_s = self._phase_s + elapsed_s if phase == self._phase else 0.0
        self._phase = phase
        self._judge()

    def _look(self) -> str:
        """What the job is at."""
        if not self._id:
            found = [job for job in self._rest.ask("/jobs/overview")["jobs"] if job["name"] == self._name]
            if not found:
                return "handed over"
            self._id = found[0]["jid"]
        if self._phase == "worked at":
            return "worked at" if self._rest.ask(f"/jobs/{self._id}")["state"] not in OVER else "over"
        job = self._rest.ask(f"/jobs/{self._id}")
        if job["state"] in OVER:
            return "over"
        if all(vertex["status"] in _WAITING for vertex in job["vertices"]):
            return "without slots"
        return "worked at" if self._workers.have_come() else "without workers"

    def _judge(self) -> None:
        limits = {"handed over": HANDED_S, "without slots": SLOTS_S, "without workers": WORKERS_S, "over": HANDED_S}
        if self._phase_s <= limits.get(self._phase, float("inf")):
            return
        if self._phase == "over":
            raise WorkerError(f"{self._rest}: the job ended, and its job server didn't say so")
        if self._phase == "handed over":
            words = self._engine.last_words()
            raise EngineError(f"{self._rest}: has no job of this build after {HANDED_S:g} s; {words}")
        if self._phase == "without slots":
            others = self._engine._others() or "its task managers don't take it: see their logs"
            raise EngineError(f"{self._rest}: the job has no slots after {SLOTS_S:g} s; {others}")
        raise EngineError(
            f"{self._rest}: no worker came in {WORKERS_S:g} s; see the log of the task manager, and that what "
            "--environment_config names starts workers there"
        )


def _parse(options: Sequence[str]) -> dict[str, Any]:
    """The options that were given, by Beam's names for them; which are right was checked before."""
    from kgmill.pipelines.engine.beam import PipelineOptions

    known = PipelineOptions(list(options)).get_all_options()
    names = {word.partition("=")[0].lstrip("-") for word in options if word.startswith("--")}
    return {name: value for name, value in known.items() if name in names and value is not None}


ENGINE = EngineKind("flink", Flink)
