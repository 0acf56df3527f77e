"""Devices by name, told apart without torch."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import version

from schemas.errors import CheckpointError

_NAME = re.compile(r"auto|cpu|cuda(:\d+)?")


def check_device(name: str, n_gpus: Callable[[], int]) -> None:
    """Makes sure that there is such a device; `n_gpus`, which may take long, is asked only where the name is a GPU's.

    Raises:
        CheckpointError: the name is no device's, or this machine has no such GPU.
    """
    if not _NAME.fullmatch(name):
        raise CheckpointError(f"device {name!r}: wanted auto, cpu, cuda or cuda:N")
    if not name.startswith("cuda"):
        return
    n, number = n_gpus(), int(name.partition(":")[2] or 0)
    if not n:
        raise CheckpointError(
            f"device {name}: this torch ({version('torch')}) sees no GPU; see README, Choosing torch; or say cpu"
        )
    if number >= n:
        raise CheckpointError(f"device {name}: this machine has {n} of them, the first is cuda:0")
