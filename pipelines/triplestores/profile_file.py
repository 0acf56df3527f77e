"""A user's own profile: a TOML file whose keys are a profile's fields, over those of a kind that there is.

profile = "fuseki"          # what it begins with; without it: sparql
query = "/sparql"
n_bytes = 900_000
auth = "bearer"
timeout_s = 600
[headers]
X-Api-Key = "${STORE_KEY}"  # from the environment
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kgmill.pipelines.triplestores.login import SENDABLE, is_sendable
from kgmill.pipelines.triplestores.profiles import Profile, profile_of
from kgmill.schemas.errors import ConfigError

_BEGIN_WITH = "sparql"
_NO_KEYS = ("endpoint", "sign", "is_tried", "secrets")  # which a file doesn't say
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_POSITIVE = ("n_bytes", "n_triples", "n_graphs", "timeout_s")
_EXPRESSIONS = ("transient", "too_large", "denied")


def read_profile(path: Path) -> Profile:
    """The profile of a file.

    Raises:
        ConfigError: naming the key that is wrong, or the variable of the environment that is missing.
    """
    try:
        keys = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{path}: the profile can't be read: {reason}") from None
    first = keys.pop("profile", _BEGIN_WITH)
    if not isinstance(first, str):
        raise ConfigError(f"{path}: profile: wanted the name of a kind of store, got {first!r}")
    row = profile_of(first)
    known = [name for name in Profile.__slots__ if name not in _NO_KEYS]
    if unknown := sorted(keys.keys() - known):
        raise ConfigError(f"{path}: unknown key {unknown[0]}; known: profile, {', '.join(known)}")
    try:
        checked = TypeAdapter(Profile).validate_python(
            {name: keys.get(name, getattr(row, name)) for name in Profile.__slots__}
        )
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        raise ConfigError(f"{path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None
    _check(path, keys, checked)
    secrets: list[str] = []
    headers = {name: _filled(path, name, text, secrets) for name, text in checked.headers.items()}
    return replace(checked, headers=headers, secrets=tuple(secrets))


def _check(path: Path, keys: dict[str, Any], profile: Profile) -> None:
    for name in _POSITIVE:
        if not 0 < getattr(profile, name) < math.inf:
            raise ConfigError(f"{path}: {name}: wanted a number above 0, got {keys[name]}")
    if profile.n_rows < 0:
        raise ConfigError(f"{path}: n_rows: wanted a number of rows, or 0 for any number, got {profile.n_rows}")
    for name in profile.headers:
        if not _HEADER.fullmatch(name):
            raise ConfigError(f"{path}: headers: wanted a header's name, such as X-Api-Key, got {name!r}")
    for name in ("query", "update", "store", "quads"):
        value = getattr(profile, name)
        if value and not value.startswith("/"):
            raise ConfigError(f"{path}: {name}: wanted a path below the endpoint, such as /sparql, got {value!r}")
    for name in _EXPRESSIONS:
        try:
            re.compile(getattr(profile, name))
        except re.error as error:
            raise ConfigError(f"{path}: {name}: not a regular expression: {error}") from None


def _filled(path: Path, name: str, text: str, secrets: list[str]) -> str:
    """A header's value with the environment's values in it, which become secrets."""

    def value(match: re.Match[str]) -> str:
        if not os.environ.get(match[1]):
            raise ConfigError(f"{path}: headers.{name}: the environment has no {match[1]}")
        secrets.append(os.environ[match[1]])
        return secrets[-1]

    filled = _VARIABLE.sub(value, text)
    if not is_sendable(filled):
        raise ConfigError(f"{path}: headers.{name}: {SENDABLE}")
    return filled
