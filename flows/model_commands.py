"""The commands around a model: train, evaluate, predict."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgmill.extractor.modelfolder import (
    CALIBRATION,
    WEIGHTS,
    calibration_folder,
    copy_model,
    find_model,
    model_fingerprint,
)
from kgmill.flows.terminal import progress
from kgmill.schemas.config import TrainConfig
from kgmill.schemas.errors import ConfigError, DataError, RecordError
from kgmill.schemas.text import printable, printable_json, printable_lines

if TYPE_CHECKING:
    from kgmill.extractor.data.annotated import AnnotatedSentence
    from kgmill.extractor.data.unused import Unused


def train(options: Namespace) -> None:
    """`kgmill train`."""
    config = TrainConfig.load(Path(options.config), {})
    if options.exclude:
        config = config.model_copy(update={"exclude": (*config.exclude, *options.exclude)})
    from kgmill.extractor.training.train import EpochReport
    from kgmill.extractor.training.train import train as run

    def show(report: EpochReport) -> None:
        scores = ""
        if report.dev:
            ner, re = (100 * report.dev[task]["strict"]["f1"] for task in ("entities", "relations"))
            scores = f"  dev NER {ner:.1f}  strict RE {re:.1f}"
        print(f"epoch {report.epoch}  loss {report.loss:.4f}  {report.seconds:.0f} s{scores}", flush=True)

    with progress("steps") as shown:
        run(
            config,
            on_step=lambda done, total, loss: shown.update("train", done / total, total, f"loss {loss:.3f}"),
            on_epoch=show,
            on_note=_note,
        )
    print(printable(f"model written to {config.out}"))


def complete(options: Namespace) -> None:
    """`kgmill complete`: annotated sentences with what a model adds, one file or all such sets of a training."""
    if bool(options.data) != bool(options.out):
        raise ConfigError("complete: --data and --out go together; with --config the sets name their files")
    folder = find_model(options.model)
    from kgmill.extractor.data.annotated import check_types
    from kgmill.extractor.predict import open_predictor
    from kgmill.extractor.training.complete import Thresholds, format_counts, write_completed
    from kgmill.extractor.training.complete import complete as run
    from kgmill.extractor.training.sets import format_left_out, read_sets_to_complete

    jobs = read_sets_to_complete(options.config, options.data, options.format, options.out)
    predictor = open_predictor(folder, options.device, options.precision)
    for one, _ in jobs:
        check_types(one.sentences, predictor.ontology, ", ".join(one.config.files))
    thresholds = Thresholds(options.entities, options.relations, options.doubt)
    for one, out in jobs:
        _note_seen(folder, one.sentences)
        for line in format_left_out(one.left_out):
            _note(f"{one.config.title}: {line}")
        sentences = run(one.sentences, predictor, thresholds, model_fingerprint(folder)[:12])
        write_completed(sentences, Path(out))
        print(printable_lines(f"{one.config.title}: {len(sentences)} sentences\n{format_counts(sentences)}"))
        print(printable(f"written to {out}"), flush=True)


def evaluate(options: Namespace) -> None:
    """`kgmill evaluate`."""
    folder = find_model(options.model)
    from kgmill.extractor.data.annotated import check_types, read_annotated
    from kgmill.extractor.predict import open_predictor
    from kgmill.extractor.training.evaluate import evaluate as run
    from kgmill.extractor.training.evaluate import format_report, format_sizes, not_found, predict_sentences
    from kgmill.extractor.training.metrics import score_by_size

    sentences = read_annotated([options.data], options.format)
    predictor = open_predictor(folder, options.device, options.precision)
    check_types(sentences, predictor.ontology, options.data)
    _note_seen(folder, sentences)
    if lost := not_found(predictor, sentences):
        _note_missed(lost, sentences)
    report = run(predictor, predictor.ontology, sentences, options.min_confidence)
    print(json.dumps(report, indent=1) if options.json else printable_lines(format_report(report)))
    if options.sizes and not options.json:
        predicted = predict_sentences(predictor, predictor.ontology, sentences, options.min_confidence)
        print(printable_lines(format_sizes(score_by_size(sentences, predicted, predictor.ontology.symmetric))))


def _note(text: str) -> None:
    """Says what a user should know of the data; standard output has results alone."""
    print(f"kgmill: {printable(text)}", file=sys.stderr, flush=True)


def _note_unused(unused: Iterable[Unused]) -> None:
    from kgmill.extractor.data.unused import format_unused

    for line in format_unused(unused):
        _note(f"not used: {line}")


def _note_missed(lost: Sequence[Unused], sentences: Sequence[AnnotatedSentence]) -> None:
    _note_unused(lost)
    counts = []
    for task, plural, gold in (("entity", "entities", "entities"), ("relation", "relations", "relations")):
        n_gold = sum(len(getattr(s, gold)) + sum(one.task == task for one in s.unused) for s in sentences)
        counts.append(f"{sum(one.task == task for one in lost)} of {n_gold} {plural}")
    _note(f"{' and '.join(counts)} can't be found; they count as missed")


def _note_seen(folder: Path, sentences: Sequence[AnnotatedSentence]) -> None:
    from kgmill.extractor.training.lineage import n_seen

    if seen := n_seen(folder, sentences):
        _note(f"{seen} of {len(sentences)} sentences were in this model's training data")


def predict(options: Namespace) -> None:
    """`kgmill predict`: a JSON line a text with its mentions and relations, offsets in characters."""
    find_model(options.model)
    from kgmill.extractor.api import Extractor

    texts = list(_texts(options))
    extractor = Extractor.from_pretrained(options.model, device=options.device, precision=options.precision)
    found = extractor.extract((text for _, text in texts), min_confidence=options.min_confidence)
    for (name, text), extraction in zip(texts, found, strict=True):
        mentions = [_rounded(asdict(mention)) for mention in extraction.mentions]
        number = {mention: i for i, mention in enumerate(extraction.mentions)}
        relations = [
            _rounded({"head": number[r.head], "tail": number[r.tail], "type": r.type, "confidence": r.confidence})
            for r in extraction.relations
        ]
        line = {"source": name, "n_characters": len(text), "mentions": mentions, "relations": relations}
        print(printable_json(line))


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"confidence": round(row["confidence"], 6)}


def calibrate(options: Namespace) -> None:
    """`kgmill calibrate`: slopes and biases, and thresholds where a precision is wanted, into calibration.json."""
    folder = find_model(options.model)
    into = calibration_folder(options.model, folder, options.into or "")
    from kgmill.extractor.data.annotated import check_types, read_annotated
    from kgmill.extractor.predict import open_predictor
    from kgmill.extractor.training.calibrate import calibrate_model as run
    from kgmill.extractor.training.evaluate import not_found
    from kgmill.extractor.training.reliability import format_calibration, reliability_svg

    sentences = read_annotated([options.data], options.format)
    predictor = open_predictor(folder, options.device, options.precision)
    check_types(sentences, predictor.ontology, options.data)
    _note_seen(folder, sentences)
    _note_unused(not_found(predictor, sentences))
    report = run(predictor, sentences, options.wanted_precision)
    if not (into / WEIGHTS).is_file():
        copy_model(folder, into)
    report.calibration.save(into)
    print(f"calibration written to {into / CALIBRATION}")
    print(printable_lines(format_calibration(report, options.wanted_precision)))
    if options.svg:
        Path(options.svg).write_text(reliability_svg(report), encoding="utf-8")


def stats(options: Namespace) -> None:
    """`kgmill stats`: data distributions beside the paper's."""
    from kgmill.extractor.data.annotated import read_annotated
    from kgmill.extractor.data.reach import beyond_reach
    from kgmill.extractor.data.stats import MAX_SPAN_WIDTH, format_stats
    from kgmill.extractor.data.unused import format_unused

    sentences = read_annotated(options.data, options.format)
    _note_unused(one for sentence in sentences for one in sentence.unused)
    for line in format_unused(beyond_reach(sentences, None, MAX_SPAN_WIDTH)):
        _note(f"counted, but not trained on with max_span_width = {MAX_SPAN_WIDTH}: {line}")
    if options.hashes:
        from kgmill.extractor.training.lineage import write_hashes

        write_hashes(Path(options.hashes), sentences)
    print(printable_lines(format_stats(sentences)))


def convert(options: Namespace) -> None:
    """`kgmill convert`: annotated data from one format to the other."""
    from kgmill.extractor.data.convert import convert as run

    n_sentences, lost = run(Path(options.source), options.source_format, Path(options.target), options.target_format)
    _note_unused(lost)
    print(printable(f"{n_sentences} sentences written to {options.target}"))


def _texts(options: Namespace) -> Iterator[tuple[str, str]]:
    if options.text is not None:
        yield "--text", options.text
    for name in options.files:
        try:
            yield name, _decoded(Path(name).read_bytes(), name)
        except OSError as error:
            raise DataError(f"{name}: {error.strerror}") from None
    if options.text is None and not options.files:
        yield "-", _decoded(sys.stdin.buffer.read(), "standard input")


def _decoded(data: bytes, name: str) -> str:
    """The text as a build would store it; what was not plain Unicode is said."""
    from kgmill.pipelines.sources.encodings import decode

    try:
        text, encoding, n_replaced = decode(data)
    except RecordError as error:
        raise DataError(f"{name}: {error.detail}; save it as UTF-8") from None
    if not encoding.startswith("utf"):
        print(f"{name}: not UTF-8, read as {encoding}", file=sys.stderr)
    if n_replaced:
        print(f"{name}: broken bytes replaced by U+FFFD: {n_replaced}", file=sys.stderr)
    return text
