"""What an error that ended a job means, wherever Beam or an engine wrapped it: the project's own kinds, in one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from kgmill.schemas import errors
from kgmill.schemas.errors import DiskError, KgmillError

_OURS = re.compile(r"^kgmill\.schemas\.errors\.(\w+): (.+)$", re.MULTILINE)  # in a traceback of a worker elsewhere
_FAILED = re.compile(r"^Pipeline \S+ failed in state \w+: ")
_JAVA = re.compile(r"(?:[a-z]\w*\.)+[A-Z][\w$]*(?:Exception|Error): ")  # what Java calls it, before what it says
_TRACEBACK = "Traceback (most recent call last)"


def describe(error: BaseException, root: Path) -> dict[str, Any]:
    """An error for the parent: its line, and its kind by name."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KgmillError):
            return {"error": _cut(str(cause)), "kind": type(cause).__name__}
        if isinstance(cause, OSError) and cause.errno in errors.DISK_HINTS:
            return {"error": str(DiskError.of(cause, root)), "kind": "DiskError"}
        cause = cause.__cause__ or cause.__context__
    if _FAILED.match(str(error)):
        return _of_engine(_FAILED.sub("", str(error)))
    text = " ".join(_cut(str(error)).split())
    last = text.rsplit(_TRACEBACK, 1)[-1]
    if isinstance(error, OSError) and error.filename:
        last = f"{error.filename}: {error.strerror}"
    return {"error": last[-400:] or type(error).__name__, "kind": "KgmillError", "type": type(error).__name__}


def _of_engine(text: str) -> dict[str, Any]:
    """What an engine says of a job that failed: a worker's error, with its traceback, or that a worker is gone."""
    if ours := _OURS.findall(text):
        kind, line = ours[-1]
        return {"error": _cut(line), "kind": kind}
    if _TRACEBACK not in text:
        why = _JAVA.sub("", text.partition("\n")[0])[:300]
        return {"error": f"a worker is gone ({why})", "kind": "WorkerError"}
    said = [line.strip() for line in text.splitlines() if line.strip()]
    last = _cut(next((line for line in reversed(said) if re.match(r"[\w.]+: ", line)), said[-1]))
    if "No module named 'kgmill" in last:
        return {
            "error": f"a worker has no kgmill, or another one ({last}); install this version where workers run",
            "kind": "EngineError",
        }
    return {"error": f"a worker failed: {last[:400]}", "kind": "KgmillError"}


def _cut(text: str) -> str:
    return text.split(" [while running")[0]
