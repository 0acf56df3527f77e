"""Names of outputs that people give: folders of this machine."""

from __future__ import annotations

import re
from pathlib import Path

from kgmill.schemas.errors import OutputError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def local_path(name: str) -> Path:
    """The path of an output's name.

    Raises:
        OutputError: the name is empty or a URL, which as a path would be a folder of an odd name in the current one.
    """
    if not name:
        raise OutputError("the name of the output is empty; give a folder")
    if _URL.match(name):
        raise OutputError(f"{name}: only sources can be URLs; an output is a folder, on this machine or mounted here")
    return Path(name)
