"""Facts that end in a value, from scored candidates to graph files, on a real Beam runner; and in a whole build."""

import gzip
import hashlib
import json

import networkx as nx
import pyarrow as pa
import pyarrow.dataset as ds
import pyoxigraph
import pytest

from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.stages import aggregate, combine, decode, export, graph, names, resolve
from kgmill.pipelines.stages.candidates import LINKS, SENTENCES
from kgmill.pipelines.triplestores.query import format_result, query
from kgmill.schemas.identity import entity_id, fact_id
from kgmill.schemas.ontology import parse_ontology
from kgmill.schemas.records import Document
from kgmill.schemas.tables import to_table

XSD = "http://www.w3.org/2001/XMLSchema#"
KG = "https://kg.example.org/"
ONTOLOGY = {
    "entities": {"Peop": {}, "Org": {}, "Date": {"literal": "date"}},
    "relations": {
        "Work_For": {"head": ["Peop"], "tail": ["Org"]},
        "Born_On": {"head": ["Peop"], "tail": ["Date"]},
    },
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
BOB, ACME = entity_id("Bob Stone"), entity_id("Acme Corp")
DAY = fact_id(BOB, "Born_On", "1921-03-14", f"{XSD}date")
SAID = (
    ("Bob Stone", "was born on", "14 March 1921"),
    ("Bob Stone", "has birthdays on", "March 14, 1921"),
    ("Carl May", "was born in", "March 1921"),
    ("Dora Lane", "was born in", "1921"),
    ("Eve Moss", "was born", "last Tuesday"),
    ("Bob Stone", "works for", "Acme Corp"),
)


def inputs():
    """A document a sentence, and what a model would have made of it: two mentions and a relation."""
    documents, rows = [], []
    for n, (head, verb, tail) in enumerate(SAID):
        text = f"{head} {verb} {tail}."
        documents.append(Document(f"d{n}", f"d{n}.txt", "", text, "{}", "00" * 32))
        is_work = tail == "Acme Corp"
        rows.append(
            {
                "doc_id": f"d{n}",
                "sentence": 0,
                "begin": 0,
                "end": len(text),
                "spans": [0, len(head), text.index(tail), text.index(tail) + len(tail)],
                "entity_margin": [4.0, 4.0],
                "type_logits": [9.0, 0.0, 0.0, 0.0, 9.0 * is_work, 9.0 * (not is_work)],
                "pairs": [0, 1],
                "pair_margin": [4.0],
                "relation_logits": [9.0 * is_work, 9.0 * (not is_work)],
            }
        )
    return documents, pa.Table.from_pylist(rows, SENTENCES)


class Made:
    """What decode, aggregate and export make of the inputs."""

    def __init__(self, run, folder, n_bits=0):
        self.run, self.store = run, Store(folder)
        self.store.create()
        documents, sentences = inputs()
        tables = {"documents": to_table("documents", documents), "rejects": to_table("rejects", [])}
        counts = {"kept": len(documents), "rejected": 0}
        ingested = [self.store.commit("ingest", "00-0000", "a" * 64, tables, counts)]
        found = {"sentences": sentences, "links": LINKS.empty_table()}
        extracted = [self.store.commit("extract", "00-0000", "b" * 64, found, {})]
        settings = names.Settings(ONTOLOGY, 0.5)
        named = self.made("names", settings, names.plan(self.store, ingested, extracted, settings))
        settings = resolve.Settings(NAMES.ontology.kinds, ("00-0000",), n_bits)
        tasks = [resolve.Task(f"read-{part.unit}", part.unit, part.fingerprint, part.rows("names")) for part in named]
        resolved = self.made("resolve", settings, ([], tasks))
        settings = decode.Settings(ONTOLOGY)
        decoded = self.made("decode", settings, decode.plan(self.store, named, resolved, settings))
        combined = self.made("combine", combine.Settings(n_bits), combine.plan(self.store, decoded, n_bits))
        settings = aggregate.Settings(tuple((part.unit, part.fingerprint) for part in combined))
        found = self.made("aggregate", settings, aggregate.plan(self.store, combined, n_bits, settings))
        self.parts = {"decode": decoded, "aggregate": sorted(found, key=lambda part: part.unit)}
        _, tasks, settings = export.plan(self.store, ingested, decoded, self.parts["aggregate"], NAMES)
        members = self.made("export", settings, ([], tasks))
        _, tasks, settings = graph.plan(self.store, members, self.parts["aggregate"], NAMES, FORMATS)
        self.files = {name: part for part in self.made("graph", settings, ([], tasks)) for name in part.files}

    def made(self, job, settings, planned):
        receipts = self.run(self.store, job, planned[1], settings)
        return [self.store.find(job, unit, receipt.fingerprint) for unit, receipt in receipts.items()]

    def rows(self, stage, table, *columns):
        found = [row for part in self.parts[stage] for row in part.read(table).to_pylist()]
        return sorted(tuple(row[name] for name in columns) for row in found)

    def file(self, name):
        return gzip.decompress(self.files[name].read_bytes(name))


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    """A graph that tests only read."""
    return Made(run, tmp_path_factory.mktemp("made") / "out")


def test_values_are_no_entities(made):
    """Mentions of a literal type stay mentions, name no entity, and no entity is of that type."""
    mentions = made.rows("decode", "mentions", "doc_id", "text", "type", "entity_id")
    assert [mention for mention in mentions if mention[2] == "Date"] == [
        ("d0", "14 March 1921", "Date", ""),
        ("d1", "March 14, 1921", "Date", ""),
        ("d2", "March 1921", "Date", ""),
        ("d3", "1921", "Date", ""),
        ("d4", "last Tuesday", "Date", ""),
    ]
    assert [row[0] for row in made.rows("aggregate", "entities", "label")] == [
        *("Acme Corp", "Bob Stone", "Carl May", "Dora Lane", "Eve Moss")
    ]


def test_wordings_of_one_date_are_one_fact(made):
    """A fact with a value has no tail; two wordings of one day are its evidence, each at its place."""
    facts = made.rows("aggregate", "facts", "relation", "tail", "value", "datatype", "n_evidence", "n_documents")
    assert facts == [
        ("Born_On", "", "1921", f"{XSD}gYear", 1, 1),
        ("Born_On", "", "1921-03", f"{XSD}gYearMonth", 1, 1),
        ("Born_On", "", "1921-03-14", f"{XSD}date", 2, 2),
        ("Born_On", "", "last Tuesday", f"{XSD}string", 1, 1),
        ("Work_For", ACME, "", "", 1, 1),
    ]
    evidence = made.rows("aggregate", "evidence", "fact_id", "doc_id", "tail_begin", "tail_end")
    assert [row[1:] for row in evidence if row[0] == DAY] == [("d0", 22, 35), ("d1", 27, 41)]


def test_ids_of_facts_between_entities_stay(made):
    """Only a fact with a value has it in its id."""
    assert fact_id(BOB, "Work_For", ACME) in {row[0] for row in made.rows("aggregate", "facts", "fact_id")}


def test_graph_has_typed_literals(made):
    """The direct triple and the statement end in the literal; no link leads to it, and its mention keeps its class."""
    lines = made.file("graph.nq.gz").decode().splitlines()
    day, graph = f'"1921-03-14"^^<{XSD}date>', f"<{KG}kg/graph/kg>"
    rdf_object = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#object>"
    assert [line for line in lines if day in line] == [
        f"<{KG}kg/entity/{BOB}> <{KG}vocab#Born_On> {day} {graph} .",
        f"<{KG}kg/statement/a-{DAY}> {rdf_object} {day} {graph} .",
    ]
    assert sum('> "last Tuesday" <' in line for line in lines) == 3  # triple, statement, and the mention's text
    assert sum(line.endswith(f"<{KG}kg/graph/links> .") for line in lines) == 7
    of_class = f"<http://www.w3.org/2005/11/its/rdf#taClassRef> <{KG}vocab#Date>"
    assert sum(of_class in line for line in lines) == 5


def test_meta_counts_entities_alone(made):
    """Values are facts' ends: they are counted with the facts and not among the entities."""
    lines = [line for line in made.file("graph.nq.gz").decode().splitlines() if line.endswith("graph/meta> .")]
    integer = f"^^<{XSD}integer> <{KG}kg/graph/meta> ."
    assert f'<{KG}kg> <http://rdfs.org/ns/void#entities> "5"{integer}' in lines
    assert f'<{KG}kg> <urn:kgmill:ns:factCount> "5"{integer}' in lines
    assert not any("vocab#Date" in line for line in lines)


def test_graph_comes_back_from_a_store(made):
    """A store that rewrites literals leaves these as they are: its dump is the graph."""
    quads = made.file("graph.nq.gz")
    store = pyoxigraph.Store()
    store.bulk_load(quads, pyoxigraph.RdfFormat.N_QUADS)
    assert sorted(store.dump(format=pyoxigraph.RdfFormat.N_QUADS).splitlines()) == sorted(quads.splitlines())


def test_query_compares_dates(made, tmp_path):
    """A date is compared as a date, and its type can be asked for."""
    (tmp_path / "graph").mkdir()
    (tmp_path / "graph" / "graph.nq.gz").write_bytes(made.files["graph.nq.gz"].read_bytes("graph.nq.gz"))
    sha256 = hashlib.sha256(made.file("graph.nq.gz")).hexdigest()
    (tmp_path / "run.json").write_text(json.dumps({"status": "done", "graph": {"sha256": sha256}}))
    sparql = (
        f"SELECT ?name ?when {{ GRAPH ?g {{ ?who <{KG}vocab#Born_On> ?when ; rdfs:label ?name }} "
        'FILTER(DATATYPE(?when) = xsd:date && ?when < "1922-01-01"^^xsd:date) }'
    )
    assert format_result(query(tmp_path, sparql), "csv") == "name,when\r\nBob Stone,1921-03-14"


def test_networks_have_a_node_for_each_value(made):
    """Both files load to equal graphs, in which the value of each fact is a node of its own, told by its kind."""
    graphml = nx.parse_graphml(made.file("graph.graphml.gz").decode(), force_multigraph=True)
    assert nx.utils.graphs_equal(graphml, nx.node_link_graph(json.loads(made.file("graph.json.gz")), edges="edges"))
    node = f"{KG}kg/statement/a-{DAY}/value"
    assert graphml.nodes[node] == {
        "kind": "literal",
        "type": "xsd:date",
        "name": "1921-03-14",
        "datatype": f"{XSD}date",
    }
    [(head, _, key, data)] = graphml.in_edges(node, keys=True, data=True)
    assert (head, key, data["relation"], data["n_evidence"]) == (f"{KG}kg/entity/{BOB}", f"a-{DAY}", "Born_On", 2)
    assert [data.get("kind", "entity") for _, data in graphml.nodes(data=True)] == ["entity"] * 5 + ["literal"] * 4


@pytest.mark.slow
def test_number_of_partitions_changes_no_byte(made, run, tmp_path):
    """Nodes of values too lie in the order of the hashes, however the work was cut."""
    eighths = Made(run, tmp_path / "out", n_bits=3)
    for name in ("graph.nq.gz", "graph.graphml.gz", "graph.json.gz"):
        assert eighths.file(name) == made.file(name)


@pytest.mark.slow
def test_changes_turn_entities_into_values(build_here, tiny_model, tmp_path):
    """An ontology that takes a type for values needs no model again; what changed is an update of the graph."""
    text = (tiny_model / "ontology.toml").read_text()
    (tmp_path / "o.toml").write_text(text.replace("[entities.Loc]\n", '[entities.Loc]\nliteral = "date"\n'))
    (tmp_path / "a.txt").write_text("Bob Stone lives in London .")
    first = build_here(tmp_path / "a.txt", tmp_path / "out")
    store = pyoxigraph.Store()
    store.bulk_load(graph_of(tmp_path / "out"), pyoxigraph.RdfFormat.N_QUADS)
    later = {"started": "2026-01-02T00:00:00Z", "ontology": str(tmp_path / "o.toml")}
    second = build_here(tmp_path / "a.txt", tmp_path / "out", **later)
    assert [report["graph"]["entities"] for report in (first, second)] == [2, 1]
    assert second["model_calls"] == {"sentences": 0}
    [update] = (tmp_path / "out" / "changes").glob("*update.ru.gz")
    store.update(gzip.decompress(update.read_bytes()).decode())
    assert set(store) == set(pyoxigraph.parse(graph_of(tmp_path / "out"), pyoxigraph.RdfFormat.N_QUADS))
    facts = ds.dataset(tmp_path / "out" / "tables" / "facts", format="parquet").to_table().to_pylist()
    assert [(fact["tail"], fact["value"]) for fact in facts] == [("", "London")]


def graph_of(folder):
    return gzip.decompress((folder / "graph" / "graph.nq.gz").read_bytes())
