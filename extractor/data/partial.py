"""What is known of a sentence that is not annotated completely.

In SpERT's JSON a sentence may have the keys

    "annotated": {"types": ["Person"], "relations": ["born_in"]}
    "doubtful": {"entities": [{"start": 3, "end": 5}], "relations": [{"head": 0, "tail": 1}]}

The first names the types of which every mention is marked and the relations of which every pair is; a list that is
left out stands for all, and without the key everything is complete. What else is not marked is unknown, not absent.
The second names spans and pairs of which nobody knows whether they are mentions or hold a relation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from kgmill.extractor.data.dygie import whole_number

Task = Literal["spans", "types", "pairs", "relations"]
TASKS: tuple[str, ...] = get_args(Task)


@dataclass(frozen=True, slots=True)
class Partial:
    """What is complete in a sentence, what is doubtful, and what is to be learnt from it.

    Attributes:
        types, relations: the entity types and relations that are marked completely, sorted; None: all of them.
        spans: (start, end) of which it is not known whether they are mentions, sorted.
        pairs: (head, tail), entities of the sentence, of which it is not known whether they hold a relation, sorted.
        tasks: which outputs learn from it: whether spans are mentions, their types, whether pairs are related, how.
    """

    types: tuple[str, ...] | None = None
    relations: tuple[str, ...] | None = None
    spans: tuple[tuple[int, int], ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()
    tasks: tuple[str, ...] = TASKS


def parse_partial(record: dict[str, Any]) -> Partial | None:
    """What a record says of its completeness; None where that is everything.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: `annotated` or `doubtful` is not of its form.
    """
    annotated, doubtful = record.get("annotated"), record.get("doubtful")
    if annotated is None and not doubtful:
        return None
    types, relations = (_names((annotated or {}).get(key)) for key in ("types", "relations"))
    doubtful = doubtful or {}
    spans = ((whole_number(e["start"]), whole_number(e["end"])) for e in doubtful.get("entities", ()))
    pairs = ((whole_number(r["head"]), whole_number(r["tail"])) for r in doubtful.get("relations", ()))
    partial = Partial(types, relations, tuple(sorted(set(spans))), tuple(sorted(set(pairs))))
    return None if partial == Partial() else partial


def _names(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"annotated: wanted lists of names, got {value!r}")
    return tuple(sorted(set(value)))


def format_partial(partial: Partial) -> dict[str, Any]:
    """The keys of a record that `parse_partial` reads; what is to be learnt is no part of the data."""
    keys: dict[str, Any] = {}
    complete = {"types": partial.types, "relations": partial.relations}
    if any(names is not None for names in complete.values()):
        keys["annotated"] = {key: list(names) for key, names in complete.items() if names is not None}
    if partial.spans or partial.pairs:
        spans = [{"start": start, "end": end} for start, end in partial.spans]
        keys["doubtful"] = {"entities": spans, "relations": [{"head": h, "tail": t} for h, t in partial.pairs]}
    return keys
