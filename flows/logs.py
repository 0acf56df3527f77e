"""Log lines for programs and for logs: to a file, or in the place of all else on standard error."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler

from kgmill.flows.terminal import in_log_lines, voice
from kgmill.schemas.errors import ConfigError
from kgmill.schemas.logged import NAMES, exception_text, locate
from kgmill.schemas.text import printable, printable_lines

_LOGIN = re.compile(r"(?<=://)[^\s/@'\"]+@")
_SECRET = re.compile(
    r"(?i)\b([\w-]*(?:password|passwd|secret|token|signature|api[_-]?key|authorization)[\"']?\s*[=:]\s*(?:(?:bearer|basic)\s+)?)"
    r"[\"']?[^\s\"'&,;]+"
)


@contextmanager
def logging_to(form: str, file: str) -> Iterator[None]:
    """For the time of a run, writes what kgmill's modules log: from INFO on, or all of it where it is to be verbose.

    Args:
        form: `json`: an object a line; `text`, or empty: a line for people.
        file: appended to, also after it was moved away; empty: standard error, which then has log lines alone. Where
            both are empty, nothing is written, by nobody else's handlers either: the command or the flow says it.

    Raises:
        ConfigError: the file can't be written to.
    """
    handler = _handler(form, file)
    logger, said = logging.getLogger("kgmill"), voice()
    before = logger.level, logger.propagate
    with ExitStack() as stack:
        stack.callback(handler.close)
        if form or file:
            handler.setFormatter(JsonLine() if form == "json" else TextLine())
            handler.addFilter(locate)
            logger.setLevel(logging.DEBUG if said.verbose else logging.INFO)
        if form and not file:
            handler.setLevel(logging.ERROR if said.quiet else logging.NOTSET)
            stack.enter_context(in_log_lines())
        logger.addHandler(handler)
        logger.propagate = False  # Prefect's handlers of the root have lines of their own
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.propagate = before[1]
            logger.setLevel(before[0])


def _handler(form: str, file: str) -> logging.Handler:
    if not file:
        return logging.StreamHandler(sys.stderr) if form else logging.NullHandler()
    try:
        return WatchedFileHandler(file, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--log-file {file}: {error.strerror or error}") from None


class JsonLine(logging.Formatter):
    """A record as a JSON object on one line: time, level, logger, message, run, dataset, stage, unit, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; what isn't known is null, and an exception is there only where there was one."""
        where = getattr(record, "where", {})
        content = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
            **{name: where.get(name) for name in NAMES},
        }
        if exception := exception_text(record):
            content["exception"] = without_secrets(exception)
        return printable_lines(json.dumps(content, ensure_ascii=False))


class TextLine(logging.Formatter):
    """A record as a line for people, and below it the lines of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, what is known of where, and the message."""
        where = getattr(record, "where", {})
        place = "".join(f" {name}={where[name]}" for name in NAMES if where.get(name))
        line = f"{_time(record)} {record.levelname} {record.name}{place}: {record.getMessage()}"
        lines = [printable(line), *(f"  {printable(one)}" for one in exception_text(record).splitlines())]
        return without_secrets("\n".join(lines))


def _time(record: logging.LogRecord) -> str:
    """When, in UTC, as RFC 3339 has it."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def without_secrets(text: str) -> str:
    """The text without logins of URLs, and without what follows the name of a secret.

    >>> without_secrets("GET https://ada:x1@kg.example.org/?api_key=k7&n=1: 401; Authorization: Bearer e30")
    'GET https://***@kg.example.org/?api_key=***&n=1: 401; Authorization: Bearer ***'
    """
    return _SECRET.sub(r"\1***", _LOGIN.sub("***@", text))
