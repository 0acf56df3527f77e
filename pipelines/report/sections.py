"""The parts of a report's page that need no script: tiles, changes, rejects and the ledger of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kgmill.pipelines.report.changes import Changes, Side
from kgmill.pipelines.report.charts import number, text
from kgmill.pipelines.report.data import Cut, PageData
from kgmill.schemas.records import Reject

_N_CHANGES = 50


def about(run: Mapping[str, Any]) -> str:
    """What the page is about, in a line."""
    return (
        f"A knowledge graph of {number(run['documents']['kept'])} documents, built by kgmill "
        f"{text(run['versions']['kgmill'])} with the model “{text(run['config']['model'])}”; "
        f"run of <time>{text(run['started'])}</time>."
    )


def tiles(run: Mapping[str, Any], n_asserted: int) -> str:
    """The ledger's numbers, each with its name."""
    documents, graph, config = run["documents"], run["graph"], run["config"]
    named = [
        ("documents read", number(documents["read"])),
        ("kept", number(documents["kept"])),
        ("rejected", number(documents["rejected"])),
        ("entities", number(graph["entities"])),
        ("facts", number(graph["facts"])),
        ("asserted facts", number(n_asserted)),
        ("quads", number(graph["quads"])),
        ("sentences read by the model", number(run["model_calls"]["sentences"])),
        ("dataset", text(config["dataset"])),
        ("model", text(config["model"])),
        ("finished", text(run["finished"].replace("T", " ").removesuffix("Z") + " UTC")),
        ("time", _duration(run)),
    ]
    return "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in named)


def _duration(run: Mapping[str, Any]) -> str:
    begun, ended = (datetime.fromisoformat(run[name]) for name in ("started", "finished"))
    seconds = max(0, int((ended - begun).total_seconds()))
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


def changed(run: Mapping[str, Any], changes: Changes | None, data: PageData, labels: Mapping[str, str]) -> str:
    """Documents and facts that came and went, the facts by name; `labels` are those of entities that are not there."""
    documents = run["documents"]
    said = ", ".join(f"{number(documents[name])} {name}" for name in ("added", "changed", "removed"))
    n_same = documents["kept"] - documents["added"] - documents["changed"]
    line = f"<p>Documents: {said}, {number(n_same)} as they were."
    if changes is None:
        return f"{line} Facts: {_unkept(run)}.</p>"
    added, removed = changes.added, changes.removed
    rows = {fact.fact_id: i for i, fact in enumerate(data.facts)}
    on_page = [fact for fact in added if fact in rows]
    lists = _changed_list("Facts added", "add", len(added), [_fact(changes.after, f, labels) for f in on_page])
    lists += _changed_list("Facts removed", "remove", len(removed), [_fact(changes.before, f, labels) for f in removed])
    return f"{line} Facts: {number(len(added))} added, {number(len(removed))} removed.</p>{lists}"


def _unkept(run: Mapping[str, Any]) -> str:
    """What is said of a run's changes where DIR/changes has none: there are none, or they went."""
    graph = run["graph"]
    if not run["graph_before"]:
        return f"all {number(graph['facts'])} are new, as this is the first build"
    if "added_quads" not in graph:
        return "DIR/changes does not tell what changed"
    added, removed = graph["added_quads"], graph["removed_quads"]
    if not (added or removed):
        return "no change"
    counts = f"{number(added)} quads added, {number(removed)} removed"
    return f"they changed ({counts}), but DIR/changes does not hold this run's changes any more"


def _changed_list(title: str, kind: str, n: int, rows: Sequence[str]) -> str:
    if not n:
        return ""
    shown = "".join(f"<li>{row}</li>" for row in rows[:_N_CHANGES])
    left = n - min(len(rows), _N_CHANGES)
    more = f'<p class="note">{number(left)} more: DIR/changes has all of them.</p>' if left else ""
    return (
        f'<details class="changes"{" open" if n <= 10 else ""}><summary>{title} <b>{number(n)}</b></summary>'
        f'<ul class="{kind}">{shown}</ul>{more}</details>'
    )


def _fact(side: Side, fact: str, labels: Mapping[str, str]) -> str:
    told = side.told.get(fact, {})
    head, relation, tail = (told.get(name, "?") for name in ("head", "relation", "tail"))
    confidence = float(told.get("confidence", 0))
    return (
        f'{text(labels.get(head, head))} <span class="relation">{text(relation)}</span> '
        f'{text(labels.get(tail, tail))} <span class="note">{confidence:.2f}</span>'
    )


def ends(changes: Changes | None) -> set[str]:
    """What the facts that are told by name may have as heads and tails."""
    if changes is None:
        return set()
    sides = ((changes.after, changes.added), (changes.before, changes.removed))
    return {side.told.get(fact, {}).get(end, "") for side, facts in sides for fact in facts for end in ("head", "tail")}


def cut(found: Cut) -> str:
    """What is not on the page; nothing where all is."""
    said = []
    if found.facts < found.of_facts:
        said.append(
            f"the {number(found.facts)} surest and best supported of {number(found.of_facts)} facts; "
            "DIR/tables/facts has all"
        )
    if found.entities < found.of_entities:
        said.append(f"{number(found.entities)} of {number(found.of_entities)} entities")
    if found.sentences < found.of_sentences:
        said.append(
            f"{number(found.sentences)} of the {number(found.of_sentences)} sentences behind these facts, "
            "the surest of each first"
        )
    kind = "note" if found.facts == found.of_facts else "warning"
    return f'<p class="{kind}">This page holds {"; ".join(said)}.</p>' if said else ""


def rejects(run: Mapping[str, Any], samples: Mapping[str, Sequence[Reject]]) -> str:
    """The rejects by reason, each with samples."""
    if not run["rejects"]:
        return "<p>No record was rejected.</p>"
    most = max(run["rejects"].values())
    parts = []
    for reason, n in sorted(run["rejects"].items(), key=lambda item: (-item[1], item[0])):
        some = samples.get(reason, ())
        rows = "".join(
            f"<tr><td>{text(r.source)}</td><td>{text(r.doc_id)}</td><td>{text(r.stage)}</td>"
            f"<td>{text(r.detail, 400)}</td></tr>"
            for r in some
        )
        note = f'<p class="note">{len(some)} of {number(n)}; DIR/tables/rejects has all.</p>' if n > len(some) else ""
        parts.append(
            f'<details><summary><span class="reason">{text(reason)}</span> <b>{number(n)}</b>'
            f'<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
            f'<rect class="reject" width="{100 * n / most:.2f}" height="10"/></svg></summary>'
            '<div class="scroll"><table><thead><tr><th scope="col">source</th><th scope="col">id</th>'
            '<th scope="col">stage</th><th scope="col">detail</th></tr></thead>'
            f"<tbody>{rows}</tbody></table></div>{note}</details>"
        )
    return "".join(parts)


def ledger(run: Mapping[str, Any]) -> str:
    """Seconds and memory of the stages, what was left out, versions."""
    stages = "".join(
        f'<tr><th scope="row">{text(name)}</th><td class="n">{s["seconds"]:,.1f}</td>'
        f'<td class="n">{s["model_seconds"]:,.1f}</td><td class="n">{s["peak_rss_mb"]:,.0f}</td>'
        f'<td class="n">{number(s["n_done"])}</td><td class="n">{number(s["n_reused"])}</td></tr>'
        for name, s in run["stages"].items()
    )
    heads = ("seconds", "of the model", "peak MB", "units done", "reused")
    columns = "".join(f'<th scope="col" class="n">{name}</th>' for name in heads)
    found = (
        f'<div class="scroll"><table><thead><tr><th scope="col">stage</th>{columns}</tr></thead>'
        f"<tbody>{stages}</tbody></table></div>"
    )
    for title, rows in (("Left out or replaced, by rule", run["left_out"]), ("Versions", run["versions"])):
        if rows:
            listed = "".join(f"<li>{text(name)}: {text(n)}</li>" for name, n in rows.items())
            found += f"<details><summary>{title}</summary><ul>{listed}</ul></details>"
    return found
