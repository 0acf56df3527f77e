"""Words to fixed-shape tensors: word pieces, letter case, overlapping windows, batches.

Shapes: B rows, T word pieces, W words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from kgmill.schemas.errors import CheckpointError

MAX_PIECES_A_WORD = 24
_CACHED_WORDS = 1 << 16

# Letter case, which an uncased encoder can't see. 0 is for special tokens and padding.
_SHAPES = (
    (1, re.compile(r"\d+(?:[.,:/-]\d+)*\Z")),  # a number
    (2, re.compile(r".*\d")),  # has a digit
    (3, re.compile(r"[^\W\d_]\.?\Z")),  # one letter, replaced below by its case
    (4, re.compile(r"[^\w]+\Z")),  # punctuation
)
N_SHAPES = 12


def word_shape(word: str) -> int:
    """The class of a word's letter case, 1 to N_SHAPES - 1.

    >>> [word_shape(w) for w in ("1,200", "B-52", "J.", "--", "U.S.", "NATO", "Paris", "McCarthy", "river", "iPod")]
    [1, 2, 5, 4, 6, 6, 7, 8, 9, 10]
    """
    for shape, pattern in _SHAPES:
        if pattern.match(word):
            if shape != 3:
                return shape
            return 5 if word[0].isupper() else 3
    if word.isupper():
        return 6
    if word[:1].isupper():
        return 7 if word[1:].islower() else 8
    if word.islower():
        return 9
    return 10 if any(c.isupper() for c in word) else 11


@dataclass(frozen=True, slots=True)
class Window:
    """A run of a sentence's words that fits the encoder.

    Attributes:
        sentence: the sentence's number in its batch or list.
        first_word: number of the window's first word in its sentence.
        n_sentence_words: words of the whole sentence.
        pieces: word-piece ids with the special tokens at both ends.
        word_starts, word_ends: each word's first piece and the one after its last, indexing `pieces`.
        shapes: `word_shape` of each piece's word; 0 at both ends.
    """

    sentence: int
    first_word: int
    n_sentence_words: int
    pieces: list[int]
    word_starts: list[int]
    word_ends: list[int]
    shapes: list[int]

    @property
    def n_words(self) -> int:
        """Words in the window."""
        return len(self.word_starts)


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows as tensors, padded. `word_ends_BW` is 0 for padding words."""

    pieces_BT: Tensor
    mask_BT: Tensor
    shapes_BT: Tensor
    word_starts_BW: Tensor
    word_ends_BW: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device; to a GPU from pinned memory, so that the copy waits for nothing."""
        fields = (self.pieces_BT, self.mask_BT, self.shapes_BT, self.word_starts_BW, self.word_ends_BW)
        if device.type != "cuda":
            return Batch(*(tensor.to(device) for tensor in fields))
        return Batch(*(tensor.pin_memory().to(device, non_blocking=True) for tensor in fields))


class WordPieces:
    """Words to windows of word pieces, for any Hugging Face tokenizer. Words are cached, not sentences.

    Raises:
        CheckpointError: the tokenizer has no start or end token, so that there is no x_0 (Eq. 2).
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, max_length: int) -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length
        self._cache: dict[str, list[int]] = {}
        first = tokenizer.cls_token_id if tokenizer.cls_token_id is not None else tokenizer.bos_token_id
        last = tokenizer.sep_token_id if tokenizer.sep_token_id is not None else tokenizer.eos_token_id
        if first is None or last is None:
            raise CheckpointError("the encoder's tokenizer has no start or end token; choose a BERT-like encoder")
        self._first, self._last = int(first), int(last)
        self.pad_id = int(tokenizer.pad_token_id or 0)
        unknown = tokenizer.unk_token_id
        self._unknown = [self.pad_id if unknown is None else int(unknown)]

    def windows(self, sentences: Sequence[Sequence[str]]) -> Iterator[Window]:
        """The windows of each sentence, in order: one, or overlapping ones where a sentence is too long.

        Overlapping windows share about a quarter of their pieces. A word of more than MAX_PIECES_A_WORD pieces keeps
        its first ones.
        """
        self._learn(word for sentence in sentences for word in sentence)
        for number, words in enumerate(sentences):
            pieces = [self._cache[word] for word in words]
            for begin, end in _window_bounds([len(p) for p in pieces], self.max_length - 2):
                yield self._window(number, words, pieces, begin, end)

    def _learn(self, words: Iterable[str]) -> None:
        if len(self._cache) > _CACHED_WORDS:
            self._cache.clear()
        if new := list({word for word in words if word not in self._cache}):
            longest = min(MAX_PIECES_A_WORD, self.max_length - 2)  # a word that fits no window would never end
            ids = self.tokenizer(new, add_special_tokens=False, return_attention_mask=False)["input_ids"]
            self._cache.update((w, i[:longest] or self._unknown) for w, i in zip(new, ids, strict=True))

    def _window(self, number: int, words: Sequence[str], pieces: list[list[int]], begin: int, end: int) -> Window:
        ids, shapes, starts, ends = [self._first], [0], [], []
        for i in range(begin, end):
            starts.append(len(ids))
            ids.extend(pieces[i])
            shapes.extend([word_shape(words[i])] * len(pieces[i]))
            ends.append(len(ids))
        return Window(number, begin, len(words), [*ids, self._last], starts, ends, [*shapes, 0])


def _window_bounds(lengths: list[int], limit: int) -> Iterator[tuple[int, int]]:
    begin, n_words = 0, len(lengths)
    while begin < n_words:
        end, size = begin, 0
        while end < n_words and size + lengths[end] <= limit:
            size += lengths[end]
            end += 1
        yield begin, end
        if end == n_words:
            return
        step, shared = end, 0
        while step > begin + 1 and shared + lengths[step - 1] <= limit // 4:
            step -= 1
            shared += lengths[step]
        begin = step


def collate(windows: Sequence[Window], pad_id: int, n_rows: int = 0, n_pieces: int = 0) -> Batch:
    """Windows as one padded batch; with `n_rows` and `n_pieces`, at exactly that shape (W is then n_pieces - 2).

    Padding rows hold one piece that attends to itself, so that no row is all mask.
    """
    n_rows = n_rows or len(windows)
    n_words = n_pieces - 2 if n_pieces else max(w.n_words for w in windows)
    n_pieces = n_pieces or max(len(w.pieces) for w in windows)
    pieces = np.full((n_rows, n_pieces), pad_id, np.int64)
    mask = np.zeros((n_rows, n_pieces), np.int64)
    mask[:, 0] = 1
    shapes = np.zeros((n_rows, n_pieces), np.int64)
    starts = np.zeros((n_rows, n_words), np.int64)
    ends = np.zeros((n_rows, n_words), np.int64)
    for row, window in enumerate(windows):
        pieces[row, : len(window.pieces)] = window.pieces
        mask[row, : len(window.pieces)] = 1
        shapes[row, : len(window.shapes)] = window.shapes
        starts[row, : window.n_words] = window.word_starts
        ends[row, : window.n_words] = window.word_ends
    return Batch(*map(torch.from_numpy, (pieces, mask, shapes, starts, ends)))
