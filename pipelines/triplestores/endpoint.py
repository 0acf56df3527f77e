"""SPARQL queries to a server, by the SPARQL 1.1 protocol, with the login that a load takes."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pyoxigraph as ox

from kgmill.pipelines.triplestores.client import open_server
from kgmill.pipelines.triplestores.detect import profile_for
from kgmill.pipelines.triplestores.http_client import one_line
from kgmill.pipelines.triplestores.prefixes import NOT_KEYWORDS, declared
from kgmill.pipelines.triplestores.profiles import DEFAULT_PROFILE
from kgmill.pipelines.triplestores.query import check_no_update
from kgmill.pipelines.triplestores.result_text import Result
from kgmill.schemas.errors import StoreError, UsageError

logger = logging.getLogger(__name__)

_FORM = re.compile(r"\b(SELECT|ASK|CONSTRUCT|DESCRIBE)\b", re.IGNORECASE)
_RESULTS = "application/sparql-results+json"
_GRAPH = "application/n-triples, text/turtle;q=0.9"
_TIMEOUT = httpx.Timeout(None, connect=5.0)  # how long an answer may take is --timeout's to say
_CUT = "X-SPARQL-MaxRows"  # Virtuoso's word for an answer that it has cut


def ask(endpoint: str, sparql: str, prefixes: dict[str, str], profile: str = "", ca_file: Path | None = None) -> Result:
    """The answer of a server to a SPARQL query; what the default graph is, and SERVICE, are the server's to say.

    Args:
        endpoint: what answers queries; with a `profile`, or where it has no path, the store's base URL, as `kgmill
            load` takes it.
        sparql: a SELECT, ASK, CONSTRUCT or DESCRIBE query.
        prefixes: that need no declaration.
        profile: the kind of store, as `kgmill load` takes it; empty: any.
        ca_file: certificates, as PEM, of who may vouch for an https server; None: those that the web trusts.

    Raises:
        UsageError: a wrong endpoint, profile or login, no query, or an update.
        StoreError: no answer, a refusal, or something else than an answer.
    """
    sparql = sparql.removeprefix("\ufeff")
    check_no_update(sparql, "kgmill query changes nothing")
    form = _FORM.search(NOT_KEYWORDS.sub(" ", sparql))
    if form is None:
        raise UsageError("not a SPARQL 1.1 query: wanted SELECT, ASK, CONSTRUCT or DESCRIBE")
    is_graph = form[1].upper() in ("CONSTRUCT", "DESCRIBE")
    with open_server(endpoint, profile_for(profile or DEFAULT_PROFILE, endpoint, ca_file), ca_file) as server:
        is_base = bool(profile) or urlsplit(endpoint).path in ("", "/")
        url = f"{server.url}{server.profile.query}" if is_base else endpoint
        headers = {"Accept": _GRAPH if is_graph else _RESULTS}
        data = {"query": declared(sparql, prefixes)}
        response = server.connection.request("POST", url, "query", headers=headers, data=data, timeout=_TIMEOUT)
    if n_rows := response.headers.get(_CUT):
        rows = one_line(n_rows)
        logger.warning("%s: has cut its answer at %s rows; ask by pages, with LIMIT and OFFSET", url, rows)
    try:
        if is_graph:
            return [quad.triple for quad in ox.parse(response.content, ox.RdfFormat.TURTLE)]
        return _whole(response.content)
    except (SyntaxError, ValueError):
        kind = "RDF" if is_graph else "SPARQL results as JSON"
        raise StoreError(f"{url}: wanted {kind}, got something else; does this URL answer queries?") from None


def _whole(content: bytes) -> Result:
    """An answer of which each row was read once: they are parsed when they are asked for, and the last may be broken.

    Raises:
        SyntaxError: it isn't SPARQL results as JSON to its end.
    """
    found = ox.parse_query_results(content, ox.QueryResultsFormat.JSON)
    if isinstance(found, ox.QueryBoolean):
        return found
    for _ in found:
        pass
    return ox.parse_query_results(content, ox.QueryResultsFormat.JSON)
