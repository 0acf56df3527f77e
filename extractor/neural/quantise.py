"""Int8 linear layers for prediction: weights quantised by output channel once, activations by row as they come.

A row's scale is its own, so that rows of a batch still don't influence one another. The product is torch's integer one,
which uses VNNI or AMX where the processor has them; docs/decisions/0009-int8.md has what else was measured.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_LEVELS = 127.0


class Int8Linear(nn.Module):
    """A linear layer whose product is of 8-bit integers, for prediction alone.

    Source: symmetric quantisation, x ~ scale * round(x / scale) with scale = max |x| / 127.
    """

    weight_KN: Tensor
    scale_N: Tensor
    bias_N: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight_NK = linear.weight.detach().float()
        scale_N1 = _scale(weight_NK)
        self.register_buffer("weight_KN", (weight_NK / scale_N1).round().to(torch.int8).t().contiguous())
        self.register_buffer("scale_N", scale_N1.squeeze(1))
        bias = torch.zeros(len(weight_NK)) if linear.bias is None else linear.bias.detach().float()
        self.register_buffer("bias_N", bias)

    def forward(self, x: Tensor) -> Tensor:
        """[..., K] to [..., N], as fp32."""
        x_MK = x.reshape(-1, x.shape[-1])
        scale_M1 = _scale(x_MK)
        rows_MK = (x_MK * scale_M1.reciprocal()).round_().to(torch.int8)
        y_MN = torch._int_mm(rows_MK, self.weight_KN).to(torch.float32).mul_(self.scale_N)
        return torch.addcmul(self.bias_N, y_MN, scale_M1, out=y_MN).view(*x.shape[:-1], -1)


def quantise(module: nn.Module) -> None:
    """Replaces the linear layers inside a module by int8 ones, in place."""
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Linear):
            setattr(module, name, Int8Linear(child))
        else:
            quantise(child)


def _scale(x_MK: Tensor) -> Tensor:
    """The scale of each row, [M, 1]; a row of zeros has a tiny one."""
    return x_MK.abs().amax(dim=1, keepdim=True).clamp_(min=1e-30) / _LEVELS
