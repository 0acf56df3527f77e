"""What the tests of reports share: outputs whose tables are written, not built, one by somebody who means ill."""

import pytest

from benchmarks.report import write_output
from kgmill.schemas.literals import XSD
from kgmill.schemas.records import Document, Entity, Evidence, Fact, Name, Reject, Relation

HOSTILE = {
    "script": "<script>window.owned = 1</script>",
    "end": "</script><img src=x onerror=window.owned=1>",
    "quotes": "\"'><b onmouseover=window.owned=1>",
    "turned": "Ada\u202eecalevoL\u2028\u2066x",
    "long": "x" * 3000,
}


def graph_of(documents, entities, facts, rejects=()):
    """Records by table. A fact: id, head, relation, tail, confidence, and the ids of the documents that state it.

    A document is its text; an end is found in it by its label. An end that is no entity is a year.
    """
    records = {name: [] for name in ("documents", "entities", "names", "facts", "evidence", "relations")}
    for doc_id, (title, text) in documents.items():
        records["documents"].append(Document(doc_id, doc_id, title, text, "{}", "", date="2001-05-04"))
    for entity_id, (kind, label, *aliases) in entities.items():
        records["entities"].append(Entity(entity_id, kind, label, 3, 2, 0.9))
        records["names"] += [Name(entity_id, name, "", 1) for name in (label, *aliases)]
    for fact_id, head, relation, tail, confidence, *stated_by in facts:
        value = "" if tail in entities else tail
        ends = (head, "", value, f"{XSD}gYear") if value else (head, tail, "", "")
        records["facts"].append(
            Fact(
                *(fact_id, head, relation, ends[1], confidence, len(stated_by), len(stated_by), value, ends[3]),
                first="2001-05-04",
                last="2001-05-04",
                asserted=confidence >= 0.6,
            )
        )
        for n, doc_id in enumerate(stated_by):
            text, names = documents[doc_id][1], (entities[head][1], value or entities[tail][1])
            spans = [at for name in names for at in (text.index(name), text.index(name) + len(name))]
            name = f"{fact_id}-{n}"
            records["evidence"].append(Evidence(fact_id, name, doc_id, 0, len(text), *spans, confidence - n / 100))
            records["relations"].append(
                Relation(name, fact_id, doc_id, 0, 0, len(text), relation, *spans[:2], head, *spans[2:], tail, 0.5)
            )
    return records | {"rejects": [Reject(*reject) for reject in rejects]}


PEOPLE = graph_of(
    {
        "a.txt": ("Letters", "Ada Lovelace was born in London in 1815."),
        "b.txt": ("", "𝒜 note: Ada Lovelace, born in London, knew Charles Babbage."),
        "c.txt": ("", "Charles Babbage lived in London."),
    },
    {
        "ada": ("Person", "Ada Lovelace", "Countess of Lovelace"),
        "babbage": ("Person", "Charles Babbage"),
        "london": ("Place", "London"),
        "lonely": ("Place", "Lonely Island"),
    },
    [
        ("f1", "ada", "born_in", "london", 0.95, "a.txt", "b.txt"),
        ("f2", "ada", "born_on", "1815", 0.9, "a.txt"),
        ("f3", "ada", "knows", "babbage", 0.7, "b.txt"),
        ("f4", "babbage", "residence", "london", 0.4, "c.txt"),
    ],
    [("ingest", "d.jsonl:7", "7", "empty", "a text without a visible character")],
)


def hostile():
    """The same graph, where every name, title, id, sentence, relation and detail is out to be more than text."""
    h = HOSTILE
    return graph_of(
        {
            h["end"]: (h["script"], f"{h['script']} met {h['end']}, or {h['quotes']}\u2028 and {h['turned']}."),
            "long": (h["long"], f"{h['long']} met {h['script']}."),
        },
        {"one": ("Person", h["script"], h["quotes"]), "two": ("Place", h["end"]), "three": ("Person", h["long"])},
        [
            ("f1", "one", "met", "two", 0.95, h["end"]),
            ("f2", "three", "met", "one", 0.9, "long"),
            ("f3", "one", h["script"], "three", 0.8, "long"),
        ],
        [("ingest", h["script"], h["end"], h["quotes"], h["script"] + h["turned"])],
    )


@pytest.fixture
def people(tmp_path):
    """The store of a small graph of people."""
    return write_output(tmp_path / "people", PEOPLE)


@pytest.fixture
def hostile_store(tmp_path):
    """The store of a graph that is out to run scripts."""
    return write_output(tmp_path / "hostile", hostile())
