"""ACE 2005's annotations: NAME.apf.xml beside NAME.sgm, or a folder of such pairs. The data is LDC's (LDC2006T06).

Mentions are their heads, as in the preprocessing of DyGIE and in the paper (section 4.1): of "the former president of
France" the mention is "president". A mention has its entity's type, a relation its first type. Values, times and events
are not modelled, and headers are no sentences. Offsets count the characters of the .sgm file without its tags, a line's
end as one and an escape (`&amp;`) as it is written; in the text it is the character that it stands for.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from lxml import etree

from kgmill.extractor.data.standoff import Link, Mark, MarkedText, name_within
from kgmill.extractor.data.unused import Unused
from kgmill.schemas.errors import DataError
from kgmill.schemas.text import decode_utf8

_TAG = re.compile(r"<[^>]*>")
_WRAPPED = re.compile(r"(?<!\n)\n(?!\n)")  # a line's end within a paragraph
_END = ".apf.xml"
_ESCAPES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"}
_ESCAPE = re.compile("|".join(_ESCAPES))


def read_ace(path: Path) -> list[MarkedText]:
    """The texts of a folder, or the one of an .apf.xml file.

    Raises:
        DataError: a file is missing or not of its form, or an offset doesn't meet the text that it says.
    """
    files = sorted(path.rglob(f"*{_END}")) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path}: holds no {_END} file")
    return [_read(file, name_within(path, file, _END)) for file in files]


def _read(path: Path, key: str) -> MarkedText:
    if not path.name.endswith(_END):
        raise DataError(f"{path}: wanted a file NAME{_END} beside NAME.sgm, or a folder of them")
    source = path.with_name(path.name.removesuffix(_END) + ".sgm")
    raw = decode_utf8(source.read_bytes(), source, DataError).replace("\r\n", "\n")
    text, body = _TAG.sub("", raw), _body(raw)
    try:
        # Nothing is fetched, and no entity of a document type is put in.
        root = etree.fromstring(path.read_bytes(), etree.XMLParser(resolve_entities=False, no_network=True))
        marks, numbers = _marks(root, text, path)
        links = list(_links(root, numbers, path))
    except (etree.XMLSyntaxError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: not ACE's APF: {error!r}") from None
    unused = [Unused("not_modelled", "event", "", f"{path}: {e.get('ID')}") for e in root.iter("event_mention")]
    proper = _WRAPPED.sub(" ", text[body[0] : body[1]])
    text, marks = _unescaped(" " * body[0] + proper, marks)
    return MarkedText(text, marks, links, key, str(path), unused)


def _unescaped(text: str, marks: list[Mark]) -> tuple[str, list[Mark]]:
    """The text with the characters that its escapes stand for, and the marks where they then are."""
    escapes = list(_ESCAPE.finditer(text))
    ends = [escape.end() for escape in escapes]
    shifts = [0, *accumulate(len(escape[0]) - 1 for escape in escapes)]

    def moved(offset: int) -> int:
        return offset - shifts[bisect(ends, offset)]

    marks = [replace(mark, begin=moved(mark.begin), end=moved(mark.end)) for mark in marks]
    return _ESCAPE.sub(lambda escape: _ESCAPES[escape[0]], text), marks


def _body(raw: str) -> tuple[int, int]:
    """Where the text proper begins and ends, in characters without tags."""
    begin, end = raw.find("<TEXT>"), raw.rfind("</TEXT>")
    if begin < 0 or end < 0:
        return 0, len(_TAG.sub("", raw))
    return len(_TAG.sub("", raw[:begin])), len(_TAG.sub("", raw[:end]))


def _marks(root: Any, text: str, path: Path) -> tuple[list[Mark], dict[str, int]]:
    marks: list[Mark] = []
    numbers: dict[str, int] = {}
    for entity in root.iter("entity"):
        for mention in entity.iter("entity_mention"):
            place = f"{path}: {mention.attrib['ID']}"
            head = mention.find("head/charseq")
            if head is None:
                raise ValueError(f"{mention.attrib['ID']} has no head")
            begin, end = int(head.attrib["START"]), int(head.attrib["END"]) + 1
            said = head.text or ""
            there = _ESCAPE.sub(lambda escape: _ESCAPES[escape[0]], text[begin:end])
            if there.split() != said.split():
                raise DataError(f"{place}: the text has {text[begin:end]!r} from {begin} to {end}, not {said!r}")
            numbers[mention.attrib["ID"]] = len(marks)
            marks.append(Mark(begin, end, entity.attrib["TYPE"], place))
    return marks, numbers


def _links(root: Any, numbers: dict[str, int], path: Path) -> Iterator[Link]:
    for relation in root.iter("relation"):
        for mention in relation.iter("relation_mention"):
            ends = {a.attrib["ROLE"]: a.attrib["REFID"] for a in mention.iter("relation_mention_argument")}
            head, tail = (numbers[ends[role]] for role in ("Arg-1", "Arg-2"))
            yield Link(head, tail, relation.attrib["TYPE"], f"{path}: {mention.attrib['ID']}")
