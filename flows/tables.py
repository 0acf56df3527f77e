"""Tables for people, as wide as the terminal at most; every text in them is safe to show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from kgmill.schemas.text import printable

GAP = 2  # columns between two columns


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> Table:
    """A table; a column whose name begins with `>` is of numbers, at the right, and whole numbers get commas.

    Cells that are too wide are folded, so nothing is cut.
    """
    made = Table(
        title=printable(title) or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        header_style="bold",
    )
    for name in columns:
        is_number = name.startswith(">")
        made.add_column(
            name.removeprefix(">"),
            justify="right" if is_number else "left",
            no_wrap=is_number,
            overflow="fold",
        )
    for row in rows:
        made.add_row(*map(_cell, row))
    return made


def rows_or_records(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Table:
    """A table where every column has room for its longest word; else a block a row, of a line a column."""
    words = [
        max(map(cell_len, [name.removeprefix(">"), *(word for row in rows for word in row[i].split())]))
        for i, name in enumerate(columns)
    ]
    if sum(words) + GAP * (len(columns) - 1) <= width:
        made = table(columns, rows)
        for column, least in zip(made.columns, words, strict=True):
            column.min_width = least
        return made
    made = Table(box=None, show_header=False, padding=(0, GAP, 0, 0), pad_edge=False)
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for n, row in enumerate(rows, start=1):
        if n > 1:
            made.add_row("", "")
        made.add_row(Text(f"row {n}", "bold"), "")
        for name, value in zip(columns, row, strict=True):
            made.add_row(_cell(name.removeprefix(">")), _cell(value))
    return made


def _cell(value: object) -> Text:
    if isinstance(value, Text):
        return value
    if value is None:
        return Text("-")
    if isinstance(value, int) and not isinstance(value, bool):
        return Text(f"{value:,}")
    return Text(printable(str(value)))
