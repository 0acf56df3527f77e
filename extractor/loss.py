"""The joint loss (Eq. 16): two binary and two multi-class losses, summed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from extractor.sampling import Instances


def binary_loss(logits_N2: Tensor, is_positive_N: Tensor) -> Tensor:
    """Binary cross-entropy over both outputs, summed over the two and averaged over instances; 0 for no instance.

    Source: Eq. 11, with the log that its second term lost.
    """
    if not len(logits_N2):
        return logits_N2.sum()
    target_N2 = F.one_hot(is_positive_N.long(), 2).to(logits_N2.dtype)
    return F.binary_cross_entropy_with_logits(logits_N2, target_N2, reduction="sum") / len(logits_N2)


def type_loss(logits_NC: Tensor, column_N: Tensor) -> Tensor:
    """Cross-entropy over types, averaged over the instances that have one (column >= 0); 0 where none has.

    Source: Eq. 15.
    """
    gold = torch.nonzero(column_N >= 0).squeeze(1)
    if not len(gold):
        return logits_NC.sum() * 0.0
    return F.cross_entropy(logits_NC[gold], column_N[gold])


def joint_loss(
    instances: Instances,
    span_logits: tuple[Tensor, Tensor],
    pair_logits: tuple[Tensor, Tensor],
) -> Tensor:
    """The loss of Eq. 16 from the outputs of `score_spans` and `score_pairs` on the instances."""
    return (
        binary_loss(span_logits[0], instances.span_type_S >= 0)
        + type_loss(span_logits[1], instances.span_type_S)
        + binary_loss(pair_logits[0], instances.pair_type_P >= 0)
        + type_loss(pair_logits[1], instances.pair_type_P)
    )
