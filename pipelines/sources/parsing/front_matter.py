"""Front matter: what a Markdown file says of itself, in YAML between lines of `---` or in TOML between lines of `+++`.

Whatever it holds costs no document: it is bounded in size, YAML's aliases and tags of other languages are refused, and
what can't be read stays as it is, one string of the metadata, and is counted.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import yaml

_MAX_CHARACTERS = 1 << 16
_YAML = re.compile(r"\A---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_TOML = re.compile(r"\A\+\+\+[ \t]*\r?\n(.*?)^\+\+\+[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_CORE = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What is read of it.

    Attributes:
        title, date: as written; empty where there is none.
        metadata: the other keys, as JSON has them.
        notes: `front_matter`: 1 where it can't be read.
    """

    title: str = ""
    date: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)


class _NoMappingError(Exception):
    """It is no mapping of keys, so it is no front matter."""


def split(source: str) -> tuple[FrontMatter, str]:
    """The front matter of a Markdown file, and its text; where there is none, nothing and all of it."""
    for pattern, parse in ((_YAML, _parse_yaml), (_TOML, _parse_toml)):
        if match := pattern.match(source):
            try:
                return _read(match[1], parse), source[match.end() :]
            except _NoMappingError:
                return FrontMatter(), source
    return FrontMatter(), source


def _read(text: str, parse: Callable[[str], dict[str, Any]]) -> FrontMatter:
    try:
        if len(text) > _MAX_CHARACTERS:
            raise ValueError("too long")
        found = parse(text)
    except (ValueError, TypeError, RecursionError, yaml.YAMLError):
        return FrontMatter(metadata={"front_matter": text.strip()}, notes={"front_matter": 1})
    said = {}
    for name in ("title", "date"):
        key = next((key for key in found if key.casefold() == name and isinstance(found[key], str)), None)
        said[name] = found.pop(key) if key is not None else ""
    return FrontMatter(said["title"], said["date"], found)


def _parse_yaml(text: str) -> dict[str, Any]:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise _NoMappingError
        for key, value in node.value:
            # A title that looks like a number, or like yes or no, is meant as it is written.
            if isinstance(value, yaml.ScalarNode) and str(key.value).casefold() in ("title", "date"):
                value.tag = f"{_CORE}{'null' if value.tag == f'{_CORE}null' else 'str'}"
        found: dict[str, Any] = loader.construct_document(node)
    finally:
        loader.dispose()
    return found


class _Loader(yaml.SafeLoader):
    """YAML without what makes it dangerous or unlike JSON: no aliases, no dates, no numbers to the base of 60."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """The next node.

        Raises:
            YAMLError: an alias, of which a few lines make gigabytes.
        """
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias")
        return super().compose_node(parent, index)

    def mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        """A mapping whose keys are strings, as they are written."""
        if any(not isinstance(key, yaml.ScalarNode) for key, _ in node.value):
            raise yaml.YAMLError("a key that is no string")
        made = {key.value: self.construct_object(value, deep=True) for key, value in node.value}
        if len(made) < len(node.value):
            raise yaml.YAMLError("a key is there twice")
        return made

    def names(self, node: yaml.MappingNode) -> list[str]:
        """The members of a set."""
        return list(self.mapping(node))

    def number(self, node: yaml.ScalarNode) -> int | float | str:
        """A number, if it is written as JSON writes it; anything else, `007` and `1.10` too, is what is written."""
        make: Callable[[str], int | float] = int if node.tag == f"{_CORE}int" else float
        try:
            value = make(node.value)
        except ValueError:
            return str(node.value)
        return value if str(value) == node.value else str(node.value)

    def written(self, node: yaml.ScalarNode) -> str:
        """A value as it is written."""
        return str(node.value)


_Loader.add_constructor(f"{_CORE}map", _Loader.mapping)
_Loader.add_constructor(f"{_CORE}set", _Loader.names)
for _tag in ("int", "float"):
    _Loader.add_constructor(f"{_CORE}{_tag}", _Loader.number)
for _tag in ("timestamp", "binary"):
    _Loader.add_constructor(f"{_CORE}{_tag}", _Loader.written)


def _parse_toml(text: str) -> dict[str, Any]:
    found: dict[str, Any] = _plain(tomllib.loads(text))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
