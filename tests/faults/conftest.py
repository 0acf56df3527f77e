"""Builds with a model in which faults are injected, see `injected/sitecustomize.py`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

KGMILL = str(Path(sys.executable).with_name("kgmill"))
GOOD = "Ada Byron worked for Acme Corp in Paris . Bob Stone lives in London ."


@pytest.fixture
def corpus(tmp_path):
    """Writes documents of known good text, some with a word that does something to the model; returns the file."""

    def corpus(words, name="corpus.jsonl", n=8):
        lines = [{"id": f"d{i}", "text": f"{words.get(i, '')} {GOOD} Letter {i} ."} for i in range(n)]
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
        return tmp_path / name

    return corpus


@pytest.fixture
def faulty_build(tiny_model):
    """Runs `kgmill build` in a process of its own, in which the faults are injected unless `is_mended`."""

    def faulty_build(source, out, *options, config="", is_mended=False, **limits):
        path = out.with_suffix(".toml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"max_reject_ratio = 1\n{config}")
        command = [KGMILL, "build", source, "--out", out, "--model", tiny_model, "--no-prefect", "--config", path]
        folders = [] if is_mended else [str(Path(__file__).with_name("injected"))]
        folders += filter(None, [os.environ.get("PYTHONPATH")])
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(folders)}
        return subprocess.run(
            [*command, *options], env=environment, capture_output=True, text=True, check=False, **limits
        )

    return faulty_build
