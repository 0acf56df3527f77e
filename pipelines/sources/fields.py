"""A record's fields to a Document, or to the reason why there is none."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kgmill.pipelines.sources.cleaning import Cleaned, clean, clean_by_looks
from kgmill.pipelines.sources.heads import agencies_of, find_head
from kgmill.pipelines.sources.lookup import locate, longest_text, missing, value_at, without
from kgmill.schemas.config import FieldMap, SourceConfig
from kgmill.schemas.errors import RecordError
from kgmill.schemas.records import Document, Reject
from kgmill.schemas.text import storable

_DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d.*")


@dataclass(frozen=True, slots=True)
class Content:
    """What a source says of a document.

    Attributes:
        notes: what was left out or replaced: rule to how often.
        is_clean: the text was taken out of markup, so that nothing in it only looks like markup.
    """

    text: str
    title: str = ""
    date: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)
    is_clean: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record came from.

    Attributes:
        name: the file.
        place: the record in the file.
        encoding: the text's, before it was decoded.
        n_replaced: how many broken bytes became U+FFFD.
        n_values: how many values have another form than in the source, as JSON can't hold theirs.
    """

    name: str
    place: str
    encoding: str = "utf-8"
    n_replaced: int = 0
    n_values: int = 0


def from_fields(row: Mapping[str, Any], origin: Origin, config: SourceConfig) -> Document | Reject:
    """The document of a record; one without an id is named by its file and its text.

    Args:
        row: the record's fields, as JSON has them.
        origin: where it came from.
        config: how fields are named, and whether texts are cleaned.
    """
    doc_id, names = "", config.fields
    try:
        doc_id = _id(row, names.id)
        if doc_id and config.id_prefix:
            doc_id = f"{origin.name}#{doc_id}"
        text = _text(row, names)
        values = [_scalar(row, name) for name in (names.title, names.date)]
        n_lost = sum(value is None for value in values)
        content = Content(text, values[0] or "", values[1] or "", metadata(row, names), {"metadata_values": n_lost})
        return document(content, doc_id, origin, config)
    except RecordError as error:
        return Reject("ingest", origin.place, doc_id, error.reason, storable(error.detail))


def document(content: Content, doc_id: str, origin: Origin, config: SourceConfig) -> Document:
    """A document as it is stored: cleaned, where that is wanted, without what no encoding can carry; and its head.

    Args:
        content: what the source says.
        doc_id: empty where there is none.
        origin: as in `from_fields`.
        config: likewise.

    Raises:
        RecordError: `empty`, or metadata that is no JSON.
    """
    cleaned = [_cleaned(storable(part), config, is_clean=content.is_clean) for part in (content.text, content.title)]
    text, title = (part.text for part in cleaned)
    if not text.strip():
        raise RecordError("empty", "the text is empty")
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    doc_id = doc_id or f"{origin.name}#{sha256[:16]}"
    date = iso_date(storable(content.date))
    others, n_lost = _as_json(content.metadata)
    notes = Counter({"bytes_replaced": origin.n_replaced, "metadata_values": origin.n_values + n_lost})
    for counted in (content.notes, *(part.notes for part in cleaned)):
        notes.update(counted)
    return Document(
        *(doc_id, origin.place, title, text, others, sha256, date, origin.encoding),
        _as_json(+notes)[0] if +notes else "",
        *find_head(text, title, agencies_of(config.agencies)),
    )


def _cleaned(text: str, config: SourceConfig, *, is_clean: bool) -> Cleaned:
    if config.clean == "auto":
        return Cleaned(text) if is_clean else clean_by_looks(text)
    return clean(text) if config.clean else Cleaned(text)


def metadata(row: Mapping[str, Any], names: FieldMap) -> dict[str, Any]:
    """The fields that are kept as metadata."""
    if names.metadata == "*":
        paths = [path for name in names.named if (path := locate(row, name))]
        return dict(without(row, paths)) if paths else dict(row)
    found = ((name, locate(row, name)) for name in names.metadata)
    return {name: value_at(row, path) for name, path in found if path}


def _text(row: Mapping[str, Any], names: FieldMap) -> str:
    """A string, or paragraphs, with an empty line between them; sentences of a paragraph have a space between them."""
    name = names.text
    path = locate(row, name)
    if not path:
        lists = [key for key, value in row.items() if isinstance(value, list) and value and isinstance(value[0], dict)]
        cure = f', or [source] records = "{lists[0]}"' if lists else ""
        likely = longest_text(without(row, [(key,) for key in names.named]))
        raise RecordError("no_text", missing(list(row), name, likely) + cure)
    value = value_at(row, path)
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        paragraphs = [" ".join(part) if _is_strings(part) else part for part in value if part is not None]
        if _is_strings(paragraphs):
            return "\n\n".join(paragraphs)
    inner = longest_text({name: value}) if isinstance(value, dict) else ""
    cure = f'; say [source.fields] text = "{inner}"' if inner else ""
    raise RecordError("no_text", f"wanted a string under {name!r}, got {type(value).__name__}{cure}")


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _id(row: Mapping[str, Any], name: str) -> str:
    value = _scalar(row, name)
    if value is None:
        kind = type(value_at(row, locate(row, name))).__name__
        raise RecordError("bad_field", f"wanted a string or a number under {name!r}, got {kind}")
    return value


def _scalar(row: Mapping[str, Any], name: str) -> str | None:
    """A string or a number as a string; empty where there is none, None where it is anything else."""
    path = locate(row, name)
    value = value_at(row, path) if path else None
    if value is None:
        return ""
    is_one = isinstance(value, str | int | float) and not isinstance(value, bool) and is_finite(value)
    return storable(str(value)) if is_one else None


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


def _as_json(value: Mapping[str, Any]) -> tuple[str, int]:
    """The JSON of metadata, and how many numbers that are none, which JSON has no form for, are null in it."""
    n_lost = 0
    try:
        try:
            text = _dumps(value)
        except ValueError:
            value, n_lost = _finite(value)
            text = _dumps(value)
    except (ValueError, TypeError, RecursionError) as error:
        raise RecordError("bad_field", f"metadata is not JSON: {error}"[:200]) from None
    return storable(text), n_lost


def _dumps(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _finite(value: Any) -> tuple[Any, int]:
    """A value with null for each NaN and infinity in it, and how many there were."""
    if isinstance(value, float) and not math.isfinite(value):
        return None, 1
    if isinstance(value, dict):
        pairs = {key: _finite(item) for key, item in value.items()}
        return {key: item for key, (item, _) in pairs.items()}, sum(n for _, n in pairs.values())
    if isinstance(value, list):
        items = [_finite(item) for item in value]
        return [item for item, _ in items], sum(n for _, n in items)
    return value, 0
