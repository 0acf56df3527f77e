"""Model folders: model.safetensors, config.json, tokenizer files, ontology.toml, training.toml, README.md.

Weights are read from safetensors alone: no pickle is loaded and no remote code is run.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from kgmill.extractor.calibration import Calibration, load_calibration
from kgmill.extractor.modelfolder import FORMAT_KEY, MODEL_FORMAT, check_model_folder, phase_one
from kgmill.extractor.neural.config import TwoPhaseConfig
from kgmill.extractor.neural.devices import check_device
from kgmill.extractor.neural.two_phase import TwoPhaseModel
from kgmill.schemas.errors import CheckpointError, KgmillError
from kgmill.schemas.extras import way_to_module
from kgmill.schemas.ontology import Ontology, load_ontology


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """No bars and no warnings of transformers while it lasts; whoever imports this has them as they were again."""
    verbosity, has_bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if has_bars:
            transformers_logging.enable_progress_bar()


@dataclass(frozen=True)
class Checkpoint:
    """A model with all it needs to read words and name its columns."""

    model: TwoPhaseModel
    tokenizer: PreTrainedTokenizerBase
    ontology: Ontology
    calibration: Calibration = field(default_factory=Calibration)


@_quiet_transformers()
def load_checkpoint(folder: Path, device: torch.device, dtype: torch.dtype = torch.float32) -> Checkpoint:
    """The model in a folder, in evaluation mode.

    Raises:
        CheckpointError: a file is missing or damaged, or weights, configuration and ontology don't fit together.
    """
    check_model_folder(folder)
    ontology = load_ontology(folder / "ontology.toml")
    try:
        config = TwoPhaseConfig.from_pretrained(folder)
        config.phase_one = phase_one(folder)
        model, info = TwoPhaseModel.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            ignore_mismatched_sizes=True,  # so that they are named below
            output_loading_info=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except KgmillError:
        raise
    except Exception as error:  # the libraries raise many kinds for one cause: a folder that is not what it says
        raise CheckpointError(f"{folder}: can't be loaded: {_one_line(error)}") from None
    if info["missing_keys"] or info["mismatched_keys"]:
        names = sorted(map(str, (*info["missing_keys"], *info["mismatched_keys"])))
        raise CheckpointError(f"{folder}: weights don't fit config.json: {', '.join(names[:3])} ({len(names)} in all)")
    model.config.max_length = min(model.config.max_length, longest_input(model.encoder))
    # The encoder's own configuration may name another dtype, which transformers would keep for it alone.
    return Checkpoint(model.to(device=device, dtype=dtype).eval(), tokenizer, ontology, load_calibration(folder))


@_quiet_transformers()
def new_checkpoint(encoder: str, ontology: Ontology, options: dict[str, Any]) -> Checkpoint:
    """An untrained model around a pretrained encoder; `options` are fields of TwoPhaseConfig.

    Raises:
        CheckpointError: the encoder can't be found or is no text encoder.
    """
    source = encoder_source(encoder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, add_prefix_space=True, trust_remote_code=False)
        base: PreTrainedModel = AutoModel.from_pretrained(
            source,
            dtype=torch.float32,  # some are stored in half precision, in which an optimiser can't take small steps
            use_safetensors=True,
            trust_remote_code=False,
        )
    except Exception as error:  # the libraries raise many kinds for one cause
        raise CheckpointError(f"encoder {encoder!r}: can't be loaded: {_one_line(error)}") from None
    if options.get("word_shape") == "auto":
        options = {**options, "word_shape": tokenizer.tokenize("Paris") == tokenizer.tokenize("paris")}
    options["max_length"] = min(options["max_length"], longest_input(base))
    config = TwoPhaseConfig(
        encoder=base.config.to_diff_dict() | {"model_type": base.config.model_type},
        entity_types=list(ontology.entity_names),
        relation_types=list(ontology.relation_names),
        **options,
    )
    return Checkpoint(TwoPhaseModel(config, base), tokenizer, ontology)


def longest_input(encoder: PreTrainedModel) -> int:
    """The most word pieces that an encoder has positions for; 512 where it doesn't say.

    Those of RoBERTa's family begin after the padding's number, so that of 514 positions 512 are of use.
    """
    longest = getattr(encoder.config, "max_position_embeddings", None) or 512
    for name, module in encoder.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            first = 0 if module.padding_idx is None else module.padding_idx + 1
            longest = min(longest, module.num_embeddings - first)
    return longest


def encoder_source(encoder: str) -> str:
    """A folder, or a hub id as it is; `package:NAME/FOLDER` is a folder inside an installed Python package.

    Raises:
        CheckpointError: the package is not installed or has no such folder.
    """
    if not encoder.startswith("package:"):
        return encoder
    package, _, folder = encoder.removeprefix("package:").partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise CheckpointError(
            f"encoder {encoder!r}: the Python package {package!r} is not installed; "
            f"{way_to_module(package)}, or name another encoder"
        )
    path = Path(spec.submodule_search_locations[0], folder)
    if not path.is_dir():
        raise CheckpointError(f"encoder {encoder!r}: the package {package!r} has no folder {folder!r}")
    return str(path)


@_quiet_transformers()
def save_checkpoint(checkpoint: Checkpoint, folder: Path, ontology_text: str, dtype: torch.dtype) -> None:
    """Writes model, tokenizer and ontology; weights are stored in `dtype`."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.to(dtype).contiguous() for name, tensor in checkpoint.model.state_dict().items()}
    checkpoint.model.save_pretrained(folder, state_dict=state)
    checkpoint.tokenizer.save_pretrained(folder)
    (folder / "ontology.toml").write_text(ontology_text, encoding="utf-8")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"dtype": str(dtype).removeprefix("torch."), FORMAT_KEY: MODEL_FORMAT}
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def choose_device(name: str) -> torch.device:
    """The device of `auto|cpu|cuda[:N]`.

    Raises:
        CheckpointError: the name is no device's, or this torch sees no such GPU.
    """
    check_device(name, lambda: torch.cuda.device_count() if torch.cuda.is_available() else 0)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def has_bf16() -> bool:
    """Whether the GPU computes in bfloat16 itself: what it only emulates is slower than fp16."""
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
