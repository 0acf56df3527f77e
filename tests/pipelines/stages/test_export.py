"""Export: hand-made tables to graph files, on a real Beam runner."""

import gzip
import hashlib
import json
from dataclasses import asdict, replace
from itertools import groupby

import networkx as nx
import pyoxigraph
import pytest
import rdflib

from kgmill.pipelines.engine.progress import Teller
from kgmill.pipelines.graph.formats import GraphFormat
from kgmill.pipelines.stages import export, graph
from kgmill.pipelines.storage.files import remove
from kgmill.schemas.decisions import link_key
from kgmill.schemas.errors import CorruptPartError
from kgmill.schemas.identity import entity_id, fact_id, statement_id
from kgmill.schemas.ontology import parse_ontology
from kgmill.schemas.records import Document, Entity, Evidence, Fact, Mention, Name, Relation
from kgmill.schemas.tables import to_table

TEXT = 'Ada Byron lives in "London".\nBob left.'
ADA, LONDON, BOB = "ada-byron-6998d6a848a45b69", "london-72fb52add76af9fe", "bob-fe69defd7d1d6db1"
LIVES = fact_id(ADA, "Live_In", LONDON)
STATEMENT = statement_id("a b.txt", (0, 9), (20, 26), "Live_In")
DOCUMENTS = [
    Document("a b.txt", "a b.txt", "A \\ letter", TEXT, "{}", "ab" * 32),
    Document("\u0141\u00f3d\u017a", "news.jsonl:2", "", "Nothing.", "{}", "cd" * 32),
]
MENTIONS = [
    Mention("a b.txt", 0, 0, 9, "Ada Byron", "Peop", 0.9, ADA),
    Mention("a b.txt", 0, 20, 26, "London", "Loc", 0.8, LONDON),
    Mention("a b.txt", 1, 29, 32, "Bob", "Peop", 0.7, BOB),
]
RELATIONS = [Relation(STATEMENT, LIVES, "a b.txt", 0, 0, 28, "Live_In", 0, 9, ADA, 20, 26, LONDON, 0.75)]
ENTITIES = [
    Entity(LONDON, "Loc", "London", 1, 1, 0.8),
    Entity(ADA, "Peop", "Ada Byron", 1, 1, 0.9),
    Entity(BOB, "Peop", "Bob", 1, 1, 0.7),
]
CALLED = [
    Name(LONDON, "London", "", 1),
    Name(ADA, "Ada Byron", "", 1),
    Name(ADA, "Countess of Lovelace", "decision", 1),
    Name(ADA, "Byron", "short", 1),
    Name(BOB, "Bob", "", 1),
]
FACTS = [Fact(LIVES, ADA, "Live_In", LONDON, 0.75, 1, 1)]
EVIDENCE = [Evidence(LIVES, STATEMENT, "a b.txt", 0, 28, 0, 9, 20, 26, 0.75)]
KG = "https://kg.example.org/"
ONTOLOGY = {
    "entities": {"Peop": {}, "Loc": {}},
    "relations": {"Live_In": {"head": ["Peop"], "tail": ["Loc"]}},
}
NAMES = export.Names(
    base_iri=KG,
    dataset="kg",
    ontology=parse_ontology(ONTOLOGY, "test"),
    run_key="3f9a",
    model="ef" * 32,
    model_name="small",
    configuration={"min_confidence": 0.5},
)
FORMATS = ("graphml", "json", "nq")


@pytest.fixture
def parts(store):
    """The parts of one unit and one partition, by stage."""

    def commit(stage, letter, **tables):
        rows = {name: to_table(name, records) for name, records in tables.items()}
        return [store.commit(stage, "00-0000", letter * 64, rows, {"kept": len(DOCUMENTS)})]

    return {
        "ingest": commit("ingest", "a", documents=DOCUMENTS, rejects=[]),
        "decode": commit("decode", "b", mentions=MENTIONS, relations=RELATIONS),
        "aggregate": commit("aggregate", "c", entities=ENTITIES, names=CALLED, facts=FACTS, evidence=EVIDENCE),
    }


class Graph:
    """The files of a graph, each in a part of its own."""

    def __init__(self, parts):
        self.parts = {part.unit: part for part in parts}
        self.files = {name: file for part in parts for name, file in part.files.items()}

    def read_bytes(self, name):
        return next(part for part in self.parts.values() if name in part.files).read_bytes(name)


@pytest.fixture
def run_members(run, store, parts):
    """Exports the members; returns all of them."""

    def run_members(**names):
        done, tasks, settings = export.plan(
            store, parts["ingest"], parts["decode"], parts["aggregate"], replace(NAMES, **names)
        )
        receipts = run(store, "export", tasks, settings) if tasks else {}
        return [*done, *(store.find("export", unit, receipt.fingerprint) for unit, receipt in receipts.items())]

    return run_members


@pytest.fixture
def run_export(run, store, parts, run_members):
    """Exports; returns the graph."""

    def run_export(formats=FORMATS, **names):
        members = run_members(**names)
        done, tasks, settings = graph.plan(store, members, parts["aggregate"], replace(NAMES, **names), formats)
        receipts = run(store, "graph", tasks, settings) if tasks else {}
        made = [store.find("graph", unit, receipt.fingerprint) for unit, receipt in receipts.items()]
        return Graph([*done, *made])

    return run_export


def quads(made):
    return gzip.decompress(made.read_bytes("graph.nq.gz"))


def network(graph, name):
    """The graph that NetworkX loads from one of its two files."""
    data = gzip.decompress(graph.read_bytes(name))
    if name == "graph.json.gz":
        return nx.node_link_graph(json.loads(data), edges="edges")
    return nx.parse_graphml(data.decode(), force_multigraph=True)


def test_graph_folder_has_the_wanted_files(run_export):
    """The ontology is always there; the formats are those that were asked for."""
    assert sorted(run_export().files) == [
        "graph.graphml.gz",
        "graph.json.gz",
        "graph.nq.gz",
        "ontology.ttl",
        "shapes.ttl",
    ]
    assert sorted(run_export(formats=("json",)).files) == ["graph.json.gz", "ontology.ttl", "shapes.ttl"]


@pytest.mark.filterwarnings("ignore:Dataset.*:DeprecationWarning")  # rdflib's own parser calls what rdflib deprecates
def test_two_parsers_read_the_same_quads(run_export, run_members, store):
    """pyoxigraph and rdflib read the same set, which has as many quads as lines and as the members count."""
    lines = quads(run_export())
    counts = graph.commit_members(store, NAMES.namespace, run_members(), []).counts
    oxigraph = {
        (q.subject.value, q.predicate.value, q.object.value, q.graph_name.value)
        for q in pyoxigraph.parse(lines, format=pyoxigraph.RdfFormat.N_QUADS)
    }
    dataset = rdflib.Dataset()
    dataset.parse(data=lines, format="nquads")
    assert {(str(s), str(p), str(o), str(g)) for s, p, o, g in dataset.quads()} == oxigraph
    assert (len(oxigraph), counts["quads"]) == (lines.count(b"\n"), lines.count(b"\n"))


def test_sha256_is_of_the_uncompressed_bytes(run_export):
    """The part tells the hash by which run.json and loaders know the graph."""
    made = run_export()
    assert made.parts["format-nq"].counts == {"sha256": hashlib.sha256(quads(made)).hexdigest()}


def test_named_graphs_stand_together(run_export):
    """What there is one of, what people ask, what ties it to the documents, and these; none is met twice."""
    met = [key for key, _ in groupby(line.rsplit(b" ", 2)[1].decode() for line in quads(run_export()).splitlines())]
    names = (
        "provenance/3f9a",
        "ontology",
        "shapes",
        "kg",
        "redirects",
        "links",
        "doc/a%20b.txt",
        "doc/%C5%81%C3%B3d%C5%BA",
        "meta",
    )
    assert met == [f"<{KG}kg/graph/{name}>" for name in names]


def test_meta_counts_all_other_graphs(run_export):
    """The dataset's description, which is written last, says how many triples its other graphs hold."""
    lines = quads(run_export()).decode().splitlines()
    others = [line for line in lines if not line.endswith(f"<{KG}kg/graph/meta> .")]
    void, integer = "http://rdfs.org/ns/void#", "http://www.w3.org/2001/XMLSchema#integer"
    assert f'<{KG}kg> <{void}triples> "{len(others)}"^^<{integer}> <{KG}kg/graph/meta> .' in lines


def test_fact_is_a_triple_with_evidence(run_export):
    """The triple stands in the graph of facts, beside the statement that names its evidence."""
    lines = quads(run_export()).decode().splitlines()
    kg = f"<{KG}kg/graph/kg>"
    assert f"<{KG}kg/entity/{ADA}> <{KG}vocab#Live_In> <{KG}kg/entity/{LONDON}> {kg} ." in lines
    derived = "<http://www.w3.org/ns/prov#wasDerivedFrom>"
    assert f"<{KG}kg/statement/a-{LIVES}> {derived} <{KG}kg/statement/x-{STATEMENT}> {kg} ." in lines


def test_fact_that_is_not_asserted_is_a_statement_alone(store, parts, run_export):
    """Without its triple it can still be asked for, by subject, property and object of its statement."""
    tables = {"entities": ENTITIES, "names": CALLED, "facts": [replace(FACTS[0], asserted=False)], "evidence": EVIDENCE}
    rows = {name: to_table(name, records) for name, records in tables.items()}
    parts["aggregate"] = [store.commit("aggregate", "00-0000", "d" * 64, rows, {})]
    made = run_export()
    lines = quads(made).decode().splitlines()
    assert not [line for line in lines if f"> <{KG}vocab#Live_In> <{KG}kg/entity/" in line]
    assert sum(line.startswith(f"<{KG}kg/statement/a-{LIVES}> ") for line in lines) == 10
    assert [key for _, _, key in network(made, "graph.json.gz").edges(keys=True)] == [f"a-{LIVES}"]


def test_entity_has_its_other_names(run_export):
    """Each name that isn't the label is another label, short ones too, in the one graph that people ask."""
    lines = quads(run_export()).decode().splitlines()
    alias, kg = "<http://www.w3.org/2004/02/skos/core#altLabel>", f"<{KG}kg/graph/kg>"
    assert [line for line in lines if alias in line] == [
        f'<{KG}kg/entity/{ADA}> {alias} "Byron" {kg} .',
        f'<{KG}kg/entity/{ADA}> {alias} "Countess of Lovelace" {kg} .',
    ]


def test_old_ids_lead_to_the_entity(run_export):
    """What a name alone would be called leads to the entity that it was joined to; short names are called nothing."""
    lines = quads(run_export()).decode().splitlines()
    replaced = "<http://purl.org/dc/terms/isReplacedBy>"
    countess, ada = (f"<{KG}kg/entity/{name}>" for name in (entity_id("Countess of Lovelace"), ADA))
    graph_name = f"<{KG}kg/graph/redirects>"
    assert [line for line in lines if line.endswith(f"{graph_name} .")] == [
        f"{countess} {replaced} {ada} {graph_name} ."
    ]


def test_others_names_for_entities(run_export, run_members, store, parts):
    """An IRI that others have for one of an entity's names is told of it; only what it is told in is made anew."""
    run_export()
    links = {
        link_key("Byron", "Peop"): ("http://a.org/1", "http://a.org/2"),
        link_key("Bob", "Loc"): ("http://a.org/3",),
    }
    _, tasks, _ = export.plan(store, parts["ingest"], parts["decode"], parts["aggregate"], replace(NAMES, links=links))
    assert [task.unit for task in tasks] == ["kg-00-0000", "meta"]
    lines = quads(run_export(links=links)).decode().splitlines()
    same = "<http://www.w3.org/2004/02/skos/core#exactMatch>"
    assert [line for line in lines if same in line] == [
        f"<{KG}kg/entity/{ADA}> {same} <http://a.org/{n}> <{KG}kg/graph/kg> ." for n in (1, 2)
    ]


def test_mention_is_a_span_of_its_document(run_export):
    """A mention's span says its text in its document's graph, in code points of the text; links say its entity."""
    lines = quads(run_export()).decode().splitlines()
    span, document = f"<{KG}kg/doc/a%20b.txt#char=20,26>", f"<{KG}kg/graph/doc/a%20b.txt>"
    nif = "http://persistence.uni-leipzig.org/nlp2rdf/ontologies/nif-core#"
    assert f'{span} <{nif}anchorOf> "London" {document} .' in lines
    identified = "<http://www.w3.org/2005/11/its/rdf#taIdentRef>"
    assert f"{span} {identified} <{KG}kg/entity/{LONDON}> <{KG}kg/graph/links> ." in lines


@pytest.mark.parametrize("name", ["graph.graphml.gz", "graph.json.gz"])
def test_networks_have_all_attributes(run_export, name):
    """Nodes and edges of both files have the entities' and facts' fields."""
    found = network(run_export(), name)
    assert dict(found.nodes(data=True)) == {
        f"{KG}kg/entity/{key}": {
            "entity_id": key,
            "type": type_name,
            "name": label,
            "n_mentions": 1,
            "n_documents": 1,
            "confidence": confidence,
        }
        for key, type_name, label, confidence in (
            (ADA, "Peop", "Ada Byron", 0.9),
            (BOB, "Peop", "Bob", 0.7),
            (LONDON, "Loc", "London", 0.8),
        )
    }
    assert list(found.edges(keys=True, data=True)) == [
        (
            f"{KG}kg/entity/{ADA}",
            f"{KG}kg/entity/{LONDON}",
            f"a-{LIVES}",
            {
                "fact_id": LIVES,
                "relation": "Live_In",
                "iri": f"{KG}vocab#Live_In",
                "confidence": 0.75,
                "n_evidence": 1,
                "n_documents": 1,
                "evidence": '[{"doc_id":"a b.txt","sentence":[0,28],"head":[0,9],"tail":[20,26],"confidence":0.75}]',
            },
        )
    ]


def test_networks_are_equal(run_export):
    """GraphML and node-link JSON load to equal graphs."""
    made = run_export()
    assert nx.utils.graphs_equal(network(made, "graph.graphml.gz"), network(made, "graph.json.gz"))


def test_empty_tables_are_a_graph(run, store):
    """A corpus in which nothing was found has provenance and ontology, and networks without nodes."""
    empty = {name: to_table(name, []) for name in ("entities", "names", "facts", "evidence")}
    part = store.commit("aggregate", "00-0000", "c" * 64, empty, {})
    _, tasks, settings = export.plan(store, [], [], [part], NAMES)
    receipts = run(store, "export", tasks, settings)
    members = [store.find("export", unit, receipt.fingerprint) for unit, receipt in receipts.items()]
    _, formats, settings = graph.plan(store, members, [part], NAMES, FORMATS)
    receipts = run(store, "graph", formats, settings)
    made = Graph([store.find("graph", unit, receipt.fingerprint) for unit, receipt in receipts.items()])
    assert [task.unit for task in tasks] == ["provenance", "ontology", "kg-00-0000", "redirects-00-0000", "meta"]
    assert {line.rsplit(b"/", 1)[1] for line in quads(made).splitlines()} == {
        b"3f9a> .",
        b"ontology> .",
        b"shapes> .",
        b"meta> .",
    }
    assert (len(network(made, "graph.graphml.gz")), len(network(made, "graph.json.gz"))) == (0, 0)


def test_unchanged_members_are_reused(run_export, store, parts):
    """Another run's key makes provenance, documents and description anew; entities, facts and links stay."""
    run_export()
    done, tasks, _ = export.plan(
        store, parts["ingest"], parts["decode"], parts["aggregate"], replace(NAMES, run_key="4b0c")
    )
    assert ([part.unit for part in done], [task.unit for task in tasks]) == (
        ["ontology", "kg-00-0000", "redirects-00-0000", "links-00-0000"],
        ["provenance", "doc-00-0000", "meta"],
    )


def test_name_of_the_model_is_in_provenance_alone(run_export, store, parts):
    """A model that is only called otherwise makes no document's member anew."""
    run_export()
    _, tasks, _ = export.plan(
        store, parts["ingest"], parts["decode"], parts["aggregate"], replace(NAMES, model_name="large")
    )
    assert [task.unit for task in tasks] == ["provenance", "meta"]


def test_words_of_the_ontology_are_in_its_own_graph_alone(run_export, store, parts):
    """A new label or comment makes no document, no link and no fact anew."""
    run_export()
    words = ONTOLOGY | {"entities": {"Peop": {"label": "Person", "comment": "One."}, "Loc": {}}}
    _, tasks, _ = export.plan(
        store,
        parts["ingest"],
        parts["decode"],
        parts["aggregate"],
        replace(NAMES, ontology=parse_ontology(words, "test")),
    )
    assert [task.unit for task in tasks] == ["ontology", "meta"]


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: data[:-9] + b"\0" + data[-8:]])
def test_damaged_member_is_refused(run_export, store, damage):
    """A member that is cut or altered comes into no graph, though only the other members are made anew."""
    run_export()
    [path] = (store.storage.root / "parts" / "export").glob("kg-*/quads.nq.gz")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CorruptPartError, match="not the bytes that were committed"):
        run_export(run_key="4b0c")
    assert len(list((store.storage.root / "parts" / "graph").glob("format-nq.*"))) == 1


def test_each_format_is_reused_alone(run_export, run, store, parts, run_members):
    """Another format, or another run's key, makes no other file anew than the one that it changes."""
    run_export(formats=("json",))

    def made(formats, **names):
        named = replace(NAMES, **names)
        return [task.form for task in graph.plan(store, run_members(**names), parts["aggregate"], named, formats)[1]]

    assert made(("graphml", "json")) == ["graphml"]
    run_export()
    assert (made(FORMATS), made(("nq",)), made(FORMATS, run_key="4b0c")) == ([], [], ["nq"])


def test_tasks_do_not_carry_the_ontology(store, parts):
    """What all tasks share is in the settings, once."""
    _, tasks, _ = export.plan(store, parts["ingest"], parts["decode"], parts["aggregate"], NAMES)
    assert [field for task in tasks for field in asdict(task)] == ["unit", "fingerprint", "inputs"] * len(tasks)
    assert all(len(json.dumps(asdict(task))) < 300 for task in tasks)


def test_fingerprints_of_members_are_those_of_before(store, parts):
    """A folder that an earlier version built keeps its members."""
    _, tasks, _ = export.plan(store, parts["ingest"], parts["decode"], parts["aggregate"], NAMES)
    assert {task.unit: task.fingerprint[:16] for task in tasks} == {
        "provenance": "a11ada798049678e",
        "ontology": "efe5ca863253010a",
        "kg-00-0000": "37c04820468a91f3",
        "redirects-00-0000": "2fa6f2a226b03fd9",
        "links-00-0000": "604f7642740cace4",
        "doc-00-0000": "16a16c2e3d604be9",
        "meta": "1121847f41aa4f37",
    }


def test_format_reads_no_more_than_it_says(store, parts, run_members):
    """A file would not be made anew when something changed that its format doesn't name: no words, no quads."""
    words = ONTOLOGY | {"entities": {"Peop": {"label": "Person"}, "Loc": {}}}
    named = replace(NAMES, ontology=parse_ontology(words, "test"))
    settings = graph.plan(store, run_members(), parts["aggregate"], named, FORMATS)[2]
    form = GraphFormat("graph.toy", lambda graph, path: {}, reads="tables")
    given = graph.graph_of(store, settings, form, Teller(store.scratch(), "toy"))
    assert [entity.label for entity in given.entities()] == ["London", "Ada Byron", "Bob"]
    assert given.ns.ontology.entities["Peop"].label == ""
    with pytest.raises(TypeError, match=r"graph.toy says that it reads tables, and reads what export made"):
        list(given.members())


def test_equal_input_makes_equal_files(run_export, store):
    """A second export, of new members from the same parts, has the same bytes in every file."""
    first = run_export()
    for job in ("export", "graph"):
        remove(store.storage.root / "parts" / job)
    second = run_export()
    assert {name: file["sha256"] for name, file in first.files.items()} == {
        name: file["sha256"] for name, file in second.files.items()
    }


@pytest.mark.parametrize("name", ["graph.nq.gz", "graph.graphml.gz", "graph.json.gz"])
def test_gzip_header_has_neither_time_nor_name(run_export, name):
    """The flags, which would announce a name, and the time are zero (RFC 1952, section 2.3)."""
    assert run_export().read_bytes(name)[3:8] == b"\0\0\0\0\0"
