"""The fusion of several representations of a span or a pair into one.

Shapes: S spans or pairs, D hidden width, O representations that a gate weighs.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn


class Fusion(nn.Module):
    """Fuses representations of several roles into one: the gate of Eq. 5, or concatenation (Table 7, w/o gated).

    A representation is first mapped by its role (a d x d map and tanh, unless `has_maps` is false), so that a head is
    told from a tail: by the letter of Eq. 5, R_b(a, b) would equal R_b(b, a).
    """

    def __init__(self, width: int, roles: dict[str, int], *, is_gate: bool, has_maps: bool) -> None:
        super().__init__()
        self.roles = tuple(roles)
        self.is_gate = is_gate
        self.score = nn.Linear(width, 1) if self.is_gate else None
        self.maps = nn.ModuleDict({r: nn.Linear(n, width) for r, n in roles.items()}) if has_maps else None
        widths = [width if has_maps else n for n in roles.values()]
        self.width = width if self.is_gate else sum(widths)
        self.widths = widths

    def map(self, role: str, x: Tensor) -> Tensor:
        """The representation of a role, [..., D]; monotone in each feature of the map's output, so it may be pooled."""
        return x if self.maps is None else torch.tanh(self.maps[role](x))

    def project(self, role: str, x_SD: Tensor, heads: tuple[nn.Linear, ...]) -> Tensor:
        """What the mapped representation of a role gives to the gate's score (column 0) and to each head's logits."""
        return x_SD @ self.columns(role, heads)

    def columns(self, role: str, heads: tuple[nn.Linear, ...]) -> Tensor:
        """The weights of `project`: the gate's score and each head's logits, side by side, [D, 1 + logits]."""
        if self.score is not None:
            weights = [self.score.weight, *(head.weight for head in heads)]
        else:
            i = self.roles.index(role)
            begin = sum(self.widths[:i])
            mine = [head.weight[:, begin : begin + self.widths[i]] for head in heads]
            weights = [mine[0].new_zeros(1, self.widths[i]), *mine]
        return torch.cat(weights).t()

    def mix(self, projected: list[Tensor], heads: tuple[nn.Linear, ...]) -> tuple[Tensor | None, Tensor]:
        """The gate's weights [S, O] (none for concatenation) and all heads' logits side by side.

        A head is linear, so that the head of a weighted sum is the weighted sum of the heads: spans get their logits
        without their D-wide sums ever being written.
        """
        bias = torch.cat([head.bias for head in heads])
        if self.score is None:
            return None, sum(p[:, 1:] for p in projected) + bias
        alpha_SO = torch.softmax(torch.cat([p[:, :1] for p in projected], dim=1), dim=1)
        logits = sum(alpha_SO[:, i : i + 1] * p[:, 1:] for i, p in enumerate(projected))
        return alpha_SO, logits + bias

    def fuse(self, alpha_SO: Tensor | None, representations: list[Tensor]) -> Tensor:
        """The fused representation (Eq. 5c)."""
        if alpha_SO is None:
            return torch.cat(representations, dim=1)
        return cast(Tensor, sum(alpha_SO[:, i : i + 1] * r for i, r in enumerate(representations)))
