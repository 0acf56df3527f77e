"""What `kgmill explain` tells, in words: sentences with their mentions marked, scores, rules, thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kgmill.flows.excerpt import Mark, marked
from kgmill.schemas.name_rules import WORDS
from kgmill.schemas.text import number_of, printable

_MOST = 12  # candidates of a sentence


def explanation_lines(told: Mapping[str, Any], *, is_coloured: bool) -> Iterator[str]:
    """The lines of an explanation."""
    show = {"entity": _entity, "fact": _fact, "document": _document}[told["kind"]]
    yield from show(told, is_coloured)
    yield from told.get("notes", ())


def _marked(sentence: Mapping[str, Any], is_coloured: bool) -> str:
    """A sentence with its mentions marked."""
    marks = [Mark(mark["begin"], mark["end"], mark["what"]) for mark in sentence["marks"]]
    return marked(sentence["text"], marks, is_coloured=is_coloured)


def _entity(told: Mapping[str, Any], is_coloured: bool) -> Iterator[str]:
    e = told["entity"]
    yield printable(f"{e['label']} ({e['type']}), {told['id']}")
    counts = f"{number_of(e['n_mentions'], 'mention')} in {number_of(e['n_documents'], 'document')}"
    yield f"  {counts}, the surest {e['confidence']:g}; {number_of(told['n_facts'], 'fact')}"
    yield "names"
    for name in told["names"]:
        yield printable(f"  {name['n_mentions']:>5}  {name['name']}: {_rule(name['rule'])}")
    if told["redirects"]:
        yield "ids that lead here: " + ", ".join(told["redirects"])
    yield from _decisions(told["decisions"])
    yield "facts"
    for fact in told["facts"]:
        sign = "" if fact["asserted"] else "  (not asserted)"
        claim = f"{fact['head_label']}  --{fact['relation']}->  {fact['tail_label']}"
        yield printable(f"  {fact['confidence']:.3f}  {claim}  {fact['fact_id']}{sign}")
    yield "sentences"
    for s in told["sentences"]:
        rule = f"; {_rule(s['rule'])}" if s["rule"] else ""
        yield f"  {_marked(s, is_coloured)}"
        yield printable(f"      {s['doc_id']}, {s['type']} {s['confidence']:.3f}{rule}")


def _fact(told: Mapping[str, Any], is_coloured: bool) -> Iterator[str]:
    f = told["fact"]
    yield printable(f"{f['head_label']}  --{f['relation']}->  {f['tail_label']}, {told['id']}")
    yield printable(f"  {told['asserted']}")
    yield from _decisions(told["decisions"])
    if parts := told.get("confidence"):
        yield f"confidence {f['confidence']:g}"
        stances = ", ".join(f"{n} {stance}" for stance, n in parts["stances"].items())
        yield f"  sentences (equal ones once): {parts['sentences']}, documents: {parts['documents']}; {stances}"
        share = f"{parts['share_of_sentences_with_both']:.0%} of the sentences with both ends say it"
        yield f"  mean {parts['mean']:g}, surest {parts['surest']:g}; {share}"
        between, around = parts["characters_between"], parts["characters_of_that_sentence"]
        yield f"  characters between both, where they are nearest: {between}; of that sentence: {around}"
        if parts["share_against_rivals"] < 1:
            share = f"{parts['share_against_rivals']:.0%}"
            yield f"  its share of the confidence of all that contradict one another: {share}"
        if odds := parts.get("log_odds"):
            yield "  log-odds: " + ", ".join(f"{what} {value:+.3f}" for what, value in odds.items())
        elif told["least"] is not None and f["confidence"] < 1:
            yield "  nothing was fitted to facts, so it is the mean, and at most 0.98"
    if told.get("overrules"):
        yield "overrules"
        for other in told["overrules"]:
            claim = f"{other['head_label']}  --{other['relation']}->  {other['tail_label']}"
            yield printable(f"  {other['confidence']:.3f}  {claim}  {other['fact_id']}")
    yield "sentences"
    for s in told["sentences"]:
        how = f", {s['stance']}" if s["stance"] else ""
        counted = "" if s["counted"] else f", not counted: {s['why']}"
        date = f", {s['date']}" if s["date"] else ""
        yield f"  {_marked(s, is_coloured)}"
        yield printable(f"      {s['doc_id']}{date}, {s['confidence']:.3f}{how}{counted}")


def _document(told: Mapping[str, Any], is_coloured: bool) -> Iterator[str]:
    yield printable(told["id"])
    if about := told.get("document"):
        for name in ("title", "date", "source", "dateline", "agency", "byline", "notes", "n_characters"):
            if about[name]:
                yield printable(f"  {name}: {about[name]}")
    if told["why"]:
        yield printable(f"  {told['why']}")
    for s in told.get("sentences", ()):
        yield f"{s['sentence'] + 1:>3}  {_marked(s, is_coloured)}"
        for r in s["relations"]:
            how = f", {r['stance']}" if r["stance"] else ""
            claim = f"{r['head']}  --{r['type']}->  {r['tail']}"
            yield printable(f"       {r['confidence']:.3f}  {claim}  fact {r['fact_id']}{how}")
        for span in s.get("spans", ()):
            if span["verdict"] != "mention":
                yield printable(f"       {span['score']:.3f}  {span['text']}  {span['type']}: {span['verdict']}")
        pairs = [pair for pair in s.get("pairs", ()) if pair["verdict"] != "relation"]
        for pair in pairs[:_MOST]:
            claim = f"{pair['head']}  --{pair['relation']}->  {pair['tail']}"
            yield printable(f"       {pair['score']:.3f}  {claim}: {pair['verdict']}")
        if len(pairs) > _MOST:
            yield f"       and {len(pairs) - _MOST} less likely pairs (--json has them)"


def _rule(rule: str) -> str:
    """A rule of names in words, with its name as the tables have it."""
    words = WORDS.get(rule, "")
    return f"{words} ({rule})" if rule and words else words or rule


def _decisions(decisions: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for d in decisions:
        what = " = ".join(d["names"]) if "names" in d else d["is"]
        yield printable(f"decision: {what}, by {d['by'] or 'somebody'}: {d['why']}")
