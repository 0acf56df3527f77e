"""A scheduled build as a served Prefect deployment: one an output folder, and no other's is ever taken over."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.server.schemas.schedules import CronSchedule
from prefect.settings import PREFECT_API_URL

from kgmill.flows.build import build_knowledge_graph
from kgmill.schemas.errors import ConfigError, ServerError

_MAX_SECONDS = 315_360_000.0  # ten years


def check_schedule(cron: str | None, every: float | None) -> dict[str, Any]:
    """When to build, as Prefect's `serve` takes it; asks no server.

    Raises:
        ConfigError: an expression that is none or whose time never comes, or seconds out of range.
    """
    if every is not None:
        if not 1 <= every <= _MAX_SECONDS:
            raise ConfigError(f"--every {every:g}: wanted seconds from 1 to {_MAX_SECONDS:.0f} (ten years)")
        return {"interval": every}
    try:
        asyncio.run(CronSchedule(cron=cron or "").get_dates(1))
    except ValueError:  # pydantic's and croniter's own are such
        raise ConfigError(
            f"--cron {cron!r}: no cron expression whose time comes; wanted minute, hour, day of the month, month, "
            "day of the week, such as '0 3 * * *'"
        ) from None
    return {"cron": cron}


def check_server() -> None:
    """Makes sure that the configured Prefect server answers.

    Raises:
        ServerError: it doesn't.
    """
    with _server() as client:
        if fault := client.api_healthcheck():
            url = PREFECT_API_URL.value()
            raise ServerError(f"no Prefect server answers at {url}: {_reason(fault)}; start it, or set PREFECT_API_URL")


def serve(name: str, parameters: dict[str, Any], when: dict[str, Any]) -> None:
    """Serves builds of one output folder under a name until it is stopped, and then pauses the deployment.

    A deployment of that name and folder is taken over: whoever serves it now pauses it no more when it stops.

    Raises:
        ConfigError: the server has a deployment of that name that builds another folder.
        ServerError: the server doesn't answer, or refuses.
    """
    check_server()
    full_name = f"{build_knowledge_graph.name}/{name}"
    with _server() as client:
        _check_owner(client, full_name, parameters["out"])
    version = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        with _faults():
            build_knowledge_graph.serve(
                name=name,
                parameters=parameters,
                limit=1,
                version=version,
                paused=False,
                pause_on_shutdown=False,
                **when,
            )
    finally:
        with _server() as client:
            deployment = client.read_deployment_by_name(full_name)
            if deployment.version == version:
                client.pause_deployment(deployment.id)


def _check_owner(client: SyncPrefectClient, full_name: str, out: str) -> None:
    try:
        theirs = client.read_deployment_by_name(full_name).parameters.get("out")
    except ObjectNotFound:
        return
    if theirs != out:
        raise ConfigError(
            f"the Prefect server has a deployment {full_name} already, which builds {theirs}; "
            "give this one a name of its own with --dataset NAME"
        )


@contextmanager
def _server() -> Iterator[SyncPrefectClient]:
    with _faults(), get_client(sync_client=True) as client:
        yield client


@contextmanager
def _faults() -> Iterator[None]:
    """Makes one line of what Prefect's client raises."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, PrefectException, ValueError, RuntimeError, OSError) as error:
        raise ServerError(f"Prefect server {PREFECT_API_URL.value()}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
