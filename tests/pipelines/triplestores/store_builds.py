"""Finished builds in the graph's shape, written by hand, for the tests that load them."""

import gzip
import hashlib
import json

KG = "https://kg.example.org/news/graph/"
E = "https://kg.example.org/news/entity/"
V = "https://kg.example.org/vocab#"
X = "urn:kgmill:ns:"
LABEL = "<http://www.w3.org/2000/01/rdf-schema#label>"
TYPE = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
INTEGER = "<http://www.w3.org/2001/XMLSchema#integer>"
META, FACTS, LINKS, PROVENANCE = f"{KG}meta", f"{KG}kg", f"{KG}links", f"{KG}provenance/3f9a"
FIRST, SECOND = f"{KG}doc/letters%2F1.txt", f"{KG}doc/d2"


def entity(name, label, kind, n=1):
    return [
        f"<{E}{name}> {TYPE} <{V}{kind}> .\n",
        f"<{E}{name}> {LABEL} {json.dumps(label, ensure_ascii=False)} .\n",
        f'<{E}{name}> <{X}mentionCount> "{n}"^^{INTEGER} .\n',
    ]


def fact(head, relation, tail, confidence="0.9"):
    """A fact's direct triple, and the statement that says how sure it is."""
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    node = f"<https://kg.example.org/news/statement/a-{head}-{relation}-{tail}>"
    return [
        f"<{E}{head}> <{V}{relation}> <{E}{tail}> .\n",
        f"{node} {TYPE} <{X}AggregatedStatement> .\n",
        f"{node} <{rdf}subject> <{E}{head}> .\n",
        f"{node} <{rdf}predicate> <{V}{relation}> .\n",
        f"{node} <{rdf}object> <{E}{tail}> .\n",
        f'{node} <{X}confidence> "{confidence}"^^<http://www.w3.org/2001/XMLSchema#decimal> .\n',
    ]


GRAPHS = {
    PROVENANCE: [
        f"<{E}run> {TYPE} <http://www.w3.org/ns/prov#Activity> .\n",
        f'<{E}run> {LABEL} "model \\"small\\"" .\n',
    ],
    META: [f"<{KG}meta> {TYPE} <http://rdfs.org/ns/void#Dataset> .\n"],
    FACTS: [
        *entity("ada", "Ada Łovelace", "Peop", 2),
        *entity("london", "London", "Loc"),
        *fact("ada", "Live_In", "london"),
    ],
    FIRST: [
        f'<{E}m1> <{V}anchorOf> "Ada <http://x> ." .\n',
        f'<{E}m1> <{V}begin> "0"^^{INTEGER} .\n',
        f'<{E}m1> <{V}end> "12"^^{INTEGER} .\n',
        f'<{E}m2> <{V}anchorOf> "Łódź\\n" .\n',
    ],
    SECOND: [
        f'<{E}m3> <{V}anchorOf> "London" .\n',
        f'<{E}m3> <{V}begin> "7"^^{INTEGER} .\n',
        f'<{E}m3> <{V}end> "13"^^{INTEGER} .\n',
    ],
    LINKS: [
        f"<{E}m{n}> <http://www.w3.org/2005/11/its/rdf#taIdentRef> <{E}{e}> .\n" for n, e in ((1, "ada"), (3, "london"))
    ],
}
# As many triples as before, so that counts alone don't tell it from the old one.
NEW_SECOND = [line.replace("London", "Londres") for line in GRAPHS[SECOND]]
NEW_FACTS = [*entity("ada", "Ada Łovelace", "Peop", 3), *GRAPHS[FACTS][3:], *entity("paris", "Paris", "Loc")]


def quads(graphs):
    return [line.replace(" .\n", f" <{iri}> .\n") for iri, lines in graphs.items() for line in lines]


def make_build(folder, graphs=GRAPHS, lines=None, before=""):
    """A finished build with a graph file of several gzip members; its history is lost."""
    lines = quads(graphs) if lines is None else lines
    (folder / "graph").mkdir(parents=True, exist_ok=True)
    members = [gzip.compress("".join(lines[i : i + 4]).encode(), 1, mtime=0) for i in range(0, len(lines), 4)]
    (folder / "graph" / "graph.nq.gz").write_bytes(b"".join(members))
    sha256 = hashlib.sha256("".join(lines).encode()).hexdigest()
    report = {"status": "done", "graph": {"sha256": sha256}, "graph_before": before}
    (folder / "run.json").write_text(json.dumps(report))


def build_again(folder, graphs, minute):
    """Another build of the same folder, which records what it changes as kgmill does."""
    old = sorted(gzip.decompress((folder / "graph" / "graph.nq.gz").read_bytes()).decode().splitlines(keepends=True))
    report = json.loads((folder / "run.json").read_text())
    for name in ("runs", "changes"):
        (folder / name).mkdir(exist_ok=True)
    started = f"2026-01-01T00:{minute:02d}:00Z"
    (folder / "runs" / f"{report.get('started', '2026-01-01T00:00:00Z').replace(':', '')}.json").write_text(
        json.dumps(report)
    )
    make_build(folder, graphs, before=report["graph"]["sha256"])
    new = sorted(quads(graphs))
    for name, lines in (("added", sorted(set(new) - set(old))), ("removed", sorted(set(old) - set(new)))):
        path = folder / "changes" / f"{started.replace(':', '')}.{name}.nq.gz"
        path.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))
    report = json.loads((folder / "run.json").read_text()) | {"started": started}
    (folder / "run.json").write_text(json.dumps(report))
