"""Score a model on annotated sentences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from kgmill.extractor.modelfolder import find_model
from kgmill.flows.notes import note, note_seen, note_slow, note_unused
from kgmill.flows.options import DataFile, DataFormat, DevSets, Json, MinConfidence, ModelOptions, one_of
from kgmill.flows.terminal import show, show_json, waiting
from kgmill.schemas.errors import OutputError
from kgmill.schemas.text import printable_lines

if TYPE_CHECKING:
    from kgmill.extractor.data.annotated import AnnotatedSentence
    from kgmill.extractor.data.unused import Unused

PANEL = "Model"
EXAMPLES = (
    "kgmill evaluate --data examples/annotated/dev.json --model models/small",
    "kgmill evaluate --config examples/small.toml --model models/small --json",
)


def evaluate(
    model: ModelOptions,
    *,
    data: DataFile = None,
    config: DevSets = None,
    form: DataFormat = "spert",
    min_confidence: MinConfidence = 0.4,
    sizes: Annotated[bool, Option("--sizes", help="also by entity length and relation distance")] = False,
    errors: Annotated[str | None, Option("--errors", metavar="FILE.html", help="write a page of the errors")] = None,
    as_json: Json = False,
) -> None:
    """`kgmill evaluate`."""
    one_of({"--data": data, "--config": config}, is_needed=True)
    if errors and not Path(errors).parent.is_dir():
        raise OutputError(f"--errors {errors}: no such folder")
    folder = find_model(model.model)
    from kgmill.extractor.data.annotated import check_types
    from kgmill.extractor.data.readers import read_annotated
    from kgmill.extractor.predict import open_predictor
    from kgmill.extractor.training.evaluate import format_report, format_sizes, not_found, predict_and_score
    from kgmill.extractor.training.listing import write_listing
    from kgmill.extractor.training.metrics import score_by_size
    from kgmill.extractor.training.sets import read_dev_sets

    if config:
        sets = [(one.title, sentences) for one, sentences in read_dev_sets(config)]
    else:
        sets = [(str(data), read_annotated([str(data)], form))]
    note_slow(model.precision)
    with waiting("loading the model"):
        predictor = open_predictor(folder, model.device, model.precision)
    symmetric = predictor.ontology.symmetric
    reports, listed = {}, {}
    for name, sentences in sets:
        check_types(sentences, predictor.ontology, name)
        note_seen(folder, sentences)
        if lost := not_found(predictor, sentences):
            _note_missed(lost, sentences)
        predicted, report = predict_and_score(predictor, predictor.ontology, sentences, min_confidence)
        reports[name], listed[name] = report, (sentences, predicted)
        if as_json:
            continue
        show(printable_lines((f"{name}\n" if config else "") + format_report(report)))
        if sizes:
            show(printable_lines(format_sizes(score_by_size(sentences, predicted, symmetric))))
    if errors:
        write_listing(Path(errors), f"Errors of {model.model} at {min_confidence}", listed, symmetric)
        note(f"errors written to {errors}")
    if as_json:
        show_json(reports if config else report)


def _note_missed(lost: Sequence[Unused], sentences: Sequence[AnnotatedSentence]) -> None:
    note_unused(lost)
    counts = []
    for task, plural in (("entity", "entities"), ("relation", "relations")):
        n_gold = sum(len(getattr(s, plural)) + sum(one.task == task for one in s.unused) for s in sentences)
        counts.append(f"{sum(one.task == task for one in lost)} of {n_gold} {plural}")
    note(f"{' and '.join(counts)} can't be found; they count as missed")
