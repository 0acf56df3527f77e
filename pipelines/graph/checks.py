"""The shapes as SPARQL, for graphs that a SHACL engine is too slow for: the same verdicts, on any store.

from kgmill.pipelines.graph.checks import violations
store = pyoxigraph.Store(); store.bulk_load(path="graph.nq", format=pyoxigraph.RdfFormat.N_QUADS)
print(*violations(store, shapes_of(ns)), sep="\\n")
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyoxigraph as ox

from kgmill.pipelines.graph.shapes import Property, Shape
from kgmill.pipelines.graph.vocabulary import RDFS

_BELOW = f"<{RDFS}subClassOf>*"


@dataclass(frozen=True, slots=True)
class Check:
    """One query, whose rows (`?node`) are the nodes that break one rule.

    Attributes:
        shape: the name of the shape.
        path: the property's IRI; empty where the rule is of the node itself.
        rule: the local name of the SHACL constraint component, without ConstraintComponent.
    """

    shape: str
    path: str
    rule: str
    sparql: str


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """A node that breaks a rule; see `Check`."""

    node: str
    path: str
    rule: str


def violations(store: ox.Store, shapes: Sequence[Shape]) -> list[Violation]:
    """All nodes of a store, its named graphs taken together, that break a rule; sorted."""
    found = set()
    for check in checks_of(shapes):
        for row in store.query(check.sparql, use_default_graph_as_union=True):  # type: ignore[union-attr]
            found.add(Violation(row["node"].value, check.path, check.rule))
    return sorted(found)


def checks_of(shapes: Sequence[Shape]) -> Iterator[Check]:
    """The queries of the shapes. A store whose default graph is not the union of all wants them FROM each graph."""
    for shape in shapes:
        where = f"?node a/{_BELOW} <{shape.target}> ." if shape.of == "class" else f"?node <{shape.target}> ?any ."
        if shape.classes:
            yield _check(shape.name, "", _of("Class", shape.classes), where, _is_of_none("?node", shape.classes))
        for wanted in shape.properties:
            for rule, body in _rules(wanted):
                yield _check(shape.name, wanted.path, rule, where, body)


def _check(shape: str, path: str, rule: str, where: str, body: str) -> Check:
    return Check(shape, path, rule, f"SELECT DISTINCT ?node WHERE {{ {where} {body} }}")


def _of(rule: str, choices: Sequence[str]) -> str:
    return rule if len(choices) == 1 else "Or"


def _rules(wanted: Property) -> Iterator[tuple[str, str]]:
    """Rules, and what a node that breaks them is found by. A comparison that can't be made breaks them too."""
    path = f"<{wanted.path}>"
    each = f"?node {path} ?v ."
    if wanted.is_needed:
        yield "MinCount", f"FILTER NOT EXISTS {{ {each} }}"
    if wanted.is_single:
        yield "MaxCount", f"?node {path} ?v, ?w . FILTER (!sameTerm(?v, ?w))"
    if wanted.datatypes:
        is_other = f"!isLiteral(?v) || DATATYPE(?v) NOT IN ({_list(wanted.datatypes)})"
        yield _of("Datatype", wanted.datatypes), f"{each} FILTER ({is_other})"
    if wanted.classes:
        yield _of("Class", wanted.classes), f"{each} {_is_of_none('?v', wanted.classes)}"
    if wanted.values:
        yield "In", f"{each} FILTER (?v NOT IN ({_list(wanted.values)}))"
    if wanted.low is not None:
        yield "MinInclusive", f"{each} FILTER (COALESCE(?v < {wanted.low}, true))"
    if wanted.high is not None:
        yield "MaxInclusive", f"{each} FILTER (COALESCE(?v > {wanted.high}, true))"
    if wanted.pattern:
        yield "Pattern", f'{each} FILTER (!REGEX(STR(?v), "{wanted.pattern}"))'


def _is_of_none(name: str, classes: Sequence[str]) -> str:
    return f"FILTER NOT EXISTS {{ VALUES ?class {{ {_list(classes, ' ')} }} {name} a/{_BELOW} ?class . }}"


def _list(iris: Sequence[str], mark: str = ", ") -> str:
    return mark.join(f"<{one}>" for one in iris)
