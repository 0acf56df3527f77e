"""What a second worker gains on a Flink cluster, beside what a second thread gains on this machine.

    python -m benchmarks.cluster HOST:PORT [--jar FILE] [--documents 3800] [--copies 1] [--model default] [--runs 3]

Builds AG News into folders of their own: here with one thread and with two, on the cluster of that address with one
worker and with two, in turn and as often as `--runs` says. A worker has one thread. Told is the median of each stage's
seconds, what the second one gains in extraction, and how the cluster's gain compares. The cluster needs two slots and
has to see the temporary folder of this machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.object_store import corpora

_STAGES = ("ingest", "extract", "decode", "aggregate", "export")


def build(corpus: Path, out: Path, model: str, workers: int, cluster: list[str]) -> tuple[dict[str, float], str]:
    """The seconds of each stage of a build in a process of its own, and what its graph hashes to."""
    command = [sys.executable, "-m", "kgmill", "build", str(corpus), "--out", str(out), "--model", model, "--quiet"]
    runner = ["--runner", "FlinkRunner", "--", *cluster] if cluster else []
    subprocess.run([*command, "--dataset", "bench", "--workers", str(workers), *runner], check=True)
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    return {name: run["stages"][name]["seconds"] for name in _STAGES}, run["graph"]["sha256"]


def main() -> None:
    """`python -m benchmarks.cluster`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("master")
    parser.add_argument("--jar", help="of Beam's job server, where it can't be fetched")
    parser.add_argument("--documents", type=int, default=0)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--model", default="default")
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    options = [f"--flink_master={asked.master}", *([f"--flink_job_server_jar={asked.jar}"] if asked.jar else [])]
    taken: dict[tuple[str, int], list[dict[str, float]]] = {}
    graphs = set()
    with tempfile.TemporaryDirectory() as scratch:
        _, corpus = next(corpora(Path(scratch), asked.copies, asked.documents))
        for run in range(asked.runs):
            for where, cluster in (("here", []), ("cluster", options)):
                for workers in (1, 2):
                    out = Path(scratch) / f"{run}-{where}-{workers}"
                    seconds, graph = build(corpus, out, asked.model, workers, cluster)
                    taken.setdefault((where, workers), []).append(seconds)
                    graphs.add(graph)
                    print(run, where, workers, json.dumps(seconds), graph[:8], file=sys.stderr, flush=True)
    medians = {
        key: {name: statistics.median(one[name] for one in runs) for name in _STAGES} for key, runs in taken.items()
    }
    print(f"| where | workers | {' | '.join(_STAGES)} |")
    print("|---" * (2 + len(_STAGES)) + "|")
    for (where, workers), stages in medians.items():
        print(f"| {where} | {workers} | {' | '.join(f'{stages[name]:.1f}' for name in _STAGES)} |")
    gains = {
        where: statistics.median(
            one["extract"] / two["extract"] for one, two in zip(taken[where, 1], taken[where, 2], strict=True)
        )
        for where in ("here", "cluster")
    }
    here, there = gains["here"], gains["cluster"]
    print(f"two for one: here {here:.2f}, cluster {there:.2f}, of it {there / here:.2f}")
    print(f"graphs: {len(graphs)} of different bytes")


if __name__ == "__main__":
    main()
