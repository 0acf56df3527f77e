"""SPARQL queries: over a finished build, on the embedded store, or sent to a server."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from kgmill.pipelines.output import layout
from kgmill.pipelines.output.format import check_readable
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.triplestores.embedded import one_line, open_store
from kgmill.pipelines.triplestores.prefixes import NOT_KEYWORDS, PREFIXES, dataset_prefixes
from kgmill.pipelines.triplestores.result_text import Result, format_result
from kgmill.schemas.errors import UsageError

__all__ = ["Result", "finished_graph", "format_result", "prefixes_of", "prepare", "query"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_DATASET = re.compile(r"(.*[/:])([^/:]+)")

_FROM = re.compile(r"\bFROM\b", re.IGNORECASE)
_UPDATE = re.compile(r"\s*(?:(?:PREFIX|BASE)\s+)*(INSERT|DELETE|WITH|LOAD|CLEAR|DROP|CREATE|ADD|MOVE|COPY)\b", re.I)
# pyoxigraph can't be told to stay off the network, and it takes `SERVICESILENT<iri>{` without a space. So this looks at
# the raw text, strings and comments included: an odd literal may be refused, but no call can hide behind a quote.
_SPACE = r"(?:\s|#[^\r\n]*[\r\n])*"
_SERVER = r"(?:<[^<>]*>|[?$]\w+|[\w.-]*:[^\s{}<>]*)"
_SERVICE = re.compile(
    rf"[?$:]\w+|(?P<service>SERVICE{_SPACE}(?:SILENT{_SPACE})?{_SERVER}{_SPACE}\{{)",
    re.IGNORECASE,
)


def finished_graph(folder: Path) -> tuple[Path, str]:
    """The path of a finished build's graph, and the sha256 of its uncompressed bytes.

    Raises:
        UsageError: the folder holds no finished build, or a graph of another format.
    """
    check_readable(Store(folder))
    path = folder / layout.GRAPH / layout.NQUADS
    graph = _ledger(folder).get("graph")
    sha256 = graph.get("sha256") if isinstance(graph, dict) else None
    if not (isinstance(sha256, str) and _SHA256.fullmatch(sha256) and path.is_file()):
        raise UsageError(f"{folder}: no finished build here; run kgmill build SOURCE... --out {folder} first")
    return path, sha256


def _ledger(folder: Path) -> dict[str, Any]:
    try:
        ledger = json.loads((folder / layout.RUN).read_bytes())
    except (OSError, ValueError):
        return {}
    return ledger if isinstance(ledger, dict) else {}


def query(folder: Path, sparql: str) -> Result:
    """The answer of a finished build's graph to a SPARQL 1.1 query.

    The default graph is the union of all named graphs, unless the query chooses with FROM or FROM NAMED. A triple that
    stands in several named graphs counts once for each (https://github.com/oxigraph/oxigraph/issues/1919).

    Args:
        folder: the output folder of a build.
        sparql: a SELECT, ASK, CONSTRUCT or DESCRIBE query; the names of `prefixes_of` need no declaration.

    Raises:
        UsageError: no finished build, a query that can't be answered, an update, or a call to another server.
        CorruptPartError: the graph isn't the one that run.json promises.
        OutputError: the store can't be written.
    """
    path, sha256 = finished_graph(folder)
    sparql = sparql.removeprefix("\ufeff")
    _check_no_call(sparql)
    check_no_update(sparql, "the store is read-only")
    is_union = not _FROM.search(NOT_KEYWORDS.sub(" ", sparql))
    store = open_store(folder / layout.QUERIED, path, sha256)
    try:
        return store.query(sparql, prefixes=prefixes_of(folder), use_default_graph_as_union=is_union)
    except SyntaxError as error:
        raise UsageError(f"not a SPARQL 1.1 query: {one_line(error)}") from None
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"the query can't be answered: {one_line(error)}") from None


def prepare(folder: Path) -> None:
    """Makes the store of a finished build's graph, if it isn't there; raises what `query` does."""
    path, sha256 = finished_graph(folder)
    open_store(folder / layout.QUERIED, path, sha256)


def prefixes_of(folder: Path) -> dict[str, str]:
    """The usual prefixes, and those of a finished build's dataset.

    Its names are in run.json; where they are not, the name of the graph file's first graph tells them.

    Raises:
        UsageError: the folder holds no finished build.
    """
    path, _ = finished_graph(folder)
    config = _ledger(folder).get("config") or {}
    if config.get("base_iri") and config.get("dataset"):
        return PREFIXES | dataset_prefixes(config["base_iri"], config["dataset"])
    from kgmill.pipelines.triplestores.dump import prefix_of, split_quad

    with suppress(OSError, EOFError, zlib.error), gzip.open(path) as lines:
        quad = split_quad(lines.readline())
        prefix = prefix_of(quad[0].decode(errors="replace")) if quad else None
        if named := _DATASET.fullmatch((prefix or "").removesuffix("/graph/")):
            return PREFIXES | dataset_prefixes(*named.groups())
    return PREFIXES


def prefixes_of_name(dataset: str) -> dict[str, str]:
    """The same of a dataset that is given by its IRI, or by the name that it has under the default base.

    Raises:
        UsageError: neither.
    """
    from kgmill.schemas.config import dataset_name, default_base

    named = _DATASET.fullmatch(dataset)
    if named is None and dataset_name(dataset) != dataset:
        raise UsageError(
            f"--dataset {dataset}: wanted a dataset's name, or its IRI such as https://kg.example.org/news"
        )
    return PREFIXES | dataset_prefixes(*(named.groups() if named else (default_base(dataset), dataset)))


def _check_no_call(sparql: str) -> None:
    if any(match["service"] for match in _SERVICE.finditer(sparql)):
        raise UsageError(
            "the query calls another server (SERVICE), but kgmill query answers from this build alone; "
            "use kgmill load, and ask a triple store"
        )


def check_no_update(sparql: str, why: str) -> None:
    """Refuses an update; `why` nothing is changed.

    Raises:
        UsageError: naming it.
    """
    if update := _UPDATE.match(NOT_KEYWORDS.sub(" ", sparql)):
        raise UsageError(f"{update[1].upper()} is an update, but {why}: ask with SELECT, ASK, CONSTRUCT or DESCRIBE")
