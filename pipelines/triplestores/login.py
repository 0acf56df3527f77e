"""How a load logs in: from the environment or a file, never from a command line, and told to nobody but the store."""

from __future__ import annotations

import base64
import os
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from kgmill.pipelines.triplestores.profiles import Profile
from kgmill.schemas.errors import UsageError

USER_VARIABLE = "KGMILL_STORE_USER"
PASSWORD_VARIABLE = "KGMILL_STORE_PASSWORD"  # noqa: S105 - the name of a variable
TOKEN_VARIABLE = "KGMILL_STORE_TOKEN"  # noqa: S105 - the name of a variable
BOTH = f"{USER_VARIABLE} and {PASSWORD_VARIABLE}"


@dataclass(frozen=True, slots=True)
class Login:
    """What goes out with each request.

    Attributes:
        auth: makes the header; None: there is no login.
        kind: how it is given: `Basic`, `Digest`, `Bearer` or `SigV4`.
        source: where it comes from, or would come from, in words.
        secrets: what an error page might echo and no message may repeat.
    """

    auth: httpx.Auth | None
    kind: str
    source: str
    secrets: tuple[str, ...] = field(default=(), repr=False)


def login_for(profile: Profile) -> Login:
    """The login for a store: a token where there is one, else a user name and a password, else none.

    Raises:
        UsageError: half a login or two of them, a file that can't be read, or AWS credentials that aren't there.
    """
    more = tuple(profile.headers.values())
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
        if not (token.isascii() and token.isprintable()):
            raise UsageError(f"{TOKEN_VARIABLE}: wanted printable ASCII")
        self._header = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._header
        yield request


# AWS


def _sigv4(profile: Profile, more: tuple[str, ...]) -> Login:
    try:
        import botocore.session
    except ImportError:
        raise UsageError("a SigV4 login needs botocore: pip install 'kgmill[aws]'") from None
    session = botocore.session.get_session()
    region = profile.region or session.get_config_variable("region") or os.environ.get("AWS_REGION", "")
    if not region:
        raise UsageError("a SigV4 login needs a region: set AWS_DEFAULT_REGION, or region in a profile's file")
    credentials = session.get_credentials()
    if credentials is None:
        raise UsageError(
            "a SigV4 login needs AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role"
        )
    frozen = credentials.get_frozen_credentials()
    secrets = tuple(text for text in (frozen.secret_key, frozen.token, frozen.access_key) if text)
    return Login(_SigV4(credentials, profile.service, region), "SigV4", "AWS's credentials", (*secrets, *more))


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
        SigV4Auth(self._credentials, self._service, self._region).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        yield request
