"""Duplicates: exact and near, without order of arrival and without chains."""

import random

import pytest

from kgmill.pipelines.sources.duplicates import (
    Loser,
    band_keys,
    find_losers,
    key_rows,
    n_bands_and_rows,
    signature,
    worst,
)
from kgmill.schemas.identity import digest

WORDS = [f"word{n}" for n in range(60)]
TEXT = " ".join(WORDS)


def changed(n_words):
    """The text, with so many words cut off its front and others put behind it."""
    return " ".join([*WORDS[n_words:], *(f"other{n}" for n in range(n_words))])


def losers(texts, threshold=0.0):
    rows = key_rows(list(texts), [digest(text) for text in texts.values()], texts.values(), threshold)
    return worst(find_losers(rows, threshold))


def test_smallest_id_of_equal_texts_is_kept():
    """By plain string order, so that 10 comes before 9."""
    found = losers({"9": "same", "10": "same", "b": "another", "a": "same"})
    assert {i: (loser.reason, loser.other) for i, loser in found.items()} == {
        "9": ("duplicate", "10"),
        "a": ("duplicate", "10"),
    }


def test_order_of_arrival_decides_nothing():
    """The same documents in any order lose the same ones, with the same details."""
    texts = {f"d{n}": changed(n // 2) for n in range(12)}
    expected = losers(texts, 0.8)
    for seed in range(5):
        ids = random.Random(seed).sample(sorted(texts), len(texts))  # noqa: S311
        assert losers({i: texts[i] for i in ids}, 0.8) == expected
    assert {loser.reason for loser in expected.values()} == {"duplicate", "near_duplicate"}


def test_near_text_goes_and_says_how_near():
    """Case and punctuation make no difference; the detail names the smaller id and the likeness."""
    found = losers({"a": TEXT, "b": f"{TEXT.upper()}!", "c": changed(50)}, 0.9)
    assert found == {"b": Loser("b", "near_duplicate", "a", 1.0)}
    assert found["b"].detail == "is near to a, similarity 1.000"


def test_likeness_makes_no_chains():
    """b is near to a, and c to b but not to a: b and c go, each for its own neighbour, and nobody for a's sake."""
    texts = {"a": changed(0), "b": changed(4), "c": changed(8)}
    assert {i: loser.other for i, loser in losers(texts, 0.8).items()} == {"b": "a", "c": "b"}
    assert losers({"a": texts["a"], "c": texts["c"]}, 0.8) == {}


def test_equal_text_counts_more_than_a_near_one():
    """A document that has both kinds of neighbours is a duplicate."""
    found = losers({"a": f"{TEXT} more", "b": TEXT, "c": TEXT}, 0.8)
    assert (found["c"].reason, found["c"].other, found["b"].reason) == ("duplicate", "b", "near_duplicate")


def test_threshold_of_zero_finds_equal_texts_alone():
    """Near-duplicates are looked for by choice."""
    assert losers({"a": TEXT, "b": f"{TEXT}!"}) == {}


@pytest.mark.parametrize("text", ["!", "word", "two words", "\u4e2d\u6587", "..."])
def test_any_text_has_a_signature(text):
    """Fewer than three words, or none at all, are one shingle."""
    assert len(signature(text)) == 512
    assert signature(text) != signature(f"{text} x")


def test_signature_never_changes():
    """Seed, permutations and shingles are fixed: ids of documents that go don't depend on versions."""
    assert digest(signature("Ada Byron worked for Acme Corp").hex())[:16] == "39d61998a4527b87"


def test_estimate_is_near_the_truth():
    """128 permutations estimate the Jaccard similarity of shingle sets within 0.1."""
    (loser,) = losers({"a": TEXT, "b": changed(8)}, 0.6).values()
    assert loser.similarity == pytest.approx(50 / 66, abs=0.1)  # 58 shingles each, 50 of them the same


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9, 0.98])
def test_most_pairs_at_the_threshold_share_a_band(threshold):
    """Bands are cut so that at least 19 of 20 such pairs are compared."""
    n_bands, n_rows = n_bands_and_rows(threshold)
    assert n_bands * n_rows <= 128
    assert 1 - (1 - threshold**n_rows) ** n_bands > 0.94
    assert len(band_keys(signature(TEXT), threshold)) == n_bands
