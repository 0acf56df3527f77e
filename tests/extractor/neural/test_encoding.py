"""Words to word pieces, windows and batches."""

import doctest
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgmill.extractor.neural import encoding
from kgmill.extractor.neural.encoding import MAX_PIECES_A_WORD, Window, WordPieces, _window_bounds, collate, word_shape
from kgmill.schemas.errors import CheckpointError


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder):
    """The tiny encoder's tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_encoder, local_files_only=True)


def test_doctests():
    """The worked examples of the module hold."""
    result = doctest.testmod(encoding)

    assert result.failed == 0
    assert result.attempted > 0


@pytest.mark.parametrize("word", ["", "\ud800", "\n", "ǅ", "٣", "日本", "e\u0301", "\U0001f600"])
def test_shape_of_odd_words(word):
    """Every word has a shape, even one without letters or characters."""
    assert 1 <= word_shape(word) < encoding.N_SHAPES


def test_window_bounds_literal():
    """Windows of at most four pieces, each sharing one with the next."""
    assert list(_window_bounds([1] * 8, 4)) == [(0, 4), (3, 7), (6, 8)]


@given(st.lists(st.integers(1, 14), max_size=60), st.integers(14, 64))
def test_windows_cover_all_words(lengths, limit):
    """Windows go forward, leave out no word, and never hold more pieces than the limit."""
    bounds = list(_window_bounds(lengths, limit))

    assert {word for begin, end in bounds for word in range(begin, end)} == set(range(len(lengths)))
    assert all(sum(lengths[begin:end]) <= limit for begin, end in bounds)
    assert all(a < b for (a, _), (b, _) in pairwise(bounds))


@given(st.integers(20, 200), st.integers(8, 64))
def test_windows_share_a_quarter(n_words, limit):
    """Neighbouring windows of words of one piece share a quarter of their limit."""
    bounds = list(_window_bounds([1] * n_words, limit))

    assert {a_end - b_begin for (_, a_end), (b_begin, _) in pairwise(bounds)} <= {limit // 4}


def test_pieces_of_a_window(tokenizer):
    """A window has special tokens at both ends, and each word's first and last piece."""
    window = next(WordPieces(tokenizer, 64).windows([["Eve", "of", "X"]]))

    assert tokenizer.convert_ids_to_tokens(window.pieces) == ["[CLS]", "e", "##v", "##e", "of", "x", "[SEP]"]
    assert (window.word_starts, window.word_ends) == ([1, 4, 5], [4, 5, 6])
    assert window.shapes == [0, 7, 7, 7, 9, 5, 0]


def test_long_sentence_makes_windows(tokenizer):
    """A sentence that is too long makes windows that know their place in it."""
    windows = list(WordPieces(tokenizer, 16).windows([["of"] * 20, ["of"]]))

    assert [(w.sentence, w.first_word, w.n_words, w.n_sentence_words) for w in windows] == [
        (0, 0, 14, 20),
        (0, 11, 9, 20),
        (1, 0, 1, 1),
    ]
    assert max(len(w.pieces) for w in windows) == 16


def test_giant_word_keeps_its_first_pieces(tokenizer):
    """A word of very many pieces keeps its first ones and stays one word."""
    window = next(WordPieces(tokenizer, 64).windows([["of", "x" * 90, "in"]]))

    assert window.n_words == 3
    assert window.word_ends[1] - window.word_starts[1] == MAX_PIECES_A_WORD


def test_word_that_fits_no_window(tokenizer):
    """A word longer than the window is cut to it, and the words around it stay."""
    windows = list(WordPieces(tokenizer, 16).windows([["of", "x" * 90, "in"]]))

    assert [(w.first_word, w.n_words) for w in windows] == [(0, 1), (1, 1), (2, 1)]
    assert [len(w.pieces) for w in windows] == [3, 16, 3]


@pytest.mark.parametrize("word", ["\u200b", "\x00", "", "\ufeff", "ק", "日本"])
def test_word_without_pieces_is_unknown(tokenizer, word):
    """A word that the tokenizer knows nothing of, or cleans away, has one unknown piece or more."""
    window = next(WordPieces(tokenizer, 16).windows([["of", word, "in"]]))

    assert window.n_words == 3
    assert set(window.pieces[window.word_starts[1] : window.word_ends[1]]) == {tokenizer.unk_token_id}


def test_no_sentence_and_no_word(tokenizer):
    """No sentence, and one without words, make no window."""
    assert list(WordPieces(tokenizer, 16).windows([])) == []
    assert list(WordPieces(tokenizer, 16).windows([[]])) == []


def test_tokenizer_without_start(tokenizer):
    """A tokenizer without a start token has no x_0, so the encoder is refused."""

    class Bare:
        cls_token_id = bos_token_id = sep_token_id = eos_token_id = None

    with pytest.raises(CheckpointError, match="no start or end token"):
        WordPieces(Bare(), 16)


def test_collate_at_a_fixed_shape():
    """A batch has the wanted shape whatever is in it; a padding row attends to one piece."""
    window = Window(0, 0, 2, [2, 7, 8, 9, 3], [1, 3], [3, 4], [0, 5, 5, 6, 0])

    batch = collate([window], pad_id=1, n_rows=2, n_pieces=7)

    assert batch.pieces_BT.tolist() == [[2, 7, 8, 9, 3, 1, 1], [1] * 7]
    assert batch.mask_BT.tolist() == [[1, 1, 1, 1, 1, 0, 0], [1, 0, 0, 0, 0, 0, 0]]
    assert batch.shapes_BT.tolist() == [[0, 5, 5, 6, 0, 0, 0], [0] * 7]
    assert batch.word_starts_BW.tolist() == [[1, 3, 0, 0, 0], [0] * 5]
    assert batch.word_ends_BW.tolist() == [[3, 4, 0, 0, 0], [0] * 5]
