"""The names of a corpus to entities: which local names of all documents are one thing.

A block holds all names that may meet, so that each can be resolved by itself: what `block` says of a name depends on
nothing else. Within a block names are joined to the fullest or commonest that they fit, never in chains, and where two
would do, to none. What comes out depends on the set of names alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from kgmill.pipelines.resolution.forms import company_words, is_spelling_of, person_words, skeleton, words
from kgmill.pipelines.resolution.known import country_of, country_of_people, has_short_form, long_for
from kgmill.pipelines.resolution.local import is_short_form
from kgmill.schemas.identity import entity_key
from kgmill.schemas.name_rules import COUNTRY, DECISION, EACH_DOCUMENT, FORM, PEOPLE, PERSON, SPELLING, SURNAME

_MIN_SHARE = 0.9  # of the documents that name a person of a surname in full, for all who are called by it alone
_MIN_DOCUMENTS = 3  # that name this person in full


@dataclass(frozen=True, slots=True)
class CorpusName:
    """A name of one type, over all documents.

    Attributes:
        key: `schemas.identity.entity_key` of the name.
        name: its commonest form.
        column: of the type.
        n_documents: how many documents have it as a local name.
        target: the name that it stands for, where people or documents say so; else empty.
        rule: who says so: `acronym`, `alias`, `decision`.
    """

    key: str
    name: str
    column: int
    n_documents: int
    target: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What became of a name.

    Attributes:
        entity: the key of the name that gives the entity its id.
        rule: by which the name is joined to others: `form` (case, marks, legal form), `country`, `people`, `spelling`,
            `person`, `surname`, those of `CorpusName`; `document`: it is one thing in each document that has it, and
            not in two; empty: by itself.
        place: for the name of a country's people, the key of the country, of which facts speak that are said of it:
            "British" is no other name of Britain, but a British company's country is. Empty where the corpus has none.
    """

    entity: str
    rule: str = ""
    place: str = ""


def block(name: str, kind: str) -> str:
    """The block of a name: the skeleton of a surname, a country, or the skeleton of all words.

    >>> block("George W. Bush", "person"), block("the U.S.", "place"), block("Microsoft Corp.", "organization")
    ('person bs', 'place US', 'name mcrsft')
    """
    if kind == "person":
        return f"person {skeleton(person_words(name)[-1])}" if person_words(name) else f"name {name}"
    if kind == "place" and (code := country_of(name) or country_of_people(name)):
        return f"place {code}"
    return f"name {skeleton(''.join(_canonical(name, kind)))}"


def resolve_block(
    names: Sequence[CorpusName], kinds: Sequence[str], is_apart: Callable[[str, str], bool] = lambda one, other: False
) -> dict[tuple[str, int], Resolved]:
    """The entity of each name of a block, by key and type.

    Args:
        names: all of the block, in any order; a key and type once.
        kinds: of each type (`Ontology.kinds`).
        is_apart: whether people say that two names, by their keys, are not one.
    """
    by_type: dict[int, list[CorpusName]] = defaultdict(list)
    for name in sorted(names, key=lambda n: (n.key, n.column)):
        by_type[name.column].append(name)
    found: dict[tuple[str, int], Resolved] = {}
    for column, group in by_type.items():
        countries: dict[str, str] = {}
        people: dict[str, list[CorpusName]] = {}
        joined = _people(group) if kinds[column] == "person" else _things(group, kinds[column])
        for top, members in _clusters(group, joined, is_apart):
            fullest = _known_by(members)
            for member in members:
                found[member.key, column] = Resolved(fullest.key, joined[member.key][1] if member is not top else "")
            if kinds[column] == "place" and country_of_people(top.name):
                people[country_of_people(top.name)] = members
            elif kinds[column] == "place" and country_of(top.name):
                countries[country_of(top.name)] = fullest.key
            if joined.get(top.key, ("", ""))[1] == EACH_DOCUMENT:
                found |= {(member.key, column): Resolved(member.key, EACH_DOCUMENT) for member in members}
        for code, members in people.items():
            for member in members:
                was = found[member.key, column]
                found[member.key, column] = replace(was, place=countries.get(code, ""))
    return found


_Parts = tuple[str, ...]  # a person's name as words
_Joined = Mapping[str, tuple[str, str]]  # key: the key that it is joined to, and the rule


def _clusters(
    group: Sequence[CorpusName], joined: _Joined, is_apart: Callable[[str, str], bool]
) -> Iterator[tuple[CorpusName, list[CorpusName]]]:
    """The names that stay for themselves, each with all that are joined to it, itself among them."""
    by_key = {name.key: name for name in group}
    members: dict[str, list[CorpusName]] = {name.key: [name] for name in group}
    for key, (other, rule) in joined.items():
        if rule != EACH_DOCUMENT and not any(is_apart(key, member.key) for member in members[other]):
            members[other].append(by_key[key])
            del members[key]
    for key, found in members.items():
        yield by_key[key], found


def _known_by(members: Sequence[CorpusName]) -> CorpusName:
    """The name that gives the entity its id: the one that people say, if it is there; else the longest."""
    decided = {entity_key(n.target) for n in members if n.rule == DECISION}
    return max(members, key=lambda n: (n.key in decided, len(n.name), n.key))


def _canonical(name: str, kind: str) -> tuple[str, ...]:
    """The words of a name of no person, without what may lack."""
    found = company_words(name) if kind == "organization" else words(name)
    return (found[1:] if len(found) > 1 and found[0] == "the" else found) or (name,)


def _group(name: str, kind: str) -> tuple[str, str]:
    """What equal names of things have in common, and the rule by which they are one."""
    if kind == "place" and (code := country_of(name)):
        return f"country {code}", COUNTRY
    if kind == "place" and (code := country_of_people(name)):
        return f"people {code}", PEOPLE
    return " ".join(_canonical(name, kind)), FORM


def _things(group: Sequence[CorpusName], kind: str) -> dict[str, tuple[str, str]]:
    """Names of things that aren't people: joined by country, by equal words, and to commoner spellings."""
    joined: dict[str, tuple[str, str]] = {}
    same: dict[str, list[CorpusName]] = defaultdict(list)
    rules: dict[str, str] = {}
    for name in group:
        words_, rule = _group(name.target or name.name, kind)
        same[words_].append(name)
        rules[words_] = rule
    tops = {}
    for words_, names in sorted(same.items()):
        own = [name for name in names if not name.target] or names
        tops[words_] = top = _commonest(own)
        joined |= {name.key: (top.key, name.rule or rules[words_]) for name in names if name is not top}
    n_documents = {words_: sum(name.n_documents for name in same[words_]) for words_ in tops}
    order = sorted(tops, key=lambda words_: (-n_documents[words_], words_))
    for i, words_ in enumerate(order):
        for commoner in order[:i]:
            if rules[words_] == FORM and tops[commoner].key not in joined and is_spelling_of(words_, commoner):
                moved = {
                    key: (tops[commoner].key, rule) for key, (top, rule) in joined.items() if top == tops[words_].key
                }
                joined |= moved | {tops[words_].key: (tops[commoner].key, SPELLING)}
                break
    return joined


def _commonest(names: Sequence[CorpusName]) -> CorpusName:
    return min(names, key=lambda n: (-n.n_documents, n.key))


def _people(group: Sequence[CorpusName]) -> dict[str, tuple[str, str]]:
    """Names of people: equal words, short forms of the one full name that they fit, spellings, surnames."""
    same: dict[_Parts, list[CorpusName]] = defaultdict(list)
    for name in group:
        same[person_words(name.target or name.name) or (name.key,)].append(name)
    tops = {parts: _commonest([n for n in names if not n.target] or names) for parts, names in same.items()}
    n_of = {parts: sum(name.n_documents for name in names) for parts, names in same.items()}
    full = {parts for parts in tops if len(parts) > 1}
    fullest = _Fullest()
    places: dict[_Parts, tuple[_Parts, str]] = {}
    for parts in sorted(full, key=lambda parts: (-len(parts), -n_of[parts], parts)):
        fits, rule = fullest.fitting(parts)
        if target := _one_of(fits, n_of):
            places[parts] = target, rule
        else:
            fullest.add(parts)
    n_reps: dict[_Parts, Counter[_Parts]] = defaultdict(Counter)  # by surname: documents that name each person in full
    for parts in full:
        rep = places[parts][0] if parts in places else parts
        n_reps[rep[-1:]][rep] += n_of[parts]
    for parts in set(tops) - full:
        if named := n_reps.get(parts):
            rep = max(named, key=lambda rep: (named[rep], rep))
            is_known = named[rep] >= _MIN_DOCUMENTS and named[rep] >= _MIN_SHARE * named.total()
            places[parts] = rep, SURNAME if is_known else EACH_DOCUMENT
    joined: dict[str, tuple[str, str]] = {}
    for parts, names in sorted(same.items()):
        rep, rule = places.get(parts, (parts, ""))
        for name in names:
            if name is not tops[rep]:
                own = name.rule or FORM if name is not tops[parts] and rule != EACH_DOCUMENT else rule
                joined[name.key] = tops[rep].key, own
    return joined


class _Fullest:
    """The names of people that stay for themselves, so that those that a name fits are found without asking each."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], list[_Parts]] = defaultdict(list)

    def add(self, full: _Parts) -> None:
        """Adds a name of two words or more."""
        keys: set[tuple[object, ...]] = {("end", full[i:]) for i in range(1, len(full) - 1)}
        keys |= {("first", full[0], full[-1]), ("first", full[0][0], full[-1]), ("spelt", *map(skeleton, full))}
        for key in keys:
            self._found[key].append(full)

    def fitting(self, parts: _Parts) -> tuple[list[_Parts], str]:
        """Those that a name is a short form of, or else a spelling, and the rule."""
        firsts = {parts[0], *long_for(parts[0])}
        keys: list[tuple[object, ...]] = [("end", parts), *(("first", first, parts[-1]) for first in sorted(firsts))]
        near = {full for key in keys for full in self._found.get(key, ())}
        if fits := sorted(full for full in near if is_short_form(parts, full) and not _is_whole(parts, full)):
            return fits, PERSON
        like = self._found.get(("spelt", *map(skeleton, parts)), ())
        return [full for full in like if all(map(is_spelling_of, parts, full))], SPELLING


def _is_whole(parts: _Parts, full: _Parts) -> bool:
    """Whether a name that ends a longer one has a first name of its own: Albert Einstein is not his son Hans Albert.

    Behind an initial it is the same person: Edgar Hoover is J. Edgar Hoover.
    """
    before = full[: -len(parts)]
    return bool(before) and parts == full[-len(parts) :] and has_short_form(parts[0]) and len(before[-1]) > 1


def _one_of(fits: Sequence[_Parts], n_of: Mapping[_Parts, int]) -> _Parts | None:
    """The only one, or the one that has nearly all documents; none, where it could be several."""
    if not fits:
        return None
    top = max(fits, key=lambda parts: (n_of[parts], parts))
    return top if len(fits) == 1 or n_of[top] >= _MIN_SHARE * sum(n_of[parts] for parts in fits) else None
