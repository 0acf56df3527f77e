"""How far a stage is, how fast it goes and how long it will take, for whoever shows it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kgmill.schemas.text import printable

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
    """Tells of stage after stage.

    Args:
        unit: what is counted, such as `documents`.
        log: takes a status at the begin and the end of a stage, and between them one in `every_s` seconds.
        on_end: called when a stage has ended.
    """

    def __init__(
        self,
        unit: str,
        log: Callable[[Status], Any],
        *,
        every_s: float = 10.0,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._unit, self._log, self._every_s, self._on_end = unit, log, every_s, on_end
        self._stage, self._logged = "", 0.0
        self._began = self._origin = (0.0, 0.0)  # time and share: of the stage's begin, and where its speed counts from
        self._share = 0.0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def update(self, stage: str, share: float, total: int | None, note: str = "") -> None:
        """Tells that a share of the stage is done, of so many units in all, None until they are known.

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
        if is_new or share >= 1 or now - self._logged >= self._every_s:
            self._logged = now
            self._log(self._status(now, share, total, note))

    def close(self) -> None:
        """Ends the current stage."""
        self._stage = ""
        self._on_end()

    def _status(self, now: float, share: float, total: int | None, note: str) -> Status:
        done = None if total is None else int(share * total + 1e-6)
        since, before = self._origin if share < 1 else self._began
        gained, seconds = share - before, now - since
        is_told = share > self._began[1] + _LITTLE and seconds > 0
        per_second = gained * total / seconds if total is not None and is_told else None
        left = seconds / gained * (1 - share) if is_told else None
        return Status(self._stage, self._unit, done, total, share, now - self._began[0], per_second, left, note)
