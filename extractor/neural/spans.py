"""What is scored: spans of words, and ordered pairs of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Spans:
    """Spans of words: row in the batch, first word, the word after the last. Each is an int64 tensor of S."""

    row_S: Tensor
    start_S: Tensor
    end_S: Tensor

    def take(self, index: Tensor) -> Spans:
        """The spans at `index`, in its order."""
        return Spans(self.row_S[index], self.start_S[index], self.end_S[index])

    def to(self, device: torch.device) -> Spans:
        """The same spans on a device."""
        return Spans(self.row_S.to(device), self.start_S.to(device), self.end_S.to(device))


@dataclass(frozen=True, slots=True)
class Pairs:
    """Ordered pairs of entities in the same row: N entities with their types (columns), and P pairs that index them."""

    entities: Spans
    type_N: Tensor
    head_P: Tensor
    tail_P: Tensor

    def take(self, index: Tensor) -> Pairs:
        """The pairs at `index`, in its order, among the same entities."""
        return Pairs(self.entities, self.type_N, self.head_P[index], self.tail_P[index])

    def to(self, device: torch.device) -> Pairs:
        """The same pairs on a device."""
        return Pairs(self.entities.to(device), self.type_N.to(device), self.head_P.to(device), self.tail_P.to(device))
