"""Training: one configuration, one seed, one model folder. An interrupted run goes on after its last whole epoch.

Data order, negatives and dropout of an epoch come from the seed and the epoch's number alone, so a resumed run takes
the same steps as an undisturbed one.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kgmill.extractor.data.annotated import AnnotatedSentence, check_types, infer_ontology
from kgmill.extractor.data.reach import beyond_reach
from kgmill.extractor.data.unused import format_unused
from kgmill.extractor.modelfolder import find_model
from kgmill.extractor.neural.checkpoint import choose_device, new_checkpoint, save_checkpoint
from kgmill.extractor.neural.encoding import Window, WordPieces, collate
from kgmill.extractor.neural.two_phase import TwoPhaseModel
from kgmill.extractor.predict import Predictor
from kgmill.extractor.text.language import check_languages, languages_of
from kgmill.extractor.training.card import write_card
from kgmill.extractor.training.distil import Teachers
from kgmill.extractor.training.evaluate import evaluate
from kgmill.extractor.training.journal import CSV, events, write_csv
from kgmill.extractor.training.lineage import n_shared, read_excluded, seen_by, training_parts, write_training_data
from kgmill.extractor.training.loss import joint_loss
from kgmill.extractor.training.sampling import sample
from kgmill.extractor.training.sets import TrainingSet, describe, draw, prepare, read_sets, read_trained
from kgmill.extractor.training.start import continued_checkpoint
from kgmill.extractor.training.state import EpochReport, State, n_since_best, restore, save, with_weights
from kgmill.schemas.errors import ConfigError, OntologyError, OutputError
from kgmill.schemas.extras import require
from kgmill.schemas.ontology import Ontology, format_ontology, load_ontology
from kgmill.schemas.text import decode_utf8
from kgmill.schemas.training import TrainConfig

DECODE_CONFIDENCE = 0.4
_SORTED_BATCHES = 16  # batches whose sentences are sorted by length together


def train(
    config: TrainConfig,
    *,
    on_step: Callable[[int, int, float], None] = lambda done, total, loss: None,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
    on_note: Callable[[str], None] = lambda note: None,
) -> list[EpochReport]:
    """Trains the model of a configuration and writes its folder; returns the epochs' reports.

    `on_step` gets steps done, steps in all and the step's loss; `on_note`, before the first step, what is not used of
    the data, and how much of dev is in it. Between epochs the state lies in `OUT.training`; it is
    removed when the model folder is complete.

    Raises:
        ConfigError, DataError, OntologyError, CheckpointError: an input is wrong; nothing was written.
        OutputError: the output already exists.
        MissingExtraError: events for TensorBoard are wanted, and its package is not installed.
    """
    out = Path(config.out)
    if out.exists():
        raise OutputError(f"{out}: already exists; delete it or choose another `out`")
    if config.languages != "auto":
        check_languages(config.languages)
    if config.card and not Path(config.card).is_file():
        raise ConfigError(f"{config.card}: no such file; `card` ends the model card")
    if config.card:
        decode_utf8(Path(config.card).read_bytes(), config.card, ConfigError)  # not after hours of training
    if config.tensorboard:
        require("the key tensorboard", "tensorboard")
    sets, ontology, dev = read_data(config)
    if config.threads:
        torch.set_num_threads(config.threads)
    device = choose_device(config.device)
    torch.manual_seed(config.seed)
    run = TrainingRun(config, sets, ontology, dev, device)
    for note in run.notes:
        on_note(note)
    reports = run.all_epochs(on_step, on_epoch)
    _finish(run, out)
    return reports


def read_data(config: TrainConfig) -> tuple[list[TrainingSet], Ontology, list[AnnotatedSentence]]:
    """The training sets, the ontology, and the dev sentences of a configuration.

    Raises:
        DataError, OntologyError: a file is not of its form, or has types that the ontology doesn't know.
    """
    sets = [read_trained(one, config.labels) for one in config.train_sets]
    sentences = [sentence for one in sets for sentence in one.sentences]
    ontology = load_ontology(Path(config.ontology)) if config.ontology else infer_ontology(sentences)
    for one in sets:
        check_types(one.sentences, ontology, ", ".join(one.config.files))
    dev = read_sets(config.dev_sets, config.labels)
    check_types(dev, ontology, ", ".join(config.dev_files))
    return prepare(sets, config, ontology, dev, read_excluded(config.exclude)), ontology, dev


def _model_options(config: TrainConfig, sentences: Sequence[AnnotatedSentence]) -> dict[str, Any]:
    names = (
        *("max_span_width", "max_distance", "role_maps", "fusion", "pair_distance", "pair_types", "link_types"),
        *("two_phase", "pair_hidden"),
        *("word_shape", "max_length", "dropout", "passage"),
    )
    is_auto = config.languages == "auto"
    languages = languages_of(" ".join(s.words) for s in sentences) if is_auto else config.languages
    phase_one = config.phase_one if config.two_phase else "softmax"  # as prediction has to read the outputs
    decided = {"languages": list(languages), "phase_one": phase_one}
    return {name: getattr(config, name) for name in names} | decided


class TrainingRun:
    """A training run: its data as windows, its state, its resumable loop.

    `seen` are the hashes of what the model that it starts from and its teachers were trained on; None: one doesn't say.
    """

    def __init__(
        self,
        config: TrainConfig,
        sets: Sequence[TrainingSet],
        ontology: Ontology,
        dev: Sequence[AnnotatedSentence],
        device: torch.device,
    ) -> None:
        sentences = [sentence for one in sets for sentence in one.sentences]
        options = _model_options(config, sentences)
        if config.start:
            checkpoint = continued_checkpoint(find_model(config.start), ontology, options)
        else:
            checkpoint = new_checkpoint(config.encoder, ontology, options)
        checkpoint.model.to(device)
        most_bytes = config.teacher_memory << 20
        self.teachers = Teachers(config.teachers, ontology, device, most_bytes) if config.teachers else None
        self.config, self.checkpoint, self.sets, self.dev = config, checkpoint, sets, dev
        self.sentences = sentences
        self.device = device
        written = (
            decode_utf8(Path(config.ontology).read_bytes(), config.ontology, OntologyError) if config.ontology else ""
        )
        self.ontology_text = written or format_ontology(checkpoint.ontology)
        self.pieces = WordPieces(checkpoint.tokenizer, checkpoint.model.config.max_length)
        self.windows = list(self.pieces.windows([s.words for s in sentences]))
        self.windows_by_set = _by_set(self.windows, sets)
        self.steps_an_epoch = math.ceil(sum(n for n, _ in self.windows_by_set) / config.batch_size)
        self.n_steps = self.steps_an_epoch * config.epochs
        model = checkpoint.model
        optimizer = torch.optim.AdamW(parameter_groups(model, config), fused=True)
        self.rates = [group["lr"] for group in optimizer.param_groups]
        first = {n: p.detach().clone() for n, p in model.named_parameters()}
        self.state = State(model, optimizer, {n: p.clone() for n, p in first.items()} if config.ema_decay else {})
        if config.start_share:
            self.state.before, self.state.share_before = first, config.start_share
        self.folder = Path(f"{config.out}.training")
        self.seen = _seen_by_all(_older(config))
        self.parts = training_parts(config, checkpoint, sentences, dev)
        self.notes = self._notes()

    def _notes(self) -> list[str]:
        """What the sets hold, what is not used of the data, and how much of dev is trained on."""
        unused = [one for sentence in self.sentences for one in sentence.unused]
        unused += beyond_reach(self.sentences, self.windows, self.config.max_span_width)
        notes = [describe(one, self.checkpoint.ontology, self.config) for one in self.sets if one.is_told(self.config)]
        notes += [f"not used: {line}" for line in format_unused(unused)]
        if self.seen is None:
            silent = next(name for name in _older(self.config) if seen_by(find_model(name)) is None)
            notes.append(f"{silent} doesn't say what it was trained on, so the new model won't either")
        if shared := n_shared(self.sentences, self.dev):
            where = ", ".join(self.config.dev_files)
            notes.append(f"{shared} of {len(self.dev)} sentences of {where} are in the training data")
        return notes

    def all_epochs(
        self, on_step: Callable[[int, int, float], None], on_epoch: Callable[[EpochReport], None]
    ) -> list[EpochReport]:
        """The epochs that are not done yet, each saved when it ends; returns all reports."""
        state = self.state
        restore(state, self.folder, self.parts)
        with events(self.config.tensorboard, state.step) as told:

            def told_step(done: int, total: int, loss: float) -> None:
                told.step(done, loss, max(group["lr"] for group in state.optimizer.param_groups))
                on_step(done, total, loss)

            while not self._is_done():
                report = self._one_epoch(told_step)
                told.epoch(state.step, report)
                on_epoch(report)
                save(state, self.folder, self.parts)
                write_csv(self.folder / CSV, state.reports)
        return state.reports

    def _is_done(self) -> bool:
        config, state = self.config, self.state
        is_over = state.epoch == config.epochs
        return is_over or (config.patience > 0 and n_since_best(state.reports) >= config.patience)

    def _one_epoch(self, on_step: Callable[[int, int, float], None]) -> EpochReport:
        config, state = self.config, self.state
        started = time.perf_counter()
        loss = self._epoch(on_step)
        seconds = time.perf_counter() - started
        state.epoch += 1
        is_due = config.dev_every > 0 and state.epoch % config.dev_every == 0
        is_scored = bool(self.dev) and (is_due or state.epoch == config.epochs)
        report = EpochReport(state.epoch, loss, seconds, self._score_dev() if is_scored else None)
        state.reports.append(report)
        if config.keep == "best" and is_scored and n_since_best(state.reports) == 0:
            state.best = state.weights()
        return report

    def _epoch(self, on_step: Callable[[int, int, float], None]) -> float:
        config, state = self.config, self.state
        rng = np.random.default_rng((config.seed, state.epoch))
        torch.manual_seed(config.seed * 100_003 + state.epoch)
        state.model.train()
        losses = []
        for batch in self.batches(rng):
            loss = self.step(batch, rng)
            losses.append(loss)
            on_step(state.step, self.n_steps, loss)
        return float(np.mean(losses))

    def batches(self, rng: np.random.Generator) -> Iterator[list[Window]]:
        """An epoch's batches: shuffled, of windows of like length; of each set so many as it says."""
        return _epoch_batches(draw(self.windows_by_set, rng), self.config.batch_size, rng)

    def step(self, windows: list[Window], rng: np.random.Generator) -> float:
        """One step of the optimiser; returns its loss."""
        config, state, ontology = self.config, self.state, self.checkpoint.ontology
        n_negatives = (config.negative_spans, config.negative_pairs)
        instances = sample(windows, self.sentences, ontology, config.max_span_width, n_negatives, rng)
        instances = instances.to(self.device)
        with self._autocast():
            encoded = state.model.encode(collate(windows, self.pieces.pad_id).to(self.device))
            span_logits = state.model.score_spans(encoded, instances.spans)
            ends = state.model.map_ends(encoded, instances.pairs.entities)
            pair_logits = state.model.score_pairs(encoded, ends, instances.pairs)
        span_logits, pair_logits = _in_fp32(span_logits), _in_fp32(pair_logits)
        loss = joint_loss(
            instances,
            span_logits,
            pair_logits,
            two_phase=config.two_phase,
            is_softmax=config.phase_one == "softmax",
            is_over_all=config.type_average == "all",
        )
        if self.teachers:
            with self._autocast():
                targets = self.teachers.targets(windows, self.sentences, instances)
            soft = targets.loss(span_logits, pair_logits)
            loss = torch.lerp(loss, soft, config.teacher_weight)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(state.model.parameters(), config.max_grad_norm)
        factor = _rate_factor(state.step, self.n_steps, config.warmup_ratio)
        for group, rate in zip(state.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        state.optimizer.step()
        state.step += 1
        if state.average:
            _update_average(state, config.ema_decay)
        return loss.item()

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16")

    def _score_dev(self) -> dict[str, Any]:
        state = self.state
        with with_weights(state.model, state.weights()):
            state.model.eval()
            predictor = Predictor(self.checkpoint, self.device, self.config.threads)
            return evaluate(predictor, self.checkpoint.ontology, self.dev, DECODE_CONFIDENCE)


def _in_fp32(logits: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return logits[0].float(), logits[1].float()


def parameter_groups(model: TwoPhaseModel, config: TrainConfig) -> list[dict[str, Any]]:
    """Optimizer groups: encoder rates fall by `layer_decay` a layer from the top; no decay on biases and norms."""
    n_layers = getattr(model.encoder.config, "num_hidden_layers", 0)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        rate = config.head_learning_rate
        if name.startswith("encoder."):
            depth = n_layers - 1 - _layer_number(name)
            rate = config.learning_rate * config.layer_decay**depth
        is_decayed = parameter.ndim > 1 and "embedding" not in name.rsplit(".", 2)[-2]
        groups.setdefault((rate, config.weight_decay if is_decayed else 0.0), []).append(parameter)
    return [{"params": p, "lr": rate, "weight_decay": decay} for (rate, decay), p in groups.items()]


def _layer_number(name: str) -> int:
    """The layer that an encoder parameter lies in; embeddings count as -1."""
    parts = name.split(".")
    numbers = [int(after) for before, after in pairwise(parts) if before in _LAYERS and after.isdigit()]
    return numbers[0] if numbers else -1


_LAYERS = {"layer", "layers", "h", "block"}


def _rate_factor(step: int, n_steps: int, warmup_ratio: float) -> float:
    warmup = max(1, round(n_steps * warmup_ratio)) if warmup_ratio else 0
    if step < warmup:
        return (step + 1) / warmup
    return max(0.0, (n_steps - step) / max(1, n_steps - warmup))


def _older(config: TrainConfig) -> list[str]:
    """The models that a training learns from: the one that it starts from, and its teachers."""
    return [name for name in (config.start, *config.teachers) if name]


def _seen_by_all(names: Sequence[str]) -> frozenset[str] | None:
    """The hashes of what some models were trained on; None where one of them doesn't say."""
    found = [seen_by(find_model(name)) for name in names]
    return None if None in found else frozenset().union(*(one for one in found if one is not None))


def _by_set(windows: Sequence[Window], sets: Sequence[TrainingSet]) -> list[tuple[int, list[Window]]]:
    """Of each set the number of windows an epoch, and its windows."""
    ends = np.cumsum([len(one.sentences) for one in sets])
    groups: list[list[Window]] = [[] for _ in sets]
    for window in windows:
        groups[int(np.searchsorted(ends, window.sentence, side="right"))].append(window)
    return [(one.n_an_epoch(len(group)), group) for one, group in zip(sets, groups, strict=True)]


def _epoch_batches(windows: list[Window], size: int, rng: np.random.Generator) -> Iterator[list[Window]]:
    """Shuffled batches of windows of like length: sorted within stretches of batches, then the batches shuffled."""
    order = rng.permutation(len(windows))
    batches: list[list[int]] = []
    for begin in range(0, len(order), size * _SORTED_BATCHES):
        stretch = sorted(order[begin : begin + size * _SORTED_BATCHES], key=lambda i: len(windows[i].pieces))
        batches.extend(stretch[i : i + size] for i in range(0, len(stretch), size))
    for i in rng.permutation(len(batches)):
        yield [windows[j] for j in batches[i]]


@torch.no_grad()
def _update_average(state: State, decay: float) -> None:
    decay = min(decay, state.step / (state.step + 10))
    parameters = dict(state.model.named_parameters())
    torch._foreach_lerp_(list(state.average.values()), [parameters[n] for n in state.average], 1 - decay)


def _finish(run: TrainingRun, out: Path) -> None:
    config, state = run.config, run.state
    partial = Path(f"{out}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    with with_weights(state.model, state.best or state.weights()):
        save_checkpoint(run.checkpoint, partial, run.ontology_text, torch.float16)
    write_card(partial, config, n_sentences=len(run.sentences), reports=state.reports, notes=run.notes)
    write_csv(partial / CSV, state.reports)
    if run.seen is not None:
        write_training_data(partial, run.sentences, run.seen)
    os.replace(partial, out)
    shutil.rmtree(run.folder, ignore_errors=True)
