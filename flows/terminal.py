"""What is shown and where: results on standard output; progress, notes and waits on standard error.

Everything that takes rich is here, in `tables` and in `excerpt`; rich is imported when there is something to draw.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from kgmill.flows.progress import Progress, Status
from kgmill.schemas.text import printable, printable_json

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.console import Console, RenderableType
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

_MAX_WIDTH = 160  # lines of text are hard to read beyond
_MAX_BAR = 100  # columns of a bar and all that stands around it
_FURTHER_IN = 4  # columns, of what a broken line goes on with
_NAMES_WIDTH = 9  # of the longest stage
ProgressKind = Literal["auto", "bar", "lines", "json", "none"]


@dataclass(frozen=True, slots=True)
class Voice:
    """How much a command says.

    Attributes:
        quiet: results and errors alone: no progress, notes or summaries.
        verbose: the log of what is done too, and where an error comes from.
        progress: bars, lines for logs, JSON lines for programs, or none; `auto`: bars on a terminal, else lines.
        is_logged: standard error has log lines alone (`kgmill.flows.logs`): notes are such, and there are no bars.
    """

    quiet: bool = False
    verbose: bool = False
    progress: ProgressKind = "auto"
    is_logged: bool = False


_logger = logging.getLogger(__name__)
_voice = Voice()
_bars: Bars | None = None  # those that are on the screen now; what is printed meanwhile stands above them


@contextmanager
def speaking(voice: Voice) -> Iterator[None]:
    """For the time of a command, says as much as a voice does."""
    global _voice
    before, _voice = _voice, voice
    logger, handler = logging.getLogger("kgmill"), _LogHandler()
    level = logger.level
    if voice.verbose:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    try:
        yield
    except Exception as error:
        if voice.verbose and not getattr(error, "is_told", False):
            _print_note(traceback.format_exc().rstrip())
        raise
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        _voice = before


def voice() -> Voice:
    """How much the command says that runs now."""
    return _voice


@contextmanager
def in_log_lines() -> Iterator[None]:
    """Meanwhile standard error is the log's; an error that leaves here was told there, and says so by `is_told`."""
    global _voice
    before, _voice = _voice, replace(_voice, is_logged=True)
    try:
        yield
    except BaseException as error:
        error.is_told = True  # type: ignore[attr-defined]
        raise
    finally:
        _voice = before


class _LogHandler(logging.Handler):
    """A log line on standard error, above the bars; notes stand there already."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != __name__ and not _voice.is_logged:
            name = record.name.removeprefix("kgmill.")
            _print_note(printable(f"{record.levelname.lower()}: {name}: {record.getMessage()}"))


def show(*parts: RenderableType) -> None:
    """Prints results on standard output: lines as they are, tables as wide as the terminal."""
    for part in parts:
        print(rendered(part), flush=True)  # noqa: T201


def rendered(part: RenderableType) -> str:
    """A part as text: a line as it is, a table as wide as the terminal, without spaces at the ends of lines."""
    if isinstance(part, str):
        return part
    console = _console()
    with console.capture() as capture:
        console.print(part)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def show_lines(lines: Iterable[str]) -> None:
    """Prints lines as they are; on a terminal long ones are broken between words, and go on further in."""
    for line in lines:
        show("\n".join(broken(line, width())) if is_terminal(sys.stdout) else line)


def broken(line: str, columns: int) -> list[str]:
    """A line, which may have colours, as lines of at most so many columns.

    >>> broken("  Ada Byron worked for Acme Corp.", 26)
    ['  Ada Byron worked for', '      Acme Corp.']
    """
    from rich.text import Text

    text = Text.from_ansi(line)
    if text.cell_len <= columns:
        return [line]
    indent = len(text.plain) - len(text.plain.lstrip())
    rows = text[indent:].wrap(_console(), max(columns - indent - _FURTHER_IN, _FURTHER_IN))
    return [" " * (indent + _FURTHER_IN * bool(i)) + rendered(row) for i, row in enumerate(rows)]


def say(*parts: RenderableType) -> None:
    """Prints words for people on standard output, but where it is to be quiet."""
    if not _voice.quiet:
        show(*parts)


def show_json(value: Any) -> None:
    """Prints a result as JSON for programs."""
    show(printable_json(value, 1))


def note(text: str) -> None:
    """Prints a line on standard error, above the bars if there are any; a log has it too."""
    _logger.warning("%s", text.removeprefix("kgmill: "))
    if not _voice.quiet and not _voice.is_logged:
        _print_note(printable(text))


def _print_note(line: str) -> None:
    if _bars is not None:
        _bars.console.print(line, soft_wrap=True)
    else:
        print(line, file=sys.stderr, flush=True)  # noqa: T201


def is_coloured() -> bool:
    """Whether what is shown on standard output may be told apart by colour."""
    return is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")


def is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal that can move its cursor and somebody looks at."""
    return bool(stream.isatty()) and os.environ.get("TERM", "") not in ("dumb", "unknown") and "CI" not in os.environ


def width() -> int:
    """The columns of standard output; 80 where nothing says."""
    return _console().width


def waiting(what: str) -> AbstractContextManager[Any]:
    """A spinner while something takes seconds, such as `loading the model`; nothing where no terminal is."""
    if _voice.quiet or _kind() != "bar":
        return nullcontext()
    return _console(sys.stderr).status(f"{printable(what)} ...", spinner="dots")


def progress(unit: str) -> Progress:
    """Progress on standard error; `unit` is what is counted, such as `documents`."""
    kind = _kind()
    if kind == "bar":
        bar = Bar()
        return Progress(unit, bar.draw, every_s=0.0, on_end=bar.close)
    return Progress(unit, {"lines": _print_line, "json": _print_json}.get(kind, lambda status: None))


def _kind() -> ProgressKind:
    if _voice.quiet or _voice.is_logged:
        return "none"
    if _voice.progress != "auto":
        return _voice.progress
    return "bar" if is_terminal(sys.stderr) else "lines"


def _console(stream: Any = None, most: int = _MAX_WIDTH) -> Console:
    """rich's console on a stream; it takes no text for markup, and colours nothing by itself."""
    from rich.console import Console

    console = Console(file=stream or sys.stdout, markup=False, emoji=False, highlight=False)
    console.width = min(console.width, most)
    return console


class Bar:
    """A bar a stage; those of the stages that ended stay above it."""

    def __init__(self) -> None:
        self._task: TaskID | None = None

    def draw(self, status: Status) -> None:
        """Draws how far the stage is."""
        bars = _shown_bars()
        if self._task is None:
            self._task = bars.add_task(f"{printable(status.stage):{_NAMES_WIDTH}}", total=1.0, told="")
        bars.update(self._task, completed=status.share, told=_told(status))
        bars.refresh()

    def close(self) -> None:
        """Leaves the bars as they are."""
        global _bars
        if self._task is not None and _bars is not None:
            _bars.stop()
            _bars = None
        self._task = None


def _shown_bars() -> Bars:
    global _bars
    if _bars is None:
        from rich.progress import BarColumn, SpinnerColumn, TextColumn
        from rich.progress import Progress as Bars
        from rich.table import Column

        _bars = Bars(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[told]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=_console(sys.stderr, _MAX_BAR),
            expand=True,
        )
        _bars.start()
    return _bars


def _told(status: Status) -> str:
    """What stands behind the bar: how many, how fast, and the time that is left, or in the end that it took."""
    parts = [f"{status.done}/{status.total} {status.unit}" if status.total is not None else ""]
    if status.share < 1 and status.per_second is not None:
        parts.append(f"{status.per_second:.1f}/s")
    if status.share >= 1:
        parts.append(_clock(status.seconds))
    elif status.seconds_left is not None:
        parts.append(f"{_clock(status.seconds_left)} left")
    return printable("  ".join(part for part in (*parts, status.note) if part))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _print_line(status: Status) -> None:
    print(f"{_now()} {status}", file=sys.stderr, flush=True)  # noqa: T201


def _print_json(status: Status) -> None:
    content: dict[str, Any] = {"time": _now()}
    for key, value in asdict(status).items():
        content[key] = round(value, 4 if key in ("share", "per_second") else 1) if isinstance(value, float) else value
    print(printable_json(content), file=sys.stderr, flush=True)  # noqa: T201
