"""The state of a training between epochs: what it is, whose weights are kept, how it is saved and found."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from kgmill.extractor.neural.two_phase import TwoPhaseModel
from kgmill.schemas.errors import OutputError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EpochReport:
    """What one epoch gave; `dev` is None between scored epochs."""

    epoch: int
    loss: float
    seconds: float
    dev: dict[str, Any] | None

    @property
    def score(self) -> tuple[float, float]:
        """What scored epochs are compared by: strict F1 of relations, then of entities."""
        assert self.dev is not None  # noqa: S101 - only scored epochs are compared
        return self.dev["relations"]["strict"]["f1"], self.dev["entities"]["strict"]["f1"]


def kept(reports: Sequence[EpochReport], keep: str) -> EpochReport:
    """The epoch whose weights are kept: the last one, or the first of those with the best score."""
    if keep == "last":
        return reports[-1]
    return max((report for report in reports if report.dev), key=lambda report: report.score)


def n_since_best(reports: Sequence[EpochReport]) -> int:
    """The scored epochs since the best one."""
    scored = [report for report in reports if report.dev]
    return len(scored) - 1 - scored.index(kept(scored, "best")) if scored else 0


@dataclass
class State:
    """All that changes while training.

    Attributes:
        average: averaged weights by name; empty where none are kept.
        before: the weights before the first step, where some of them are kept.
        share_before: how much of what is kept they are.
        best: the weights after the best epoch so far; empty where they are not asked for.
    """

    model: TwoPhaseModel
    optimizer: torch.optim.Optimizer
    average: dict[str, torch.Tensor]
    step: int = 0
    epoch: int = 0
    reports: list[EpochReport] = field(default_factory=list)
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    before: dict[str, torch.Tensor] = field(default_factory=dict)
    share_before: float = 0.0

    def weights(self) -> dict[str, torch.Tensor]:
        """A copy of the weights that an epoch gives: the averaged ones, if there are any, and a share of the first."""
        now = self.average or dict(self.model.named_parameters())
        if not self.before:
            return {name: p.detach().clone() for name, p in now.items()}
        return {name: torch.lerp(p.detach(), self.before[name], self.share_before) for name, p in now.items()}


@contextmanager
def with_weights(model: TwoPhaseModel, weights: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """The model with other weights for as long as the block lasts; what is not among them stays."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    try:
        _put(model, weights)
        yield
    finally:
        _put(model, before)


@torch.no_grad()
def _put(model: TwoPhaseModel, weights: Mapping[str, torch.Tensor]) -> None:
    for name, parameter in model.named_parameters():
        if name in weights:
            parameter.copy_(weights[name])


def save(state: State, folder: Path, parts: Mapping[str, str]) -> None:
    """Saves the state after an epoch: tensors first, then the file that makes them valid, then older tensors go."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{n}": p.detach() for n, p in state.model.named_parameters()}
    tensors |= {f"average.{n}": t for n, t in state.average.items()}
    tensors |= {f"best.{n}": t for n, t in state.best.items()}
    for i, slots in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{key}": torch.as_tensor(value) for key, value in slots.items()}
    name = f"epoch-{state.epoch}.safetensors"
    save_file({key: t.cpu().contiguous() for key, t in tensors.items()}, folder / name)
    header = {
        "parts": dict(parts),
        "tensors": name,
        "epoch": state.epoch,
        "step": state.step,
        "reports": [(r.epoch, r.loss, r.seconds, r.dev) for r in state.reports],
    }
    partial = folder / "state.json.partial"
    partial.write_text(json.dumps(header), encoding="utf-8")
    os.replace(partial, folder / "state.json")
    for old in folder.glob("epoch-*.safetensors"):
        if old.name != name:
            old.unlink()


def restore(state: State, folder: Path, parts: Mapping[str, str]) -> None:
    """Goes back to the state that a folder has, if it has one.

    Raises:
        OutputError: it is that of another training; `parts` are the fingerprints of what this one is made from.
    """
    if not (folder / "state.json").is_file():
        return
    header = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    saved = header.get("parts", {})
    if changed := [name for name, value in parts.items() if saved.get(name) != value]:
        raise OutputError(
            f"{folder}: holds the state of a training with another {', '.join(changed)}; "
            "put that back, delete the folder, or choose another `out`"
        )
    tensors = load_file(folder / header["tensors"])
    _put(state.model, _below("model", tensors))
    with torch.no_grad():
        for name, average in state.average.items():
            average.copy_(tensors[f"average.{name}"])
    state.best = _below("best", tensors)
    slots: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in _below("optimizer", tensors).items():
        i, slot = key.split(".")
        slots.setdefault(int(i), {})[slot] = tensor
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": slots, "param_groups": groups})
    state.epoch, state.step = header["epoch"], header["step"]
    state.reports = [EpochReport(*report) for report in header["reports"]]
    logger.info("resuming after epoch %d of %s", state.epoch, folder)


def _below(group: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of a group, by their names in it."""
    return {key.partition(".")[2]: tensor for key, tensor in tensors.items() if key.partition(".")[0] == group}
