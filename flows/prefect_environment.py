"""What Prefect finds in the environment, before it is imported."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
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
    try:
        profiles = tomllib.loads(_profiles().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    active = os.environ.get("PREFECT_PROFILE") or profiles.get("active", "")
    return bool(profiles.get("profiles", {}).get(active, {}).get("PREFECT_API_URL"))


def _profiles() -> Path:
    """Where Prefect's profiles are."""
    home = os.environ.get("PREFECT_HOME", "~/.prefect")
    return Path(os.environ.get("PREFECT_PROFILES_PATH", f"{home}/profiles.toml")).expanduser()


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


def silence_prefect() -> None:
    """Prefect's log goes to its server alone, not to standard error too; it must not have been imported yet."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")


def use_temporary_home() -> None:
    """What Prefect keeps goes to a folder of this process, and goes with it: the temporary server's database above all.

    The settings of the user's profile hold all the same. Prefect must not have been imported yet.
    """
    profiles, home = _profiles(), tempfile.mkdtemp(prefix="kgmill-prefect-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)  # runs after Prefect's own, which ends the server
    os.environ |= {
        "PREFECT_HOME": home,
        "PREFECT_PROFILES_PATH": str(profiles),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home}/prefect.db",
    }
