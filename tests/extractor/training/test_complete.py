"""Completing annotated sentences with a model's candidates."""

import json
from dataclasses import replace

import numpy as np
import pytest

from kgmill.extractor.candidates import Scored
from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair, gold_alone, read_spert
from kgmill.extractor.data.partial import Partial
from kgmill.extractor.training.complete import Thresholds, complete, complete_sentence, format_counts, write_completed
from kgmill.schemas.ontology import parse_ontology

ONTOLOGY = parse_ontology(
    {
        "entities": {"Peop": {}, "Loc": {}},
        "relations": {
            "Live_In": {"head": ["Peop"], "tail": ["Loc"]},
            "Sibling": {"head": ["Peop"], "tail": ["Peop"], "symmetric": True},
        },
    },
    "test",
)
NOTHING = Partial((), ())
PEOP, LOC = (0.9, 0.1), (0.1, 0.9)
LIVE_IN, SIBLING = (0.9, 0.1), (0.1, 0.9)


def candidates(spans, pairs=()):
    """Scored ones of (start, end, P(entity), types) and (head, tail, P(related), relations)."""
    return Scored(
        np.array([s[:2] for s in spans], np.int32).reshape(-1, 2),
        np.array([s[2] * np.array(s[3]) for s in spans], np.float64).reshape(-1, 2),
        np.array([p[:2] for p in pairs], np.int32).reshape(-1, 2),
        np.array([p[2] * np.array(p[3]) for p in pairs], np.float64).reshape(-1, 2),
    )


def sentence(*entities, relations=(), partial=NOTHING):
    """A sentence of eight words of which these are known."""
    return AnnotatedSentence(tuple("abcdefgh"), entities, relations, partial=partial)


def completed(gold, spans, pairs=()):
    """The added entities and relations, and the doubtful spans and pairs."""
    found = complete_sentence(gold, candidates(spans, pairs), ONTOLOGY, Thresholds(0.5, 0.6, 0.2))
    entities = [(e.start, e.end, e.type) for e in found.entities if e.by == "completed"]
    relations = [(r.head, r.tail, r.type) for r in found.relations if r.by == "completed"]
    return entities, relations, found.partial and (found.partial.spans, found.partial.pairs)


def test_entities_by_confidence():
    """From the threshold on a span is added, from doubt on it is doubtful, under that it is absent."""
    spans = [(0, 1, 0.9, PEOP), (2, 3, 0.5, PEOP), (4, 5, 0.1, LOC)]

    assert completed(sentence(), spans) == ([(0, 1, "Peop")], [], (((2, 3),), ()))


def test_complete_types_get_nothing():
    """Of a type that is complete nothing is added, and a span that is surely of it is not doubtful."""
    found = completed(sentence(partial=Partial(("Peop",), ())), [(0, 1, 0.9, PEOP), (2, 3, 0.9, LOC)])

    assert found == ([(2, 3, "Loc")], [], ((), ()))


def test_gold_is_not_overlapped():
    """Nothing is added over a gold entity; of two that overlap the surer is added, the other doubtful."""
    spans = [(0, 2, 0.9, PEOP), (3, 5, 0.8, LOC), (4, 6, 0.9, LOC)]

    found = completed(sentence(EntitySpan(1, 2, "Loc")), spans)

    assert found == ([(4, 6, "Loc")], [], (((3, 5),), ()))


def test_relations_by_confidence():
    """Relations are added between gold and added names, where the ontology allows them; those in doubt are masked."""
    spans = [(0, 1, 0.9, PEOP), (2, 3, 0.9, PEOP), (4, 5, 0.9, LOC)]
    pairs = [(0, 1, 0.9, LIVE_IN), (0, 2, 0.9, LIVE_IN), (1, 2, 0.5, LIVE_IN)]

    found = completed(sentence(EntitySpan(0, 1, "Peop")), spans, pairs)

    assert found == ([(2, 3, "Peop"), (4, 5, "Loc")], [(0, 2, "Live_In")], ((), ((1, 2),)))


def test_complete_relations_get_nothing():
    """A relation that is complete is never added, and its pairs are not doubtful for it."""
    gold = sentence(EntitySpan(0, 1, "Peop"), EntitySpan(4, 5, "Loc"), partial=Partial((), ("Live_In",)))

    found = completed(gold, [(0, 1, 0.9, PEOP), (4, 5, 0.9, LOC)], [(0, 1, 0.9, LIVE_IN)])

    assert found == ([], [], ((), ()))


def test_symmetric_relations_are_added_once():
    """A symmetric relation is added with the first name as head, and its reverse is not doubtful."""
    spans = [(0, 1, 0.9, PEOP), (2, 3, 0.9, PEOP)]

    found = completed(sentence(), spans, [(0, 1, 0.4, SIBLING), (1, 0, 0.9, SIBLING)])

    assert found[1:] == ([(0, 1, "Sibling")], ((), ()))


def test_related_pairs_stay_as_they_are():
    """A pair that holds a gold relation gets no other one, and is not doubtful."""
    gold = sentence(EntitySpan(0, 1, "Peop"), EntitySpan(2, 3, "Peop"), relations=(RelationPair(1, 0, "Sibling"),))

    found = completed(gold, [(0, 1, 0.9, PEOP), (2, 3, 0.9, PEOP)], [(0, 1, 0.9, SIBLING), (1, 0, 0.9, SIBLING)])

    assert found == ([], [], ((), ()))


def test_pairs_of_unseen_names_are_doubtful():
    """Of a gold name that the model did not see nothing is known: its pairs that may be related are doubtful."""
    gold = sentence(EntitySpan(0, 1, "Peop"), EntitySpan(4, 5, "Loc"))

    assert completed(gold, [(4, 5, 0.9, LOC)]) == ([], [], ((), ((0, 1),)))


def test_likeliest_type_of_several():
    """An entity that may have several types gets the likeliest, and keeps the others."""
    gold = sentence(EntitySpan(0, 1, "Loc", ("Loc", "Peop")))

    found = complete_sentence(gold, candidates([(0, 1, 0.9, PEOP)]), ONTOLOGY, Thresholds())

    assert found.entities == (EntitySpan(0, 1, "Peop", ("Loc", "Peop")),)


def test_complete_sentences_get_nothing():
    """A sentence that marks everything stays as it is."""
    gold = sentence(EntitySpan(0, 1, "Peop"), partial=None)

    assert complete_sentence(gold, candidates([(4, 5, 0.9, LOC)]), ONTOLOGY, Thresholds()) == gold


def test_rounds(predictor, tiny_sentences, tmp_path):
    """Completing is repeatable; what an earlier round added is replaced; files keep what was added, and say by whom."""
    gold = [replace(s, entities=s.entities[:1], relations=(), partial=NOTHING) for s in read_spert(tiny_sentences)]

    first = complete(gold, predictor, Thresholds(), "abc")
    write_completed(first, tmp_path / "c.json")
    again = complete(read_spert(tmp_path / "c.json"), predictor, Thresholds(), "abc")
    nothing = complete(first, predictor, Thresholds(1.0, 1.0, 1.0), "def")

    assert again == first == read_spert(tmp_path / "c.json")
    assert sum(e.by == "completed" for s in first for e in s.entities) > 4
    assert [gold_alone(s) for s in first] == [gold_alone(s) for s in nothing] == gold
    assert {dict(s.tags)["completed"] for s in nothing} == {"def"}
    assert not any(e.by for s in nothing for e in s.entities)
    assert json.loads((tmp_path / "c.json").read_text())[0]["entities"][-1]["by"] == "completed"


def test_counts():
    """The table has gold and added ones by type, and the doubtful ones."""
    one = sentence(
        EntitySpan(0, 1, "Peop"),
        EntitySpan(2, 3, "Loc", by="completed"),
        relations=(RelationPair(0, 1, "Live_In", "completed"),),
        partial=Partial((), (), ((4, 5),), ()),
    )

    lines = [line.split() for line in format_counts([one]).splitlines()]

    assert lines[1:] == [
        ["entities", "1", "1"],
        ["Loc", "0", "1"],
        ["Peop", "1", "0"],
        ["relations", "0", "1"],
        ["Live_In", "0", "1"],
        ["doubtful:", "1", "spans", "and", "0", "pairs"],
    ]


@pytest.mark.parametrize("confidence", [0.2, 0.5, 0.9])
def test_gold_survives(confidence):
    """Whatever the model says, gold entities and relations stand first and unchanged."""
    gold = sentence(EntitySpan(0, 1, "Peop"), EntitySpan(4, 5, "Loc"), relations=(RelationPair(0, 1, "Live_In"),))
    spans = [(0, 1, confidence, LOC), (2, 3, confidence, PEOP), (4, 5, confidence, PEOP)]

    found = complete_sentence(gold, candidates(spans, [(0, 1, confidence, SIBLING)]), ONTOLOGY, Thresholds())

    assert (found.entities[:2], found.relations[:1]) == (gold.entities, gold.relations)
