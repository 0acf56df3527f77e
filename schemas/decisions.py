"""What people have decided of names and facts: a file that every build replays; and the names of other registers."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kgmill.schemas.errors import ConfigError
from kgmill.schemas.identity import entity_key
from kgmill.schemas.ontology import check_iri, first_fault, read_toml
from kgmill.schemas.text import decode_utf8

_LINK_COLUMNS = ("name", "type", "iri")


class Decision(BaseModel):
    """Who decided, and why: for people alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    by: str = ""
    why: str = ""


class OfNames(Decision):
    """A decision on names; the first of them is the one that the others are known by."""

    names: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=2)


class OfFact(Decision):
    """A decision on a fact: by its id, as tables and IRIs have it, or by the names of its ends and its relation."""

    fact: str = Field("", pattern="^([0-9a-f]{16})?$")
    head: str = ""
    relation: str = ""
    tail: str = ""

    @model_validator(mode="after")
    def _names_one_fact(self) -> Self:
        named = (self.head, self.relation, self.tail)
        if any(named) if self.fact else not all(named):
            raise ValueError("wanted either fact, an id, or head, relation and tail, as the graph calls them")
        return self


class Decisions(BaseModel):
    """All decisions.

    Attributes:
        same: names of one thing, wherever they stand alone.
        apart: names that are never one thing.
        reject: facts that are wrong, and left out.
        confirm: facts that are right, whatever the texts say, and asserted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    same: tuple[OfNames, ...] = ()
    apart: tuple[OfNames, ...] = ()
    reject: tuple[OfFact, ...] = ()
    confirm: tuple[OfFact, ...] = ()

    @classmethod
    def load(cls, path: Path) -> Self:
        """The decisions of a TOML file.

        Raises:
            ConfigError: no such file, unknown keys, or decisions that contradict one another.
        """
        try:
            found = cls.model_validate(read_toml(path, ConfigError))
        except ValidationError as error:
            raise ConfigError(f"{path}: {first_fault(error)}; known keys: {', '.join(cls.model_fields)}") from None
        found._check(path)
        return found

    def _check(self, path: Path) -> None:
        targets = self.targets
        for apart in self.apart:
            keys = [entity_key(name) for name in apart.names]
            ends = [entity_key(targets.get(key, key)) for key in keys]
            if len(set(ends)) < len(ends):
                raise ConfigError(f"{path}: {' and '.join(apart.names)} are both the same and apart")
        wrong, right = ({d.fact for d in made if d.fact} for made in (self.reject, self.confirm))
        if both := sorted(wrong & right):
            raise ConfigError(f"{path}: fact {both[0]} is both rejected and confirmed")

    def check_relations(self, path: str, known: Collection[str]) -> None:
        """Makes sure that the relations that facts are named by are the ontology's.

        Raises:
            ConfigError: one is not, naming those that are.
        """
        named = {d.relation for d in (*self.reject, *self.confirm) if d.relation}
        if unknown := sorted(named - set(known)):
            raise ConfigError(f"{path}: no relation {unknown[0]!r} in the ontology; it has {', '.join(known)}")

    @property
    def targets(self) -> dict[str, str]:
        """For each name's key the name that it is known by, where it isn't that one itself."""
        return {entity_key(name): same.names[0] for same in self.same for name in same.names[1:]}

    @property
    def separate(self) -> tuple[tuple[str, ...], ...]:
        """The keys of names that are apart."""
        return tuple(tuple(map(entity_key, apart.names)) for apart in self.apart)


def load_links(path: Path) -> dict[str, tuple[str, ...]]:
    """The IRIs that others have for names, by `link_key`, of a CSV or TSV file with the columns name, type and iri.

    Raises:
        ConfigError: no such file, other columns, or no IRI; naming the line.
    """
    try:
        text = decode_utf8(path.read_bytes(), path, ConfigError)
    except OSError as fault:
        raise ConfigError(f"{path}: {fault.strerror or fault}") from None
    rows = csv.DictReader(text.splitlines(), delimiter="\t" if "\t" in text.partition("\n")[0] else ",")
    if not set(_LINK_COLUMNS) <= {(name or "").strip() for name in rows.fieldnames or ()}:
        raise ConfigError(f"{path}: wanted a first line with the columns {', '.join(_LINK_COLUMNS)}")
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        name, kind, iri = ((row[column] or "").strip() for column in _LINK_COLUMNS)
        try:
            found[link_key(name, kind)].add(check_iri(iri))
        except ValueError as error:
            raise ConfigError(f"{path}:{rows.line_num}: {error}") from None
    return {key: tuple(sorted(iris)) for key, iris in sorted(found.items())}


def link_key(name: str, type_name: str) -> str:
    """What a name of a type is looked up by.

    >>> link_key("The  Hague", "Place") == link_key("the hague", "Place")
    True
    """
    return f"{type_name}\t{entity_key(name)}"


def links_of(links: Mapping[str, tuple[str, ...]], names: tuple[str, ...], type_name: str) -> tuple[str, ...]:
    """The IRIs that others have for any of an entity's names, sorted."""
    return tuple(sorted({iri for name in names for iri in links.get(link_key(name, type_name), ())}))
