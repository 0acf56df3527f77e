"""A record's fields to a Document, or to the reason why there is none."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipelines.cleaning import clean
from schemas.config import FieldMap, SourceConfig
from schemas.errors import RecordError
from schemas.records import Document, Reject
from schemas.text import storable

_DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d.*")


@dataclass(frozen=True, slots=True)
class Content:
    """What a source says of a document.

    Attributes:
        notes: what was left out or replaced: rule to how often.
    """

    text: str
    title: str = ""
    date: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record came from.

    Attributes:
        name: the file.
        place: the record in the file.
        encoding: the text's, before it was decoded.
        n_replaced: how many broken bytes became U+FFFD.
    """

    name: str
    place: str
    encoding: str = "utf-8"
    n_replaced: int = 0


def from_fields(row: Mapping[str, Any], origin: Origin, config: SourceConfig) -> Document | Reject:
    """The document of a record; one without an id is named by its file and its text.

    Args:
        row: the record's fields, as JSON has them.
        origin: where it came from.
        config: how fields are named, and whether texts are cleaned.
    """
    doc_id, names = "", config.fields
    try:
        doc_id = scalar(row, names.id)
        if doc_id and config.id_prefix:
            doc_id = f"{name}#{doc_id}"
        text = row.get(names.text)
        if not isinstance(text, str):
            raise RecordError("no_text", f"wanted a string under {names.text!r}, got {type(text).__name__}")
        content = Content(text, scalar(row, names.title), scalar(row, names.date), metadata(row, names))
        return document(content, doc_id, origin, config)
    except RecordError as error:
        return Reject("ingest", origin.place, doc_id, error.reason, error.detail)


def document(content: Content, doc_id: str, origin: Origin, config: SourceConfig) -> Document:
    """A document as it is stored: cleaned, where that is wanted, and without what no encoding can carry.

    Args:
        content: what the source says.
        doc_id: empty where there is none.
        origin, config: as in `from_fields`.

    Raises:
        RecordError: `empty`, or metadata that is no JSON.
    """
    text, title = storable(content.text), storable(content.title)
    if config.clean:
        text, title = clean(text), clean(title)
    if not text.strip():
        raise RecordError("empty", "the text is empty")
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    doc_id = doc_id or f"{origin.name}#{sha256[:16]}"
    date = iso_date(storable(content.date))
    notes = {"bytes_replaced": origin.n_replaced, **content.notes}
    return Document(
        *(doc_id, origin.place, title, text, _json(content.metadata), sha256, date, origin.encoding),
        notes=_json(counted) if (counted := {rule: n for rule, n in notes.items() if n}) else "",
    )


def metadata(row: Mapping[str, Any], names: FieldMap) -> dict[str, Any]:
    """The fields that are kept as metadata."""
    if names.metadata == "*":
        named = names.named
        return {key: value for key, value in row.items() if key not in named}
    return {key: row[key] for key in names.metadata if key in row}


def scalar(row: Mapping[str, Any], key: str) -> str:
    """A string or a number as a string; empty where there is none.

    Raises:
        RecordError: `bad_field`.
    """
    value = row.get(key) if key else None
    if value is None:
        return ""
    if isinstance(value, str | int | float) and not isinstance(value, bool) and is_finite(value):
        return storable(str(value))
    raise RecordError("bad_field", f"wanted a string or a number under {key!r}, got {type(value).__name__}")


def is_finite(value: str | float) -> bool:
    """Whether a value is no NaN and no infinity."""
    return isinstance(value, str | int) or math.isfinite(value)


def iso_date(value: str) -> str:
    """A date with a time in ISO 8601's form; everything else as it came, without the spaces around it.

    >>> iso_date("2004-05-03 10:00Z"), iso_date(" 2004-05-03"), iso_date("May 2004")
    ('2004-05-03T10:00:00+00:00', '2004-05-03', 'May 2004')
    """
    value = value.strip()
    if not _DATE_AND_TIME.fullmatch(value):
        return value
    try:
        return datetime.fromisoformat(value).isoformat()
    except ValueError:
        return value


def _json(value: Mapping[str, Any]) -> str:
    try:
        return storable(json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
    except (ValueError, TypeError, RecursionError) as error:
        raise RecordError("bad_field", f"metadata is not JSON: {error}"[:200]) from None
