"""Beam's job server for Flink: a process of Java that hands jobs to a cluster."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
import zipfile
from contextlib import suppress
from pathlib import Path

from kgmill.schemas.errors import ConfigError, EngineError

START_S = 60.0  # until it listens
# Ends the server, and removes its folder ($0), when this process is gone, however: the shell reads a pipe of its.
_TETHER = """exec 3<&0
"$@" </dev/null & server=$!
(cat <&3 >/dev/null; kill -9 $server 2>/dev/null; rm -rf "$0") &
wait $server
"""


class JobServer:
    """Beam's job server: a process of Java that hands jobs to the cluster. It ends with this process, however."""

    def __init__(self, master: str, jar: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="kgmill-flink-", ignore_cleanup_errors=True)
        self._log = Path(self._folder.name) / "log"
        port = _free_port()
        self.endpoint = f"localhost:{port}"
        java = [shutil.which("java") or "java", "-jar", jar, "--flink-master", master, "--job-port", str(port)]
        java += ["--artifact-port", "0", "--expansion-port", "0", "--artifacts-dir", f"{self._folder.name}/artifacts"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _TETHER, self._folder.name, *java],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is the build's: the job is cancelled before this ends
            )
        self._await(port)

    def _await(self, port: int) -> None:
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.is_alive:
            with suppress(OSError), socket.create_connection(("localhost", port), timeout=1.0):
                return
            time.sleep(0.2)
        words = self.last_words()
        self.stop()
        raise EngineError(f"Beam's job server for Flink didn't start: {words}")

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def last_words(self) -> str:
        """The last line of its log."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "it said nothing")

    def stop(self) -> None:
        """Ends it."""
        with suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait()
        self._folder.cleanup()


def versions_of(jar: str) -> tuple[str, str]:
    """The versions of Beam and of Flink that a job server is made of.

    Raises:
        ConfigError: the file is no job server.
    """
    try:
        with zipfile.ZipFile(jar) as archive:
            beam = _property(archive.read("org/apache/beam/sdk/sdk.properties"), "version")
            flink = _property(archive.read(".flink-runtime.version.properties"), "project.version")
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigError(f"--flink_job_server_jar {jar}: no job server of Beam for Flink: {error}") from None
    return beam, ".".join(flink.split(".")[:2])


def _property(text: bytes, name: str) -> str:
    lines = (line.partition("=") for line in text.decode().splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return int(found.getsockname()[1])
