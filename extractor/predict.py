"""Sentences to scored candidates, at fixed shapes, so that a score never depends on the neighbours in a batch.

A window goes into the smallest length bucket that holds it; a bucket's batches have one number of rows, padded; spans
are the whole grid of the bucket and pairs come in chunks of one size. On CPU each batch runs on one thread and several
run side by side, so that the number of threads changes no bit either.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kgmill.extractor.candidates import Candidates, Floors, empty, merge_windows
from kgmill.extractor.neural.checkpoint import Checkpoint, choose_device, has_bf16, load_checkpoint
from kgmill.extractor.neural.devices import check_precision, choose_precision, mkl_falls_short
from kgmill.extractor.neural.encoding import Window, WordPieces, collate
from kgmill.extractor.neural.fast import Encoded, Ends, Linked
from kgmill.extractor.neural.linears import Int8Linear, OneDnnLinear, replace_linears
from kgmill.extractor.neural.spans import Pairs, Spans
from kgmill.schemas.errors import CheckpointError
from kgmill.schemas.logged import carried

logger = logging.getLogger(__name__)

LENGTHS = (*range(16, 64, 4), *range(64, 128, 8), *range(128, 192, 16), *range(192, 256, 32), *range(256, 513, 64))
_CHUNK = {"cpu": 64, "cuda": 1024}  # entities, or pairs, scored at once
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.float32}
_PIECES_A_BATCH = {"cpu": 384, "cuda": 16384}


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

    def predict(
        self,
        sentences: Sequence[Sequence[str]],
        floors: Floors,
        on_share: Callable[[float], object] = lambda share: None,
        windows: list[Window] | None = None,
    ) -> list[Candidates]:
        """The candidates of each sentence (a list of words), spans in words, margins at least `floors`.

        `on_share` is told after each batch which share of the word pieces, padding included, is done. `windows` are the
        sentences' windows, where they were made before.
        """
        windows = self.windows(sentences) if windows is None else windows
        batches = list(self.batches(windows))
        n_pieces, n_done = sum(length * n_rows for length, n_rows, _ in batches), 0
        results: dict[int, Candidates] = {}
        for (length, n_rows, _), (indices, found) in zip(batches, self._run(batches, windows, floors), strict=True):
            results.update(zip(indices, found, strict=True))
            n_done += length * n_rows
            on_share(n_done / n_pieces)
        parts: dict[int, list[tuple[int, int, Candidates]]] = defaultdict(list)
        for i, window in enumerate(windows):
            parts[window.sentence].append((window.first_word, window.n_words, results[i]))
        blank = empty(len(self.config.entity_types or ()), len(self.config.relation_types or ()))
        return [merge_windows(parts[i], len(words)) if i in parts else blank for i, words in enumerate(sentences)]

    def windows(self, sentences: Sequence[Sequence[str]]) -> list[Window]:
        """The sentences in word pieces; one thread may make them while another predicts."""
        return list(self.pieces.windows(sentences))

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
        self, batches: list[tuple[int, int, list[int]]], windows: list[Window], floors: Floors
    ) -> Iterator[tuple[list[int], list[Candidates]]]:
        def score(job: tuple[int, int, list[int]]) -> tuple[list[int], list[Candidates]]:
            length, n_rows, indices = job
            return indices, self._score_or_halve([windows[i] for i in indices], n_rows, length, floors)

        if self.device.type != "cpu":
            yield from map(score, batches)
            return
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with ThreadPoolExecutor(self.n_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                yield from pool.map(carried(score), batches)
        finally:
            torch.set_num_threads(before)

    def _score_or_halve(self, windows: list[Window], n_rows: int, length: int, floors: Floors) -> list[Candidates]:
        """Scores a batch; where memory runs out, its halves. A batch of one row that doesn't fit is an error."""
        try:
            return self._score(windows, n_rows, length, floors)
        except (MemoryError, RuntimeError) as error:
            if n_rows == 1 or not _is_out_of_memory(error):
                raise
            logger.warning("out of memory with %d rows of %d pieces; trying half as many", n_rows, length)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        half = -(-n_rows // 2)
        halves = (part for part in (windows[:half], windows[half:]) if part)
        return [found for part in halves for found in self._score_or_halve(part, half, length, floors)]

    @torch.inference_mode()
    def _score(self, windows: list[Window], n_rows: int, length: int, floors: Floors) -> list[Candidates]:
        batch = collate(windows, self.pieces.pad_id, n_rows, length).to(self.device)
        encoded = self.model.encode(batch, self.features)
        grid = self._grid(n_rows, length - 2)
        entity_logits, type_logits = self.model.score_spans(encoded, grid.spans, is_grid=True)
        entity_margin = self._margin(entity_logits)
        n_words = np.zeros(n_rows, np.int64)
        n_words[: len(windows)] = [w.n_words for w in windows]
        kept = _keep_spans(entity_margin, grid, n_words, floors.entity)
        span_types = type_logits[torch.from_numpy(kept).to(self.device)].float().cpu().numpy()
        row = grid.row_S[kept]
        pairs, *pair_scores = self._score_pairs(
            encoded, grid.spans, kept, row, span_types.argmax(axis=1), floors.relation
        )
        return _split(
            len(windows),
            row,
            np.stack((grid.start_S[kept], grid.end_S[kept]), axis=1),
            (entity_margin[kept], span_types),
            pairs,
            (pair_scores[0], pair_scores[1]),
        )

    def _score_pairs(
        self, encoded: Encoded, spans: Spans, kept: np.ndarray, row: np.ndarray, types: np.ndarray, floor: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The pairs above the floor among the kept spans, [P, 2], with their margins and their logits of phase two."""
        pairs, n_relations = _pairs_in_rows(row), len(self.config.relation_types or ())
        if not len(pairs) or not n_relations:
            return np.zeros((0, 2), np.int64), np.zeros(0, np.float32), np.zeros((0, n_relations), np.float32)
        chunk = _CHUNK[self.device.type]
        entities = spans.take(torch.from_numpy(_pad(kept, chunk)).to(self.device))
        type_N = torch.from_numpy(_pad(types, chunk)).to(self.device)
        ends = self._map_ends(encoded, entities, chunk)

        def chunks(rows: np.ndarray) -> Iterator[tuple[Pairs, Tensor]]:
            """Pairs in chunks of one size, with their rows; the last one is filled up with the first row."""
            for some in torch.from_numpy(_pad(rows, chunk)).to(self.device).split(chunk):
                yield Pairs(entities, type_N, *pairs_2P[:, some]), some

        pairs_2P = torch.from_numpy(pairs).to(self.device).T
        everyone = np.arange(len(pairs))
        if not self.config.two_phase:
            scored = [self.model.score_pairs(encoded, ends, some) for some, _ in chunks(everyone)]
            binary_P2, types_PR = (torch.cat(logits)[: len(pairs)] for logits in zip(*scored, strict=True))
            margin = self._margin(binary_P2)
            is_sure = margin >= floor
            return pairs[is_sure], margin[is_sure], types_PR.float().cpu().numpy()[is_sure]
        linked = Linked.joined([self.model.link_pairs(encoded, ends, some) for some, _ in chunks(everyone)])
        margin = self._margin(linked.logits_P2[: len(pairs)])
        sure = np.flatnonzero(margin >= floor)
        if not len(sure):
            return pairs[sure], margin[sure], np.zeros((0, n_relations), np.float32)
        typed = [self.model.type_pairs(encoded, ends, some, linked.take(rows)) for some, rows in chunks(sure)]
        return pairs[sure], margin[sure], torch.cat(typed)[: len(sure)].float().cpu().numpy()

    def _margin(self, logits_N2: Tensor) -> np.ndarray:
        """The log-odds of the second output, float32 [N], as the model was trained.

        Of a softmax that is the difference of the two. Two sigmoids are each trained to say the log-odds, the first one
        those against; their mean is half the difference.
        """
        margin_N = logits_N2[:, 1].float() - logits_N2[:, 0].float()
        return (margin_N * (0.5 if self.config.phase_one == "sigmoid" else 1.0)).cpu().numpy()

    def _map_ends(self, encoded: Encoded, entities: Spans, chunk: int) -> Ends:
        """The entities as ends of pairs, mapped in chunks of one size."""
        n = len(entities.row_S)
        index = torch.arange(n, device=self.device)
        parts = [self.model.map_ends(encoded, entities.take(some)) for some in index.split(chunk)]
        return Ends(*(torch.cat([getattr(part, f.name) for part in parts]) for f in fields(Ends)))

    def _grid(self, n_rows: int, n_words: int) -> _Grid:
        if (n_rows, n_words) not in self._grids:
            width = self.config.max_span_width
            row = np.repeat(np.arange(n_rows), n_words * width)
            start = np.tile(np.repeat(np.arange(n_words), width), n_rows)
            end = start + np.tile(np.arange(1, width + 1), n_rows * n_words)
            tensors = (torch.from_numpy(x).to(self.device) for x in (row, start, np.minimum(end, n_words)))
            self._grids[n_rows, n_words] = _Grid(Spans(*tensors), start, end, row)
        return self._grids[n_rows, n_words]


def open_predictor(
    folder: Path, device: str, precision: str, n_threads: int = 0, *, is_compiled: bool = False
) -> Predictor:
    """A predictor for a model folder, on `auto|cpu|cuda[:N]`, at `auto|fp32|bf16|fp16|int8`, perhaps compiled.

    Raises:
        CheckpointError: the folder is no usable model, the device is not there, or torch can't compile here.
        ConfigError: the device does not compute in that precision.
    """
    check_precision(device, precision)  # by its name first, so that this is said where there is no GPU too
    chosen = choose_device(device)
    precision = choose_precision(chosen.type, precision, has_bf16)
    check_precision(chosen.type, precision)
    checkpoint = load_checkpoint(folder, chosen, _DTYPES[precision])
    if layer := _linear_layer(precision, chosen.type, is_compiled=is_compiled):
        for part in (checkpoint.model.encoder, *checkpoint.model.role_maps()):
            replace_linears(part, layer)
    predictor = Predictor(checkpoint, chosen, n_threads)
    if is_compiled:
        _compile(predictor)
    return predictor


def _linear_layer(precision: str, device: str, *, is_compiled: bool) -> type[Int8Linear | OneDnnLinear] | None:
    """What stands in for the linear layers, if anything does."""
    if precision == "int8":
        return Int8Linear
    is_slow = precision == "fp32" and device == "cpu" and torch.backends.mkl.is_available() and mkl_falls_short()
    return OneDnnLinear if is_slow and not is_compiled and OneDnnLinear.is_available() else None


def _compile(predictor: Predictor) -> None:
    """Compiles the encoder for any shape, and tries it, so that a machine without a compiler is found out at once."""
    encoder = predictor.model.encoder
    encoder.compile(dynamic=True)
    try:
        predictor.predict([["a"] * n for n in (2, 40)], Floors(0.0, 0.0))
    except Exception as error:  # torch's back ends raise errors of many kinds
        line = str(error).strip().partition("\n")[0]
        raise CheckpointError(f"torch can't compile the encoder here ({line}); build without `compile`") from None


def _is_out_of_memory(error: MemoryError | RuntimeError) -> bool:
    """Whether an error is one of memory, of the GPU's or of this machine's."""
    is_of_torch = isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
    return is_of_torch or isinstance(error, MemoryError)


def bucket_length(n_pieces: int) -> int:
    """The fixed length of the batches that a window of `n_pieces` goes into."""
    return next((length for length in LENGTHS if n_pieces <= length), -(-n_pieces // 512) * 512)


def _keep_spans(margin: np.ndarray, grid: _Grid, n_words: np.ndarray, floor: float) -> np.ndarray:
    """Grid rows of the spans above the floor, at most two a word of the window (the likeliest), to bound the pairs."""
    kept = np.flatnonzero((margin >= floor) & (grid.end_S <= n_words[grid.row_S]))
    most = 2 * n_words
    counts = np.bincount(grid.row_S[kept], minlength=len(n_words))
    if (counts <= most).all():
        return kept
    order = kept[np.lexsort((kept, -margin[kept], grid.row_S[kept]))]
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
    pairs: np.ndarray = np.stack((head, tail), axis=1)[head != tail]
    return pairs


def _pad(rows: np.ndarray, size: int) -> np.ndarray:
    """The rows, with rows of zeros behind them, up to a multiple of `size`."""
    return np.concatenate((rows, np.zeros((-len(rows) % size, *rows.shape[1:]), rows.dtype)))


def _split(
    n_windows: int,
    row_K: np.ndarray,
    spans: np.ndarray,
    span_scores: tuple[np.ndarray, np.ndarray],
    pairs: np.ndarray,
    pair_scores: tuple[np.ndarray, np.ndarray],
) -> list[Candidates]:
    span_bounds = np.searchsorted(row_K, np.arange(n_windows + 1))
    pair_bounds = np.searchsorted(row_K[pairs[:, 0]], np.arange(n_windows + 1))
    found = []
    for i in range(n_windows):
        s, p = slice(*span_bounds[i : i + 2]), slice(*pair_bounds[i : i + 2])
        found.append(
            Candidates(
                spans[s].astype(np.int32),
                span_scores[0][s],
                span_scores[1][s],
                (pairs[p] - span_bounds[i]).astype(np.int32),
                pair_scores[0][p],
                pair_scores[1][p],
            )
        )
    return found
