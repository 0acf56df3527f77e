"""Values of Parquet as JSON can hold them, also those that Python can't."""

from __future__ import annotations

import math
from collections import Counter
from contextlib import suppress
from datetime import date, datetime, time
from typing import Any

import numpy as np
import pyarrow as pa

ROW_ERRORS = (ValueError, LookupError, OverflowError, TypeError, pa.ArrowException)
_PARTS_OF_A_SECOND = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def plain(value: Any, notes: Counter[str]) -> Any:
    """A value as JSON can hold it; a number that is none is null, which is noted."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        notes["metadata_values"] += 1
        return None
    if isinstance(value, dict):
        return {str(key): plain(item, notes) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, notes) for item in value]
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def held(scalar: Any, notes: Counter[str]) -> Any:
    """What Arrow has, as Python can hold it: ISO text for a time out of its range, null for what nothing can hold.

    Broken bytes of a string become U+FFFD. Each of these is noted.
    """
    kind = scalar.type
    if not scalar.is_valid:
        return None
    if _is_in_nanoseconds(kind) and scalar.value % 1000 == 0:
        scalar = scalar.cast(pa.duration("us") if pa.types.is_duration(kind) else pa.timestamp("us", kind.tz))
    if not has_nanoseconds(scalar.type):
        with suppress(*ROW_ERRORS):
            return scalar.as_py()
    if pa.types.is_struct(kind):
        return {kind.field(i).name: held(scalar[i], notes) for i in range(kind.num_fields)}
    if pa.types.is_map(kind):
        return {str(held(pair[0], notes)): held(pair[1], notes) for pair in scalar.values}
    if pa.types.is_nested(kind) and hasattr(scalar, "values"):
        return [held(item, notes) for item in scalar.values]
    if pa.types.is_dictionary(kind):
        return held(scalar.value, notes)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        text = scalar.as_buffer().to_pybytes().decode("utf-8", "replace")
        notes["bytes_replaced"] += text.count("\ufffd")
        return text
    notes["metadata_values"] += 1
    return _iso(scalar)


def _is_in_nanoseconds(kind: Any) -> bool:
    return (pa.types.is_timestamp(kind) or pa.types.is_duration(kind)) and kind.unit == "ns"


def has_nanoseconds(kind: Any) -> bool:
    """Whether Arrow would ask pandas for a value, where it is installed: one with nanoseconds, alone or within."""
    if pa.types.is_dictionary(kind):
        return has_nanoseconds(kind.value_type)
    return _is_in_nanoseconds(kind) or any(has_nanoseconds(kind.field(i).type) for i in range(kind.num_fields))


def _iso(scalar: Any) -> str | None:
    """A time or a length of time in ISO 8601's form; None for anything else."""
    kind = scalar.type
    if pa.types.is_date(kind):
        return str(np.datetime64(scalar.value, "D" if pa.types.is_date32(kind) else "ms")).partition("T")[0]
    if pa.types.is_timestamp(kind):
        return f"{np.datetime64(scalar.value, kind.unit)}{'+00:00' if kind.tz else ''}"
    if pa.types.is_time(kind):
        return str(np.datetime64(scalar.value, kind.unit)).partition("T")[2]
    if pa.types.is_duration(kind):
        n_digits = _PARTS_OF_A_SECOND[kind.unit]
        seconds, rest = divmod(abs(scalar.value), 10**n_digits)
        parts = f".{rest:0{n_digits}}" if n_digits else ""
        return f"{'-' if scalar.value < 0 else ''}PT{seconds}{parts}S"
    return None
