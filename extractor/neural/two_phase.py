"""The two-phase span-based joint extractor: its modules, and its forward as the paper has it.

Source: Ji et al., A Two-Phase Paradigm for Joint Entity-Relation Extraction, section 3. Where a gate has a map of its
own for each role (`role_maps`), the paper's letter is left: see docs/model.md for why and docs/experiments.md for the
numbers.

What training and prediction run is `FastForward`, which does the same for many spans and pairs at once.

Shapes: B rows, T word pieces, W words, S spans, N entities, P ordered pairs, D hidden width, E entity types,
R relation types, O representations that a gate weighs.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedModel

from kgmill.extractor.neural.config import TwoPhaseConfig
from kgmill.extractor.neural.encoding import N_SHAPES, Batch
from kgmill.extractor.neural.fast import FastForward
from kgmill.extractor.neural.fusion import Fusion
from kgmill.extractor.neural.spans import Pairs, Spans


class TwoPhaseModel(FastForward, PreTrainedModel):
    """The model of section 3, with any Hugging Face encoder inside. All outputs are logits."""

    config_class = TwoPhaseConfig
    base_model_prefix = "kgmill"
    _supports_sdpa = True
    _supports_flash_attn = True

    def __init__(self, config: TwoPhaseConfig, encoder: PreTrainedModel | None = None) -> None:
        super().__init__(config)
        if encoder is None:
            keys: dict[str, Any] = dict(config.encoder or {})
            encoder = AutoModel.from_config(AutoConfig.for_model(keys.pop("model_type"), **keys))
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None
        self.encoder = encoder
        d = encoder.config.hidden_size
        n_entity = len(config.entity_types or ())
        n_none = 0 if config.two_phase else 1  # one phase: a first type, Not-Entity or Not-Relation (Table 7)
        n_relation = len(config.relation_types or ()) + n_none
        d_input = encoder.get_input_embeddings().embedding_dim  # narrower than d in ELECTRA and ALBERT
        self.shape_embedding = nn.Embedding(N_SHAPES, d_input) if config.word_shape else None
        self.dropout = nn.Dropout(config.dropout)

        options = {"is_gate": config.fusion == "gate", "has_maps": config.role_maps}
        self.span_gate = Fusion(d, {"words": d, "cls": d, "width": d}, **options)
        self.width_embedding = nn.Embedding(config.max_span_width, d)
        self.is_entity = nn.Linear(self.span_gate.width, 2)  # W_2, b_2 of Eq. 6a
        self.entity_type = nn.Linear(self.span_gate.width, n_entity + n_none)  # W_4, b_4 of Eq. 12a

        span = self.span_gate.width
        roles = {"head": span, "tail": span, "context": d}
        roles |= ({"distance": d} if config.pair_distance else {}) | ({"types": d} if config.link_types else {})
        self.pair_gate = Fusion(d, roles, **options)
        self.distance_embedding = nn.Embedding(config.max_distance + 1, d) if config.pair_distance else None
        self.link_embedding = nn.Embedding(n_entity * n_entity, d) if config.link_types else None
        self.pair_hidden = nn.Linear(self.pair_gate.width, d) if config.pair_hidden else None
        self.is_relation = nn.Linear(d if config.pair_hidden else self.pair_gate.width, 2)  # W_3, b_3 of Eq. 10a

        roles = {"pair": self.pair_gate.width} | ({"types": d} if config.pair_types else {})
        self.relation_gate = Fusion(d, roles, **options)
        n_features = n_entity * n_entity * (config.max_distance + 1)
        self.feature_embedding = nn.Embedding(n_features, d) if config.pair_types else None  # C of Eq. 13
        with warnings.catch_warnings():  # an ontology without relations has a head of no columns
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")
            self.relation_type = nn.Linear(self.relation_gate.width, n_relation)  # W_5, b_5 of Eq. 14a
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            if module.weight.numel():
                nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            if module is self.shape_embedding:
                nn.init.zeros_(module.weight)  # training starts from the pretrained encoder as it is
            else:
                nn.init.normal_(module.weight, std=0.02)

    def role_maps(self) -> list[nn.ModuleDict]:
        """The maps of all gates: what costs most after the encoder."""
        gates = (self.span_gate, self.pair_gate, self.relation_gate)
        return [gate.maps for gate in gates if gate.maps is not None]

    def forward(self, batch: Batch, spans: Spans, pairs: Pairs) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Section 3, a span and a pair at a time.

        Returns:
            logits of spans: entity or not [S, 2] (Eq. 6a), type [S, E] (Eq. 12a); and of pairs: relation or not [P, 2]
            (Eq. 10a), type [P, R] (Eq. 14a).
        """
        words_BWD, x0_BD = self._words(batch)
        span_SD = self._spans(words_BWD, x0_BD, spans)
        entity_S2, type_SE = self.is_entity(span_SD), self.entity_type(span_SD)  # Eq. 6a, Eq. 12a
        entity_ND = self._spans(words_BWD, x0_BD, pairs.entities)
        related, typed = [], []
        for i, j in zip(pairs.head_P.tolist(), pairs.tail_P.tolist(), strict=True):
            types = int(pairs.type_N[i]) * len(self.config.entity_types or ()) + int(pairs.type_N[j])
            row, begin, end = _between(pairs.entities, i, j)
            pair_D = self._pair(entity_ND[i], entity_ND[j], words_BWD[row, begin:end], types)
            related.append(self.is_relation(self._hidden(pair_D)))  # Eq. 10a
            typed.append(self.relation_type(self._relation(pair_D, end - begin, types)))  # Eq. 14a
        return (*self._phases(entity_S2, type_SE), *self._phases(torch.stack(related), torch.stack(typed)))

    def _words(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """E_T (Eq. 2): of each word the maximum over its pieces, [B, W, D] and x_0, [B, D]."""
        hidden_BTD = self.encoder(inputs_embeds=self._embed(batch), attention_mask=batch.mask_BT).last_hidden_state
        hidden_BTD = self.dropout(hidden_BTD)
        words_BWD = hidden_BTD.new_zeros(*batch.word_starts_BW.shape, hidden_BTD.shape[2])
        for b, w in torch.argwhere(batch.word_starts_BW < batch.word_ends_BW).tolist():
            words_BWD[b, w] = hidden_BTD[b, batch.word_starts_BW[b, w] : batch.word_ends_BW[b, w]].amax(dim=0)
        return words_BWD, hidden_BTD[:, 0]

    def _spans(self, words_BWD: Tensor, x0_BD: Tensor, spans: Spans) -> Tensor:
        """E'_S of each span (Eq. 3 to 5): the words, the context x_0 and the width, weighed by a gate."""
        gate, fused = self.span_gate, []
        for row, start, end in torch.stack((spans.row_S, spans.start_S, spans.end_S), dim=1).tolist():
            pooled_D = gate.map("words", words_BWD[row, start:end]).amax(dim=0)  # Eq. 4, mapped before it is pooled
            width_D = self.width_embedding.weight[min(end - start, self.config.max_span_width) - 1]
            fused.append(weigh(gate, self.dropout(pooled_D), gate.map("cls", x0_BD[row]), gate.map("width", width_D)))
        return torch.stack(fused)

    def _pair(self, head_D: Tensor, tail_D: Tensor, between_WD: Tensor, types: int) -> Tensor:
        """R_rb of a pair (Eq. 7 to 9): both entities, the words between them (none: zero) and how many those are."""
        gate, context_D = self.pair_gate, between_WD.new_zeros(between_WD.shape[1])
        if len(between_WD):
            context_D = gate.map("context", between_WD).amax(dim=0)  # Eq. 9, mapped before it is pooled
        parts = [self.dropout(x) for x in (gate.map("head", head_D), gate.map("tail", tail_D), context_D)]
        if self.distance_embedding is not None:
            distance = min(len(between_WD), self.config.max_distance)
            parts.append(gate.map("distance", self.distance_embedding.weight[distance]))
        if self.link_embedding is not None:
            parts.append(gate.map("types", self.link_embedding.weight[types]))
        return weigh(gate, *parts)

    def _hidden(self, pair_D: Tensor) -> Tensor:
        """What phase one of pairs judges: R_rb, or a hidden layer over it."""
        return pair_D if self.pair_hidden is None else self.dropout(torch.tanh(self.pair_hidden(pair_D)))

    def _relation(self, pair_D: Tensor, n_between: int, types: int) -> Tensor:
        """R'_r of a pair: R_rb, and C of both types and the distance (Eq. 13)."""
        parts = [self.dropout(self.relation_gate.map("pair", pair_D))]
        if self.feature_embedding is not None:
            feature = types * (self.config.max_distance + 1) + min(n_between, self.config.max_distance)
            parts.append(self.relation_gate.map("types", self.feature_embedding.weight[feature]))
        return weigh(self.relation_gate, *parts)


def weigh(gate: Fusion, *E_O: Tensor) -> Tensor:
    """E' of mapped representations E_1 to E_O, [D] each (Eq. 5); their concatenation where there is no gate."""
    if gate.score is None:
        return torch.cat(E_O)
    E_OD = torch.stack(E_O)
    v_O = gate.score(E_OD).squeeze(1)  # Eq. 5a
    alpha_O = torch.softmax(v_O, dim=0)  # Eq. 5b
    return alpha_O @ E_OD  # Eq. 5c


def _between(entities: Spans, i: int, j: int) -> tuple[int, int, int]:
    """The words between two spans: their row, the first, and one after the last; overlapping spans have none."""
    begin = min(int(entities.end_S[i]), int(entities.end_S[j]))
    return int(entities.row_S[i]), begin, max(begin, int(entities.start_S[i]), int(entities.start_S[j]))
