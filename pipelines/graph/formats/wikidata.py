"""wikidata.nt.gz: entities and asserted facts in the words of Wikidata (wdt:), as far as the ontology names them.

Dates take the form that Wikidata's have: a whole xsd:dateTime, a year as its first day. So a relation that ends in
dates is told by its `close` property too, of which nothing but that form differs; see decision 0036.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from kgmill.pipelines.graph.formats import Graph, GraphFormat
from kgmill.pipelines.graph.mapped import Vocabulary, write_told
from kgmill.pipelines.graph.vocabulary import RDF
from kgmill.schemas.literals import XSD

_DIRECT, _ENTITY = "http://www.wikidata.org/prop/direct/", "http://www.wikidata.org/entity/"
_NAMED = re.compile(rf"(?:{re.escape(_DIRECT)}|{re.escape(_ENTITY)})([PQ][0-9]+)")
_DATE = re.compile(rf'"([0-9]{{4}}(?:-[0-9]{{2}}){{0,2}})"\^\^<{re.escape(XSD)}(?:date|gYearMonth|gYear)>'.encode())


def _own(name: str) -> str:
    """A property is one of `prop/direct`, by whichever of its IRIs the ontology names it."""
    named = _NAMED.fullmatch(name)
    return (_DIRECT if named[1].startswith("P") else _ENTITY) + named[1] if named else ""


def _date(term: bytes) -> bytes:
    found = _DATE.fullmatch(term)
    return b'"%bT00:00:00Z"^^<%bdateTime>' % ((found[1] + b"-01-01")[:10], XSD.encode()) if found else b""


_VOCABULARY = Vocabulary(own=_own, also={f"{RDF}type": f"{_DIRECT}P31"}, value=_date, tells_close=True)


def write(graph: Graph, path: Path) -> dict[str, Any]:
    """Writes types, names, links and facts; returns what is left out."""
    return write_told(graph, path, _VOCABULARY)


FORMAT = GraphFormat("wikidata.nt.gz", write, reads="quads")
