"""The dataset's IRIs: every name that the graph uses is minted here, and nowhere else.

    {base}model/{hash16}                            a model
    {base}vocab, {base}vocab#{name}                 the ontology, its classes and properties
    {base}vocab/version/{hash16}                    one version of it, by its content
    {base}vocab/shapes, {base}vocab/shapes#{name}   what its graphs keep to
    urn:kgmill:ns:{term}                            kgmill's own terms, listed in TERMS: the same in every dataset
    {base}{dataset}/entity/{slug-hash16}            an entity, as this dataset knows it
    {base}{dataset}/doc/{id}[#char={begin},{end}]   a document, or a span of it
    {base}{dataset}/statement/a-{hash16}            a fact with its confidence and evidence
    {base}{dataset}/statement/a-{hash16}/value      the value that a fact ends in, as a node; RDF has a literal there
    {base}{dataset}/statement/x-{hash16}            one extraction, evidence of a fact
    {base}{dataset}/run/{key}                       the activity that extracted
    {base}{dataset}/dump/{file}                     a file of the graph, and {base}{dataset}/distribution/{file},
                                                    what void.ttl says of it
    {base}{dataset}/graph/...                       the named graphs: kg, links, redirects, doc/{id},
                                                    ontology, shapes, provenance/{key}, meta
    {base}{dataset}                                 the dataset itself, described in graph/meta

Foreign ids are percent-encoded to ASCII, so only the base and the ontology's own IRIs can make an IRI wrong; those are
checked once, where they come in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from kgmill.schemas.errors import ConfigError

if TYPE_CHECKING:
    from kgmill.schemas.ontology import Ontology

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
OWL = "http://www.w3.org/2002/07/owl#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
PROV = "http://www.w3.org/ns/prov#"
DCTERMS = "http://purl.org/dc/terms/"
NIF = "http://persistence.uni-leipzig.org/nlp2rdf/ontologies/nif-core#"
ITSRDF = "http://www.w3.org/2005/11/its/rdf#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
VOID = "http://rdfs.org/ns/void#"
DCAT = "http://www.w3.org/ns/dcat#"
SCHEMA = "https://schema.org/"
KGMILL = "urn:kgmill:ns:"

_DATASET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Term:
    """One of kgmill's own terms.

    Attributes:
        name: what follows `urn:kgmill:ns:`.
        kind: `class`, `object` (a property with an IRI as its value) or `datatype` (with a literal).
        label: for people.
        comment: what it says of its subject.
    """

    name: str
    kind: str
    label: str
    comment: str


TERMS: tuple[Term, ...] = (
    Term(
        "AggregatedStatement", "class", "aggregated statement", "A fact, with the confidence that all evidence gives."
    ),
    Term("Document", "class", "document", "A text of the corpus, as it was stored."),
    Term("Extraction", "class", "extraction", "One relation between two mentions in one sentence or passage."),
    Term("Passage", "class", "passage", "Sentences that were read together, from one mention's to another one's."),
    Term("confidence", "datatype", "confidence", "Probability in [0, 1] that the subject is right."),
    Term("configuration", "datatype", "configuration", "A setting of the run, as key=value."),
    Term("documentCount", "datatype", "document count", "Documents that mention or support the subject."),
    Term("evidenceCount", "datatype", "evidence count", "Extractions that support a fact."),
    Term("coMentionShare", "datatype", "co-mention share", "Of the sentences that name both ends, how many state it."),
    Term(
        "conflictShare",
        "datatype",
        "conflict share",
        "Of a fact that others contradict: its confidence, against the sum of its own and theirs.",
    ),
    Term("factCount", "datatype", "fact count", "Facts of a dataset."),
    Term("firstDate", "datatype", "first date", "The earliest date of the documents that state a fact."),
    Term("lastDate", "datatype", "last date", "The latest date of the documents that state a fact."),
    Term("loadedFactTriples", "datatype", "loaded fact triples", "Triples of facts that the last load left."),
    Term("loadedFacts", "datatype", "loaded facts", "Where a load put the facts: graph, or the store's default graph."),
    Term("loadedLinkTriples", "datatype", "loaded link triples", "Triples of links that the last load left."),
    Term("loadedState", "datatype", "loaded state", "SHA-256 of the graph that was loaded whole, or loading."),
    Term("mentionCount", "datatype", "mention count", "Mentions of an entity."),
    Term(
        "modelSha256", "datatype", "model SHA-256", "Fingerprint of all that decides a model's scores, in hex digits."
    ),
    Term("objectMention", "object", "object mention", "The span that names the object of an extraction."),
    Term("overruledBy", "object", "overruled by", "The strongest fact that contradicts the subject and stands."),
    Term("owner", "datatype", "owner", "The id of the output folder that loads a dataset into a store."),
    Term("property", "object", "property", "The property that an extraction or a fact states."),
    Term("sentence", "object", "sentence", "The sentence or passage that an extraction was found in."),
    Term(
        "stance",
        "datatype",
        "stance",
        "How what is not plainly stated is said: negated, hedged, opposed, foreign, placed, beside, cited, language, "
        "turned, credited, apart, unsaid or reported.",
    ),
    Term("subjectMention", "object", "subject mention", "The span that names the subject of an extraction."),
    Term("textSha256", "datatype", "text SHA-256", "SHA-256 of a document's text in UTF-8, in hex digits."),
)
_TERM_NAMES = frozenset(term.name for term in TERMS)


def own_term(name: str) -> str:
    """The IRI of one of TERMS: the same in every dataset."""
    if name not in _TERM_NAMES:
        raise KeyError(f"{name!r} is not one of kgmill's terms")
    return f"{KGMILL}{name}"


_QUOTED = {code: quoted for code in range(0x80) if (quoted := quote(chr(code), safe="-._~")) != chr(code)}


@lru_cache(maxsize=1 << 12)
def _quote(identifier: str) -> str:
    """Percent-encoded UTF-8 in pure ASCII; lone surrogates too, so that different ids never meet."""
    if identifier.isascii():
        return identifier.translate(_QUOTED)
    return quote(identifier, safe="-._~", errors="surrogatepass")


@dataclass(frozen=True, slots=True)
class Namespace:
    """Mints the IRIs of one dataset.

    Attributes:
        base_iri: what every minted IRI begins with; ends in `/` or `:`.
        dataset: ASCII letters, digits, `.`, `_` and `-`.
        ontology: names the classes and properties.

    Raises:
        ConfigError: a base that is no absolute IRI, ends otherwise or has a fragment; or a bad dataset name.

    >>> from kgmill.schemas.ontology import parse_ontology
    >>> ns = Namespace("https://kg.example.org/", "news", parse_ontology({"entities": {"Person": {}}}, "doctest"))
    >>> ns.chars("a b.txt", 118, 130)
    'https://kg.example.org/news/doc/a%20b.txt#char=118,130'
    """

    base_iri: str
    dataset: str
    ontology: Ontology

    def __post_init__(self) -> None:
        from kgmill.schemas.ontology import check_iri

        try:
            check_iri(self.base_iri)
        except ValueError as error:
            raise ConfigError(f"base_iri: {error}") from None
        # A span's IRI has a fragment of its own, and an IRI can have only one.
        if self.base_iri[-1] not in "/:" or "#" in self.base_iri:
            raise ConfigError(f"base_iri: {self.base_iri!r} has to end in '/' or ':', and to hold no '#'")
        if not _DATASET.fullmatch(self.dataset):
            raise ConfigError(f"dataset: {self.dataset!r} is not a name of ASCII letters, digits, '.', '_' and '-'")

    def entity(self, entity_id: str) -> str:
        """The IRI of an entity, whose id is pure ASCII (`kgmill.schemas.identity.entity_id`)."""
        return f"{self.dataset_iri}/entity/{entity_id}"

    def document(self, doc_id: str) -> str:
        """The IRI of a document."""
        return f"{self.base_iri}{self.dataset}/doc/{_quote(doc_id)}"

    def chars(self, doc_id: str, begin: int, end: int) -> str:
        """The IRI of a span of a document, in Unicode code points, the end exclusive (RFC 5147)."""
        return f"{self.document(doc_id)}#char={begin},{end}"

    def aggregated_statement(self, fact_id: str) -> str:
        """The IRI of a fact as a statement that things can be said of."""
        return f"{self.base_iri}{self.dataset}/statement/a-{fact_id}"

    def fact_value(self, fact_id: str) -> str:
        """What a network calls the value that a fact ends in."""
        return f"{self.aggregated_statement(fact_id)}/value"

    def extraction(self, statement_id: str) -> str:
        """The IRI of one extraction."""
        return f"{self.base_iri}{self.dataset}/statement/x-{statement_id}"

    @property
    def dataset_iri(self) -> str:
        """The IRI of the dataset."""
        return f"{self.base_iri}{self.dataset}"

    def graph(self, name: str) -> str:
        """A named graph of which there is one: `kg`, `links`, `redirects`, `ontology`, `shapes` or `meta`."""
        return f"{self.dataset_iri}/graph/{name}"

    def document_graph(self, doc_id: str) -> str:
        """The named graph of what one document says: the unit that a loader replaces."""
        return self.graph(f"doc/{_quote(doc_id)}")

    def provenance_graph(self, run_key: str) -> str:
        """The named graph that says how extractions were made."""
        return self.graph(f"provenance/{_quote(run_key)}")

    def activity(self, run_key: str) -> str:
        """The IRI of the activity that extracted: one for each model and configuration."""
        return f"{self.base_iri}{self.dataset}/run/{_quote(run_key)}"

    def model(self, fingerprint16: str) -> str:
        """The IRI of a model, by the first 16 hex digits of its fingerprint."""
        return f"{self.base_iri}model/{_quote(fingerprint16)}"

    def dump(self, file: str) -> str:
        """The IRI of a file of the graph, where its owner may put it."""
        return f"{self.dataset_iri}/dump/{_quote(file)}"

    def distribution(self, file: str) -> str:
        """The IRI of what is said of a file of the graph."""
        return f"{self.dataset_iri}/distribution/{_quote(file)}"

    @property
    def vocabulary(self) -> str:
        """The IRI of the ontology."""
        return f"{self.base_iri}vocab"

    def ontology_version(self, content: str) -> str:
        """The IRI of one version of the ontology, by a hash of its content."""
        return f"{self.vocabulary}/version/{content}"

    @property
    def shapes(self) -> str:
        """The IRI of the ontology's shapes."""
        return f"{self.vocabulary}/shapes"

    def shape(self, name: str) -> str:
        """The IRI of one of the shapes."""
        return f"{self.shapes}#{_quote(name)}"

    def class_iri(self, type_name: str) -> str:
        """The IRI of an entity type: the ontology's own, or a minted one."""
        return self.ontology.entities[type_name].iri or f"{self.vocabulary}#{_quote(type_name)}"

    def property_iri(self, type_name: str) -> str:
        """The IRI of a relation type: the ontology's own, or a minted one, which is no class's."""
        minted = f"{self.vocabulary}#{_quote(self.ontology.distinct_name(type_name))}"
        return self.ontology.relations[type_name].iri or minted

    def term(self, name: str) -> str:
        """The IRI of one of TERMS."""
        return own_term(name)
