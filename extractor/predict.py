"""Sentences to scored candidates, at fixed shapes, so that a score never depends on the neighbours in a batch.

A window goes into the smallest length bucket that holds it; a bucket's batches have one number of rows, padded; spans
are the whole grid of the bucket and pairs come in chunks of one size. On CPU each batch runs on one thread and several
run side by side, so that the number of threads changes no bit either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from extractor.candidates import Candidates, empty, merge_windows
from extractor.checkpoint import Checkpoint, choose_device, load_checkpoint
from extractor.encoding import Window, WordPieces, collate
from extractor.model import Encoded, Pairs, Spans

LENGTHS = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)
_PAIRS_A_CHUNK = {"cpu": 64, "cuda": 1024}
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.float32}
_PIECES_A_BATCH = {"cpu": 512, "cuda": 16384}


@dataclass(frozen=True, slots=True)
class _Grid:
    """All spans of a bucket's shape, [B * W * max width], in row, start, width order."""

    spans: Spans
    start_S: np.ndarray
    end_S: np.ndarray
    row_S: np.ndarray


class Predictor:
    """Scores sentences with one model on one device."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device, n_threads: int = 0) -> None:
        self.model = checkpoint.model
        self.device = device
        self.config = checkpoint.model.config
        self.ontology = checkpoint.ontology
        self.calibration = checkpoint.calibration
        self.pieces = WordPieces(checkpoint.tokenizer, self.config.max_length)
        self.n_threads = (n_threads or torch.get_num_threads()) if device.type == "cpu" else 1
        with torch.inference_mode():
            self.features = self.model.features()
        self._grids: dict[tuple[int, int], _Grid] = {}

    def predict(self, sentences: Sequence[Sequence[str]], floor: float) -> list[Candidates]:
        """The candidates of each sentence (a list of words), spans in words, probabilities at least `floor`."""
        windows = list(self.pieces.windows(sentences))
        results: dict[int, Candidates] = {}
        for indices, found in self._run(self.batches(windows), windows, floor):
            results.update(zip(indices, found, strict=True))
        parts: dict[int, list[tuple[int, int, Candidates]]] = defaultdict(list)
        for i, window in enumerate(windows):
            parts[window.sentence].append((window.first_word, window.n_words, results[i]))
        blank = empty(len(self.config.entity_types), len(self.config.relation_types))
        return [merge_windows(parts[i], len(words)) if i in parts else blank for i, words in enumerate(sentences)]

    def batches(self, windows: list[Window]) -> Iterator[tuple[int, int, list[int]]]:
        """Batches as (length in pieces, rows, numbers of the windows in it)."""
        buckets: dict[int, list[int]] = defaultdict(list)
        for i, window in enumerate(windows):
            buckets[min(bucket_length(len(window.pieces)), self.config.max_length)].append(i)
        for length in sorted(buckets):
            n_rows = max(1, _PIECES_A_BATCH[self.device.type] // length)
            for begin in range(0, len(buckets[length]), n_rows):
                yield length, n_rows, buckets[length][begin : begin + n_rows]

    def _run(
        self, batches: Iterator[tuple[int, int, list[int]]], windows: list[Window], floor: float
    ) -> Iterator[tuple[list[int], list[Candidates]]]:
        def score(job: tuple[int, int, list[int]]) -> tuple[list[int], list[Candidates]]:
            length, n_rows, indices = job
            return indices, self._score([windows[i] for i in indices], n_rows, length, floor)

        if self.device.type != "cpu":
            yield from map(score, batches)
            return
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with ThreadPoolExecutor(self.n_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                yield from pool.map(score, list(batches))
        finally:
            torch.set_num_threads(before)

    @torch.inference_mode()
    def _score(self, windows: list[Window], n_rows: int, length: int, floor: float) -> list[Candidates]:
        batch = collate(windows, self.pieces.pad_id, n_rows, length).to(self.device)
        encoded = self.model.encode(batch, self.features)
        grid = self._grid(n_rows, length - 2)
        entity_logits, type_logits = self.model.score_spans(encoded, grid.spans, is_grid=True)
        entity_prob = torch.softmax(entity_logits.float(), dim=1)[:, 1].cpu().numpy()
        n_words = np.zeros(n_rows, np.int64)
        n_words[: len(windows)] = [w.n_words for w in windows]
        kept = _keep_spans(entity_prob, grid, n_words, floor)
        type_prob = torch.softmax(type_logits[torch.from_numpy(kept).to(self.device)].float(), dim=1).cpu().numpy()
        row = grid.row_S[kept]
        pairs = _pairs_in_rows(row)
        pair_prob, relation_prob = self._score_pairs(encoded, grid.spans, kept, pairs, type_prob.argmax(axis=1))
        sure = pair_prob >= floor
        return _split(
            len(windows),
            row,
            np.stack((grid.start_S[kept], grid.end_S[kept]), axis=1),
            (entity_prob[kept], type_prob),
            pairs[sure],
            (pair_prob[sure], relation_prob[sure]),
        )

    def _score_pairs(
        self, encoded: Encoded, spans: Spans, kept: np.ndarray, pairs: np.ndarray, types: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        n_relations = len(self.config.relation_types)
        if not len(pairs) or not n_relations:
            return np.zeros(len(pairs), np.float32), np.zeros((len(pairs), n_relations), np.float32)
        size = _PAIRS_A_CHUNK[self.device.type]
        index_2P = torch.from_numpy(_pad_rows(kept[pairs], size)).to(self.device).T
        type_2P = torch.from_numpy(_pad_rows(types[pairs], size)).to(self.device).T
        probs, relations = [], []
        for begin in range(0, index_2P.shape[1], size):
            chunk = slice(begin, begin + size)
            head, tail = index_2P[0, chunk], index_2P[1, chunk]
            scored = Pairs(spans.take(head), spans.take(tail), type_2P[0, chunk], type_2P[1, chunk])
            pair_logits, relation_logits = self.model.score_pairs(encoded, scored)
            probs.append(torch.softmax(pair_logits.float(), dim=1)[:, 1])
            relations.append(torch.softmax(relation_logits.float(), dim=1))
        n = len(pairs)
        return torch.cat(probs)[:n].cpu().numpy(), torch.cat(relations)[:n].cpu().numpy()

    def _grid(self, n_rows: int, n_words: int) -> _Grid:
        if (n_rows, n_words) not in self._grids:
            width = self.config.max_span_width
            row = np.repeat(np.arange(n_rows), n_words * width)
            start = np.tile(np.repeat(np.arange(n_words), width), n_rows)
            end = start + np.tile(np.arange(1, width + 1), n_rows * n_words)
            tensors = (torch.from_numpy(x).to(self.device) for x in (row, start, np.minimum(end, n_words)))
            self._grids[n_rows, n_words] = _Grid(Spans(*tensors), start, end, row)
        return self._grids[n_rows, n_words]


def open_predictor(folder: Path, device: str, precision: str, n_threads: int = 0) -> Predictor:
    """A predictor for a model folder, on `auto|cpu|cuda[:N]`, at `fp32|bf16|fp16|int8`.

    Raises:
        CheckpointError: the folder is no usable model, or the device is not there.
    """
    chosen = choose_device(device)
    checkpoint = load_checkpoint(folder, chosen, _DTYPES[precision])
    if precision == "int8":
        quantise(checkpoint.model.encoder)
    return Predictor(checkpoint, chosen, n_threads)


def quantise(encoder: nn.Module) -> None:
    """Makes an encoder's linear layers int8, in place: weights a channel, activations a token, at the time they come.

    A token's scale is its own, so that rows still don't influence one another.
    """
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    quantize_(encoder, Int8DynamicActivationInt8WeightConfig())


def bucket_length(n_pieces: int) -> int:
    """The fixed length of the batches that a window of `n_pieces` goes into."""
    return next((length for length in LENGTHS if n_pieces <= length), -(-n_pieces // 512) * 512)


def _keep_spans(entity_prob: np.ndarray, grid: _Grid, n_words: np.ndarray, floor: float) -> np.ndarray:
    """Grid rows of the spans above the floor, at most two a word of the window (the likeliest), to bound the pairs."""
    kept = np.flatnonzero((entity_prob >= floor) & (grid.end_S <= n_words[grid.row_S]))
    most = 2 * n_words
    counts = np.bincount(grid.row_S[kept], minlength=len(n_words))
    if (counts <= most).all():
        return kept
    order = kept[np.lexsort((kept, -entity_prob[kept], grid.row_S[kept]))]
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(order[rank < most[grid.row_S[order]]])


def _pairs_in_rows(row_K: np.ndarray) -> np.ndarray:
    """All ordered pairs of different candidates in the same row, [M, 2]; `row_K` is sorted."""
    counts = np.bincount(row_K) if len(row_K) else np.zeros(0, np.int64)
    size_K = counts[row_K]
    head = np.repeat(np.arange(len(row_K)), size_K)
    first_K = (np.cumsum(counts) - counts)[row_K]
    within = np.arange(len(head)) - np.repeat(np.cumsum(size_K) - size_K, size_K)
    tail = np.repeat(first_K, size_K) + within
    return np.stack((head, tail), axis=1)[head != tail]


def _pad_rows(rows_M2: np.ndarray, size: int) -> np.ndarray:
    padding = -len(rows_M2) % size
    return np.concatenate((rows_M2, np.zeros((padding, 2), rows_M2.dtype)))


def _split(
    n_windows: int,
    row_K: np.ndarray,
    spans: np.ndarray,
    span_probs: tuple[np.ndarray, np.ndarray],
    pairs: np.ndarray,
    pair_probs: tuple[np.ndarray, np.ndarray],
) -> list[Candidates]:
    span_bounds = np.searchsorted(row_K, np.arange(n_windows + 1))
    pair_bounds = np.searchsorted(row_K[pairs[:, 0]], np.arange(n_windows + 1))
    found = []
    for i in range(n_windows):
        s, p = slice(*span_bounds[i : i + 2]), slice(*pair_bounds[i : i + 2])
        found.append(
            Candidates(
                spans[s].astype(np.int32),
                span_probs[0][s],
                span_probs[1][s],
                (pairs[p] - span_bounds[i]).astype(np.int32),
                pair_probs[0][p],
                pair_probs[1][p],
            )
        )
    return found
