"""The answer to a query as text, from a child process: what is busy in native code hears no signal and no clock.

The parent sends one line of JSON, the child replies with one when it has opened the store, and then with the text, or
with a line of JSON that names the error. The parent's clock starts at the first reply: the store is made once, and is
worth waiting for. Whatever ends the parent ends the child: its input closes. The parent imports next to nothing, as
the child has to import all of it again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kgmill.schemas import errors
from kgmill.schemas.errors import KgmillError, TimeLimitError, UsageError
from kgmill.schemas.extras import require
from kgmill.schemas.leaving import leave

_READY = b"ready\n"
_FAILED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How a query is asked, and told.

    Attributes:
        endpoint: of a server (`kgmill.pipelines.triplestores.endpoint`); empty: the embedded store.
        profile: the kind of server.
        ca_file: certificates of who may vouch for it, as PEM; empty: those that the web trusts.
        dataset: whose prefixes are declared, where there is no folder that says so.
        is_whole: no IRI is abbreviated.
    """

    endpoint: str = ""
    profile: str = ""
    ca_file: str = ""
    dataset: str = ""
    is_whole: bool = False


_USUAL = How()


def answer(
    folder: Path | None, sparql: str, format_name: str, timeout_s: float | None = None, how: How = _USUAL
) -> str:
    """What a finished build's graph, or a server, answers to a query, formatted.

    Args:
        folder: the output folder; of a question to a server the one whose prefixes are declared, or none.
        sparql: the query.
        format_name: see `kgmill.pipelines.triplestores.result_text`.
        timeout_s: seconds that it may take; none: any number.
        how: it is asked.

    Raises:
        MissingExtraError: a server is to be asked, and the extra `stores` is not installed.
        TimeLimitError: it took longer than `timeout_s` seconds, not counting the time to make the embedded store.
        KgmillError: whatever asking and formatting raise.
    """
    if how.endpoint:
        require("asking a server", "stores")
    if timeout_s is not None and not timeout_s > 0:
        raise UsageError(f"--timeout {timeout_s:g}: wanted a number of seconds above 0")
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "kgmill.pipelines.triplestores.answer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,  # Ctrl-C is the parent's to hear
    )
    with child:
        try:
            request = {"folder": str(folder or ""), "sparql": sparql, "format": format_name, "how": asdict(how)}
            child.stdin.write(f"{json.dumps(request)}\n".encode())  # type: ignore[union-attr]
            text, is_late = _read_reply(child, timeout_s)
        finally:
            child.kill()
    if is_late:
        raise TimeLimitError(
            f"no answer within {timeout_s:g} s (--timeout); ask for less, with LIMIT or with a label given"
        )
    if child.returncode == _FAILED:
        fault = json.loads(text)
        raise getattr(errors, fault["kind"], KgmillError)(fault["error"])
    if child.returncode:
        raise KgmillError(f"the query ended with code {child.returncode}; is there memory enough? ask for less")
    return text.decode()


def _read_reply(child: subprocess.Popen[bytes], timeout_s: float | None) -> tuple[bytes, bool]:
    """The child's text, after it has ended, and whether it was ended because its time was up."""
    is_late = threading.Event()

    def stop() -> None:
        is_late.set()
        child.kill()

    first = child.stdout.readline()  # type: ignore[union-attr]
    timer = threading.Timer(timeout_s, stop) if timeout_s else None
    if timer:
        timer.start()
    try:
        rest = child.stdout.read()  # type: ignore[union-attr]
        child.wait()
    finally:
        if timer:
            timer.cancel()
    return rest if first == _READY else first + rest, is_late.is_set() and child.returncode < 0


def _main() -> int:
    """The child; its standard error is the command's."""
    import logging

    logging.basicConfig(format="kgmill: %(message)s")
    request = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from kgmill.pipelines.triplestores.query import format_result

    how = How(**request["how"])
    folder = Path(request["folder"]) if request["folder"] else None
    try:
        found = _ask(folder, request["sparql"], how)
        text, code = format_result(found, request["format"], is_whole=how.is_whole), 0
    except KgmillError as error:
        text, code = json.dumps({"kind": type(error).__name__, "error": str(error)}), _FAILED
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()
    return code


def _ask(folder: Path | None, sparql: str, how: How) -> Any:
    """The answer; says that the clock may start as soon as there is something to ask."""
    from kgmill.pipelines.triplestores.query import prefixes_of, prefixes_of_name, prepare, query

    if not how.endpoint:
        assert folder is not None  # noqa: S101 - where there is no server there is a folder
        prepare(folder)
        os.write(1, _READY)
        return query(folder, sparql)
    from kgmill.pipelines.triplestores.endpoint import ask
    from kgmill.pipelines.triplestores.prefixes import PREFIXES

    prefixes = prefixes_of(folder) if folder else prefixes_of_name(how.dataset) if how.dataset else PREFIXES
    os.write(1, _READY)
    return ask(how.endpoint, sparql, prefixes, how.profile, Path(how.ca_file) if how.ca_file else None)


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    leave(_main())
