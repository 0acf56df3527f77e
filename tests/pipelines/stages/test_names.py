"""Names: candidates to mentions, claims and the names of each document, on a real Beam runner, without a model."""

import math

import pyarrow as pa
import pytest
from sample_names import FIRST, LOC, ONTOLOGY, PEOP, SECOND, rows_of

from kgmill.pipelines.stages import names
from kgmill.pipelines.stages.candidates import LINKS, SENTENCES
from kgmill.schemas.identity import text_key
from kgmill.schemas.records import Document
from kgmill.schemas.tables import to_table

TEXT = "Ada Byron lives in London. Bob left."
DOCUMENT = Document("d1", "d1.txt", "", TEXT, "{}", "00" * 32, "1843-07-10")


@pytest.fixture
def inputs(store):
    """The ingest and the extract part of the document; its sentences lie in the table in no order."""
    documents = {"documents": to_table("documents", [DOCUMENT]), "rejects": to_table("rejects", [])}
    sentences = {"sentences": pa.Table.from_pylist([SECOND, FIRST], SENTENCES), "links": LINKS.empty_table()}
    return (
        [store.commit("ingest", "00-0000", "aa" * 32, documents, {"kept": 1, "rejected": 0})],
        [store.commit("extract", "00-0000", "bb" * 32, sentences, {})],
    )


@pytest.fixture
def run_names(run, store, inputs):
    """Reads the names with an ontology and a threshold; returns a function that gives columns of a table's rows."""

    def run_names(min_confidence=0.5, ontology=ONTOLOGY, **others):
        settings = names.Settings(ontology, min_confidence, **others)
        _, tasks = names.plan(store, *inputs, settings)
        receipts = run(store, "names", tasks, settings)
        part = store.find("names", "00-0000", receipts["00-0000"].fingerprint)
        return lambda table, *columns: rows_of(part.read(table), *columns)

    return run_names


def test_sentences_become_mentions(run_names):
    """Confidences are phase one times phase two; offsets cut the mention's text out of the document's."""
    assert run_names()("mentions") == [
        (0, 0, 9, "Ada Byron", "Peop", 0.81, "ada byron", "", PEOP),
        (0, 19, 25, "London", "Loc", 0.6, "london", "", LOC),
        (1, 27, 30, "Bob", "Peop", 0.75, "bob", "", PEOP),
    ]


def test_sentences_know_their_document(run_names):
    """Each sentence that holds a mention has its place, the key of its words, and the date of its document.

    Its words go along where it says something.
    """
    text = "Ada Byron lives in London."
    assert run_names()("sentences") == [
        ("d1", 0, 0, 26, text_key(text), "1843-07-10", text),
        ("d1", 1, 27, 36, text_key("Bob left."), "1843-07-10", ""),
    ]


def test_words_of_a_long_sentence_stay_in_its_document(run_names, monkeypatch):
    """A list of thousands of names has as many relations, with each of which its words would go."""
    monkeypatch.setattr(names, "_LONGEST", 25)
    assert [row[-1] for row in run_names()("sentences")] == ["", ""]


def test_both_directions_are_claimed(run_names):
    """What is sure enough is claimed, whatever the types of its ends: of two directions none is chosen yet."""
    assert run_names()("claims") == [(0, 0, 1, "Live_In", 0.9, ""), (0, 1, 0, "Live_In", 0.85, "")]


def test_ontology_does_not_decide_what_is_claimed(run_names):
    """With head and tail turned round, the claims are the same."""
    turned = {"Live_In": {"head": ["Loc"], "tail": ["Peop"]}}
    assert run_names(ontology=ONTOLOGY | {"relations": turned})("claims") == run_names()("claims")


def test_names_have_votes_for_their_types(run_names):
    """A row for each name and type: in how many documents, and the log probabilities, in thousandths, to a floor."""
    assert run_names()("names") == [
        ("ada byron", PEOP, "Ada Byron", 1, [-105, -2303]),
        ("bob", PEOP, "Bob", 1, [0, -4000]),
        ("london", LOC, "London", 1, [-1386, -288]),
    ]


def test_threshold_drops_mentions_with_their_claims(run_names):
    """A claim of mentions one of which is not sure enough goes with it, and so does the name."""
    read = run_names(min_confidence=0.7)
    assert (read("mentions", "text"), read("claims")) == ([("Ada Byron",), ("Bob",)], [])
    assert read("names", "key") == [("ada byron",), ("bob",)]


def test_lower_threshold_finds_more_without_a_model(run_names):
    """The candidates are still there: a lower threshold keeps what a higher one dropped, but no overlap."""
    assert run_names(min_confidence=0.1)("mentions", "text") == [("Ada Byron",), ("London",), ("Bob",)]


def test_calibration_scales_confidence(run_names):
    """With half the slope odds of 9 become odds of 3; a bias of log 3 makes 9 of them again."""
    scaled = run_names(calibration={"relation": {"slope": 0.5, "bias": 0.0}})("claims", "head", "confidence")
    raised = run_names(calibration={"relation": {"slope": 0.5, "bias": math.log(3)}})("claims", "head", "confidence")
    assert (scaled[0], raised[0]) == ((0, 0.75), (0, 0.9))


def test_threshold_of_a_type_goes_before_the_general_one(run_names):
    """A relation type with a threshold of its own keeps only what reaches it."""
    read = run_names(calibration={"thresholds": {"Live_In": 0.875}})
    assert (len(read("mentions")), read("claims", "head", "tail")) == (3, [(0, 1)])
    assert run_names(calibration={"thresholds": {"Live_In": 0.95}})("claims") == []


def test_overlapping_entities_stay_where_the_ontology_lets_them(run_names):
    """An ontology of overlapping entities keeps "Ada" inside "Ada Byron", with its claim; both are called the same."""
    read = run_names(ontology=ONTOLOGY | {"overlapping_entities": True})
    assert read("mentions", "text", "key", "rule") == [
        ("Ada", "ada byron", "short"),
        ("Ada Byron", "ada byron", ""),
        ("London", "london", ""),
        ("Bob", "bob", ""),
    ]
    assert read("claims", "head", "tail", "confidence") == [(0, 2, 0.95), (1, 2, 0.9), (2, 1, 0.85)]


def test_finished_unit_is_not_planned_again(store, inputs, run_names):
    """Equal settings find the part; another threshold, ontology or calibration plans the unit."""
    run_names()
    same = names.Settings(ONTOLOGY, 0.5)
    others = [
        names.Settings(ONTOLOGY, 0.6),
        names.Settings(ONTOLOGY | {"overlapping_entities": True}, 0.5),
        names.Settings(ONTOLOGY, 0.5, {"thresholds": {"Live_In": 0.95}}),
    ]
    planned = [[len(found) for found in names.plan(store, *inputs, settings)] for settings in (same, *others)]
    assert planned == [[1, 0], [0, 1], [0, 1], [0, 1]]


def test_version_plans_the_unit_again(store, inputs, run_names, monkeypatch):
    """A job that was programmed anew finds nothing of before."""
    run_names()
    monkeypatch.setattr(names, "VERSION", names.VERSION + 1)
    done, tasks = names.plan(store, *inputs, names.Settings(ONTOLOGY, 0.5))
    assert (done, len(tasks)) == ([], 1)


def test_parts_of_before_have_no_links(run_names, store, inputs, run):
    """Where documents are forgotten, parts that an earlier version extracted are read as they are: without links."""
    ingested, _ = inputs
    sentences = {"sentences": pa.Table.from_pylist([SECOND, FIRST], SENTENCES)}
    before = [store.commit("extract", "00-0000", "cc" * 32, sentences, {})]
    settings = names.Settings(ONTOLOGY, 0.5)
    _, tasks = names.plan(store, ingested, before, settings)
    receipts = run(store, "names", tasks, settings)
    part = store.find("names", "00-0000", receipts["00-0000"].fingerprint)
    assert rows_of(part.read("claims")) == run_names()("claims")
