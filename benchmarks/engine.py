"""The engine at size: `python -m benchmarks.engine`, or `make bench-engine`. Builds corpora of 1 to 100 times AG News.

Every measurement is a fresh `kgmill build` in a process of its own, with one worker: the first build, a second one with
nothing changed, a third with one document in a hundred changed. A row a build goes into docs/benchmarks.jsonl, and the
table in docs/benchmarks.md is written anew from all rows. What has its rows is passed over, so that a run that was cut
off goes on; `--again` measures anew.

The corpora are made of ../shared/data/corpora/agnews.jsonl: N copies of each document, in each of which every name has
been changed to one of that copy's own, so that ids, texts and entities differ, and a name that comes back in AG News
comes back in its copy.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from kgmill.extractor.text.split import split_text
from kgmill.pipelines.sources.heads import agencies_of, find_head
from kgmill.pipelines.storage.files import remove
from kgmill.schemas.config import SourceConfig
from kgmill.schemas.identity import digest

AG_NEWS = Path("../shared/data/corpora/agnews.jsonl")
TINY_MODEL = Path(__file__).with_name("tiny_model")
ROWS = Path("docs/benchmarks.jsonl")
PAGE = Path("docs/benchmarks.md")
BEGIN, END = "<!-- rows: written by benchmarks/engine.py -->", "<!-- end of rows -->"
STAGES = ("ingest", "extract", "decode", "aggregate", "export")
DOCUMENTS, SENTENCES = "documents", "sentences"  # what a document of the corpus is: a text of AG News, or a sentence
RUNS = ("first", "nothing changed", "1 % changed")
DEFAULT = ((1, "default"), (10, "default"), (10, "tiny"), (100, "tiny"))
_CHANGED = 100  # every such document is another one in the third build
_NAME = re.compile(r"\b[A-Z][a-z]{2,}\b")
_WORD = re.compile(r"\b[a-z]+\b")
_BOUNDS = {
    "ingest": "reading, parsing and hashing the sources",
    "extract": "the model",
    "decode": "choosing among candidates, row by row",
    "aggregate": "sorting and hashing rows",
    "export": "writing and compressing lines",
}

Row = dict[str, Any]
Record = dict[str, str]


def main() -> None:
    """Measures what has no rows yet."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--scales", help="times AG News, such as 1,10 (default: the table's)")
    options.add_argument("--model", choices=("default", "tiny"), help="with --scales (default: tiny)")
    options.add_argument("--sentences", action="store_true", help="with --scales: documents of one sentence each")
    options.add_argument("--again", action="store_true", help="measure anew what has its rows")
    options.add_argument("--folder", type=Path, default=Path("bench/engine"), help="for corpora and outputs")
    options.add_argument("--keep", action="store_true", help="leave the outputs there")
    chosen = options.parse_args()
    if not AG_NEWS.is_file():
        print(f"{AG_NEWS} is not there, so there is nothing to measure with; the rest of kgmill doesn't need it")
        return
    wanted = DEFAULT
    if chosen.scales:
        wanted = tuple((int(scale), chosen.model or "tiny") for scale in chosen.scales.split(","))
    elif chosen.model:
        wanted = tuple(pair for pair in DEFAULT if pair[1] == chosen.model)
    # A build of one document: what starting the process, Beam and the model costs.
    for scale, model in sorted({(0, model) for _, model in wanted}) + list(wanted):
        of = SENTENCES if chosen.sentences and scale else DOCUMENTS
        done = {row["run"] for row in read_rows() if (row["scale"], row["model"], row["of"]) == (scale, model, of)}
        if chosen.again or not done.issuperset(RUNS[:1] if scale == 0 else RUNS):
            for row in measure(scale, model, chosen.folder, of, keep=chosen.keep):
                add_row(row)
    print("\n".join(table(read_rows())))


def measure(scale: int, model: str, folder: Path, of: str = DOCUMENTS, *, keep: bool = False) -> Iterator[Row]:
    """Builds a corpus of documents, or of sentences as documents, three times into one output; one row a build.

    Raises:
        RuntimeError: a build failed, or made what it should not have.
    """
    before, after = (folder / f"{scale}x-{of}{name}" / "agnews.jsonl" for name in ("", "-changed"))
    n_changed = sum(n_sentences(record) for record in write_corpus(scale, before, after, of))
    out = folder / f"{scale}x-{of}-{model}"
    remove(out)
    sha256 = ""
    for run in RUNS[:1] if scale == 0 else RUNS:
        row = build(after if run == RUNS[2] else before, out, model)
        row |= {"scale": scale, "model": model, "run": run, "of": of}
        if run == RUNS[1] and (row["sentences"], row["graph"]["sha256"]) != (0, sha256):
            raise RuntimeError(f"{out}: a build with nothing changed called the model or changed the graph")
        if run == RUNS[2] and row["sentences"] != n_changed:
            raise RuntimeError(f"{out}: {row['sentences']} sentences met the model, {n_changed} were changed")
        sha256 = row["graph"]["sha256"]
        print(f"{scale}x {of}, {model}, {run}: {row['wall_s']:.1f} s", file=sys.stderr, flush=True)
        yield row
    if not keep:
        for path in (out, before.parent, after.parent):
            remove(path)


def build(source: Path, out: Path, model: str) -> Row:
    """One `kgmill build` in a fresh process; what it cost."""
    name = str(TINY_MODEL) if model == "tiny" else model
    command = [sys.executable, "-m", "kgmill.flows.cli", "build", str(source), "--out", str(out), "--model", name]
    used, started = _cpu_seconds(), time.perf_counter()
    subprocess.run(
        [*command, "--device", "cpu", "--workers", "1", "--no-prefect"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wall, cpu = time.perf_counter() - started, _cpu_seconds() - used
    report = json.loads((out / "run.json").read_text(encoding="utf-8"))
    return {
        "wall_s": round(wall, 1),
        "cpu_s": round(cpu, 1),
        "documents": report["documents"]["kept"],
        "sentences": report["model_calls"]["sentences"],
        "graph": report["graph"],
        "stages": {
            stage: {key: report["stages"][stage][key] for key in ("seconds", "model_seconds", "peak_rss_mb")}
            for stage in STAGES
        },
        "cores": os.cpu_count(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def _cpu_seconds() -> float:
    """Processor time of all ended children, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def n_sentences(record: Record) -> int:
    """How many sentences of a record a build has read; an agency or a place at its head is one of its own."""
    agencies = agencies_of(SourceConfig().agencies)
    return len(split_text(record["text"], find_head(record["text"], record["title"], agencies).length))


def write_corpus(scale: int, before: Path, after: Path, of: str = DOCUMENTS) -> list[Record]:
    """Writes a corpus, and the same with one document in a hundred changed; returns those documents as they became.

    A scale of 0 is one document.
    """
    records = [json.loads(line) for line in AG_NEWS.read_text(encoding="utf-8").splitlines()]
    if of == SENTENCES:
        records = _sentences_of(records)
    common = frozenset(word for record in records for word in _WORD.findall(f"{record['title']} {record['text']}"))
    if scale == 0:
        records, scale = records[:1], 1
    changed = []
    for path in (before, after):
        path.parent.mkdir(parents=True, exist_ok=True)
    with before.open("w", encoding="utf-8") as old, after.open("w", encoding="utf-8") as new:
        for copy in range(scale):
            for i, record in enumerate(records):
                identifier = f"{copy:03d}-{record['id']}"
                line = _line(record, identifier, f"copy {copy}", common)
                old.write(line)
                if i % _CHANGED == _CHANGED // 2:
                    line = _line(record, identifier, f"copy {copy} changed", common)
                    changed.append(json.loads(line))
                new.write(line)
    return changed


def _sentences_of(records: list[Record]) -> list[Record]:
    """Each distinct sentence as a document: of two equal ones a build would keep one."""
    distinct: dict[str, Record] = {}
    for record in records:
        for i, sentence in enumerate(split_text(record["text"])):
            text = record["text"][sentence.begin : sentence.end]
            distinct.setdefault(text, {**record, "id": f"{record['id']}-{i}", "title": "", "text": text})
    return list(distinct.values())


def _line(record: Record, identifier: str, key: str, common: frozenset[str]) -> str:
    """A record under another id and with other names, as a line of JSON; one without names gets a name before it."""
    texts = {field: rename(record[field], key, common) for field in ("title", "text")}
    if texts["text"] == record["text"]:
        texts["text"] = f"{other_name('Reporter', key)} reports: {record['text']}"
    return json.dumps({**record, **texts, "id": identifier}, ensure_ascii=False) + "\n"


def rename(text: str, key: str, common: frozenset[str]) -> str:
    """The text with each of its names changed: capitalised words that the corpus never has in lower case."""
    return _NAME.sub(lambda m: m[0] if m[0].lower() in common else other_name(m[0], key), text)


@lru_cache(maxsize=1 << 16)
def other_name(name: str, key: str) -> str:
    """A name of equal length, with vowels for vowels and consonants for consonants, the same for equal arguments."""
    noise = bytes.fromhex(digest(key, name))
    letters = []
    for i, letter in enumerate(name.lower()):
        choices = "aeiou" if letter in "aeiou" else "bcdfghjklmnprstvwz"
        letters.append(choices[noise[i % 32] % len(choices)])
    return "".join(letters).capitalize()


def read_rows() -> list[Row]:
    """All rows so far, the smallest corpus first."""
    if not ROWS.is_file():
        return []
    rows = [{"of": DOCUMENTS} | json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines() if line]
    return sorted(rows, key=_order)


def add_row(row: Row) -> None:
    """Adds a row in the place of an older one of its kind, and writes the page anew."""
    kept = [old for old in read_rows() if _order(old) != _order(row)]
    rows = sorted([*kept, row], key=_order)
    ROWS.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    tail = rest.partition(END)[2]
    PAGE.write_text(f"{head}{BEGIN}\n\n" + "\n".join(table(rows)) + f"\n\n{END}{tail}", encoding="utf-8")


def _order(row: Row) -> tuple[str, str, int, int]:
    return row["model"], row["of"], row["scale"], RUNS.index(row["run"])


def table(rows: list[Row]) -> list[str]:
    """The rows as a Markdown table, and under it what they say of memory, growth and reuse."""
    lines = [
        f"| model | corpus | build | wall s | CPU s | {' | '.join(STAGES)} | bound by |",
        f"|{'---|' * (len(STAGES) + 6)}",
    ]
    for row in rows:
        corpus = f"{row['scale']}x, {row['documents']:,} {row['of']}" if row["scale"] else "one document (start-up)"
        cells = [f"{stage['seconds']:.1f} s, {stage['peak_rss_mb']:.0f} MB" for stage in row["stages"].values()]
        line = [row["model"], corpus, row["run"], f"{row['wall_s']:.1f}", f"{row['cpu_s']:.1f}", *cells, bound(row)]
        lines.append(f"| {' | '.join(line)} |")
    return [*lines, "", *findings(rows)]


def bound(row: Row) -> str:
    """What most of a build's time went into."""
    stages = row["stages"]
    if not row["scale"]:
        return "imports, Beam's start, loading the model"
    stage = max(stages, key=lambda name: stages[name]["seconds"])
    share = stages[stage]["seconds"] / row["wall_s"]
    where = "CPU" if row["cpu_s"] >= 0.8 * row["wall_s"] else "CPU and waiting"
    return f"{where}: {_BOUNDS[stage]} ({stage}, {share:.0%})"


def findings(rows: list[Row]) -> list[str]:
    """One line a comparison that the rows allow."""
    by = {(row["model"], row["of"], row["scale"], row["run"]): row for row in rows}
    lines = []
    for (model, of, scale, run), row in by.items():
        name = f"{scale}x, {model} model" + (", a sentence a document" if of == SENTENCES else "")
        first, start = by.get((model, of, scale, RUNS[0])), by.get((model, DOCUMENTS, 0, RUNS[0]))
        if scale and first and start:
            took = _beyond(first, start)
            if run == RUNS[0]:
                extract = first["stages"]["extract"]["seconds"] - start["stages"]["extract"]["seconds"]
                lines.append(f"- {name}: {extract / took:.1%} of the first build's time after start-up is extract.")
            elif run == RUNS[1]:
                lines.append(
                    f"- {name}: with nothing changed a build takes {row['wall_s'] / first['wall_s']:.1%} of the first's"
                    f" time, start-up included, {max(0.0, _beyond(row, start)) / took:.1%} without."
                )
            else:
                lines.append(
                    f"- {name}: with 1 % changed a build takes {_beyond(row, start) / took:.1%} of the first's time;"
                    f" {row['sentences']:,} of {first['sentences']:,} sentences met the model, as many as changed."
                )
        smaller = by.get((model, of, scale // 10, run)) if scale >= 10 else None
        if run == RUNS[0] and smaller and smaller["scale"] and start:
            ratios = (
                f"{stage} {row['stages'][stage]['peak_rss_mb'] / smaller['stages'][stage]['peak_rss_mb']:.2f}"
                for stage in STAGES
            )
            n = row["documents"] / smaller["documents"]
            lines.append(
                f"- {name} beside {scale // 10}x: peak memory {', '.join(ratios)} times; time a document after start-up"
                f" {_beyond(row, start) / _beyond(smaller, start) / n:.2f} times,"
                f" CPU time {(row['cpu_s'] - start['cpu_s']) / (smaller['cpu_s'] - start['cpu_s']) / n:.2f} times."
            )
    return lines


def _beyond(row: Row, start: Row) -> float:
    return float(row["wall_s"] - start["wall_s"])


if __name__ == "__main__":
    main()
