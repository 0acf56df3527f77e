"""Documents that were forgotten, and are kept out: DIR/forgotten.json has salted hashes of their ids, and not the ids.

Whoever has the file and guesses an id can find out that it is in it: it hides ids, it does not protect them.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from kgmill.pipelines.output import layout
from kgmill.pipelines.output.ledger import all_run_files
from kgmill.pipelines.output.near import remove_copy
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.output.steps import is_in_step
from kgmill.pipelines.output.upkeep import old_files, sweep
from kgmill.pipelines.storage.files import to_json
from kgmill.schemas.errors import OutputError
from kgmill.schemas.identity import digest

REASON = "forgotten"  # of the rejects that these documents are
DETAIL = "kgmill forget keeps this document out; kgmill forget --allow DIR DOC takes that back"
_ERASED = "erased by kgmill forget"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The list.

    Attributes:
        salt: random, of this output alone.
        hashes: of the ids.
        is_unfinished: something of them may still be in the output.
    """

    salt: str = ""
    hashes: frozenset[str] = frozenset()
    is_unfinished: bool = False

    def hash_of(self, doc_id: str) -> str:
        """What the list has in the place of an id."""
        return digest("forgotten", self.salt, doc_id)

    def has(self, doc_id: str) -> bool:
        """Whether a document is kept out."""
        return bool(self.hashes) and self.hash_of(doc_id) in self.hashes

    def with_ids(self, doc_ids: Iterable[str]) -> Forgotten:
        """The list with more documents, which are not gone yet."""
        salted = self if self.salt else replace(self, salt=secrets.token_hex(16))
        return replace(salted, hashes=self.hashes | {salted.hash_of(i) for i in doc_ids}, is_unfinished=True)

    def without_ids(self, doc_ids: Iterable[str]) -> Forgotten:
        """The list without some documents."""
        return replace(self, hashes=self.hashes - {self.hash_of(i) for i in doc_ids})


def read_forgotten(store: Store) -> Forgotten:
    """The list of an output; an empty one where there is none.

    Raises:
        OutputError: it is damaged: a build that passed over it would bring back what was to be forgotten.
    """
    try:
        content = json.loads(store.storage.read(layout.FORGOTTEN))
        return Forgotten(str(content["salt"]), frozenset(map(str, content["ids"])), bool(content["unfinished"]))
    except (FileNotFoundError, NotADirectoryError):
        return Forgotten()
    except (OSError, ValueError, TypeError, KeyError):
        raise OutputError(
            f"{store.storage.place(layout.FORGOTTEN)}: damaged, so it can't be told which documents are to be kept "
            "out; put a copy back, or remove the file and run kgmill forget for each of them again"
        ) from None


def write_forgotten(store: Store, listed: Forgotten) -> None:
    """Replaces the list, whole or not at all."""
    content = {"salt": listed.salt, "ids": sorted(listed.hashes), "unfinished": listed.is_unfinished}
    store.storage.write(layout.FORGOTTEN, to_json(content))


def finish_forgetting(store: Store) -> None:
    """Erases what is left of forgotten documents beside the live tables and graph, which have none of them.

    These are the changes of all runs, the embedded store, the report, what failed runs said, parts that are not live,
    and names of graphs in the journals of loads: the next load still has to know that it may remove them. Only the
    holder of the lock may call it; it can be done again. Where the documents are still live, or a stage's results are
    of when they were, it is too early, and nothing is done.
    """
    listed = read_forgotten(store)
    if not listed.is_unfinished or _is_there(store, listed) or not is_in_step(store):
        return
    storage = store.storage
    for name in old_files(store, layout.CHANGES, 0):
        storage.remove(name)
    storage.remove(layout.QUERIED)
    storage.remove(layout.REPORT)
    storage.remove(layout.SURVEY)
    for name in all_run_files(store):
        _rewrite(store, name, _without_error)
    owner = _owner(store)
    for entry in storage.entries(layout.LOAD):
        if entry.name.endswith(".json"):
            _rewrite(store, entry.name, lambda journal: _hidden(journal, listed, owner))
    sweep(store)
    remove_copy(store)
    write_forgotten(store, replace(listed, is_unfinished=False))


def _is_there(store: Store, listed: Forgotten) -> bool:
    columns = {"documents": ["doc_id"], "rejects": ["doc_id", "source"]}
    return any(
        listed.has(value)
        for stage in ("ingest", "extract")
        for part in store.live(stage)
        for table, names in columns.items()
        for column in part.read(table, names).columns
        for value in map(str, column.to_pylist())
    )


def hidden_name(graph: str, owner: str) -> str:
    """What a journal has in the place of a graph's name that would tell a forgotten document's id.

    Args:
        graph: the IRI.
        owner: the random id of the output folder.
    """
    prefix = graph.rpartition("/graph/")[0]
    return f"{prefix}/graph/forgotten/{digest('forgotten', owner, graph)[:32]}"


def hide(graphs: Mapping[str, str], listed: Forgotten, owner: str) -> dict[str, str]:
    """What a journal says of graphs, under hidden names where they are those of forgotten documents."""
    if not listed.hashes:
        return dict(graphs)
    renamed: dict[str, str] = {}
    for graph, sha256 in graphs.items():
        _, is_document, doc_id = graph.rpartition("/graph/doc/")
        is_gone = bool(is_document) and listed.has(unquote(doc_id, errors="surrogatepass"))
        renamed |= {hidden_name(graph, owner): ""} if is_gone else {graph: sha256}
    return renamed


def _hidden(journal: dict[str, Any], listed: Forgotten, owner: str) -> dict[str, Any]:
    graphs = journal.get("graphs")
    if isinstance(graphs, dict):
        return journal | {"graphs": hide(graphs, listed, owner)}
    return dict(hide(journal, listed, owner))  # of 0.1.0


def _without_error(ledger: dict[str, Any]) -> dict[str, Any]:
    return ledger | {"error": _ERASED} if "error" in ledger else ledger


def _rewrite(store: Store, name: str, change: Any) -> None:
    try:
        before = json.loads(store.storage.read(name))
        after = change(before)
    except OSError:
        return
    except (ValueError, TypeError, AttributeError):
        store.storage.remove(name)  # damaged, and so of no use to its readers either
        return
    if after != before:
        store.storage.write(name, to_json(after))


def _owner(store: Store) -> str:
    try:
        return store.storage.read(f"{layout.LOAD}/owner").decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
