"""What Prefect finds in the environment, before it is imported."""

from __future__ import annotations

import os
import tomllib
from importlib import import_module
from pathlib import Path

from pydantic import ValidationError

from kgmill.schemas.errors import ConfigError
from kgmill.schemas.ontology import first_fault


def prefect_is_configured() -> bool:
    """Whether a Prefect API is named in the environment or in Prefect's active profile; Prefect isn't imported."""
    if os.environ.get("PREFECT_API_URL"):
        return True
    home = Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser()
    try:
        profiles = tomllib.loads((home / "profiles.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    active = os.environ.get("PREFECT_PROFILE") or profiles.get("active", "")
    return bool(profiles.get("profiles", {}).get(active, {}).get("PREFECT_API_URL"))


def import_prefect() -> None:
    """No telemetry, time for the temporary server, and no module of the current directory before the real ones.

    Raises:
        ConfigError: one of Prefect's settings is wrong, in the environment or its profile.
    """
    for name, value in (
        ("PREFECT_SERVER_ANALYTICS_ENABLED", "false"),
        ("DO_NOT_TRACK", "1"),
        ("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180"),
        ("PYTHONSAFEPATH", "1"),
    ):
        os.environ.setdefault(name, value)
    try:
        import_module("prefect.main")
    except ValidationError as error:
        raise ConfigError(f"Prefect's settings: {first_fault(error)}") from None
