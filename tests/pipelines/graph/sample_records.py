"""One record of each kind, and lines as people read them: what tests of graphs share."""

from kgmill.pipelines.graph.documents import document_quads
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.schemas.ontology import parse_ontology
from kgmill.schemas.records import Document, Evidence, Fact, Mention, Relation

ONTOLOGY = parse_ontology(
    {"entities": {"Peop": {}, "Loc": {}}, "relations": {"Live_In": {"head": ["Peop"], "tail": ["Loc"]}}}, "test"
)
NS = Namespace("https://kg.example.org/", "news", ONTOLOGY)
PREFIXES = {
    "e": "https://kg.example.org/news/entity/",
    "d": "https://kg.example.org/news/doc/",
    "s": "https://kg.example.org/news/statement/",
    "run": "https://kg.example.org/news/run/",
    "g": "https://kg.example.org/news/graph/",
    "m": "https://kg.example.org/model/",
    "v": "https://kg.example.org/vocab#",
    "x": "urn:kgmill:ns:",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "prov": "http://www.w3.org/ns/prov#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "dcterms": "http://purl.org/dc/terms/",
    "nif": "http://persistence.uni-leipzig.org/nlp2rdf/ontologies/nif-core#",
    "itsrdf": "http://www.w3.org/2005/11/its/rdf#",
    "void": "http://rdfs.org/ns/void#",
    "dcat": "http://www.w3.org/ns/dcat#",
}
ADA, LONDON = "ada-lovelace-7f3a9c21d04be855", "london-1b6e44f0c2d97a13"
TEXT = "Yes. Ada Lovelace lived in London."
DOCUMENT = Document("d 42", "letters.jsonl:42", "A letter", TEXT, "{}", "ab" * 32)
MENTIONS = [
    Mention("d 42", 1, 27, 33, "London", "Loc", 0.99, LONDON),
    Mention("d 42", 1, 5, 17, "Ada Lovelace", "Peop", 0.97, ADA),
]
RELATION = Relation("91c2f7", "5d0c9b", "d 42", 1, 5, 34, "Live_In", 5, 17, ADA, 27, 33, LONDON, 0.9312)
FACT = Fact("5d0c9b", ADA, "Live_In", LONDON, 0.981, 2, 1)
EVIDENCE = [
    Evidence("5d0c9b", "91c2f7", "d 42", 5, 34, 5, 17, 27, 33, 0.9312),
    Evidence("5d0c9b", "11aa22", "d 42", 50, 80, 50, 62, 70, 76, 0.72),
]


def short(lines):
    """The lines with prefixes in the place of namespaces."""
    text = "".join(lines)
    for prefix, namespace in PREFIXES.items():
        text = text.replace(f"<{namespace}", f"<{prefix}:")
    return text.splitlines()


def document_lines(document=DOCUMENT, mentions=MENTIONS, relations=(RELATION,)):
    return list(document_quads(NS, document, mentions, relations, "3f9a"))
