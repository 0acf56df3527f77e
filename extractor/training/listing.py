"""A page of errors: gold and predictions of each sentence side by side, found, missed and wrong ones marked.

One file without a script, that asks nothing of a network: what it hides by type it hides by its style sheet. All text
of data and model goes through `_shown`.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kgmill.extractor.data.annotated import AnnotatedSentence
from kgmill.extractor.data.unused import KINDS
from kgmill.extractor.training.metrics import Judged, Prediction, as_gold, judge, pair
from kgmill.schemas.errors import OutputError
from kgmill.schemas.text import printable

MOST = 5000  # sentences on a page
Status = Literal["found", "missed", "wrong", "open"]
_SIGNS: dict[Status, str] = {"found": "\u2713", "missed": "\u2212", "wrong": "\u2717", "open": "?"}
_WORST: tuple[Status, ...] = ("wrong", "missed", "open", "found")
_TASKS = ("entity", "relation")


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence with its predictions and what became of both."""

    gold: AnnotatedSentence
    prediction: Prediction
    entities: Judged
    relations: Judged

    @property
    def wrong(self) -> list[tuple[str, Status, str]]:
        """Task, status and type of each error."""
        found: list[tuple[str, Status, str]] = [(one.task, "missed", one.type) for one in self.gold.unused]
        for task, one in zip(_TASKS, (self.entities, self.relations), strict=True):
            found += [(task, "missed", item[0]) for item in one.gold - one.counted]
            found += [(task, "wrong", item[0]) for item in one.counted - one.gold]
        return [row for row in found if row[0] in _TASKS]


def write_listing(
    path: Path,
    title: str,
    sets: Mapping[str, tuple[Sequence[AnnotatedSentence], Sequence[Prediction]]],
    symmetric: Collection[str],
) -> None:
    """Writes the page of errors of some sets, each with its sentences and their predictions.

    Raises:
        OutputError: it can't be written.
    """
    text = "\n".join(_page(title, sets, symmetric))
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from None


def _page(
    title: str,
    sets: Mapping[str, tuple[Sequence[AnnotatedSentence], Sequence[Prediction]]],
    symmetric: Collection[str],
) -> Iterator[str]:
    judged = {name: [_judged(*one, symmetric) for one in zip(*both, strict=True)] for name, both in sets.items()}
    counts = _counts([sentence for found in judged.values() for sentence in found])
    numbers = {key: i for i, key in enumerate(counts)}
    yield _HEAD.format(title=_shown(title), style=_STYLE + "".join(map(_filter, numbers.values())))
    yield f"<header><h1>{_shown(title)}</h1>"
    yield from _table(counts, numbers)
    yield "</header><main>"
    n_left = MOST
    for name, sentences in judged.items():
        erring = [sentence for sentence in sentences if sentence.wrong]
        shown, n_left = erring[:n_left], max(0, n_left - len(erring))
        cut = f"; the first {len(shown)} are shown" if len(shown) < len(erring) else ""
        yield f"<h2>{_shown(name)}</h2><p>{len(erring)} of {len(sentences)} sentences have an error{cut}.</p>"
        for sentence in shown:
            yield from _article(sentence, numbers, symmetric)
    yield "</main></body></html>\n"


def _judged(sentence: AnnotatedSentence, prediction: Prediction, symmetric: Collection[str]) -> _Sentence:
    gold = as_gold(sentence, prediction[0])
    return _Sentence(gold, prediction, *judge(gold, *prediction, symmetric))


def _counts(sentences: Sequence[_Sentence]) -> dict[tuple[str, str], Counter[str]]:
    """By task and type how many are found, missed, wrong, and open: predicted where the data does not say."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for sentence in sentences:
        for task, status, kind in sentence.wrong:
            counts.setdefault((task, kind), Counter())[status] += 1
        for task, one in zip(_TASKS, (sentence.entities, sentence.relations), strict=True):
            for status, items in (("found", one.gold & one.counted), ("open", one.predicted - one.counted)):
                for item in items:
                    counts.setdefault((task, item[0]), Counter())[status] += 1
    return dict(sorted(counts.items()))


def _table(counts: Mapping[tuple[str, str], Counter[str]], numbers: Mapping[tuple[str, str], int]) -> Iterator[str]:
    columns = [status for status in _SIGNS if status != "open" or any(row["open"] for row in counts.values())]
    heads = "".join(f'<th class="{status}">{_SIGNS[status]} {_LEGEND[status]}</th>' for status in columns)
    yield "<p>Choose a type to see the sentences with an error of it.</p>"
    yield f'<div class="scroll"><table><thead><tr><th>type</th>{heads}</tr></thead><tbody>'
    yield f'<tr><td colspan="{len(columns) + 1}"><label><input type="radio" name="t" checked> all</label></td></tr>'
    for (task, kind), row in counts.items():
        cells = "".join(f"<td>{row[status] or ''}</td>" for status in columns)
        choice = f'<input type="radio" name="t" id="t{numbers[task, kind]}">'
        yield f"<tr><td><label>{choice} {_shown(kind)} <i>{task}</i></label></td>{cells}</tr>"
    yield "</tbody></table></div>"


_LEGEND: dict[Status, str] = {"found": "found", "missed": "missed", "wrong": "wrong", "open": "not judged"}


def _article(sentence: _Sentence, numbers: Mapping[tuple[str, str], int], symmetric: Collection[str]) -> Iterator[str]:
    gold, (mentions, relations) = sentence.gold, sentence.prediction
    of_types = sorted({f"t{numbers[task, kind]}" for task, _, kind in sentence.wrong})
    place = gold.place or gold.key or "sentence"
    yield f'<article class="{" ".join(of_types)}"><h3>{_shown(place)}</h3><div class="both"><section><h4>gold</h4>'
    found = sentence.entities.counted
    status: list[Status] = ["found" if (e.type, e.start, e.end) in found else "missed" for e in gold.entities]
    yield _words(gold.words, gold.entities, status, ["" for _ in gold.entities])
    yield "<ul>"
    for r in gold.relations:
        is_found = pair(gold.entities, r, symmetric) in sentence.relations.counted
        yield _relation(gold.words, gold.entities, r, "found" if is_found else "missed")
    for lost in gold.unused:
        if lost.task in _TASKS:
            yield _line("missed", f"{lost.type} {KINDS[lost.kind][0]}: {lost.place}")
    yield "</ul></section><section><h4>predicted</h4>"
    status = [_status(sentence.entities, (m.type, m.start, m.end)) for m in mentions]
    notes = [_near(m, gold) if of == "wrong" else "" for m, of in zip(mentions, status, strict=True)]
    yield _words(gold.words, mentions, status, notes)
    yield "<ul>"
    for one in relations:
        yield _relation(gold.words, mentions, one, _status(sentence.relations, pair(mentions, one, symmetric)))
    yield "</ul></section></div></article>"


def _status(judged: Judged, item: tuple[Any, ...]) -> Status:
    """What a prediction is."""
    if item in judged.gold:
        return "found"
    return "wrong" if item in judged.counted else "open"


def _near(mention: Any, gold: AnnotatedSentence) -> str:
    """What the gold says in the place of a wrong mention."""
    same = [e.type for e in gold.entities if (e.start, e.end) == (mention.start, mention.end)]
    if same:
        return f"gold: {same[0]}"
    near = [e for e in gold.entities if e.start < mention.end and mention.start < e.end]
    return f"gold: {' '.join(gold.words[near[0].start : near[0].end])} {near[0].type}" if near else "not in the gold"


def _words(words: Sequence[str], spans: Sequence[Any], status: Sequence[Status], notes: Sequence[str]) -> str:
    """The words, with brackets around spans that may lie in, or over, one another."""
    order = sorted(range(len(spans)), key=lambda i: spans[i].start - spans[i].end)  # the widest first
    parts = []
    for n, word in enumerate(words):
        opened = [f'<b class="{status[i]}">[</b>' for i in order if spans[i].start == n]
        closed = [_end(spans[i], status[i], notes[i]) for i in reversed(order) if spans[i].end == n + 1]
        over = [status[i] for i in order if spans[i].start <= n < spans[i].end]
        shown = f'<span class="{min(over, key=_WORST.index)}">{_shown(word)}</span>' if over else _shown(word)
        parts.append("".join([*opened, shown, *closed]))
    return f"<p>{' '.join(parts)}</p>"


def _end(span: Any, status: Status, note: str) -> str:
    sure = f" {span.confidence:.2f}" if hasattr(span, "confidence") else ""
    told = f" ({_shown(note)})" if note else ""
    return f'<b class="{status}">]<sub>{_SIGNS[status]}\u00a0{_shown(span.type)}{sure}{told}</sub></b>'


def _relation(words: Sequence[str], spans: Sequence[Any], relation: Any, status: Status) -> str:
    head, tail = (" ".join(words[span.start : span.end]) for span in (spans[relation.head], spans[relation.tail]))
    sure = f" {relation.confidence:.2f}" if hasattr(relation, "confidence") else ""
    return _line(status, f"{head} \u2192 {relation.type} \u2192 {tail}{sure}")


def _line(status: Status, text: str) -> str:
    return f'<li class="{status}">{_SIGNS[status]} {_shown(text)}</li>'


def _shown(text: str) -> str:
    """Text of the data as HTML in which nothing is markup."""
    return html.escape(printable(text))


def _filter(number: int) -> str:
    return f"body:has(#t{number}:checked) article:not(.t{number}){{display:none}}\n"


_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style></head><body>"""
_STYLE = """:root{color-scheme:light dark;--found:#1a7f37;--missed:#9a5b00;--wrong:#c4002b;--open:#666;--line:#8884}
@media (prefers-color-scheme:dark){:root{--found:#5fd07f;--missed:#f0b04a;--wrong:#ff7a90;--open:#aaa}}
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:80rem;padding:1rem}
h1{font-size:1.4rem}h2{font-size:1.15rem;margin-top:2rem}
h1,h2,h3,p,li,td{overflow-wrap:anywhere}
h3{font-size:.8rem;font-weight:normal;opacity:.7;margin:0}h4{font-size:.8rem;margin:0;opacity:.7}
.scroll{overflow-x:auto}table{border-collapse:collapse}th,td{padding:.15rem .8rem;text-align:right;font-weight:normal}
th:first-child,td:first-child{text-align:left}tbody tr{border-top:1px solid var(--line)}td i{opacity:.6}
article{border-top:1px solid var(--line);padding:.8rem 0}
.both{display:grid;grid-template-columns:1fr 1fr;gap:1.5rem}
@media (max-width:50rem){.both{grid-template-columns:1fr;gap:.5rem}th,td{padding:.15rem .4rem}}
section p{margin:.2rem 0}section ul{list-style:none;margin:.2rem 0;padding:0}
.found{color:var(--found)}.missed{color:var(--missed)}.wrong{color:var(--wrong)}.open{color:var(--open)}
span.missed,span.wrong{text-decoration:underline;text-decoration-style:dotted;text-underline-offset:.2em}
sub{font-size:.75em}
"""
