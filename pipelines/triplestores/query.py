"""SPARQL queries over a finished build, on an embedded store that is made once for each version of the graph.

The store is a cache: `DIR/store/<first 16 hex digits of the graph's sha256>/`, made in a temporary folder beside it and
renamed when whole. It is opened read-only, so several queries may run at once; deleting `DIR/store` is always safe.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import secrets
import shutil
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias

import pyoxigraph as ox

from kgmill.pipelines.graph.vocabulary import KGMILL
from kgmill.pipelines.output import layout
from kgmill.pipelines.output.format import check_readable
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.triplestores.dump import prefix_of, split_quad
from kgmill.schemas.errors import CorruptPartError, OutputError, UsageError
from kgmill.schemas.text import printable, printable_lines

Result: TypeAlias = ox.QuerySolutions | ox.QueryBoolean | ox.QueryTriples

# Prefixes that a query may use undeclared, beside those of the dataset, and that tables and Turtle abbreviate with.
PREFIXES = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcterms": "http://purl.org/dc/terms/",
    "nif": "http://persistence.uni-leipzig.org/nlp2rdf/ontologies/nif-core#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "prov": "http://www.w3.org/ns/prov#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "void": "http://rdfs.org/ns/void#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
MAX_CELL = 60

_SHA256 = re.compile(r"[0-9a-f]{64}")
_STORE_NAME = re.compile(r"[0-9a-f]{16}")
_TEMPORARY_NAME = re.compile(r"\.tmp-(\d+)-[0-9a-f]+")
_NAMED = re.compile(r"(.*[/:])([^/:]+)/graph/")
_LOCAL_NAME = re.compile(r"[A-Za-z0-9_-]+")

# What can hold a word that is no keyword: strings, IRIs, comments, variables and prefixed names.
_NOT_KEYWORDS = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""'
    r"|'''(?:[^'\\]|\\.|'(?!''))*'''"
    r'|"(?:[^"\\\r\n]|\\.)*"'
    r"|'(?:[^'\\\r\n]|\\.)*'"
    r'|<[^\x00-\x20<>"{}|^`\\]*>'
    r"|#[^\r\n]*"
    r"|[?$]\w+"
    r"|[\w.-]*:[\w.-]*",
    re.DOTALL,
)
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
    try:
        sha256 = json.loads((folder / layout.RUN).read_bytes())["graph"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        sha256 = None
    if not (isinstance(sha256, str) and _SHA256.fullmatch(sha256) and path.is_file()):
        raise UsageError(f"{folder}: no finished build here; run kgmill build SOURCE... --out {folder} first")
    return path, sha256


def query(folder: Path, sparql: str) -> Result:
    """The answer of a finished build's graph to a SPARQL 1.1 query.

    The default graph is the union of all named graphs, unless the query chooses with FROM or FROM NAMED. A triple that
    stands in several named graphs counts once for each (https://github.com/oxigraph/oxigraph/issues/1919).

    Args:
        folder: the output folder of a build.
        sparql: a SELECT, ASK, CONSTRUCT or DESCRIBE query; the names of `PREFIXES` need no declaration, nor do the
            dataset's: `v:` its vocabulary, `x:` kgmill's terms, `e:` entities, `d:` documents, `g:` named graphs.

    Raises:
        UsageError: no finished build, a query that can't be answered, an update, or a call to another server.
        CorruptPartError: the graph isn't the one that run.json promises.
        OutputError: the store can't be written.
    """
    path, sha256 = finished_graph(folder)
    sparql = sparql.removeprefix("\ufeff")
    _check_query(sparql)
    is_union = not _FROM.search(_NOT_KEYWORDS.sub(" ", sparql))
    store = _open_store(folder / layout.QUERIED, path, sha256)
    try:
        return store.query(sparql, prefixes=PREFIXES | _prefixes(path), use_default_graph_as_union=is_union)
    except SyntaxError as error:
        raise UsageError(f"not a SPARQL 1.1 query: {_one_line(error)}") from None
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"the query can't be answered: {_one_line(error)}") from None


def prepare(folder: Path) -> None:
    """Makes the store of a finished build's graph, if it isn't there; raises what `query` does."""
    path, sha256 = finished_graph(folder)
    _open_store(folder / layout.QUERIED, path, sha256)


def _prefixes(graph: Path) -> dict[str, str]:
    """The dataset's own prefixes, told from the name of the file's first graph; none where it tells nothing."""
    with suppress(OSError, EOFError, zlib.error), gzip.open(graph) as lines:
        quad = split_quad(lines.readline())
        prefix = prefix_of(quad[0].decode(errors="replace")) if quad else None
        if named := _NAMED.fullmatch(prefix or ""):
            base, dataset = named.groups()
            return {
                "v": f"{base}vocab#",
                "x": KGMILL,
                "e": f"{base}{dataset}/entity/",
                "d": f"{base}{dataset}/doc/",
                "g": f"{base}{dataset}/graph/",
            }
    return {}


def format_result(result: Result, format_name: str) -> str:
    """A result as text, without the line break at its end that `print` adds.

    Args:
        result: what `query` returned; it is used up.
        format_name: `table` (for a graph: Turtle), `json` (SPARQL 1.1 results) or `csv` (SPARQL 1.1 CSV).

    Raises:
        UsageError: an unknown format, or one that can't hold this kind of result.
    """
    if format_name not in ("table", "json", "csv"):
        raise UsageError(f"unknown format {format_name!r}; known: table, json, csv")
    try:
        if isinstance(result, ox.QueryTriples):
            return _graph_text(result, format_name)
        if format_name == "json":
            return printable_lines((result.serialize(format=ox.QueryResultsFormat.JSON) or b"").decode())
        if format_name == "csv":
            return (result.serialize(format=ox.QueryResultsFormat.CSV) or b"").decode().removesuffix("\r\n")
        if isinstance(result, ox.QueryBoolean):
            return "yes" if result else "no"
        return _table(result)
    except RuntimeError as error:
        raise UsageError(f"the query can't be answered: {_one_line(error)}") from None


# The query's text


def _check_query(sparql: str) -> None:
    if any(match["service"] for match in _SERVICE.finditer(sparql)):
        raise UsageError(
            "the query calls another server (SERVICE), but kgmill query answers from this build alone; "
            "use kgmill load, and ask a triple store"
        )
    if update := _UPDATE.match(_NOT_KEYWORDS.sub(" ", sparql)):
        raise UsageError(
            f"{update[1].upper()} is an update, but the store is read-only: ask with SELECT, ASK, CONSTRUCT or DESCRIBE"
        )


def _one_line(error: Exception, limit: int = 160) -> str:
    """The error's message without line breaks; the parser's list of what it would have taken can be very long."""
    text = " ".join(str(error).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


# The store


def _open_store(stores: Path, graph: Path, sha256: str) -> ox.Store:
    """The graph's store, read-only; built if it is missing, and once more if it can't be read."""
    target = stores / sha256[:16]
    if target.is_dir():
        with suppress(OSError):
            return ox.Store.read_only(str(target))
        shutil.rmtree(target, ignore_errors=True)
    try:
        _build_store(stores, graph, sha256)
        return ox.Store.read_only(str(target))
    except OSError as error:
        raise OutputError(f"{stores}: the embedded store can't be made: {_one_line(error)}") from None


def _build_store(stores: Path, graph: Path, sha256: str) -> None:
    stores.mkdir(exist_ok=True)
    _remove_dead(stores)
    temporary = stores / f".tmp-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        _bulk_load(temporary, graph, sha256)
        # Another process may have been faster: a rename doesn't replace its folder, which is as good as ours.
        with suppress(OSError):
            os.rename(temporary, stores / sha256[:16])  # noqa: PTH104
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for folder in stores.iterdir():
        if _STORE_NAME.fullmatch(folder.name) and folder.name != sha256[:16]:
            shutil.rmtree(folder, ignore_errors=True)


def _bulk_load(folder: Path, graph: Path, sha256: str) -> None:
    """Fills a new store from the graph's file.

    Raises:
        CorruptPartError: the bytes aren't those of the sha256, or aren't N-Quads.
    """
    store = ox.Store(str(folder))
    with gzip.open(graph) as file:
        reader = _HashingReader(file)
        try:
            store.bulk_load(reader, ox.RdfFormat.N_QUADS)  # type: ignore[arg-type]  # it needs no more than read()
        except (SyntaxError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise CorruptPartError(f"{graph}: {_one_line(error)}; run kgmill build again") from None
    if reader.hexdigest() != sha256:
        raise CorruptPartError(f"{graph}: not the bytes that run.json promises; run kgmill build again")
    store.flush()


class _HashingReader:
    """Reads a file and keeps the sha256 of what was read."""

    def __init__(self, file: BinaryIO | gzip.GzipFile) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._sha256.update(data)
        return data

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()


def _remove_dead(stores: Path) -> None:
    """Removes the half-built stores of processes that are no more."""
    for folder in stores.iterdir():
        match = _TEMPORARY_NAME.fullmatch(folder.name)
        if match and not _is_alive(int(match[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


# The answer's text


def _graph_text(triples: ox.QueryTriples, format_name: str) -> str:
    if format_name != "table":
        raise UsageError(
            f"CONSTRUCT and DESCRIBE give a graph, which is no {format_name} table: "
            "use --format table, which writes Turtle, or a SELECT query"
        )
    graph = list(dict.fromkeys(triples))  # DESCRIBE gives a triple once for each graph that holds it
    iris = " ".join(str(triple) for triple in graph)
    used = {prefix: iri for prefix, iri in PREFIXES.items() if iri in iris}
    turtle = (ox.serialize(graph, format=ox.RdfFormat.TURTLE, prefixes=used) or b"").decode()
    return printable_lines(turtle.removesuffix("\n"))


def _table(solutions: ox.QuerySolutions) -> str:
    header = [variable.value for variable in solutions.variables]
    rows = [[_cell(term) for term in solution] for solution in solutions]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    footer = "1 row" if len(rows) == 1 else f"{len(rows)} rows"
    return "\n".join([*_aligned(lines, widths), "", footer])


def _aligned(rows: list[list[str]], widths: list[int]) -> Iterator[str]:
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cell(term: object) -> str:
    text = printable(_term_text(term))
    # A cut IRI can't be asked for.
    return text if len(text) <= MAX_CELL or isinstance(term, ox.NamedNode) else text[: MAX_CELL - 1] + "…"


def _term_text(term: object) -> str:
    if term is None:
        return ""
    if isinstance(term, ox.Literal):
        return term.value
    if isinstance(term, ox.NamedNode):
        return _short_iri(term.value)
    return str(term)


def _short_iri(iri: str) -> str:
    for prefix, namespace in PREFIXES.items():
        if iri.startswith(namespace) and _LOCAL_NAME.fullmatch(iri, len(namespace)):
            return f"{prefix}:{iri[len(namespace) :]}"
    return f"<{iri}>"
