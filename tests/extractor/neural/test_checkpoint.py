"""Model folders, saved and loaded."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from kgmill.extractor.candidates import EVERYTHING
from kgmill.extractor.neural.checkpoint import (
    choose_device,
    encoder_source,
    load_checkpoint,
    new_checkpoint,
    save_checkpoint,
)
from kgmill.extractor.predict import Predictor
from kgmill.schemas.errors import CheckpointError
from kgmill.schemas.ontology import load_ontology

CPU = torch.device("cpu")


@pytest.fixture
def copy(tiny_model, tmp_path):
    """A copy of the tiny model, to be damaged."""
    return shutil.copytree(tiny_model, tmp_path / "copy")


def test_save_load_same_predictions(tiny_model, tmp_path, sentences, is_equal):
    """A model that is loaded, saved and loaded again gives the same candidates, bit for bit."""
    first = load_checkpoint(tiny_model, CPU)

    save_checkpoint(first, tmp_path / "again", (tiny_model / "ontology.toml").read_text(), torch.float16)

    second = load_checkpoint(tmp_path / "again", CPU)
    found = [Predictor(checkpoint, CPU, 1).predict(sentences, EVERYTHING) for checkpoint in (first, second)]
    assert all(is_equal(a, b) for a, b in zip(*found, strict=True))


def test_saved_twice_is_equal_bytes(tiny_model, tmp_path):
    """Saving a loaded model writes the weights' bytes again."""
    checkpoint = load_checkpoint(tiny_model, CPU)

    save_checkpoint(checkpoint, tmp_path / "again", "", torch.float16)

    for name in ("model.safetensors", "config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tiny_model / name).read_bytes()


def test_model_is_ready_to_predict(tiny_model):
    """A loaded model is in evaluation mode and single precision, with its types as columns."""
    checkpoint = load_checkpoint(tiny_model, CPU)

    assert not checkpoint.model.training
    assert {p.dtype for p in checkpoint.model.parameters()} == {torch.float32}
    assert checkpoint.ontology.entity_names == ("Peop", "Org", "Loc")
    assert checkpoint.model.config.entity_types == ["Peop", "Org", "Loc"]


def test_weights_that_are_missing(copy):
    """A weights file without some of the model's weights is refused by their names."""
    weights = load_file(copy / "model.safetensors")
    del weights["is_entity.weight"]
    save_file(weights, copy / "model.safetensors")

    with pytest.raises(CheckpointError, match=r"copy: weights don't fit config\.json: is_entity\.weight \(1 in all\)$"):
        load_checkpoint(copy, CPU)


def test_weights_of_another_shape(copy):
    """Weights that are not of the configuration's shape are refused."""
    config = json.loads((copy / "config.json").read_text())
    config["max_span_width"] = 7
    (copy / "config.json").write_text(json.dumps(config))

    with pytest.raises(CheckpointError, match=r"copy: .*width_embedding\.weight"):
        load_checkpoint(copy, CPU)


def test_encoder_that_transformers_does_not_know(copy):
    """A configuration with an encoder of an unknown kind is refused in one line."""
    config = json.loads((copy / "config.json").read_text())
    config["encoder"]["model_type"] = "no-such-encoder"
    (copy / "config.json").write_text(json.dumps(config))

    with pytest.raises(CheckpointError, match=r"copy: can't be loaded: .*no-such-encoder"):
        load_checkpoint(copy, CPU)


def test_pickled_weights_are_not_read(copy):
    """A folder with pickled weights alone is no model folder."""
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")

    with pytest.raises(CheckpointError, match=r"copy: model\.safetensors is missing"):
        load_checkpoint(copy, CPU)


def test_word_shape_for_an_encoder_without_case(tiny_encoder, tiny_ontology):
    """An encoder that lowers the case is given the letter case; others have it."""
    checkpoint = new_checkpoint(
        str(tiny_encoder), load_ontology(tiny_ontology), {"word_shape": "auto", "max_length": 64}
    )

    assert checkpoint.model.config.word_shape is True


def test_max_length_of_the_encoder(tiny_encoder, tiny_ontology):
    """The input is never longer than the encoder has positions."""
    checkpoint = new_checkpoint(str(tiny_encoder), load_ontology(tiny_ontology), {"max_length": 512})

    assert checkpoint.model.config.max_length == 256


def test_folder_that_is_no_encoder(tmp_path, tiny_ontology):
    """A folder without an encoder is refused in one line."""
    with pytest.raises(CheckpointError, match=rf"^encoder '{tmp_path}': can't be loaded: ") as caught:
        new_checkpoint(str(tmp_path), load_ontology(tiny_ontology), {"max_length": 64})

    assert "\n" not in str(caught.value)


def test_encoder_in_a_package():
    """An encoder may lie in a folder of an installed package."""
    assert encoder_source("package:extractor/../schemas").endswith("/extractor/../schemas")
    assert encoder_source("some/folder") == "some/folder"


def test_package_without_the_folder():
    """A package without the folder is refused with both names."""
    with pytest.raises(CheckpointError, match=r"the package 'extractor' has no folder 'gone'$"):
        encoder_source("package:extractor/gone")


def test_choose_device():
    """A device is chosen by its name."""
    assert choose_device("cpu") == CPU
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
