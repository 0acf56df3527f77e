"""Fit a model's confidence to data it was not trained on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from kgmill.extractor.modelfolder import CALIBRATION, WEIGHTS, calibration_folder, copy_model, find_model
from kgmill.flows.notes import note_seen, note_slow, note_unused
from kgmill.flows.options import DataFile, DataFormat, DevSets, Json, ModelOptions, one_of
from kgmill.flows.terminal import say, show_json, waiting
from kgmill.schemas.text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

PANEL = "Model"
EXAMPLES = ("kgmill calibrate --model models/small --data dev.json --into models/calibrated --wanted-precision 0.9",)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateOptions:
    """What is fitted, and where it goes."""

    into: Annotated[
        str, Option("--into", metavar="FOLDER", help="model folder to write calibration.json into (the model's)")
    ] = ""
    wanted_precision: Annotated[
        float, Option("--wanted-precision", metavar="P", show_default=False, help="choose a threshold a type")
    ] = 0.0
    mask_below: Annotated[
        float,
        Option("--mask-below", metavar="P", show_default=False, help="mask relations that are less precise than this"),
    ] = 0.0
    svg: Annotated[str, Option("--svg", metavar="FILE", help="write a reliability diagram")] = ""


def calibrate(
    model: ModelOptions,
    options: CalibrateOptions,
    *,
    data: DataFile = None,
    config: DevSets = None,
    form: DataFormat = "spert",
    as_json: Json = False,
) -> None:
    """`kgmill calibrate`: slopes and biases, and thresholds where a precision is wanted, into calibration.json."""
    one_of({"--data": data, "--config": config}, is_needed=True)
    folder = find_model(model.model)
    into = calibration_folder(model.model, folder, options.into)
    from kgmill.extractor.data.annotated import check_types
    from kgmill.extractor.data.readers import read_annotated
    from kgmill.extractor.predict import open_predictor
    from kgmill.extractor.training.calibrate import calibrate_model as run
    from kgmill.extractor.training.evaluate import not_found
    from kgmill.extractor.training.reliability import (
        fitted_rows,
        outcome_rows,
        precision_rows,
        promise_note,
        promise_rows,
        reliability_svg,
    )
    from kgmill.extractor.training.sets import read_dev_sets
    from kgmill.flows.tables import table

    sets = read_dev_sets(config) if config else []
    fitted_to = [found for one, found in sets if one.calibrates] or [found for _, found in sets]
    judged = {one.title: found for one, found in sets if not any(found is other for other in fitted_to)}
    sentences = read_annotated([data], form) if data else list(chain.from_iterable(fitted_to))
    names = [one.title for one, found in sets if any(found is other for other in fitted_to) for _ in found]
    note_slow(model.precision)
    with waiting("loading the model"):
        predictor = open_predictor(folder, model.device, model.precision)
    everything = [*sentences, *chain.from_iterable(judged.values())]
    check_types(everything, predictor.ontology, data or str(config))
    note_seen(folder, everything)
    note_unused(not_found(predictor, sentences))
    report = run(
        *(predictor, sentences, options.wanted_precision),
        least_precision=options.mask_below,
        sets=names,
        judged=judged,
    )
    if not (into / WEIGHTS).is_file():
        copy_model(folder, into)
    report.calibration.save(into)
    if options.svg:
        Path(options.svg).write_text(reliability_svg(report), encoding="utf-8")
    if as_json:
        show_json(
            {
                "calibration": report.calibration.as_dict(),
                "outcomes": list(outcome_rows(report)),
                "promises": report.promises,
                "precision": precision_rows(report),
                "written_to": str(into / CALIBRATION),
            }
        )
        return
    say(printable(f"calibration written to {into / CALIBRATION}"))
    say("", table(("fitted", ""), fitted_rows(report)), "", _outcome_table(outcome_rows(report)))
    if report.promises:
        say("", table(("type", f"precision {options.wanted_precision:g}"), promise_rows(report)))
        say(*filter(None, [promise_note(report)]))
    if report.precision:
        say("", _precision_table(precision_rows(report)))


def _outcome_table(rows: Iterable[dict[str, Any]]) -> RenderableType:
    from kgmill.extractor.training.outcomes import SURE
    from kgmill.flows.tables import table

    columns = ("found, cross-fitted", ">items", ">claimed", ">right", ">error", f">{SURE:g} up", ">right")
    return table(columns, map(_outcome_cells, rows))


def _outcome_cells(row: dict[str, Any]) -> tuple[object, ...]:
    at = f" at {row['threshold']:g} and above" if row["threshold"] is not None else ""
    shares = (_percent(row[name]) for name in ("claimed", "right", "error"))
    return f"{row['task']}{at}, {row['of']}", row["items"], *shares, row["sure"], _percent(row["sure_right"])


def _precision_table(rows: Iterable[dict[str, Any]]) -> RenderableType:
    from kgmill.flows.tables import table

    cells = ((r["relation"], r["items"], _percent(r["right"]), "masked" if r["masked"] else "") for r in rows)
    return table(("relation, at the threshold of users", ">items", ">right", ""), cells)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"
