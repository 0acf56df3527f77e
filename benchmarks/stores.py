"""Loads into real stores: `python -m benchmarks.stores DIR`, where DIR is the output folder of a build.

For each store that is there (Oxigraph, Fuseki, Virtuoso) and each run, a fresh server and `kgmill load` in a process of
its own: into an empty store, with nothing changed, and after every 100th document was changed. Beside it, as a bound,
one POST of the whole file where the store takes that; and with --before CHECKOUT the loads of an older kgmill, which
are what a new one is compared with. Wall seconds, processor seconds of client and server, the server's disk. Medians.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from kgmill.pipelines.triplestores.profiles import PROFILES

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/pipelines/triplestores"))

from real_stores import KINDS, ROWS_AS_IT_COMES  # noqa: E402 - the servers that the tests load into

_TICK = os.sysconf("SC_CLK_TCK")
_CHANGED = 100  # every such document
Row = dict[str, float]


def main() -> None:
    """Measures, and prints a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--before", type=Path, help="a checkout of an older kgmill")
    options.add_argument("--stores", default=",".join(KINDS))
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args()
    codes = {"before": chosen.before, "now": ROOT} if chosen.before else {"now": ROOT}
    print("| store | load | wall s | client CPU s | server CPU s | client/server | server MB |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in chosen.stores.split(","):
        measured: dict[str, list[Row]] = {}
        try:
            for _ in range(chosen.runs):
                for code, checkout in codes.items():
                    for what, row in loads(name, chosen.folder, checkout):
                        measured.setdefault(f"{code}, {what}", []).append(row)
                for what, row in post(name, chosen.folder):
                    measured.setdefault(what, []).append(row)
        except pytest.skip.Exception as skipped:
            print(f"| {name} | {skipped.msg} | | | | | |")
            continue
        for what, rows in measured.items():
            wall, client, server, disk = (statistics.median(row[key] for row in rows) for key in rows[0])
            share = f"{client / server:.0%}" if server > 0.05 else "-"
            print(f"| {name} | {what} | {wall:.1f} | {client:.2f} | {server:.2f} | {share} | {disk:.0f} |", flush=True)


def loads(name: str, folder: Path, checkout: Path) -> list[tuple[str, Row]]:
    """The loads of one checkout into a fresh server."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, "out")
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("load", "parts", "tables", "store", ".tmp"))
        store = KINDS[name](Path(scratch), ROWS_AS_IT_COMES).start()
        try:
            environment = {**os.environ, "PYTHONPATH": str(checkout)}
            if store.login:
                user, password = store.login
                environment |= {"KGMILL_STORE_USER": user, "KGMILL_STORE_PASSWORD": password}
            command = [
                sys.executable,
                "-m",
                "kgmill",
                "load",
                str(copy),
                "--endpoint",
                store.endpoint,
                "--profile",
                name,
            ]

            def load() -> None:
                subprocess.run(
                    command,
                    check=True,
                    env=environment,
                    cwd=scratch,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )

            found = [("first", measure(store, load)), ("nothing changed", measure(store, load))]
            change(copy)
            return [*found, ("1 % changed", measure(store, load))]
        finally:
            store.kill()


def post(name: str, folder: Path) -> list[tuple[str, Row]]:
    """One request with all quads, where the store takes that."""
    profile = PROFILES[name]
    if profile.quads is None:
        return []
    body = gzip.decompress((folder / "graph/graph.nq.gz").read_bytes())
    with tempfile.TemporaryDirectory() as scratch:
        store = KINDS[name](Path(scratch), ROWS_AS_IT_COMES).start()
        try:

            def send() -> None:
                headers = {"Content-Type": profile.quads_type}
                url = f"{store.endpoint}{profile.quads}"
                httpx.post(url, content=body, headers=headers, auth=store.login, timeout=600).raise_for_status()

            return [("one POST of the file", measure(store, send))]
        finally:
            store.kill()


def measure(store: Any, do: Callable[[], None]) -> Row:
    """What something costs the client's processes, or this one, and the server."""
    client, server, started = client_seconds(), server_seconds(store), time.perf_counter()
    do()
    wall = time.perf_counter() - started
    disk = sum(
        path.stat().st_blocks * 512 for path in store.folder.rglob("*") if path.is_file() and path.parts[-1] != "out"
    )
    own = sum(path.stat().st_blocks * 512 for path in (store.folder / "out").rglob("*") if path.is_file())
    return {
        "wall": wall,
        "client": client_seconds() - client,
        "server": server_seconds(store) - server,
        "disk": (disk - own) / 1e6,
    }


def client_seconds() -> float:
    """Processor seconds of this process and of its children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def server_seconds(store: Any) -> float:
    """Processor seconds of the server so far."""
    fields = Path(f"/proc/{store.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def change(folder: Path) -> None:
    """Gives every 100th document's graph a triple more, and writes down that a build did, as a build does."""
    path, run = folder / "graph/graph.nq.gz", folder / "run.json"
    changed: list[bytes] = []
    added: list[bytes] = []
    graph, n_documents = b"", 0
    for line in gzip.decompress(path.read_bytes()).splitlines(keepends=True):
        changed.append(line)
        name = line.rsplit(b" ", 2)[1]
        if name == graph:
            continue
        graph = name
        if b"/graph/doc/" in name:
            n_documents += 1
            if n_documents % _CHANGED == 0:
                added.append(b'<urn:kgmill:ns:a> <urn:kgmill:ns:b> "changed" %b .\n' % graph)
                changed.append(added[-1])
    body = b"".join(changed)
    path.write_bytes(gzip.compress(body, 1, mtime=0))
    report = json.loads(run.read_text(encoding="utf-8"))
    for below in ("runs", "changes"):
        (folder / below).mkdir(exist_ok=True)
    (folder / "runs" / f"{report['started'].replace(':', '')}.json").write_text(json.dumps(report), encoding="utf-8")
    report["graph_before"], report["started"] = report["graph"]["sha256"], "2099-01-01T00:00:00Z"
    report["graph"]["sha256"] = hashlib.sha256(body).hexdigest()
    run.write_text(json.dumps(report), encoding="utf-8")
    for verb, lines in (("added", sorted(added)), ("removed", [])):
        (folder / f"changes/2099-01-01T000000Z.{verb}.nq.gz").write_bytes(gzip.compress(b"".join(lines), mtime=0))


if __name__ == "__main__":
    main()
