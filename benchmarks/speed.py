"""Prediction and training against their bare encoder on the same batches, in one run: `make bench`.

Rounds of all sides are interleaved; a ratio is the median of the rounds' ratios. Prediction is the whole of it (word
pieces, batches, spans, pairs, arrays), the encoder alone is its forward over the same fixed-shape batches, on the same
number of threads. Training is a whole step (sampling, forward, backward, optimiser, averaging), the encoder alone its
forward and backward over the same sentences. Peak memory is that of a process of its own for each precision.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from kgmill.extractor.modelfolder import find_model
from kgmill.extractor.neural.devices import multiplies_bytes
from kgmill.extractor.neural.encoding import Batch, collate
from kgmill.extractor.predict import Predictor, open_predictor
from kgmill.extractor.text.split import split_text
from kgmill.extractor.training.train import TrainingRun, read_data
from kgmill.schemas.training import TrainConfig

MIN_CONFIDENCE = 0.4
PRECISIONS = ("fp32", "bf16", "int8") if multiplies_bytes() else ("fp32", "bf16")  # else int8 takes half an hour
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
_TRAIN_BATCHES = 24


def main() -> None:
    """Prints the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", default="default")
    options.add_argument("--corpus", default="examples/corpus", help="a folder of .txt files")
    options.add_argument("--training", default="examples/conll04.toml", help="a training configuration")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--threads", type=int, default=0)
    options.add_argument("--peak-of", choices=PRECISIONS, help="predict once, print this process's peak memory in MB")
    chosen = options.parse_args()
    folder, sentences = find_model(chosen.model), read_corpus(Path(chosen.corpus))
    if chosen.peak_of:
        predictor = open_predictor(folder, "cpu", chosen.peak_of, chosen.threads)
        predictor.predict(sentences, predictor.calibration.floors(MIN_CONFIDENCE))
        print(_peak_mb())
        return
    print(f"processor: {_processor()}")
    bench_prediction(folder, sentences, chosen.threads, chosen.rounds)
    bench_memory(sys.argv[1:])
    bench_training(Path(chosen.training), chosen.rounds)


def read_corpus(folder: Path) -> list[tuple[str, ...]]:
    """The sentences of a folder of .txt files, as words."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))]
    return [sentence.words for text in texts for sentence in split_text(text)]


def bench_prediction(folder: Path, sentences: list[tuple[str, ...]], n_threads: int, n_rounds: int) -> None:
    """Prints seconds and rates of prediction at each precision, and of the encoder alone."""
    sides: dict[str, Callable[[], object]] = {}
    for precision in PRECISIONS:
        predictor = open_predictor(folder, "cpu", precision, n_threads)
        batches, n_pieces = make_batches(predictor, sentences)
        sides[f"{precision} encoder alone"] = partial(run_encoder, predictor, batches)
        floors = predictor.calibration.floors(MIN_CONFIDENCE)
        sides[f"{precision} prediction"] = partial(predictor.predict, sentences, floors)
    seconds = interleave(sides, n_rounds)
    n_padded, n_words = sum(batch.pieces_BT.numel() for batch in batches), sum(map(len, sentences))
    print(f"{len(sentences)} sentences, {n_words} words, {n_pieces} word pieces, padded {n_padded / n_pieces:.2f}x")
    print(f"{predictor.n_threads} threads, medians of {n_rounds} interleaved rounds\n")
    print("| side | seconds | sentences/s | words/s | encoder's share | fp32 prediction over it |")
    print("|---|---|---|---|---|---|")
    for name, values in seconds.items():
        median, precision = statistics.median(values), name.split()[0]
        whole = seconds[f"{precision} prediction"]
        share = f"{_ratio(values, whole):.3f}" if "encoder" in name else ""
        faster = f"{_ratio(seconds['fp32 prediction'], values):.2f}" if "prediction" in name else ""
        rates = f"{len(sentences) / median:.0f} | {n_words / median:.0f}"
        print(f"| {name} | {median:.2f} | {rates} | {share} | {faster} |", flush=True)


def bench_memory(arguments: list[str]) -> None:
    """Prints the peak memory of a process that predicts once, for each precision."""
    print("\n| precision | peak memory, MB |\n|---|---|")
    for precision in PRECISIONS:
        command = [sys.executable, "-m", "benchmarks.speed", *arguments, "--peak-of", precision]
        peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        print(f"| {precision} | {peak} |", flush=True)


def bench_training(configuration: Path, n_rounds: int) -> None:
    """Prints the time of training steps over that of the encoder's forward and backward, on one thread."""
    config = TrainConfig.load(configuration, {"threads": 1, "device": "cpu"})
    if missing := [path for path in config.train_files if not Path(path).is_file()]:
        print(f"\ntraining: not measured, {missing[0]} is not here")
        return
    torch.set_num_threads(1)
    sets, ontology, _ = read_data(config)
    run = TrainingRun(config, sets, ontology, [], torch.device("cpu"))
    rng = np.random.default_rng(config.seed)
    batches = list(islice(run.batches(rng), _TRAIN_BATCHES))
    model = run.checkpoint.model.train()

    def steps() -> None:
        for batch in batches:
            run.step(batch, rng)

    def encoder() -> None:
        for batch in batches:
            tensors = collate(batch, run.pieces.pad_id)
            model.zero_grad(set_to_none=True)
            hidden_BTD = model.encoder(input_ids=tensors.pieces_BT, attention_mask=tensors.mask_BT).last_hidden_state
            hidden_BTD.sum().backward()

    seconds = interleave({"step": steps, "encoder": encoder}, n_rounds)
    n_sentences = _TRAIN_BATCHES * config.batch_size
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"\ntraining, {n_sentences} sentences in batches of {config.batch_size}, one thread:")
    print(f"steps {medians['step']:.2f} s, encoder's forward and backward {medians['encoder']:.2f} s, ", end="")
    print(f"ratio {_ratio(seconds['step'], seconds['encoder']):.2f}")


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


def _ratio(some: list[float], others: list[float]) -> float:
    return float(np.median([a / b for a, b in zip(some, others, strict=True)]))


def _processor() -> str:
    """The processor's name and which of the instructions that matter here it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown (no /proc/cpuinfo)"
    found = {line.split(":")[0].strip(): line.split(":")[1].strip() for line in lines if ":" in line}
    flags = set(found.get("flags", "").split())
    return f"{found.get('model name', 'unknown')} ({', '.join(f for f in _FLAGS if f in flags) or 'no AVX2'})"


def _peak_mb() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
