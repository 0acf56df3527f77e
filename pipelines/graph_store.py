"""A SPARQL 1.1 server over HTTP: its named graphs counted, replaced and deleted; retries, logins, clear refusals."""

from __future__ import annotations

import base64
import csv
import io
import itertools
import logging
import os
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from schemas.errors import StoreError, UsageError

logger = logging.getLogger(__name__)

USER_VARIABLE = "KGMILL_STORE_USER"
PASSWORD_VARIABLE = "KGMILL_STORE_PASSWORD"  # noqa: S105 - the name of a variable
MAX_TRIES = 5

_TRANSIENT = frozenset({408, 429, 502, 503, 504})
_HINTS = {
    401: f"; set {USER_VARIABLE} and {PASSWORD_VARIABLE}",
    403: f"; set {USER_VARIABLE} and {PASSWORD_VARIABLE}",
    404: "; is this the store's base URL?",
}
_FIRST_DELAY_S = 0.3
_MAX_RETRY_AFTER_S = 60.0
_MAX_CONNECTING_S = 5.0
_TIMEOUT = httpx.Timeout(120.0, connect=_MAX_CONNECTING_S)


@dataclass(frozen=True, slots=True)
class Profile:
    """Where a kind of store answers, below its base URL."""

    store: str
    query: str
    update: str


PROFILES = {"oxigraph": Profile(store="/store", query="/query", update="/update")}


@contextmanager
def open_server(endpoint: str, profile: str) -> Iterator[GraphStore]:
    """The store at a base URL or graph store URL; nothing is sent yet.

    Raises:
        UsageError: a wrong endpoint, profile or login.
    """
    if profile not in PROFILES:
        raise UsageError(f"unknown profile {profile!r}; known: {', '.join(PROFILES)}")
    base = _base_url(endpoint, PROFILES[profile])
    login = _login()
    with httpx.Client(auth=login, timeout=_TIMEOUT) as client:
        yield GraphStore(client, base, PROFILES[profile], _secret_texts(login))


@dataclass(frozen=True, slots=True)
class GraphStore:
    """A SPARQL 1.1 server: counts, replaces and deletes named graphs."""

    client: httpx.Client
    url: str
    profile: Profile
    secrets: tuple[str, ...] = field(repr=False)

    def counts(self, prefix: str) -> dict[str, int]:
        """The number of triples of each named graph whose IRI begins with the prefix."""
        # The prefix was checked to be an IRI, so it holds no quote and no backslash.
        pattern = f'GRAPH ?g {{ ?s ?p ?o }} FILTER(STRSTARTS(STR(?g), "{prefix}"))'
        data = {"query": f"SELECT ?g (COUNT(*) AS ?n) WHERE {{ {pattern} }} GROUP BY ?g"}
        url = self.url + self.profile.query
        response = self._request("POST", url, "count of its graphs", headers={"Accept": "text/csv"}, data=data)
        try:
            return _read_counts(response.content)
        except (ValueError, IndexError, csv.Error):
            raise StoreError(f"{url}: wanted SPARQL results as CSV, got something else; is this a store?") from None

    def put(self, iri: str, body: bytes) -> None:
        """Replaces a graph by N-Triples."""
        headers = {"Content-Type": "application/n-triples"}
        self._request("PUT", self._graph_url(iri), f"PUT of graph <{iri}>", headers=headers, content=body)

    def delete(self, iri: str) -> None:
        """Deletes a graph; one that is gone already is as good."""
        self._request("DELETE", self._graph_url(iri), f"DELETE of graph <{iri}>", fine=404)

    def _graph_url(self, iri: str) -> str:
        # Not httpx's params: those leave an IRI's own %2F as it is, and the store would read it as a slash.
        return f"{self.url}{self.profile.store}?graph={quote(iri, safe='')}"

    def _request(self, method: str, url: str, what: str, *, fine: int = 200, **options: Any) -> httpx.Response:
        """The answer, after up to `MAX_TRIES` tries; `fine` is a status that is no fault though it isn't 2xx."""
        started = time.monotonic()
        for n_tries in itertools.count(1):
            delay_s = _backoff_s(n_tries)
            try:
                response = self.client.request(method, url, **options)
            except httpx.RequestError as error:
                fault = f"{self.url}: no answer ({_reason(error)}); is the store running?"
                is_late = time.monotonic() - started + delay_s > _MAX_CONNECTING_S
                is_final = is_late and isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            else:
                if response.is_success or response.status_code == fine:
                    return response
                fault = self._refusal(what, response)
                is_final = response.status_code not in _TRANSIENT
                delay_s = _retry_after_s(response, delay_s)
            if is_final or n_tries == MAX_TRIES:
                raise StoreError(fault)
            logger.warning("%s; trying again in %.1f s", fault, delay_s)
            time.sleep(delay_s)
        raise AssertionError("unreachable")

    def _refusal(self, what: str, response: httpx.Response) -> str:
        body = response.text
        for secret in self.secrets:
            body = body.replace(secret, "***")
        hint = _HINTS.get(response.status_code, "")
        return f"{self.url}: {what}: status {response.status_code}: {one_line(body)}{hint}"


def _read_counts(body: bytes) -> dict[str, int]:
    header, *rows = csv.reader(io.StringIO(body.decode(), newline=""))
    if header != ["g", "n"]:
        raise ValueError(header)
    return {row[0]: int(row[1]) for row in rows if row and row[0]}


def _base_url(endpoint: str, profile: Profile) -> str:
    """The endpoint without a slash or the graph store's path at its end.

    Raises:
        UsageError: it isn't an http or https URL, or holds more than one; what may be a secret isn't repeated.
    """
    if any(mark in endpoint for mark in "@?#"):
        raise UsageError(
            "the endpoint must be a plain URL, without user name, password or query: command lines are no place for "
            f"secrets; set {USER_VARIABLE} and {PASSWORD_VARIABLE}"
        )
    try:
        parts = urlsplit(endpoint)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        httpx.URL(endpoint)
    except (ValueError, httpx.InvalidURL):
        is_url = False
    if not is_url:
        raise UsageError(f"{endpoint}: wanted the store's http or https URL, such as http://127.0.0.1:7878")
    return endpoint.rstrip("/").removesuffix(profile.store).rstrip("/")


def _login() -> tuple[str, str] | None:
    user, password = os.environ.get(USER_VARIABLE), os.environ.get(PASSWORD_VARIABLE)
    if not user and not password:
        return None
    if not user or not password:
        raise UsageError(f"wanted both {USER_VARIABLE} and {PASSWORD_VARIABLE}, or neither; one of them is missing")
    return user, password


def _secret_texts(login: tuple[str, str] | None) -> tuple[str, ...]:
    """What a store's error page might echo: the header's token, the password and the user name."""
    return (base64.b64encode(":".join(login).encode()).decode(), login[1], login[0]) if login else ()


def _backoff_s(n_tries: int) -> float:
    return _FIRST_DELAY_S * 2 ** (n_tries - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret


def _retry_after_s(response: httpx.Response, default_s: float) -> float:
    """The store's own wish, in seconds or as a date, or the default."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return min(float(value), _MAX_RETRY_AFTER_S)
    try:
        wait_s = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return default_s
    return min(max(wait_s, default_s), _MAX_RETRY_AFTER_S)


def _reason(error: httpx.RequestError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "timed out"
    text = re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__
    return text[0].lower() + text[1:]


def one_line(text: str) -> str:
    """The first 200 characters, without line breaks and other control characters."""
    return "".join(c if c.isprintable() else " " for c in text[:200]).strip()
