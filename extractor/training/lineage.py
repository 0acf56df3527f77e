"""What a model comes from: what a training that was cut off has to find again, and which sentences a model has seen.

A model folder's `training_data.toml` has the first 8 hex digits of a SHA-256 of each training sentence's words. It
decides no score, and is no part of a model's fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import Any

import torch

from kgmill.extractor.data.annotated import AnnotatedSentence
from kgmill.extractor.data.readers import read_annotated
from kgmill.extractor.modelfolder import TRAINING_DATA, find_model, model_fingerprint
from kgmill.extractor.neural.checkpoint import Checkpoint
from kgmill.schemas.errors import CheckpointError, DataError, OutputError
from kgmill.schemas.identity import digest, fingerprint
from kgmill.schemas.text import decode_utf8
from kgmill.schemas.training import TrainConfig

_A_LINE = 12  # hashes on a line of the file


def training_parts(
    config: TrainConfig,
    checkpoint: Checkpoint,
    sentences: Sequence[AnnotatedSentence],
    dev: Sequence[AnnotatedSentence],
) -> dict[str, str]:
    """Fingerprints of all that a training is made from, by name; `checkpoint` is as it was before the first step."""
    ontology = checkpoint.ontology
    start = {"start": model_fingerprint(find_model(config.start))} if config.start else {}
    start |= {f"teacher {name}": model_fingerprint(find_model(name)) for name in config.teachers}
    return start | {
        "configuration": fingerprint(config.model_dump(mode="json", exclude={"out", "tensorboard", "teacher_memory"})),
        "ontology": fingerprint([ontology.entity_names, ontology.relation_names, ontology.rules()]),
        "encoder": _encoder_digest(checkpoint),
        "training data": fingerprint([repr(sentence) for sentence in sentences]),
        "dev data": fingerprint([repr(sentence) for sentence in dev]),
    }


def _encoder_digest(checkpoint: Checkpoint) -> str:
    """SHA-256 over the encoder's weights and configuration, and the tokenizer."""
    encoder, tokenizer = checkpoint.model.encoder, checkpoint.tokenizer
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    words = backend.to_str() if backend is not None else json.dumps(tokenizer.get_vocab(), sort_keys=True)
    h = hashlib.sha256(digest(encoder.config.to_json_string(use_diff=False), words).encode())
    for name, tensor in sorted(encoder.state_dict().items()):
        h.update(digest(name, str(tuple(tensor.shape))).encode())
        h.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return h.hexdigest()


def sentence_hash(sentence: AnnotatedSentence) -> str:
    """8 hex digits that name a sentence's words; of a million other sentences one in 4,000 tests meets the same."""
    return digest("sentence", *sentence.words)[:8]


def text_hash(words: Iterable[str]) -> str:
    """8 hex digits that name a text, however its words were cut and whatever their case; punctuation counts for none.

    >>> text_hash(["Mr.", "Smith", "went", "."]) == text_hash(["mr", ".", "smith", "WENT"])
    True
    """
    text = "".join(words)
    letters = _NO_LETTERS.sub("", unicodedata.normalize("NFKC", text).casefold())
    return digest("text", letters or text)[:8]


_NO_LETTERS = re.compile(r"[\W_]+")


def read_excluded(paths: Iterable[str]) -> frozenset[str]:
    """The hashes of texts that are not to be trained on, of either kind: annotated files, or lists of hashes.

    Raises:
        DataError: a file that is not there, or is neither.
    """
    hashes: set[str] = set()
    for path in map(Path, paths):
        if path.suffix in (".json", ".jsonl"):
            sentences = read_annotated([str(path)], "spert" if path.suffix == ".json" else "dygie")
            hashes.update(text_hash(sentence.words) for sentence in sentences)
            continue
        try:
            hashes.update(tomllib.loads(decode_utf8(path.read_bytes(), path, DataError))["sentences"].split())
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path}: neither annotated data (.json, .jsonl) nor a list of hashes: {error}") from None
    return frozenset(hashes)


def is_among(sentence: AnnotatedSentence, hashes: frozenset[str]) -> bool:
    """Whether a hash of the sentence, of either kind, is among these."""
    return text_hash(sentence.words) in hashes or sentence_hash(sentence) in hashes


def write_training_data(folder: Path, sentences: Sequence[AnnotatedSentence], seen: frozenset[str]) -> None:
    """Writes the file of hashes into a model folder; `seen` are those of the model that the training started from."""
    _write_hashes(
        folder / TRAINING_DATA,
        "What the model was trained on: of a SHA-256 of each sentence's words the first digits.",
        seen | {sentence_hash(sentence) for sentence in sentences},
    )


def write_hashes(path: Path, sentences: Sequence[AnnotatedSentence]) -> None:
    """Writes a list of hashes that `read_excluded` reads.

    Raises:
        OutputError: it can't be written.
    """
    try:
        _write_hashes(path, "Texts not to be trained on.", {text_hash(sentence.words) for sentence in sentences})
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from None


def _write_hashes(path: Path, title: str, found: Set[str]) -> None:
    hashes = sorted(found)
    rows = [" ".join(hashes[i : i + _A_LINE]) for i in range(0, len(hashes), _A_LINE)]
    text = "\n".join([f"# {title}", 'sentences = """', *rows, '"""', ""])
    path.write_text(text, encoding="utf-8")


def n_seen(folder: Path, sentences: Sequence[AnnotatedSentence]) -> int | None:
    """How many of the sentences a model was trained on; None where its folder doesn't say.

    Raises:
        CheckpointError: the file of hashes is damaged.
    """
    seen = seen_by(folder)
    return None if seen is None else sum(sentence_hash(sentence) in seen for sentence in sentences)


def seen_by(folder: Path) -> frozenset[str] | None:
    """The hashes of the sentences that a model was trained on; None where its folder doesn't say.

    Raises:
        CheckpointError: the file of hashes is damaged.
    """
    path = folder / TRAINING_DATA
    if not path.is_file():
        return None
    try:
        return frozenset(tomllib.loads(path.read_text(encoding="utf-8"))["sentences"].split())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: not the hashes of a model's training data: {error}") from None


def n_shared(train: Sequence[AnnotatedSentence], dev: Sequence[AnnotatedSentence]) -> int:
    """How many sentences of `dev` are in `train` too."""
    seen = {sentence.words for sentence in train}
    return sum(sentence.words in seen for sentence in dev)
