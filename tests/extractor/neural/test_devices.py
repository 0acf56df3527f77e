"""What a device computes in, by choice or by its own instructions."""

import pytest
import torch

from kgmill.extractor.neural.checkpoint import has_bf16
from kgmill.extractor.neural.devices import choose_precision, multiplies_bytes


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


def test_auto_on_a_cpu(monkeypatch):
    """Bytes where the processor multiplies them; a GPU is not asked for."""

    def asked():
        pytest.fail("a GPU was asked for")

    for is_fast, chosen in ((True, "int8"), (False, "fp32")):
        monkeypatch.setattr("kgmill.extractor.neural.devices.multiplies_bytes", lambda is_fast=is_fast: is_fast)
        assert choose_precision("cpu", "auto", asked) == chosen


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu sse2 avx2 avx512f avx512_vnni", True),
        ("fpu avx2 avx_vnni", True),
        ("amx_tile amx_int8", True),
        ("fpu sse2 avx2 avx512f avx512_vnni_other", False),
        ("", False),
    ],
)
def test_instructions_for_bytes(tmp_path, flags, expected):
    """They are told by the flags that Linux names."""
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: {flags}\nbugs\t\t: avx512_vnni\n")

    assert multiplies_bytes(info) is expected


def test_a_machine_that_does_not_say(tmp_path):
    """Elsewhere than on Linux fp32 is taken."""
    assert multiplies_bytes(tmp_path / "nothing") is False
