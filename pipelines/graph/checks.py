"""The shapes as SPARQL, for graphs that a SHACL engine is too slow for: the same verdicts, on any store.

from kgmill.pipelines.graph.checks import violations
store = pyoxigraph.Store(); store.bulk_load(path="graph.nq", format=pyoxigraph.RdfFormat.N_QUADS)
print(*violations(store, ns), sep="\\n")
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyoxigraph as ox

from kgmill.pipelines.graph.shapes import Property, below, shapes_of
from kgmill.pipelines.graph.vocabulary import Namespace

Classes = Mapping[str, Sequence[str]]


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


def violations(store: ox.Store, ns: Namespace) -> list[Violation]:
    """All nodes of a store, its named graphs taken together, that break a rule; sorted."""
    found = set()
    for check in checks_of(ns):
        for row in store.query(check.sparql, use_default_graph_as_union=True):  # type: ignore[union-attr]
            found.add(Violation(row["node"].value, check.path, check.rule))
    return sorted(found)


def checks_of(ns: Namespace) -> Iterator[Check]:
    """The queries of a dataset's shapes. A store whose default graph is not the union of all wants FROM each graph.

    Subclasses are those of the ontology, named one by one: a path along rdfs:subClassOf is slow where it matters.
    """
    classes = below(ns)
    for shape in shapes_of(ns):
        kinds = _list(classes.get(shape.target, [shape.target]), " ")
        where = (
            f"VALUES ?kind {{ {kinds} }} ?node a ?kind ." if shape.of == "class" else f"?node <{shape.target}> ?any ."
        )
        if shape.classes:
            is_none = _is_of_none("?node", shape.classes, classes)
            yield _check(shape.name, "", _of("Class", shape.classes), where, is_none)
        for wanted in shape.properties:
            for rule, body in _rules(wanted, classes):
                yield _check(shape.name, wanted.path, rule, where, body)


def _check(shape: str, path: str, rule: str, where: str, body: str) -> Check:
    return Check(shape, path, rule, f"SELECT DISTINCT ?node WHERE {{ {where} {body} }}")


def _of(rule: str, choices: Sequence[str]) -> str:
    return rule if len(choices) == 1 else "Or"


def _rules(wanted: Property, classes: Classes) -> Iterator[tuple[str, str]]:
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
        yield _of("Class", wanted.classes), f"{each} {_is_of_none('?v', wanted.classes, classes)}"
    if wanted.values:
        yield "In", f"{each} FILTER (?v NOT IN ({_list(wanted.values)}))"
    if wanted.low is not None:
        yield "MinInclusive", f"{each} FILTER (COALESCE(?v < {wanted.low}, true))"
    if wanted.high is not None:
        yield "MaxInclusive", f"{each} FILTER (COALESCE(?v > {wanted.high}, true))"
    if wanted.pattern:
        yield "Pattern", f'{each} FILTER (!REGEX(STR(?v), "{wanted.pattern}"))'


def _is_of_none(name: str, wanted: Sequence[str], classes: Classes) -> str:
    every = dict.fromkeys(each for one in wanted for each in classes.get(one, [one]))
    return " ".join(f"FILTER NOT EXISTS {{ {name} a <{one}> }}" for one in every)


def _list(iris: Sequence[str], mark: str = ", ") -> str:
    return mark.join(f"<{one}>" for one in iris)
