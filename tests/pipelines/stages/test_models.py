"""The model, and the GPU, as a worker on another machine finds them."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from kgmill.extractor.candidates import Floors
from kgmill.extractor.modelfolder import SHIPPED, model_fingerprint
from kgmill.pipelines.engine.request import Request
from kgmill.pipelines.stages.candidates import PredictorSettings, Reading
from kgmill.pipelines.stages.extract import Settings
from kgmill.pipelines.stages.models import claim, lend_model, predictor_here
from kgmill.schemas.errors import CheckpointError, ConfigError


@pytest.fixture
def asked(tiny_model, tmp_path, monkeypatch):
    """The request of an engine's worker for a model that lay in a folder which it doesn't see."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    settings = PredictorSettings("/nowhere", "cpu", "fp32", 1, False, "/nowhere", model_fingerprint(tiny_model))
    reading = Reading(settings, Floors(0.0, 0.0))
    return Request("extract", "/out", str(tmp_path / "scratch"), (), Settings(reading, ""), runner="FlinkRunner")


def test_model_is_borrowed_where_it_is_not(asked, tiny_model):
    """From the copy that the build left, which is kept; a shipped model is never copied."""
    with pytest.raises(CheckpointError, match=r"has no model of fingerprint "):
        predictor_here(asked)
    lend_model(SimpleNamespace(model_folder=str(SHIPPED / "default")), asked.shared)
    assert asked.shared.names("model") == []
    lend_model(SimpleNamespace(model_folder=str(tiny_model)), asked.shared)
    folder = predictor_here(asked).folder
    assert model_fingerprint(Path(folder)) == asked.settings.reading.predictor.fingerprint
    asked.shared.clear()
    assert predictor_here(asked).folder == folder


def test_model_of_that_name_is_taken_if_it_is_that_one(asked, tiny_model, tmp_path):
    """Another model under the same name is not."""
    shutil.copytree(tiny_model, tmp_path / "here")
    reading = asked.settings.reading
    renamed = replace(reading, predictor=replace(reading.predictor, name=str(tmp_path / "here")))
    here = replace(asked.settings, reading=renamed)
    assert predictor_here(replace(asked, settings=here)).folder == str(tmp_path / "here")
    with (tmp_path / "here" / "ontology.toml").open("a") as file:
        file.write("\n# another\n")
    with pytest.raises(CheckpointError, match=r"has no model of fingerprint "):
        predictor_here(replace(asked, settings=here))


def test_each_worker_has_a_gpu_of_its_own(tmp_path):
    """Of two, the first that no process holds; a third worker is refused."""
    code = (
        "import sys; from pathlib import Path; from kgmill.pipelines.stages.models import claim; "
        f"print(claim(2, Path({str(tmp_path)!r})), flush=True); sys.stdin.read()"
    )
    first = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline() == "0\n"
    assert claim(2, tmp_path) == 1
    with pytest.raises(ConfigError, match=r"others have all 2 GPUs; give a task manager as many slots as GPUs$"):
        claim(2, tmp_path)
    first.communicate()
    assert claim(2, tmp_path) == 0
