"""Shapes: pySHACL, and SPARQL over the whole, give the same verdicts on a good graph and on each kind of bad one."""

import pyoxigraph as ox
import pyshacl
import pytest
import rdflib

from kgmill.pipelines.graph.checks import Violation, checks_of, violations
from kgmill.pipelines.graph.documents import document_quads
from kgmill.pipelines.graph.ontology import ontology_graph
from kgmill.pipelines.graph.shacl import shapes_graph, shapes_turtle
from kgmill.pipelines.graph.shapes import shapes_of
from kgmill.pipelines.graph.small import small_quads
from kgmill.pipelines.graph.statements import entity_quads, fact_quads, link_quads, provenance_quads
from kgmill.pipelines.graph.vocabulary import KGMILL, NIF, PROV, RDF, RDFS, Namespace
from kgmill.schemas.literals import XSD
from kgmill.schemas.ontology import parse_ontology
from kgmill.schemas.records import Document, Entity, Evidence, Fact, Mention, Relation

ONTOLOGY = parse_ontology(
    {
        "entities": {
            "Peop": {},
            "Org": {},
            "Place": {"iri": "https://schema.org/Place"},
            "City": {"parent": "Place"},
            "Day": {"literal": "date"},
        },
        "relations": {
            "Live In": {"head": ["Peop"], "tail": ["Place", "Org"]},
            "Born": {"head": ["Peop"], "tail": ["Day"]},
            "In": {"head": ["Place", "Org"], "tail": ["Place"]},
        },
    },
    "test",
)
NS = Namespace("https://kg.example.org/", "kg", ONTOLOGY)
E, V, D = "https://kg.example.org/kg/entity/", "https://kg.example.org/vocab#", "https://kg.example.org/kg/doc/d"
S, SH = "https://kg.example.org/kg/statement/", "http://www.w3.org/ns/shacl#"
TEXT = "Ada lived in London. Ada was born in 1815. Rest."
DOCUMENT = Document("d", "d.txt", "", TEXT, "{}", "ab" * 32)
MENTIONS = [
    Mention("d", 0, 0, 3, "Ada", "Peop", 0.9, "ada"),
    Mention("d", 0, 13, 19, "London", "City", 0.8, "london"),
    Mention("d", 1, 21, 24, "Ada", "Peop", 0.9, "ada"),
    Mention("d", 1, 37, 41, "1815", "Day", 1.0, ""),
    Mention("d", 2, 43, 47, "Rest", "Org", 0.5, "rest"),
]
RELATIONS = [
    Relation("x1", "f1", "d", 0, 0, 20, "Live In", 0, 3, "ada", 13, 19, "london", 0.9),
    Relation("x2", "f2", "d", 1, 21, 42, "Born", 21, 24, "ada", 37, 41, "", 0.7, "1815", f"{XSD}gYear"),
]
FACTS = [
    Fact("f1", "ada", "Live In", "london", 0.9, 1, 1),
    Fact("f2", "ada", "Born", "", 0.7, 1, 1, "1815", f"{XSD}gYear"),
]
ENTITIES = [
    Entity("ada", "Peop", "Ada", 2, 1, 0.9),
    Entity("london", "City", "London", 1, 1, 0.8),
    Entity("rest", "Org", "Rest", 1, 1, 0.5),
]
ONE, HALF = f'"1"^^<{XSD}integer>', f'"0.5"^^<{XSD}decimal>'


def good():
    """The lines of a whole graph."""
    lines = [*small_quads(ontology_graph(NS, ONTOLOGY), NS.graph("ontology"))]
    lines += [line for entity in ENTITIES for line in entity_quads(NS, entity, [])]
    for fact, relation in zip(FACTS, RELATIONS, strict=True):
        evidence = Evidence(fact.fact_id, relation.statement_id, "d", 0, 20, 0, 3, 13, 19, 0.9)
        lines += fact_quads(NS, fact, [evidence])
    lines += document_quads(NS, DOCUMENT, MENTIONS, RELATIONS, "3f9a")
    lines += link_quads(NS, MENTIONS)
    lines += provenance_quads(NS, "3f9a", "tiny", "ef" * 32, {})
    return lines


def by_sparql(lines):
    """What the queries find in a graph."""
    store = ox.Store()
    store.load("".join(lines).encode(), format=ox.RdfFormat.N_QUADS)
    return violations(store, NS)


def by_pyshacl(lines):
    """What pySHACL finds in it, with all graphs as one."""
    data = rdflib.Graph()
    for line in lines:
        data.parse(data=f"{line.rsplit(' ', 2)[0]} .", format="nt")
    conforms, report, _ = pyshacl.validate(data, shacl_graph=shapes_graph(NS))
    found = set()
    sh = rdflib.Namespace(SH)
    for result in report.subjects(rdflib.RDF.type, sh.ValidationResult):
        rule = str(report.value(result, sh.sourceConstraintComponent))
        path = str(report.value(result, sh.resultPath) or "")
        rule = rule.removeprefix(SH).removesuffix("ConstraintComponent")
        found.add(Violation(str(report.value(result, sh.focusNode)), path, rule))
    assert conforms == (not found)
    return sorted(found)


def test_good_graph_keeps_to_the_shapes():
    """Both find nothing, also with a subclass as a tail, a value as one, and nodes without a sentence."""
    assert (by_sparql(good()), by_pyshacl(good())) == ([], [])


BAD = {
    # what is added, or (what is taken, what stands in its place); then the node, the property and the rule
    "no label": ((f'<{E}ada> <{RDFS}label> "Ada"', ""), (f"{E}ada", f"{RDFS}label", "MinCount")),
    "two labels": (f'<{E}ada> <{RDFS}label> "Ada Byron"', (f"{E}ada", f"{RDFS}label", "MaxCount")),
    "label that is no string": (
        (f'<{E}ada> <{RDFS}label> "Ada"', f'<{E}ada> <{RDFS}label> "Ada"@en'),
        (f"{E}ada", f"{RDFS}label", "Datatype"),
    ),
    "count of no kind": (
        (f"<{E}rest> <{KGMILL}mentionCount> {ONE}", f'<{E}rest> <{KGMILL}mentionCount> "1"^^<{XSD}decimal>'),
        (f"{E}rest", f"{KGMILL}mentionCount", "Or"),
    ),
    "count of nothing": (
        (f"<{E}rest> <{KGMILL}mentionCount> {ONE}", f'<{E}rest> <{KGMILL}mentionCount> "0"^^<{XSD}integer>'),
        (f"{E}rest", f"{KGMILL}mentionCount", "MinInclusive"),
    ),
    "too sure": (
        (f"<{E}rest> <{KGMILL}confidence> {HALF}", f'<{E}rest> <{KGMILL}confidence> "1.5"^^<{XSD}decimal>'),
        (f"{E}rest", f"{KGMILL}confidence", "MaxInclusive"),
    ),
    "wrong tail": (f"<{E}ada> <{V}Live%20In> <{E}ada>", (f"{E}ada", f"{V}Live%20In", "Or")),
    "wrong only tail": (f"<{E}rest> <{V}In> <{E}ada>", (f"{E}rest", f"{V}In", "Class")),
    "value that is a thing": (f"<{E}ada> <{V}Born> <{E}london>", (f"{E}ada", f"{V}Born", "Or")),
    "value of another kind": (f"<{E}ada> <{V}Born> {ONE}", (f"{E}ada", f"{V}Born", "Or")),
    "wrong head": (f"<{E}rest> <{V}Live%20In> <{E}london>", (f"{E}rest", "", "Class")),
    "wrong head of several": (f"<{E}ada> <{V}In> <{E}london>", (f"{E}ada", "", "Or")),
    "unknown head": (f"<{E}nobody> <{V}Live%20In> <{E}london>", (f"{E}nobody", "", "Class")),
    "fact without evidence": (
        (f"<{S}a-f1> <{PROV}wasDerivedFrom> <{S}x-x1>", ""),
        (f"{S}a-f1", f"{PROV}wasDerivedFrom", "MinCount"),
    ),
    "evidence that is not there": (
        f"<{S}a-f1> <{PROV}wasDerivedFrom> <{S}x-gone>",
        (f"{S}a-f1", f"{PROV}wasDerivedFrom", "Class"),
    ),
    "fact of two properties": (
        f"<{S}a-f1> <{RDF}predicate> <{V}Born>",
        (f"{S}a-f1", f"{RDF}predicate", "MaxCount"),
    ),
    "fact of an unknown property": (
        (f"<{S}a-f1> <{RDF}predicate> <{V}Live%20In>", f"<{S}a-f1> <{RDF}predicate> <{V}Killed>"),
        (f"{S}a-f1", f"{RDF}predicate", "In"),
    ),
    "fact about a value": (
        (f"<{S}a-f1> <{RDF}subject> <{E}ada>", f'<{S}a-f1> <{RDF}subject> "Ada"'),
        (f"{S}a-f1", f"{RDF}subject", "Or"),
    ),
    "extraction without a sentence": (
        (f"<{S}x-x1> <{KGMILL}sentence> <{D}#char=0,20>", ""),
        (f"{S}x-x1", f"{KGMILL}sentence", "MinCount"),
    ),
    "extraction of a mention that is not there": (
        (f"<{S}x-x1> <{KGMILL}objectMention> <{D}#char=13,19>", f"<{S}x-x1> <{KGMILL}objectMention> <{D}#char=1,2>"),
        (f"{S}x-x1", f"{KGMILL}objectMention", "Class"),
    ),
    "extraction by nobody": (
        (f"<{S}x-x1> <{PROV}wasGeneratedBy> <https://kg.example.org/kg/run/3f9a>", ""),
        (f"{S}x-x1", f"{PROV}wasGeneratedBy", "MinCount"),
    ),
    "mention before the text": (
        (f'<{D}#char=43,47> <{NIF}beginIndex> "43"^^<{XSD}integer>', f"<{D}#char=43,47> <{NIF}beginIndex> {-1}"),
        (f"{D}#char=43,47", f"{NIF}beginIndex", "MinInclusive"),
    ),
    "mention without words": (
        (f'<{D}#char=43,47> <{NIF}anchorOf> "Rest"', ""),
        (f"{D}#char=43,47", f"{NIF}anchorOf", "MinCount"),
    ),
    "mention of an unknown class": (
        f"<{D}#char=43,47> <http://www.w3.org/2005/11/its/rdf#taClassRef> <{V}Animal>",
        (f"{D}#char=43,47", "http://www.w3.org/2005/11/its/rdf#taClassRef", "In"),
    ),
    "link to nothing": (
        f"<{D}#char=43,47> <http://www.w3.org/2005/11/its/rdf#taIdentRef> <{E}gone>",
        (f"{D}#char=43,47", "http://www.w3.org/2005/11/its/rdf#taIdentRef", "Or"),
    ),
    "sentence without a context": (
        (f"<{D}#char=0,20> <{NIF}referenceContext> <{D}#char=0,48>", ""),
        (f"{D}#char=0,20", f"{NIF}referenceContext", "MinCount"),
    ),
    "context of no document": (
        (f"<{D}#char=0,48> <{NIF}sourceUrl> <{D}>", f"<{D}#char=0,48> <{NIF}sourceUrl> <{D}x>"),
        (f"{D}#char=0,48", f"{NIF}sourceUrl", "Class"),
    ),
    "document without a source": (
        (f'<{D}> <http://purl.org/dc/terms/source> "d.txt"', ""),
        (D, "http://purl.org/dc/terms/source", "MinCount"),
    ),
    "hash that is none": (
        (f'<{D}> <{KGMILL}textSha256> "{"ab" * 32}"', f'<{D}> <{KGMILL}textSha256> "ABAB"'),
        (D, f"{KGMILL}textSha256", "Pattern"),
    ),
}


def worsened(change):
    """A good graph with a line more, less or changed."""
    graph = f" <{NS.graph('kg')}> .\n"
    old, new = change if isinstance(change, tuple) else ("", change)
    new = new.replace("> -1", f'> "-1"^^<{XSD}integer>')
    lines = [line for line in good() if not old or line.rsplit(" ", 2)[0] != old]
    assert len(lines) == len(good()) - bool(old)
    return [*lines, *([new + graph] if new else [])]


@pytest.mark.parametrize(("change", "expected"), BAD.values(), ids=BAD)
def test_bad_graph_is_found_by_both(change, expected):
    """The node, the property and the rule are the same for both, and nothing else is wrong."""
    found = by_sparql(worsened(change))
    assert found == by_pyshacl(worsened(change))
    assert Violation(*expected) in found


def test_each_kind_of_rule_was_broken():
    """No rule that the shapes have is missing from the bad graphs."""
    assert {check.rule for check in checks_of(NS)} == {expected[2] for _, expected in BAD.values()}


def test_shapes_have_no_blank_nodes_and_names_of_their_own():
    """What goes into the store has names, the nodes of lists too; no two properties share a shape."""
    parsed = ox.parse(shapes_turtle(NS).encode(), format=ox.RdfFormat.TURTLE)
    assert not any(isinstance(term, ox.BlankNode) for t in parsed for term in (t.subject, t.object))
    shapes = shapes_of(NS)
    properties = {(p.name, p) for shape in shapes for p in shape.properties}
    assert len({name for name, _ in properties} | {shape.name for shape in shapes}) == len(properties) + len(shapes)


def test_file_holds_what_the_store_gets():
    """shapes.ttl and graph/shapes are the same triples."""
    parsed = rdflib.Graph().parse(data=shapes_turtle(NS), format="turtle")
    assert small_quads(parsed, NS.graph("shapes")) == small_quads(shapes_graph(NS), NS.graph("shapes"))
