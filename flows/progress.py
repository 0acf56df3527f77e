"""Progress for people and programs: a bar on a terminal, JSON lines elsewhere. On standard error."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from tqdm import tqdm

from kgmill.schemas.text import printable, printable_json

_SECONDS_A_LINE = 10.0
_LITTLE = 0.01


@dataclass(frozen=True, slots=True)
class Status:
    """How far a stage is.

    Attributes:
        unit: what is counted.
        done, total: how many are done, of how many; None where that is not known yet.
        share: the share of the work that is done, from 0 to 1; finer than `done`.
        seconds: since the stage began.
        per_second, seconds_left: by the mean so far; None until a percent is done.
    """

    stage: str
    unit: str
    done: int | None
    total: int | None
    share: float
    seconds: float
    per_second: float | None
    seconds_left: float | None
    note: str

    def __str__(self) -> str:
        """For logs."""
        speed = f", {self.per_second:.1f} a second" if self.per_second is not None else ""
        left = f", about {self.seconds_left:.0f} s left" if self.seconds_left else ""
        of = f"{self.done} of {self.total} {self.unit}" if self.total is not None else f"{self.share:.0%}"
        return printable(f"{self.stage}: {of}{speed}{left} {self.note}").rstrip()


class Progress:
    """Shows stage after stage.

    Args:
        unit: what is counted, such as `documents`.
        log: takes a status at the begin and the end of a stage, and one in ten seconds between; None for a bar on a
            terminal, or JSON lines where standard error is none.
    """

    def __init__(self, unit: str, log: Callable[[Status], Any] | None = None) -> None:
        self._unit = unit
        self._log = log or (None if sys.stderr.isatty() else _print_json)
        self._bar: tqdm | None = None
        self._stage, self._logged = "", 0.0
        self._began = self._origin = (0.0, 0.0)  # time and share: of the stage's begin, and where its speed counts from
        self._share = 0.0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def update(self, stage: str, share: float, total: int | None, note: str = "") -> None:
        """Shows that a share of the stage is done, of so many units in all, None until they are known.

        What was done at the first call for a stage was done before, and counts for no speed. Nor does, as long as the
        stage lasts, the time of its first percent, if that came in smaller steps: it may be that of loading a model.
        """
        now = time.monotonic()
        is_new = stage != self._stage
        if is_new:
            self.close()
            self._stage, self._began, self._origin = stage, (now, share), (now, share)
        elif self._share < share <= self._began[1] + _LITTLE:
            self._origin = now, share
        self._share = share
        if self._log is None:
            self._draw(self._status(now, share, total, note))
        elif is_new or share >= 1 or now - self._logged >= _SECONDS_A_LINE:
            self._logged = now
            self._log(self._status(now, share, total, note))

    def note(self, line: str) -> None:
        """Prints a line, above the bar if there is one."""
        tqdm.write(printable(line), file=sys.stderr)

    def close(self) -> None:
        """Ends the current bar, and the stage."""
        self._stage = ""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _status(self, now: float, share: float, total: int | None, note: str) -> Status:
        done = None if total is None else int(share * total + 1e-6)
        since, before = self._origin if share < 1 else self._began
        gained, seconds = share - before, now - since
        is_told = share > self._began[1] + _LITTLE and seconds > 0
        per_second = gained * total / seconds if total is not None and is_told else None
        left = seconds / gained * (1 - share) if is_told else None
        return Status(self._stage, self._unit, done, total, share, now - self._began[0], per_second, left, note)

    def _draw(self, status: Status) -> None:
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


def _print_json(status: Status) -> None:
    content: dict[str, Any] = {"time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    for key, value in asdict(status).items():
        content[key] = round(value, 4 if key in ("share", "per_second") else 1) if isinstance(value, float) else value
    print(printable_json(content), file=sys.stderr, flush=True)  # noqa: T201
