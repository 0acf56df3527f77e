"""Add to annotated data what a model finds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import BadParameter, Option

from kgmill.extractor.modelfolder import find_model, model_fingerprint
from kgmill.flows.notes import note, note_seen, note_slow
from kgmill.flows.options import DataFormat, Json, ModelOptions, one_of
from kgmill.flows.terminal import say, show_json, waiting
from kgmill.schemas.errors import ConfigError
from kgmill.schemas.text import printable, printable_lines

PANEL = "Model"
EXAMPLES = (
    "kgmill complete --data train.json --out completed.json",
    "kgmill complete --config F.toml --model models/small",
)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise BadParameter(f"{text!r} is no confidence over 0 and up to 1")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteOptions:
    """How sure a model has to be."""

    entities: Annotated[
        float, Option("--entities", metavar="P", parser=_share, help="confidence from which on an entity is added")
    ] = 0.5
    relations: Annotated[
        float, Option("--relations", metavar="P", parser=_share, help="confidence from which on a relation is added")
    ] = 0.6
    doubt: Annotated[
        float,
        Option(
            "--doubt",
            metavar="P",
            parser=_share,
            help="confidence from which on what is not added is doubtful, and not trained on",
        ),
    ] = 0.2


def complete(
    model: ModelOptions,
    thresholds: CompleteOptions,
    *,
    data: Annotated[
        str | None, Option("--data", metavar="FILE", help="annotated sentences, under the labels of the model")
    ] = None,
    config: Annotated[
        str | None,
        Option("--config", metavar="F.toml", help="each set of a training that names a file `completed`"),
    ] = None,
    out: Annotated[str | None, Option("--out", metavar="FILE", help="the file to write, with --data")] = None,
    form: DataFormat = "spert",
    as_json: Json = False,
) -> None:
    """`kgmill complete`: annotated sentences with what a model adds, one file or all such sets of a training."""
    one_of({"--data": data, "--config": config}, is_needed=True)
    if bool(data) != bool(out):
        raise ConfigError("complete: --data and --out go together; with --config the sets name their files")
    folder = find_model(model.model)
    from kgmill.extractor.data.annotated import check_types
    from kgmill.extractor.predict import open_predictor
    from kgmill.extractor.training.complete import Thresholds, counted, format_counts, write_completed
    from kgmill.extractor.training.complete import complete as run
    from kgmill.extractor.training.sets import format_left_out, read_sets_to_complete

    jobs = read_sets_to_complete(config or "", data or "", form, out or "")
    note_slow(model.precision)
    with waiting("loading the model"):
        predictor = open_predictor(folder, model.device, model.precision)
    for one, _ in jobs:
        check_types(one.sentences, predictor.ontology, ", ".join(one.config.files))
    least = Thresholds(thresholds.entities, thresholds.relations, thresholds.doubt)
    told = []
    for one, target in jobs:
        note_seen(folder, one.sentences)
        for line in format_left_out(one.left_out):
            note(f"{one.config.title}: {line}")
        sentences = run(one.sentences, predictor, least, model_fingerprint(folder)[:12])
        write_completed(sentences, Path(target))
        told.append({"set": one.config.title, **counted(sentences), "written_to": target})
        if as_json:
            continue
        say(printable_lines(f"{one.config.title}: {len(sentences)} sentences\n{format_counts(sentences)}"))
        say(printable(f"written to {target}"))
    if as_json:
        show_json(told if config else told[0])
