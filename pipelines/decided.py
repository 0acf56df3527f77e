"""What people's decisions mean in a build: the ids of the facts that they name, and what of them is of no use in it.

A fact may be named by its ends and its relation, as the graph labels them. Its ends are looked up among the names of
the build, as `stages.resolve` has them; only what is asked for is read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from kgmill.pipelines.output.parts import Part
from kgmill.pipelines.resolution.forms import without_title
from kgmill.schemas.decisions import Decisions, OfFact
from kgmill.schemas.errors import ConfigError
from kgmill.schemas.identity import entity_key, fact_id, fingerprint
from kgmill.schemas.literals import literal_value
from kgmill.schemas.ontology import Ontology

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext

_COLUMNS = ["key", "chosen", "entity_id", "place_id"]
_Things = set[tuple[str, str]]  # entities of which facts speak, each with its type


@dataclass(frozen=True, slots=True)
class Decided:
    """What decisions come to.

    Attributes:
        rejected, confirmed: the ids of facts, sorted; whether there are such facts is not known here.
        n_unknown: facts of which an end is called as nothing is in this build.
        n_ambiguous: facts of which an end is called as several things are; nothing is decided of them.
        n_unused: names that people say are the same or apart, and that stand alone in no document.
    """

    rejected: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()
    n_unknown: int = 0
    n_ambiguous: int = 0
    n_unused: int = 0

    def left_out(self, n_found: int) -> dict[str, int]:
        """What there is none of, by rule, where so many of the facts were found."""
        n_named = len(self.rejected) + len(self.confirmed)
        counts = {
            "decisions.no_such_fact": n_named + self.n_unknown - n_found,
            "decisions.ambiguous_fact": self.n_ambiguous,
            "decisions.no_such_name": self.n_unused,
        }
        return {rule: n for rule, n in counts.items() if n > 0}


def decided(context: RunContext, resolved: Sequence[Part]) -> Decided:
    """What the decisions of a run mean, by what became of the names of its documents.

    A build asks more than once, and the names are many: what was found for these parts is kept.

    Raises:
        ConfigError: a fact is both rejected and confirmed, by its id and by its names.
    """
    made, ontology = context.decisions, context.ontology
    parts = [(part.storage.place(part.place), part.fingerprint) for part in resolved]
    key = fingerprint([made.model_dump(mode="json"), ontology.rules(), ontology.relation_names, parts])
    if key not in _KEPT:
        found = _decided(made, ontology, resolved)
        if both := sorted({*found.rejected} & {*found.confirmed}):
            place = context.config.decisions
            raise ConfigError(f"{place}: fact {both[0]} is both rejected and confirmed, by its names")
        _KEPT.clear()
        _KEPT[key] = found
    return _KEPT[key]


_KEPT: dict[str, Decided] = {}  # the last one that was found


def meant_facts(decisions: Sequence[OfFact], ontology: Ontology, resolved: Iterable[Part]) -> list[set[str]]:
    """For each decision the ids of the facts that it may mean; what isn't exactly one decides nothing."""
    things = _things(resolved, _ends(decisions), ontology)
    return [_facts(one, things, ontology) for one in decisions]


def _decided(made: Decisions, ontology: Ontology, resolved: Iterable[Part]) -> Decided:
    wanted = {entity_key(name) for one in (*made.same, *made.apart) for name in one.names}
    things = _things(resolved, wanted | _ends((*made.reject, *made.confirm)), ontology)
    wrong, right = ([_facts(one, things, ontology) for one in decisions] for decisions in (made.reject, made.confirm))
    n_facts = Counter(min(2, len(ids)) for ids in (*wrong, *right))
    return Decided(_sure(wrong), _sure(right), n_facts[0], n_facts[2], len(wanted - things.keys()))


def _sure(meant: Iterable[set[str]]) -> tuple[str, ...]:
    """The facts that are meant without a doubt, sorted."""
    return tuple(sorted({fact for ids in meant if len(ids) == 1 for fact in ids}))


def _ends(decisions: Iterable[OfFact]) -> set[str]:
    """The keys of the ends of facts that are named."""
    return {key for one in decisions if not one.fact for name in (one.head, one.tail) for key in _keys(name)}


def _keys(name: str) -> list[str]:
    """What a name may be looked up by: as it stands, and as documents have it that leave titles away."""
    return list(dict.fromkeys((entity_key(name), entity_key(without_title(name)))))


def _things(resolved: Iterable[Part], keys: set[str], ontology: Ontology) -> dict[str, _Things]:
    """The things that each of the keys means somewhere. One in each document is a thing without an id."""
    found: dict[str, _Things] = defaultdict(set)
    asked = pa.array(sorted(keys), pa.string())
    for part in resolved if keys else ():
        rows = part.read("resolved", _COLUMNS)
        for row in rows.filter(pc.is_in(rows["key"], asked)).to_pylist():
            found[row["key"]].add((row["place_id"] or row["entity_id"], ontology.entity_names[row["chosen"]]))
    return dict(found)


def _facts(one: OfFact, things: dict[str, _Things], ontology: Ontology) -> set[str]:
    """The ids of the facts that a decision may mean: one, none or several."""
    if one.fact:
        return {one.fact}
    if turned := ontology.turned.get(one.relation):
        one = one.model_copy(update={"head": one.tail, "relation": turned, "tail": one.head})
    relation = ontology.relations[one.relation]
    kind = ontology.entities[relation.tail[0]].literal
    tails = {literal_value(kind, one.tail)} if kind else {(t,) for t in _meant(one.tail, relation.tail, things)}
    found = set()
    for head in _meant(one.head, relation.head, things):
        for tail in tails:
            ends = sorted((head, *tail)) if relation.symmetric else (head, *tail)
            # What is another thing in each document has no id to be named by: it stands for several.
            found |= {fact_id(ends[0], one.relation, *ends[1:])} if all(ends[:2]) else {"", "-"}
    return found


def _meant(name: str, types: Sequence[str], things: dict[str, _Things]) -> set[str]:
    """The things of these types that a name means."""
    key = next((key for key in _keys(name) if key in things), "")
    return {thing for thing, type_name in things.get(key, set()) if type_name in types}
