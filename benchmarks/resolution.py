"""How well names become entities: pairs of gold mentions of one document of Re-DocRED that are one thing.

    python -m benchmarks.resolution 0 400 [--wrong 20] [--missed 20]

Read from ../shared/data/redocred/dev.json: mentions with their gold types, but for dates and numbers, which are no
entities here. All documents together are the corpus whose names are resolved. `--wrong` and `--missed` print that many
of the pairs of names that are joined and shouldn't be, or should be and aren't, the commonest first.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from kgmill.pipelines.resolution.clusters import CorpusName, block, resolve_block
from kgmill.pipelines.resolution.local import LocalName, Spotted, local_names
from kgmill.pipelines.resolution.types import document_votes
from kgmill.pipelines.stages.resolve import Settings, agree_on
from kgmill.schemas.identity import entity_key
from kgmill.schemas.name_rules import EACH_DOCUMENT

DOCUMENTS = Path("../shared/data/redocred/dev.json")
_KINDS = {"PER": "person", "ORG": "organization", "LOC": "place", "MISC": "other"}
_NO_SPACE_BEFORE = re.compile(r"[.,;:!?%)\]}]|'s|n't|'")
_NO_SPACE_AFTER = re.compile(r"[(\[{$£€]")
_SURE, _UNLIKELY = -0.01, -5.0  # log probabilities of the gold type and of the others

Pair = tuple[str, int]  # what a document calls the two, and which one it is


def spotted(document: Mapping[str, Any]) -> tuple[str, list[tuple[Spotted, int]]]:
    """A document's text, and its mentions in their order, each with its gold entity."""
    text, ends_of = "", {}
    for s, sentence in enumerate(document["sents"]):
        for w, word in enumerate(sentence):
            joined = not text or _NO_SPACE_BEFORE.fullmatch(word) or _NO_SPACE_AFTER.fullmatch(text[-1])
            begin = len(text) + (not joined)
            text = f"{text}{'' if joined else ' '}{word}"
            ends_of[s, w] = (begin, len(text))
    found = {}
    for entity, mentions in enumerate(document["vertexSet"]):
        for mention in mentions:
            if mention["type"] in _KINDS:
                first, end = mention["pos"]
                begin, end = ends_of[mention["sent_id"], first][0], ends_of[mention["sent_id"], end - 1][1]
                votes_E = np.where(np.array(list(_KINDS)) == mention["type"], _SURE, _UNLIKELY)
                found[begin, end] = (Spotted(begin, end, text[begin:end], votes_E), entity)
    return text, [found[span] for span in sorted(found)]


def resolve(documents: Sequence[tuple[str, list[tuple[Spotted, int]]]]) -> list[list[tuple[Any, ...]]]:
    """What each mention of each document is taken for, as the stages names and resolve do."""
    kinds = tuple(_KINDS.values())
    locals_: list[list[LocalName]] = []
    votes: dict[tuple[str, int], Any] = defaultdict(int)
    forms: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    definitions: dict[str, Counter[str]] = defaultdict(Counter)
    for text, mentions in documents:
        local, defined = local_names([mention for mention, _ in mentions], text, kinds)
        locals_.append(local)
        for short, long in {(entity_key(short), long) for short, long in defined}:
            definitions[short][long] += 1
        mine: dict[tuple[str, int], list[np.ndarray]] = defaultdict(list)
        for (mention, _), name in zip(mentions, local, strict=True):
            mine[entity_key(name.name), name.column].append(mention.votes)
        for key, found in mine.items():
            votes[key] = votes[key] + document_votes(found)
        for key, form in {(entity_key(name.name), name.column): name.name for name in local}.items():
            forms[key][form] += 1
    settings = Settings(kinds, ("all",), 0)
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for (key, column), found_ in sorted(forms.items()):
        name = min(found_, key=lambda form: (-found_[form], form))
        row = {"key": key, "column": column, "name": name, "n_documents": found_.total(), "unit": "all"}
        rows[key].append(row | {"votes": votes[key, column]})
    chosen: dict[tuple[str, int], int] = {}
    blocks: dict[str, list[CorpusName]] = defaultdict(list)
    for key, group in rows.items():
        for row in agree_on(key, group, definitions.get(key, {}), settings, {}):
            chosen |= {(key, column): row["column"] for column in row["columns"]}
            name = CorpusName(**{f: row[f] for f in ("key", "name", "column", "n_documents", "target", "rule")})
            blocks[block(name.target or name.name, kinds[name.column])].append(name)
    entity: dict[tuple[str, int], tuple[Any, ...]] = {}
    for group in blocks.values():
        for (key, column), found in resolve_block(group, kinds).items():
            each = (key,) if found.rule == EACH_DOCUMENT else ()
            entity[key, column] = (found.entity, column, *each)
    return [
        [entity[key, chosen[key, name.column]] for name in local for key in [entity_key(name.name)]]
        for local in locals_
    ]


def judge(first: int, end: int, n_wrong: int, n_missed: int) -> None:
    """Prints precision and recall of pairs, and some of the pairs that are wrong or missed."""
    raw = json.loads(DOCUMENTS.read_text(encoding="utf-8"))[first:end]
    documents = [spotted(document) for document in raw]
    right = joined = gold = 0
    wrong: Counter[Pair] = Counter()
    missed: Counter[Pair] = Counter()
    for number, ((_, mentions), taken) in enumerate(zip(documents, resolve(documents), strict=True), first):
        for (a, entity_a, one), (b, entity_b, other) in combinations(
            [(m.text, entity, t) for (m, entity), t in zip(mentions, taken, strict=True)], 2
        ):
            is_gold, is_joined = entity_a == entity_b, one == other
            right += is_gold and is_joined
            joined += is_joined
            gold += is_gold
            if is_gold != is_joined:
                (missed if is_gold else wrong)[" | ".join(sorted((a, b))), number] += 1
    print(
        f"{len(raw)} documents: precision {right / joined:.3f} of {joined} pairs, recall {right / gold:.3f} of {gold}"
    )
    for what, pairs, n in (("wrong", wrong, n_wrong), ("missed", missed, n_missed)):
        for (names, number), times in pairs.most_common(n):
            print(f"{what}: document {number}: {names} ({times})")


def main() -> None:
    """`python -m benchmarks.resolution`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("first", type=int)
    parser.add_argument("end", type=int)
    parser.add_argument("--wrong", type=int, default=0)
    parser.add_argument("--missed", type=int, default=0)
    asked = parser.parse_args()
    judge(asked.first, asked.end, asked.wrong, asked.missed)


if __name__ == "__main__":
    main()
