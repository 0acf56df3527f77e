"""Sources: trees of .txt and JSONL files, read record by record. A bad record becomes a reject, never an error."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import RecordError, SourceError
from schemas.records import Document, Reject

SUFFIXES = (".txt", ".jsonl")
_TEXT_FIELDS = ("id", "title", "text")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read.

    Attributes:
        name: its path below its source, with forward slashes.
        n_bytes: its size.
    """

    path: str
    name: str
    n_bytes: int


def find_files(sources: Sequence[str]) -> list[SourceFile]:
    """The files of the sources, each source's in the order of their names; folders are searched whole.

    Raises:
        SourceError: a source is missing or of an unknown kind, a file's path is not UTF-8, or there is no file to read
            in any of them.
    """
    files: list[SourceFile] = []
    for source in sources:
        path = Path(source)
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
            files.extend(_source_file(p, p.relative_to(path).as_posix()) for p in found)
        elif not path.exists():
            raise SourceError(f"{source}: no such file or folder")
        elif path.suffix in SUFFIXES and path.is_file():
            files.append(_source_file(path, path.name))
        else:
            raise SourceError(f"{source}: unknown kind of source; known: folders and files of {', '.join(SUFFIXES)}")
    if not files:
        raise SourceError(f"{', '.join(sources)}: no {' or '.join(SUFFIXES)} file in here")
    return files


def _source_file(path: Path, name: str) -> SourceFile:
    resolved = str(path.resolve())
    if _storable(resolved) != resolved:
        raise SourceError(f"{path}: its path is not UTF-8; rename it")
    try:
        with path.open("rb"):
            return SourceFile(resolved, name, path.stat().st_size)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from None


def read_records(file: SourceFile) -> Iterator[Document | Reject]:
    """The records of a file, in order.

    Raises:
        SourceError: the file vanished or can't be read any more.
    """
    try:
        if file.name.endswith(".jsonl"):
            yield from _read_jsonl(file)
        else:
            yield _read_text_file(file)
    except OSError as error:
        raise SourceError(f"{file.path}: {error.strerror}") from None


def _read_text_file(file: SourceFile) -> Document | Reject:
    try:
        data = Path(file.path).read_bytes()
        if b"\0" in data:
            raise RecordError("binary", "wanted text, got a file with NUL bytes")
        return _document(file.name, file.name, "", _decode(data), {})
    except RecordError as error:
        return Reject("ingest", file.name, file.name, error.reason, error.detail)


def _read_jsonl(file: SourceFile) -> Iterator[Document | Reject]:
    with Path(file.path).open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _read_line(line, file.name, number)


def _read_line(line: bytes, name: str, number: int) -> Document | Reject:
    place, doc_id = f"{name}:{number}", ""
    try:
        record = _parse(line)
        doc_id = _field(record, "id")
        text = record.get("text")
        if not isinstance(text, str):
            raise RecordError("no_text", f"wanted a string under 'text', got {type(text).__name__}")
        text = _storable(text)
        doc_id = doc_id or f"{name}#{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        others = {key: value for key, value in record.items() if key not in _TEXT_FIELDS}
        return _document(doc_id, place, _field(record, "title"), text, others)
    except RecordError as error:
        return Reject("ingest", place, doc_id, error.reason, error.detail)


def _parse(line: bytes) -> dict[str, Any]:
    text = _decode(line)
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordError("malformed_json", f"{error}"[:200]) from None
    if not isinstance(record, dict):
        raise RecordError("malformed_json", f"wanted an object, got {type(record).__name__}")
    return record


def _field(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if value is None:
        return ""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return _storable(str(value))
    raise RecordError("bad_field", f"wanted a string or a number under {key!r}, got {type(value).__name__}")


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecordError("not_utf8", f"byte {error.start} is not UTF-8") from None


def _document(doc_id: str, source: str, title: str, text: str, others: dict[str, Any]) -> Document:
    if not text.strip():
        raise RecordError("empty", "the text is empty")
    metadata = _storable(json.dumps(others, sort_keys=True, ensure_ascii=False, separators=(",", ":")))
    return Document(doc_id, source, title, text, metadata, hashlib.sha256(text.encode()).hexdigest())


def _storable(text: str) -> str:
    """The text with lone surrogates, which no encoding can carry, replaced; the length stays, so offsets do."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("�" if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


def group_files(files: Iterable[SourceFile], n_bytes: int) -> list[list[SourceFile]]:
    """The files in order, in groups of about `n_bytes`; a larger file is a group alone."""
    groups: list[list[SourceFile]] = []
    size = 0
    for file in files:
        if not groups or size + file.n_bytes > n_bytes:
            groups.append([])
            size = 0
        groups[-1].append(file)
        size += file.n_bytes
    return groups
