"""Text that can be stored: what every encoding can carry."""

from __future__ import annotations

import re

_SURROGATE = re.compile("[\ud800-\udfff]")


def storable(text: str) -> str:
    r"""The text with lone surrogates, which no encoding can carry, replaced; the length stays, so offsets do.

    >>> storable("a\ud83db")
    'a\ufffdb'
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text
