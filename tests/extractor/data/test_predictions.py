"""Predictions in the forms that SpERT and DyGIE write them."""

import json

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair
from kgmill.extractor.data.predictions import format_predictions
from kgmill.extractor.data.readers import read_annotated
from kgmill.extractor.decode import DecodedMention, DecodedRelation

SENTENCES = [
    AnnotatedSentence(("He", "left", "."), (), (), "d#0"),
    AnnotatedSentence(
        ("Ada", "Byron", "left", "Paris"),
        (EntitySpan(0, 2, "Peop"), EntitySpan(3, 4, "Loc")),
        (RelationPair(0, 1, "Live_In"),),
        "d#1",
    ),
]
PREDICTED = [
    ([], []),
    (
        [DecodedMention(0, 1, "Peop", 0.9), DecodedMention(3, 4, "Loc", 1.0)],
        [DecodedRelation(1, 0, "Live_In", 0.75)],
    ),
]


def test_spert():
    """The predictions stand where the annotations stood, with their confidence."""
    assert json.loads(format_predictions(SENTENCES, PREDICTED, "spert", has_gold=True)) == [
        {"tokens": ["He", "left", "."], "entities": [], "relations": [], "orig_id": "d#0"},
        {
            "tokens": ["Ada", "Byron", "left", "Paris"],
            "entities": [
                {"type": "Peop", "start": 0, "end": 1, "confidence": 0.9},
                {"type": "Loc", "start": 3, "end": 4, "confidence": 1.0},
            ],
            "relations": [{"type": "Live_In", "head": 1, "tail": 0, "confidence": 0.75}],
            "orig_id": "d#1",
        },
    ]


def test_dygie():
    """Beside the gold, in tokens of the document, ends inclusive, with a score in log-odds and a probability."""
    (line,) = format_predictions(SENTENCES, PREDICTED, "dygie", has_gold=True).splitlines()

    assert json.loads(line) == {
        "doc_key": "d",
        "sentences": [["He", "left", "."], ["Ada", "Byron", "left", "Paris"]],
        "ner": [[], [[3, 4, "Peop"], [6, 6, "Loc"]]],
        "relations": [[], [[3, 4, 6, 6, "Live_In"]]],
        "predicted_ner": [[], [[3, 3, "Peop", 2.1972, 0.9], [6, 6, "Loc", 13.8155, 1.0]]],
        "predicted_relations": [[], [[6, 6, 3, 3, "Live_In", 1.0986, 0.75]]],
    }


def test_text_has_no_gold():
    """Nothing says then that there is nothing."""
    (line,) = format_predictions(SENTENCES, PREDICTED, "dygie", has_gold=False).splitlines()

    assert list(json.loads(line)) == ["doc_key", "sentences", "predicted_ner", "predicted_relations"]


def test_predictions_are_read_as_annotations(tmp_path):
    """So one model's can be another's data, or be converted."""
    (tmp_path / "p.json").write_text(format_predictions(SENTENCES, PREDICTED, "spert", has_gold=True))

    found = read_annotated([str(tmp_path / "p.json")], "spert")

    assert [s.entities for s in found] == [(), (EntitySpan(0, 1, "Peop"), EntitySpan(3, 4, "Loc"))]
    assert found[1].relations == (RelationPair(1, 0, "Live_In"),)
