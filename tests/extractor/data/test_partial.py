"""Sentences that are annotated in part, as files have them."""

import json

import pytest

from kgmill.extractor.data.annotated import EntitySpan, RelationPair, gold_alone, read_spert
from kgmill.extractor.data.convert import convert
from kgmill.extractor.data.partial import Partial
from kgmill.schemas.errors import DataError

RECORD = {
    "tokens": ["Ada", "of", "Acme", "Inc", "in", "Rome"],
    "entities": [
        {"type": "Peop", "start": 0, "end": 1},
        {"type": "Org", "start": 2, "end": 4, "types": ["Misc", "Org"]},
        {"type": "Loc", "start": 5, "end": 6, "by": "completed"},
    ],
    "relations": [{"type": "of", "head": 0, "tail": 1}, {"type": "in", "head": 1, "tail": 2, "by": "completed"}],
    "orig_id": "A#1",
    "fold": 2,
    "completed": "abc",
    "annotated": {"types": ["Peop", "Org"], "relations": []},
    "doubtful": {"entities": [{"start": 1, "end": 3}], "relations": [{"head": 0, "tail": 2}]},
}


def read(folder, **changes):
    """The one sentence of a file."""
    (folder / "a.json").write_text(json.dumps([RECORD | changes]), encoding="utf-8")
    return read_spert(folder / "a.json")[0]


def test_keys_of_partly_annotated_sentences(tmp_path):
    """What is complete, what is doubtful, who marked what, possible types, and short other keys are read."""
    found = read(tmp_path)

    assert found.partial == Partial(("Org", "Peop"), (), ((1, 3),), ((0, 2),))
    assert found.entities[1:] == (EntitySpan(2, 4, "Org", ("Misc", "Org")), EntitySpan(5, 6, "Loc", by="completed"))
    assert found.relations[1] == RelationPair(1, 2, "in", "completed")
    assert dict(found.tags) == {"fold": "2", "completed": "abc"}


@pytest.mark.parametrize(
    ("annotated", "expected"),
    [
        (None, None),
        ({}, None),
        ({"types": ["Peop"]}, Partial(types=("Peop",))),
        ({"types": [], "relations": []}, Partial((), ())),
    ],
)
def test_what_is_left_out_is_complete(tmp_path, annotated, expected):
    """Without the key, or a list in it, everything is complete."""
    assert read(tmp_path, annotated=annotated, doubtful=None).partial == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotated": ["Peop"]}, "wanted tokens, entities and relations"),
        ({"annotated": {"types": "Peop"}}, "annotated: wanted lists of names, got 'Peop'"),
        ({"doubtful": {"entities": [{"start": 5, "end": 7}]}}, "entity 5:7 lies outside of 6 tokens"),
        ({"doubtful": {"relations": [{"head": 0, "tail": 3}]}}, "relation 0 -> 3 with 3 entities"),
    ],
)
def test_wrong_keys(tmp_path, changes, message):
    """Keys that are not of their form are refused with the sentence's number."""
    with pytest.raises(DataError) as caught:
        read(tmp_path, **changes)

    assert f"{tmp_path}/a.json: sentence 0: " in str(caught.value)
    assert message in str(caught.value)


def test_keys_survive_a_conversion(tmp_path):
    """SpERT to SpERT keeps all of them."""
    before = read(tmp_path)

    convert(tmp_path / "a.json", "spert", tmp_path / "b.json", "spert")

    after = read_spert(tmp_path / "b.json")[0]
    assert (after, after.tags) == (before, before.tags)


def test_gold_alone(tmp_path):
    """What a model marked, and what it doubted, can be taken out; numbers of entities follow."""
    first = {"type": "Loc", "start": 5, "end": 6, "by": "completed"}
    relations = [{"type": "of", "head": 1, "tail": 2}, {"type": "in", "head": 1, "tail": 0}]
    found = gold_alone(read(tmp_path, entities=[first, *RECORD["entities"][:2]], relations=relations))

    assert [e.type for e in found.entities] == ["Peop", "Org"]
    assert found.relations == (RelationPair(0, 1, "of"),)
    assert found.partial == Partial(("Org", "Peop"), ())
