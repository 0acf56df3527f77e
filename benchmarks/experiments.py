"""A queue of trainings that goes on where it stopped: `python -m benchmarks.experiments [QUEUE.toml]`.

The queue has tables of configurations: each is the base configuration with some keys changed, a name and a seed. Each
is trained and scored on dev; its row is appended to docs/experiments.jsonl, and the tables in docs/experiments.md are
written anew from all rows. What has its row is passed over; a training that was cut off goes on where it was. `gone`
has keys that were tried and that no configuration has any more: such an experiment has its rows, and is never run.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import tomllib
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from kgmill.extractor.training.state import EpochReport
from kgmill.extractor.training.train import train
from kgmill.schemas.identity import fingerprint
from kgmill.schemas.training import TrainConfig

DEFAULT_QUEUE = Path(__file__).with_name("experiments.toml")
ROWS = Path("docs/experiments.jsonl")
PAGE = Path("docs/experiments.md")
# Rows are found by what differs from these, the defaults of the time when the first ones were made.
_UNSAID: dict[str, Any] = {
    "epochs": 20,
    "batch_size": 8,
    "learning_rate": 5e-5,
    "head_learning_rate": 3e-4,
    "layer_decay": 1.0,
    "ema_decay": 0.0,
    "phase_one": "sigmoid",
    "type_average": "gold",
}
_MARK = "<!-- rows: written by benchmarks/experiments.py -->"


def main() -> None:
    """Runs what has no row yet."""
    queue = read_queue(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_QUEUE)
    done = {row["fingerprint"] for row in read_rows()}
    for _, experiments in queue:
        for experiment in experiments:
            if experiment.key not in done and not experiment.is_gone:
                append_row(run(experiment))
                write_page(queue, read_rows())
    write_page(queue, read_rows())


@dataclass(frozen=True, slots=True)
class Experiment:
    """A configuration to train.

    Attributes:
        changes: what of it differs from the others of its table.
        key: what its row is found by.
        is_gone: whether some of the keys are no more, so that it can't be run.
    """

    name: str
    changes: dict[str, Any]
    config: TrainConfig
    key: str
    is_gone: bool


def read_queue(path: Path) -> list[tuple[str, list[Experiment]]]:
    """The tables of a queue: titles and experiments, one a seed."""
    queue = tomllib.loads(path.read_text(encoding="utf-8"))
    base = TrainConfig.load(Path(queue["base"]), {})
    tables = []
    for table in queue["table"]:
        experiments = []
        for each in table["experiment"]:
            for seed in each.get("seeds", [base.seed]):
                changes, gone = each.get("set", {}), each.get("gone", {})
                keys = base.model_dump() | table.get("set", {}) | changes | {"seed": seed}
                config = TrainConfig.model_validate(keys)
                key = experiment_key(config, gone)
                experiments.append(Experiment(each["name"], changes | gone, config, key, bool(gone)))
        tables.append((table["title"], experiments))
    return tables


def experiment_key(config: TrainConfig, gone: dict[str, Any]) -> str:
    """Fingerprint of what decides the scores; keys at their defaults are left out, so that new keys change none.

    `gone` are keys besides: with them it is what it was when the configuration still had them.
    """
    dumped = config.model_dump(mode="json", exclude={"out", "threads", "dev_every", "card"})
    defaults = TrainConfig(train="").model_dump(mode="json") | {"train": None} | _UNSAID
    return fingerprint({key: value for key, value in dumped.items() if value != defaults[key]} | gone)


def run(experiment: Experiment) -> dict[str, Any]:
    """Trains one configuration; returns its row."""
    config = experiment.config
    print(f"{experiment.name}, seed {config.seed}: {experiment.changes}", flush=True)
    started = time.time()

    def show(report: EpochReport) -> None:
        print(f"  epoch {report.epoch} of {config.epochs}, loss {report.loss:.4f}, {report.seconds:.0f} s", flush=True)

    config = config.model_copy(update={"out": f"models/experiments/{experiment.key[:16]}", "dev_every": 0})
    reports = train(config, on_epoch=show)
    last = reports[-1]
    if last.dev is None:
        raise ValueError(f"{experiment.name}: the base configuration has no dev file")
    return {
        "seed": config.seed,
        "train": list(config.train_files),
        "dev": ", ".join(config.dev_files),
        "epochs": config.epochs,
        "seconds": round(sum(report.seconds for report in reports)),
        "ner": round(100 * last.dev["entities"]["strict"]["f1"], 2),
        "re": round(100 * last.dev["relations"]["strict"]["f1"], 2),
        "re_boundaries": round(100 * last.dev["relations"]["boundaries"]["f1"], 2),
        "fingerprint": experiment.key,
        "date": time.strftime("%Y-%m-%d", time.gmtime(started)),
    }


def read_rows() -> list[dict[str, Any]]:
    """All rows so far."""
    if not ROWS.is_file():
        return []
    return [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines() if line]


def append_row(row: dict[str, Any]) -> None:
    """Appends a row."""
    with ROWS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_page(queue: list[tuple[str, list[Experiment]]], rows: list[dict[str, Any]]) -> None:
    """Writes the tables of the page; what stands above the mark stays."""
    head = PAGE.read_text(encoding="utf-8").partition(_MARK)[0] if PAGE.is_file() else "# Experiments\n\n"
    by_key = {row["fingerprint"]: row for row in rows}
    PAGE.write_text(f"{head}{_MARK}\n" + "".join(_table(*table, by_key) for table in queue), encoding="utf-8")


def _table(title: str, experiments: list[Experiment], rows: dict[str, dict[str, Any]]) -> str:
    lines = [
        f"\n### {title}\n",
        "| configuration | changed | seeds | NER strict | RE strict | epochs | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, group in groupby(experiments, key=lambda experiment: experiment.name):
        seeds = list(group)
        changed = ", ".join(f"`{key} = {json.dumps(value)}`" for key, value in seeds[0].changes.items()) or "-"
        found = [rows[experiment.key] for experiment in seeds if experiment.key in rows]
        cells = [name, changed, ", ".join(str(row["seed"]) for row in found) or "not run yet", "", "", "", ""]
        if found:
            cells[3:5] = (_spread([row[key] for row in found]) for key in ("ner", "re"))
            cells[5:] = str(found[0]["epochs"]), str(round(statistics.mean(row["seconds"] for row in found)))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _spread(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"


if __name__ == "__main__":
    main()
