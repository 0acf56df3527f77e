"""The configuration of a model, as its config.json has it."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedConfig


class TwoPhaseConfig(PreTrainedConfig):
    """Configuration of the model; `encoder` is the configuration of the Hugging Face encoder inside, as a dict.

    `phase_one` says what phase one was trained as: one softmax over both outputs, or a sigmoid for each.
    """

    model_type = "kgmill-two-phase"

    encoder: dict[str, Any] | None = None
    entity_types: list[str] | None = None
    relation_types: list[str] | None = None
    max_span_width: int = 10
    max_distance: int = 10
    role_maps: bool = True
    fusion: str = "gate"
    pair_distance: bool = True
    pair_types: bool = True
    link_types: bool = False
    pair_hidden: bool = False
    two_phase: bool = True
    phase_one: str = "softmax"
    word_shape: bool = False
    max_length: int = 256
    passage: int = 1  # sentences of a paragraph that are read together
    dropout: float = 0.1
    languages: list[str] | None = None  # that its training data are in; none: not known
