"""Duplicates: documents that say the same, told by hashes alone, a partition of the hashes at a time.

Exact: of documents with equal text the smallest id is kept. Near: a document goes if a document with a smaller id is
near to it, whether that one stays or goes, so neither the order of arrival nor a chain of likenesses decides anything.
Texts are near when MinHash finds the Jaccard similarity of their sets of three-word shingles at or above a threshold;
pairs are looked for in bands of the signature, so a few that lie at the threshold are missed, always the same ones.

Rows of two kinds travel: an exact row's key is the text's SHA-256 and its signature is empty; a near row's key is the
hash of a band, and its signature that of the whole document.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from kgmill.schemas.tables import values

N_PERMUTATIONS = 128
_SEED = 1
_SHINGLE_WORDS = 3
_MISS_WEIGHT = 0.98  # a false candidate costs a comparison, a missed one stays in the graph
_WORD = re.compile(r"\w+")
KEYS = pa.schema(
    [
        pa.field(name, kind, nullable=False)
        for name, kind in (("key", pa.string()), ("doc_id", pa.string()), ("signature", pa.binary()))
    ]
)
LOSERS = pa.schema(
    [
        pa.field(name, kind, nullable=False)
        for name, kind in (
            ("doc_id", pa.string()),
            ("reason", pa.string()),
            ("other", pa.string()),
            ("similarity", pa.float64()),
        )
    ]
)


@dataclass(frozen=True, slots=True)
class Loser:
    """A document that goes.

    Attributes:
        reason: `duplicate` or `near_duplicate`.
        other: the smallest id whose document has the same text, or is near.
        similarity: estimated Jaccard similarity of the two, in [0, 1].
    """

    doc_id: str
    reason: str
    other: str
    similarity: float

    @property
    def detail(self) -> str:
        """For the rejects table: what it is a duplicate of."""
        if self.reason == "duplicate":
            return f"has the text of {self.other}"
        return f"is near to {self.other}, similarity {self.similarity:.3f}"


def key_rows(doc_ids: Sequence[str], hashes: Sequence[str], texts: Iterable[str], threshold: float) -> pa.Table:
    """The rows by which documents are compared; `texts` is read only where there is a threshold for near ones."""
    exact = pa.table([hashes, doc_ids, [b""] * len(doc_ids)], schema=KEYS)
    if not threshold or not doc_ids:
        return exact
    rows: dict[str, list[Any]] = {"key": [], "doc_id": [], "signature": []}
    for doc_id, text in zip(doc_ids, texts, strict=True):
        signed = signature(text)
        keys = band_keys(signed, threshold)
        rows["key"] += keys
        rows["doc_id"] += [doc_id] * len(keys)
        rows["signature"] += [signed] * len(keys)
    return pa.concat_tables([exact, pa.table(rows, schema=KEYS)])


def signature(text: str) -> bytes:
    """The MinHash signature of a text's set of three-word shingles, case folded: 128 numbers of 32 bits."""
    from datasketch import MinHash

    words = _WORD.findall(text.casefold()) or [text]
    n_shingles = max(1, len(words) - _SHINGLE_WORDS + 1)
    shingles = {" ".join(words[i : i + _SHINGLE_WORDS]).encode() for i in range(n_shingles)}
    sketch = MinHash(N_PERMUTATIONS, permutations=_permutations(), scheme="affine32")
    sketch.update_batch(shingles)
    signed: bytes = sketch.hashvalues.astype("<u4").tobytes()
    return signed


@lru_cache(maxsize=1)
def _permutations() -> np.ndarray:
    from datasketch import MinHash

    numbers: np.ndarray = MinHash(N_PERMUTATIONS, seed=_SEED, scheme="affine32").permutations
    return numbers


def band_keys(signed: bytes, threshold: float) -> list[str]:
    """The hash of each band of a signature: documents that share one are compared."""
    n_bands, n_rows = n_bands_and_rows(threshold)
    width = 4 * n_rows
    bands = (signed[i * width : (i + 1) * width] for i in range(n_bands))
    return [hashlib.sha256(bytes([i]) + band).hexdigest()[:32] for i, band in enumerate(bands)]


@lru_cache(maxsize=8)
def n_bands_and_rows(threshold: float) -> tuple[int, int]:
    """How a signature is cut, so that nearly all pairs at the threshold share a band: 10 by 12 for 0.9."""
    from datasketch import MinHashLSH

    index = MinHashLSH(threshold, N_PERMUTATIONS, weights=(round(1 - _MISS_WEIGHT, 2), _MISS_WEIGHT))
    return index.b, index.r


def find_losers(rows: pa.Table, threshold: float) -> Iterator[Loser]:
    """The documents that go because of another in these rows, which hold all rows of their keys.

    A document may come more than once, from several bands: `worst` chooses.
    """
    rows = rows.sort_by([("key", "ascending"), ("doc_id", "ascending")])
    ids, signatures = rows["doc_id"], rows["signature"]
    end = 0
    for _, same in groupby(rows["key"].to_pylist()):
        begin, end = end, end + sum(1 for _ in same)
        if end - begin == 1:
            continue
        mine, signed = (values(column.slice(begin, end - begin)) for column in (ids, signatures))
        if signed[0]:
            yield from _near(mine, signed, threshold)
        else:
            yield from (Loser(doc_id, "duplicate", mine[0], 1.0) for doc_id in mine[1:])


def _near(ids: Sequence[str], signatures: Sequence[bytes], threshold: float) -> Iterator[Loser]:
    """Of documents in the order of their ids: each that has an earlier one near to it, with the first such."""
    signed = np.frombuffer(b"".join(signatures), "<u4").reshape(len(ids), N_PERMUTATIONS)
    open_ = np.arange(1, len(ids))
    for i, doc_id in enumerate(ids):
        open_ = open_[open_ > i]
        if not len(open_):
            return
        similarity = (signed[open_] == signed[i]).mean(axis=1)
        is_near = similarity >= threshold
        for j, s in zip(open_[is_near], similarity[is_near], strict=True):
            yield Loser(ids[j], "near_duplicate", doc_id, float(s))
        open_ = open_[~is_near]


def worst(losers: Iterable[Loser]) -> dict[str, Loser]:
    """One reason a document: an equal text before a near one, then the smallest other id."""
    chosen: dict[str, Loser] = {}
    for loser in losers:
        before = chosen.setdefault(loser.doc_id, loser)
        if (loser.reason, loser.other) < (before.reason, before.other):
            chosen[loser.doc_id] = loser
    return chosen
