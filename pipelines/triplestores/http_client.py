"""HTTP requests to a store: what passes is tried again, a refusal is one clear line, and no secret is told."""

from __future__ import annotations

import itertools
import logging
import random
import re
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from kgmill.schemas.errors import StoreError

logger = logging.getLogger(__name__)

USER_VARIABLE = "KGMILL_STORE_USER"
PASSWORD_VARIABLE = "KGMILL_STORE_PASSWORD"  # noqa: S105 - the name of a variable
MAX_TRIES = 5
TIMEOUT = httpx.Timeout(120.0, connect=5.0)

_TRANSIENT = frozenset({408, 429, 502, 503, 504})
_HINTS = {
    401: f"; set {USER_VARIABLE} and {PASSWORD_VARIABLE}",
    403: f"; set {USER_VARIABLE} and {PASSWORD_VARIABLE}",
    404: "; is this the store's base URL?",
}
_FIRST_DELAY_S = 0.3
_MAX_RETRY_AFTER_S = 60.0
_MAX_CONNECTING_S = 5.0


@dataclass(frozen=True, slots=True)
class Connection:
    """Sends requests to one server.

    Attributes:
        url: the server's base URL, which messages name.
        secrets: what an error page might echo and no message may repeat.
    """

    client: httpx.Client
    url: str
    secrets: tuple[str, ...] = field(repr=False)

    def request(
        self, method: str, url: str, what: str, *, fine: int = 200, is_stream: bool = False, **options: Any
    ) -> httpx.Response:
        """The answer, after up to `MAX_TRIES` tries.

        Args:
            method: of HTTP.
            url: whole.
            what: the request's name in messages.
            fine: a status that is no fault though it isn't 2xx.
            is_stream: the answer's body is not read yet; the caller reads and closes it.
            options: as httpx takes them.

        Raises:
            StoreError: no answer, or a refusal.
        """
        started = time.monotonic()
        for n_tries in itertools.count(1):
            delay_s = _backoff_s(n_tries)
            try:
                response = self.client.send(self.client.build_request(method, url, **options), stream=is_stream)
                if response.is_success or response.status_code == fine:
                    return response
                response.read()
            except httpx.RequestError as error:
                fault = f"{self.url}: no answer ({reason(error)}); is the store running?"
                is_late = time.monotonic() - started + delay_s > _MAX_CONNECTING_S
                is_final = is_late and isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            else:
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


def _backoff_s(n_tries: int) -> float:
    return _FIRST_DELAY_S * 2.0 ** (n_tries - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret


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


def reason(error: httpx.RequestError) -> str:
    """What went wrong, in a few words."""
    if isinstance(error, httpx.TimeoutException):
        return "timed out"
    text = re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__
    return text[0].lower() + text[1:]


def one_line(text: str) -> str:
    """The first 200 characters, without line breaks and other control characters."""
    return "".join(c if c.isprintable() else " " for c in text[:200]).strip()
