"""Which epoch a training keeps, when it stops, and what it tells of itself."""

import csv
import json
import sys

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kgmill.extractor.training.state import EpochReport, kept
from kgmill.extractor.training.train import TrainingRun, read_data, train
from kgmill.schemas.errors import ConfigError, MissingExtraError

CPU = torch.device("cpu")


@pytest.fixture
def hopeless(tmp_path):
    """A dev file that no epoch is better at than the first: nothing of it is found."""
    record = {"tokens": ["a"], "entities": [{"type": "Peop", "start": 0, "end": 1}], "relations": []}
    path = tmp_path / "dev.json"
    path.write_text(json.dumps([record] * 2))
    return {"dev": str(path), "dev_every": 1, "keep": "best", "patience": 2, "epochs": 9, "learning_rate": 1e-6}


def report(epoch, relations, entities, support=1):
    """An epoch with such F1 scores on dev."""
    scores = {"relations": (relations, support), "entities": (entities, 1)}
    dev = {task: {"strict": {"f1": f1, "support": n}} for task, (f1, n) in scores.items()}
    return EpochReport(epoch, 1.0, 1.0, dev)


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([report(1, 0.2, 0.9), report(2, 0.4, 0.5), report(3, 0.3, 0.8)], 2),
        ([report(1, 0.4, 0.5), report(2, 0.4, 0.6), report(3, 0.4, 0.6)], 2),  # of equals the first
        ([report(1, 0.0, 0.5, 0), report(2, 0.0, 0.7, 0)], 2),
        ([report(1, 0.4, 0.5), EpochReport(2, 1.0, 1.0, None)], 1),
    ],
)
def test_the_best_epoch(reports, expected):
    """By relations, strict; then by entities, which alone decide where dev has no relations."""
    assert kept(reports, "best").epoch == expected
    assert kept(reports, "last") is reports[-1]


def test_a_training_stops_and_keeps_the_best_epoch(training, hopeless, tmp_path):
    """Two scored epochs without a better one end it; the weights are those after the best one, averaged."""
    config = training(**hopeless, ema_decay=0.5)
    run, averages = TrainingRun(config, *read_data(config), CPU), []

    def remember(report):
        averages.append({name: tensor.clone() for name, tensor in run.state.average.items()})

    reports = run.all_epochs(lambda *step: None, remember)
    assert [r.epoch for r in reports] == [1, 2, 3]
    train(config)  # writes the folder of what is done

    written = load_file(tmp_path / "model" / "model.safetensors")
    expected = {name: tensor.half() for name, tensor in averages[0].items()}
    assert all(torch.equal(written[name], tensor) for name, tensor in expected.items())
    assert not all(torch.equal(tensor, averages[2][name]) for name, tensor in averages[0].items())
    card = (tmp_path / "model" / "README.md").read_text()
    assert "Stopped after epoch 3: dev was no better for 2 scored epochs" in card
    assert "The weights are those after epoch 1, the best on dev" in card


def test_a_training_tells_of_itself(training, tiny_sentences, tmp_path):
    """A row an epoch, and TensorBoard's events, each step once, though the training was cut off within an epoch."""

    class Interrupted(Exception):  # noqa: N818
        pass

    def interrupt(done, total, loss):
        if done == 3:
            raise Interrupted

    config = training(epochs=2, dev=str(tiny_sentences), tensorboard=str(tmp_path / "runs"))
    with pytest.raises(Interrupted):
        train(config, on_step=interrupt)
    steps = []
    reports = train(config, on_step=lambda done, total, loss: steps.append((done, loss)))

    with (tmp_path / "model" / "training.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], float(row["loss"])) for row in rows] == [(str(r.epoch), r.loss) for r in reports]
    assert [row["relations_strict_f1"] == "" for row in rows] == [True, False]
    assert float(rows[1]["entities_boundaries_recall"]) == reports[1].dev["entities"]["boundaries"]["recall"]
    events = EventAccumulator(str(tmp_path / "runs")).Reload()
    told = [(event.step, event.value) for event in events.Scalars("train/loss")]
    assert [step for step, _ in told] == [1, 2, 3, 4]
    assert told[2:] == [(done, pytest.approx(loss)) for done, loss in steps]
    assert [event.step for event in events.Scalars("dev/relations/strict/f1")] == [4]


def test_tensorboard_that_is_not_installed(training, monkeypatch, tmp_path):
    """It is said before anything is done, with the way out."""
    monkeypatch.setitem(sys.modules, "tensorboard", None)

    with pytest.raises(MissingExtraError, match=r"^the key tensorboard: needs tensorboard: pip install 'kgmill\[tens"):
        train(training(tensorboard=str(tmp_path / "runs")))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("changes", [{"keep": "best"}, {"patience": 1}, {"keep": "best", "dev": "a.json"}])
def test_what_needs_scores_needs_dev(training, changes):
    """Without a dev that is scored between epochs there is nothing to choose by."""
    with pytest.raises(ConfigError, match="need `dev` and `dev_every`"):
        training(**changes)
