"""The REST of a Flink cluster: what it has, what it runs, and what it is told to cancel."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

import httpx

from kgmill.schemas.errors import ConfigError, EngineError

ASK_S = 5.0  # for an answer
SILENT_S = 45.0  # without an answer while a job runs
LOOK_S = 2.0
OVER = ("FINISHED", "FAILED", "CANCELED")
_ALIVE = ("INITIALIZING", "CREATED", "RUNNING", "RESTARTING", "FAILING", "CANCELLING", "RECONCILING", "SUSPENDED")


class Rest:
    """The REST of a cluster."""

    def __init__(self, master: str) -> None:
        if not master or master.startswith("["):
            raise ConfigError("--runner FlinkRunner: name the cluster's REST after --, as --flink_master=HOST:PORT")
        self.url = (master if "://" in master else f"http://{master}").rstrip("/")
        self.master = self.url.partition("://")[2]

    def __str__(self) -> str:
        return f"Flink at {self.master}"

    @property
    def is_here(self) -> bool:
        """Whether the cluster is on this machine."""
        return is_loopback(self.master)

    def ask(self, path: str, method: str = "GET") -> dict[str, Any]:
        """The answer to a request.

        Raises:
            EngineError: there is none, or a refusal.
        """
        try:
            answer = httpx.request(method, f"{self.url}{path}", timeout=ASK_S)
            answer.raise_for_status()
            return dict(answer.json())
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            why = " ".join(str(error).split())[:200] or type(error).__name__
            raise EngineError(f"{self}: no answer of a Flink cluster ({why}); is --flink_master its REST?") from None

    def jobs(self, states: Sequence[str] = _ALIVE, *, patient: bool = False) -> list[Mapping[str, Any]]:
        """The jobs in some states; with patience, asked again for a while where there is no answer."""
        end = time.monotonic() + (SILENT_S if patient else 0.0)
        while True:
            try:
                return [job for job in self.ask("/jobs/overview")["jobs"] if job["state"] in states]
            except EngineError:
                if time.monotonic() > end:
                    raise
                time.sleep(LOOK_S)

    def most_slots(self) -> int:
        """The most slots of a task manager: each has that many workers, one a slot."""
        return max((int(one["slotsNumber"]) for one in self.ask("/taskmanagers")["taskmanagers"]), default=1)


def is_loopback(address: str) -> bool:
    """Whether an address, HOST:PORT, is one of this machine for itself alone."""
    host = address.partition("/")[0].rpartition(":")[0].strip("[]") or address
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return False
