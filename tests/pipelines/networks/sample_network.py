"""A small build to load as a graph: five texts, what was found in them, and an output folder as readers see one."""

import gzip
import hashlib
import json

import pyarrow.parquet as pq

from kgmill.pipelines.graph.documents import document_quads
from kgmill.pipelines.graph.statements import Holdings, entity_quads, fact_quads, link_quads, meta_quads
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.schemas.literals import XSD
from kgmill.schemas.ontology import format_ontology, parse_ontology
from kgmill.schemas.records import Document, Entity, Evidence, Fact, Mention, Relation
from kgmill.schemas.tables import to_table

TEXTS = {
    "bell": "Claude Shannon was at Bell. Brian Kernighan was at Bell.",
    "books": "Ada Lovelace was born in 1815.",
    "princeton": "Brian Kernighan taught at Princeton. Alan Turing, born in London in 1912, was at Princeton.",
    "rumours": "Turing was at Princeton? Alan Turing was at Princeton!",
    "ships": "Grace Hopper was in the Navy.",
}
ENTITIES = {
    **dict.fromkeys(("Ada Lovelace", "Alan Turing", "Brian Kernighan", "Claude Shannon", "Grace Hopper"), "Person"),
    **dict.fromkeys(("Bell", "Navy", "Princeton"), "Organization"),
    "London": "Place",
}
# document, sentence, head, relation, tail, confidence
FOUND = (
    ("bell", 0, "Claude Shannon", "affiliation", "Bell", 0.8),
    ("bell", 1, "Brian Kernighan", "affiliation", "Bell", 0.7),
    ("books", 0, "Ada Lovelace", "born_on", "1815", 0.9),
    ("princeton", 0, "Brian Kernighan", "affiliation", "Princeton", 0.5),
    ("princeton", 1, "Alan Turing", "born_in", "London", 0.9),
    ("princeton", 1, "Alan Turing", "born_on", "1912", 0.8),
    ("princeton", 1, "Alan Turing", "educated_at", "Princeton", 0.6),
    ("rumours", 1, "Alan Turing", "educated_at", "Princeton", 0.75),
    ("ships", 0, "Grace Hopper", "affiliation", "Navy", 0.4),
)
ONTOLOGY = {
    "entities": {"Person": {}, "Organization": {}, "Place": {}, "Date": {"literal": "date"}},
    "relations": {
        "affiliation": {"head": ["Person"], "tail": ["Organization"]},
        "born_in": {"head": ["Person"], "tail": ["Place"]},
        "born_on": {"head": ["Person"], "tail": ["Date"]},
        "educated_at": {"head": ["Person"], "tail": ["Organization"]},
        "educated": {"head": ["Organization"], "tail": ["Person"], "inverse": "educated_at"},
        "located_in": {"head": ["Place", "Organization"], "tail": ["Place"], "transitive": True},
    },
}
NS = Namespace("https://kg.example.org/", "people", parse_ontology(ONTOLOGY, "test"))


def name_of(label):
    return label.lower().replace(" ", "-")


def tables(found=FOUND):
    """The tables of a build that found these."""
    evidence, relations, mentions, facts = [], [], {}, {}
    for i, (doc_id, number, head, relation, tail, confidence) in enumerate(found):
        text = TEXTS[doc_id]
        marks = [k for k, c in enumerate(text) if c in ".?!"]
        begin, end = (marks[number - 1] + 2 if number else 0), marks[number] + 1
        spans = [(at := text.index(word, begin), at + len(word)) for word in (head, tail)]
        fact_id, value = f"{relation}-{name_of(head)}-{name_of(tail)}", tail if tail.isdigit() else ""
        datatype = f"{XSD}gYear" if value else ""
        target = "" if value else name_of(tail)
        before = facts.get(fact_id)
        seen = [*(e.confidence for e in evidence if e.fact_id == fact_id), confidence]
        mean, n_documents = sum(seen) / len(seen), before.n_documents + 1 if before else 1
        facts[fact_id] = Fact(fact_id, name_of(head), relation, target, mean, len(seen), n_documents, value, datatype)
        evidence.append(Evidence(fact_id, f"{i}", doc_id, begin, end, *spans[0], *spans[1], confidence))
        relations.append(
            Relation(
                *(f"{i}", fact_id, doc_id, number, begin, end, relation),
                *(*spans[0], name_of(head), *spans[1], target, confidence, value, datatype),
            )
        )
        for word, span in zip((head, tail), spans, strict=True):
            kind = ENTITIES.get(word, "Date")
            entity = name_of(word) if kind != "Date" else ""
            mentions[doc_id, span] = Mention(doc_id, number, *span, word, kind, 0.9, entity)
    return {
        "documents": [Document(k, k, "", text, "{}", "0" * 64) for k, text in TEXTS.items()],
        "entities": [Entity(name_of(label), kind, label, 2, 1, 0.9) for label, kind in reversed(ENTITIES.items())],
        "evidence": evidence,
        "facts": list(facts.values()),
        "mentions": list(mentions.values()),
        "relations": relations,
    }


def quads(rows, ns=NS):
    """The graph that export makes of the tables, its members in the chain's order."""
    of = {f.fact_id: [e for e in rows["evidence"] if e.fact_id == f.fact_id] for f in rows["facts"]}
    for entity in rows["entities"]:
        yield from entity_quads(ns, entity, [])
    for fact in rows["facts"]:
        yield from fact_quads(ns, fact, of[fact.fact_id])
    yield from link_quads(ns, rows["mentions"])
    for d in rows["documents"]:
        of_it = ([r for r in rows[name] if r.doc_id == d.doc_id] for name in ("mentions", "relations"))
        yield from document_quads(ns, d, *of_it, "run")
    yield from meta_quads(ns, Holdings(1, len(TEXTS), {}, 0, {}), "run")


def write_output(folder, rows, status="done", ns=NS):
    """A finished build, as far as its readers look."""
    for name, records in rows.items():
        (folder / "tables" / name).mkdir(parents=True)
        half = len(records) // 2
        for part, some in (("01-0000", records[:half]), ("01-0001", records[half:])):
            pq.write_table(to_table(name, some), folder / "tables" / name / f"{part}.{'0' * 16}.parquet")
    lines = "".join(quads(rows, ns)).encode()
    (folder / "graph").mkdir()
    (folder / "graph" / "graph.nq.gz").write_bytes(gzip.compress(lines, mtime=0))
    ontology = folder.with_suffix(".toml")
    ontology.write_text(format_ontology(ns.ontology))
    run = {
        "status": status,
        "config": {"base_iri": ns.base_iri, "dataset": ns.dataset, "ontology": str(ontology)},
        "graph": {"sha256": hashlib.sha256(lines).hexdigest()},
    }
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "format.json").write_text('{"format": 3}')
    return str(folder)
