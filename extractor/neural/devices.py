"""Devices by name, told apart without torch."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from kgmill.schemas.errors import CheckpointError, ConfigError

_NAME = re.compile(r"auto|cpu|cuda(:\d+)?")
_CPU_INFO = Path("/proc/cpuinfo")
_BYTE_PRODUCTS = {"avx512_vnni", "avx_vnni", "amx_int8"}


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


def choose_precision(device: str, name: str, has_bf16: Callable[[], bool]) -> str:
    """What `auto` computes in on a kind of device: the fastest that costs no accuracy worth naming; other names as
    they are.

    A GPU: bf16, or fp16 where it has no bf16; `has_bf16`, which may take long, is asked there alone. A CPU: bf16 where
    it multiplies tiles of it (AMX), int8 where it multiplies bytes alone (VNNI), elsewhere fp32: without those
    instructions torch's integer product is far slower (docs/decisions/0009-int8.md).
    """
    if name != "auto":
        return name
    if device.startswith("cuda"):
        return "bf16" if has_bf16() else "fp16"
    if multiplies_bf16_tiles():
        return "bf16"
    return "int8" if multiplies_bytes() else "fp32"


def multiplies_bf16_tiles(cpu_info: Path = _CPU_INFO) -> bool:
    """Whether the processor has instructions for tiles of bf16; False where it can't be told."""
    return "amx_bf16" in _flags(cpu_info)


def multiplies_bytes(cpu_info: Path = _CPU_INFO) -> bool:
    """Whether the processor has instructions for int8; False where it can't be told."""
    return not _BYTE_PRODUCTS.isdisjoint(_flags(cpu_info))


def mkl_falls_short(cpu_info: Path = _CPU_INFO) -> bool:
    """Whether torch's own fp32 product, which on x86 is MKL's, leaves instructions of the processor unused: on any but
    Intel's, of which it takes AVX-512 (docs/decisions/0057-onednn.md); False where it can't be told."""
    maker = _told(cpu_info, "vendor_id")
    return bool(maker) and maker != ["GenuineIntel"]


def _flags(cpu_info: Path) -> list[str]:
    """The processor's instructions, as Linux names them."""
    return _told(cpu_info, "flags")


def _told(cpu_info: Path, key: str) -> list[str]:
    """The words that Linux says of the first processor under a key."""
    try:
        text = cpu_info.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    line = re.search(rf"^{key}[ \t]*:(.*)$", text, re.MULTILINE)
    return line[1].split() if line else []


def check_precision(device: str, precision: str) -> None:
    """Checks that a kind of device (`cpu`, `cuda`, `cuda:1`) computes in a precision.

    Raises:
        ConfigError: int8 on a GPU, where torch's integer product takes other shapes than prediction has.
    """
    if precision == "int8" and device.startswith("cuda"):
        raise ConfigError(f"precision int8 is for CPUs, the device is {device}: say --device cpu, or --precision bf16")


def gpu_names() -> list[str]:
    """What the GPUs are called that torch sees, which is imported for it."""
    import torch

    return (
        [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
