"""What an ontology says of its types beyond what they may join: parents, inverses, functional and transitive relations.

None of it decides what is extracted. What can't be true is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kgmill.schemas.ontology import NamedType, Ontology, RelationType


def lineage(name: str, types: Mapping[str, NamedType]) -> Iterator[str]:
    """A type, its parent, the parent's, and so on; ValueError where that comes back to one of them."""
    met = [name]
    while parent := types[met[-1]].parent:
        if parent in met:
            raise ValueError(f"{name} is above itself: {' < '.join([*met, parent])}")
        met.append(parent)
    yield from met


def check_axioms(ontology: Ontology) -> None:
    """ValueError for what contradicts itself or the types of the ontology."""
    tables: tuple[tuple[str, Mapping[str, NamedType]], ...]
    tables = ("entity type", ontology.entities), ("relation", ontology.relations)
    for kind, types in tables:
        for name, named in types.items():
            if named.parent and named.parent not in types:
                raise ValueError(f"{kind} {name} has the parent {named.parent!r}, which is no {kind}")
        for name in types:
            list(lineage(name, types))
    for name, entity in ontology.entities.items():
        if entity.parent and entity.literal != ontology.entities[entity.parent].literal:
            raise ValueError(f"entity type {name} has the parent {entity.parent}; one is of values, the other is not")
    for name, relation in ontology.relations.items():
        _check_parent(ontology, name, relation)
        _check_inverse(ontology, name, relation)
        _check_character(ontology, name, relation)


def _check_parent(ontology: Ontology, name: str, relation: RelationType) -> None:
    """What holds of a relation holds of its parent, which so has to take its ends."""
    if not relation.parent:
        return
    parent = ontology.relations[relation.parent]
    for end, ours, theirs in (("head", relation.head, parent.head), ("tail", relation.tail, parent.tail)):
        if foreign := [t for t in ours if not _is_below(ontology, t, theirs)]:
            raise ValueError(f"relation {name} has the {end} {foreign[0]}, which its parent {relation.parent} has not")


def _check_inverse(ontology: Ontology, name: str, relation: RelationType) -> None:
    if not relation.inverse:
        return
    if relation.inverse not in ontology.relations:
        raise ValueError(f"relation {name} has the inverse {relation.inverse!r}, which is no relation")
    if relation.inverse == name:
        raise ValueError(f"relation {name} is its own inverse; say symmetric = true")
    other = ontology.relations[relation.inverse]
    if relation.symmetric or other.symmetric:
        raise ValueError(f"relation {name} has the inverse {relation.inverse}, and a symmetric one is its own")
    if others := [n for n, r in ontology.relations.items() if n != name and r.inverse == relation.inverse]:
        raise ValueError(f"relations {name} and {others[0]} have one inverse, {relation.inverse}; make them one")
    if other.inverse not in ("", name):
        raise ValueError(f"relation {name} has the inverse {relation.inverse}, whose inverse is {other.inverse}")
    if (set(relation.head), set(relation.tail)) != (set(other.tail), set(other.head)):
        raise ValueError(
            f"relation {name} joins {_ends(relation)}, its inverse {relation.inverse} {_ends(other)}: "
            "the heads of one have to be the tails of the other"
        )


def _check_character(ontology: Ontology, name: str, relation: RelationType) -> None:
    if relation.functional and relation.symmetric:
        raise ValueError(f"relation {name} is symmetric and functional; nothing could be said of anybody's second one")
    if relation.functional and relation.transitive:
        raise ValueError(f"relation {name} is transitive and functional, which OWL allows of no property")
    if relation.transitive and not any(_is_below(ontology, t, relation.head) for t in relation.tail):
        raise ValueError(f"relation {name} is transitive, but none of its tails {list(relation.tail)} can be a head")


def _is_below(ontology: Ontology, name: str, others: Iterable[str]) -> bool:
    """Whether a type is one of the others, or below one."""
    return not set(others).isdisjoint(lineage(name, ontology.entities))


def _ends(relation: RelationType) -> str:
    return f"{list(relation.head)} with {list(relation.tail)}"
