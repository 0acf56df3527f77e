"""The kinds of stores that a graph is loaded into: a row each. What is in this table is what `--profile` knows.

A user's own row is a file: see `kgmill.pipelines.triplestores.profile_file`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from kgmill.schemas.errors import UsageError

DEFAULT_PROFILE, AUTO = "oxigraph", "auto"
RETRIED = frozenset({408, 429, 502, 503, 504})

Auth = Literal["basic", "digest", "bearer", "sigv4"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A kind of store: where it answers, below its base URL, what it takes, and what it can't do.

    Attributes:
        endpoint: what its base URL is like; messages name it.
        query: the path that answers queries.
        update: the path that takes updates.
        store: the path of the graph store protocol; None: it isn't spoken.
        quads: the path that adds quads of any graphs by POST; None: there is none.
        graph: the parameter that names a graph in the graph store protocol.
        update_field: the form's field for an update; empty: the update is the body.
        triples_type: the media type of N-Triples.
        quads_type: the media type of N-Quads.
        has_default_graph: it has a default graph of its own, which is not the union of the named graphs.
        is_atomic: an update of several operations, or a body of quads, is done whole or not at all.
        n_rows: rows a query's answer may have before it might be cut without a word; 0: any number.
        n_bytes: bytes a request's body may have.
        n_triples: triples an update may have.
        n_graphs: graphs a request may have.
        auth: how a login is given. Paths that end in `-auth` are for those who log in.
        service: the name of the service that a SigV4 login is for.
        region: where that service is; empty: as AWS's own tools are set up.
        headers: more headers of each request; their values are taken for secrets.
        secrets: what of those values came from the environment.
        retried: statuses after which a request is sent again.
        transient: an expression that finds, in the page of a refusal with another status, that it will pass.
        too_large: one that finds that a request was too large; status 413 always says so.
        denied: one that finds that the login may not do it; 401 and 403 always say so.
        timeout_s: seconds that the store may take for a request.
        sign: a path below the base URL, and an expression that finds this kind in the headers or the page there.
        is_tried: kgmill's tests load into a real one.
    """

    endpoint: str
    query: str = ""
    update: str = ""
    store: str | None = None
    quads: str | None = None
    graph: str = "graph"
    update_field: str = ""
    triples_type: str = "application/n-triples"
    quads_type: str = "application/n-quads"
    has_default_graph: bool = False
    is_atomic: bool = False
    n_rows: int = 0
    n_bytes: int = 8 << 20
    n_triples: int = 20_000
    n_graphs: int = 1_000
    auth: Auth = "basic"
    service: str = ""
    region: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    retried: frozenset[int] = RETRIED
    transient: str = ""
    too_large: str = ""
    denied: str = ""
    timeout_s: float = 120.0
    sign: tuple[str, str] = ("", "")
    is_tried: bool = False


_RDF4J = Profile(
    endpoint="http://HOST:8080/rdf4j-server/repositories/ID",
    query="",
    update="/statements",
    store="/rdf-graphs/service",
    quads="/statements",
    is_atomic=True,
    sign=("/size", r"\n\n\d+\s*$"),
)

PROFILES = {
    "oxigraph": Profile(
        endpoint="http://HOST:7878",
        query="/query",
        update="/update",
        store="/store",
        quads="/store",
        has_default_graph=True,
        is_atomic=True,
        n_bytes=32 << 20,
        n_triples=100_000,
        sign=("", r"(?i)\nserver: .*oxigraph"),
        is_tried=True,
    ),
    "fuseki": Profile(
        endpoint="http://HOST:3030/DATASET",
        query="/query",
        update="/update",
        store="/data",
        quads="/data",
        has_default_graph=True,
        is_atomic=True,
        n_bytes=32 << 20,
        n_triples=100_000,
        sign=("/query", r"(?i)\n(fuseki-request-id|server: .*apache jena fuseki|www-authenticate: .*\"triplestore\")"),
        is_tried=True,
    ),
    "virtuoso": Profile(
        endpoint="http://HOST:8890",
        query="/sparql-auth",
        update="/sparql-auth",
        store="/sparql-graph-crud-auth",
        graph="graph-uri",
        update_field="query",
        n_rows=5_000,
        n_bytes=8 << 20,
        n_triples=2_000,
        auth="digest",
        transient=r"\b40001\b|SR172|[Dd]eadlock",
        too_large=r"SR578|memory exhausted|10000 lines",
        denied=r"SR186|42000 Error SPARQL:? .*(denied|permission)|(?i:access denied|no permission)",
        sign=("/sparql", r"(?i)\nserver: .*virtuoso"),
        is_tried=True,
    ),
    "graphdb": replace(
        _RDF4J, endpoint="http://HOST:7200/repositories/ID", sign=("/size", r"(?i)\n(server: .*graphdb|x-graphdb)")
    ),
    "rdf4j": _RDF4J,
    "blazegraph": Profile(
        endpoint="http://HOST:9999/blazegraph/namespace/NAMESPACE",
        query="/sparql",
        update="/sparql",
        quads="/sparql",
        update_field="update",
        quads_type="text/x-nquads",
        is_atomic=True,
        sign=("/sparql", r"(?i)(bigdata|blazegraph)"),
    ),
    "qlever": Profile(
        endpoint="http://HOST:7001",
        auth="bearer",
        n_bytes=1 << 20,
        n_triples=5_000,
        n_graphs=1,
        sign=("/?cmd=stats", r"\"(git-hash-index|name-index|num-permutations)\""),
    ),
    "neptune": Profile(
        endpoint="https://HOST:8182",
        query="/sparql",
        update="/sparql",
        store="/sparql/gsp/",
        update_field="update",
        auth="sigv4",
        service="neptune-db",
        transient=r"ConcurrentModificationException|ThrottlingException|TooManyRequests|ReadOnlyViolation.*retry",
        sign=("/status", r"\"dbEngineVersion\""),
    ),
    "sparql": Profile(endpoint="http://HOST/sparql", update_field="update", n_rows=1_000, n_bytes=1 << 20),
}


def profile_of(name: str) -> Profile:
    """The profile of a name.

    Raises:
        UsageError: there is none; the message has those that there are.
    """
    if name not in PROFILES:
        known = ", ".join((*PROFILES, AUTO))
        raise UsageError(f"unknown profile {name!r}; known: {known}, or a profile's file, whose name ends in .toml")
    return PROFILES[name]
