"""Fields by name: as they are called, by a dotted path, or by the only name that differs in case alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

# What texts are called, the commonest first: the cure that is named where no field has the wanted name.
_TEXTS = (
    *("text", "body", "content", "article", "abstract", "full_text", "plain_text", "raw_text", "maintext", "message"),
    *("description", "document", "transcript", "paragraphs", "sentences", "summary", "review", "comment", "sentence"),
)

Path = tuple[str, ...]


def locate(row: Mapping[str, Any], name: str) -> Path:
    """The keys that lead to a field; empty where there is none.

    A key that is the name wins, then a path whose parts are joined by dots, through lists of objects too, then the only
    key that differs in letter case and the spaces around it.

    >>> locate({"a.b": 1}, "a.b"), locate({"a": {"b": 1}}, "a.b"), locate({"Text ": 1}, "text"), locate({"a": 1}, "b")
    (('a.b',), ('a', 'b'), ('Text ',), ())
    """
    if not name:
        return ()
    if name in row:
        return (name,)
    for head, rest in _splits(name):
        key = same_name(row, head)
        for inner in _objects(row[key]) if key else ():
            if path := locate(inner, rest):
                return (key, *path)
    key = same_name(row, name)
    return (key,) if key else ()


def same_name(names: Collection[str], name: str) -> str:
    """The name itself, or the only one that differs from it in case and outer spaces; empty: there is none."""
    if name in names:
        return name
    wanted = name.casefold()
    found = [other for other in names if other.strip().casefold() == wanted]
    return found[0] if len(found) == 1 else ""


def root(names: Collection[str], name: str) -> str:
    """The column that a field lies in; empty where there is none."""
    return same_name(names, name) or next((key for head, _ in _splits(name) if (key := same_name(names, head))), "")


def value_at(row: Any, path: Path) -> Any:
    """What a path leads to; through a list, the list of what it leads to in each object."""
    if not path:
        return row
    if isinstance(row, Sequence):
        return [value_at(item, path) for item in row if isinstance(item, Mapping) and path[0] in item]
    return value_at(row[path[0]], path[1:])


def without(row: Any, paths: Sequence[Path]) -> Any:
    """A copy without what the paths lead to, nor the objects that had nothing else."""
    if isinstance(row, Sequence) and not isinstance(row, str):
        return [without(item, paths) for item in row]
    if not isinstance(row, Mapping):
        return row
    copy = {}
    for key, value in row.items():
        below = [path[1:] for path in paths if path[:1] == (key,)]
        left = without(value, below) if below and () not in below else value
        if not below or (left and () not in below):
            copy[key] = left
    return copy


def missing(names: Sequence[str], wanted: str, likely: str = "") -> str:
    """What to say where no field has the name of the text: which there are, and how to choose one."""
    known = next((name for text in _TEXTS if (name := same_name(names, text))), "") or likely
    shown = ", ".join(name[:40] for name in names[:8]) + (", ..." if len(names) > 8 else "")
    return f'no field {wanted!r}; there are {shown or "none"}: say [source.fields] text = "{known or "NAME"}"'


def longest_text(row: Mapping[str, Any]) -> str:
    """The path of the longest string of a record, at most an object deep, with dots between its keys."""
    found = {key: len(value) for key, value in row.items() if isinstance(value, str)}
    for key, value in row.items():
        if isinstance(value, Mapping):
            found |= {f"{key}.{inner}": len(text) for inner, text in value.items() if isinstance(text, str)}
    return max(found, key=lambda path: found[path], default="")


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """The name cut in two at each of its dots, the longest beginning first."""
    parts = name.split(".")
    for n in range(len(parts) - 1, 0, -1):
        yield ".".join(parts[:n]), ".".join(parts[n:])


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
    elif isinstance(value, list | tuple):
        yield from (item for item in value if isinstance(item, Mapping))
