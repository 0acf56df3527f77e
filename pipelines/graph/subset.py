"""Some facts of graph.nq.gz with all that leads from them to their sentences, as lines; the file's order is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from kgmill.pipelines.graph.vocabulary import PROV, RDF

_STATES = tuple(f"<{RDF}{name}>".encode() for name in ("subject", "predicate", "object"))
_PREDICATE = _STATES[1]
_DERIVED_FROM = f"<{PROV}wasDerivedFrom>".encode()

Triple = tuple[bytes, bytes, bytes]


def chosen_quads(graphs: Iterable[tuple[str, Iterator[bytes]]], chosen: Collection[bytes]) -> Iterator[bytes]:
    """The lines that speak of what is chosen.

    Of the graph `kg` what is said of it, of a document's what its extractions lead to, of `links` those between both;
    ontology and provenance whole, and not `meta`, which counts the whole.

    Args:
        graphs: the IRI of each graph and its triples as N-Triples lines, in the order of graph.nq.gz: `kg` comes before
            the documents.
        chosen: entities and statements of facts, as terms.
    """
    extractions: set[bytes] = set()
    spans: set[bytes] = set()
    links: list[tuple[Triple, str]] = []
    for iri, lines in graphs:
        triples, name = map(_parts, lines), iri.rpartition("/graph/")[2]
        if name == "kg":
            kept = _of_facts(triples, chosen)
            extractions = {value for _, predicate, value in kept if predicate == _DERIVED_FROM}
        elif name == "links":
            links = [(triple, iri) for triple in triples if triple[2] in chosen]
            continue
        elif name.startswith("doc/"):
            kept = _led_to(triples, extractions)
            spans |= {subject for subject, _, _ in kept}
        else:
            kept = [] if name == "meta" else list(triples)
        yield from (_quad(triple, iri) for triple in kept)
    yield from (_quad(triple, iri) for triple, iri in links if triple[0] in spans)


def _of_facts(triples: Iterable[Triple], chosen: Collection[bytes]) -> list[Triple]:
    """What is said of entities and statements, but no fact that isn't chosen."""
    said: list[Triple] = []
    properties: set[bytes] = set()
    states: dict[bytes, dict[bytes, bytes]] = defaultdict(dict)
    for subject, predicate, value in triples:
        if predicate == _PREDICATE:
            properties.add(value)
        if subject in chosen:
            said.append((subject, predicate, value))
            if predicate in _STATES:
                states[subject][predicate] = value
    facts = {tuple(state[part] for part in _STATES) for state in states.values()}
    return [triple for triple in said if triple[1] not in properties or triple in facts]


def _led_to(triples: Iterable[Triple], begin: Collection[bytes]) -> list[Triple]:
    """What is said of the subjects among `begin`, and of all that this leads to."""
    said: dict[bytes, list[Triple]] = defaultdict(list)
    for triple in triples:
        said[triple[0]].append(triple)
    seen: set[bytes] = set()
    ahead = [subject for subject in said if subject in begin]
    while ahead:
        subject = ahead.pop()
        seen.add(subject)
        ahead += [value for _, _, value in said[subject] if value in said and value not in seen]
    return [triple for subject, found in said.items() if subject in seen for triple in found]


def _parts(line: bytes) -> Triple:
    subject, predicate, value = line.removesuffix(b" .\n").split(b" ", 2)
    return subject, predicate, value


def _quad(triple: Triple, graph: str) -> bytes:
    return b"%b %b %b <%b> .\n" % (*triple, graph.encode())
