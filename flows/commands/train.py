"""Train a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from kgmill.flows.notes import note
from kgmill.schemas.text import printable
from kgmill.schemas.training import TrainConfig

if TYPE_CHECKING:
    from kgmill.extractor.training.train import EpochReport

GOES_ON = "; the next run goes on after the last whole epoch"


def train(
    file: Annotated[str, Argument(metavar="F.toml")],
    *,
    exclude: Annotated[
        list[str] | None, Option("--exclude", metavar="FILE", help="sentences, or hashes, not to train on")
    ] = None,
) -> None:
    """`kgmill train`."""
    config = TrainConfig.load(Path(file), {})
    if exclude:
        config = config.model_copy(update={"exclude": (*config.exclude, *exclude)})
    from kgmill.extractor.training.train import train as run
    from kgmill.flows.terminal import progress

    with progress("steps") as shown:
        run(
            config,
            on_step=lambda done, total, loss: shown.update("train", done / total, total, f"loss {loss:.3f}"),
            on_epoch=_show,
            on_note=note,
        )
    print(printable(f"model written to {config.out}"))


def _show(report: EpochReport) -> None:
    scores = ""
    if report.dev:
        ner, re = (100 * report.dev[task]["strict"]["f1"] for task in ("entities", "relations"))
        scores = f"  dev NER {ner:.1f}  strict RE {re:.1f}"
    print(f"epoch {report.epoch}  loss {report.loss:.4f}  {report.seconds:.0f} s{scores}", flush=True)
