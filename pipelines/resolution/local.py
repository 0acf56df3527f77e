"""The names of one document: each mention's local name, the longest form that the document itself has for it.

"Bush" is "George W. Bush" where the document names a person so (of several, the one it names first), and a bare acronym
is what it stands for where the document says it in brackets, or has one name with these initials. What is also known as
something, in the document's words, is that.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from kgmill.pipelines.resolution.forms import (
    abbreviates,
    bracketed,
    is_acronym,
    is_latin,
    is_of_another_script,
    name_words,
    person_words,
    stands_for,
    without_title,
)
from kgmill.pipelines.resolution.known import is_short_for
from kgmill.pipelines.resolution.shortened import is_part_of_name
from kgmill.schemas.identity import entity_key
from kgmill.schemas.name_rules import ACRONYM, BRACKET, CALLED, MIDDLE, SHORT, TITLE
from kgmill.schemas.names import label_of

_OPENS, _CLOSES = re.compile(r"\s*\(\s*"), re.compile(r"\s*\)")
_CALLED = re.compile(  # what stands between a name and another one of the same thing
    r"""(?: ,?\s* \(? \s* (?:(?:or|and)\ )? (?:(?:is|was|were|are)\ )?
            (?:(?:also|formerly|previously|originally|better|otherwise|commonly|popularly|sometimes|locally|now|later)
            [,\ ]+){1,2} (?:known|called|named|referred\ to) (?:\ simply)? (?:\ as)?
          | ,?\s* \(? \s* (?:a\.k\.a\.|aka|alias|or\ simply)
          | \s* \( \s* (?:now|also|or|formerly) [:,]?
        ) (?:\ the)? \s* ["\u201c\u2018']? \s*""",
    re.VERBOSE,
)
_IN_SCRIPT = re.compile(r"""\s*["\u201d\u2019']?\s*\(\s*["\u201c\u2018']?\s*""")
_MIN_INITIALS = 3  # letters of an acronym that no bracket explains
_MIN_MIDDLE = 3  # letters of a word from the middle of a person's name


@dataclass(frozen=True, slots=True)
class Spotted:
    """A mention of a document.

    Attributes:
        votes: float [E], the log probability of each entity type.
    """

    begin: int
    end: int
    text: str
    votes: np.ndarray


@dataclass(frozen=True, slots=True)
class LocalName:
    """What a mention is called in its document.

    Attributes:
        name: the longest form of it; its key is `schemas.identity.entity_key` of this.
        rule: why, where it isn't the mention's own text: `title`, `short`, `middle`, `acronym`, `bracket`, `called`;
            else empty.
        column: of the type that the document's mentions of it are most likely of.
    """

    name: str
    rule: str
    column: int


@dataclass(slots=True)
class _Name:
    """What a document has of one key."""

    forms: Counter[str] = field(default_factory=Counter)
    votes: float | np.ndarray = 0.0

    @property
    def column(self) -> int:
        return int(np.argmax(self.votes))

    @property
    def form(self) -> str:
        return min(self.forms, key=lambda form: (-self.forms[form], form))


def local_names(
    mentions: Sequence[Spotted], text: str, kinds: Sequence[str]
) -> tuple[list[LocalName], list[tuple[str, str]]]:
    """The local name of each mention, and (acronym, long name) for each acronym that the text explains in brackets.

    Args:
        mentions: of one document, in its order, none of a literal type.
        text: the document's.
        kinds: of each type: `person`, `organization`, `place` or `other`.
    """
    own, defined = [], []
    for mention in mentions:
        found = bracketed(mention.text)
        own.append((found[0], BRACKET) if found else (label_of(mention.text), ""))
        if found:
            defined.append((found[1], found[0]))
    defined += _explained(mentions, text)
    column_of = {key: name.column for key, name in _by_key(own, mentions).items()}
    for i, (name, rule) in enumerate(own):
        bare = without_title(name) if kinds[column_of[entity_key(name)]] == "person" else name
        if bare != name:
            own[i] = (bare, rule or TITLE)
    names = _by_key(own, mentions)
    called = [(entity_key(own[i + 1][0]), entity_key(own[i][0])) for i in _renamed(mentions, text)]
    links = _links(names, kinds, defined, called)
    targets = [_follow(links, entity_key(name)) for name, _ in own]
    votes: dict[str, np.ndarray | float] = defaultdict(float)
    for target, mention in zip(targets, mentions, strict=True):
        votes[target[0]] = votes[target[0]] + mention.votes
    chosen = [
        LocalName(names[key].form, rule or own[i][1], int(np.argmax(votes[key])))
        for i, (key, rule) in enumerate(targets)
    ]
    return chosen, sorted(set(defined))


def _by_key(own: Sequence[tuple[str, str]], mentions: Sequence[Spotted]) -> dict[str, _Name]:
    names: dict[str, _Name] = defaultdict(_Name)
    for (name, _), mention in zip(own, mentions, strict=True):
        found = names[entity_key(name)]
        found.forms[name] += 1
        found.votes = found.votes + mention.votes
    return names


def _explained(mentions: Sequence[Spotted], text: str) -> Iterator[tuple[str, str]]:
    """Acronyms that stand in brackets behind their long names, or these behind them."""
    for a, b in pairwise(mentions):
        if _OPENS.fullmatch(text, a.end, b.begin) and _CLOSES.match(text, b.end):
            for short, long in ((b, a), (a, b)):
                if is_acronym(short.text) and abbreviates(short.text, long.text):
                    yield label_of(short.text), label_of(long.text)


def _renamed(mentions: Sequence[Spotted], text: str) -> Iterator[int]:
    """The mentions behind which the text says that the next one is another name of the same thing.

    So does a bracket by itself, where the name in it is in a script that isn't Latin and the one before it is.
    """
    for i, (a, b) in enumerate(pairwise(mentions)):
        in_script = _IN_SCRIPT.fullmatch(text, a.end, b.begin) and is_latin(a.text) and is_of_another_script(b.text)
        if in_script or _CALLED.fullmatch(text, a.end, b.begin):
            yield i


def _links(
    names: Mapping[str, _Name],
    kinds: Sequence[str],
    defined: Sequence[tuple[str, str]],
    called: Sequence[tuple[str, str]],
) -> dict[str, tuple[str, str]]:
    """For names that are short for another one of the document, or that it is called too: its key, and the rule."""
    links: dict[str, tuple[str, str]] = {}
    people = {key: person_words(name.form) for key, name in names.items() if kinds[name.column] == "person"}
    order, said = {key: i for i, key in enumerate(people)}, set(people.values())

    def is_short(one: str, other: str) -> bool:
        """Whether a name is short for another; not one that came before it and whose end is somebody's name by itself.

        Where a document begins with Albert Einstein and then says Einstein, Hans Albert Einstein is somebody else.
        """
        short, full = people[one], people[other]
        rest = short[1:]
        is_whole = bool(rest) and rest in said and order[one] < order[other] and short == full[-len(short) :]
        return is_short_form(short, full) and not is_whole

    for key, parts in people.items():
        longer = [other for other in people if other != key and is_short(key, other)]
        fullest = [one for one in longer if not any(is_short(one, other) for other in longer if other != one)]
        if fullest:
            links[key] = (fullest[0], SHORT)
        elif len(parts) == 1 and len(parts[0]) >= _MIN_MIDDLE:
            around = [other for other, full in people.items() if parts[0] in full[1:-1]]
            if len(around) == 1:
                links[key] = (around[0], MIDDLE)
    for short, long in defined:
        if entity_key(short) in names and entity_key(long) in names:
            links[entity_key(short)] = (entity_key(long), ACRONYM)
    for key, name in names.items():
        if key not in links and is_acronym(name.form) and sum(map(str.isalpha, name.form)) >= _MIN_INITIALS:
            longs = [other for other, o in names.items() if other != key and stands_for(name.form, o.form)]
            if len(longs) == 1 and kinds[names[longs[0]].column] != "person":
                links[key] = (longs[0], ACRONYM)
    for key, other in _shortened(names, kinds):
        if key not in links and _follow(links, other)[0] != key:
            links[key] = (other, SHORT)
    for other, key in called:  # last, and never back to where a link comes from: of both names one stays
        is_alike = kinds[names[other].column] == kinds[names[key].column]
        if other not in links and is_alike and _follow(links, key)[0] != other:
            links[other] = (key, CALLED)
    return links


def _shortened(names: Mapping[str, _Name], kinds: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The names of things that are short for the one longer name of their kind that the document has."""
    of_kind: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for key, name in names.items():
        of_kind[kinds[name.column]][key] = name_words(name.form)
    for kind, named in of_kind.items():
        for key, short in named.items() if kind != "person" else ():
            longer = [other for other, full in named.items() if is_part_of_name(short, full, kind)]
            fullest = [k for k in longer if not any(is_part_of_name(named[k], named[other], kind) for other in longer)]
            if len(fullest) == 1:
                yield key, fullest[0]


def is_short_form(short: tuple[str, ...], full: tuple[str, ...]) -> bool:
    """Whether a person's name, as words, is a shorter form of another: the end of it, or the same with less before.

    >>> is_short_form(("bush",), ("george", "w", "bush")), is_short_form(("g", "bush"), ("george", "w", "bush"))
    (True, True)
    >>> is_short_form(("laura", "bush"), ("george", "w", "bush")), is_short_form(("al", "sadr"), ("al", "sadr"))
    (False, False)
    """
    if not short or short == full or len(short) > len(full):
        return False
    if short == full[len(full) - len(short) :]:
        return True
    if len(short) == 1:
        return len(full) > 1 and len(short[0]) > 1 and short[0] == full[0]
    if short[-1] != full[-1] or not _is_first(short[0], full[0]):
        return False
    inner = iter(full[1:-1])
    return all(any(_is_first(word, other) for other in inner) for word in short[1:-1])


def _is_first(short: str, full: str) -> bool:
    return short == full or is_short_for(short, full)


def _follow(links: Mapping[str, tuple[str, str]], key: str) -> tuple[str, str]:
    """Where a name's links end, and the first rule on the way; a circle ends where it closes."""
    rule, seen = "", {key}
    while key in links and links[key][0] not in seen:
        key, why = links[key]
        seen.add(key)
        rule = rule or why
    return key, rule
