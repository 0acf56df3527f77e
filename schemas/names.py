"""Names as people see them: what can't be seen is gone, and characters that look alike are one."""

from __future__ import annotations

import re
import unicodedata

_SPACES = re.compile(r"\s+")
_LINE_BREAK = r"[^\S\n\r\x85\u2028\u2029]*[\n\r\x85\u2028\u2029]\s*"
_SOFT_HYPHENATED = re.compile(f"\u00ad{_LINE_BREAK}")
_HYPHENATED = re.compile(rf"(?<=\w)-{_LINE_BREAK}(?=\w)")
# Controls but spaces, and what Unicode says to leave out of sight where it can't be shown.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_ALIKE = {
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d",
    "'": "`\u00b4\u02b9\u02bb\u02bc\u2018\u2019\u201b\u2032\ua78c\uff07",
    '"': "\u201c\u201d\u201e\u201f\u2033\uff02",
}
_VARIANTS = str.maketrans({variant: plain for plain, variants in _ALIKE.items() for variant in variants})


def label_of(text: str) -> str:
    r"""A mention's text as the label of an entity: composed letters, single spaces, plain hyphens and quotes.

    Text in which nothing can be seen keeps what it has.

    >>> label_of("Anne\u2011Marie\n  O\u2019Neill\u200b")
    "Anne-Marie O'Neill"
    """
    composed = unicodedata.normalize("NFC", _SOFT_HYPHENATED.sub("", text))
    seen = _HYPHENATED.sub("-", _INVISIBLE.sub("", composed).translate(_VARIANTS))
    return _SPACES.sub(" ", unicodedata.normalize("NFC", seen)).strip() or _SPACES.sub(" ", text).strip()


_SUFFIX = re.compile(  # behind a name and a hyphen: what joins it to a noun, and no part of it
    r"(?<=[\w.])[-\u2010\u2011](?:administered|aligned|allied|approved|area|backed|based|born|bound|bred|brokered|built|controlled|coordinated|"
    r"dominated|educated|era|friendly|fuell?ed|funded|held|imposed|influenced|inspired|installed|led|linked|listed|made|mandated|occupied|"
    r"owned|patrolled|ruled|run|speaking|sponsored|style|supported|trained|type|wide)$"
)


def named_part(text: str) -> str:
    """A mention's text without a word that a hyphen joins to a name: what is US-led or Houston-based names no more.

    >>> named_part("New York-based"), named_part("U.S.-backed"), named_part("Chen Shui-bian"), named_part("Spin-off")
    ('New York', 'U.S.', 'Chen Shui-bian', 'Spin-off')
    """
    return _SUFFIX.sub("", text)
