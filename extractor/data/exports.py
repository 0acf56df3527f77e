"""Exports of annotation tools, texts with offsets in characters: doccano's JSONL and Label Studio's JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kgmill.extractor.data.dygie import whole_number
from kgmill.extractor.data.standoff import Link, Mark, MarkedText
from kgmill.extractor.data.unused import Unused
from kgmill.schemas.errors import DataError
from kgmill.schemas.ontology import check_type_name
from kgmill.schemas.text import decode_utf8, storable


def read_doccano(path: Path) -> list[MarkedText]:
    """The texts of doccano's JSONL, with or without relations.

    Raises:
        DataError: naming the file, the line and the fault.
    """
    lines = decode_utf8(path.read_bytes(), path, DataError).split("\n")
    return [
        _told(_doccano, _parsed(line, f"{path}:{number}"), _Place(path, number, ":"), "doccano writes them")
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]


def read_label_studio(path: Path) -> list[MarkedText]:
    """The texts of Label Studio's JSON export, whose task has one text; of each the first annotation that is not
    cancelled.

    Raises:
        DataError: naming the file, the task's number and the fault.
    """
    tasks = _parsed(decode_utf8(path.read_bytes(), path, DataError), str(path))
    if not isinstance(tasks, list):
        raise DataError(f"{path}: wanted a JSON list of tasks, got {type(tasks).__name__}")
    return [
        _told(_label_studio, task, _Place(path, i, ": task "), "Label Studio exports them")
        for i, task in enumerate(tasks)
    ]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a record stands: its file and the number of its line, or of the record."""

    path: Path
    number: int
    between: str

    def __str__(self) -> str:
        return f"{self.path}{self.between}{self.number}"

    def key(self, record: dict[str, Any]) -> str:
        """The name of the record's document: its id, or where it stands."""
        return storable(str(record.get("id", f"{self.path.name}:{self.number}")))


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: not JSON: {error}") from None


def _told(parse: Callable[[Any, _Place], MarkedText], record: Any, place: _Place, manner: str) -> MarkedText:
    try:
        return parse(record, place)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"{place}: wanted texts with labels and offsets as {manner} ({error!r})") from None


def _doccano(record: dict[str, Any], place: _Place) -> MarkedText:
    text = _text(record.get("text", record.get("data")))
    rows = record.get("entities")
    if rows is None:
        labels = record.get("label", record.get("labels"))
        rows = [{"id": i, "start_offset": a, "end_offset": b, "label": c} for i, (a, b, c) in enumerate(labels or ())]
    marks = [
        _mark(text, row["start_offset"], row["end_offset"], row["label"], f"{place}: entity {row['id']}")
        for row in rows
    ]
    numbers = {row["id"]: i for i, row in enumerate(rows)}
    links = [
        Link(
            numbers[row["from_id"]], numbers[row["to_id"]], _name(row["type"]), f"{place}: relation {row.get('id', i)}"
        )
        for i, row in enumerate(record.get("relations") or ())
    ]
    return MarkedText(text, marks, links, place.key(record), str(place))


def _label_studio(task: dict[str, Any], place: _Place) -> MarkedText:
    texts = [value for value in task["data"].values() if isinstance(value, str)]
    given = task.get("annotations", task.get("completions")) or ()
    result: list[dict[str, Any]] = next((one["result"] for one in given if not one.get("was_cancelled")), [])
    source = {one.get("to_name") for one in result if one["type"] == "labels"}
    text = _text(task["data"].get("text", max(texts, key=len) if texts else None))
    if len(source) > 1:
        raise ValueError(f"labels of several texts: {', '.join(sorted(map(str, source)))}")
    rows = [one for one in result if one["type"] == "labels"]
    marks: list[Mark] = []
    numbers: dict[str, int | None] = {one["id"]: None for one in result if "id" in one}
    unused: list[Unused] = []
    for one in rows:
        value, where = one["value"], f"{place}: region {one['id']}"
        first, *more = value.get("labels") or ("",)
        if first:
            numbers[one["id"]] = len(marks)
            marks.append(_mark(text, value["start"], value["end"], first, where, value.get("text")))
        else:
            unused.append(Unused("not_modelled", "entity", "", f"{where}: has no label"))
        unused += [Unused("not_modelled", "entity", _name(label), where) for label in more]
    for one in result:
        if (kind := one["type"]) not in ("labels", "relation"):
            unused.append(Unused("not_modelled", "label", storable(str(kind)), f"{place}: {kind} {one.get('id', '')}"))
    links = []
    for (head, tail), kind, where in _regions_linked(result, numbers, place):
        if head is None or tail is None:
            unused.append(Unused("no_entity", "relation", kind, where))
        else:
            links.append(Link(head, tail, kind, where))
    return MarkedText(text, marks, links, place.key(task), str(place), unused)


def _regions_linked(
    result: list[dict[str, Any]], numbers: dict[str, int | None], place: _Place
) -> Iterator[tuple[tuple[int | None, int | None], str, str]]:
    """The relations: their ends, None for one that is no entity, type, and place."""
    for one in result:
        if one["type"] == "relation":
            head, tail = numbers[one["from_id"]], numbers[one["to_id"]]
            ends = (tail, head) if one.get("direction") == "left" else (head, tail)
            for label in one.get("labels") or ("related",):
                yield ends, _name(label), f"{place}: relation {one['from_id']} -> {one['to_id']}"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return storable(value)


def _mark(text: str, begin: Any, end: Any, name: Any, place: str, said: Any = None) -> Mark:
    """A mark without the spaces at its ends, which are easily marked too; `said` is its text as the file has it."""
    first, last = whole_number(begin), whole_number(end)
    if not 0 <= first < last <= len(text):
        raise ValueError(f"{first} to {last} lies outside of the text's {len(text)} characters")
    marked = text[first:last]
    if said is not None and marked.split() != storable(str(said)).split():
        raise ValueError(f"{place}: the text has {marked!r} from {first} to {last}, not {said!r}")
    first += len(marked) - len(marked.lstrip())
    return Mark(first, max(first, last - len(marked) + len(marked.rstrip())), _name(name), place)


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"type {value!r} is no string")
    return check_type_name(storable(value))
