"""Resolve, decode and aggregate at n times a build: seconds and the highest memory, each size in a process of its own.

    python -m benchmarks.resolve_scale DIR 1 4 16

The names of DIR's documents are taken n times under other document ids; a name that one document alone has gets a word
of its own each time, so that the names of the corpus grow with it.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import pyarrow as pa

from kgmill.extractor.modelfolder import find_model
from kgmill.pipelines.engine.request import Request, read_receipts
from kgmill.pipelines.engine.worker import run_job
from kgmill.pipelines.output.ledger import last_run
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.stages import aggregate, combine, decode, resolve
from kgmill.pipelines.stages.names import MENTIONS, NAMES, SENTENCES
from kgmill.schemas.ontology import Ontology, load_ontology
from kgmill.schemas.units import Unit


def copies(source: Store, target: Store, n: int) -> list[Part]:
    """The names of a build n times, as parts of units of their own."""
    live, made = source.live("names"), []
    n_bits = (len(live) * n - 1).bit_length()
    for r in range(n):
        for i, part in enumerate(live):
            tables = {name: part.read(name) for name in ("sentences", "mentions", "claims", "names", "definitions")}
            names = tables["names"].to_pylist()
            rare = {row["key"] for row in names if row["n_documents"] == 1} if r else set()
            for row in names:
                if row["key"] in rare:
                    row |= {"key": f"{word(r)} {row['key']}", "name": f"{word(r).capitalize()} {row['name']}"}
            mentions = tables["mentions"].to_pylist()
            for row in mentions:
                if row["key"] in rare:
                    row["key"] = f"{word(r)} {row['key']}"
            sentences = [row | {"doc_id": f"{r}-{row['doc_id']}"} for row in tables["sentences"].to_pylist()]
            tables["names"] = pa.Table.from_pylist(names, NAMES)
            tables["mentions"] = pa.Table.from_pylist(mentions, MENTIONS)
            tables["sentences"] = pa.Table.from_pylist(sentences, SENTENCES)
            unit = str(Unit(n_bits, r * len(live) + i))
            made.append(target.commit("names", unit, f"{r:032x}{i:032x}", tables, {}))
    return made


def word(number: int) -> str:
    """A word of letters for a number."""
    return "".join(chr(ord("b") + int(digit)) for digit in str(number)) + "ov"


def measure(folder: str, n: int) -> dict[str, Any]:
    """Seconds of each job at n times the build, rows, and the peak of memory."""
    source = Store(folder)
    model = find_model(last_run(source)["config"]["model"])
    ontology = load_ontology(Path(model) / "ontology.toml")
    with TemporaryDirectory() as scratch:
        store = Store(f"{scratch}/out")
        store.create()
        named = copies(source, store, n)
        before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        seconds: dict[str, float] = {}
        resolved = run(store, "resolve", *_resolve(ontology, named), seconds)
        _, tasks = decode.plan(store, named, resolved, settings := decode.Settings(ontology.rules()))
        decoded = run(store, "decode", tasks, settings, seconds)
        n_bits = combine.partition_bits(decoded)
        combined = run(store, "combine", combine.plan(store, decoded, n_bits)[1], combine.Settings(n_bits), seconds)
        judged = aggregate.Settings(tuple((part.unit, part.fingerprint) for part in combined))
        made = run(store, "aggregate", aggregate.plan(store, combined, n_bits, judged)[1], judged, seconds)
        return {
            "n": n,
            "mentions": sum(part.rows("mentions") for part in decoded),
            "entities": sum(part.rows("entities") for part in made),
            "facts": sum(part.rows("facts") for part in made),
            **{name: round(s, 1) for name, s in seconds.items()},
            "mb_before": round(before_mb),
            "mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }


def _resolve(ontology: Ontology, named: list[Part]) -> tuple[list[resolve.Task], resolve.Settings]:
    tasks = [resolve.Task(f"read-{p.unit}", p.unit, p.fingerprint, p.rows("names")) for p in named]
    n_bits = resolve.partition_bits(sum(task.n_names for task in tasks))
    return tasks, resolve.Settings(ontology.kinds, tuple(p.unit for p in named), n_bits)


def run(store: Store, job: str, tasks: Any, settings: Any, seconds: dict[str, float]) -> list[Part]:
    """Runs a job here, and says how long it took."""
    started, scratch = perf_counter(), store.scratch()
    run_job(Request(job, store.where, str(scratch), tuple(tasks), settings).save())
    seconds[job] = perf_counter() - started
    receipts = read_receipts(scratch)
    return sorted((store.need(job, u, r.fingerprint) for u, r in receipts.items()), key=lambda part: part.unit)


def main() -> None:
    """`python -m benchmarks.resolve_scale`."""
    folder, *sizes = sys.argv[1:]
    if len(sizes) == 1:
        print(json.dumps(measure(folder, int(sizes[0]))))
        return
    for n in sizes:
        subprocess.run([sys.executable, "-m", "benchmarks.resolve_scale", folder, n], check=True)


if __name__ == "__main__":
    main()
