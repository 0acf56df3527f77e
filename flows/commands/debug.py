"""Find what is wrong with annotated data before it is trained on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, Option

from kgmill.flows.options import DataFormat, Json
from kgmill.flows.terminal import show, show_json, waiting
from kgmill.schemas.errors import CheckError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from kgmill.extractor.data.annotated import AnnotatedSentence
    from kgmill.extractor.data.inspect import Finding
    from kgmill.schemas.ontology import Ontology

PANEL = "Model"
EXAMPLES = (
    "kgmill debug data train.json dev.json",
    "kgmill debug data examples/small.toml --strict",
    "kgmill debug data train.conll --format conll --ontology ontology.toml --json",
)


def debug(
    what: Annotated[Literal["data"], Argument(metavar="data", help="what is looked at: annotated data")],
    files: Annotated[
        list[str],
        Argument(
            metavar="FILE",
            help="annotated sentences, each file a part, the first the one to train on; or the TOML file of a training",
        ),
    ],
    *,
    form: DataFormat = "spert",
    ontology: Annotated[str | None, Option("--ontology", metavar="F.toml", help="what the types have to be")] = None,
    strict: Annotated[bool, Option("--strict", help="exit with 1 where there are faults")] = False,
    as_json: Json = False,
) -> None:
    """`kgmill debug data FILES`: leaks, duplicates, overlaps, rare and unknown types, what can't be used."""
    from kgmill.extractor.data.inspect import describe, inspect
    from kgmill.schemas.ontology import load_ontology

    if len(files) == 1 and files[0].endswith(".toml"):
        parts, known, width = _of_training(files[0])
    else:
        from kgmill.extractor.data.readers import read_annotated

        parts, known, width = {name: read_annotated([file], form) for name, file in _named(files).items()}, None, 10
    if ontology:
        known = load_ontology(Path(ontology))
    told, found = describe(parts), inspect(parts, known, width)
    n_faults = sum(one.n for one in found if one.level == "fault")
    if as_json:
        show_json({"parts": told, "findings": [asdict(one) for one in found], "faults": n_faults})
    else:
        show(*_tables(told, found))
    if strict and n_faults:
        raise CheckError(f"debug data: {n_faults} faults in {', '.join(files)}; they are listed on standard output")


def _named(files: list[str]) -> dict[str, str]:
    """The files by their short names, where these tell them apart."""
    if twice := [file for file in files if files.count(file) > 1]:
        raise UsageError(f"{twice[0]}: given twice; each file is a part of its own")
    stems = [Path(file).stem for file in files]
    return dict(zip(stems if len(set(stems)) == len(stems) else files, files, strict=True))


def _of_training(file: str) -> tuple[dict[str, Sequence[AnnotatedSentence]], Ontology | None, int]:
    """The sentences of a training as it reads them, its ontology and its widest span."""
    with waiting("loading torch"):
        from kgmill.extractor.training.sets import read_set, read_trained
    from kgmill.schemas.ontology import load_ontology
    from kgmill.schemas.training import TrainConfig

    config = TrainConfig.load(Path(file), {})
    parts: dict[str, Sequence[AnnotatedSentence]] = {
        "train": [s for one in config.train_sets for s in read_trained(one, config.labels).sentences]
    }
    if config.dev_sets:
        parts["dev"] = [s for one in config.dev_sets for s in read_set(one, config.labels).sentences]
    return parts, load_ontology(Path(config.ontology)) if config.ontology else None, config.max_span_width


def _tables(told: dict[str, dict[str, Any]], found: list[Finding]) -> Iterator[RenderableType]:
    from rich.text import Text

    from kgmill.flows.tables import table

    rows = []
    for name, part in told.items():
        mean = f"{part['words'] / part['sentences']:.1f}" if part["sentences"] else "-"
        counts = (sum(part["entities"].values()), sum(part["relations"].values()), part["without_entities"])
        rows.append((name, part["sentences"], mean, part["longest"], *counts))
    yield table(["part", ">sentences", ">words", ">longest", ">entities", ">relations", ">empty"], rows)
    for kind in ("entities", "relations"):
        names = sorted({name for part in told.values() for name in part[kind]})
        yield ""
        by_part = [(name, *(part[kind].get(name, 0) for part in told.values())) for name in names]
        yield table([kind, *(f">{name}" for name in told)], by_part)
    yield ""
    if not found:
        yield "nothing was found that is wrong"
        return
    styles = {"fault": "bold red", "warning": "yellow"}
    findings = [
        (Text(one.level, styles[one.level]), one.n, one.what + (f" (first: {one.first})" if one.first else ""))
        for one in found
    ]
    yield table(["", ">n", "what was found"], findings)
