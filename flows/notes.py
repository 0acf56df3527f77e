"""What a user should know of data and model, on standard error; standard output has results alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kgmill.extractor.neural.devices import multiplies_bytes
from kgmill.flows import terminal

if TYPE_CHECKING:
    from kgmill.extractor.data.annotated import AnnotatedSentence
    from kgmill.extractor.data.unused import Unused


def note(text: str) -> None:
    """Says a line."""
    terminal.note(f"kgmill: {text}")


def note_slow(precision: str) -> None:
    """Says that int8 is slow here, where it is."""
    if precision == "int8" and not multiplies_bytes():
        note(
            "int8 is far slower than fp32 here: this processor has no VNNI or AMX; --precision auto finds what is fast"
        )


def note_unused(unused: Iterable[Unused]) -> None:
    """Says what of annotated data is not used, a line a kind."""
    from kgmill.extractor.data.unused import format_unused

    for line in format_unused(unused):
        note(f"not used: {line}")


def note_seen(folder: Path, sentences: Sequence[AnnotatedSentence]) -> None:
    """Says how many of the sentences a model was trained on."""
    from kgmill.extractor.training.lineage import n_seen

    if seen := n_seen(folder, sentences):
        note(f"{seen} of {len(sentences)} sentences were in this model's training data")
