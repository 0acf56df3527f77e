"""graph.nq.gz: the whole dataset as N-Quads, a chain of gzip members."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path
from typing import Any

from kgmill.pipelines.graph.formats import Graph, GraphFormat

_BYTES_A_STEP = 1 << 16  # deflate makes at most 1032 times as many of them


def write(graph: Graph, path: Path) -> dict[str, Any]:
    """Copies the members behind one another; returns the SHA-256 of what they hold."""
    digest = hashlib.sha256()
    with path.open("wb") as out:
        for data in graph.members():
            out.write(data)
            member = memoryview(data)
            inflate = zlib.decompressobj(wbits=31)
            for begin in range(0, len(member), _BYTES_A_STEP):
                digest.update(inflate.decompress(member[begin : begin + _BYTES_A_STEP]))
            digest.update(inflate.flush())
    return {"sha256": digest.hexdigest()}


FORMAT = GraphFormat("graph.nq.gz", write, reads="quads")
