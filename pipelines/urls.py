"""URLs of sources and outputs, and the file systems that they name."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from kgmill.schemas.errors import SourceError, UsageError
from kgmill.schemas.extras import way_to

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


def split_url(name: str, wrong: type[UsageError] = SourceError) -> tuple[str, str]:
    """The protocol and the path of a name; the protocol is empty for what is a path here, `file://` URLs too.

    Raises:
        UsageError: a `file://` URL of another machine; of the kind `wrong`.
    """
    match = _URL.fullmatch(name)
    if match is None:
        return "", name
    protocol, path = match[1].lower(), match[2]
    if protocol not in ("file", "local"):
        return protocol, path
    path = path.removeprefix("localhost")
    if not path.startswith("/"):
        raise wrong(f"{name}: wanted file:/// and an absolute path")
    return "", unquote(path)


def file_system(url: str, wrong: type[UsageError] = SourceError, **options: Any) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Args:
        url: with its protocol.
        wrong: the kind of error.
        **options: of the file system.

    Raises:
        UsageError: fsspec doesn't know the protocol, or its package is not installed; of the kind `wrong`.
    """
    from fsspec.core import url_to_fs

    try:
        fs, path = url_to_fs(url, **options)
    except ImportError as error:
        hint = f": {way_to('s3')}" if split_url(url)[0] in ("s3", "s3a") else ""
        raise wrong(f"{url}: {error}, beside kgmill{hint}") from None
    except Exception as error:  # an unknown protocol, or a complaint of the file system's own
        raise wrong(f"{url}: {line(error)}") from None
    return fs, str(path)


def line(error: BaseException) -> str:
    """What an error says, in one line; its name where it says nothing."""
    return " ".join(str(error).split())[:300] or type(error).__name__
