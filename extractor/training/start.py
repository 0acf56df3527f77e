"""A training that goes on from a model: its encoder and tokenizer, and of its heads what the new ontology has too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kgmill.extractor.neural.checkpoint import Checkpoint, load_checkpoint
from kgmill.extractor.neural.config import TwoPhaseConfig
from kgmill.extractor.neural.encoding import WordPieces
from kgmill.extractor.neural.two_phase import TwoPhaseModel
from kgmill.schemas.ontology import Ontology


def continued_checkpoint(folder: Path, ontology: Ontology, options: dict[str, Any]) -> Checkpoint:
    """A model of an ontology that starts from another's weights; `options` are fields of TwoPhaseConfig.

    A type that both ontologies name keeps its row of each head and embedding. What is of another shape in the old
    model, or not there, starts anew.

    Raises:
        CheckpointError: the folder holds no model.
    """
    old = load_checkpoint(folder, torch.device("cpu"))
    if options.get("word_shape") == "auto":
        options = {**options, "word_shape": old.model.config.word_shape}
    options["max_length"] = min(options["max_length"], old.model.config.max_length)
    config = TwoPhaseConfig(
        encoder=old.model.config.encoder,
        entity_types=list(ontology.entity_names),
        relation_types=list(ontology.relation_names),
        **options,
    )
    model = TwoPhaseModel(config)
    WordPieces(old.tokenizer, config.max_length)  # says now if there is no x_0
    _take_over(model, old.model)
    return Checkpoint(model.train(), old.tokenizer, ontology)


@torch.no_grad()
def _take_over(model: TwoPhaseModel, old: TwoPhaseModel) -> None:
    theirs = dict(old.named_parameters())
    rows = _rows(model.config, old.config)
    judged_otherwise = model.config.pair_hidden != old.config.pair_hidden
    for name, parameter in model.named_parameters():
        module = name.rsplit(".", 1)[0]
        if name not in theirs or (module == "is_relation" and judged_otherwise):
            continue
        source = theirs[name]
        if module in rows:
            _copy_rows(parameter, source, rows[module])
        elif parameter.shape == source.shape:
            parameter.copy_(source)


def _copy_rows(target: Tensor, source: Tensor, pairs: Sequence[tuple[int, int]]) -> None:
    if pairs and target.shape[1:] == source.shape[1:]:
        ours, theirs = (torch.tensor(column) for column in zip(*pairs, strict=True))
        target[ours] = source[theirs]


def _rows(config: TwoPhaseConfig, old: TwoPhaseConfig) -> dict[str, list[tuple[int, int]]]:
    """Of each module with a row a type, or a pair of types: the rows of both models that mean the same."""
    none, old_none = (0 if c.two_phase else 1 for c in (config, old))
    entities = _shared(config.entity_types, old.entity_types)
    relations = _shared(config.relation_types, old.relation_types)
    n, n_old = len(config.entity_types or ()), len(old.entity_types or ())
    linked = [(a * n + b, c * n_old + d) for a, c in entities for b, d in entities]
    near, old_near = config.max_distance + 1, old.max_distance + 1
    features = [(a * near + i, b * old_near + i) for a, b in linked for i in range(min(near, old_near))]
    known_none = [(0, 0)] if none and old_none else []
    return {
        "entity_type": known_none + [(a + none, b + old_none) for a, b in entities],
        "relation_type": known_none + [(a + none, b + old_none) for a, b in relations],
        "link_embedding": linked,
        "feature_embedding": features,
    }


def _shared(ours: Sequence[str] | None, theirs: Sequence[str] | None) -> list[tuple[int, int]]:
    column = {name: i for i, name in enumerate(theirs or ())}
    return [(i, column[name]) for i, name in enumerate(ours or ()) if name in column]
