"""The queue of experiments: what identifies one, what is passed over, what the page shows."""

import json

import pytest

from benchmarks import experiments
from benchmarks.experiments import DEFAULT_QUEUE, main, read_queue, read_rows, write_page
from kgmill.extractor.training.state import EpochReport

QUEUE = """
base = "base.toml"
[[table]]
title = "First"
[[table.experiment]]
name = "default"
seeds = [1, 2]
[[table]]
title = "Short"
set = { epochs = 3 }
[[table.experiment]]
name = "plain"
[[table.experiment]]
name = "wide"
set = { dropout = 0.5 }
"""


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A folder with a queue, and a training that only says what it was asked for."""
    trained = []

    def train(config, on_epoch):
        trained.append(config)
        scores = {"strict": {"f1": config.dropout}, "boundaries": {"f1": 0.5}}
        return [EpochReport(config.epochs, 0.1, 2.0, {"entities": scores, "relations": scores})]

    (tmp_path / "docs").mkdir()
    (tmp_path / "base.toml").write_text('train = "train.json"\ndev = "dev.json"\nepochs = 9\ndropout = 0.25\n')
    (tmp_path / "queue.toml").write_text(QUEUE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experiments, "train", train)
    monkeypatch.setattr("sys.argv", ["experiments", "queue.toml"])
    return trained


def test_each_configuration_is_trained_once(trained):
    """Tables change keys for all they hold; what has its row is passed over, and only that."""
    main()
    assert [(c.seed, c.epochs, c.dropout) for c in trained] == [(1, 9, 0.25), (2, 9, 0.25), (42, 3, 0.25), (42, 3, 0.5)]
    rows = experiments.ROWS.read_text().splitlines()
    experiments.ROWS.write_text("\n".join(rows[:-1]) + "\n")
    main()
    assert [(c.epochs, c.dropout) for c in trained[4:]] == [(3, 0.5)]
    assert [row["ner"] for row in read_rows()] == [25.0, 25.0, 25.0, 50.0]


def test_page_has_a_table_each(trained):
    """Text above the mark stays; seeds are one line; what has no row yet says so."""
    queue = read_queue(experiments.Path("queue.toml"))
    experiments.PAGE.write_text(f"# Head\n\n{experiments._MARK}\nold")
    write_page(queue, [])
    assert experiments.PAGE.read_text().count("not run yet") == 3
    main()
    lines = experiments.PAGE.read_text().splitlines()
    assert lines[:3] == ["# Head", "", experiments._MARK]
    assert "| default | - | 1, 2 | 25.0 ± 0.0 | 25.0 ± 0.0 | 9 | 2 |" in lines
    assert "| wide | `dropout = 0.5` | 42 | 50.0 | 50.0 | 3 | 2 |" in lines
    assert "old" not in lines


def test_what_is_gone_is_never_run(trained):
    """An experiment with keys that no configuration has any more shows its rows, and is passed over without."""
    main()
    queue = experiments.Path("queue.toml")
    gone = queue.read_text().replace("set = { dropout = 0.5 }", "gone = { dropout = 0.5 }")
    queue.write_text(gone + '[[table.experiment]]\nname = "tall"\ngone = { height = 2 }\n')
    main()
    lines = experiments.PAGE.read_text().splitlines()
    assert len(trained) == 4
    assert "| wide | `dropout = 0.5` | 42 | 50.0 | 50.0 | 3 | 2 |" in lines
    assert "| tall | `height = 2` | not run yet |  |  |  |  |" in lines


def test_rows_belong_to_the_queue():
    """Every committed row is one of the committed queue's, so that the page shows it."""
    keys = {experiment.key for _, found in read_queue(DEFAULT_QUEUE) for experiment in found}
    assert {json.loads(line)["fingerprint"] for line in experiments.ROWS.read_text().splitlines()} <= keys
