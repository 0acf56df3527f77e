"""A queue of trainings that goes on where it stopped: `python -m benchmarks.experiments [QUEUE.toml]`.

The queue is a list of configurations: each is the base configuration with some keys changed, a name and a seed. Each
is trained and scored on dev; its row is appended to docs/experiments.jsonl, and docs/experiments.md is written anew
from all rows. A configuration that has its row is passed over; a training that was cut off goes on where it was.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

from extractor.train import EpochReport, train
from schemas.config import TrainConfig
from schemas.identity import fingerprint

DEFAULT_QUEUE = Path(__file__).with_name("experiments.toml")
ROWS = Path("docs/experiments.jsonl")
PAGE = Path("docs/experiments.md")
_MARK = "<!-- rows: written by benchmarks/experiments.py -->"


def main() -> None:
    """Runs what has no row yet."""
    queue = tomllib.loads(Path(sys.argv[1] if len(sys.argv) > 1 else DEFAULT_QUEUE).read_text(encoding="utf-8"))
    base = TrainConfig.load(Path(queue["base"]), {})
    done = {row["fingerprint"] for row in read_rows()}
    for experiment in queue["experiment"]:
        changes = experiment.get("set", {})
        for seed in experiment.get("seeds", [base.seed]):
            config = TrainConfig.model_validate(base.model_dump() | changes | {"seed": seed})
            key = experiment_key(config)
            if key not in done:
                append_row(run(experiment["name"], changes, config, key))
    write_page(read_rows())


def experiment_key(config: TrainConfig) -> str:
    """Fingerprint of what decides the scores; keys at their defaults are left out, so that new keys change none."""
    said = config.model_dump(mode="json", exclude_defaults=True, exclude={"out", "threads", "dev_every", "card"})
    return fingerprint(said)


def run(name: str, changes: dict[str, Any], config: TrainConfig, key: str) -> dict[str, Any]:
    """Trains one configuration; returns its row."""
    out = Path("models/experiments") / key[:16]
    print(f"{name}, seed {config.seed}: {changes}", flush=True)
    started = time.time()

    def show(report: EpochReport) -> None:
        print(f"  epoch {report.epoch} of {config.epochs}, loss {report.loss:.4f}, {report.seconds:.0f} s", flush=True)

    config = config.model_copy(update={"out": str(out), "dev_every": 0})
    reports = train(config, on_epoch=show)
    last = reports[-1]
    if last.dev is None:
        raise ValueError(f"{name}: the base configuration has no dev file")
    return {
        "name": name,
        "set": changes,
        "seed": config.seed,
        "train": list(config.train_files),
        "dev": config.dev,
        "epochs": config.epochs,
        "seconds": round(sum(report.seconds for report in reports)),
        "ner": round(100 * last.dev["entities"]["strict"]["f1"], 2),
        "re": round(100 * last.dev["relations"]["strict"]["f1"], 2),
        "re_boundaries": round(100 * last.dev["relations"]["boundaries"]["f1"], 2),
        "fingerprint": key,
        "date": time.strftime("%Y-%m-%d", time.gmtime(started)),
    }


def read_rows() -> list[dict[str, Any]]:
    """All rows so far."""
    if not ROWS.is_file():
        return []
    return [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines() if line]


def append_row(row: dict[str, Any]) -> None:
    """Appends a row and writes the page anew."""
    with ROWS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
    write_page(read_rows())


def write_page(rows: list[dict[str, Any]]) -> None:
    """Writes the table of the page; what stands above the mark stays."""
    head = PAGE.read_text(encoding="utf-8").partition(_MARK)[0] if PAGE.is_file() else "# Experiments\n\n"
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(json.dumps([row["name"], row["set"]], sort_keys=True), []).append(row)
    lines = [
        "| configuration | changed | seeds | NER strict | RE strict | epochs | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for group in groups.values():
        first = group[0]
        changed = ", ".join(f"{key} = {value}" for key, value in first["set"].items()) or "-"
        seeds = ", ".join(str(row["seed"]) for row in group)
        scores = " | ".join(_spread([row[key] for row in group]) for key in ("ner", "re"))
        seconds = round(statistics.mean(row["seconds"] for row in group))
        lines.append(f"| {first['name']} | {changed} | {seeds} | {scores} | {first['epochs']} | {seconds} |")
    PAGE.write_text(head + _MARK + "\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


def _spread(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"


if __name__ == "__main__":
    main()
