"""Distillation: a model learns what larger ones, or several, make of the same spans and pairs.

What a step learns from, gold and sampled negatives alike, the teachers score as prediction does; the mean of what they
say is a second target beside the gold: over none and all types at once, which the two phases are the factors of.

Source: Hinton, Vinyals and Dean, 2015, at temperature 1; none in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kgmill.extractor.data.annotated import AnnotatedSentence
from kgmill.extractor.modelfolder import find_model
from kgmill.extractor.neural.checkpoint import Checkpoint, load_checkpoint, longest_input
from kgmill.extractor.neural.encoding import Window, WordPieces, collate
from kgmill.extractor.neural.spans import Pairs, Spans
from kgmill.extractor.training.loss import log_probabilities, soft_loss
from kgmill.extractor.training.sampling import Instances
from kgmill.schemas.errors import ConfigError
from kgmill.schemas.ontology import Ontology


@dataclass(frozen=True, slots=True)
class Targets:
    """What the teachers say of a step's S spans and P pairs: probabilities of none and each type.

    Attributes:
        span_SK, pair_PK: [S, 1 + E] and [P, 1 + R], rows that sum to 1.
        is_read_S, is_read_P: bool, whether the teachers read the words of the instance at once; others have no target.
    """

    span_SK: Tensor
    pair_PK: Tensor
    is_read_S: Tensor
    is_read_P: Tensor

    def loss(self, span_logits: tuple[Tensor, Tensor], pair_logits: tuple[Tensor, Tensor]) -> Tensor:
        """The cross-entropy of the model's probabilities under the teachers', of spans and of pairs, summed."""
        S, P = self.is_read_S, self.is_read_P
        spans = soft_loss(span_logits[0][S], span_logits[1][S], self.span_SK[S])
        return spans + soft_loss(pair_logits[0][P], pair_logits[1][P], self.pair_PK[P])


class Teachers:
    """Trained models that score a step's instances. Their weights don't move.

    What a teacher's encoder makes of a window is the same in every epoch: it is kept, in memory, till `most_bytes` are
    full; windows that come later are read anew each time.

    Raises:
        CheckpointError: one can't be loaded.
        ConfigError: one has other types than the model that is trained, or other outputs of phase one.
    """

    def __init__(self, names: Sequence[str], ontology: Ontology, device: torch.device, most_bytes: int = 0) -> None:
        self.teachers = []
        for name in names:
            checkpoint = load_checkpoint(find_model(name), device)
            _check(name, checkpoint, ontology)
            self.teachers.append(_Teacher(checkpoint, device, most_bytes // len(names)))

    @torch.no_grad()
    def targets(
        self, windows: Sequence[Window], sentences: Sequence[AnnotatedSentence], instances: Instances
    ) -> Targets:
        """What the teachers say of the instances of a batch of windows."""
        found = [teacher.score(windows, sentences, instances) for teacher in self.teachers]
        span_SK, pair_PK = (torch.stack([one[i] for one in found]).mean(dim=0) for i in (0, 1))
        is_read_B = torch.stack([one[2] for one in found]).all(dim=0)
        head_P = instances.pairs.head_P
        return Targets(
            span_SK, pair_PK, is_read_B[instances.spans.row_S], is_read_B[instances.pairs.entities.row_S[head_P]]
        )


@dataclass(frozen=True, slots=True)
class _Read:
    """What a teacher's encoder made of a window's W words: x_0 [D] and words [W, D]."""

    cls_D: Tensor
    words_WD: Tensor

    @property
    def n_bytes(self) -> int:
        return sum(tensor.numel() * tensor.element_size() for tensor in (self.cls_D, self.words_WD))


class _Teacher:
    """One of them, and what its encoder made of the windows that it has seen."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device, most_bytes: int) -> None:
        self.model = checkpoint.model
        self.pieces = WordPieces(checkpoint.tokenizer, longest_input(checkpoint.model.encoder))
        self.device = device
        self.n_bytes_left = most_bytes
        self.kept: dict[tuple[int, int], _Read] = {}

    def score(
        self, windows: Sequence[Window], sentences: Sequence[AnnotatedSentence], instances: Instances
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Probabilities of spans [S, 1 + E] and pairs [P, 1 + R], and whether each row was read at once, bool [B]."""
        rows = self._read(windows, sentences)
        is_read_B = torch.tensor([row is not None for row in rows], device=self.device)
        spans, entities = (_inside(s, is_read_B) for s in (instances.spans, instances.pairs.entities))
        pairs = Pairs(entities, instances.pairs.type_N, instances.pairs.head_P, instances.pairs.tail_P)
        model = self.model
        encoded = model.map_words(*self._padded(rows))
        ends = model.map_ends(encoded, entities)
        span_SK = log_probabilities(*(x.float() for x in model.score_spans(encoded, spans))).exp()
        pair_PK = log_probabilities(*(x.float() for x in model.score_pairs(encoded, ends, pairs))).exp()
        return span_SK, pair_PK, is_read_B

    def _read(self, windows: Sequence[Window], sentences: Sequence[AnnotatedSentence]) -> list[_Read | None]:
        """What the encoder makes of each window; None where its words don't fit the teacher together."""
        rows = [self.kept.get((window.sentence, window.first_word)) for window in windows]
        new = []
        for i, (window, row) in enumerate(zip(windows, rows, strict=True)):
            if row is None:
                words = sentences[window.sentence].words[window.first_word : window.first_word + window.n_words]
                parts = list(self.pieces.windows([words]))
                if len(parts) == 1:
                    new.append((i, parts[0]))
        if new:
            cls_BD, words_BWD = self.model.read_words(
                collate([found for _, found in new], self.pieces.pad_id).to(self.device)
            )
            for (i, found), cls_D, words_WD in zip(new, cls_BD, words_BWD, strict=True):
                rows[i] = self._keep(windows[i], cls_D, words_WD[: found.n_words])
        return rows

    def _keep(self, window: Window, cls_D: Tensor, words_WD: Tensor) -> _Read:
        """As the maps that follow take it: of autocast's precision, of which a maximum loses nothing."""
        on = self.device.type
        kind = torch.get_autocast_dtype(on) if torch.is_autocast_enabled(on) else cls_D.dtype
        row = _Read(cls_D.to(kind, copy=True), words_WD.to(kind, copy=True))
        if row.n_bytes <= self.n_bytes_left:
            self.n_bytes_left -= row.n_bytes
            self.kept[window.sentence, window.first_word] = row
        return row

    def _padded(self, rows: Sequence[_Read | None]) -> tuple[Tensor, Tensor]:
        """The rows as one batch; zeros where nothing was read."""
        read = [row for row in rows if row is not None]
        n_words = max((len(row.words_WD) for row in read), default=1)
        like = read[0].cls_D if read else next(self.model.parameters())
        cls_BD = like.new_zeros(len(rows), self.model.encoder.config.hidden_size)
        words_BWD = like.new_zeros(len(rows), n_words, cls_BD.shape[1])
        for i, row in enumerate(rows):
            if row is not None:
                cls_BD[i], words_BWD[i, : len(row.words_WD)] = row.cls_D, row.words_WD
        return cls_BD, words_BWD


def _check(name: str, checkpoint: Checkpoint, ontology: Ontology) -> None:
    theirs = checkpoint.ontology
    if (theirs.entity_names, theirs.relation_names) != (ontology.entity_names, ontology.relation_names):
        raise ConfigError(f"teacher {name}: its types are not those that are trained, in their order")
    if checkpoint.model.config.phase_one != "softmax":
        raise ConfigError(
            f'teacher {name}: phase_one = "sigmoid"; a teacher needs probabilities: train it with "softmax"'
        )


def _inside(spans: Spans, is_read_B: Tensor) -> Spans:
    """The spans, those of rows that were not read as the first word of theirs."""
    is_read_S = is_read_B[spans.row_S]
    start_S, end_S = torch.where(is_read_S, spans.start_S, 0), torch.where(is_read_S, spans.end_S, 1)
    return Spans(spans.row_S, start_S, end_S)
