"""Where a log line comes from: the run, its dataset, the stage and the work unit, whichever module logs it.

Modules log by `logging.getLogger(__name__)` and name none of these; who begins a run, a stage or a unit says so once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from kgmill.schemas.errors import KgmillError

NAMES = ("run", "dataset", "stage", "unit")

_P = ParamSpec("_P")
_R = TypeVar("_R")
_RAISED = "kgmill_where"
_within: ContextVar[Mapping[str, str]] = ContextVar("within", default=MappingProxyType({}))


@contextmanager
def within(**where: str) -> Iterator[None]:
    """What is logged meanwhile, in this thread, is of this run, dataset, stage or unit.

    >>> with within(run="2026-11-27T030000Z", stage="extract"), within(unit="00-0000"):
    ...     where()
    {'run': '2026-11-27T030000Z', 'stage': 'extract', 'unit': '00-0000'}
    """
    token = _within.set({**_within.get(), **where})
    try:
        yield
    except BaseException as error:
        if not hasattr(error, _RAISED):
            setattr(error, _RAISED, _within.get())
        raise
    finally:
        _within.reset(token)


def where() -> dict[str, str]:
    """What is said now, by those of NAMES that are known."""
    return dict(_within.get())


def where_raised(error: BaseException) -> dict[str, str]:
    """What was said where an error, or one that led to it, was raised."""
    cause: BaseException | None = error
    while cause is not None:
        if found := getattr(cause, _RAISED, None):
            return dict(found)
        cause = cause.__cause__ or cause.__context__
    return {}


def carried(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The function for other threads: what it logs there is of where it was carried from."""
    here = where()

    def there(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with within(**here):
            return function(*args, **kwargs)

    return there


def locate(record: logging.LogRecord) -> bool:
    """A handler's filter: gives each record `where`; one that came from a worker has said its own part already."""
    record.where = {**where(), **getattr(record, "where", {})}
    return True


def exception_text(record: logging.LogRecord) -> str:
    """An exception's text: of one of our own kinds its line, of any other where it was raised too; empty for none."""
    if record.exc_text or not record.exc_info:
        return record.exc_text or ""
    error = record.exc_info[1]
    if isinstance(error, KgmillError):
        return f"{type(error).__name__}: {error}"
    return logging.Formatter().formatException(record.exc_info)


class Relay(logging.Handler):
    """A worker's handler: sends records as JSON has them, for `take` in the process that shows them."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self._send = send
        self.addFilter(locate)

    def emit(self, record: logging.LogRecord) -> None:
        """Sends a record; an exception goes as its text."""
        self._send(
            {
                "name": record.name,
                "levelno": record.levelno,
                "levelname": record.levelname,
                "msg": record.getMessage(),
                "created": record.created,
                "exc_text": exception_text(record),
                "where": record.where,  # type: ignore[attr-defined]
            }
        )


def take(content: Mapping[str, Any]) -> None:
    """Logs here what a worker sent."""
    logger = logging.getLogger(content["name"])
    if logger.isEnabledFor(content["levelno"]):
        logger.handle(logging.makeLogRecord(content))
