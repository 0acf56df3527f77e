"""void.ttl: what the dataset is, how it was made, and which files hold it (VoID, DCAT, PROV, SPDX); no date, no host.

It is what graph/meta and graph/provenance say, and beside it the size and SHA-256 of each file. The store can't hold
those: no file says its own hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rdflib import DCAT, DCTERMS, PROV, RDF, RDFS, VOID, XSD, Graph, Literal, Namespace, URIRef

from kgmill.pipelines.graph.vocabulary import KGMILL
from kgmill.pipelines.graph.vocabulary import Namespace as Names

FILE = "void.ttl"
_SPDX = Namespace("http://spdx.org/rdf/terms#")
_MEDIA_TYPES = "https://www.iana.org/assignments/media-types/"
_MEDIA = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".jsonld": "application/ld+json",
    ".nq": "application/n-quads",
    ".nt": "application/n-triples",
    ".parquet": "application/vnd.apache.parquet",
    ".trig": "application/trig",
    ".tsv": "text/tab-separated-values",
    ".ttl": "text/turtle",
}
_WHOLE = ("graph.nq.gz", "graph.trig.gz", "graph.jsonld.gz")  # the files that hold the quads of all named graphs


def void_turtle(ns: Names, described: Iterable[bytes], files: Mapping[str, Mapping[str, Any]]) -> str:
    """The text of `void.ttl`: equal for equal arguments.

    Args:
        ns: the dataset's names.
        described: the lines of graph/meta and graph/provenance.
        files: the `bytes` and the `sha256` of each file of the graph, by its name.
    """
    graph = Graph(bind_namespaces="none")
    prefixes = {"dcat": DCAT, "dcterms": DCTERMS, "prov": PROV, "rdfs": RDFS, "spdx": _SPDX, "void": VOID, "xsd": XSD}
    for prefix, namespace in {**prefixes, "v": f"{ns.vocabulary}#", "x": KGMILL}.items():
        graph.bind(prefix, str(namespace), override=True, replace=True)
    triples = (line.rsplit(b" ", 2)[0] + b" .\n" for line in described)
    graph.parse(data=b"".join(triples), format="nt")
    for name, file in sorted(files.items()):
        _add_file(graph, ns, name, file)
    return graph.serialize(format="turtle")


def _add_file(graph: Graph, ns: Names, name: str, file: Mapping[str, Any]) -> None:
    dataset, node, dump = (URIRef(iri) for iri in (ns.dataset_iri, ns.distribution(name), ns.dump(name)))
    checksum, suffix = URIRef(f"{node}/sha256"), f".{name.removesuffix('.gz').rpartition('.')[2]}"
    graph.add((dataset, DCAT.distribution, node))
    if name in _WHOLE:
        graph.add((dataset, VOID.dataDump, dump))
    graph.add((node, RDF.type, DCAT.Distribution))
    graph.add((node, DCTERMS.title, Literal(name)))
    graph.add((node, DCAT.downloadURL, dump))
    graph.add((node, DCAT.byteSize, Literal(file["bytes"], datatype=XSD.nonNegativeInteger)))
    if suffix in _MEDIA:
        graph.add((node, DCAT.mediaType, URIRef(_MEDIA_TYPES + _MEDIA[suffix])))
    if name.endswith(".gz"):
        graph.add((node, DCAT.compressFormat, URIRef(f"{_MEDIA_TYPES}application/gzip")))
    graph.add((node, _SPDX.checksum, checksum))
    graph.add((checksum, RDF.type, _SPDX.Checksum))
    graph.add((checksum, _SPDX.algorithm, _SPDX.checksumAlgorithm_sha256))
    graph.add((checksum, _SPDX.checksumValue, Literal(file["sha256"], datatype=XSD.hexBinary)))
