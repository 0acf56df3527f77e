"""What a training tells of itself: a row an epoch as CSV, and events for TensorBoard, where they are wanted."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kgmill.extractor.training.state import EpochReport

CSV = "training.csv"
_SCORES = tuple(
    (task, protocol, name)
    for task in ("entities", "relations")
    for protocol in ("strict", "boundaries")
    for name in ("precision", "recall", "f1")
)


def write_csv(path: Path, reports: Sequence[EpochReport]) -> None:
    """Writes a row an epoch: its number, mean loss, seconds and, where it was scored, the scores of dev."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["epoch", "loss", "seconds", *map("_".join, _SCORES)])
        for one in reports:
            scores: list[object] = [score for _, score in _scores(one)] or [""] * len(_SCORES)
            rows.writerow([one.epoch, one.loss, round(one.seconds, 3), *scores])


def _scores(report: EpochReport) -> list[tuple[str, float]]:
    dev: dict[str, Any] = report.dev or {}
    return [("/".join(path), dev[path[0]][path[1]][path[2]]) for path in _SCORES] if dev else []


class Events:
    """Events for TensorBoard."""

    def __init__(self, writer: Any = None) -> None:
        self.writer = writer

    def step(self, step: int, loss: float, rate: float) -> None:
        """Tells of a step: its number from 1 on, its loss, the rate of the heads."""
        if self.writer:
            self.writer.add_scalar("train/loss", loss, step)
            self.writer.add_scalar("train/learning_rate", rate, step)

    def epoch(self, step: int, report: EpochReport) -> None:
        """Tells of an epoch that ended with a step."""
        if self.writer:
            self.writer.add_scalar("train/epoch_loss", report.loss, step)
            for name, score in _scores(report):
                self.writer.add_scalar(f"dev/{name}", score, step)
            self.writer.flush()


@contextmanager
def events(folder: str, n_steps: int) -> Iterator[Events]:
    """Events that go into a folder, none for an empty name, after the steps that are done."""
    if not folder:
        yield Events()
        return
    from torch.utils.tensorboard import SummaryWriter

    # What an epoch that was cut off had told of later steps is hidden.
    with SummaryWriter(folder, purge_step=n_steps + 1 if n_steps else None) as writer:
        yield Events(writer)
