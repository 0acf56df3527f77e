"""A graph of a few entities and facts, whose texts hold what files keep for themselves: what tests of formats share."""

import gzip

from kgmill.pipelines.graph.documents import document_quads
from kgmill.pipelines.graph.formats import Graph, graph_formats
from kgmill.pipelines.graph.ontology import ontology_graph
from kgmill.pipelines.graph.small import small_quads
from kgmill.pipelines.graph.statements import entity_quads, fact_quads
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.schemas.ontology import parse_ontology
from kgmill.schemas.records import Document, Entity, Evidence, Fact, Mention, Name

XSD = "http://www.w3.org/2001/XMLSchema#"
WDT, WD, SCHEMA = "http://www.wikidata.org/prop/direct/", "http://www.wikidata.org/entity/", "https://schema.org/"
BIOLINK = "https://w3id.org/biolink/vocab/"
ONTOLOGY = {
    "entities": {
        "Agent": {"equivalent": [f"{BIOLINK}Agent"]},
        "Person": {"parent": "Agent", "equivalent": [f"{SCHEMA}Person"], "narrower": [f"{WD}Q5"]},
        "Place": {
            "labels": {"de": "Ort", "ar": "مكان"},
            "equivalent": [f"{SCHEMA}Place"],
            "broader": [f"{WD}Q17334923"],
        },
        "Thing": {},
        "Date": {"literal": "date"},
    },
    "relations": {
        "born_in": {"head": ["Person"], "tail": ["Place"], "equivalent": [f"{WDT}P19", f"{SCHEMA}birthPlace"]},
        "born_on": {
            "head": ["Person"],
            "tail": ["Date"],
            "equivalent": ["http://schema.org/birthDate"],
            "close": [f"{WDT}P569"],
        },
        "spouse": {"head": ["Person"], "tail": ["Person"], "symmetric": True, "equivalent": [f"{WD}P26"]},
        "child": {"head": ["Person"], "tail": ["Person"], "equivalent": [f"{WDT}P40"], "inverse": "parent"},
        "parent": {"head": ["Person"], "tail": ["Person"]},
        "father": {"head": ["Person"], "tail": ["Person"], "parent": "parent", "equivalent": [f"{WDT}P22"]},
        "lives_in": {"head": ["Person"], "tail": ["Place"], "close": [f"{WDT}P551"], "narrower": [f"{SCHEMA}address"]},
    },
}
NS = Namespace("https://kg.example.org/", "news", parse_ontology(ONTOLOGY, "test"))
HOSTILE = "\"'\\ ,;|\t\r\n\x00\x01\x0b\x1f\x7f\x85\u2028\ufffe\ud800 \\N \\u0041 عربي\u202e😀 <urn:x> . <<( )>> @en"
ADA = Entity("ada-01", "Person", "Ada", 3, 2, 0.9)
BOB = Entity("bob-02", "Person", HOSTILE, 1, 1, 0.5)
PARIS = Entity("paris-03", "Place", "Paris", 2, 1, 1.0)
LAMP = Entity("lamp-04", "Thing", "a lamp", 1, 1, 0.5)
ENTITIES = [ADA, BOB, PARIS, LAMP]
NAMES = [
    Name("ada-01", "Ada", "", 2),
    Name("ada-01", "Ada B.", "short", 1),
    Name("ada-01", f"A {HOSTILE}", "short", 1),
    Name("paris-03", "Paris", "", 2),
]
LINKS = {"bob-02": (f"{WD}Q2", "urn:other:bob"), "paris-03": (f"{WD}Q90",)}


def fact(number, head, relation, tail="", value="", datatype="", **others):
    return Fact(f"{number:016d}", head, relation, tail, 0.75, 1, 1, value, datatype and XSD + datatype, **others)


FACTS = [
    fact(1, "ada-01", "born_in", "paris-03", first="2004", last="2004-05-03"),
    fact(2, "ada-01", "born_on", value="1815-12-10", datatype="date"),
    fact(3, "ada-01", "born_on", value="1815-12", datatype="gYearMonth"),
    fact(4, "ada-01", "born_on", value=f"day {HOSTILE}", datatype="string"),
    fact(5, "bob-02", "born_on", value="1810", datatype="gYear"),
    fact(6, "ada-01", "spouse", "bob-02"),
    fact(7, "ada-01", "father", "bob-02"),
    fact(8, "bob-02", "child", "ada-01"),
    fact(9, "bob-02", "lives_in", "paris-03"),
    fact(10, "bob-02", "born_in", "paris-03", asserted=False),
    fact(11, "bob-02", "born_on", value="1811", datatype="gYear", asserted=False),
]
EVIDENCE = [Evidence(f.fact_id, f"s{f.fact_id}", f"d {HOSTILE}", 0, 9, 0, 3, 5, 9, 0.5) for f in FACTS]
TEXT = f"Ada {HOSTILE}"
DOCUMENT = Document("d1", "d1.txt", HOSTILE, TEXT, "{}", "ab" * 32)
MENTION = Mention("d1", 0, 0, len(TEXT), TEXT, "Person", 0.9, "ada-01")


def member(lines):
    return gzip.compress("".join(lines).encode())


def sample(entities=ENTITIES, names=NAMES, facts=FACTS, evidence=EVIDENCE, links=LINKS, ns=NS):
    """The graph of these records: members with the ontology, with entities and facts, and with a document."""
    kg = [
        line
        for e in entities
        for line in entity_quads(ns, e, [n for n in names if n.entity_id == e.entity_id], links.get(e.entity_id, ()))
    ]
    kg += [line for f in facts for line in fact_quads(ns, f, [e for e in evidence if e.fact_id == f.fact_id])]
    members = [
        member(small_quads(ontology_graph(ns, ns.ontology), ns.graph("ontology"))),
        member(kg),
        member(document_quads(ns, DOCUMENT, [MENTION], [], "3f9a")),
    ]
    tables = {"entities": entities, "names": names, "facts": facts, "evidence": evidence}
    return Graph(ns, lambda table: iter(tables[table]), lambda: iter(members))


def files_of(name, folder, graph=None):
    """The bytes of a format's files by name, inflated, and what it counted."""
    form = graph_formats()[name]
    counts = form.write(graph or sample(), folder / form.file)
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(found) == sorted(form.files)
    return {n: gzip.decompress(data) if n.endswith(".gz") else data for n, data in found.items()}, counts


def file_of(name, folder, graph=None):
    return files_of(name, folder, graph)[0][graph_formats()[name].file]
