"""JSON as corpora have it, to Python: strict in what an object is, and plain where a database wrote its own types."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from kgmill.schemas.errors import RecordError

MAX_JSON_DEPTH = 200
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
# Between objects on one line; a record separator stands before each object of a JSON text sequence.
_BETWEEN = re.compile(r"[\s,\x1e]*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_json(text: str) -> Iterator[dict[str, Any]]:
    """The objects of a line, mostly one, in which every key is there once, and nothing nested too deep.

    Raises:
        RecordError: `malformed_json` or `too_deep`: the rest of the line.
    """
    # A fixed bound, far below Python's: what is left of that depends on who calls.
    if text.count("[") + text.count("{") > MAX_JSON_DEPTH and _depth(text) > MAX_JSON_DEPTH:
        raise RecordError("too_deep", f"nested deeper than {MAX_JSON_DEPTH}")
    at, n_found = _BETWEEN.match(text).end(), 0  # type: ignore[union-attr]
    while at < len(text) or not n_found:
        try:
            record, at = _JSON.raw_decode(text, at)
        except ValueError as error:
            raise RecordError("malformed_json", f"{error}"[:200]) from None
        if not isinstance(record, dict):
            raise RecordError("malformed_json", f"wanted an object, got {type(record).__name__}")
        yield record
        at, n_found = _BETWEEN.match(text, at).end(), n_found + 1  # type: ignore[union-attr]


def _depth(line: str) -> int:
    """The deepest nesting of brackets outside of strings, whether they are closed or not."""
    depth = deepest = 0
    for match in _STRING_OR_BRACKET.finditer(line):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        deepest = max(deepest, depth)
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> Any:
    if len(pairs) == 1 and pairs[0][0] in _EXTENDED:
        try:
            return _EXTENDED[pairs[0][0]](pairs[0][1])
        except (ValueError, TypeError, OverflowError):
            return dict(pairs)
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is there twice")
    return made


def _date(value: Any) -> str:
    """A moment, as ISO text or as milliseconds since 1970; also one that Python has no date for stays what it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return (_EPOCH + timedelta(milliseconds=value)).isoformat()


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


# MongoDB's extended JSON, its strict and its relaxed form.
_EXTENDED: dict[str, Callable[[Any], Any]] = {
    "$oid": _string,
    "$date": _date,
    "$numberLong": int,
    "$numberInt": int,
    "$numberDouble": float,
    "$numberDecimal": _string,
    "$symbol": _string,
    "$uuid": _string,
    "$undefined": lambda value: None,
}
_JSON = json.JSONDecoder(object_pairs_hook=_object)
