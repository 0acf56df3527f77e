"""The forward that training and prediction run: that of `TwoPhaseModel.forward`, for all spans and pairs at once.

Equal to it, and far cheaper: words are pooled through a table of maxima, an entity is mapped once for all of its pairs,
the embeddings once for all batches, and as a head is linear, the head of a gate's sum is the sum of the heads
(`Fusion.mix`), so that spans get their logits without their representations being written.

Shapes: B rows, T word pieces, W words, S spans, N entities, P ordered pairs, D hidden width, E entity types,
R relation types, O representations that a gate weighs, K levels of a pooling table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from kgmill.extractor.neural.config import TwoPhaseConfig
from kgmill.extractor.neural.encoding import Batch
from kgmill.extractor.neural.fusion import Fusion
from kgmill.extractor.neural.pooling import all_spans_max, pooling_table, range_max
from kgmill.extractor.neural.spans import Pairs, Spans


@dataclass(frozen=True, slots=True)
class Ends:
    """Entities as heads and as tails of pairs: mapped once each, however many pairs they are in.

    Attributes:
        head_ND, tail_ND: the mapped representations.
        head_logits, tail_logits: what each gives to the pair gate's score and to phase one (`Fusion.project`).
    """

    head_ND: Tensor
    tail_ND: Tensor
    head_logits: Tensor
    tail_logits: Tensor


@dataclass(frozen=True, slots=True)
class Features:
    """What the trained embeddings of width, distance and types give; the same for every batch of one set of weights.

    Attributes:
        width_WD, distance_ND: mapped embeddings (none without the binary global feature).
        link_types_FD: mapped embeddings of (head type, tail type), where phase one of pairs sees types too.
        width_logits, distance_logits, type_logits, link_type_logits: what each gives to its gate's score and logits
            (`Fusion.project`).
        link_columns: of the roles of pairs that no table is made of, the weights of that (`Fusion.columns`): a hidden
            layer's are many.
    """

    width_WD: Tensor
    width_logits: Tensor
    distance_ND: Tensor | None
    distance_logits: Tensor | None
    type_logits: Tensor | None
    link_types_FD: Tensor | None
    link_type_logits: Tensor | None
    link_columns: dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Encoded:
    """What the encoder made of a batch, mapped for each role.

    Attributes:
        cls_BD: the context representation x_0.
        span_words_KND: pooling table of the words as parts of spans; each level is [B * W, D].
        context_words_KND: pooling table of the words as parts of the context between two spans.
        n_words: W.
    """

    cls_BD: Tensor
    span_words_KND: Tensor
    context_words_KND: Tensor
    n_words: int
    features: Features


@dataclass(frozen=True, slots=True)
class Linked:
    """Phase one of pairs: the gate's weights, the logits, and what phase two needs of the words between."""

    alpha_PO: Tensor | None
    logits_P2: Tensor
    context_PD: Tensor
    distance_P: Tensor

    def take(self, index_P: Tensor) -> Linked:
        """Some of the pairs."""
        alpha_PO = None if self.alpha_PO is None else self.alpha_PO[index_P]
        return Linked(alpha_PO, self.logits_P2[index_P], self.context_PD[index_P], self.distance_P[index_P])

    @staticmethod
    def joined(parts: Sequence[Linked]) -> Linked:
        """All pairs of several."""
        alphas = [part.alpha_PO for part in parts if part.alpha_PO is not None]
        return Linked(
            torch.cat(alphas) if alphas else None,
            torch.cat([part.logits_P2 for part in parts]),
            torch.cat([part.context_PD for part in parts]),
            torch.cat([part.distance_P for part in parts]),
        )


class FastForward:
    """The methods of a `TwoPhaseModel`, whose modules these are. All outputs are logits."""

    config: TwoPhaseConfig
    encoder: PreTrainedModel
    dropout: nn.Dropout
    shape_embedding: nn.Embedding | None
    span_gate: Fusion
    width_embedding: nn.Embedding
    is_entity: nn.Linear
    entity_type: nn.Linear
    pair_gate: Fusion
    distance_embedding: nn.Embedding | None
    link_embedding: nn.Embedding | None
    pair_hidden: nn.Linear | None
    is_relation: nn.Linear
    relation_gate: Fusion
    feature_embedding: nn.Embedding | None
    relation_type: nn.Linear

    def features(self) -> Features:
        """The mapped and projected embeddings; prediction makes them once, training with every batch."""
        width_WD = self.span_gate.map("width", self.width_embedding.weight)
        distance_ND = distance_logits = type_logits = link_types_FD = link_type_logits = None
        if self.distance_embedding is not None:
            distance_ND = self.pair_gate.map("distance", self.distance_embedding.weight)
            distance_logits = self.pair_gate.project("distance", distance_ND, self._link_heads())
        if self.link_embedding is not None:
            link_types_FD = self.pair_gate.map("types", self.link_embedding.weight)
            link_type_logits = self.pair_gate.project("types", link_types_FD, self._link_heads())
        if self.feature_embedding is not None:
            mapped = self.relation_gate.map("types", self.feature_embedding.weight)
            type_logits = self.relation_gate.project("types", mapped, (self.relation_type,))
        width_logits = self.span_gate.project("width", width_WD, (self.is_entity, self.entity_type))
        link_columns = {role: self.pair_gate.columns(role, self._link_heads()) for role in ("head", "tail", "context")}
        return Features(
            *(width_WD, width_logits, distance_ND, distance_logits),
            *(type_logits, link_types_FD, link_type_logits, link_columns),
        )

    def encode(self, batch: Batch, features: Features | None = None) -> Encoded:
        """Word representations (Eq. 2 and 3: the maximum over a word's pieces), mapped once for each role."""
        return self.map_words(*self.read_words(batch), features)

    def read_words(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the encoder makes of a batch: the context representations x_0, [B, D], and those of words, [B, W, D]."""
        hidden_BTD = self.encoder(inputs_embeds=self._embed(batch), attention_mask=batch.mask_BT).last_hidden_state
        hidden_BTD = self.dropout(hidden_BTD)
        n_rows, n_pieces, _ = hidden_BTD.shape
        n_words = batch.word_starts_BW.shape[1]
        longest = int((batch.word_ends_BW - batch.word_starts_BW).max())
        row_N = torch.arange(n_rows, device=hidden_BTD.device).repeat_interleave(n_words)
        words_ND = range_max(
            pooling_table(hidden_BTD, longest),
            n_pieces,
            row_N,
            batch.word_starts_BW.flatten(),
            batch.word_ends_BW.flatten(),
        )
        return hidden_BTD[:, 0], words_ND.view(n_rows, n_words, -1)

    def map_words(self, cls_BD: Tensor, words_BWD: Tensor, features: Features | None = None) -> Encoded:
        """What `read_words` gave, mapped once for each role."""
        n_words = words_BWD.shape[1]
        return Encoded(
            cls_BD=self.span_gate.map("cls", cls_BD),
            span_words_KND=pooling_table(self.span_gate.map("words", words_BWD), self.config.max_span_width),
            context_words_KND=pooling_table(self.pair_gate.map("context", words_BWD), n_words),
            n_words=n_words,
            features=features or self.features(),
        )

    def score_spans(self, encoded: Encoded, spans: Spans, *, is_grid: bool = False) -> tuple[Tensor, Tensor]:
        """Phase-one logits [S, 2] (Not-Entity, Entity; Eq. 6a) and phase-two logits [S, E] (Eq. 12a).

        `is_grid` says that the spans are all spans of up to `max_span_width` words, by row, start, width.
        """
        if is_grid:
            words_SD = all_spans_max(encoded.span_words_KND, encoded.n_words, self.config.max_span_width)
        else:
            words_SD = self._pool_span(encoded, spans)
        _, logits = self._weigh_spans(encoded, spans, self.dropout(words_SD))
        return self._phases(logits[:, :2], logits[:, 2:])

    def map_ends(self, encoded: Encoded, entities: Spans) -> Ends:
        """What phase one needs of each entity, as a head and as a tail."""
        columns, span_ND = encoded.features.link_columns, self._represent_spans(encoded, entities)
        head_ND, tail_ND = (self.dropout(self.pair_gate.map(role, span_ND)) for role in ("head", "tail"))
        return Ends(head_ND, tail_ND, head_ND @ columns["head"], tail_ND @ columns["tail"])

    def score_pairs(self, encoded: Encoded, ends: Ends, pairs: Pairs) -> tuple[Tensor, Tensor]:
        """Phase-one logits [P, 2] (Not-Relation, Relation; Eq. 10a) and phase-two logits [P, R] (Eq. 14a)."""
        linked = self.link_pairs(encoded, ends, pairs)
        return self._phases(linked.logits_P2, self.type_pairs(encoded, ends, pairs, linked))

    def type_pairs(self, encoded: Encoded, ends: Ends, pairs: Pairs, linked: Linked) -> Tensor:
        """Phase two of pairs of which phase one is known: logits [P, R], of a one-phase model with its first type."""
        parts = [ends.head_ND[pairs.head_P], ends.tail_ND[pairs.tail_P], linked.context_PD]
        if encoded.features.distance_ND is not None:
            parts.append(encoded.features.distance_ND[linked.distance_P])
        if encoded.features.link_types_FD is not None:
            parts.append(encoded.features.link_types_FD[self._type_pair(pairs)])
        fused_PD = self.pair_gate.fuse(linked.alpha_PO, parts)
        return self._score_types(encoded, fused_PD, pairs, linked.distance_P)

    def _phases(self, binary_N2: Tensor, type_NC: Tensor) -> tuple[Tensor, Tensor]:
        """The logits of both phases; of a one-phase model the same probabilities, taken apart.

        The softmax over (none, types) is the softmax over (none, log-sum-exp of types) times that over types.
        """
        if self.config.two_phase:
            return binary_N2, type_NC
        types = type_NC[:, 1:]
        return torch.cat((type_NC[:, :1], torch.logsumexp(types, dim=1, keepdim=True)), dim=1), types

    def _embed(self, batch: Batch) -> Tensor:
        embedded_BTD: Tensor = self.encoder.get_input_embeddings()(batch.pieces_BT)
        return embedded_BTD if self.shape_embedding is None else embedded_BTD + self.shape_embedding(batch.shapes_BT)

    def _pool_span(self, encoded: Encoded, spans: Spans) -> Tensor:
        return range_max(encoded.span_words_KND, encoded.n_words, spans.row_S, spans.start_S, spans.end_S)

    def _width(self, spans: Spans) -> Tensor:
        return (spans.end_S - spans.start_S - 1).clamp(0, self.config.max_span_width - 1)

    def _weigh_spans(self, encoded: Encoded, spans: Spans, words_SD: Tensor) -> tuple[Tensor | None, Tensor]:
        heads = (self.is_entity, self.entity_type)
        projected = [
            self.span_gate.project("words", words_SD, heads),
            self.span_gate.project("cls", encoded.cls_BD, heads)[spans.row_S],
            encoded.features.width_logits[self._width(spans)],
        ]
        return self.span_gate.mix(projected, heads)

    def _represent_spans(self, encoded: Encoded, spans: Spans) -> Tensor:
        words_SD = self.dropout(self._pool_span(encoded, spans))
        alpha_SO, _ = self._weigh_spans(encoded, spans, words_SD)
        width_SD = encoded.features.width_WD[self._width(spans)]
        return self.span_gate.fuse(alpha_SO, [words_SD, encoded.cls_BD[spans.row_S], width_SD])

    def _link_heads(self) -> tuple[nn.Linear]:
        """What phase one of pairs makes of the gate's sum first: its logits, or a hidden layer."""
        return (self.pair_hidden or self.is_relation,)

    def link_pairs(self, encoded: Encoded, ends: Ends, pairs: Pairs) -> Linked:
        """Phase one of pairs alone (Eq. 7 to 10a): few of them are worth a phase two."""
        begin_P, end_P, distance_P = self._between(pairs)
        gate, heads, features = self.pair_gate, self._link_heads(), encoded.features
        row_P = pairs.entities.row_S[pairs.head_P]
        context_PD = range_max(encoded.context_words_KND, encoded.n_words, row_P, begin_P, end_P)
        context_PD = self.dropout(context_PD * (begin_P < end_P).unsqueeze(1).to(context_PD.dtype))
        projected = [
            ends.head_logits[pairs.head_P],
            ends.tail_logits[pairs.tail_P],
            context_PD @ features.link_columns["context"],
        ]
        if features.distance_logits is not None:
            projected.append(features.distance_logits[distance_P])
        if features.link_type_logits is not None:
            projected.append(features.link_type_logits[self._type_pair(pairs)])
        alpha_PO, logits = gate.mix(projected, heads)
        if self.pair_hidden is not None:
            logits = self.is_relation(self.dropout(torch.tanh(logits)))
        return Linked(alpha_PO, logits, context_PD, distance_P)

    def _between(self, pairs: Pairs) -> tuple[Tensor, Tensor, Tensor]:
        """The words between the two spans: first, one after the last, and their number, capped (section 4.2).

        Overlapping spans have none between them.
        """
        start_N, end_N = pairs.entities.start_S, pairs.entities.end_S
        begin_P = torch.minimum(end_N[pairs.head_P], end_N[pairs.tail_P])
        end_P = torch.maximum(begin_P, torch.maximum(start_N[pairs.head_P], start_N[pairs.tail_P]))
        return begin_P, end_P, (end_P - begin_P).clamp(max=self.config.max_distance)

    def _type_pair(self, pairs: Pairs) -> Tensor:
        """The number of each pair's (head type, tail type)."""
        return pairs.type_N[pairs.head_P] * len(self.config.entity_types or ()) + pairs.type_N[pairs.tail_P]

    def _score_types(self, encoded: Encoded, pair_PD: Tensor, pairs: Pairs, distance_P: Tensor) -> Tensor:
        gate, heads, type_logits = self.relation_gate, (self.relation_type,), encoded.features.type_logits
        parts = [gate.project("pair", self.dropout(gate.map("pair", pair_PD)), heads)]
        if type_logits is not None:
            parts.append(type_logits[self._type_pair(pairs) * (self.config.max_distance + 1) + distance_P])
        return gate.mix(parts, heads)[1]
