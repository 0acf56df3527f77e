"""Train a model."""

from __future__ import annotations

import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from kgmill.flows.notes import note
from kgmill.flows.options import Json
from kgmill.flows.terminal import progress, say, show_json
from kgmill.schemas.errors import ConfigError
from kgmill.schemas.text import printable
from kgmill.schemas.training import TrainConfig

if TYPE_CHECKING:
    from kgmill.extractor.training.state import EpochReport

GOES_ON = "; the next run goes on after the last whole epoch"
PANEL = "Model"
EXAMPLES = (
    "kgmill train examples/small.toml",
    "kgmill train examples/small.toml --set epochs=3 --set out=models/trial",
)


def train(
    file: Annotated[str, Argument(metavar="F.toml", help="the training's file; kgmill init writes one")],
    *,
    exclude: Annotated[
        list[str] | None, Option("--exclude", metavar="FILE", help="sentences, or hashes, not to train on")
    ] = None,
    settings: Annotated[
        list[str] | None,
        Option("--set", metavar="KEY=VALUE", help="another value than the file's, as TOML writes it: --set epochs=3"),
    ] = None,
    as_json: Json = False,
) -> None:
    """`kgmill train`."""
    config = TrainConfig.load(Path(file), dict(map(_setting, settings or ())))
    if exclude:
        config = config.model_copy(update={"exclude": (*config.exclude, *exclude)})
    from kgmill.extractor.training.state import kept
    from kgmill.extractor.training.train import train as run

    with progress("steps") as shown:
        reports = run(
            config,
            on_step=lambda done, total, loss: shown.update("train", done / total, total, f"loss {loss:.3f}"),
            on_epoch=_hide if as_json else _show,
            on_note=note,
        )
    if as_json:
        epoch = kept(reports, config.keep).epoch
        show_json({"epochs": [asdict(one) for one in reports], "kept": epoch, "written_to": config.out})
        return
    if (last := reports[-1].epoch) < config.epochs:
        say(f"stopped after epoch {last}: dev was no better for {config.patience} scored epochs")
    if config.keep == "best":
        say(f"kept: epoch {kept(reports, config.keep).epoch}, the best on dev")
    say(printable(f"model written to {config.out}"))


def _setting(text: str) -> tuple[str, Any]:
    """A key and its value; a word that is no TOML value is a text."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {text}: not KEY=VALUE")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except ValueError:
        return key, value


def _hide(report: EpochReport) -> None:
    """Nothing: all is said in the end."""


def _show(report: EpochReport) -> None:
    scores = ""
    if report.dev:
        ner, re = (100 * report.dev[task]["strict"]["f1"] for task in ("entities", "relations"))
        scores = f"  dev NER {ner:.1f}  strict RE {re:.1f}"
    say(f"epoch {report.epoch}  loss {report.loss:.4f}  {report.seconds:.0f} s{scores}")
