"""A finished graph goes into a triple store: what `kgmill load` does, and the login that a flow run takes for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, field_validator

from kgmill.pipelines.output import layout
from kgmill.pipelines.output.near import nearby
from kgmill.pipelines.triplestores.claim import Wishes
from kgmill.pipelines.triplestores.client import trusting
from kgmill.pipelines.triplestores.detect import profile_for
from kgmill.pipelines.triplestores.job import LoadReport
from kgmill.pipelines.triplestores.load import load
from kgmill.pipelines.triplestores.login import PASSWORD_VARIABLE, TOKEN_VARIABLE, USER_VARIABLE
from kgmill.pipelines.triplestores.profiles import AUTO, DEFAULT_PROFILE
from kgmill.schemas.config import Config
from kgmill.schemas.errors import ConfigError

_VARIABLES = {"user": USER_VARIABLE, "password": PASSWORD_VARIABLE, "token": TOKEN_VARIABLE}
_WANTED = 'wanted a token, or {"user": ..., "password": ...}'


class LoadTo(Config):
    """The triple store that holds the graph after each build. Nothing in it is a secret.

    Attributes:
        endpoint: the store's base URL, such as http://127.0.0.1:7878, without user name and password.
        profile: the kind of store: a name that `kgmill load --profile` takes, or a TOML file.
        credentials: the name of a Prefect block of type Secret, whose string is a token, or a JSON object of user and
            password. Empty: the login that the environment of the run has, as `kgmill load` takes it.
        facts: where entities and facts go: a named `graph`, or the `default` graph of a store of one dataset.
        ca_file: whose certificates an https store may have, as PEM. Empty: those that the web trusts.
    """

    model_config = ConfigDict(title="a store")  # as the form calls it, beside None

    endpoint: str = Field(json_schema_extra={"pattern": "^https?://[^@?#\\s]+$"})
    profile: str = DEFAULT_PROFILE
    credentials: str = ""
    facts: Literal["graph", "default"] = "graph"
    ca_file: str = ""

    @field_validator("endpoint")
    @classmethod
    def _no_login(cls, value: str) -> str:
        if any(mark in value for mark in "@?#"):
            raise ValueError("wanted a plain URL, without user name, password or query, as parameters are shown")
        return value


def check_load(to: LoadTo) -> None:
    """Asks what can be wrong with a store as it is described, before hours of a build; asks no store.

    Raises:
        UsageError: there is no such kind of store, or its file or the certificates are wrong.
        ConfigError: the Prefect server has no such block, or it holds no login.
    """
    with logged_in(to.credentials):
        if to.profile != AUTO:
            profile_for(to.profile, to.endpoint)
        trusting(Path(to.ca_file) if to.ca_file else None)


def load_folder(
    folder: str,
    endpoint: str,
    profile: str,
    *,
    wishes: Wishes,
    ca_file: Path | None,
    on_progress: Callable[[int, int], object],
) -> LoadReport:
    """Loads the graph of an output, wherever that lies: see `kgmill.pipelines.triplestores.load.load`."""
    wanted = (layout.RUNS, layout.CHANGES, layout.LOAD)
    with nearby(folder, wanted, back=layout.LOAD) as near:
        return load(near, endpoint, profile, wishes=wishes, ca_file=ca_file, on_progress=on_progress)


@contextmanager
def logged_in(block: str) -> Iterator[None]:
    """The environment has the login of a Prefect Secret block, and no other; without a block it stays as it is.

    Raises:
        ConfigError: there is no such block, or it holds no login.
    """
    if not block:
        yield
        return
    login = _login(block)
    hidden = [name for variable in _VARIABLES.values() for name in (variable, f"{variable}_FILE")]
    before = {name: os.environ.pop(name) for name in hidden if name in os.environ}
    os.environ.update(login)
    try:
        yield
    finally:
        for name in login:
            os.environ.pop(name, None)
        os.environ.update(before)


def _login(block: str) -> Mapping[str, str]:
    from prefect.blocks.system import Secret

    try:
        value = Secret.load(block).get()  # type: ignore[union-attr]  # without a running event loop it is no coroutine
    except ValueError:
        raise ConfigError(
            f"the Prefect server has no Secret block {block}; make one with `prefect block create secret`, or leave "
            "credentials empty and set KGMILL_STORE_USER and KGMILL_STORE_PASSWORD, or KGMILL_STORE_TOKEN"
        ) from None
    parts = {"token": value} if isinstance(value, str) else value
    is_login = isinstance(parts, dict) and parts.keys() in ({"token"}, {"user", "password"})
    if not is_login or not all(part and isinstance(part, str) for part in parts.values()):
        raise ConfigError(f"the Prefect Secret block {block} holds no login; {_WANTED}")
    return {_VARIABLES[name]: part for name, part in parts.items()}
