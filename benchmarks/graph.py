"""The graph's writers against rdflib's on the same quads, and the memory of every format as a graph grows.

    python -m benchmarks.graph [--quads 100000] [--rounds 3] [--memory-quads 300000] [--growth 10] [--write]
        [--syntaxes 'nquads trig'] [--formats 'nq trig']

Each figure is of a process of its own: its CPU time, so that other work on the machine costs no one anything, and its
highest memory. The rounds of both sides take turns; the medians count. `--write` puts the tables into
docs/benchmarks.md.

What either side is given is taken off its time: the records that we write, the strings that rdflib makes terms of.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

from benchmarks.graph_records import DOCUMENTS_A_MEMBER, NS, Records

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- graph: written by benchmarks/graph.py -->\n", "<!-- end of graph -->\n"
SYNTAXES = {"nquads": 20, "trig": 8, "turtle": 8, "json-ld": 8}  # how many times rdflib's speed is wanted
QUADS_A_DOCUMENT = 87
LINES_A_WRITE = 1024  # as write_gzip has them
LEAST_S = 0.5  # what takes less is done more than once
FORMATS = ("nq", "trig", "ttl", "nt", "jsonld", "rdf12", "truthy", "wikidata", "parquet", "neo4j", "kgx")


def by_kgmill(syntax: str, n_documents: int, path: Path) -> None:
    """Records to a file: lines by our writer, other syntaxes by pyoxigraph from these lines; nothing is held."""
    import pyoxigraph as ox

    lines = Records(n_documents).lines()
    if syntax == "nquads":
        with path.open("wb") as file:
            file.writelines(iter(lambda: "".join(islice(lines, LINES_A_WRITE)).encode(), b""))
        return
    form = {"trig": ox.RdfFormat.TRIG, "turtle": ox.RdfFormat.TURTLE, "json-ld": ox.RdfFormat.JSON_LD}[syntax]
    batches = iter(lambda: "".join(islice(lines, LINES_A_WRITE)).encode(), b"")
    quads = (quad for batch in batches for quad in ox.parse(batch, format=ox.RdfFormat.N_QUADS))
    with path.open("wb") as file:
        ox.serialize((q.triple for q in quads) if syntax == "turtle" else quads, file, form)


def by_rdflib(syntax: str, n_documents: int, path: Path) -> None:
    """The same quads as terms of rdflib, added to a Dataset or a Graph, and that serialized."""
    import rdflib

    terms = _terms(n_documents)
    if syntax == "turtle":
        graph = rdflib.Graph()
        graph.addN((s, p, o, graph) for s, p, o, _ in terms)
        graph.serialize(path, format="turtle", encoding="utf-8")
        return
    dataset = rdflib.Dataset()
    contexts: dict[str, rdflib.Graph] = {}

    def context(name: str) -> rdflib.Graph:
        if name not in contexts:
            contexts[name] = dataset.graph(rdflib.URIRef(name))
        return contexts[name]

    dataset.addN((s, p, o, context(g)) for s, p, o, g in terms)
    dataset.serialize(path, format=syntax, encoding="utf-8")


def _terms(n_documents: int) -> Iterator[tuple[Any, Any, Any, str]]:
    """Terms of the strings."""
    from rdflib import Literal, URIRef

    for s, p, value, datatype, g in spelled(n_documents):
        node = URIRef(value) if datatype is None else Literal(value, datatype=URIRef(datatype) if datatype else None)
        yield URIRef(s), URIRef(p), node, g


def spelled(n_documents: int) -> Iterator[tuple[str, str, str, str | None, str]]:
    """The quads as strings. A datatype is None for an IRI, and empty for a plain string."""
    for line in Records(n_documents).lines():
        s, p, rest = line.split(" ", 2)
        o, g, _ = rest.rsplit(" ", 2)
        if o[0] == "<":
            yield s[1:-1], p[1:-1], o[1:-1], None, g[1:-1]
        else:
            text, _, datatype = o.rpartition('"')
            yield s[1:-1], p[1:-1], _plain(text[1:]), datatype[3:-1], g[1:-1]


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), text) if "\\" in text else text


def only_spelled(syntax: str, n_documents: int, path: Path) -> None:
    """What rdflib's side does before rdflib does anything."""
    for _ in spelled(n_documents):
        pass


def only_records(syntax: str, n_documents: int, path: Path) -> None:
    """What our side does before the writer does anything."""
    for _ in Records(n_documents).every():
        pass


SIDES: dict[str, Callable[[str, int, Path], None]] = {
    "kgmill": by_kgmill,
    "rdflib": by_rdflib,
    "records": only_records,
    "spelled": only_spelled,
}


def write_members(folder: Path, n_documents: int) -> int:
    """Writes the members of graph.nq.gz; returns how many quads they hold."""
    from kgmill.pipelines.graph.gzipped import write_gzip

    lines, n_quads = Records(n_documents).lines(), 0
    for n in range(n_documents):
        if not (made := write_gzip(folder / f"{n:06}.gz", islice(lines, DOCUMENTS_A_MEMBER * QUADS_A_DOCUMENT))):
            (folder / f"{n:06}.gz").unlink()
            break
        n_quads += made
    return n_quads


def by_format(name: str, n_documents: int, path: Path) -> None:
    """A graph format as a build writes it, from members on disk and tables that are made as they are read."""
    from kgmill.pipelines.graph.formats import Graph, graph_formats

    records, members = Records(n_documents), sorted((path.parent / f"members-{n_documents}").glob("*.gz"))
    graph = Graph(NS, lambda table: getattr(records, table)(), lambda: (member.read_bytes() for member in members))
    form = graph_formats()[name]
    form.write(graph, path.parent / form.file)


def measure(side: str, what: str, n_documents: int, path: Path) -> None:
    """In a process of its own: does it, and prints CPU seconds and the highest memory."""
    work = by_format if side == "format" else SIDES[side]
    if side != "format":
        work(what, 100, path)  # imports and cold caches are no one's speed
    began, n_runs, used = process_time(), 0, 0.0
    while used < LEAST_S:
        work(what, n_documents, path)
        n_runs, used = n_runs + 1, process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": used / n_runs, "mb": peak}))


def run(side: str, what: str, n_documents: int, path: Path) -> dict[str, float]:
    """What a process says that measured one thing."""
    command = [sys.executable, "-m", "benchmarks.graph", "--measure", side, what, str(n_documents), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    print(f"{side} {what} {n_documents}: {found['cpu']:.2f} s, {found['mb']:.0f} MB", file=sys.stderr, flush=True)
    return found


def speeds(folder: Path, names: Sequence[str], n_documents: int, n_rounds: int) -> list[str]:
    """The table of both sides, by syntax."""
    n_quads = sum(1 for _ in Records(n_documents).lines())
    rows = [
        f"{n_quads:,} quads, {n_rounds} rounds:",
        "",
        "| syntax | kgmill, quads a CPU second | rdflib | ratio | wanted | kgmill, MB | rdflib, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for syntax in names:
        found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
        for _ in range(n_rounds):
            for side, made in found.items():
                made.append(run(side, syntax, n_documents, folder / f"{side}-{syntax}"))
        cpu = {side: median(one["cpu"] for one in made) for side, made in found.items()}
        ours, theirs = cpu["kgmill"] - cpu["records"], cpu["rdflib"] - cpu["spelled"]
        peaks = [max(one["mb"] for one in found[side]) for side in ("kgmill", "rdflib")]
        rows.append(
            f"| {syntax} | {n_quads / ours:,.0f} | {n_quads / theirs:,.0f} | {theirs / ours:.1f} "
            f"| {SYNTAXES[syntax]} | {peaks[0]:.0f} | {peaks[1]:.0f} |"
        )
    return rows


def memory(folder: Path, names: Sequence[str], n_documents: int, growth: int) -> list[str]:
    """The table of formats: the highest memory of each at both sizes, and quads a CPU second, gzip and all."""
    if not names:
        return []
    sizes, n_quads = (n_documents, n_documents * growth), []
    for size in sizes:
        (folder / f"members-{size}").mkdir()
        n_quads.append(write_members(folder / f"members-{size}", size))
    rows = [
        f"| format | MB at {n_quads[0]:,} quads | MB at {n_quads[1]:,} | ratio | quads read a CPU second |",
        "|---|---|---|---|---|",
    ]
    for name in names:
        few, many = (run("format", name, size, folder / "file") for size in sizes)
        rows.append(
            f"| `{name}` | {few['mb']:.0f} | {many['mb']:.0f} | {many['mb'] / few['mb']:.2f} "
            f"| {n_quads[1] / many['cpu']:,.0f} |"
        )
    return rows


def main() -> None:
    """Runs both tables and prints them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quads", type=int, default=100_000)
    parser.add_argument("--memory-quads", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--growth", type=int, default=10)
    parser.add_argument("--syntaxes", type=str.split, default=list(SYNTAXES))
    parser.add_argument("--formats", type=str.split, default=list(FORMATS))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--measure", nargs=4)
    options = parser.parse_args()
    if options.measure:
        side, what, n_documents, path = options.measure
        measure(side, what, int(n_documents), Path(path))
        return
    with TemporaryDirectory(prefix="bench-graph-") as temporary:
        folder = Path(temporary)
        lines = [*speeds(folder, options.syntaxes, options.quads // QUADS_A_DOCUMENT, options.rounds), ""]
        lines += memory(folder, options.formats, options.memory_quads // QUADS_A_DOCUMENT, options.growth)
    table = "\n".join(lines) + "\n"
    print(table)
    if options.write:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
