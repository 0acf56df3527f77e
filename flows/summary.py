"""What a person wants to see of a build: the ledger, and the best facts with a sentence each."""

from __future__ import annotations

import shutil
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as ds


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


def best_facts(folder: Path, n: int) -> list[BestFact]:
    """The `n` facts with most evidence, of equals the surest; reads the tables of a finished build."""
    facts = _table(folder, "facts")
    order = [("n_documents", "descending"), ("n_evidence", "descending"), ("confidence", "descending")]
    chosen = facts.sort_by([*order, ("fact_id", "ascending")]).slice(0, n).to_pylist()
    if not chosen:
        return []
    evidence = _table(folder, "evidence", pc.field("fact_id").isin([f["fact_id"] for f in chosen])).to_pylist()
    surest = {e["fact_id"]: e for e in sorted(evidence, key=lambda e: (e["confidence"], e["statement_id"]))}
    ids = {f["head"] for f in chosen} | {f["tail"] for f in chosen}
    entities = _table(folder, "entities", pc.field("entity_id").isin(sorted(ids)))
    labels = dict(zip(entities["entity_id"].to_pylist(), entities["label"].to_pylist(), strict=True))
    documents = _table(folder, "documents", pc.field("doc_id").isin(sorted({e["doc_id"] for e in surest.values()})))
    texts = dict(zip(documents["doc_id"].to_pylist(), documents["text"].to_pylist(), strict=True))
    found = []
    for fact in chosen:
        e = surest[fact["fact_id"]]
        sentence = " ".join(texts[e["doc_id"]][e["sentence_begin"] : e["sentence_end"]].split())
        names = (labels[fact["head"]], fact["relation"], labels[fact["tail"]])
        found.append(BestFact(*names, fact["confidence"], fact["n_evidence"], e["doc_id"], sentence))
    return found


def _table(folder: Path, name: str, chosen: Any = None) -> Any:
    return ds.dataset(folder / "tables" / name, format="parquet").to_table(filter=chosen)


def ledger_rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    """run.json as rows of name and value."""
    rows = [{"what": f"documents {name}", "value": n} for name, n in report["documents"].items()]
    rows += [{"what": f"rejected: {reason}", "value": n} for reason, n in report["rejects"].items()]
    rows.append({"what": "sentences that met the model", "value": report["model_calls"]["sentences"]})
    return rows + [{"what": name, "value": report["graph"][name]} for name in ("entities", "facts", "quads")]


def format_summary(folder: Path, report: dict[str, Any], n_facts: int = 12) -> str:
    """The ledger, a line a stage, and a table of the best facts with their sentences, for a terminal."""
    d, g = report["documents"], report["graph"]
    lines = [
        f"{d['read']} documents read = {d['kept']} kept + {d['rejected']} rejected; {d['reused']} reused, "
        f"{report['model_calls']['sentences']} sentences met the model",
        *(f"  rejected: {n} {reason}" for reason, n in report["rejects"].items()),
        f"{g['entities']} entities, {g['facts']} facts, {g['quads']} quads in {folder / 'graph'}",
        "  "
        + ", ".join(f"{stage} {s['seconds']:.1f} s" for stage, s in report["stages"].items())
        + f"; peak memory {max(s['peak_rss_mb'] for s in report['stages'].values()):.0f} MB",
    ]
    facts = best_facts(folder, n_facts)
    if facts:
        lines += ["", *_fact_table(facts)]
    return "\n".join(lines)


def _fact_table(facts: list[BestFact]) -> list[str]:
    width = max(80, min(160, shutil.get_terminal_size((120, 24)).columns))
    names = [f"{f.head} | {f.relation} | {f.tail}" for f in facts]
    column = min(max(map(len, names)), 60)
    lines = [f"{'fact':{column}}  conf. seen  sentence"]
    for fact, name in zip(facts, names, strict=True):
        room = width - column - 14
        sentence = textwrap.shorten(fact.sentence, room, placeholder=" ...")
        lines.append(f"{name[:column]:{column}}  {fact.confidence:.3f} {fact.n_evidence:4d}  {sentence}")
    return lines
