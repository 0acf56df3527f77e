"""The model as a worker on another machine finds it: by name and fingerprint, or where the build left a copy.

Each worker there computes on one thread, or on a GPU of its own.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgmill.extractor.modelfolder import SHIPPED, find_model, model_fingerprint
from kgmill.extractor.neural.devices import check_device, gpu_names
from kgmill.pipelines.engine.request import Request
from kgmill.pipelines.engine.runners import LOCAL
from kgmill.pipelines.stages.candidates import PredictorSettings
from kgmill.pipelines.storage.scratch import Scratch
from kgmill.schemas.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

_MODEL = "model"


def lend_model(context: RunContext, shared: Scratch) -> None:
    """Leaves a copy of the model for workers that have none: not of a shipped one, which comes with kgmill."""
    folder = Path(context.model_folder)
    if folder.resolve().is_relative_to(SHIPPED.resolve()):
        return
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        shared.write(f"{_MODEL}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def predictor_here(request: Request[Any, Any]) -> PredictorSettings:
    """How this process opens the model of an extract job.

    Raises:
        CheckpointError: there is no such model here, or no GPU that was asked for.
        ConfigError: other workers have all GPUs.
    """
    settings: PredictorSettings = request.settings.reading.predictor
    if request.runner == LOCAL:
        return settings
    folder = _found(settings) or _borrowed(request.shared, settings.fingerprint)
    device = gpu_here() if settings.device == "cuda" else settings.device
    return replace(settings, folder=str(folder), device=device)


def _found(settings: PredictorSettings) -> Path | None:
    """The folder of the model on this machine, if it has the fingerprint."""
    for name in (settings.folder, settings.name):
        try:
            folder = find_model(name, is_offline=True)
            if folder.is_dir() and model_fingerprint(folder) == settings.fingerprint:
                return folder
        except (CheckpointError, OSError):
            continue
    return None


def _borrowed(shared: Scratch, fingerprint: str) -> Path:
    """A copy of the copy that the build left, kept for the builds to come."""
    target = Path(tempfile.gettempdir()) / f"kgmill-{os.getuid()}" / "models" / fingerprint[:16]
    if target.is_dir() and model_fingerprint(target) == fingerprint:
        return target
    names = shared.names(_MODEL)
    if not names:
        raise CheckpointError(f"a worker on {socket.gethostname()} has no model of fingerprint {fingerprint[:16]}")
    target.parent.parent.mkdir(mode=0o700, exist_ok=True)
    target.parent.mkdir(exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=target.parent))
    for name in names:
        (partial / name).write_bytes(shared.read(f"{_MODEL}/{name}"))
    try:
        partial.rename(target)
    except OSError:  # another worker was first
        shutil.rmtree(partial)
    return target


@cache
def gpu_here() -> str:
    """A GPU that no other worker of this machine has, for as long as this process lives.

    Raises:
        CheckpointError: there is none.
        ConfigError: other workers have them all.
    """
    n = len(gpu_names())
    try:
        check_device("cuda", lambda: n)
    except CheckpointError as error:
        raise CheckpointError(f"a worker on {socket.gethostname()}: {error}") from None
    return f"cuda:{claim(n, Path(tempfile.gettempdir()))}"


def claim(n: int, folder: Path) -> int:
    """The first of `n` GPUs that no process holds, which this one holds from now on by a lock in the folder.

    Raises:
        ConfigError: all are held.
    """
    for i in range(n):
        handle = os.open(folder / f"kgmill-worker-gpu-{i}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
        else:
            return i
    raise ConfigError(
        f"a worker on {socket.gethostname()}: others have all {n} GPUs; give a task manager as many slots as GPUs"
    )
