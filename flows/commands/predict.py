"""Mentions and relations of text, or of annotated sentences."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Argument, Option

from kgmill.extractor.modelfolder import find_model
from kgmill.flows.notes import note_slow
from kgmill.flows.options import DataFile, DataFormat, MinConfidence, ModelOptions
from kgmill.flows.terminal import note, show, waiting
from kgmill.schemas.errors import DataError, RecordError, UsageError
from kgmill.schemas.text import printable_json, printable_lines, storable

if TYPE_CHECKING:
    from kgmill.extractor.data.annotated import AnnotatedSentence
    from kgmill.extractor.data.predictions import PredictionFormat

PANEL = "Model"
EXAMPLES = (
    "kgmill predict --text 'Marie Curie lived in Paris, France.'",
    "kgmill predict letter.txt --model models/small",
)


def predict(
    model: ModelOptions,
    files: Annotated[list[str] | None, Argument(metavar="FILE", help="text files; none: standard input")] = None,
    *,
    text: Annotated[str | None, Option("--text", metavar="TEXT", help="the text itself")] = None,
    data: DataFile = None,
    form: DataFormat = "spert",
    target: Annotated[
        Literal["lines", "spert", "dygie"] | None,
        Option("--to", help="lines: a JSON line a text, offsets in characters (spert for --data)", show_default=False),
    ] = None,
    min_confidence: MinConfidence = 0.4,
) -> None:
    """`kgmill predict`: a JSON line a text with its mentions and relations, or a file as SpERT or DyGIE writes it."""
    if data and (text is not None or files):
        raise UsageError("--data and texts exclude one another")
    if data and target == "lines":
        raise UsageError("--to lines is for texts, as --data has no characters; give --to spert or dygie")
    find_model(model.model)
    written_as: PredictionFormat = "dygie" if target == "dygie" else "spert"
    if data:
        from kgmill.extractor.data.readers import read_annotated

        _predict_sentences(model, read_annotated([data], form), written_as, min_confidence, has_gold=True)
    elif target in ("spert", "dygie"):
        from kgmill.extractor.data.standoff import MarkedText, lay_out

        texts = [MarkedText(storable(content), [], [], name, name) for name, content in _texts(text, files or [])]
        sentences = [sentence for one in texts for sentence in lay_out(one)]
        _predict_sentences(model, sentences, written_as, min_confidence, has_gold=False)
    else:
        _predict_lines(model, list(_texts(text, files or [])), min_confidence)


def _predict_sentences(
    model: ModelOptions,
    sentences: Sequence[AnnotatedSentence],
    target: PredictionFormat,
    min_confidence: float,
    *,
    has_gold: bool,
) -> None:
    with waiting("loading torch"):
        from kgmill.extractor.data.predictions import format_predictions
        from kgmill.extractor.predict import open_predictor
        from kgmill.extractor.training.evaluate import predict_sentences

    note_slow(model.precision)
    with waiting("loading the model"):
        predictor = open_predictor(find_model(model.model), model.device, model.precision)
    predicted = predict_sentences(predictor, predictor.ontology, sentences, min_confidence)
    show(printable_lines(format_predictions(sentences, predicted, target, has_gold=has_gold)).rstrip("\n"))


def _predict_lines(model: ModelOptions, texts: Sequence[tuple[str, str]], min_confidence: float) -> None:
    with waiting("loading torch"):
        from kgmill.extractor.api import Extractor

    note_slow(model.precision)
    with waiting("loading the model"):
        extractor = Extractor.from_pretrained(model.model, device=model.device, precision=model.precision)
    extracted = extractor.extract((content for _, content in texts), min_confidence=min_confidence)
    for (name, content), extraction in zip(texts, extracted, strict=True):
        found = extraction.to_dict()
        line = {"source": name, "n_characters": len(content)} | {key: found[key] for key in ("mentions", "relations")}
        show(printable_json(line))


def _texts(text: str | None, files: Sequence[str]) -> Iterator[tuple[str, str]]:
    if text is not None:
        yield "--text", text
    for name in files:
        try:
            yield name, _decoded(Path(name).read_bytes(), name)
        except OSError as error:
            raise DataError(f"{name}: {error.strerror}") from None
    if text is None and not files:
        yield "-", _decoded(sys.stdin.buffer.read(), "standard input")


def _decoded(data: bytes, name: str) -> str:
    """The text as a build would store it; what was not plain Unicode is said."""
    from kgmill.pipelines.sources.encodings import decode

    try:
        text, encoding, n_replaced = decode(data)
    except RecordError as error:
        raise DataError(f"{name}: {error.detail}; save it as UTF-8") from None
    if not encoding.startswith("utf"):
        note(f"{name}: not UTF-8, read as {encoding}")
    if n_replaced:
        note(f"{name}: broken bytes replaced by U+FFFD: {n_replaced}")
    return text
