"""What a build asks torch of its GPUs, in a process of its own."""

import sys

import pytest

from kgmill.pipelines import checks
from kgmill.schemas.errors import CheckpointError

TORCH = """
from pathlib import Path
with Path(__file__).with_name("asked").open("a") as file:
    file.write(".")
class cuda:
    is_available = staticmethod(lambda: {n} > 0)
    device_count = staticmethod(lambda: {n})
    is_bf16_supported = staticmethod(lambda including_emulation=True: including_emulation)
"""


@pytest.fixture
def torch(tmp_path, monkeypatch):
    """Puts a torch of some GPUs, which emulate bfloat16, in the place of the real one."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(checks, "version", lambda name: "2.13.0+cu128")
    checks.gpus.cache_clear()

    def put(text):
        (tmp_path / "torch.py").write_text(text)
        return tmp_path / "asked"

    yield put
    checks.gpus.cache_clear()


@pytest.mark.parametrize(("n", "has_bf16"), [(2, False), (0, True)])
def test_one_process_is_asked_once(torch, n, has_bf16):
    """How many there are, and whether they compute in bfloat16 themselves; where there are none, workers' do."""
    asked = torch(TORCH.format(n=n))

    assert (checks.gpus(), checks.gpus()) == ((n, has_bf16), (n, has_bf16))
    assert asked.read_text() == "."


def test_a_torch_that_fails_is_told(torch):
    """It is not taken for one that sees no GPU."""
    torch("raise ImportError('libcudart.so.13: cannot open shared object file')")

    with pytest.raises(CheckpointError, match=r"^torch can't be asked for GPUs: ImportError: libcudart") as caught:
        checks.gpus()

    assert "\n" not in str(caught.value)


def test_a_torch_for_cpus_is_not_asked(torch, monkeypatch):
    """It sees none, whatever there is; importing it takes seconds."""
    monkeypatch.setattr(checks, "version", lambda name: "2.13.0+cpu")
    monkeypatch.setattr(sys, "executable", "/nowhere")
    torch("")

    assert checks.gpus() == (0, True)
