"""brat's standoff annotations: NAME.ann beside NAME.txt, or a folder of such pairs.

Source: https://brat.nlplab.org/standoff.html. Text bound annotations (T) are entities, relations (R) relations; a
mark of several fragments, an event (E), a relation to one and a relation of more than two (`*`) can't be used.
Attributes, normalisations and notes say nothing that is modelled.
"""

from __future__ import annotations

import re
from pathlib import Path

from kgmill.extractor.data.standoff import Link, Mark, MarkedText, name_within
from kgmill.extractor.data.unused import Unused
from kgmill.schemas.errors import DataError
from kgmill.schemas.text import decode_utf8

_MARK = re.compile(r"(T\S+)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?")
_LINK = re.compile(r"(R\S+)\t(\S+) \S+?:([TE]\S+) \S+?:([TE]\S+)\s*")


def read_brat(path: Path) -> list[MarkedText]:
    """The texts of a folder, or the one of an .ann or a .txt file.

    Raises:
        DataError: a file is missing or not of its form, or an offset doesn't meet the text that it says.
    """
    files = sorted(path.rglob("*.ann")) if path.is_dir() else [path.with_suffix(".ann")]
    if not files:
        raise DataError(f"{path}: holds no .ann file")
    return [_read(file, file.with_suffix(".txt"), name_within(path, file, ".ann")) for file in files]


def _read(annotation: Path, source: Path, key: str) -> MarkedText:
    text, written = (decode_utf8(file.read_bytes(), file, DataError) for file in (source, annotation))
    marks: list[Mark] = []
    numbers: dict[str, int | None] = {}
    later: list[tuple[str, re.Match[str]]] = []
    unused: list[Unused] = []
    for number, line in enumerate(written.replace("\r\n", "\n").split("\n"), 1):
        place = f"{annotation}:{number}"
        if found := _MARK.fullmatch(line):
            name, kind, offsets, said = found.groups()
            if ";" in offsets:
                unused.append(Unused("discontinuous", "entity", kind, f"{place}: {said or offsets!r}"))
                numbers[name] = None
                continue
            begin, end = map(int, offsets.split())
            _check(text, begin, end, said, place)
            numbers[name] = len(marks)
            marks.append(Mark(begin, end, kind, place))
        elif found := _LINK.fullmatch(line):
            later.append((place, found))
        elif line[:1] == "E":
            unused.append(Unused("not_modelled", "event", "", place))
            numbers[line.split("\t")[0]] = None
        elif line[:1] == "*":
            unused.append(Unused("not_modelled", "relation", "", place))
        elif line.strip() and line[:1] not in "AMN#":
            raise DataError(f"{place}: wanted a line of brat's standoff format, got {line[:60]!r}")
    links = []
    for place, found in later:
        _, kind, *ends = found.groups()
        if unknown := [end for end in ends if end not in numbers]:
            raise DataError(f"{place}: no annotation {unknown[0]}")
        head, tail = (numbers[end] for end in ends)
        if head is None or tail is None:
            unused.append(Unused("no_entity", "relation", kind, place))
        else:
            links.append(Link(head, tail, kind, place))
    return MarkedText(text, marks, links, key, str(annotation), unused)


def _check(text: str, begin: int, end: int, said: str | None, place: str) -> None:
    there = text[begin:end]
    if not 0 <= begin < end <= len(text):
        raise DataError(f"{place}: {begin} to {end} lies outside of the text's {len(text)} characters")
    if said is not None and there.split() != said.split():
        hint = "were the text's line ends changed?"
        raise DataError(f"{place}: the text has {there!r} from {begin} to {end}, not {said!r}; {hint}")
