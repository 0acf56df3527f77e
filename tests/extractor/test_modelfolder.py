"""Model folders as files."""

import json

import pytest

from kgmill.extractor import modelfolder
from kgmill.extractor.modelfolder import (
    REQUIRED,
    SHIPPED,
    check_model_folder,
    find_model,
    model_fingerprint,
    model_languages,
    phase_one,
)
from kgmill.schemas.errors import CheckpointError

ONTOLOGY = '[entities.Peop]\n[entities.Loc]\n[relations.Live_In]\nhead = ["Peop"]\ntail = ["Loc"]\n'
CONFIG = {"model_type": "kgmill-two-phase", "entity_types": ["Peop", "Loc"], "relation_types": ["Live_In"]}


def safetensors(header, data):
    """The bytes of a safetensors file."""
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


WEIGHTS = safetensors(
    {"__metadata__": {"format": "pt"}, "w": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}}, b"abcd"
)


@pytest.fixture
def folder(tmp_path):
    """A folder that has the form of a model."""
    path = tmp_path / "model"
    path.mkdir()
    (path / "model.safetensors").write_bytes(WEIGHTS)
    (path / "config.json").write_text(json.dumps(CONFIG))
    (path / "ontology.toml").write_text(ONTOLOGY)
    (path / "tokenizer_config.json").write_text("{}")
    (path / "tokenizer.json").write_text("{}")
    (path / "README.md").write_text("# Model card\n")
    return path


def test_good_folder(folder):
    """A folder with all files passes."""
    assert check_model_folder(folder) is None


@pytest.mark.parametrize("name", REQUIRED)
def test_missing_file(folder, name):
    """A missing file is named, with its folder."""
    (folder / name).unlink()

    with pytest.raises(CheckpointError) as caught:
        check_model_folder(folder)

    assert str(caught.value) == f"{folder}: {name} is missing, so this is no kgmill model folder"


def test_foreign_model_type(folder):
    """A folder with another kind of model says which, and what to do."""
    (folder / "config.json").write_text('{"model_type": "bert"}')

    with pytest.raises(CheckpointError) as caught:
        check_model_folder(folder)

    assert str(caught.value).startswith(f"{folder}: holds a 'bert' model, not 'kgmill-two-phase'; ")


@pytest.mark.parametrize("text", ["{", "[]", "{}", "\xff"])
def test_config_that_is_none(folder, text):
    """A config.json that is no model configuration is named."""
    (folder / "config.json").write_bytes(text.encode("latin-1"))

    with pytest.raises(CheckpointError, match=rf"^{folder}/config\.json: not a model configuration$"):
        check_model_folder(folder)


@pytest.mark.parametrize(("key", "types"), [("entity_types", ["Loc", "Peop"]), ("relation_types", [])])
def test_types_mismatch(folder, key, types):
    """Types of config.json that are not those of ontology.toml, in their order, are named."""
    (folder / "config.json").write_text(json.dumps(CONFIG | {key: types}))

    with pytest.raises(CheckpointError) as caught:
        check_model_folder(folder)

    assert str(caught.value).startswith(f"{folder}: config.json has {key} {types}, ontology.toml has ")


@pytest.mark.parametrize("data", [WEIGHTS[:-1], WEIGHTS + b"x"])
def test_weights_of_another_length(folder, data):
    """A weights file that is cut, or longer than its header says, is named."""
    (folder / "model.safetensors").write_bytes(data)

    with pytest.raises(CheckpointError, match=rf"^{folder}/model\.safetensors: \d+ bytes, its header promises \d+; "):
        check_model_folder(folder)


@pytest.mark.parametrize(
    "data", [b"", WEIGHTS[:5], WEIGHTS[:30], b"\xff" * 64, safetensors([], b""), safetensors({}, b"")]
)
def test_weights_that_are_none(folder, data):
    """A weights file without a header is no safetensors file."""
    (folder / "model.safetensors").write_bytes(data)

    with pytest.raises(CheckpointError, match=rf"^{folder}/model\.safetensors: not a safetensors file$"):
        check_model_folder(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "ontology.toml", "tokenizer.json"])
def test_fingerprint_changes_with_what_decides(folder, name):
    """Weights, configuration, ontology and tokenizer each change the fingerprint."""
    before = model_fingerprint(folder)
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-1] + b"z" if name == "model.safetensors" else data + b"\n")

    assert model_fingerprint(folder) != before


def test_fingerprint_ignores_the_card(folder):
    """The card changes no score, so it changes no fingerprint."""
    before = model_fingerprint(folder)
    (folder / "README.md").write_text("# Another card\n")

    assert model_fingerprint(folder) == before


@pytest.mark.parametrize(("said", "languages"), [({}, ()), ({"languages": None}, ()), ({"languages": ["en"]}, ("en",))])
def test_languages(folder, said, languages):
    """The languages of config.json; none where it doesn't say, as older folders don't."""
    (folder / "config.json").write_text(json.dumps(CONFIG | said))
    assert model_languages(folder) == languages


@pytest.mark.parametrize("said", ["en", ["English"], [1], {"en": 1}])
def test_languages_that_are_none(folder, said):
    """A list of codes is wanted."""
    (folder / "config.json").write_text(json.dumps(CONFIG | {"languages": said}))
    with pytest.raises(CheckpointError, match=r"config\.json: languages .*; wanted a list of codes"):
        model_languages(folder)


@pytest.mark.parametrize("name", ["default", "../../models/sci", "../../benchmarks/tiny_model"])
def test_languages_of_the_models_here(name):
    """They were trained on English."""
    if not (SHIPPED / name / "config.json").is_file():
        pytest.skip(f"{name}: in the repository, and in no sdist")
    assert model_languages(SHIPPED / name) == ("en",)


def test_find_a_folder(folder):
    """A path to a folder is that folder."""
    assert find_model(str(folder)) == folder


def test_find_a_shipped_model(folder, monkeypatch):
    """A shipped model is found by its name."""
    monkeypatch.setattr(modelfolder, "SHIPPED", folder.parent)

    assert find_model("model") == folder


def test_no_such_model(folder, monkeypatch):
    """A name that is nothing is refused with the names of the shipped models."""
    monkeypatch.setattr(modelfolder, "SHIPPED", folder.parent)

    with pytest.raises(CheckpointError) as caught:
        find_model("gone")

    assert str(caught.value) == "model 'gone': no such folder, and not one of the shipped models (model)"


def test_hub_without_network():
    """A hub id whose model is not here, with no network, is refused by its name."""
    with pytest.raises(CheckpointError, match=r"^model 'nobody/gone': no such folder, and the hub has no answer: "):
        find_model("nobody/gone")


@pytest.mark.parametrize("is_offline", [True, False])
def test_hub_is_asked_only_where_it_may_be(monkeypatch, tmp_path, is_offline):
    """Whoever only tells of a run takes the copy that is here."""
    asked = []

    def snapshot_download(hub_id, *, local_files_only, **others):
        asked.append((hub_id, local_files_only))
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    assert find_model("nobody/model", is_offline=is_offline) == tmp_path
    assert asked == [("nobody/model", is_offline)]


@pytest.mark.parametrize(
    ("config", "training", "wanted"),
    [
        ({}, None, "softmax"),
        ({"phase_one": "sigmoid"}, None, "sigmoid"),
        ({"phase_one": "softmax"}, "", "softmax"),
        ({}, 'phase_one = "softmax"\n', "softmax"),
        ({}, 'phase_one = "sigmoid"\n', "sigmoid"),
        ({}, "two_phase = true\n", "sigmoid"),
        ({"two_phase": False, "phase_one": "sigmoid"}, None, "softmax"),
    ],
)
def test_reading_of_phase_one(folder, config, training, wanted):
    """config.json says how phase one was trained, or else training.toml: a missing key is older than the choice."""
    (folder / "config.json").write_text(json.dumps(CONFIG | config))
    if training is not None:
        (folder / "training.toml").write_text(training)

    assert phase_one(folder) == wanted


def test_unknown_reading(folder):
    """A reading that is neither is refused by name."""
    (folder / "config.json").write_text(json.dumps(CONFIG | {"phase_one": "tanh"}))

    with pytest.raises(CheckpointError, match=r"model: phase_one is 'tanh'; wanted softmax or sigmoid$"):
        phase_one(folder)


def test_reading_decides_the_scores(folder):
    """Another training.toml makes another model, where it alone says how the outputs are read."""
    before = model_fingerprint(folder)
    (folder / "training.toml").write_text('phase_one = "sigmoid"\n')

    assert model_fingerprint(folder) != before
