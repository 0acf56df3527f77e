"""spaCy's binary of documents (DocBin, `.spacy`): words, sentences, entities and, where they are there, relations.

Source: https://spacy.io/api/docbin. The words are the documents' tokens without spaces, the sentences theirs, or, where
they have none, those that the product makes of the text. spaCy has no place of its own for relations; those of its
tutorial's extension `rel` are read: {(first token of the head's, of the tail's entity): {type: 1.0}}. Which of spaCy is
used, and why: docs/decisions/0041-docbin.md.
"""

from __future__ import annotations

import zlib
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import srsly
from spacy.attrs import ENT_IOB, ENT_TYPE, ORTH, SENT_START
from spacy.strings import StringStore
from spacy.tokens import DocBin

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair, key_in_document
from kgmill.extractor.data.partial import Partial
from kgmill.extractor.data.unused import Unused
from kgmill.extractor.text.split import split_text
from kgmill.schemas.errors import DataError
from kgmill.schemas.ontology import check_type_name
from kgmill.schemas.text import storable

_MISSING, _INSIDE, _OUTSIDE, _BEGIN = range(4)  # of ENT_IOB
_REL = ("._.", "rel", None, None)


@dataclass(frozen=True, slots=True)
class _Doc:
    """A document as it is stored: a row a token.

    Attributes:
        words: the tokens, spaces among them.
        spaces: whether a space follows each.
        iob, types: the tokens' ENT_IOB, and the types of their entities, empty for none.
        starts: 1 where a sentence begins, -1 where none does, 0 where that is not said.
        relations: the extension `rel`; None: there is none.
        unused: what of it can't be used.
    """

    words: list[str]
    spaces: list[bool]
    iob: list[int]
    types: list[str]
    starts: list[int]
    relations: Any
    unused: list[Unused]


def read_docbin(path: Path) -> list[AnnotatedSentence]:
    """The sentences of a file.

    Raises:
        DataError: it is no DocBin, or naming the document and the fault.
    """
    data = path.read_bytes()
    try:
        stored = DocBin().from_bytes(data)
        docs = list(_docs(path, stored))
    except (zlib.error, ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        line = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: not a binary of spaCy (DocBin): {type(error).__name__}: {line}") from None
    return [sentence for number, doc in enumerate(docs) for sentence in _sentences(path, number, doc)]


def _docs(path: Path, stored: DocBin) -> Iterator[_Doc]:
    strings = StringStore(stored.strings)
    column = {attribute: i for i, attribute in enumerate(stored.attrs)}
    for number, (rows, spaces) in enumerate(zip(stored.tokens, stored.spaces, strict=True)):
        n = len(rows)

        def values(attribute: int, rows: Any = rows, n: int = n) -> list[int]:
            known = attribute in column
            return rows[:, column[attribute]].astype(np.int64).tolist() if known else [0] * n

        place = f"{path}: document {number}"
        types = rows[:, column[ENT_TYPE]] if ENT_TYPE in column else [0] * n
        yield _Doc(
            [storable(strings[int(key)]) for key in rows[:, column[ORTH]]],
            [stored.flags[number].get("has_unknown_spaces", False) or bool(s) for s in np.ravel(spaces)],
            values(ENT_IOB),
            [strings[int(key)] if key else "" for key in types],
            values(SENT_START),
            _relations(stored, number),
            list(_not_modelled(stored, number, place)),
        )


def _relations(stored: DocBin, number: int) -> Any:
    if number >= len(stored.user_data) or stored.user_data[number] is None:
        return None
    return srsly.msgpack_loads(stored.user_data[number], use_list=False).get(_REL)


def _not_modelled(stored: DocBin, number: int, place: str) -> Iterator[Unused]:
    """Groups of spans, and categories of the document."""
    groups = stored.span_groups[number]
    named = srsly.msgpack_loads(groups) if groups else {}
    for group, names in named.items() if isinstance(named, dict) else ():
        for name in names:
            for _ in srsly.msgpack_loads(group)["spans"]:
                yield Unused("not_modelled", "label", storable(str(name)), f"{place}: spans {name!r}")
    for name, score in stored.cats[number].items():
        if score:
            yield Unused("not_modelled", "label", storable(str(name)), f"{place}: category {name!r}")


def _sentences(path: Path, number: int, doc: _Doc) -> Iterator[AnnotatedSentence]:
    place = f"{path}: document {number}"
    is_word = [bool(word.strip()) for word in doc.words]
    if not any(is_word):
        if doc.unused:
            raise DataError(f"{place}: has annotations, but no words")
        return
    begins = _begins(doc)
    bounds = [(a, b) for a, b in pairwise((*begins, len(doc.words))) if any(is_word[a:b])]
    unused: list[list[Unused]] = [[] for _ in bounds]
    unused[0] += doc.unused
    entities: list[dict[EntitySpan, int]] = [{} for _ in bounds]
    rank = list(accumulate(is_word, initial=0))  # how many words are before a token
    homes: dict[int, tuple[int, int]] = {}
    for begin, end, name in _runs(doc, place):
        home = max(0, bisect([a for a, _ in bounds], begin) - 1)
        first, last = bounds[home]
        shown = " ".join(doc.words[begin:end])
        if not (first <= begin and end <= last) or rank[begin] == rank[end]:
            kind = "unaligned" if rank[begin] == rank[end] else "outside_sentence"
            unused[home].append(Unused(kind, "entity", name, f"{place}: tokens {begin} to {end}: {shown!r}"))
            continue
        span = EntitySpan(rank[begin] - rank[first], rank[end] - rank[first], name)
        homes[begin] = (home, entities[home].setdefault(span, len(entities[home])))
    pairs = _pairs(doc, place, homes, unused)
    for i, (begin, end) in enumerate(bounds):
        words = tuple(word for word, is_one in zip(doc.words[begin:end], is_word[begin:end], strict=True) if is_one)
        is_complete = _MISSING not in doc.iob[begin:end]
        relations = None if doc.relations is not None else ()
        partial = Partial(None if is_complete else (), relations)
        yield AnnotatedSentence(
            words,
            tuple(entities[i]),
            tuple(pairs[i]),
            key_in_document(storable(f"{path.name}:{number}"), i),
            tuple(unused[i]),
            f"{place}: sentence {i + 1}",
            None if partial == Partial() else partial,
        )


def _begins(doc: _Doc) -> list[int]:
    """The tokens that sentences begin with."""
    n = len(doc.words)
    if any(doc.starts[1:]) or (doc.starts[0] > 0 and n == 1):
        return [i for i in range(n) if i == 0 or doc.starts[i] == 1]
    pieces = [word + " " * space for word, space in zip(doc.words, doc.spaces, strict=True)]
    found = [sentence.begin for sentence in split_text("".join(pieces))]
    homes = [max(0, bisect(found, at) - 1) for at in list(accumulate(map(len, pieces), initial=0))[:n]]
    return [i for i in range(n) if i == 0 or homes[i] != homes[i - 1]]


def _runs(doc: _Doc, place: str) -> Iterator[tuple[int, int, str]]:
    """The entities in tokens: first, the one after the last, type."""
    begin, kind = 0, ""
    for i, (iob, name) in enumerate([*zip(doc.iob, doc.types, strict=True), (_OUTSIDE, "")]):
        if kind and (iob != _INSIDE or name != kind):
            yield begin, i, _type_name(kind, place)
            kind = ""
        if iob in (_BEGIN, _INSIDE) and not kind:
            begin, kind = i, name


def _pairs(
    doc: _Doc, place: str, homes: dict[int, tuple[int, int]], unused: Sequence[list[Unused]]
) -> list[dict[RelationPair, None]]:
    """The relations of each sentence; what joins no two of its entities is told."""
    pairs: list[dict[RelationPair, None]] = [{} for _ in unused]
    for ends, names in _items(doc.relations, tuple, place):
        for name, score in _items(names, str, place):
            if not score:
                continue
            head, tail = (homes.get(end) for end in ends)
            kind, where = _type_name(name, place), f"{place}: relation {ends[0]} -> {ends[1]}"
            if head and tail and head[0] == tail[0] and head != tail:
                pairs[head[0]][RelationPair(head[1], tail[1], kind)] = None
            else:
                fault = "no_entity" if not (head and tail) else "one_entity" if head == tail else "across_sentences"
                number = min((home[0] for home in (head, tail) if home), default=0)
                unused[number].append(Unused(fault, "relation", kind, where))
    return pairs


def _items(value: Any, kind: type[Any], place: str) -> list[tuple[Any, Any]]:
    """The items of a part of `rel`, whose keys are pairs of tokens, or names."""
    if value is None:
        return []
    if not isinstance(value, dict) or not all(
        isinstance(key, kind) and (kind is str or len(key) == 2) for key in value
    ):
        raise DataError(f"{place}: wanted doc._.rel as {{(token, token): {{type: 1.0}}}}, got {str(value)[:60]!r}")
    return list(value.items())


def _type_name(name: Any, place: str) -> str:
    try:
        return check_type_name(storable(str(name)))
    except ValueError as error:
        raise DataError(f"{place}: {error}") from None
