"""What a device computes in, by choice or by its own instructions."""

import pytest
import torch

from kgmill.extractor.neural.checkpoint import has_bf16
from kgmill.extractor.neural.devices import (
    choose_precision,
    mkl_falls_short,
    multiplies_bf16_tiles,
    multiplies_bytes,
)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16", "int8"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_choice_stays(device, precision):
    """Only `auto` is decided here."""
    assert choose_precision(device, precision, lambda: True) == precision


@pytest.mark.parametrize("is_its_own", [True, False])
def test_bf16_that_a_gpu_emulates_is_none(monkeypatch, is_its_own):
    """It is slower there than fp16."""
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: is_its_own or including_emulation
    )

    assert has_bf16() is is_its_own


@pytest.mark.parametrize(("is_there", "chosen"), [(True, "bf16"), (False, "fp16")])
def test_auto_on_a_gpu(is_there, chosen):
    """Half the width, in the better form where there is one."""
    assert choose_precision("cuda:1", "auto", lambda: is_there) == chosen


@pytest.mark.parametrize(
    ("has_tiles", "has_bytes", "chosen"), [(True, True, "bf16"), (False, True, "int8"), (False, False, "fp32")]
)
def test_auto_on_a_cpu(monkeypatch, has_tiles, has_bytes, chosen):
    """Tiles of bf16 or bytes where the processor multiplies them; a GPU is not asked for."""
    devices = "kgmill.extractor.neural.devices"
    monkeypatch.setattr(f"{devices}.multiplies_bf16_tiles", lambda: has_tiles)
    monkeypatch.setattr(f"{devices}.multiplies_bytes", lambda: has_bytes)

    assert choose_precision("cpu", "auto", lambda: pytest.fail("a GPU was asked for")) == chosen


@pytest.mark.parametrize(
    ("flags", "has_bytes", "has_tiles"),
    [
        ("fpu sse2 avx2 avx512f avx512_vnni", True, False),
        ("fpu avx2 avx_vnni", True, False),
        ("amx_tile amx_int8", True, False),
        ("amx_bf16 avx512_bf16 avx512_vnni amx_tile amx_int8", True, True),
        ("fpu sse2 avx2 avx512f avx512_vnni_other avx512_bf16", False, False),
        ("", False, False),
    ],
)
def test_instructions_for_products(tmp_path, flags, has_bytes, has_tiles):
    """They are told by the flags that Linux names."""
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: {flags}\nbugs\t\t: avx512_vnni\n")

    assert multiplies_bytes(info) is has_bytes
    assert multiplies_bf16_tiles(info) is has_tiles


def test_a_machine_that_does_not_say(tmp_path):
    """Elsewhere than on Linux fp32 is taken."""
    assert multiplies_bytes(tmp_path / "nothing") is False
    assert multiplies_bf16_tiles(tmp_path / "nothing") is False
    assert mkl_falls_short(tmp_path / "nothing") is False


@pytest.mark.parametrize(
    ("maker", "falls_short"),
    [
        ("vendor_id\t: GenuineIntel\n", False),
        ("vendor_id\t: AuthenticAMD\n", True),
        ("vendor_id\t:\n", False),
        ("", False),
    ],
)
def test_whose_processors_mkl_is_written_for(tmp_path, maker, falls_short):
    """Told by the maker that Linux names; none is named on ARM, where there is no MKL."""
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\n{maker}model name\t: Some CPU of GenuineIntel\n")

    assert mkl_falls_short(info) is falls_short
