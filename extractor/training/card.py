"""The model card and the training configuration, written beside the weights."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from kgmill.extractor.modelfolder import is_hub_id, model_languages
from kgmill.extractor.training.state import EpochReport, kept
from kgmill.schemas.errors import ConfigError
from kgmill.schemas.text import decode_utf8
from kgmill.schemas.training import TrainConfig

_TAGS = ("kgmill", "named-entity-recognition", "relation-extraction", "information-extraction", "knowledge-graph")


def write_card(
    folder: Path, config: TrainConfig, *, n_sentences: int, reports: Sequence[EpochReport], notes: Sequence[str]
) -> None:
    """Writes training.toml, with the versions it ran on, and README.md, the card.

    `reports` are the epochs, `notes` say what was not used of the data.
    """
    (folder / "training.toml").write_text(training_toml(config), encoding="utf-8")
    head = card_head(config, model_languages(folder), reports)
    card = _card(config, n_sentences, reports, notes)
    (folder / "README.md").write_text(f"---\n{head}\n---\n\n{card}", encoding="utf-8")


def card_head(config: TrainConfig, languages: Sequence[str], reports: Sequence[EpochReport]) -> str:
    """What hubs read of a card, as YAML: languages, licence, library, tags, base model, scores on dev."""
    name = ", ".join(one.title for one in config.dev_sets)
    dev = kept(reports, config.keep).dev or {}
    results = [
        EvalResult(
            task_type="token-classification",
            dataset_type=name,
            dataset_name=name,
            metric_type="f1",
            metric_name=f"strict F1 of {task}",
            metric_value=round(scores["strict"]["f1"], 4),
        )
        for task, scores in ((task, dev[task]) for task in ("entities", "relations") if dev)
    ]
    data = ModelCardData(
        language=list(languages) or None,
        license=config.license or None,
        library_name="kgmill",
        pipeline_tag="token-classification",
        tags=list(_TAGS),
        base_model=base_model(config),
        model_name=Path(config.out).name or "model",
        eval_results=results or None,
    )
    return str(data.to_yaml())


def base_model(config: TrainConfig) -> str | None:
    """The hub's name of what the training started from; None where it is none of a hub."""
    name = config.start or config.encoder
    return name if is_hub_id(name) else None


def training_toml(config: TrainConfig) -> str:
    """The configuration as TOML that `kgmill train` takes, the versions as comments."""
    lines = [f"# {name} {version(name)}" for name in ("torch", "transformers", "numpy")]
    for key, value in config.model_dump(mode="json", exclude={"encoder"} if config.start else set()).items():
        lines.append(f"{key} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """A value as TOML on one line; what is None is left out of a table, as TOML has no such value."""
    if isinstance(value, dict):
        pairs = (f"{json.dumps(k, ensure_ascii=False)} = {_toml(v)}" for k, v in value.items() if v is not None)
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _card(config: TrainConfig, n_sentences: int, reports: Sequence[EpochReport], notes: Sequence[str]) -> str:
    rates = f"{config.learning_rate} (encoder) and {config.head_learning_rate} (heads)"
    kind = "two-phase" if config.two_phase else "one-phase"
    lines = [
        "# Model card",
        "",
        f"A {kind} span-based joint entity-relation extractor, made by `kgmill train training.toml`.",
        "",
        f"- Goes on from: {config.start}" if config.start else f"- Encoder: {config.encoder}",
        f"- Trained on: {', '.join(config.train_files)} ({n_sentences} sentences)",
        *(f"- {note[0].upper()}{note[1:]}" for note in notes),
        f"- Seed {config.seed}, epochs {config.epochs}, batch {config.batch_size}, rates {rates}",
        *_choice(config, reports),
        "- Everything else, and the versions it ran on: training.toml",
        "",
    ]
    if dev := kept(reports, config.keep).dev:
        lines += [
            f"F1 on {', '.join(config.dev_files)}, best-span decoding:",
            "",
            "| | strict | boundaries |",
            "|---|---|---|",
        ]
        for task in ("entities", "relations"):
            strict, boundaries = (100 * dev[task][protocol]["f1"] for protocol in ("strict", "boundaries"))
            lines.append(f"| {task} | {strict:.1f} | {boundaries:.1f} |")
        lines.append("")
    if config.card:
        lines.append(decode_utf8(Path(config.card).read_bytes(), config.card, ConfigError))
    return "\n".join(lines)


def _choice(config: TrainConfig, reports: Sequence[EpochReport]) -> Iterator[str]:
    """Lines on when the training stopped, and whose weights it kept, where that is not the end."""
    if (last := reports[-1].epoch) < config.epochs:
        yield f"- Stopped after epoch {last}: dev was no better for {config.patience} scored epochs"
    if config.keep == "best":
        chosen = kept(reports, config.keep).epoch
        yield f"- The weights are those after epoch {chosen}, the best on dev, so its scores there are not held out"
