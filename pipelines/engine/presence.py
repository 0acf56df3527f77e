"""How a build and its workers on other machines meet: each worker says that it is there, or why it can't work."""

from __future__ import annotations

import json
import os
import socket
from functools import cache
from typing import Any

import kgmill
from kgmill.pipelines.engine.request import Request
from kgmill.pipelines.storage.scratch import Scratch
from kgmill.schemas.errors import ConfigError, KgmillError

_HERE, _WORKERS = "here.json", "workers"


def await_workers(shared: Scratch) -> None:
    """Leaves in the scratch what its workers look for, and forgets those that were there before."""
    shared.remove(_WORKERS)
    shared.write(_HERE, b"{}")


def has_workers(shared: Scratch) -> bool:
    """Whether a worker came."""
    return bool(shared.names(_WORKERS))


def meet(request: Request[Any, Any]) -> None:
    """Says that this process is a worker of the job.

    Raises:
        ConfigError: it has another kgmill than the build, or doesn't see the output.
    """
    if request.version != kgmill.__version__:
        raise ConfigError(
            f"a worker on {socket.gethostname()} has kgmill {kgmill.__version__}, and the build {request.version}; "
            "install the same version for both"
        )
    _say(request.scratch, request.root)


@cache
def _say(scratch: str, root: str) -> None:
    shared, name = Scratch(scratch), f"{socket.gethostname()}-{os.getpid()}"
    try:
        shared.read(_HERE)
        shared.write(f"{_WORKERS}/{name}.json", json.dumps({"kgmill": kgmill.__version__}).encode())
    except (OSError, KgmillError) as error:
        why = getattr(error, "strerror", "") or str(error)
        raise ConfigError(
            f"{root}: a worker on {socket.gethostname()} can't see it, or can't write there ({why}); "
            "--out wants a folder or URL that all workers see under the same name"
        ) from None
