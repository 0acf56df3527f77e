"""Linear layers for prediction on a CPU: in int8, and in fp32 by oneDNN's product instead of MKL's.

What else was measured: docs/decisions/0009-int8.md and 0057-onednn.md.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

_LEVELS = 127.0


class Int8Linear(nn.Module):
    """A linear layer whose product is of 8-bit integers: torch's, which uses VNNI or AMX where the processor has them.

    Weights are quantised by output channel once, activations by row as they come: a row's scale is its own, so that
    rows of a batch still don't influence one another.

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


class OneDnnLinear(nn.Module):
    """A linear layer of fp32 weights in the order that oneDNN multiplies them in; its sums are rounded in another order
    than those of `nn.Linear`."""

    weight: Tensor
    bias_N: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
        self.bias_N = None if linear.bias is None else linear.bias.detach()

    @staticmethod
    def is_available() -> bool:
        """Whether this torch has the product."""
        return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")

    def forward(self, x: Tensor) -> Tensor:
        """[..., K] to [..., N]."""
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias_N, "none", [], None)
        return y


def replace_linears(module: nn.Module, new: Callable[[nn.Linear], nn.Module]) -> None:
    """Puts `new` layers in place of the linear ones inside a module."""
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Linear):
            setattr(module, name, new(child))
        else:
            replace_linears(child, new)


def _scale(x_MK: Tensor) -> Tensor:
    """The scale of each row, [M, 1]; a row of zeros has a tiny one."""
    return x_MK.abs().amax(dim=1, keepdim=True).clamp_(min=1e-30) / _LEVELS
