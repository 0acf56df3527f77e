"""Verdicts on a sentence's candidates, held to what decode makes of them."""

import math

import numpy as np
import pyarrow as pa
import pytest

from kgmill.extractor.calibration import Calibration
from kgmill.extractor.candidates import Candidates
from kgmill.extractor.decode import decode_claims
from kgmill.pipelines.decoding import Decoding
from kgmill.pipelines.explaining.verdicts import Known, judge
from kgmill.pipelines.stages import names, resolve
from kgmill.pipelines.stages.decode import decode, ends_of
from kgmill.schemas.ontology import parse_ontology
from kgmill.schemas.records import Document
from kgmill.schemas.tables import from_table

ONTOLOGY = parse_ontology(
    {
        "entities": {"Peop": {}, "Org": {}},
        "relations": {
            "owns": {"head": ["Peop"], "tail": ["Org"]},
            "owned_by": {"head": ["Org"], "tail": ["Peop"], "inverse": "owns"},
            "knows": {"head": ["Peop"], "tail": ["Peop"]},
            "spouse": {"head": ["Peop"], "tail": ["Peop"], "symmetric": True},
        },
    },
    "test",
)
DECODING = Decoding(ONTOLOGY, Calibration(), 0.3, ONTOLOGY.columns)
TEXT = "Ann Lee met Bob Ray of Acme, and Ann Lee left."
ANN, BOB, ACME, AGAIN = SPANS = [(0, 7), (12, 19), (23, 27), (33, 40)]
WORDS = {span: TEXT[slice(*span)] for span in SPANS}
DOCUMENT = Document("d", "d", "", TEXT, "{}", "0" * 64)

# head, tail, relation, confidence, verdict
PAIRS = [
    (ACME, ANN, "owned_by", 0.9, "relation"),  # told as its inverse
    (ANN, BOB, "knows", 0.9, "relation"),
    (BOB, ANN, "knows", 0.6, "the other way round is surer"),
    (ANN, AGAIN, "knows", 0.8, "left out by the rule relations.self: both ends are one entity"),
    (BOB, AGAIN, "spouse", 0.7, "relation"),
    (AGAIN, BOB, "spouse", 0.5, "relation"),  # the same, as it has no direction
    (BOB, ACME, "owned_by", 0.9, "not allowed between Peop and Org"),
    (ACME, BOB, "owned_by", 0.2, "below the threshold of owned_by, 0.3"),
]


def logit(p):
    return math.log(p / (1 - p))


@pytest.fixture(scope="module")
def sentence():
    """The sentence's candidates; and what decode makes of them: its mentions as ends, its relations as the tables."""
    rows = {span: i for i, span in enumerate(SPANS)}
    kinds = [ONTOLOGY.entity_names.index("Org" if span == ACME else "Peop") for span in SPANS]
    relations = [ONTOLOGY.relation_names.index(name) for _, _, name, *_ in PAIRS]
    candidates = Candidates(
        np.array(SPANS, np.int32),
        np.full(len(SPANS), 5.0, np.float32),
        np.eye(2, dtype=np.float32)[kinds] * 20,
        np.array([(rows[head], rows[tail]) for head, tail, *_ in PAIRS], np.int32),
        np.array([logit(p) for *_, p, _ in PAIRS], np.float32),
        np.eye(4, dtype=np.float32)[relations] * 20,
    )
    found, claims, _ = decode_claims(DECODING.calibration.apply(candidates), ONTOLOGY, DECODING.min_confidence)
    mentions = [
        {"row": 0, "begin": m.start, "end": m.end, "text": WORDS[m.start, m.end], "type": m.type}
        | {"confidence": m.confidence, "key": WORDS[m.start, m.end], "rule": "", "column": kind}
        for m, kind in zip(found, kinds, strict=True)
    ]
    resolved = {(m["key"], m["column"]): m["key"].lower().replace(" ", "-") for m in mentions}
    place = {"doc_id": "d", "sentence": 0, "begin": 0, "end": len(TEXT), "text_key": "k", "date": ""}
    tables = [
        pa.Table.from_pylist([place], names.SENTENCES),
        pa.Table.from_pylist(mentions, names.MENTIONS),
        pa.Table.from_pylist(
            [
                {"key": k, "column": c, "chosen": c, "entity_id": e, "place_id": e, "rule": ""}
                for (k, c), e in resolved.items()
            ],
            resolve.RESOLVED,
        ),
    ]
    said = [
        {name: getattr(c, name) for name in ("head", "tail", "type", "confidence")} | {"row": 0, "stance": ""}
        for c in claims
    ]
    made, _ = decode(ONTOLOGY, *tables[:2], pa.Table.from_pylist(said, names.CLAIMS), tables[2])
    ends = {(end.mention.mention_begin, end.mention.mention_end): end for end in ends_of(ONTOLOGY, *tables)}
    told = {
        ((r.head_begin, r.head_end), (r.tail_begin, r.tail_end), r.type)
        for r in from_table("relations", made["relations"])
    }
    return candidates, ends, told


def test_verdicts_are_what_decode_did(sentence):
    """A claim is a relation where the tables have it, whichever way they tell it; else by the rule that left it out."""
    candidates, ends, told = sentence
    assert told == {(ANN, ACME, "owns"), (ANN, BOB, "knows"), (AGAIN, BOB, "spouse")}
    judged = judge(DECODING, DOCUMENT, candidates, Known(ends, told))
    found = [(p["head"], p["relation"], p["tail"], round(p["score"], 1), p["verdict"]) for p in judged["pairs"]]
    wanted = [(WORDS[head], name, WORDS[tail], p, verdict) for head, tail, name, p, verdict in PAIRS]
    assert sorted(found) == sorted(wanted)


def test_no_rule_is_made_up(sentence):
    """Where the tables have not what these rules give, no rule is named."""
    candidates, ends, _ = sentence
    judged = judge(DECODING, DOCUMENT, candidates, Known(ends, set()))
    verdicts = {p["verdict"] for p in judged["pairs"] if (p["head"], p["relation"]) == ("Acme", "owned_by")}
    assert verdicts == {"not told, by no rule that is known here", "below the threshold of owned_by, 0.3"}


def test_types_that_the_ontology_leaves_out(sentence):
    """A span of such a type, and a relation that it has no more, say so."""
    candidates = sentence[0]
    rules = {"entities": {"Peop": {}}, "relations": {"knows": {"head": ["Peop"], "tail": ["Peop"]}}}
    decoding = Decoding(parse_ontology(rules, "test"), Calibration(), 0.3, ONTOLOGY.columns)

    told = judge(decoding, DOCUMENT, candidates, Known({}, []))

    assert {span["text"]: span["verdict"] for span in told["spans"]} == {
        "Ann Lee": "mention",
        "Bob Ray": "mention",
        "Acme": "left out: the ontology has no such type",
    }
    relations = {pair["relation"]: pair["verdict"] for pair in told["pairs"] if pair["score"] > 0.3}
    assert relations["spouse"] == relations["owned_by"] == "left out: the ontology has no such type"
    assert relations["knows"] == "its ends are no mentions"  # as none was given
