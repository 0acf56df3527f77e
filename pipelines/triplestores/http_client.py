"""HTTP requests to a store: what passes is tried again, a refusal is one clear line, and no secret is told."""

from __future__ import annotations

import itertools
import logging
import random
import re
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, get_args

import httpx

from kgmill.pipelines.triplestores.login import BOTH, TOKEN_VARIABLE, Login
from kgmill.pipelines.triplestores.profiles import Auth, Profile
from kgmill.schemas.errors import StoreError

logger = logging.getLogger(__name__)

MAX_TRIES = 5

_MAX_REDIRECTS = 5
_FIRST_DELAY_S = 0.3
_MAX_RETRY_AFTER_S = 60.0
_MAX_CONNECTING_S = 5.0
_LARGE, _SLOW = 64 << 10, 1 << 20  # bytes that a break, or a silence, may be due to
_CURES = {
    "Basic": f'auth = "basic" in a profile\'s file, with {BOTH}',
    "Digest": f'auth = "digest" in a profile\'s file, with {BOTH}',
    "Bearer": f"set {TOKEN_VARIABLE}",
}
_BROKEN = (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError)


class TooLargeError(StoreError):
    """The store, or something before it, doesn't take a request of that size."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Sends requests to one server.

    Attributes:
        url: the server's base URL, which messages name.
        profile: its kind.
        login: what goes out with each request.
    """

    client: httpx.Client
    url: str
    profile: Profile
    login: Login
    _moved: dict[str, str] = field(default_factory=dict)

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
            **options: as httpx takes them.

        Raises:
            TooLargeError: a smaller request might be taken.
            StoreError: no answer, or a refusal.
        """
        started = time.monotonic()
        n_bytes = len(options.get("content") or "") or sum(map(len, (options.get("data") or {}).values()))
        for n_tries in itertools.count(1):
            delay_s = _backoff_s(n_tries)
            try:
                response = self._follow(method, url, what, is_stream, options)
                if response.is_success or response.status_code == fine:
                    return response
                response.read()
            except httpx.RequestError as error:
                why = self.login.masked(reason(error))
                fault = f"{self.url}: no answer ({why}); is the store running?"
                if isinstance(error, httpx.LocalProtocolError):
                    raise StoreError(f"{self.url}: {what}: can't be sent: {why}") from None
                if n_tries > 1 and _may_be_too_large(error, n_bytes):
                    raise TooLargeError(fault) from None
                if "CERTIFICATE_VERIFY_FAILED" in str(error):
                    raise StoreError(f"{self.url}: {why}; --ca-file names who may vouch for it") from None
                is_late = time.monotonic() - started + delay_s > _MAX_CONNECTING_S
                is_final = is_late and isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            else:
                fault = self._refusal(what, response)
                if response.status_code == 413 or _says(self.profile.too_large, response):
                    raise TooLargeError(fault)
                is_transient = response.status_code in self.profile.retried or _says(self.profile.transient, response)
                is_final = not is_transient
                delay_s = _retry_after_s(response, delay_s)
            if is_final or n_tries == MAX_TRIES:
                raise StoreError(fault)
            logger.warning("%s; trying again in %.1f s", fault, delay_s)
            time.sleep(delay_s)
        raise AssertionError("unreachable")

    def _follow(self, method: str, url: str, what: str, is_stream: bool, options: dict[str, Any]) -> httpx.Response:
        """The answer of wherever the store sends the request to on the same host; later ones go there at once."""
        path, mark, query = url.partition("?")
        for _ in range(_MAX_REDIRECTS):
            now = self._moved.get(path, path)
            request = self.client.build_request(method, f"{now}{mark}{query}", **options)
            response = self.client.send(request, stream=is_stream)
            if not response.has_redirect_location:
                return response
            response.close()
            try:
                target = httpx.URL(now).join(response.headers["location"])
            except httpx.InvalidURL:
                raise StoreError(f"{self.url}: {what}: status {response.status_code}, to no URL") from None
            there = f"{target.scheme}://{target.netloc.decode()}{target.path}"
            told = one_line(self.login.masked(there))
            is_worse = (request.url.scheme, target.scheme) == ("https", "http")
            if response.status_code == 303 or target.host != request.url.host or is_worse:
                raise StoreError(
                    f"{self.url}: {what}: status {response.status_code}, to {told}, which is not followed; "
                    "if that is the store, give its base URL as --endpoint"
                )
            self._moved[path] = there
        raise StoreError(f"{self.url}: {what}: sent on more than {_MAX_REDIRECTS} times")

    def _refusal(self, what: str, response: httpx.Response) -> str:
        body, hint = self.login.masked(response.text), self._hint(response)
        return f"{self.url}: {what}: status {response.status_code}: {one_line(body)}{f'; {hint}' if hint else ''}"

    def _hint(self, response: httpx.Response) -> str:
        """What might help, for this kind of store and what is set."""
        login, status = self.login, response.status_code
        if status == 404:
            return f"is this the store's base URL? of this profile it is like {self.profile.endpoint}"
        if status == 405:
            return "is the store read-only, or of another profile?"
        if status not in (401, 403) and not _says(self.profile.denied, response):
            return ""
        wanted = _challenges(response.headers.get("www-authenticate", "")) if status == 401 else []
        if wanted and login.kind not in (*wanted, "SigV4"):
            wants = f"it wants a login by {one_line(' or '.join(wanted))}, and"
            cure = ", or ".join(cure for kind, cure in _CURES.items() if kind in wanted)
            if not cure:
                return f"{wants} kgmill knows {', '.join(get_args(Auth))}"
            return f"{wants} this profile gives {login.kind}: {cure}"
        if login.auth is None:
            return f"set {login.source}"
        may = "it doesn't take the login" if status == 401 else "it doesn't allow this, read-only or not, to the login"
        return f"{may} of {login.source}"


def _challenges(header: str) -> list[str]:
    """The kinds of login that a server names, in any number of headers, which httpx has joined.

    >>> _challenges('Negotiate, digest realm="a, basic b", nonce="x", Basic realm="c"')
    ['Negotiate', 'Digest', 'Basic']
    """
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', header)
    kinds = re.findall(r"(?:^|,)\s*([\w-]+)(?=\s+[^\s=]|\s*(?:,|$))", bare)
    return [kind.title() if kind.title() in _CURES else kind for kind in kinds]


def _says(expression: str, response: httpx.Response) -> bool:
    return bool(expression) and re.search(expression, response.text[:2000]) is not None


def _may_be_too_large(error: httpx.RequestError, n_bytes: int) -> bool:
    is_slow = isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout)
    return (is_slow and n_bytes > _SLOW) or (isinstance(error, _BROKEN) and n_bytes > _LARGE)


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
