"""report.html at n facts: the seconds and the memory that writing takes, its size, and how soon Chromium can use it.

    python -m benchmarks.report [N_FACTS [FOLDER]]

The tables are made by kgmill's own writers, of words drawn with a fixed seed: as many entities as six tenths of the
facts, three in ten facts with a second sentence, sentences as long as news. In a FOLDER they stay for another time,
which then shows what writing the page alone takes of memory. Seconds in the browser are told by the clock, which other
work on the machine lengthens, and of the processor: the page's main thread, and all threads of its process.
"""

from __future__ import annotations

import random
import resource
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import pyarrow.parquet as pq

from kgmill.pipelines.output import layout
from kgmill.pipelines.output.format import begin
from kgmill.pipelines.output.ledger import write_run
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.report.report import write_report
from kgmill.schemas.records import Document, Entity, Evidence, Fact, Name, Relation
from kgmill.schemas.tables import TABLES, to_table

CHROMIUM = "/usr/bin/chromium"
_RELATIONS = ("affiliation", "born_in", "citizenship", "country", "headquarters", "located_in", "owned_by", "spouse")
_TYPES = ("Event", "Organization", "Person", "Place", "Work")
_SYLLABLES = (
    "ba",
    "cor",
    "dal",
    "en",
    "fi",
    "gra",
    "hol",
    "is",
    "ka",
    "lum",
    "mar",
    "nor",
    "ol",
    "pe",
    "ra",
    "sto",
    "ti",
)


def write_output(folder: Path, records: Mapping[str, Iterable[Any]], run: Mapping[str, Any] | None = None) -> Store:
    """An output folder with these records in its tables, as a build leaves it, without parts and without a graph.

    Args:
        folder: where.
        records: by table; a table that isn't there has none.
        run: what run.json says besides, or instead of, what follows from the records.
    """
    store = Store(folder)
    store.create()
    begin(store)
    counted = {}
    for name in TABLES:
        table = to_table(name, records.get(name, ()))
        counted[name] = table.num_rows
        path = folder / layout.TABLES / name / "0-0.0123456789abcdef.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, compression="zstd")
    kept, rejected = counted["documents"], counted["rejects"]
    reasons: dict[str, int] = {}
    for reject in records.get("rejects", ()):
        reasons[reject.reason] = reasons.get(reject.reason, 0) + 1
    write_run(store, _ledger(kept, rejected, reasons, counted) | dict(run or {}))
    return store


def _ledger(kept: int, rejected: int, reasons: Mapping[str, int], counted: Mapping[str, int]) -> dict[str, Any]:
    documents = {"read": kept + rejected, "kept": kept, "rejected": rejected}
    return {
        "status": "done",
        "documents": documents | {"reused": 0, "added": kept, "changed": 0, "removed": 0},
        "rejects": dict(reasons),
        "left_out": {},
        "model_calls": {"sentences": counted["relations"]},
        "stages": {"extract": {"seconds": 1.5, "model_seconds": 1.0, "peak_rss_mb": 80.0, "n_done": 1, "n_reused": 0}},
        "graph": {"entities": counted["entities"], "facts": counted["facts"], "quads": 20 * counted["facts"]},
        "graph_before": "",
        "versions": {"kgmill": "0.3.0"},
        "config": {
            "model": "default",
            "dataset": "news",
            "base_iri": "urn:kgmill:dataset:news:",
            "wanted_precision": 0.8,
        },
        "fingerprints": {"calibration": ""},
        "started": "2026-01-01T00:00:00Z",
        "finished": "2026-01-01T00:01:30Z",
    }


def synthetic(n_facts: int, seed: int = 13) -> dict[str, list[Any]]:
    """The records of a corpus with so many facts; the same for the same number."""
    draw = random.Random(seed)  # noqa: S311 - nothing is to be kept secret
    entities = [_entity(draw, i) for i in range(max(2, n_facts * 6 // 10))]
    records: dict[str, list[Any]] = {name: [] for name in TABLES}
    records["entities"] = entities
    records["names"] = [Name(e.entity_id, name, "", 1) for e in entities for name in (e.label, e.label.split()[-1])]
    for number in range(n_facts):
        head, tail = draw.sample(range(len(entities)), 2)
        head, tail = (
            min(head, draw.randrange(len(entities))),
            min(tail, draw.randrange(len(entities))),
        )  # some have many
        ends, relation = (entities[head], entities[tail]), draw.choice(_RELATIONS)
        confidence, n_pieces = round(draw.betavariate(3, 2), 6), 1 + (draw.random() < 0.3)
        fact_id = f"{number:016x}"
        records["facts"].append(
            Fact(fact_id, ends[0].entity_id, relation, ends[1].entity_id, confidence, n_pieces, n_pieces)
        )
        for piece in range(n_pieces):
            _state(draw, records, f"{number:06x}-{piece}", ends, (fact_id, relation, confidence))
    return records


def _entity(draw: random.Random, number: int) -> Entity:
    label = " ".join("".join(draw.choices(_SYLLABLES, k=3)).capitalize() for _ in range(2))
    return Entity(f"{label.lower().replace(' ', '-')}-{number:016x}", draw.choice(_TYPES), label, 2, 1, 0.9)


def _state(
    draw: random.Random,
    records: dict[str, list[Any]],
    doc_id: str,
    ends: tuple[Entity, Entity],
    said: tuple[str, str, float],
) -> None:
    """A document of a sentence that states a fact."""
    head, tail = ends
    fact_id, relation, confidence = said
    words = ["".join(draw.choices(_SYLLABLES, k=2)) for _ in range(18)]
    before, after = " ".join(words[:6]).capitalize(), " ".join(words[6:])
    text = f"{before} {head.label} {relation.replace('_', ' ')} {tail.label} {after}."
    at = len(before) + 1, text.index(tail.label, len(before) + 1 + len(head.label))
    spans = (at[0], at[0] + len(head.label), at[1], at[1] + len(tail.label))
    records["documents"].append(Document(f"{doc_id}.txt", f"{doc_id}.txt", words[0].title(), text, "{}", ""))
    records["evidence"].append(Evidence(fact_id, doc_id, f"{doc_id}.txt", 0, len(text), *spans, confidence))
    records["relations"].append(
        Relation(
            *(doc_id, fact_id, f"{doc_id}.txt", 0, 0, len(text), relation, *spans[:2], head.entity_id, *spans[2:]),
            *(tail.entity_id, confidence),
        )
    )


def measure_page(path: Path) -> dict[str, Any]:
    """How soon a page can be used in a headless Chromium, and how long a search in it takes."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(300_000)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(path.resolve().as_uri(), wait_until="commit")
        page.wait_for_selector("html[data-ready]", state="attached")
        metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        page.wait_for_load_state("load")
        whole_s = page.evaluate("performance.getEntriesByType('navigation')[0].domInteractive") / 1000
        ready_s = int(page.evaluate("document.documentElement.dataset.ready")) / 1000
        timed = """() => { const begun = performance.now(); document.getElementById("search").value = "cor located";
            find(); return performance.now() - begun; }"""
        search_s = [page.evaluate(timed) / 1000 for _ in range(3)]
        browser.close()
    seconds = {
        "ready": ready_s,
        "with_sentences": whole_s,
        "main_thread_cpu": metrics["ThreadTime"],
        "all_threads_cpu": metrics["ProcessTime"],
    }
    return seconds | {"first_search": search_s[0], "search": search_s[-1]}


def main() -> None:
    """Prints a line a number."""
    n_facts = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with TemporaryDirectory() as scratch:
        folder = Path(sys.argv[2] if len(sys.argv) > 2 else scratch)
        is_there = (folder / layout.RUN).is_file()
        store = Store(folder) if is_there else write_output(folder, synthetic(n_facts))
        begun, cpu = perf_counter(), process_time()
        written = write_report(store)
        print(f"written in {perf_counter() - begun:.1f} s, {process_time() - cpu:.1f} s of the processor")
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory {peak_mb:.0f} MB{'' if is_there else ', with the records drawn'}")
        print(f"{written.n_bytes / 1e6:.1f} MB; {written.cut}")
        for name, value in measure_page(folder / layout.REPORT).items():
            print(f"{name} {value:.2f} s")


if __name__ == "__main__":
    main()
