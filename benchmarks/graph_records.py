"""Records of a graph of any size, made as they are asked for: what a build would hand to export, in its order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, islice

from kgmill.pipelines.graph.documents import document_quads
from kgmill.pipelines.graph.statements import entity_quads, fact_quads, link_quads
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.schemas.ontology import parse_ontology
from kgmill.schemas.records import Document, Entity, Evidence, Fact, Mention, Name, Relation

ONTOLOGY = parse_ontology(
    {
        "entities": {"Person": {}, "Place": {}, "Date": {"literal": "date"}},
        "relations": {
            "born_in": {
                "head": ["Person"],
                "tail": ["Place"],
                "equivalent": ["http://www.wikidata.org/prop/direct/P19", "https://schema.org/birthPlace"],
            },
            "born_on": {"head": ["Person"], "tail": ["Date"], "equivalent": ["https://schema.org/birthDate"]},
        },
    },
    "benchmark",
)
NS = Namespace("https://kg.example.org/", "bench", ONTOLOGY)
DOCUMENTS_A_MEMBER = 500
_DATE = "http://www.w3.org/2001/XMLSchema#date"


@dataclass(frozen=True, slots=True)
class Records:
    """The records of so many documents: each names a person, a place and a day, and says two things of the person."""

    n_documents: int

    def entities(self) -> Iterator[Entity]:
        """A person a document, and a place for ten of them."""
        for n in range(self.n_documents):
            yield Entity(_person(n), "Person", f'Ada "{n}" Łovelace', 2, 1, 0.97)
            if n % 10 == 0:
                yield Entity(_place(n), "Place", f"Place\\{n}", 10, 10, 0.9)

    def names(self) -> Iterator[Name]:
        """Two names a person."""
        for n in range(self.n_documents):
            yield Name(_person(n), f'Ada "{n}" Łovelace', "", 1)
            yield Name(_person(n), f"Ada {n}", "short", 1)

    def facts(self) -> Iterator[Fact]:
        """Where and when the person was born; a third is not asserted."""
        for n in range(self.n_documents):
            day = f"{1800 + n % 200}-{n % 12 + 1:02}-{n % 28 + 1:02}"
            yield Fact(f"{2 * n:016x}", _person(n), "born_in", _place(n), 0.8, 1, 1, asserted=n % 3 > 0)
            yield Fact(f"{2 * n + 1:016x}", _person(n), "born_on", "", 0.7, 1, 1, day, _DATE, asserted=n % 3 > 0)

    def evidence(self) -> Iterator[Evidence]:
        """A sentence a fact."""
        for n in range(self.n_documents):
            for i in range(2):
                fact = f"{2 * n + i:016x}"
                yield Evidence(fact, fact, _doc(n), 0, 60, 0, 12 + len(str(n)), 30, 40, 0.93125)

    def lines(self) -> Iterator[str]:
        """The lines of graph.nq.gz: what the writers of export make of the records."""
        return chain.from_iterable(self._lines())

    def _lines(self) -> Iterator[Iterable[str]]:
        names, evidence = self.names(), self.evidence()
        for entity in self.entities():
            yield entity_quads(NS, entity, list(islice(names, 2)) if entity.type == "Person" else [])
        for fact in self.facts():
            yield fact_quads(NS, fact, [next(evidence)])
        for n in range(self.n_documents):
            yield link_quads(NS, _mentions(n))
        for n in range(self.n_documents):
            yield document_quads(NS, _document(n), _mentions(n), _relations(n), "3f9a11c0")

    def every(self) -> Iterator[object]:
        """All records, as often as `lines` makes them."""
        yield from self.names()
        yield from self.evidence()
        yield from self.entities()
        yield from self.facts()
        for n in range(self.n_documents):
            yield _mentions(n)
        for n in range(self.n_documents):
            yield _document(n), _mentions(n), _relations(n)


def _person(n: int) -> str:
    return f"ada-{n}-lovelace-{sha256(str(n).encode()).hexdigest()[:16]}"


def _place(n: int) -> str:
    return f"place-{n // 10}-{sha256(b'%d' % (n // 10)).hexdigest()[:16]}"


def _doc(n: int) -> str:
    return f"letters/{n:07}.txt"


def _document(n: int) -> Document:
    text = f'Ada "{n}" Łovelace was born in Place\\{n} on a day.\nNobody knows\twhy. {"And so on. " * 20}'
    return Document(_doc(n), _doc(n), f"Letter {n}", text, "{}", sha256(text.encode()).hexdigest(), "2004-05-03")


def _mentions(n: int) -> list[Mention]:
    end = 14 + len(str(n))
    return [
        Mention(_doc(n), 0, 0, end, "", "Person", 0.97, _person(n)),
        Mention(_doc(n), 0, end + 13, end + 24, "", "Place", 0.91, _place(n)),
        Mention(_doc(n), 0, end + 28, end + 33, "", "Date", 0.83, ""),
    ]


def _relations(n: int) -> list[Relation]:
    doc, end = _doc(n), 14 + len(str(n))
    ends = ((end + 13, end + 24, _place(n)), (end + 28, end + 33, ""))
    return [
        Relation(
            f"{2 * n + i:016x}", f"{2 * n + i:016x}", doc, 0, 0, end + 34, name, 0, end, _person(n), *tail, 0.93125
        )
        for i, (name, tail) in enumerate(zip(("born_in", "born_on"), ends, strict=True))
    ]
