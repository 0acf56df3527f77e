"""The ontology: entity types, relation types and what they may join. One TOML file, the only label <-> column mapping.

    name = "conll04"
    overlapping_entities = false

    [entities.Peop]
    label = "Person"

    [relations.Kill]
    label = "killed"
    head = ["Peop"]
    tail = ["Peop"]

A type's name is a line of text, quoted where TOML asks for it: `[entities."Research field"]`. Its `iri` is the full
IRI of its class or property; without one it is minted under the base IRI, the name percent-encoded. An entity and a
relation type may share a name (`Ontology.distinct_name`). `equivalent`, `broader`, `narrower` and `close` list the
IRIs of others' classes or properties: they say the same, less (they hold wherever ours does), more, something alike.
`labels = {de = "Person"}` has the label in other languages, `parent = "Place"` names the type of this ontology that a
type is below. Of a relation `inverse`, `functional` and `transitive` say what OWL means by them
(`kgmill.schemas.axioms`). What is extracted depends on none of this, but of two inverse relations the first is told
(`Ontology.turned`), and of a functional one's facts that contradict one another the surest (`pipelines.conflicts`).

A relation's `words` are those of which a sentence has one, where it states the relation: a birth is not said without a
word for it. `*` at a word's end stands for any ending. Without `words` any sentence may state it
(`kgmill.schemas.stance`).

An entity type with `literal = "date"` is one of values: its mentions name no entity, and a fact that ends in one has
the value of its wording (`kgmill.schemas.literals`). A relation's tails are all of such types or none is; its heads
never are.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from kgmill.schemas.axioms import check_axioms
from kgmill.schemas.errors import OntologyError
from kgmill.schemas.text import decode_utf8

# RFC 3987 without the code points that RDF parsers refuse: controls, private use, noncharacters, brackets in a path.
_CHARACTER = r"(?:[^\x00-\x20\x7f-\x9f<>\"{}|^`\\\[\]#%\ud800-\uf8ff\ufdd0-\ufdef\ufffe\uffff]|%[0-9A-Fa-f]{2})"
_IRI = re.compile(rf"[A-Za-z][A-Za-z0-9+.-]*:{_CHARACTER}+(?:#{_CHARACTER}*)?")
_LANGUAGE = re.compile(r"[a-z]{1,8}(-[a-z0-9]{1,8})*")
# Controls, line ends, surrogates and what is no character at all: no name, terminal or IRI can hold them.
_NO_NAME = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def check_iri(value: str) -> str:
    """The value, if it is an absolute IRI that every RDF syntax can carry; ValueError otherwise."""
    try:
        is_valid = _IRI.fullmatch(value) is not None
        _ = urlsplit(value).port
    except ValueError:  # a port that is no number
        is_valid = False
    if not is_valid:
        raise ValueError(f"{value!r} is not an absolute IRI")
    return value


def check_type_name(name: str) -> str:
    """The name of a type, if it is one line of text without spaces at its ends; ValueError otherwise."""
    if not name or name != name.strip() or _NO_NAME.search(name):
        raise ValueError(f"type name {name!r} is not a line of text without spaces at its ends")
    return name


def check_labels(labels: dict[str, str]) -> dict[str, str]:
    """Labels by language tag, each a line of text; ValueError otherwise. Stores write tags in small letters."""
    for language, label in labels.items():
        if not _LANGUAGE.fullmatch(language):
            raise ValueError(f"{language!r} is no language tag in small letters, such as 'de' or 'pt-br'")
        if not label or label != label.strip() or _NO_NAME.search(label):
            raise ValueError(f"label {label!r} is not a line of text without spaces at its ends")
    return labels


class NamedType(BaseModel):
    """What entity and relation types share: words for people, IRIs, and the type that they are below."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    label: str = ""
    labels: dict[str, str] = {}
    comment: str = ""
    parent: str = ""
    iri: str = ""
    equivalent: tuple[str, ...] = ()
    broader: tuple[str, ...] = ()
    narrower: tuple[str, ...] = ()
    close: tuple[str, ...] = ()

    _labels = field_validator("labels")(check_labels)
    _iri = field_validator("iri")(lambda value: check_iri(value) if value else value)
    _iris = field_validator("equivalent", "broader", "narrower", "close")(lambda value: tuple(map(check_iri, value)))


NameKind = Literal["", "person", "organization", "place", "other"]
# What types are mostly called whose names are those of people, organisations and places.
_KINDS: dict[str, NameKind] = dict.fromkeys(("person", "people", "peop", "per", "human"), "person")
_KINDS |= dict.fromkeys(("organization", "organisation", "org", "company", "corporation"), "organization")
_KINDS |= dict.fromkeys(("place", "location", "loc", "gpe", "country", "city"), "place")


class EntityType(NamedType):
    """One entity type; with `literal`, a type of values of that kind.

    `names` says whose names they are, and so which of them may be one (`kgmill.pipelines.resolution`); empty: what the
    type's name says.
    """

    literal: Literal["", "date"] = ""
    names: NameKind = ""


def check_words(words: tuple[str, ...]) -> tuple[str, ...]:
    """Words to look for, each a line of text with a letter, `*` at its end alone; ValueError otherwise."""
    for word in words:
        stem = word.removesuffix("*")
        if "*" in stem or word != word.strip() or _NO_NAME.search(word) or not any(map(str.isalpha, stem)):
            raise ValueError(f"{word!r} is no word or words to look for, such as 'born' or 'marr*'")
    return words


class RelationType(NamedType):
    """One relation type; `head` and `tail` name the entity types that it may join, `inverse` another relation type.

    `words`: a sentence without any of them does not state it; none: any sentence may.
    """

    head: tuple[str, ...] = Field(min_length=1)
    tail: tuple[str, ...] = Field(min_length=1)
    symmetric: bool = False
    inverse: str = ""
    functional: bool = False
    transitive: bool = False
    words: tuple[str, ...] = ()

    _words = field_validator("words")(check_words)


@dataclass(frozen=True, slots=True)
class Columns:
    """What a model's scores are of: its entity and relation types, in its order. An ontology may leave some out."""

    entities: tuple[str, ...]
    relations: tuple[str, ...]

    def distinct_name(self, relation: str) -> str:
        """See `Ontology.distinct_name`."""
        if relation not in self.entities:
            return relation
        name = f"{relation}_relation"
        while name in self.entities or name in self.relations:
            name += "_"
        return name


class Ontology(BaseModel):
    """Entity and relation types in the order of the model's columns (the order of the file)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = "ontology"
    overlapping_entities: bool = False
    entities: dict[str, EntityType] = Field(min_length=1)
    relations: dict[str, RelationType] = {}

    @model_validator(mode="after")
    def _names_are_known(self) -> Ontology:
        for name in (*self.entities, *self.relations):
            check_type_name(name)
        iris = [t.iri for t in (*self.entities.values(), *self.relations.values()) if t.iri]
        if twice := sorted({iri for iri in iris if iris.count(iri) > 1}):
            raise ValueError(f"several types have the IRI {twice[0]}")
        for name, relation in self.relations.items():
            if unknown := sorted({*relation.head, *relation.tail} - set(self.entities)):
                raise ValueError(f"relation {name} names unknown entity types {unknown}")
            if relation.symmetric and set(relation.head) != set(relation.tail):
                raise ValueError(f"relation {name} is symmetric, but its heads and tails differ")
            self._check_literals(name, relation)
        check_axioms(self)
        return self

    def _check_literals(self, name: str, relation: RelationType) -> None:
        heads, tails = ([t for t in ends if self.entities[t].literal] for ends in (relation.head, relation.tail))
        if heads:
            raise ValueError(f"relation {name} has the literal type {heads[0]} as a head; a value is only ever a tail")
        if tails and len(tails) < len(relation.tail):
            raise ValueError(f"relation {name} has literal and other tails; {tails[0]} wants a relation of its own")

    @cached_property
    def entity_names(self) -> tuple[str, ...]:
        """Entity types, by column."""
        return tuple(self.entities)

    @cached_property
    def relation_names(self) -> tuple[str, ...]:
        """Relation types, by column."""
        return tuple(self.relations)

    @cached_property
    def columns(self) -> Columns:
        """The columns of a model of all of these types."""
        return Columns(self.entity_names, self.relation_names)

    def distinct_name(self, relation: str) -> str:
        """The name of a relation type, made different from all entity types; where it is already, as it stands.

        >>> both = parse_ontology({"entities": {"Award": {}}, "relations": {"Award": {"head": ["Award"],
        ...     "tail": ["Award"]}}}, "doctest")
        >>> both.distinct_name("Award")
        'Award_relation'
        """
        return self.columns.distinct_name(relation)

    @cached_property
    def symmetric(self) -> frozenset[str]:
        """The relation types that have no direction."""
        return frozenset(name for name, relation in self.relations.items() if relation.symmetric)

    @cached_property
    def turned(self) -> dict[str, str]:
        """For each relation type that is told as its inverse, from tail to head, that one: the first of the two.

        >>> parse_ontology({"entities": {"A": {}}, "relations": {"owns": {"head": ["A"], "tail": ["A"]},
        ...     "owned_by": {"head": ["A"], "tail": ["A"], "inverse": "owns"}}}, "doctest").turned
        {'owned_by': 'owns'}
        """
        pairs = ((name, relation.inverse) for name, relation in self.relations.items() if relation.inverse)
        ordered = (sorted(pair, key=self.relation_names.index) for pair in pairs)
        return {second: first for first, second in ordered}

    @cached_property
    def functional(self) -> tuple[tuple[str, str], ...]:
        """The relation types of which a thing has one fact at most, each with the end of the fact at which it is."""
        return tuple(
            (self.turned.get(name, name), "tail" if name in self.turned else "head")
            for name, relation in self.relations.items()
            if relation.functional
        )

    @cached_property
    def has_literals(self) -> bool:
        """Whether facts may end in a value."""
        return any(kind.literal for kind in self.entities.values())

    @cached_property
    def allowed(self) -> tuple[tuple[tuple[bool, ...], ...], ...]:
        """`allowed[head column][tail column][relation column]`."""
        return tuple(
            tuple(tuple(h in r.head and t in r.tail for r in self.relations.values()) for t in self.entities)
            for h in self.entities
        )

    def allows(self, head: str, relation: str, tail: str) -> bool:
        """Whether a relation may join two entity types."""
        kind = self.relations[relation]
        return head in kind.head and tail in kind.tail

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Whose names those of each entity type are: `person`, `organization`, `place` or `other`.

        >>> parse_ontology({"entities": {"Peop": {}, "Drug": {}, "City": {"names": "other"}}}, "doctest").kinds
        ('person', 'other', 'other')
        """
        return tuple(t.names or _KINDS.get(name.casefold(), "other") for name, t in self.entities.items())

    def without_words(self) -> Ontology:
        """The ontology without name, labels, comments, axioms and others' terms: what a graph's names depend on."""
        kept = ("iri", "literal", "head", "tail", "symmetric")

        def bare(kind: NamedType) -> NamedType:
            fields = type(kind).model_fields
            return kind.model_copy(update={key: fields[key].default for key in fields if key not in kept})

        tables: dict[str, Mapping[str, NamedType]] = {"entities": self.entities, "relations": self.relations}
        return self.model_copy(
            update={"name": ""}
            | {table: {name: bare(kind) for name, kind in types.items()} for table, types in tables.items()}
        )

    def rules(self) -> dict[str, Any]:
        """What decides results, as data that `parse_ontology` takes: types, and what they may join; no words, no IRIs.

        Whether a relation is functional decides of facts alone (`functional`).

        >>> parse_ontology({"entities": {"A": {"label": "a", "iri": "urn:x:a"}}}, "doctest").rules()
        {'overlapping_entities': False, 'entities': {'A': {}}, 'relations': {}}
        """
        decisive = ("head", "tail", "symmetric")
        return {
            "overlapping_entities": self.overlapping_entities,
            "entities": {
                name: t.model_dump(include={"literal", "names"}, exclude_defaults=True)
                for name, t in self.entities.items()
            },
            "relations": {
                name: {key: getattr(r, key) for key in decisive}
                | r.model_dump(include={"inverse", "words"}, exclude_defaults=True)
                for name, r in self.relations.items()
            },
        }


def parse_ontology(data: dict[str, Any], where: str) -> Ontology:
    """An ontology from parsed TOML.

    Raises:
        OntologyError: naming `where`, the key and the fault.
    """
    try:
        return Ontology.model_validate(data)
    except ValidationError as error:
        raise OntologyError(f"{where}: {first_fault(error)}") from None


def load_ontology(path: Path) -> Ontology:
    """The ontology in a TOML file.

    Raises:
        OntologyError: no such file, not TOML, unknown keys or unknown types.
    """
    return parse_ontology(read_toml(path, OntologyError), str(path))


def format_ontology(ontology: Ontology) -> str:
    """The ontology as the TOML that `load_ontology` reads."""
    lines = [f"name = {_toml(ontology.name)}", f"overlapping_entities = {_toml(ontology.overlapping_entities)}"]
    for table, types in (("entities", ontology.entities), ("relations", ontology.relations)):
        for name, kind in types.items():
            lines += ["", f"[{table}.{_toml(name)}]"]
            lines += [f"{key} = {_toml(value)}" for key, value in kind.model_dump(exclude_defaults=True).items()]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """A string, a truth value, a sequence or a table of strings.

    The JSON of all but a table is TOML, but for DEL, which JSON leaves as it is.
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(one)}" for key, one in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def read_toml(path: Path, error: type[Exception]) -> dict[str, Any]:
    """A TOML file's content, or `error` with one line that names the file and the fault."""
    try:
        return tomllib.loads(decode_utf8(path.read_bytes(), path, error))
    except OSError as fault:
        raise error(f"{path}: {fault.strerror or fault}") from None
    except tomllib.TOMLDecodeError as fault:
        raise error(f"{path}: not TOML: {fault}") from None


def first_fault(error: ValidationError) -> str:
    """The first fault of a pydantic validation as `key: what was wrong (got what came)`."""
    fault = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"unknown key {key!r}"
    message = fault["msg"].removeprefix("Value error, ")
    return f"{key}: {message}" if key else message
