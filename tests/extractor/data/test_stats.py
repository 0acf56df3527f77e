"""Data distributions."""

import pytest

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair
from kgmill.extractor.data.readers import read_annotated
from kgmill.extractor.data.stats import count_types, distances, format_stats, imbalance

# Twelve words: 10 widths give 12 + 11 + ... + 3 = 75 spans, of which three are entities.
PAGE = [
    AnnotatedSentence(
        tuple("abcdefghijkl"),
        (EntitySpan(0, 1, "Peop"), EntitySpan(1, 2, "Loc"), EntitySpan(6, 12, "Loc")),
        (RelationPair(0, 1, "Live_In"), RelationPair(2, 0, "Live_In"), RelationPair(0, 1, "Born_In")),
    ),
    AnnotatedSentence(("a", "b"), (), ()),
]


@pytest.fixture(scope="module")
def conll04(shared_data):
    """The public train and dev sentences of CoNLL04."""
    files = [str(shared_data / "conll04" / name) for name in ("conll04_train.json", "conll04_dev.json")]
    return read_annotated(files, "spert")


def test_counts():
    """Gold is counted by type, negatives by SpERT's rule: all other spans, and all other ordered pairs of entities."""
    entities, relations = count_types(PAGE)

    assert entities == {"Peop": 1, "Loc": 2, "Not-Entity": 72 + 3}
    assert relations == {"Live_In": 2, "Born_In": 1, "Not-Relation": 4}


def test_negatives_are_at_most_a_hundred():
    """A long sentence has at most a hundred negative spans."""
    entities, _ = count_types([AnnotatedSentence(tuple("a" * 50), (), ())])

    assert entities["Not-Entity"] == 100


def test_distances():
    """The percentages of pairs with 0-3, 4-7, 8-11 and more words between."""
    assert distances(PAGE) == {"Born_In": (100, 0, 0, 0), "Live_In": (50, 50, 0, 0)}


def test_imbalance():
    """The largest class over the smallest, in one phase and in each of two."""
    ratios = imbalance(*count_types(PAGE))

    assert ratios == {
        "NER, one phase": 75.0,
        "NER, phase one": 25.0,
        "NER, phase two": 2.0,
        "RE, one phase": 4.0,
        "RE, phase one": pytest.approx(4 / 3),
        "RE, phase two": 2.0,
    }


def test_counts_of_conll04(conll04):
    """The public data has these counts; the paper's Table 1 differs in four of them."""
    entities, relations = count_types(conll04)

    assert entities == {"Other": 573, "Org": 786, "Peop": 1370, "Loc": 1541, "Not-Entity": 101655}
    assert relations == {
        "Kill": 221,
        "Located_In": 312,
        "Work_For": 325,
        "OrgBased_In": 347,
        "Live_In": 421,
        "Not-Relation": 12926,
    }


def test_stats_of_conll04_stand_beside_the_paper(conll04):
    """For CoNLL04 each number has the paper's beside it, with the difference."""
    lines = [line.split() for line in format_stats(conll04).splitlines()]

    assert ["Other", "573", "592", "-19"] in lines
    assert ["Work_For", "41.5", "35.1", "10.5", "12.9"] in lines
    assert ["RE,", "phase", "two", "1.9", "1.8", "+0.1"] in lines


def test_stats_of_other_data():
    """For other data there is nothing of the paper."""
    text = format_stats(PAGE)

    assert "paper" not in text
    assert ["Live_In", "2"] in [line.split() for line in text.splitlines()]
