"""What was found in a text as a piece of HTML, for notebooks: the text with its mentions marked, and the relations."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

from kgmill.schemas.text import printable, printable_lines

_BREAKS = re.compile(r"\r\n?|[\x85\u2028\u2029]")
_MARK = "padding:.1em .25em;border-radius:.3em;background:hsla({hue},70%,55%,.28)"
_LABEL = "font-size:.7em;font-weight:600;opacity:.75;margin-left:.35em"
_CELL = "text-align:left;padding:.15em .8em .15em 0;border:0"


def marked_html(found: Mapping[str, Any]) -> str:
    """The HTML of what `Extraction.to_dict` says: text of any kind stays text in it, and nothing is loaded or run."""
    text, mentions = found["text"], found["mentions"]
    body = f'<div style="white-space:pre-wrap;line-height:1.9">{_marked(text, mentions)}</div>'
    return f"<div>{body}{_table(mentions, found['relations'])}</div>"


def _marked(text: str, mentions: Sequence[Mapping[str, Any]]) -> str:
    """The text, each piece of it in the colour of the shortest mention around it; a mention's type stands behind it."""
    cuts = sorted({0, len(text), *(m[side] for m in mentions for side in ("begin", "end"))})
    pieces = []
    for begin, end in pairwise(cuts):
        around = [m for m in mentions if m["begin"] <= begin and end <= m["end"]]
        shown = _shown(text[begin:end])
        ends = sorted((m for m in around if m["end"] == end), key=lambda m: -m["begin"])
        labels = "".join(f'<span style="{_LABEL}">{_shown(m["type"])}</span>' for m in ends)
        if around:
            inner = min(around, key=lambda m: m["end"] - m["begin"])
            title = f"{inner['type']} {inner['confidence']:.3f}"
            style = _MARK.format(hue=_hue(inner["type"]))
            shown = f'<mark style="{style};color:inherit" title="{escape(printable(title))}">{shown}{labels}</mark>'
        pieces.append(shown)
    return "".join(pieces)


def _table(mentions: Sequence[Mapping[str, Any]], relations: Sequence[Mapping[str, Any]]) -> str:
    if not relations:
        return ""
    rows = []
    for r in relations:
        ends = (mentions[r[end]]["text"] for end in ("head", "tail"))
        head, tail = (_shown(" ".join(end.split())) for end in ends)
        cells = (head, f"<i>{_shown(r['type'])}</i>", tail, f"{r['confidence']:.3f}")
        rows.append("<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells) + "</tr>")
    heads = "".join(f'<th style="{_CELL}">{name}</th>' for name in ("head", "relation", "tail", "confidence"))
    return f'<table style="margin-top:.6em;border-collapse:collapse"><tr>{heads}</tr>{"".join(rows)}</table>'


def _shown(text: str) -> str:
    return escape(printable_lines(_BREAKS.sub("\n", text)))


def _hue(kind: str) -> int:
    """A type's colour, in degrees; the same in every text."""
    return int.from_bytes(hashlib.sha256(kind.encode()).digest()[:2]) * 360 // 65536
