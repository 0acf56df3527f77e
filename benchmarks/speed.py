"""Prediction against its bare encoder on the same batches, in one run: `make bench`.

Rounds of both are interleaved; the ratio is the median of the rounds' ratios. Both run the same fixed-shape batches on
the same number of threads. The whole of prediction (word pieces, batches, spans, pairs, arrays) is on one side, the
encoder's forward alone on the other.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import torch

from extractor.encoding import Batch, collate
from extractor.predict import Predictor, open_predictor
from extractor.text import split_text
from schemas.modelfolder import find_model

FLOOR = 0.1


def main() -> None:
    """Prints the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", default="default")
    options.add_argument("--corpus", default="examples/corpus", help="a folder of .txt files")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--threads", type=int, default=0)
    chosen = options.parse_args()
    texts = [path.read_text(encoding="utf-8") for path in sorted(Path(chosen.corpus).glob("*.txt"))]
    sentences = [sentence.words for text in texts for sentence in split_text(text)]
    folder = find_model(chosen.model)
    predictor = open_predictor(folder, "cpu", "fp32", chosen.threads)
    batches, n_pieces = make_batches(predictor, sentences)
    sides: dict[str, Callable[[], object]] = {
        "encoder alone": partial(run_encoder, predictor, batches),
        "prediction": partial(predictor.predict, sentences, FLOOR),
    }
    for precision in ("bf16", "int8"):
        other = open_predictor(folder, "cpu", precision, chosen.threads)
        sides[f"prediction {precision}"] = partial(other.predict, sentences, FLOOR)

    seconds = interleave(sides, chosen.rounds)
    n_padded = sum(batch.pieces_BT.numel() for batch in batches)
    print(f"{len(sentences)} sentences, {n_pieces} word pieces, padded to {n_padded} ({n_padded / n_pieces:.2f}x)")
    print(f"{predictor.n_threads} threads, medians of {chosen.rounds} interleaved rounds")
    print(f"{'':18}{'seconds':>9}{'sentences/s':>13}{'pieces/s':>10}{'of prediction':>15}")
    for name, values in seconds.items():
        median = statistics.median(values)
        ratio = statistics.median(v / whole for v, whole in zip(values, seconds["prediction"], strict=True))
        print(f"{name:18}{median:9.2f}{len(sentences) / median:13.0f}{n_pieces / median:10.0f}{ratio:15.3f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB with three models loaded")


def make_batches(predictor: Predictor, sentences: list[tuple[str, ...]]) -> tuple[list[Batch], int]:
    """The fixed-shape batches that prediction makes of the sentences, and how many word pieces they hold unpadded."""
    windows = list(predictor.pieces.windows(sentences))
    batches = [
        collate([windows[i] for i in indices], predictor.pieces.pad_id, n_rows, length)
        for length, n_rows, indices in predictor.batches(windows)
    ]
    return batches, sum(len(window.pieces) for window in windows)


def run_encoder(predictor: Predictor, batches: list[Batch]) -> None:
    """The encoder's forward over the batches, on the predictor's number of threads."""
    encoder = predictor.model.encoder

    @torch.inference_mode()
    def forward(batch: Batch) -> None:
        encoder(input_ids=batch.pieces_BT, attention_mask=batch.mask_BT)

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with ThreadPoolExecutor(predictor.n_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(forward, batches))
    torch.set_num_threads(before)


def interleave(sides: dict[str, Callable[[], object]], n_rounds: int) -> dict[str, list[float]]:
    """Seconds of each side in each round, after one round to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(n_rounds + 1):
        for name, run in sides.items():
            started = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return seconds


if __name__ == "__main__":
    main()
