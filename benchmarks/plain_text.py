"""Sentences of plain texts with nothing annotated, for a model to complete and a student to learn from.

    python -m benchmarks.plain_text OUT.json FILE... [--most 2500] [--seed 1]

A file is a text, or Parquet with a document a row, such as a build's `tables/documents`, whose texts are clean.
Sentences are those that prediction cuts. Written are those of 6 to 60 words that may have names: of which two or more,
behind the first, are capitalised and no titles; in an order that the seed says.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from kgmill.extractor.text.split import split_text

_LEAST, _MOST = 6, 60  # words
_NAMES = 2
_NO_NAMES = {"I", "Congress", "President", "Mr", "Mr."}


def sentences(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """The sentences of texts in UTF-8 (other bytes are replaced), as SpERT's JSON says that nothing is annotated."""
    for name, text in texts(files):
        for sentence in split_text(text):
            words = sentence.words
            n_capitalised = sum(word[0].isupper() and word not in _NO_NAMES for word in words[1:])
            if _LEAST <= len(words) <= _MOST and n_capitalised >= _NAMES:
                yield {
                    "tokens": list(words),
                    "entities": [],
                    "relations": [],
                    "annotated": {"types": [], "relations": []},
                    "orig_id": name,
                }


def texts(files: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """Name and text of each document: of a Parquet file its column `text`, of any other file all of it."""
    for path in files:
        if path.suffix == ".parquet":
            rows = pq.read_table(path, columns=["doc_id", "text"]).to_pylist()
            yield from ((row["doc_id"], row["text"]) for row in rows)
        else:
            yield path.name, path.read_bytes().decode("utf-8", errors="replace")


def main() -> None:
    """`python -m benchmarks.plain_text`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plain_text", description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--most", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    found = list(sentences(sorted(asked.files)))
    random.Random(asked.seed).shuffle(found)  # noqa: S311 (no secret)
    chosen = found[: asked.most]
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(chosen, ensure_ascii=False), encoding="utf-8")
    print(f"{len(chosen)} of {len(found)} sentences written to {asked.out}")


if __name__ == "__main__":
    main()
