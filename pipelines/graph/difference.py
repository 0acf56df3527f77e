"""What makes one graph another: the quads that only one of two has, and the SPARQL Update that does it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

QUADS_A_BLOCK = 1000
_BEFORE_U = re.compile(rb"(\\\\)([uU])")  # an escaped backslash before a u


def difference(before: Iterable[bytes], after: Iterable[bytes]) -> tuple[list[bytes], list[bytes]]:
    """The lines that only `before` has and those that only `after` has, both sorted."""
    is_kept = dict.fromkeys(before, False)
    added = set()
    for line in after:
        if line in is_kept:
            is_kept[line] = True
        else:
            added.add(line)
    return sorted(line for line, kept in is_kept.items() if not kept), sorted(added)


def update_blocks(verb: str, lines: Sequence[bytes]) -> Iterator[str]:
    """SPARQL Update operations, `DELETE` or `INSERT`, that do something with all lines, so many at once.

    >>> print(*update_blocks("INSERT", [b'<a:s> <a:p> "x" <a:g> .\\n']))
    INSERT DATA {
    GRAPH <a:g> {
    <a:s> <a:p> "x" .
    }
    } ;
    <BLANKLINE>
    """
    for begin in range(0, len(lines), QUADS_A_BLOCK):
        graphs: dict[str, list[str]] = defaultdict(list)
        for line in lines[begin : begin + QUADS_A_BLOCK]:
            triple, graph, _ = line.rsplit(b" ", 2)
            graphs[graph.decode()].append(f"{for_sparql(triple).decode()} .\n")
        body = "".join(f"GRAPH {graph} {{\n{''.join(triples)}}}\n" for graph, triples in graphs.items())
        yield f"{verb} DATA {{\n{body}}} ;\n"


def for_sparql(triple: bytes) -> bytes:
    r"""A triple of canonical lines for SPARQL, which reads escapes with `\u` before strings, also behind a backslash.

    >>> print(for_sparql(rb'<a:s> <a:p> "C:\\users"').decode())
    <a:s> <a:p> "C:\\\u0075sers"
    """
    return _BEFORE_U.sub(lambda m: m[1] + b"\\u%04X" % ord(m[2]), triple) if b"\\\\" in triple else triple
