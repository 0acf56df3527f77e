"""How a load logs in: from the environment or a file, never from a command line, and told to nobody but the store."""

from __future__ import annotations

import base64
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from kgmill.pipelines.triplestores.profiles import Profile
from kgmill.schemas.errors import KgmillError, StoreError, UsageError
from kgmill.schemas.extras import require

USER_VARIABLE = "KGMILL_STORE_USER"
PASSWORD_VARIABLE = "KGMILL_STORE_PASSWORD"  # noqa: S105 - the name of a variable
TOKEN_VARIABLE = "KGMILL_STORE_TOKEN"  # noqa: S105 - the name of a variable
BOTH = f"{USER_VARIABLE} and {PASSWORD_VARIABLE}"
SENDABLE = "wanted printable ASCII, without white space at its ends"


@dataclass(frozen=True, slots=True)
class Login:
    """What goes out with each request.

    Attributes:
        auth: makes the header; None: there is no login.
        kind: how it is given: `Basic`, `Digest`, `Bearer` or `SigV4`.
        source: where it comes from, or would come from, in words.
        secrets: what an error page might echo and no message may repeat; those that are empty count for nothing.
    """

    auth: httpx.Auth | None
    kind: str
    source: str
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def masked(self, text: str) -> str:
        """A text of somebody else's for a message: without secrets, nor how a fault of h11's would write them.

        >>> Login(None, "Bearer", "", ("k3y", "", "key k3y")).masked("got 'key k3y', not k3y")
        "got '***', not ***"
        """
        for secret in sorted(filter(None, self.secrets), key=len, reverse=True):
            for written in (secret, repr(secret)[1:-1]):
                text = text.replace(written, "***")
        return text


def is_sendable(text: str) -> bool:
    """Whether a header can have this value."""
    return text.isascii() and text.isprintable() and text == text.strip()


def login_for(profile: Profile) -> Login:
    """The login for a store: a token where there is one, else a user name and a password, else none.

    Raises:
        UsageError: half a login or two of them, one that no header can hold, a file that can't be read, or AWS
            credentials that aren't there.
    """
    more = (*profile.headers.values(), *profile.secrets)
    if profile.auth == "sigv4":
        return _sigv4(profile, more)
    user, password, token = _setting(USER_VARIABLE), _setting(PASSWORD_VARIABLE), _setting(TOKEN_VARIABLE)
    if token and (user or password):
        raise UsageError(f"wanted either {TOKEN_VARIABLE} or {BOTH}; both are set")
    if token:
        return Login(_Bearer(token), "Bearer", TOKEN_VARIABLE, (token, *more))
    if profile.auth == "bearer" and not (user or password):
        return Login(None, "Bearer", TOKEN_VARIABLE, more)
    kind = "Digest" if profile.auth == "digest" else "Basic"
    if not user and not password:
        return Login(None, kind, BOTH, more)
    if not user or not password:
        raise UsageError(f"wanted both {BOTH}, or neither; one of them is missing")
    for variable, value in ((USER_VARIABLE, user), (PASSWORD_VARIABLE, password)):
        if any(character < " " or character == "\x7f" for character in value):
            raise UsageError(f"{variable}: wanted no line break, and no other control character")
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    auth = httpx.DigestAuth(user, password) if kind == "Digest" else httpx.BasicAuth(user, password)
    return Login(auth, kind, BOTH, (encoded, password, user, *more))


def _setting(variable: str) -> str:
    """A variable of the environment, or the content of the file that VARIABLE_FILE names; empty: neither."""
    value, name = os.environ.get(variable, ""), os.environ.get(f"{variable}_FILE", "")
    if value or not name:
        return value
    try:
        value = Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{variable}_FILE: {name} can't be read: {getattr(error, 'strerror', error)}") from None
    if not value:
        raise UsageError(f"{variable}_FILE: {name} is empty")
    return value


class _Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        if not is_sendable(token):
            raise UsageError(f"{TOKEN_VARIABLE}: {SENDABLE}")
        self._header = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._header
        yield request


# AWS


def _sigv4(profile: Profile, more: tuple[str, ...]) -> Login:
    require("a SigV4 login", "aws")
    import botocore.session

    with _refusing(UsageError):
        session = botocore.session.get_session()
        region = profile.region or session.get_config_variable("region") or os.environ.get("AWS_REGION", "")
        if not region:
            raise UsageError("a SigV4 login needs a region: set AWS_DEFAULT_REGION, or region in a profile's file")
        credentials = session.get_credentials()
        frozen = credentials.get_frozen_credentials() if credentials else None
    if frozen is None:
        raise UsageError(
            "a SigV4 login needs AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role"
        )
    secrets = tuple(text for text in (frozen.secret_key, frozen.token, frozen.access_key) if text)
    if not all(map(is_sendable, secrets)):
        raise UsageError(f"AWS's credentials: {SENDABLE}")
    return Login(_SigV4(credentials, profile.service, region), "SigV4", "AWS's credentials", (*secrets, *more))


@contextmanager
def _refusing(kind: type[KgmillError]) -> Iterator[None]:
    """What AWS's own tools find wrong with how they are set up is one line: botocore has no one class for it."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, OSError, ValueError) as error:
        raise kind(f"AWS's credentials: {' '.join(str(error).split())}") from None


class _SigV4(httpx.Auth):
    """Signs each request with what the credentials are by then: those of a role pass."""

    requires_request_body = True

    def __init__(self, credentials: Any, service: str, region: str) -> None:
        self._credentials, self._service, self._region = credentials, service, region

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        names = ("host", "content-type")
        headers = {name: request.headers[name] for name in names if name in request.headers}
        signed = AWSRequest(request.method, str(request.url), data=request.content, headers=headers)
        with _refusing(StoreError):
            SigV4Auth(self._credentials, self._service, self._region).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        yield request
