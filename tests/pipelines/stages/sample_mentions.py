"""Who works for whom: the mentions and relations that tests of aggregation share."""

from dataclasses import asdict

import pyarrow as pa

from kgmill.pipelines.stages.decode import PAIRS
from kgmill.schemas.identity import entity_id, fact_id, fingerprint, pair_id, statement_id
from kgmill.schemas.records import Mention, Relation
from kgmill.schemas.tables import to_table

ADA, ACME = "ada-byron-6998d6a848a45b69", "acme-c02333fa6860a777"
WORKS = "76d0c9a8d31fdbdd"


def mention(doc_id, begin, text, type_name="Org", confidence=0.9, rule="", entity=None):
    entity = entity or entity_id(text)
    return Mention(doc_id, 0, begin, begin + len(text), text, type_name, confidence, entity, rule)


def relation(doc_id, head, tail, confidence, name="Work_For", **others):
    """A relation of two mentions, in a sentence of a hundred characters."""
    ends = (head.mention_begin, head.mention_end), (tail.mention_begin, tail.mention_end)
    number = head.mention_begin // 100
    return Relation(
        statement_id(doc_id, *ends, name),
        fact_id(head.entity_id, name, tail.entity_id),
        *(doc_id, number, 100 * number, 100 * number + 99, name),
        *(*ends[0], head.entity_id, *ends[1], tail.entity_id),
        confidence,
        **others,
    )


def works_for(doc_id, begin, confidence, **others):
    """Ada Byron at an offset works for Acme twenty characters on."""
    ada, acme = mention(doc_id, begin, "Ada Byron", "Peop"), mention(doc_id, begin + 20, "Acme")
    return relation(doc_id, ada, acme, confidence, **others)


def named_together(*text_keys, one=ADA, other=ACME):
    """Rows of pairs: sentences that name two things."""
    return [{"pair": pair_id(one, other), "text_key": key} for key in text_keys]


def commit_units(store, units):
    """Decode's parts of the units: mentions, relations, and pairs if there are any.

    Equal content has an equal fingerprint, as decode's has.
    """
    return [
        store.commit(
            "decode",
            unit,
            fingerprint([[asdict(row) for row in rows] for rows in (m, r)] + pairs),
            {
                "mentions": to_table("mentions", m),
                "relations": to_table("relations", r),
                "pairs": pa.Table.from_pylist([row for rows in pairs for row in rows], PAIRS),
            },
            {},
        )
        for unit, (m, r, *pairs) in units.items()
    ]
