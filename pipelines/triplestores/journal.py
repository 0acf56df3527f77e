"""What an output folder knows of its loads: its own id, and what it has put into which store.

DIR/load/owner          the folder's id: random, made by its first load, and never in the graph itself
DIR/load/HASH.json      the journal of one store, by the hash of its base URL
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from kgmill.pipelines.output import layout
from kgmill.pipelines.output.forgotten import Forgotten, hidden_name, hide, read_forgotten
from kgmill.pipelines.output.parts import Store
from kgmill.schemas.errors import OutputError

logger = logging.getLogger(__name__)

WRITING_PAUSES = 30.0  # times as long as writing it took, at least


def read_owner(folder: Path) -> str:
    """The id of an output folder; empty where none was made yet."""
    try:
        return (folder / layout.LOAD / "owner").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def make_owner(folder: Path) -> str:
    """The id of an output folder, which is made where there is none.

    Raises:
        OutputError: it can't be written.
    """
    if owner := read_owner(folder):
        return owner
    _write(folder / layout.LOAD / "owner", f"{secrets.token_hex(16)}\n", "owner id")
    return read_owner(folder)


class Journal:
    """What this folder has loaded into one store.

    It is a reason to skip work, and proof of which graphs are this folder's; a lost one costs a full load.

    Attributes:
        digests: of each graph that this folder ever put there, the sha256 of its sorted triples; empty where it is not
            known whether the store has taken them.
        states: the states of the store's metadata graph in which the digests are true; a journal of kgmill 0.1.0 has
            none.
    """

    def __init__(self, folder: Path, base: str) -> None:
        self._folder = folder
        self._path = folder / layout.LOAD / f"{hashlib.sha256(base.encode()).hexdigest()[:16]}.json"
        self.digests, self.states = _read(self._path)
        self._owner = read_owner(folder)
        self._due = 0.0

    def known(self, graphs: Iterable[str]) -> set[str]:
        """Those of some graphs that this folder ever loaded into any store; one store can have more than one URL.

        The graph of a document that was forgotten since is known by a hash.
        """
        others = (_read(path)[0] for path in self._path.parent.glob("*.json") if path != self._path)
        names = set(self.digests).union(*others)
        return {graph for graph in graphs if graph in names or hidden_name(graph, self._owner) in names}

    def distrust(self, iris: Iterable[str]) -> None:
        """Whether the store holds what was meant for these graphs is no longer, or not yet, known."""
        self.digests |= dict.fromkeys(iris, "")

    def forget(self, iris: Iterable[str]) -> None:
        """The graphs are gone from the store."""
        for iri in iris:
            self.digests.pop(iri, None)
            self.digests.pop(hidden_name(iri, self._owner), None)

    def save(self) -> None:
        """Writes the journal: the old one, or the new one, is whole at any moment."""
        began = time.monotonic()
        graphs = hide(self.digests, self._forgotten(), self._owner)  # of documents forgotten while it loads, too
        value = {"states": self.states, "graphs": graphs}
        _write(self._path, json.dumps(value, ensure_ascii=False, sort_keys=True), "journal")
        now = time.monotonic()
        self._due = now + WRITING_PAUSES * (now - began)

    def _forgotten(self) -> Forgotten:
        with suppress(OutputError):  # the next build or forget says that the list is damaged
            return read_forgotten(Store(self._folder))
        return Forgotten()

    def save_if_due(self) -> None:
        """Writes the journal unless that takes too much of a load's time: that of very many graphs is long."""
        if time.monotonic() >= self._due:
            self.save()


def _read(path: Path) -> tuple[dict[str, str], list[str]]:
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}, []
    except (OSError, ValueError) as error:
        logger.warning("%s: unreadable, so every graph is loaded again: %s", path, error)
        return {}, []
    if not isinstance(value, dict):
        return {}, []
    if isinstance(value.get("graphs"), dict) and isinstance(value.get("states"), list):
        return value["graphs"], value["states"]
    return {iri: digest for iri, digest in value.items() if isinstance(digest, str)}, []


def _write(path: Path, text: str, what: str) -> None:
    temporary = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(exist_ok=True)
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: the {what} can't be written: {error.strerror or error}") from None
