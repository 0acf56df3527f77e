"""What shows progress on standard error: a bar on a terminal, JSON lines for programs elsewhere."""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, NoReturn

from tqdm import tqdm

from kgmill.flows.progress import Progress, Status
from kgmill.schemas.text import printable, printable_json


def progress(unit: str) -> Progress:
    """Progress on standard error; `unit` is what is counted, such as `documents`."""
    if not sys.stderr.isatty():
        return Progress(unit, _print_json)
    bar = Bar()
    return Progress(unit, bar.draw, every_s=0.0, on_end=bar.close)


def note(line: str) -> None:
    """Prints a line, above the bar if there is one."""
    tqdm.write(printable(line), file=sys.stderr)


class Bar:
    """The bar of the current stage."""

    def __init__(self) -> None:
        self._bar: tqdm[NoReturn] | None = None

    def draw(self, status: Status) -> None:
        """Draws how far the stage is."""
        elapsed, left = (
            tqdm.format_interval(s) if s is not None else "?" for s in (status.seconds, status.seconds_left)
        )
        counted = f" {status.done}/{status.total} {status.unit}" if status.total is not None else ""
        speed = f", {status.per_second:.1f} {status.unit}/s" if status.per_second is not None else ""
        text = printable(f"{counted} [{elapsed}<{left}{speed}] {status.note}").rstrip()
        text = text.replace("{", "{{").replace("}", "}}")
        form = f"{status.stage}: {{percentage:3.0f}}%|{{bar}}|{text}"
        columns = shutil.get_terminal_size().columns  # never 0, where tqdm draws nothing
        if self._bar is None:
            self._bar = tqdm(total=1.0, bar_format=form, ncols=columns, nrows=2, leave=True)
        self._bar.n, self._bar.bar_format, self._bar.ncols = status.share, form, columns
        self._bar.refresh()

    def close(self) -> None:
        """Leaves the bar as it is; the next one is another stage's."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _print_json(status: Status) -> None:
    content: dict[str, Any] = {"time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    for key, value in asdict(status).items():
        content[key] = round(value, 4 if key in ("share", "per_second") else 1) if isinstance(value, float) else value
    print(printable_json(content), file=sys.stderr, flush=True)  # noqa: T201
