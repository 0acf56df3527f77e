"""What a person wants to see of a build: the ledger, and the best facts with a sentence each."""

from __future__ import annotations

import shutil
import textwrap
from collections import defaultdict
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import pyarrow.compute as pc

from kgmill.pipelines.output import layout
from kgmill.pipelines.output.parts import Store
from kgmill.schemas.tables import conform
from kgmill.schemas.text import printable, printable_markdown


@dataclass(frozen=True, slots=True)
class BestFact:
    """A fact in words, with the sentence of its surest piece of evidence."""

    head: str
    relation: str
    tail: str
    confidence: float
    n_evidence: int
    doc_id: str
    sentence: str


def best_facts(store: Store, n: int) -> list[BestFact]:
    """The `n` best facts of a build: the surest, of most documents, asserted ones first; each relation in turn.

    The relation of the best fact comes first.
    """
    order = [("asserted", "descending"), ("confidence", "descending"), ("n_documents", "descending")]
    ranked: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for fact in _table(store, "facts").sort_by([*order, ("fact_id", "ascending")]).to_pylist():
        ranked[fact["relation"]].append(fact)
    turns = zip_longest(*ranked.values())
    chosen = [fact for turn in turns for fact in turn if fact][:n]
    if not chosen:
        return []
    evidence = _table(store, "evidence", pc.field("fact_id").isin([f["fact_id"] for f in chosen])).to_pylist()
    surest = {e["fact_id"]: e for e in sorted(evidence, key=lambda e: (e["confidence"], e["statement_id"]))}
    ids = {f["head"] for f in chosen} | {f["tail"] for f in chosen if not f["datatype"]}
    entities = _table(store, "entities", pc.field("entity_id").isin(sorted(ids)))
    labels = dict(zip(entities["entity_id"].to_pylist(), entities["label"].to_pylist(), strict=True))
    documents = _table(store, "documents", pc.field("doc_id").isin(sorted({e["doc_id"] for e in surest.values()})))
    texts = dict(zip(documents["doc_id"].to_pylist(), documents["text"].to_pylist(), strict=True))
    found = []
    for fact in chosen:
        e = surest[fact["fact_id"]]
        sentence = " ".join(texts[e["doc_id"]][e["sentence_begin"] : e["sentence_end"]].split())
        names = (labels[fact["head"]], fact["relation"], fact["value"] if fact["datatype"] else labels[fact["tail"]])
        found.append(BestFact(*names, fact["confidence"], fact["n_evidence"], e["doc_id"], sentence))
    return found


def _table(store: Store, name: str, chosen: Any = None) -> Any:
    tables = store.storage.dataset(f"{layout.TABLES}/{name}")
    return conform(name, tables.to_table(filter=chosen))


def ledger_rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    """run.json as rows of name and value."""
    rows = [{"what": f"documents {name}", "value": n} for name, n in report["documents"].items()]
    rows += [{"what": f"rejected: {printable(reason)}", "value": n} for reason, n in report["rejects"].items()]
    rows += [{"what": f"left out: {printable(rule)}", "value": n} for rule, n in report["left_out"].items()]
    rows.append({"what": "sentences that met the model", "value": report["model_calls"]["sentences"]})
    return rows + [{"what": name, "value": report["graph"][name]} for name in ("entities", "facts", "quads")]


def ledger_lines(documents: dict[str, int], rejects: dict[str, int], left_out: dict[str, int]) -> list[str]:
    """The documents read, kept and rejected, and why; what was left out of them or passed over; a cure, if any."""
    n_read, n_kept, n_rejected = (documents[name] for name in ("read", "kept", "rejected"))
    reused = f"; {documents['reused']} reused" if "reused" in documents else ""
    lines = [f"{n_read} documents read = {n_kept} kept + {n_rejected} rejected{reused}"]
    lines += [f"  rejected: {n} {printable(reason)}{_CURES.get(reason, '')}" for reason, n in rejects.items()]
    lines += [f"  left out or replaced: {n} {printable(rule)}" for rule, n in left_out.items() if not _language(rule)]
    return lines + _passed_over(n_kept, left_out)


_CURES = {"duplicate_id": '; [source] id_prefix = "file" keeps records of several files apart'}


def facts_markdown(facts: list[BestFact]) -> str:
    """The facts as a Markdown list, a line a fact, in which no text of the corpus is markup."""
    lines = []
    for f in facts:
        head, relation, tail, sentence = map(printable_markdown, (f.head, f.relation, f.tail, f.sentence))
        lines.append(f"- **{head} - {relation} - {tail}** ({f.confidence:.2f}): {sentence}")
    return "\n".join(lines) or "No facts."


def format_summary(store: Store, report: dict[str, Any], n_facts: int = 12) -> str:
    """The ledger, a line a stage, and a table of the best facts with their sentences, for a terminal."""
    graph = printable(store.storage.place(layout.GRAPH))
    d, g, stages = report["documents"], report["graph"], report["stages"]
    met = report["model_calls"]["sentences"]
    peak = max(s["peak_rss_mb"] for s in stages.values())
    seconds = ", ".join(f"{stage} {s['seconds']:.1f} s" for stage, s in stages.items())
    lines = [
        *ledger_lines(d, report["rejects"], report["left_out"]),
        f"{met} sentences met the model; {seconds}; peak memory {peak:.0f} MB",
        f"{g['entities']} entities, {g['facts']} facts, {g['quads']} quads in {graph}",
        *untold_lines(g),
    ]
    facts = best_facts(store, n_facts)
    if facts:
        lines += ["", *_fact_table(facts)]
    return "\n".join(lines)


def untold_lines(graph: dict[str, Any]) -> list[str]:
    """A line for each format that can't tell all of the graph that run.json speaks of: what it leaves out."""
    lines = []
    for name, counted in graph.get("left_out", {}).items():
        ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        lines.append(f"  {name} leaves out: " + ", ".join(f"{printable(what)} {n}" for what, n in ordered))
    return lines


def _language(rule: str) -> str:
    """The code of the language whose documents a rule of the ledger counts; empty where it counts something else."""
    return rule.removeprefix("language.") if rule.startswith("language.") else ""


def _passed_over(n_kept: int, left_out: dict[str, int]) -> list[str]:
    """A line that says how many documents are in another language than the model's, and in which."""
    counted = {code: n for rule, n in left_out.items() if (code := _language(rule))}
    if not counted:
        return []
    languages = ", ".join(f"{code} {n}" for code, n in sorted(counted.items(), key=lambda item: (-item[1], item[0])))
    n = sum(counted.values())
    if not n_kept:
        return [f"  nothing was read: no document is in the model's language ({languages}); --any-language reads them"]
    return [f"  passed over: {n} not in the model's language ({languages}); --any-language reads them"]


_SETTINGS = {
    "sources": "source settings",
    "extract": "model, kind of device, precision or candidate floor",
    "languages": "languages that are read",
    "min_confidence": "threshold",
    "decisions": "decisions, pins or links",
    "wanted_precision": "wanted precision",
    "names": "base IRI, dataset or licence",
    "shown": "what the graph has of texts and metadata",
}


def format_plan(plan: dict[str, Any]) -> str:
    """A plan as tables for a terminal: documents, stages, what changed, how long."""
    documents, changed = plan["documents"], plan["changed_settings"]
    lines = ["  ".join(f"{name:>9}" for name in documents), "  ".join(f"{n:>9}" for n in documents.values())]
    lines += [f"  rejected: {n} {printable(reason)}{_CURES.get(reason, '')}" for reason, n in plan["rejects"].items()]
    left_out = plan["left_out"]
    lines += [f"  left out or replaced: {n} {printable(rule)}" for rule, n in left_out.items() if not _language(rule)]
    lines += ["", f"{'stage':9}  {'run':>9}  {'reuse':>9}"]
    lines += [f"{name:9}  {s['run']:>9}  {s['reuse']:>9}  {s['of']}" for name, s in plan["stages"].items()]
    lines.append("")
    if changed is None:
        lines.append("no earlier run here")
    else:
        names = "; ".join(_SETTINGS.get(name, name) for name in changed)
        lines.append(f"settings changed since the last run: {names or 'none'}")
    how = "by the rates of earlier runs"
    if plan["guessed"]:
        how = f"no earlier run to estimate {', '.join(plan['guessed'])} from: a rough guess"
    lines.append(f"about {plan['seconds']:.0f} s ({how})")
    if plan["stops"]:
        lines.append(f"a build would stop: {printable(plan['stops'])}")
    return "\n".join(lines)


def _fact_table(facts: list[BestFact]) -> list[str]:
    width = max(80, min(140, shutil.get_terminal_size((120, 24)).columns))
    lines = ["confidence  evidence  fact, and its surest sentence"]
    for f in facts:
        head, relation, tail, sentence, doc_id = map(printable, (f.head, f.relation, f.tail, f.sentence, f.doc_id))
        lines.append(f"{f.confidence:10.3f}  {f.n_evidence:8d}  {head}  --{relation}->  {tail}")
        lines.append(" " * 24 + textwrap.shorten(f'"{sentence}"', width - 26, placeholder=' ..."') + f" ({doc_id})")
    return lines
