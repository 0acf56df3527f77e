"""A build describes itself: void.ttl, shapes.ttl and ontology.ttl beside the graph, and their content in the store."""

import hashlib
import json

import pyoxigraph as ox
import pyshacl
import pytest
import rdflib
from rdflib import DCAT, DCTERMS, PROV, RDF, VOID, XSD, Literal, URIRef

from kgmill.pipelines.graph.checks import violations
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.pipelines.triplestores.query import format_result, query
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.errors import ConfigError
from kgmill.schemas.ontology import load_ontology

KG, LICENCE = "https://kg.example.org/kg", "https://creativecommons.org/licenses/by/4.0/"
SPDX = rdflib.Namespace("http://spdx.org/rdf/terms#")
TEXTS = {
    "a": "Ada Byron worked for Acme Corp in Paris . Bob Stone lives in London .",
    "b": "Carl May killed Bob Stone .",
}


@pytest.fixture(scope="module")
def built(build_here, tmp_path_factory):
    """The output folder of a build of two documents."""
    folder = tmp_path_factory.mktemp("described")
    for name, text in TEXTS.items():
        (folder / f"{name}.txt").write_text(text)
    out = tmp_path_factory.mktemp("out") / "kg"
    build_here(folder, out, license=LICENCE)
    return folder, out


@pytest.fixture(scope="module")
def void(built):
    """What void.ttl says."""
    return rdflib.Graph().parse(built[1] / "graph" / "void.ttl", format="turtle")


def test_every_file_has_its_size_and_hash(built, void):
    """Each file beside void.ttl is a distribution of the bytes that lie there."""
    folder = built[1] / "graph"
    said = {}
    for node in void.objects(URIRef(KG), DCAT.distribution):
        checksum = void.value(node, SPDX.checksum)
        assert (checksum, SPDX.algorithm, SPDX.checksumAlgorithm_sha256) in void
        said[str(void.value(node, DCTERMS.title))] = (
            int(void.value(node, DCAT.byteSize)),
            str(void.value(checksum, SPDX.checksumValue)),
        )
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "void.ttl"}
    assert said == {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in found.items()}
    assert list(void.objects(URIRef(KG), VOID.dataDump)) == [URIRef(f"{KG}/dump/graph.nq.gz")]


def test_dataset_has_title_licence_counts_and_origin(built, void):
    """The counts are those of run.json, the activity has its model; nothing is without a name."""
    counts = json.loads((built[1] / "run.json").read_text())["graph"]
    dataset = URIRef(KG)
    assert {VOID.Dataset, DCAT.Dataset} == set(void.objects(dataset, RDF.type))
    assert (dataset, DCTERMS.title, Literal("kg")) in void
    assert (dataset, DCTERMS.license, URIRef(LICENCE)) in void
    assert (
        int(void.value(dataset, VOID.entities))
        == counts["entities"]
        == sum(int(void.value(part, VOID.entities)) for part in void.objects(dataset, VOID.classPartition))
    )
    assert counts["facts"] == sum(
        int(void.value(part, VOID.triples)) for part in void.objects(dataset, VOID.propertyPartition)
    )
    activity = void.value(dataset, PROV.wasGeneratedBy)
    assert (void.value(activity, PROV.used), RDF.type, PROV.SoftwareAgent) in void
    assert not any(isinstance(term, rdflib.BNode) for triple in void for term in triple)
    assert {o.datatype for o in void.objects() if isinstance(o, Literal)}.isdisjoint({XSD.date, XSD.dateTime})


def test_store_has_ontology_shapes_and_description(built, void):
    """Each is a named graph; graph/meta is void.ttl without the hashes of files, which no file can hold of itself."""
    found = json.loads(format_result(query(built[1], "SELECT DISTINCT ?g { GRAPH ?g {} }"), "json"))
    names = {row["g"]["value"] for row in found["results"]["bindings"]}
    assert {f"{KG}/graph/{name}" for name in ("kg", "links", "ontology", "shapes", "meta")} <= names
    meta = list(query(built[1], "CONSTRUCT { ?s ?p ?o } { GRAPH g:meta { ?s ?p ?o } }"))
    assert len(meta) > 10
    assert {(t.subject.value, t.predicate.value, t.object.value) for t in meta} <= {
        (str(s), str(p), str(o)) for s, p, o in void
    }


@pytest.mark.slow
def test_two_builds_describe_themselves_alike(built, build_here, tmp_path):
    """No clock and no host: equal input gives equal bytes, also in a second run that has nothing to do."""
    source, out = built
    build_here(source, tmp_path / "again", started="2027-05-05T05:05:05Z", license=LICENCE)
    before = {path.name: path.read_bytes() for path in (out / "graph").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "again" / "graph").iterdir()} == before
    build_here(source, tmp_path / "again", started="2027-05-06T05:05:05Z", license=LICENCE)
    assert {path.name: path.read_bytes() for path in (tmp_path / "again" / "graph").iterdir()} == before


def test_built_graph_keeps_to_its_shapes(built, tiny_model):
    """What a build exports conforms: by pySHACL with shapes.ttl, and by SPARQL."""
    folder = built[1] / "graph"
    data = rdflib.Graph()
    for triple in query(built[1], "CONSTRUCT { ?s ?p ?o } { GRAPH ?g { ?s ?p ?o } }"):
        data.parse(data=f"{triple} .", format="nt")
    shapes = rdflib.Graph().parse(folder / "shapes.ttl", format="turtle")
    conforms, _, text = pyshacl.validate(data, shacl_graph=shapes)
    assert conforms, text
    store = ox.Store.read_only(str(next((built[1] / "store").iterdir())))
    ns = Namespace("https://kg.example.org/", "kg", load_ontology(tiny_model / "ontology.toml"))
    assert violations(store, ns) == []


def test_licence_is_an_iri():
    """A name alone says nothing that a program could follow."""
    with pytest.raises(ConfigError, match=r"license: 'CC BY 4\.0' is not an absolute IRI"):
        BuildConfig.load(None, {"license": "CC BY 4.0"})
