"""Which kind of store answers at an endpoint: `--profile auto`."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from kgmill.pipelines.triplestores.client import base_url, trusting
from kgmill.pipelines.triplestores.http_client import reason
from kgmill.pipelines.triplestores.profile_file import read_profile
from kgmill.pipelines.triplestores.profiles import AUTO, PROFILES, Profile, profile_of
from kgmill.schemas.errors import StoreError

_BYTES_OF_A_PAGE = 4096
_TIMEOUT = httpx.Timeout(20.0, connect=5.0)


def profile_for(name: str, endpoint: str, ca_file: Path | None = None) -> Profile:
    """The profile of a name, of a TOML file, or of what answers.

    Raises:
        UsageError: there is no such profile, or its file is wrong.
        StoreError: `auto`, and nothing answers, or nothing that is known.
    """
    if name.endswith(".toml"):
        return read_profile(Path(name))
    return PROFILES[_detect(endpoint, ca_file)] if name == AUTO else profile_of(name)


def _detect(endpoint: str, ca_file: Path | None) -> str:
    """The name of the first row whose sign is seen.

    What is asked needs no login, and none is sent before it is known how it would be.
    """
    pages: dict[str, str] = {}
    with httpx.Client(timeout=_TIMEOUT, verify=trusting(ca_file)) as client:
        for name, profile in PROFILES.items():
            path, sign = profile.sign
            url = base_url(endpoint, profile) + path
            if not sign:
                continue
            if url not in pages:
                pages[url] = _page(client, url)
            if re.search(sign, pages[url]):
                return name
    raise StoreError(
        f"{endpoint}: is none of the kinds of stores that can be told by their answers; say which with --profile, "
        "sparql where none fits"
    )


def _page(client: httpx.Client, url: str) -> str:
    """The headers and the beginning of what is there, a line each; asked for without being followed."""
    try:
        with client.stream("GET", url, headers={"Accept": "*/*"}) as response:
            body = b""
            for piece in response.iter_bytes(_BYTES_OF_A_PAGE):
                body += piece
                if len(body) >= _BYTES_OF_A_PAGE:
                    break
    except httpx.RequestError as error:
        raise StoreError(f"{url}: no answer ({reason(error)}); is the store running?") from None
    headers = "".join(f"\n{name}: {value}" for name, value in response.headers.items())
    return f"{headers}\n\n{body.decode(errors='replace')}"
