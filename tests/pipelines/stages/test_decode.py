"""Decode: candidates to mentions and relations, on a real Beam runner, without a model."""

import math

import pyarrow as pa
import pytest

from kgmill.pipelines.stages import decode
from kgmill.pipelines.stages.candidates import SENTENCES
from kgmill.schemas.identity import entity_id
from kgmill.schemas.records import Document, Mention, Relation
from kgmill.schemas.tables import from_table, to_table

TEXT = "Ada Byron lives in London. Bob left."
DOCUMENT = Document("d1", "d1.txt", "", TEXT, "{}", "00" * 32)
ADA, LONDON, BOB = "ada-byron-e648949e78b39f67", "london-933717d6ad550ee7", "bob-84a1b39650b41896"
ONTOLOGY = {
    "entities": {"Peop": {}, "Loc": {}},
    "relations": {"Live_In": {"head": ["Peop"], "tail": ["Loc"]}},
}


# "Ada", "Ada Byron" and "London"; London lives in Ada Byron almost as surely as she in it, and "Ada" more surely.
def log_odds(*probabilities):
    """The margins of probabilities."""
    return [math.log(p / (1 - p)) for p in probabilities]


def logs(*probabilities):
    """Logits whose softmax are the probabilities, of which those of a row sum to one."""
    return [math.log(p) if p else -100.0 for p in probabilities]


FIRST = {
    "doc_id": "d1",
    "sentence": 0,
    "begin": 0,
    "end": 26,
    "spans": [0, 3, 0, 9, 19, 25],
    "entity_margin": log_odds(0.6, 0.9, 0.8),
    "type_logits": logs(0.9, 0.1, 0.9, 0.1, 0.25, 0.75),
    "pairs": [0, 2, 1, 2, 2, 1],
    "pair_margin": log_odds(0.95, 0.9, 0.85),
    "relation_logits": [0.0, 0.0, 0.0],
}
SECOND = {
    "doc_id": "d1",
    "sentence": 1,
    "begin": 27,
    "end": 36,
    "spans": [27, 30],
    "entity_margin": log_odds(0.75),
    "type_logits": logs(1.0, 0.0),
    "pairs": [],
    "pair_margin": [],
    "relation_logits": [],
}


@pytest.fixture
def inputs(store):
    """The ingest and the extract part of the document; its sentences lie in the table in no order."""
    documents = {"documents": to_table("documents", [DOCUMENT]), "rejects": to_table("rejects", [])}
    sentences = {"sentences": pa.Table.from_pylist([SECOND, FIRST], SENTENCES)}
    return (
        [store.commit("ingest", "00-0000", "aa" * 32, documents, {"kept": 1, "rejected": 0})],
        [store.commit("extract", "00-0000", "bb" * 32, sentences, {})],
    )


@pytest.fixture
def run_decode(run, store, inputs):
    """Decodes with an ontology and a threshold; returns the mentions and the relations."""

    def run_decode(min_confidence=0.5, ontology=ONTOLOGY, **others):
        settings = decode.Settings(ontology, min_confidence, **others)
        _, tasks = decode.plan(store, *inputs, settings)
        receipts = run(store, "decode", tasks, settings)
        part = store.find("decode", "00-0000", receipts["00-0000"].fingerprint)
        return tuple(list(from_table(name, part.read(name))) for name in ("mentions", "relations"))

    return run_decode


def test_sentences_become_mentions_and_relations(run_decode):
    """Confidences are phase one times phase two; offsets cut the mention's text out of the document's."""
    mentions, relations = run_decode()
    assert mentions == [
        Mention("d1", 0, 0, 9, "Ada Byron", "Peop", 0.81, ADA),
        Mention("d1", 0, 19, 25, "London", "Loc", 0.6, LONDON),
        Mention("d1", 1, 27, 30, "Bob", "Peop", 0.75, BOB),
    ]
    assert relations == [
        Relation("4c1fed3dbd40ffe0", "f6173405afdb55a5", "d1", 0, 0, 26, "Live_In", 0, 9, ADA, 19, 25, LONDON, 0.9)
    ]


def test_threshold_drops_mentions_with_their_relations(run_decode):
    """A relation between mentions one of which is not sure enough goes with it."""
    mentions, relations = run_decode(min_confidence=0.7)
    assert ([m.text for m in mentions], relations) == (["Ada Byron", "Bob"], [])


def test_lower_threshold_finds_more_without_a_model(run_decode):
    """The candidates are still there: a lower threshold keeps what a higher one dropped, but no overlap."""
    mentions, _ = run_decode(min_confidence=0.1)
    assert [m.text for m in mentions] == ["Ada Byron", "London", "Bob"]


def test_calibration_scales_confidence(run_decode):
    """With half the slope odds of 9 become odds of 3; a bias of log 3 makes 9 of them again."""
    _, relations = run_decode(calibration={"relation": {"slope": 0.5, "bias": 0.0}})
    _, raised = run_decode(calibration={"relation": {"slope": 0.5, "bias": math.log(3)}})
    assert [relation.confidence for relation in (*relations, *raised)] == [0.75, 0.9]


def test_threshold_of_a_type_goes_before_the_general_one(run_decode):
    """A relation type with a threshold of its own keeps only what reaches it."""
    mentions, relations = run_decode(calibration={"thresholds": {"Live_In": 0.95}})
    assert (len(mentions), relations) == (3, [])


def test_overlapping_entities_stay_where_the_ontology_lets_them(run_decode):
    """An ontology of overlapping entities keeps "Ada" inside "Ada Byron", with its relation."""
    mentions, relations = run_decode(ontology=ONTOLOGY | {"overlapping_entities": True})
    assert [m.text for m in mentions] == ["Ada", "Ada Byron", "London", "Bob"]
    assert [(r.head_begin, r.head_end, r.confidence) for r in relations] == [(0, 3, 0.95), (0, 9, 0.9)]


def test_ontology_decides_what_a_relation_joins(run_decode):
    """With head and tail turned round, the other direction of the pair is the relation."""
    turned = {"Live_In": {"head": ["Loc"], "tail": ["Peop"]}}
    _, relations = run_decode(ontology=ONTOLOGY | {"relations": turned})
    assert [(r.head_entity, r.tail_entity, r.confidence) for r in relations] == [(LONDON, ADA, 0.85)]


def test_offsets_are_code_points():
    """An emoji before a mention counts as one."""
    document = Document("d1", "d1.txt", "", f"\U0001f600 {TEXT}", "{}", "00" * 32)
    row = SECOND | {"begin": 29, "end": 38, "spans": [29, 32]}
    decoder = decode.Decoder.of(decode.Settings(ONTOLOGY, 0.5))
    tables, _ = decoder.decode_unit({"d1": document}, pa.Table.from_pylist([row], SENTENCES))
    assert tables["mentions"]["text"].to_pylist() == ["Bob"]


def test_what_is_no_name_is_left_out_and_counted():
    """A number is no mention and in no relation, and is counted; as the value of a literal type it stays."""
    document = Document("d1", "d1.txt", "", "Ada Byron lives in 221. Bob left.", "{}", "00" * 32)
    row = FIRST | {"spans": [0, 3, 0, 9, 19, 22]}
    sentences = pa.Table.from_pylist([row], SENTENCES)
    values = ONTOLOGY | {"entities": {"Peop": {}, "Loc": {"literal": "date"}}}

    tables, junk = decode.Decoder.of(decode.Settings(ONTOLOGY, 0.5)).decode_unit({"d1": document}, sentences)
    kept, nothing = decode.Decoder.of(decode.Settings(values, 0.5)).decode_unit({"d1": document}, sentences)

    assert (tables["mentions"]["text"].to_pylist(), tables["relations"].num_rows) == (["Ada Byron"], 0)
    assert junk == {"mentions.number": 1}
    assert (kept["mentions"]["text"].to_pylist(), kept["relations"].num_rows) == (["Ada Byron", "221"], 1)
    assert nothing == {}


def test_agency_in_the_head_is_left_out_and_counted():
    """What lies in a text's head outside of dateline and byline is no mention; the place stays one."""
    document = Document("d1", "d1.txt", "", "LONDON  (Acme) - Bob left.", "{}", "00" * 32, head=17, dateline="LONDON")
    row = FIRST | {"end": 16, "spans": [0, 3, 9, 13, 0, 6]}
    sentences = pa.Table.from_pylist([row], SENTENCES)

    tables, junk = decode.Decoder.of(decode.Settings(ONTOLOGY, 0.5)).decode_unit({"d1": document}, sentences)

    assert (tables["mentions"]["text"].to_pylist(), tables["relations"].num_rows) == (["LONDON"], 0)
    assert junk == {"mentions.agency": 1}


def test_nothing_is_related_to_itself():
    """Two mentions of one name are no fact, and are counted; two of unlike names are."""
    types = ONTOLOGY | {"relations": {"Live_In": {"head": ["Peop"], "tail": ["Peop"]}}}
    row = FIRST | {
        "spans": [0, 9, 19, 28],
        "type_logits": logs(1.0, 0.0, 1.0, 0.0),
        "entity_margin": log_odds(0.9, 0.8),
    }
    row |= {"pairs": [0, 1], "pair_margin": log_odds(0.9), "relation_logits": [0.0]}
    decoder = decode.Decoder.of(decode.Settings(types, 0.5))

    found = {}
    for text in ("Ada Byron lives in ADA BYRON.", "Ada Byron lives in Bob Byron."):
        document = Document("d1", "d1.txt", "", text, "{}", "00" * 32)
        tables, junk = decoder.decode_unit({"d1": document}, pa.Table.from_pylist([row], SENTENCES))
        found[text] = (tables["mentions"].num_rows, tables["relations"].num_rows, junk)

    assert list(found.values()) == [(2, 0, {"relations.self": 1}), (2, 1, {})]


def test_finished_unit_is_not_planned_again(store, inputs, run_decode):
    """Equal settings find the part; another threshold or ontology plans the unit, and only decode."""
    run_decode()
    same, other = (decode.Settings(ONTOLOGY, threshold) for threshold in (0.5, 0.6))
    assert [len(found) for settings in (same, other) for found in decode.plan(store, *inputs, settings)] == [1, 0, 0, 1]


def test_mentions_of_one_name_and_type_are_one_entity(run_decode):
    """The entity that a mention names is that of its normalised text and type."""
    mentions, _ = run_decode()
    assert [m.entity_id for m in mentions] == [entity_id("the ADA  BYRON", "Peop"), LONDON, BOB]
