"""Tables of text: CSV as spreadsheets and databases write it, a row a document."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import Any

from kgmill.pipelines.sources.encodings import Lines, StreamError
from kgmill.pipelines.sources.fields import Origin, from_fields
from kgmill.pipelines.sources.formats import Records, SourceFormat
from kgmill.pipelines.sources.lookup import missing, root
from kgmill.pipelines.sources.streams import Stream
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.errors import RecordError
from kgmill.schemas.records import Reject

_DELIMITERS = (",", ";", "\t", "|")
_SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE | re.DOTALL)


class _RowLines:
    """The lines of a CSV file for Python's reader, which asks for as many as a row has."""

    def __init__(self, lines: Lines, max_bytes: int) -> None:
        self._lines = lines
        self._max_bytes = max_bytes
        self.begin_row()

    def begin_row(self) -> None:
        """Forgets the row before."""
        self.fault: RecordError | None = None
        self.encoding = "utf-8"
        self.n_replaced = 0
        self.first = self._lines.number + 1
        self._n_chars = 0

    def __iter__(self) -> _RowLines:
        return self

    def __next__(self) -> str:
        try:
            line = next(self._lines)
        except StreamError:
            raise
        except RecordError as error:
            if error.reason == "too_large":
                raise
            # The row is bad, but where it ends can still be seen: every encoding here has ASCII's quotes and commas.
            self.fault, line = error, self._lines.raw.decode("latin-1")
        if "\0" in line and self.fault is None:
            self.fault = RecordError("binary", "wanted text, got a row with NUL bytes")
        if self._lines.encoding != "utf-8":
            self.encoding = self._lines.encoding
        self.n_replaced += self._lines.n_replaced
        self._n_chars += len(line)
        if self._n_chars > self._max_bytes:
            raise RecordError("too_large", f"the row has more than {self._max_bytes} characters; is a quote left open?")
        return line


def read_csv(stream: Stream, config: SourceConfig, delimiter: str) -> Records:
    """The rows of a table whose first row names the columns.

    Cells are parted as the file's name says, unless the text's column is found only with another mark between cells, or
    a first line `sep=;` names it.

    Raises:
        RecordError: the file: `empty`, `binary`, `bad_csv`, or `no_text`: there is no such column.
    """
    csv.field_size_limit(config.max_record_bytes)  # of the whole process; 128 KB by default
    lines = _RowLines(Lines(stream.bytes, config.max_record_bytes, config.encodings), config.max_record_bytes)
    first = next(lines, "")
    if separator := _SEPARATOR.fullmatch(first):
        delimiter, first = separator[1], next(lines, "")
    else:
        delimiter = _delimiter(first, delimiter, config.fields.text)
    rows = csv.reader(chain([first] if first else [], lines), delimiter=delimiter, strict=True)
    header, unnamed = _columns(_row(rows, lines), config)
    while True:
        lines.begin_row()
        try:
            row = _row(rows, lines)
            if row is None:
                return
            if not row:
                continue
            if any(row[len(header) :]) or len(row) < len(header):
                raise RecordError("bad_csv", f"wanted {len(header)} cells, got {len(row)}")
        except StreamError:
            raise
        except RecordError as error:
            yield Reject("ingest", f"{stream.name}:{lines.first}", "", error.reason, error.detail)
        else:
            cells = {name: cell for name, cell in zip(header, row, strict=False) if cell or name not in unnamed}
            origin = Origin(stream.name, f"{stream.name}:{lines.first}", lines.encoding, lines.n_replaced)
            yield from_fields(cells, origin, config)


def _delimiter(first: str, usual: str, text: str) -> str:
    """What parts the cells of the first line: the usual mark, unless another one alone gives a column for the text."""
    for delimiter in (usual, *_DELIMITERS):
        if root(_cells(first, delimiter), text):
            return delimiter
    return max((usual, *_DELIMITERS), key=lambda delimiter: len(_cells(first, delimiter)))


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _columns(header: Sequence[str] | None, config: SourceConfig) -> tuple[list[str], set[str]]:
    """The names of the columns, and those that we gave: a column without a name of its own is called by its number."""
    if not header:
        raise RecordError("empty", "no row of column names")
    seen: Counter[str] = Counter()
    columns = []
    for number, name in enumerate(header, 1):
        seen[name] += 1
        columns.append(name if name.strip() and seen[name] == 1 else f"column_{number}")
    twice = [name for name, n in seen.items() if n > 1 and name in config.fields.named]
    if twice:
        raise RecordError("bad_csv", f"a column name is there twice: {', '.join(header)}"[:200])
    if not root(columns, config.fields.text):
        raise RecordError("no_text", f"{missing(columns, config.fields.text)}; the first row names the columns")
    return columns, set(columns) - set(header)


def _row(rows: Any, lines: _RowLines) -> list[str] | None:
    """The next row; an empty line is an empty row, the end is None."""
    try:
        row: list[str] | None = next(rows, None)
    except csv.Error as error:
        detail = "a carriage return outside of quotes" if "new-line character" in f"{error}" else f"{error}"[:200]
        raise RecordError("bad_csv", detail) from None
    if lines.fault:
        raise lines.fault
    return row


FORMAT = SourceFormat((".csv",), partial(read_csv, delimiter=","))
