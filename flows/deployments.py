"""A scheduled build as a served Prefect deployment: one an output folder, and no other's is ever taken over."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import available_timezones

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.schedules import Schedule
from prefect.server.schemas.schedules import CronSchedule
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL
from prefect.types.entrypoint import EntrypointType

from kgmill.flows.build import TAG, build_knowledge_graph
from kgmill.flows.limits import WhenBusy
from kgmill.schemas.errors import ConfigError, ServerError
from kgmill.schemas.text import printable_markdown

_MAX_SECONDS = 315_360_000.0  # ten years


def check_schedule(cron: str | None, every: float | None, timezone: str | None) -> Schedule:
    """When to build; asks no server.

    Raises:
        ConfigError: an expression that is none or whose time never comes, seconds out of range, or no time zone.
    """
    if timezone is not None and timezone not in available_timezones():
        raise ConfigError(f"--timezone {timezone!r}: no such time zone; wanted a name such as Europe/Berlin or UTC")
    if every is not None:
        if not 1 <= every <= _MAX_SECONDS:
            raise ConfigError(f"--every {every:g}: wanted seconds from 1 to {_MAX_SECONDS:.0f} (ten years)")
        return Schedule(interval=timedelta(seconds=every), timezone=timezone)
    try:
        asyncio.run(CronSchedule(cron=cron or "", timezone=timezone).get_dates(1))
        return Schedule(cron=cron, timezone=timezone)
    except ValueError:  # pydantic's and croniter's own are such
        raise ConfigError(
            f"--cron {cron!r}: no cron expression whose time comes; wanted minute, hour, day of the month, month, "
            "day of the week, such as '0 3 * * *'"
        ) from None


def next_time(when: Schedule) -> datetime:
    """When a cron expression's time comes next, in its time zone; without one, in UTC."""
    [found] = asyncio.run(CronSchedule(cron=when.cron or "", timezone=when.timezone).get_dates(1))
    return found


def page() -> str:
    """Where the configured server shows its deployments, as people open it."""
    return f"{(PREFECT_UI_URL.value() or PREFECT_API_URL.value() or '').removesuffix('/api')}/deployments"


def check_server() -> None:
    """Makes sure that the configured Prefect server answers.

    Raises:
        ServerError: it doesn't.
    """
    with _server() as client:
        if fault := client.api_healthcheck():
            url = PREFECT_API_URL.value()
            raise ServerError(f"no Prefect server answers at {url}: {_reason(fault)}; start it, or set PREFECT_API_URL")


def serve(dataset: str, parameters: dict[str, Any], when: Schedule, *, on_begin: Callable[[str], None]) -> None:
    """Serves builds of one output folder until it is stopped, and then pauses the deployment, which the dataset names.

    A deployment of that name and folder is taken over: whoever serves it now pauses it no more when it stops. Where
    the folder is busy, `when_busy` of the parameters decides: runs wait for one another, or are cancelled when they
    come, or meet and fail. `on_begin` is told the deployment's name when all was asked, in the place of what Prefect
    prints then.

    Raises:
        ConfigError: the server has a deployment of that name that builds another folder.
        ServerError: the server doesn't answer, or refuses.
    """
    check_server()
    name = f"kgmill-{dataset}"
    full_name = f"{build_knowledge_graph.name}/{name}"
    with _server() as client:
        _check_owner(client, full_name, parameters["out"])
    on_begin(full_name)
    version = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        with _faults():
            build_knowledge_graph.serve(
                name=name,
                description=_description(parameters),
                parameters=parameters,
                schedules=[when],
                tags=[TAG, dataset],
                version=version,
                paused=False,
                pause_on_shutdown=False,
                entrypoint_type=EntrypointType.MODULE_PATH,
                print_starting_message=False,
                **_at_once(parameters["when_busy"]),
            )
    finally:
        with _server() as client:
            deployment = client.read_deployment_by_name(full_name)
            if deployment.version == version:
                client.pause_deployment(deployment.id)


def _description(parameters: dict[str, Any]) -> str:
    """What the page of the deployment says of it."""
    words = (printable_markdown(str(word)) for word in (", ".join(parameters["sources"]), parameters["out"]))
    return "The graph of {} in {}.".format(*words)


def _at_once(when_busy: WhenBusy) -> dict[str, Any]:
    """How many runs of a deployment may be under way, for the server, and for who serves it, as `serve` takes it."""
    if when_busy == "wait":
        return {"limit": 1, "global_limit": ConcurrencyLimitConfig(limit=1)}
    if when_busy == "skip":
        return {"global_limit": ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)}
    return {}


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
def gone_server(goes_on: str) -> Iterator[None]:
    """Makes one line of it where the server goes in the midst of a flow run; `goes_on` says what the next run does.

    Raises:
        ServerError: the server doesn't answer any more, or refuses what Prefect asks it.
    """
    try:
        yield
    except (httpx.HTTPError, PrefectException) as error:
        raise ServerError(f"Prefect server {PREFECT_API_URL.value()}: {_reason(error)}{goes_on}") from None


@contextmanager
def _faults() -> Iterator[None]:
    """Makes one line of what Prefect's client raises."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, PrefectException, ValueError, RuntimeError, OSError) as error:
        raise ServerError(f"Prefect server {PREFECT_API_URL.value()}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
