"""Names for things that are equal wherever and whenever they are computed: no counters, no random ids, no clocks."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from functools import lru_cache
from typing import Any

from kgmill.schemas.names import label_of

BUCKET_BITS = 8  # of the buckets of a graph that nobody asked more of
_ARTICLE = re.compile(r"^the (?=\S)")
_MARKUP, _BRANDS = (
    "<=>|~\u00ac",
    "\u00a9\u00ae\u2117",
)  # symbols that say nothing beside a name; the first do by a number
_UNSAFE = re.compile(r"[^a-z0-9]+")


def digest(*parts: str) -> str:
    """SHA-256 over the parts, as 64 hex digits; parts can't run into each other."""
    h = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        h.update(len(data).to_bytes(8, "big"))
        h.update(data)
    return h.hexdigest()


def fingerprint(value: Any) -> str:
    """SHA-256 of a JSON-like value, the same for equal values whatever the order of keys."""
    return digest(json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":")))


@lru_cache(maxsize=1 << 16)
def entity_key(text: str) -> str:
    """A mention's text, normalised: folded as in a label, and without case, edge punctuation and a leading article.

    Symbols stay, so that 1%, $1 and 1 are three. Text that is nothing but punctuation keeps it: no key is empty.

    >>> entity_key("The  United\\nNations,")
    'united nations'
    >>> entity_key("the The") , entity_key('the "Maine"'), entity_key("...")
    ('the', 'maine', '...')
    >>> entity_key("1%."), entity_key("(C++)")
    ('1%', 'c++')
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label_of(text)).casefold())
    return _trim(_ARTICLE.sub("", _trim(label_of(folded))))


def _trim(text: str) -> str:
    """The text from the first character that tells apart to the last and its marks; all of it, if there is none."""
    inner = [i for i in range(len(text)) if _tells_apart(text, i)]
    if not inner:
        return text
    end = inner[-1] + 1
    while end < len(text) and unicodedata.category(text[end])[0] == "M":
        end += 1
    return text[inner[0] : end]


def _tells_apart(text: str, i: int) -> bool:
    """Whether a character at the edge of a name is part of it: letters, digits, most symbols, the sign of a number."""
    character, before, after = text[i], text[i - 1 : i], text[i + 1 : i + 2]
    kind = unicodedata.category(character)
    if kind in ("Sc", "Sm", "So"):
        is_by_number = before.isdigit() or after.isdigit()
        return character not in _BRANDS and (is_by_number or character not in _MARKUP)
    if character == "#":
        return before.isalnum()  # C#, but not a hashtag
    if character == "-":
        return after.isdigit() and not before.isalnum()
    return kind[0] in "LN" or character in "%\u2030"


def slug(text: str, max_length: int = 40) -> str:
    """The readable part of an IRI: lower-case ASCII letters, digits and hyphens; may be empty.

    >>> slug("Władysław Łódź & Co.")
    'wadysaw-odz-co'
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _UNSAFE.sub("-", ascii_text).strip("-")[:max_length].strip("-")


def entity_id(name: str, number: int = 1, doc_id: str = "") -> str:
    """`slug-hash16` of the normalised name that an entity is known by; its type is not in it.

    `number` tells things of one name apart, from the commonest on; `doc_id` those that are one in a document alone.

    >>> entity_id("The Hague") == entity_id("the  hague"), entity_id("Washington", 2)[-2:]
    (True, '-2')
    """
    key = entity_key(name)
    tail = digest("entity", key, *([doc_id] if doc_id else ()))[:16]
    return "-".join([*filter(None, [slug(key)]), tail, *([str(number)] if number > 1 else [])])


def pair_id(one: str, other: str) -> str:
    """8 hex digits that two ends of facts have in common, in either order.

    >>> pair_id("a", "b") == pair_id("b", "a")
    True
    """
    return digest("pair", *sorted((one, other)))[:8]


def fact_id(head: str, relation: str, *tail: str) -> str:
    """16 hex digits that name a fact; its tail is an entity's id, or a value and its datatype.

    They begin with the pair's, so that the facts of two ends are in one bucket.
    """
    return pair_id(head, tail[0]) + digest("fact", head, relation, *tail)[:8]


def statement_id(doc_id: str, head: tuple[int, int], tail: tuple[int, int], relation: str) -> str:
    """16 hex digits that name a relation mention, without model or run, so that a new model renames no evidence."""
    return digest("statement", doc_id, f"{head[0]},{head[1]}", f"{tail[0]},{tail[1]}", relation)[:16]


_LETTERS = re.compile(r"[^\W\d_]+")


def text_key(text: str) -> str:
    """8 hex digits that texts of the same words have in common, whatever their case, numbers and punctuation.

    >>> text_key("Up 3%, says Acme.") == text_key("UP 4 % says Acme")
    True
    """
    return digest("text", " ".join(_LETTERS.findall(text.casefold())))[:8]


def order_key(identifier: str) -> str:
    """64 hex digits by which documents, entities and facts are ordered and cut into units, whatever came first."""
    return digest("bucket", identifier)


def bucket(identifier: str, n_bits: int = BUCKET_BITS) -> int:
    """Which of 2 ** n_bits buckets, 16 bits at most, an entity or a fact's pair lies in: its order key's first bits."""
    return int(order_key(identifier)[:4], 16) >> (16 - n_bits)


def fact_bucket(fact: str, n_bits: int = BUCKET_BITS) -> int:
    """The bucket of a fact: that of its pair."""
    return bucket(fact[:8], n_bits)
