"""The graph's file as a loader reads it: graph after graph, in the file's order.

Lines are handed on in runs, those of about a megabyte at once, and told apart by their ends: what is done for each of
them decides how fast a load can be.
"""

from __future__ import annotations

import gzip
import io
import itertools
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from kgmill.pipelines.urls import line as one_line
from kgmill.schemas.errors import CorruptPartError, UsageError

END = b" .\n"  # of a line; text has no line break

_BYTES_A_RUN = 1 << 20
_QUAD = re.compile(rb'((?:<[^>]*>|_:\S+) <[^>]*> .+) <([^\x00-\x20<>"{}|^`\\]+)> \.\n?')


def read_graphs(
    file: BinaryIO, where: str, on_lines: Callable[[bytes], object] | None = None
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Each graph's IRI and its triples as N-Triples lines, which have to be read before the next graph is asked for."""
    for iri, runs in read_runs(file, where, on_lines):
        yield iri, triples_of(iri, runs)


def triples_of(iri: str, runs: Iterable[list[bytes]]) -> Iterator[bytes]:
    """The triples of a graph as lines, one by one."""
    n_cut = len(suffix_of(iri))
    for lines in runs:
        yield from (line[:-n_cut] + END for line in lines)


def read_runs(
    file: BinaryIO, where: str, on_lines: Callable[[bytes], object] | None = None
) -> Iterator[tuple[str, Iterator[list[bytes]]]]:
    """Each graph's IRI and its quads' lines, in runs that have to be read before the next graph is asked for.

    Args:
        file: graph.nq.gz, open.
        where: its name in messages.
        on_lines: called with the uncompressed bytes, in pieces.

    Raises:
        UsageError: a line is something else than a quad in a named graph.
        CorruptPartError: the file is damaged.
    """
    file.seek(0)
    with refusing_damage(where):
        for name, runs in itertools.groupby(_runs(file, where, on_lines), key=lambda run: run[0]):
            yield str(name, "utf-8"), (lines for _, lines in runs)


def suffix_of(iri: str) -> bytes:
    """What each line of a graph ends with."""
    return b" <%b>%b" % (iri.encode(), END)


def in_order(triples: Iterable[bytes]) -> bytes:
    """The lines sorted, each once."""
    return b"".join(sorted(set(triples)))


def subject_of(line: bytes) -> bytes:
    """The subject of a triple's line."""
    return line.partition(b" ")[0]


def split_quad(line: bytes) -> tuple[bytes, bytes] | None:
    """The IRI of a line's graph, and its triple as a line; None where it is no quad in a named graph."""
    match = _QUAD.fullmatch(line)
    return (match[2], match[1] + END) if match else None


def prefix_of(iri: str) -> str | None:
    """A graph's dataset: its IRI up to the last `/graph/`, so that the name of another dataset can't be a part of it.

    >>> prefix_of("https://kg.example.org/kg/graph/doc/d%2F1")
    'https://kg.example.org/kg/graph/'
    """
    head, mark, _ = iri.rpartition("/graph/")
    return head + mark if head else None


@contextmanager
def refusing_damage(where: str) -> Iterator[None]:
    """A damaged gzip file of graphs is one line: that of CorruptPartError."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise CorruptPartError(f"{where}: {one_line(error)}; run kgmill build again") from None


def _runs(
    file: BinaryIO, where: str, on_lines: Callable[[bytes], object] | None
) -> Iterator[tuple[bytes, list[bytes]]]:
    """Neighbouring lines of one graph, and its IRI; each line ends with a line break."""
    graph, suffix, number, rest = b"", b"\0", 0, b""
    with refusing_damage(where), gzip.GzipFile(fileobj=file, mode="rb") as unzipped:
        while read := unzipped.read(_BYTES_A_RUN):
            if on_lines:
                on_lines(read)
            whole, rest = _whole_lines(rest + read)
            lines = io.BytesIO(whole).readlines()
            begin = 0
            for end, line in enumerate(lines):
                if line.endswith(suffix):
                    continue
                if begin < end:
                    yield graph, lines[begin:end]
                begin, graph = end, _graph_of(line, where, number + end + 1)
                suffix = b" <%b>%b" % (graph, END)
            if lines:
                yield graph, lines[begin:]
            number += len(lines)
        if rest:
            yield _graph_of(rest, where, number + 1), [rest + b"\n"]


def _graph_of(line: bytes, where: str, number: int) -> bytes:
    quad = split_quad(line)
    if quad is None:
        raise UsageError(f"{where}: line {number}: wanted one quad in a named graph, got {line[:80]!r}")
    return quad[0]


def _whole_lines(data: bytes) -> tuple[bytes, bytes]:
    """The lines that end, and the beginning of the next one."""
    end = data.rfind(b"\n") + 1
    return data[:end], data[end:]
