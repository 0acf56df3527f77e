"""Model folders as files: found by name, checked and fingerprinted without loading a model."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from kgmill.schemas.errors import CheckpointError, OutputError
from kgmill.schemas.identity import fingerprint
from kgmill.schemas.ontology import load_ontology, read_toml

WEIGHTS = "model.safetensors"
CALIBRATION = "calibration.json"
TRAINING_DATA = "training_data.toml"
REQUIRED = (WEIGHTS, "config.json", "ontology.toml", "tokenizer_config.json")
MODEL_TYPE = "kgmill-two-phase"
MODEL_FORMAT = 2  # 1, without a number, is that of 0.1: phase_one may be missing, and so be that of training.toml
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
HUB_FILES = (
    "*.safetensors",
    "*.json",
    "*.toml",
    "*.txt",
    "*.csv",
    "*.md",
    "LICENSE",
)  # what goes to a hub, and comes from one
FORMAT_KEY, _ANEW = "kgmill_format", "train it anew"
_CODE = re.compile(r"[a-z]{2,3}")
SHIPPED = Path(__file__).resolve().parent / "models"
IN_REPOSITORY = tuple(Path(__file__).resolve().parent.parent / "models" / name for name in ("sci", "conll04"))


def find_model(name: str, *, is_offline: bool = False) -> Path:
    """The folder of a shipped model (`default`), the folder that `name` is a path of, or a hub model's local copy.

    Only a hub id (`OWNER/NAME`, where no such folder is) may use the network, and not where `is_offline` says so.

    Raises:
        CheckpointError: there is none of them.
    """
    shipped = SHIPPED / name
    if "/" not in name and (shipped / WEIGHTS).is_file():
        return shipped
    if Path(name).is_dir():
        return Path(name)
    if is_hub_id(name):
        return _fetch(name, is_offline)
    names = sorted(path.parent.name for path in SHIPPED.glob(f"*/{WEIGHTS}"))
    raise CheckpointError(f"model {name!r}: no such folder, and not one of the shipped models ({', '.join(names)})")


def is_hub_id(name: str) -> bool:
    """Whether a name is one of a hub, OWNER/NAME, and no folder here."""
    return _HUB_ID.fullmatch(name) is not None and not Path(name).is_dir()


def _fetch(hub_id: str, is_offline: bool) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub_id, allow_patterns=[*HUB_FILES], local_files_only=is_offline))
    except Exception as error:  # the client raises many kinds: offline, unknown, private, disk
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"model {hub_id!r}: no such folder, and the hub has no answer: {reason}") from None


def is_shipped(folder: Path) -> bool:
    """Whether a folder is one of kgmill's own models, in the package or the repository: they are never written to."""
    path = folder.resolve()
    return path.is_relative_to(SHIPPED.resolve()) or any(path.is_relative_to(own.resolve()) for own in IN_REPOSITORY)


def calibration_folder(name: str, folder: Path, into: str) -> Path:
    """Where the calibration of model `name`, found in `folder`, may be written: `into`, or the user's own folder.

    Raises:
        OutputError: it would change a shipped model, or the local copy of a hub's; or `into` holds other things.
        CheckpointError: `into` is a model with other types.
    """
    if not into:
        if is_shipped(folder) or folder != Path(name):
            raise OutputError(
                f"model {name!r} is shipped or from a hub and stays as it is; give --into FOLDER for a copy"
            )
        return folder
    target = Path(into)
    if is_shipped(target) or ("/" not in into and (SHIPPED / into).is_dir()):
        raise OutputError(f"--into {into}: a shipped model, which stays as it is; give a folder of your own")
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        if not target.is_dir():
            raise OutputError(f"--into {into}: no folder")
        check_model_folder(target)
        theirs, ours = (load_ontology(path / "ontology.toml") for path in (target, folder))
        if (theirs.entity_names, theirs.relation_names) != (ours.entity_names, ours.relation_names):
            raise CheckpointError(f"--into {into}: a model with other types than {name!r}")
    return target


def copy_model(folder: Path, target: Path) -> None:
    """Copies a model folder to where there is none, or an empty folder; nothing half-copied is ever at `target`."""
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(folder, partial)
    os.replace(partial, target)


def check_model_folder(folder: Path) -> None:
    """Checks that a folder holds a kgmill model.

    Raises:
        CheckpointError: naming the first file that is missing or not what it should be.
    """
    for name in REQUIRED:
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder}: {name} is missing, so this is no kgmill model folder")
    config = read_config(folder)
    if (kind := config["model_type"]) != MODEL_TYPE:
        raise CheckpointError(
            f"{folder}: holds a {kind!r} model, not {MODEL_TYPE!r}; a plain encoder must be trained first"
        )
    _check_format(folder, config)
    ontology = load_ontology(folder / "ontology.toml")
    for key, named in (("entity_types", ontology.entity_names), ("relation_types", ontology.relation_names)):
        if config.get(key) != list(named):
            raise CheckpointError(
                f"{folder}: config.json has {key} {config.get(key)}, ontology.toml has {list(named)}; "
                "a model keeps the types that it was trained on"
            )
    _check_weights(folder / WEIGHTS)


def _check_format(folder: Path, config: dict[str, Any]) -> None:
    """Checks that this version reads a model of the format that its configuration says.

    Raises:
        CheckpointError: it is a later one, the number is none, or something that the format has is missing.
    """
    number, path = config.get(FORMAT_KEY, 1), folder / "config.json"
    if type(number) is not int or number < 1:
        raise CheckpointError(f"{path}: {FORMAT_KEY} is {number!r}; wanted a number from 1 to {MODEL_FORMAT}: {_ANEW}")
    if number > MODEL_FORMAT:
        raise CheckpointError(
            f"{path}: is of format {number}, this kgmill reads formats up to {MODEL_FORMAT}; "
            f"use the kgmill that made it or a later one, or {_ANEW}"
        )
    if number > 1 and "phase_one" not in config:
        raise CheckpointError(f"{path}: phase_one is missing, which a model of format {number} says; {_ANEW}")


def model_languages(folder: Path) -> tuple[str, ...]:
    """The languages that a model reads, as ISO 639 codes; none where its folder doesn't say.

    Raises:
        CheckpointError: what config.json says is no list of codes.
    """
    named = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("languages") or []
    if not isinstance(named, list) or not all(isinstance(code, str) and _CODE.fullmatch(code) for code in named):
        raise CheckpointError(f'{folder}/config.json: languages {named!r}; wanted a list of codes such as ["en"]')
    return tuple(sorted(named))


def model_passage(folder: Path) -> int:
    """How many sentences of a paragraph a model was trained to read together.

    Raises:
        CheckpointError: what config.json says is no such number.
    """
    n = read_config(folder).get("passage", 1)
    if type(n) is not int or n < 1:
        raise CheckpointError(f"{folder}/config.json: passage {n!r}; wanted a number of sentences from 1 on")
    return n


def phase_one(folder: Path) -> str:
    """What phase one of a model was trained as, and so how its outputs are read: `softmax` or `sigmoid`.

    config.json says it; where it doesn't (models of 0.1), the training's configuration does: without the key it is
    older than the choice, and the loss was over two sigmoids. Without that file too, it is read as 0.1 did, as softmax.
    A model of one phase has a softmax over all types, whatever else is said.

    Raises:
        CheckpointError: one of the files can't be read or names something else.
    """
    config = read_config(folder)
    if not config.get("two_phase", True):
        return "softmax"
    said, training = config.get("phase_one"), folder / "training.toml"
    if said is None:
        said = read_toml(training, CheckpointError).get("phase_one", "sigmoid") if training.is_file() else "softmax"
    if said not in ("softmax", "sigmoid"):
        raise CheckpointError(f"{folder}: phase_one is {said!r}; wanted softmax or sigmoid")
    return str(said)


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration of a model folder.

    Raises:
        CheckpointError: it is missing or not a configuration.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = None
    if not isinstance(config, dict) or "model_type" not in config:
        raise CheckpointError(f"{folder}/config.json: not a model configuration")
    return config


def _check_weights(path: Path) -> None:
    """Checks that a safetensors file is as long as its header says."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            n_header = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(n_header, size)))
        end = max(tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise CheckpointError(f"{path}: not a safetensors file") from None
    if size != 8 + n_header + end:
        raise CheckpointError(
            f"{path}: {size} bytes, its header promises {8 + n_header + end}; the file is cut or damaged"
        )


def model_fingerprint(folder: Path) -> str:
    """SHA-256 over all that decides a model's scores: weights, configuration, reading, ontology and tokenizer.

    The calibration is not among them: it is applied when candidates are decoded. Nor is what it was trained on.

    Raises:
        CheckpointError: the folder holds no kgmill model.
    """
    check_model_folder(folder)
    decisive = sorted(
        path
        for path in folder.iterdir()
        if (path.suffix in {".safetensors", ".json", ".txt"} and path.name != CALIBRATION)
        or path.name == "ontology.toml"
    )
    return fingerprint({path.name: _file_digest(path) for path in decisive} | {"phase_one": phase_one(folder)})


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
