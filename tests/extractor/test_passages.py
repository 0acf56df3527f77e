"""Passages: which sentences are read together, and what is found in them as sentences and links."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgmill.extractor.api import Extractor
from kgmill.extractor.candidates import Candidates, Floors, empty
from kgmill.extractor.passages import Link, Passages, passage_bounds
from kgmill.extractor.predict import open_predictor
from kgmill.extractor.text.split import split_text

TEXT = "Ada left. Bob came. Carl slept. Dora ate.\n\nEve ran."


@given(blocks=st.lists(st.integers(0, 3), max_size=12).map(sorted), n=st.integers(1, 5))
def test_neighbours_of_a_block_meet_in_one_passage(blocks, n):
    """Each sentence is read, no passage has more than n or leaves a block, and two neighbours share exactly one."""
    bounds = list(passage_bounds(blocks, n))
    assert {i for begin, end in bounds for i in range(begin, end)} == set(range(len(blocks)))
    assert all(1 <= end - begin <= n and len(set(blocks[begin:end])) == 1 for begin, end in bounds)
    for i, (one, other) in enumerate(pairwise(blocks)):
        met = sum(begin <= i and i + 1 < end for begin, end in bounds)
        assert met == (1 if n > 1 and one == other else 0)


def test_one_sentence_a_passage_is_the_sentences():
    """Without passages the model is given each sentence, and what it finds is handed on as it is."""
    documents = [split_text(TEXT), [], split_text("Eve ran.")]
    passages = Passages.of(documents, 1)
    assert passages.words == [s.words for document in documents for s in document]
    given_ = [empty(1, 1) for _ in passages.words]
    found = list(passages.split(given_))
    assert [len(document.sentences) for document in found] == [5, 0, 1]
    assert all(a is b for a, b in zip([c for d in found for c in d.sentences], given_, strict=True))
    assert [document.links for document in found] == [[], [], []]


def test_passages_end_with_their_paragraph_and_with_a_texts_head():
    """The last paragraph is read by itself; so is a head, though no empty line parts it from what follows."""
    assert Passages.of([split_text(TEXT)], 3).words == [
        ("Ada", "left", ".", "Bob", "came", ".", "Carl", "slept", "."),
        ("Carl", "slept", ".", "Dora", "ate", "."),
        ("Eve", "ran", "."),
    ]
    head = Passages.of([split_text("OSLO (AP) - Ada left. Bob stayed.", 12)], 3)
    assert [words[0] for words in head.words] == ["OSLO", "Ada"]


def candidates(spans, pairs):
    """Candidates with spans (start, end) and pairs (head, tail), whose margins are their numbers."""
    return Candidates(
        np.array(spans, np.int32).reshape(-1, 2),
        np.arange(len(spans), dtype=np.float32),
        np.arange(2 * len(spans), dtype=np.float32).reshape(-1, 2),
        np.array(pairs, np.int32).reshape(-1, 2),
        np.arange(len(pairs), dtype=np.float32),
        np.arange(len(pairs), dtype=np.float32).reshape(-1, 1),
    )


def listed(found):
    """Spans and pairs of candidates, or sentences and pairs of a link, with margins."""
    if isinstance(found, Link):
        return found.first, found.second, found.pairs.tolist(), found.pair_margin.tolist()
    return found.spans.tolist(), found.entity_margin.tolist(), found.pairs.tolist(), found.pair_margin.tolist()


def split(*found):
    """What is made of candidates of the passages of TEXT: sentences 0 to 2, 2 to 3, and 4."""
    [document] = Passages.of([split_text(TEXT)], 3).split(found)
    return [listed(one) for one in document.sentences], [listed(one) for one in document.links]


def test_spans_and_pairs_go_to_their_sentences():
    """Spans count from their sentence's first word; what goes over its end is dropped, with its pairs."""
    one = candidates([(0, 1), (2, 4), (3, 4), (3, 5)], [(0, 1), (2, 3), (3, 2)])
    sentences, links = split(one, candidates([], []), candidates([(0, 2)], []))
    assert sentences == [
        ([[0, 1]], [0.0], [], []),
        ([[0, 1], [0, 2]], [2.0, 3.0], [[0, 1], [1, 0]], [1.0, 2.0]),
        ([], [], [], []),
        ([], [], [], []),
        ([[0, 2]], [0.0], [], []),
    ]
    assert links == []


def test_pairs_of_two_sentences_are_links():
    """A link's rows are those of the first sentence's spans, then of the second's; each order of ends is a pair."""
    one = candidates([(0, 1), (1, 2), (3, 4), (6, 7)], [(0, 2), (0, 3), (1, 2), (2, 1), (3, 2)])
    _, links = split(one, candidates([], []), candidates([], []))
    assert links == [
        (0, 1, [[0, 2], [1, 2], [2, 1]], [0.0, 2.0, 3.0]),
        (0, 2, [[0, 2]], [1.0]),
        (1, 2, [[1, 0]], [4.0]),
    ]


def test_sentence_of_two_passages_is_the_first_ones():
    """It stands at the end of one and the beginning of the next; links of the next meet its spans by their words."""
    first = candidates([(6, 7), (7, 8)], [(0, 1)])
    second = candidates([(0, 1), (0, 2), (1, 2), (3, 4)], [(0, 2), (2, 3), (1, 3)])
    sentences, links = split(first, second, candidates([], []))
    assert sentences[2:4] == [([[0, 1], [1, 2]], [0.0, 1.0], [[0, 1]], [0.0]), ([[0, 1]], [3.0], [], [])]
    assert links == [(2, 3, [[1, 2]], [1.0])]


def test_link_between_two_sentences_has_the_spans_of_both():
    """Decoding is given the spans of both, in their text, and the pairs that join them."""
    one, other = candidates([(0, 3), (5, 7)], [(0, 1)]), candidates([(10, 14)], [])
    link = Link(0, 1, np.array([[1, 2]], np.int32), np.array([0.5], np.float32), np.array([[0.25]], np.float32))
    both = link.between(one, other)
    assert (both.spans.tolist(), both.pairs.tolist()) == ([[0, 3], [5, 7], [10, 14]], [[1, 2]])
    assert (both.type_logits.shape, both.pair_margin.tolist(), both.relation_logits.tolist()) == (
        (3, 2),
        [0.5],
        [[0.25]],
    )


LOW = Floors(-30.0, -30.0)


@pytest.fixture(scope="module")
def predictor(tiny_model):
    return open_predictor(tiny_model, "cpu", "fp32", 1)


def test_passage_scores_are_the_models_own(predictor):
    """What is split is what the model says of the passage's words, none changed, none lost but at sentences' ends."""
    sentences = split_text("Ada Byron worked for Acme. Bob Stone lives in London.")
    passages = Passages.of([sentences], 2)
    [whole] = predictor.predict(passages.words, LOW)
    [document] = passages.split([whole])
    n = len(sentences[0].words)
    seen = {
        (a + shift, b + shift): margin
        for shift, part in zip((0, n), document.sentences, strict=True)
        for (a, b), margin in zip(part.spans.tolist(), part.entity_margin.tolist(), strict=True)
    }
    kept = {(a, b): m for (a, b), m in zip(map(tuple, whole.spans.tolist()), whole.entity_margin.tolist(), strict=True)}
    assert seen == {span: margin for span, margin in kept.items() if not span[0] < n < span[1]}
    [link] = document.links
    inside = sum(len(part.pairs) for part in document.sentences)
    crossing = {i for i, (a, b) in enumerate(whole.spans.tolist()) if a < n < b}
    assert inside + len(link.pairs) == sum(not crossing & {h, t} for h, t in whole.pairs.tolist())


def test_extractor_relates_mentions_of_two_sentences(predictor):
    """With passages, relations join sentences; their ends are mentions of the text, in its order."""
    text = "Ada Byron worked for Acme Corp in Paris. Bob Stone lives in London."
    alone, together = (Extractor(predictor, n)(text, min_confidence=0.0001) for n in (1, 2))
    border = text.index("Bob")

    def crossing(extraction):
        return [r for r in extraction.relations if (r.head.begin < border) != (r.tail.begin < border)]

    assert (crossing(alone), len(crossing(together)) > 0) == ([], True)
    assert {end for r in together.relations for end in (r.head, r.tail)} <= set(together.mentions)
    places = [(r.head.begin, r.head.end, r.tail.begin, r.tail.end, r.type) for r in together.relations]
    assert places == sorted(places)


def test_extractor_reads_as_its_model_was_trained(predictor, monkeypatch):
    """The model's own number of sentences is the default."""
    monkeypatch.setattr(predictor.config, "passage", 3)
    assert (Extractor(predictor).passage, Extractor(predictor, 1).passage) == (3, 1)
