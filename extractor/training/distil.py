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

_NO_WORD = ("-",)


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

    Raises:
        CheckpointError: one can't be loaded.
        ConfigError: one has other types than the model that is trained, or other outputs of phase one.
    """

    def __init__(self, names: Sequence[str], ontology: Ontology, device: torch.device) -> None:
        self.device = device
        self.models = [load_checkpoint(find_model(name), device) for name in names]
        for name, checkpoint in zip(names, self.models, strict=True):
            _check(name, checkpoint, ontology)
        self.pieces = [WordPieces(c.tokenizer, longest_input(c.model.encoder)) for c in self.models]

    @torch.no_grad()
    def targets(
        self, windows: Sequence[Window], sentences: Sequence[AnnotatedSentence], instances: Instances
    ) -> Targets:
        """What the teachers say of the instances of a batch of windows."""
        words = [sentences[w.sentence].words[w.first_word : w.first_word + w.n_words] for w in windows]
        found = [
            _score(checkpoint, pieces, words, instances, self.device)
            for checkpoint, pieces in zip(self.models, self.pieces, strict=True)
        ]
        span_SK, pair_PK = (torch.stack([one[i] for one in found]).mean(dim=0) for i in (0, 1))
        is_read_B = torch.stack([one[2] for one in found]).all(dim=0)
        head_P = instances.pairs.head_P
        return Targets(
            span_SK, pair_PK, is_read_B[instances.spans.row_S], is_read_B[instances.pairs.entities.row_S[head_P]]
        )


def _check(name: str, checkpoint: Checkpoint, ontology: Ontology) -> None:
    theirs = checkpoint.ontology
    if (theirs.entity_names, theirs.relation_names) != (ontology.entity_names, ontology.relation_names):
        raise ConfigError(f"teacher {name}: its types are not those that are trained, in their order")
    if checkpoint.model.config.phase_one != "softmax":
        raise ConfigError(
            f'teacher {name}: phase_one = "sigmoid"; a teacher needs probabilities: train it with "softmax"'
        )


def _score(
    checkpoint: Checkpoint,
    pieces: WordPieces,
    words: Sequence[Sequence[str]],
    instances: Instances,
    device: torch.device,
) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities of spans [S, 1 + E] and pairs [P, 1 + R], and whether each row was read at once, bool [B].

    Words that don't fit the teacher together are read as one that says nothing.
    """
    windows = [list(pieces.windows([row])) for row in words]
    nothing = next(pieces.windows([_NO_WORD]))
    is_read_B = torch.tensor([len(found) == 1 for found in windows], device=device)
    batch = collate([found[0] if len(found) == 1 else nothing for found in windows], pieces.pad_id).to(device)
    spans, entities = (_inside(s, is_read_B) for s in (instances.spans, instances.pairs.entities))
    pairs = Pairs(entities, instances.pairs.type_N, instances.pairs.head_P, instances.pairs.tail_P)
    model = checkpoint.model
    encoded = model.encode(batch)
    ends = model.map_ends(encoded, entities)
    span_SK = log_probabilities(*model.score_spans(encoded, spans)).float().exp()
    pair_PK = log_probabilities(*model.score_pairs(encoded, ends, pairs)).float().exp()
    return span_SK, pair_PK, is_read_B


def _inside(spans: Spans, is_read_B: Tensor) -> Spans:
    """The spans, those of rows that were not read as the first word of theirs."""
    is_read_S = is_read_B[spans.row_S]
    start_S, end_S = torch.where(is_read_S, spans.start_S, 0), torch.where(is_read_S, spans.end_S, 1)
    return Spans(spans.row_S, start_S, end_S)
