"""A training that goes on from a model: what it takes over, and what it refuses."""

import shutil

import pytest
import torch

from kgmill.extractor.modelfolder import find_model
from kgmill.extractor.neural.checkpoint import load_checkpoint
from kgmill.extractor.training.lineage import seen_by
from kgmill.extractor.training.start import continued_checkpoint
from kgmill.extractor.training.train import TrainingRun, read_data, train
from kgmill.schemas.errors import CheckpointError, ConfigError, OutputError
from kgmill.schemas.ontology import load_ontology
from kgmill.schemas.training import TrainConfig

CPU = torch.device("cpu")


@pytest.fixture
def going_on(training, tiny_model):
    """Makes the configuration of a training that starts from the tiny model."""

    def configuration(start=tiny_model, **changes):
        given = training(**changes).model_dump(exclude={"encoder"}, exclude_unset=True)
        return TrainConfig.load(None, given | {"start": str(start)})

    return configuration


def new_model(config):
    """The model of a run before its first step."""
    sets, ontology, dev = read_data(config)
    return TrainingRun(config, sets, ontology, dev, CPU).checkpoint.model


def options(config):
    """The options of a model, as a training gives them."""
    return {name: getattr(config, name) for name in OPTIONS}


OPTIONS = (
    *("max_span_width", "max_distance", "role_maps", "fusion", "pair_distance", "pair_types", "link_types"),
    *("pair_hidden", "two_phase", "phase_one", "word_shape", "max_length", "dropout", "languages"),
)


def test_it_starts_from_all_weights(going_on, tiny_model):
    """With the same ontology and options every weight is the model's."""
    old = dict(load_checkpoint(tiny_model, CPU).model.named_parameters())
    new = dict(new_model(going_on()).named_parameters())

    assert {name for name, p in new.items() if not torch.equal(p, old[name])} == set()
    assert new.keys() == old.keys()


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_a_share_of_the_first_weights_is_kept(going_on, tiny_model, tmp_path, ema_decay):
    """With `start_share` the weights lie between those of `start` and those that the training comes to without."""
    given = {"epochs": 2, "learning_rate": 1e-2, "head_learning_rate": 1e-2, "ema_decay": ema_decay}
    weights = {}
    for share in (0.0, 0.25):
        train(going_on(out=str(tmp_path / f"m{share}"), **given).model_copy(update={"start_share": share}))
        weights[share] = dict(load_checkpoint(tmp_path / f"m{share}", CPU).model.named_parameters())
    old = dict(load_checkpoint(tiny_model, CPU).model.named_parameters())

    assert any((p - old[name]).abs().max() > 0.01 for name, p in weights[0.0].items())
    for name, p in weights[0.25].items():
        assert torch.allclose(p, 0.75 * weights[0.0][name] + 0.25 * old[name], atol=2e-3)


def test_a_share_of_no_start(training):
    """There is nothing to keep a share of."""
    with pytest.raises(ConfigError, match="start_share"):
        training(start_share=0.5)


def test_types_keep_their_rows(tiny_model, tmp_path):
    """In another order, and beside new ones, a type has the logits' weights that it had."""
    old = load_checkpoint(tiny_model, CPU)
    names, relations = old.ontology.entity_names, old.ontology.relation_names
    text = "".join(f'[entities."{name}"]\n' for name in ("Comet", *reversed(names)))
    text += '[relations."orbits"]\nhead = ["Comet"]\ntail = ["Comet"]\n'
    for name in reversed(relations):
        text += f'[relations."{name}"]\nhead = ["{names[0]}"]\ntail = ["{names[0]}"]\n'
    (tmp_path / "o.toml").write_text(text)
    ontology = load_ontology(tmp_path / "o.toml")

    new = continued_checkpoint(tiny_model, ontology, options(old.model.config)).model

    for module, before, after in (
        ("entity_type", names, ontology.entity_names),
        ("relation_type", relations, ontology.relation_names),
    ):
        ours, theirs = getattr(new, module), getattr(old.model, module)
        for name in before:
            assert torch.equal(ours.weight[after.index(name)], theirs.weight[before.index(name)])
            assert torch.equal(ours.bias[after.index(name)], theirs.bias[before.index(name)])
    n, near = len(ontology.entity_names), old.model.config.max_distance + 1
    a, b = (ontology.entity_names.index(name) for name in names[:2])
    ours = new.feature_embedding.weight[(a * n + b) * near : (a * n + b + 1) * near]
    assert torch.equal(ours, old.model.feature_embedding.weight[near : 2 * near])  # types 0 and 1


def test_what_judges_otherwise_starts_anew(going_on, tiny_model):
    """A head that sees a hidden layer now is not the head that saw none."""
    old = load_checkpoint(tiny_model, CPU).model
    assert not old.config.pair_hidden

    new = new_model(going_on(pair_hidden=True))

    assert not torch.equal(new.is_relation.weight, old.is_relation.weight)
    assert torch.equal(new.is_entity.weight, old.is_entity.weight)


def test_it_learns_on(going_on, training, tmp_path):
    """The loss is lower from the first step than that of a training from the encoder alone."""
    first = {}
    for name, config in (("on", going_on(out=str(tmp_path / "on"))), ("anew", training(out=str(tmp_path / "anew")))):
        losses = []
        train(config, on_step=lambda done, total, loss, losses=losses: losses.append(loss))
        first[name] = losses[0]

    assert first["on"] < first["anew"] / 2


def test_it_has_seen_what_its_start_has(going_on, tiny_model, tmp_path, tiny_sentences):
    """The new folder lists the sentences of both trainings."""
    one = tmp_path / "one.json"
    one.write_text('[{"tokens": ["Gail", "lives", "in", "Oslo", "."], "entities": [], "relations": []}]')

    train(going_on(train=str(one)))

    assert seen_by(tiny_model) < seen_by(tmp_path / "model")
    assert len(seen_by(tmp_path / "model")) == len(seen_by(tiny_model)) + 1


@pytest.fixture
def silent_model(tiny_model, tmp_path):
    """A model that doesn't say what it was trained on."""
    folder = shutil.copytree(tiny_model, tmp_path / "silent")
    (folder / "training_data.toml").unlink()
    return folder


def test_it_claims_no_list_of_data_where_its_start_has_none(going_on, silent_model, tmp_path):
    """Its own sentences alone would not be all that it has seen; that is noted before the first step."""
    notes, steps = [], []

    train(going_on(start=silent_model), on_note=notes.append, on_step=lambda *step: steps.append(len(notes)))

    assert seen_by(tmp_path / "model") is None
    assert f"{silent_model} doesn't say what it was trained on, so the new model won't either" in notes
    assert steps[0] == len(notes)


def test_a_damaged_list_of_data_is_told_before_the_first_step(going_on, silent_model):
    """Not after hours of training."""
    (silent_model / "training_data.toml").write_text("sentences = 7")
    steps = []

    with pytest.raises(CheckpointError, match="not the hashes of a model's training data"):
        train(going_on(start=silent_model), on_step=lambda *step: steps.append(step))

    assert steps == []


def test_its_configuration_can_be_trained_again(going_on, tiny_model, tmp_path):
    """training.toml and the card say what it went on from, and the configuration is one that `kgmill train` takes."""
    config = going_on()

    train(config)

    assert TrainConfig.load(tmp_path / "model" / "training.toml", {}) == config
    assert f"Goes on from: {tiny_model}" in (tmp_path / "model" / "README.md").read_text()


def test_encoder_and_start_together_are_refused(training, tiny_model):
    """Which of both encoders is meant?"""
    with pytest.raises(ConfigError, match="`start` brings its own encoder"):
        training(start=str(tiny_model))


def test_a_start_that_is_no_model(going_on, tmp_path):
    """The error is that of any model that isn't there; nothing is written."""
    with pytest.raises(CheckpointError, match="nowhere"):
        train(going_on(start=tmp_path / "nowhere"))

    assert not (tmp_path / "model").exists()


def test_another_start_is_another_training(going_on, tmp_path):
    """The state of an interrupted training is not gone on with from other weights."""

    def interrupt(report):
        if report.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(going_on(epochs=2), on_epoch=interrupt)

    with pytest.raises(OutputError, match="start"):
        train(going_on(epochs=2, start=find_model("default")))
