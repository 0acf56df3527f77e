"""What a person wants to see of a build: the ledger, and the best facts with a sentence each."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kgmill.flows import terminal
from kgmill.pipelines.output import layout
from kgmill.pipelines.output.parts import Store
from kgmill.schemas.tables import conform
from kgmill.schemas.text import number_of, printable, printable_markdown
from kgmill.schemas.units import Unit

if TYPE_CHECKING:
    from rich.console import RenderableType

_N_FACTS = 12
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class BestFact:
    """A fact in words, with the sentence of its surest piece of evidence.

    Attributes:
        sentence: with single spaces.
        head_at, tail_at: where head and tail are mentioned in it, in characters, the end exclusive.
    """

    head: str
    relation: str
    tail: str
    confidence: float
    n_evidence: int
    doc_id: str
    sentence: str
    head_at: tuple[int, int] = (0, 0)
    tail_at: tuple[int, int] = (0, 0)


def best_facts(store: Store, n: int) -> list[BestFact]:
    """The `n` best facts of a build, each relation in turn, so that many are seen; then the best of them first.

    A fact is better that is asserted, is surer in the first two places, is stated by more documents and sentences.
    """
    ranked: dict[str, list[dict[str, Any]]] = {}
    for table in _tables(store, "facts"):
        for fact in table.to_pylist():
            ranked.setdefault(fact["relation"], []).append(fact)
        ranked = {relation: sorted(facts, key=_rank)[:n] for relation, facts in ranked.items()}
    turns = zip_longest(*sorted(ranked.values(), key=lambda facts: _rank(facts[0])))
    chosen = sorted([fact for turn in turns for fact in turn if fact][:n], key=_rank)
    if not chosen:
        return []
    evidence = _rows(store, "evidence", "fact_id", {f["fact_id"] for f in chosen})
    surest = {e["fact_id"]: e for e in sorted(evidence, key=lambda e: (e["confidence"], e["statement_id"]))}
    ids = {f["head"] for f in chosen} | {f["tail"] for f in chosen if not f["datatype"]}
    labels = {row["entity_id"]: row["label"] for row in _rows(store, "entities", "entity_id", ids)}
    documents = _rows(store, "documents", "doc_id", {e["doc_id"] for e in surest.values()})
    texts = {row["doc_id"]: row["text"] for row in documents}
    found = []
    for fact in chosen:
        e = surest[fact["fact_id"]]
        names = (labels[fact["head"]], fact["relation"], fact["value"] if fact["datatype"] else labels[fact["tail"]])
        told = _sentence(texts[e["doc_id"]], e)
        found.append(BestFact(*names, fact["confidence"], fact["n_evidence"], e["doc_id"], *told))
    return found


def _rank(fact: dict[str, Any]) -> tuple[Any, ...]:
    support = (-fact["n_documents"], -fact["n_evidence"])
    return not fact["asserted"], -round(fact["confidence"], 2), *support, -fact["confidence"], fact["fact_id"]


def _sentence(text: str, evidence: dict[str, Any]) -> tuple[str, tuple[int, int], tuple[int, int]]:
    """A sentence with single spaces, and where its head and its tail are then."""
    first, end = evidence["sentence_begin"], evidence["sentence_end"]
    words = list(_WORD.finditer(text, first, end))
    starts, n_before, before = [word.start() for word in words], [], 0
    for word in words:
        n_before.append(before)
        before += len(word[0]) + 1

    def moved(at: int) -> int:
        i = bisect_left(starts, at + 1) - 1
        return n_before[i] + min(at - starts[i], len(words[i][0])) if i >= 0 else 0

    ends = [(moved(evidence[f"{side}_begin"]), moved(evidence[f"{side}_end"] - 1) + 1) for side in ("head", "tail")]
    return " ".join(word[0] for word in words), ends[0], ends[1]


def _rows(store: Store, name: str, column: str, ids: Collection[str]) -> list[dict[str, Any]]:
    """The rows of a table about some documents, entities or facts."""
    keys = {key[:8] for key in ids} if column == "fact_id" else ids
    wanted = pa.array(sorted(ids), pa.string())
    found = _tables(store, name, keys)
    return [row for table in found for row in table.filter(pc.is_in(table[column], wanted)).to_pylist()]


def _tables(store: Store, name: str, keys: Collection[str] | None = None) -> Iterator[pa.Table]:
    """A table file by file, each read at once, as each costs a request on an object store.

    Where `keys` has what its rows are cut by, ids of documents or entities or the pairs of facts, only the files that
    can have these are read, which their names say.
    """
    folder = f"{layout.TABLES}/{name}"
    for file in filter(layout.is_table_name, store.storage.children(folder)):
        unit = Unit.parse(file.partition(".")[0])
        if keys is None or any(Unit.of(key, unit.bits) == unit for key in keys):
            yield conform(name, pq.read_table(pa.BufferReader(store.storage.read(f"{folder}/{file}"))))


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
    lines = [f"{number_of(n_read, 'document')} read = {n_kept} kept + {n_rejected} rejected{reused}"]
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


def show_build(store: Store, report: dict[str, Any], *, as_json: bool = False) -> None:
    """Shows what a build did: the ledger and the best facts, or run.json with these facts for programs."""
    if as_json:
        facts = [asdict(fact) for fact in best_facts(store, _N_FACTS)]
        terminal.show_json(report | {"best_facts": facts})
    else:
        terminal.say(*summary(store, report))


def summary(store: Store, report: dict[str, Any], n_facts: int = _N_FACTS) -> Iterator[RenderableType]:
    """The ledger, a line a stage, and a table of the best facts with their sentences, for a terminal."""
    graph = printable(store.storage.place(layout.GRAPH))
    d, g, stages = report["documents"], report["graph"], report["stages"]
    met = report["model_calls"]["sentences"]
    peak = max(s["peak_rss_mb"] for s in stages.values())
    seconds = ", ".join(f"{stage} {s['seconds']:.1f} s" for stage, s in stages.items())
    yield from ledger_lines(d, report["rejects"], report["left_out"])
    yield f"{number_of(met, 'sentence')} met the model; peak memory {peak:.0f} MB"
    yield seconds
    entities, facts = number_of(g["entities"], "entity", "entities"), number_of(g["facts"], "fact")
    yield f"{entities}, {facts}, {g['quads']} quads in {graph}"
    yield from untold_lines(g)
    if best := best_facts(store, n_facts):
        yield ""
        yield _fact_table(best)


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
    "buckets": "buckets",
    "names": "base IRI, dataset or licence",
    "shown": "what the graph has of texts and metadata",
}


def plan_parts(plan: dict[str, Any]) -> Iterator[RenderableType]:
    """A plan for a terminal: documents, stages, what changed, how long."""
    from kgmill.flows.tables import table

    documents, changed = plan["documents"], plan["changed_settings"]
    yield table([f">{name}" for name in documents], [list(documents.values())])
    yield from (f"  rejected: {n} {printable(reason)}{_CURES.get(reason, '')}" for reason, n in plan["rejects"].items())
    left_out = plan["left_out"]
    yield from (f"  left out or replaced: {n} {printable(rule)}" for rule, n in left_out.items() if not _language(rule))
    yield ""
    stages = [(name, s["run"], s["reuse"], s["of"]) for name, s in plan["stages"].items()]
    yield table(["stage", ">run", ">reuse", "of"], stages)
    yield ""
    if changed is None:
        yield "no earlier run here"
    else:
        names = "; ".join(_SETTINGS.get(name, name) for name in changed)
        yield f"settings changed since the last run: {names or 'none'}"
    how = "by the rates of earlier runs"
    if plan["guessed"]:
        how = f"no earlier run to estimate {', '.join(plan['guessed'])} from: a rough guess"
    yield f"about {plan['seconds']:.0f} s ({how})"
    if plan["stops"]:
        yield f"a build would stop: {printable(plan['stops'])}"


def _fact_table(facts: list[BestFact]) -> RenderableType:
    from rich.text import Text

    from kgmill.flows.excerpt import Mark, excerpt
    from kgmill.flows.tables import GAP, table

    is_coloured, rows = terminal.is_coloured(), []
    left = terminal.width() - len("conf.") - max(len("sent."), *(len(f"{f.n_evidence:,}") for f in facts)) - 2 * GAP
    for f in facts:
        fact = Text()
        fact.append(printable(f.head), "bold green").append(printable(f" --{f.relation}-> "))
        fact.append(printable(f.tail), "bold cyan").append(f" ({printable(f.doc_id)})", "dim")
        marks = [Mark(*f.head_at, "head"), Mark(*f.tail_at, "tail")]
        sentence = excerpt(f.sentence, marks, left, is_coloured=is_coloured)
        rows.append(
            (f"{f.confidence:.2f}", f.n_evidence, Text("\n", no_wrap=True, overflow="ellipsis").join([fact, sentence]))
        )
    return table([">conf.", ">sent.", "best facts (document), each with its surest sentence"], rows)
