"""The readers of annotated data, by the name of a format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from kgmill.extractor.data.ace import read_ace
from kgmill.extractor.data.annotated import AnnotatedSentence, read_dygie, read_spert
from kgmill.extractor.data.brat import read_brat
from kgmill.extractor.data.columns import read_conll
from kgmill.extractor.data.docbin import read_docbin
from kgmill.extractor.data.exports import read_doccano, read_label_studio
from kgmill.extractor.data.foreign import recognise
from kgmill.extractor.data.standoff import MarkedText, lay_out
from kgmill.schemas.errors import DataError


def read_annotated(paths: Iterable[str], format_name: str) -> list[AnnotatedSentence]:
    """All sentences of the files, in order; what a sentence can't hold is its `unused`.

    Raises:
        DataError: an unreadable file, an unknown format, another one, or a record that is not of its form.
    """
    if format_name not in READERS:
        raise DataError(f"unknown format {format_name!r}; known: {', '.join(READERS)}")
    return [sentence for path in paths for sentence in READERS[format_name](Path(path))]


def _by_offsets(read: Callable[[Path], list[MarkedText]], name: str) -> Callable[[Path], list[AnnotatedSentence]]:
    return _told(lambda path: [sentence for marked in read(path) for sentence in lay_out(marked)], name)


def _told(read: Callable[[Path], list[AnnotatedSentence]], name: str) -> Callable[[Path], list[AnnotatedSentence]]:
    """The reader, which says of another tool's file what it looks like."""

    def read_or_say(path: Path) -> list[AnnotatedSentence]:
        try:
            return read(path)
        except OSError as error:
            hint = recognise(path, None, name) if path.is_dir() else ""
            raise DataError(f"{error.filename or path}: {hint or error.strerror or error}") from None
        except DataError:
            text = None if path.is_dir() else path.read_bytes().decode(errors="replace") if path.is_file() else None
            if (path.is_dir() or text) and (hint := recognise(path, text, name)):
                raise DataError(f"{path}: {hint}") from None
            raise

    return read_or_say


READERS: dict[str, Callable[[Path], list[AnnotatedSentence]]] = {
    "spert": read_spert,
    "dygie": read_dygie,
    "conll": _told(read_conll, "conll"),
    "brat": _by_offsets(read_brat, "brat"),
    "ace": _by_offsets(read_ace, "ace"),
    "doccano": _by_offsets(read_doccano, "doccano"),
    "label-studio": _by_offsets(read_label_studio, "label-studio"),
    "spacy": _told(read_docbin, "spacy"),
}
