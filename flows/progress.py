"""Progress for people: a bar with an estimate on a terminal, a line now and then elsewhere. On standard error."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

_SECONDS_A_LINE = 10.0


class Progress:
    """A bar a stage. `update` takes the stage's name and what is done of how much."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self._bar: tqdm | None = None
        self._stage = ""
        self._printed = 0.0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def update(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Shows that `done` of `total` is done."""
        if not sys.stderr.isatty():
            self._line(stage, done, total, note)
            return
        if stage != self._stage or self._bar is None:
            self.close()
            self._bar = tqdm(total=total, desc=stage, unit=self.unit, dynamic_ncols=True, leave=True)
            self._stage = stage
        self._bar.n = done
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        """Ends the current bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _line(self, stage: str, done: int, total: int, note: str) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began = stage, now
        elif now - self._printed < _SECONDS_A_LINE and done < total:
            return
        self._printed = now
        left = f", about {(now - self._began) / done * (total - done):.0f} s left" if 0 < done < total else ""
        print(f"{stage}: {done} of {total}{self.unit}{left} {note}".rstrip(), file=sys.stderr)  # noqa: T201
