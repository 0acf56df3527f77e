"""Fit a model's confidence to data it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from kgmill.extractor.modelfolder import CALIBRATION, WEIGHTS, calibration_folder, copy_model, find_model
from kgmill.flows.notes import note_seen, note_unused
from kgmill.flows.options import DataFile, DataFormat, ModelOptions
from kgmill.schemas.text import printable_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateOptions:
    """What is fitted, and where it goes."""

    into: Annotated[
        str, Option("--into", metavar="FOLDER", help="model folder to write calibration.json into (the model's)")
    ] = ""
    wanted_precision: Annotated[
        float, Option("--wanted-precision", metavar="P", show_default=False, help="choose a threshold a type")
    ] = 0.0
    svg: Annotated[str, Option("--svg", metavar="FILE", help="write a reliability diagram")] = ""


def calibrate(model: ModelOptions, options: CalibrateOptions, *, data: DataFile, form: DataFormat = "spert") -> None:
    """`kgmill calibrate`: slopes and biases, and thresholds where a precision is wanted, into calibration.json."""
    folder = find_model(model.model)
    into = calibration_folder(model.model, folder, options.into)
    from kgmill.extractor.data.annotated import check_types, read_annotated
    from kgmill.extractor.predict import open_predictor
    from kgmill.extractor.training.calibrate import calibrate_model as run
    from kgmill.extractor.training.evaluate import not_found
    from kgmill.extractor.training.reliability import format_calibration, reliability_svg

    sentences = read_annotated([data], form)
    predictor = open_predictor(folder, model.device, model.precision)
    check_types(sentences, predictor.ontology, data)
    note_seen(folder, sentences)
    note_unused(not_found(predictor, sentences))
    report = run(predictor, sentences, options.wanted_precision)
    if not (into / WEIGHTS).is_file():
        copy_model(folder, into)
    report.calibration.save(into)
    print(f"calibration written to {into / CALIBRATION}")
    print(printable_lines(format_calibration(report, options.wanted_precision)))
    if options.svg:
        Path(options.svg).write_text(reliability_svg(report), encoding="utf-8")
