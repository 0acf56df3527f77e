"""The kinds of stores that a graph is loaded into: a row each. What is in this table is what `--profile` knows."""

from __future__ import annotations

from dataclasses import dataclass

from kgmill.schemas.errors import UsageError

DEFAULT_PROFILE = "oxigraph"


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of store: where it answers, below its base URL, and what it can't do.

    Attributes:
        store: the path of the graph store protocol.
        query: the path that answers queries.
        update: the path that takes updates.
        graph: the parameter that names a graph.
        update_field: the form's field for an update; empty: the update is the body.
        has_default_graph: it has a default graph of its own, which is not the union of the named graphs.
        is_digest: it wants the login by HTTP Digest; paths that end in `-auth` are for those who log in.
        n_rows: rows a query's answer may have before it might be cut without a word; 0: any number.
    """

    store: str
    query: str
    update: str
    graph: str = "graph"
    update_field: str = ""
    has_default_graph: bool = False
    is_digest: bool = False
    n_rows: int = 0


PROFILES = {
    "oxigraph": Profile(
        store="/store",
        query="/query",
        update="/update",
        has_default_graph=True,
    ),
    "fuseki": Profile(
        store="/data",
        query="/query",
        update="/update",
        has_default_graph=True,
    ),
    "rdf4j": Profile(
        store="/rdf-graphs/service",
        query="",
        update="/statements",
    ),
    "virtuoso": Profile(
        store="/sparql-graph-crud-auth",
        query="/sparql-auth",
        update="/sparql-auth",
        graph="graph-uri",
        update_field="query",
        is_digest=True,
        n_rows=5_000,
    ),
}


def profile_of(name: str) -> Profile:
    """The profile of a name.

    Raises:
        UsageError: there is none; the message has those that there are.
    """
    if name not in PROFILES:
        raise UsageError(f"unknown profile {name!r}; known: {', '.join(PROFILES)}")
    return PROFILES[name]
